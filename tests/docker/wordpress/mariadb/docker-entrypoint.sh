#!/bin/bash
# A new folder gets a database and a user, as MARIADB_* say; an old one is served as it is.
set -eu

value() { # NAME, or the content of the file that NAME_FILE names
	local file=$1_FILE
	if [[ -n ${!file:-} ]]; then cat "${!file}"; else echo "${!1:-}"; fi
}

quoted() { printf '%s\n' "${1//\'/\'\'}"; }

chown mysql:mysql /var/lib/mysql
if [[ ! -d /var/lib/mysql/mysql ]]; then
	mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
	{
		echo 'FLUSH PRIVILEGES;'
		echo "ALTER USER root@localhost IDENTIFIED BY '$(quoted "$(value MARIADB_ROOT_PASSWORD)")';"
		echo "CREATE DATABASE \`$MARIADB_DATABASE\`;"
		echo "CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$(quoted "$(value MARIADB_PASSWORD)")';"
		echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO '$MARIADB_USER'@'%';"
	} | gosu mysql mariadbd --bootstrap --datadir=/var/lib/mysql
fi
exec gosu mysql "$@" --datadir=/var/lib/mysql --bind-address=0.0.0.0
