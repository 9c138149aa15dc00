#!/bin/bash
# An empty folder gets WordPress; what is there already is kept.
set -eu
if [[ ! -e /var/www/html/index.php ]]; then
	cp -a /usr/share/wordpress/. /var/www/html/
	rm -rf /var/www/html/wp-content
	cp -aL /usr/share/wordpress/wp-content /var/www/html/ 2>/dev/null || mkdir -p /var/www/html/wp-content
	rm -f /var/www/html/wp-config.php
	cp /usr/src/wp-config.php /var/www/html/wp-config.php
	chown -R www-data:www-data /var/www/html/wp-content
fi
set +u # Debian's file asks for variables that are not set
# shellcheck source=/dev/null
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
exec "$@"
