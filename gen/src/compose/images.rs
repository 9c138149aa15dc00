//! What well-known images are: where they listen, where they keep their data, what they speak.

/// An image that everybody knows.
#[derive(Debug)]
pub struct Known {
    /// The repository's last part, as in `postgres`.
    pub name: &'static str,
    /// TCP ports that it listens on by itself.
    pub ports: &'static [u16],
    /// Folders in the container that hold what must not be lost.
    pub data: &'static [&'static str],
    /// URL schemes that it answers to; none where nobody can tell.
    pub schemes: &'static [&'static str],
    /// Variables that change its port.
    pub port_variables: &'static [&'static str],
    /// Whether it is a server that never ends by itself.
    pub is_server: bool,
}

const fn known(
    name: &'static str,
    ports: &'static [u16],
    data: &'static [&'static str],
    schemes: &'static [&'static str],
    port_variables: &'static [&'static str],
) -> Known {
    Known { name, ports, data, schemes, port_variables, is_server: true }
}

const POSTGRES: &[&str] = &["postgres", "postgresql", "pg", "pgsql"];
const MYSQL: &[&str] = &["mysql", "mariadb", "mysql2"];
const REDIS: &[&str] = &["redis", "rediss", "valkey", "celery"];
const MONGO: &[&str] = &["mongodb", "mongo"];
const HTTP: &[&str] = &["http", "https", "ws", "wss"];

/// All that are known.
pub static KNOWN: &[Known] = &[
    known("adminer", &[8080], &[], HTTP, &[]),
    known("cassandra", &[9042, 7000], &["/var/lib/cassandra"], &["cassandra"], &[]),
    known("couchdb", &[5984], &["/opt/couchdb/data"], HTTP, &[]),
    known("elasticsearch", &[9200, 9300], &["/usr/share/elasticsearch/data"], &["http", "https", "tcp"], &["http.port"]),
    known("etcd", &[2379, 2380], &[], HTTP, &["ETCD_LISTEN_CLIENT_URLS"]),
    known("httpd", &[80], &[], HTTP, &[]),
    known("influxdb", &[8086, 8088], &["/var/lib/influxdb2", "/var/lib/influxdb"], HTTP, &["INFLUXD_HTTP_BIND_ADDRESS"]),
    known("mariadb", &[3306], &["/var/lib/mysql"], MYSQL, &["MYSQL_TCP_PORT"]),
    known("memcached", &[11211], &[], &["memcached", "memcache"], &[]),
    known("mongo", &[27017], &["/data/db"], MONGO, &[]),
    known("mysql", &[3306, 33060], &["/var/lib/mysql"], MYSQL, &["MYSQL_TCP_PORT"]),
    known("nats", &[4222, 6222, 8222], &[], &["nats", "tls", "ws"], &[]),
    known("neo4j", &[7474, 7473, 7687], &["/data"], &["bolt", "neo4j", "http", "https"], &[]),
    known("nginx", &[80], &[], HTTP, &["NGINX_PORT"]),
    known("postgis", &[5432], &["/var/lib/postgresql/data"], POSTGRES, &["PGPORT"]),
    known("postgres", &[5432], &["/var/lib/postgresql/data"], POSTGRES, &["PGPORT"]),
    known(
        "rabbitmq",
        &[5672, 5671, 15672, 15671, 15692, 25672, 4369, 1883, 61613],
        &["/var/lib/rabbitmq"],
        &["amqp", "amqps", "http", "https", "pyamqp", "mqtt", "stomp"],
        &["RABBITMQ_NODE_PORT"],
    ),
    known("redis", &[6379], &["/data"], REDIS, &["REDIS_PORT"]),
    known("valkey", &[6379], &["/data"], REDIS, &["VALKEY_PORT"]),
    known("zookeeper", &[2181, 2888, 3888, 8080], &["/data", "/datalog"], &["zookeeper", "zk"], &["ZOO_CLIENT_PORT"]),
];

/// Images that are not the official ones but bring a health check of their own, by a part of their name.
const HEALTHY: &[&str] = &[
    "authentik",
    "clamav",
    "gitlab",
    "immich",
    "jellyfin",
    "localstack",
    "mailpit",
    "netdata",
    "nginx-proxy-manager",
    "pihole",
    "plex",
    "portainer",
    "supabase",
    "uptime-kuma",
    "vaultwarden",
    "watchtower",
    "mssql-healthy",
    "teslamate",
    "adguard",
    "frigate",
    "roundcube",
];

/// A reference to an image, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Without tag and digest: `ghcr.io/acme/broker`.
    pub repository: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
    /// Whether it is pinned by its digest.
    pub has_digest: bool,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart.
    #[must_use]
    pub fn new(image: &'a str) -> Self {
        let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
        // A colon before the last slash belongs to the port of a registry.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        match name[last..].split_once(':') {
            Some((short, tag)) => Self { repository: &name[..last + short.len()], tag: Some(tag), has_digest: digest },
            None => Self { repository: name, tag: None, has_digest: digest },
        }
    }

    /// The last part: `broker`.
    #[must_use]
    pub fn short(&self) -> &'a str {
        self.repository.rsplit('/').next().unwrap_or(self.repository)
    }

    /// Whether it is one of Docker's official images.
    #[must_use]
    pub fn is_official(&self) -> bool {
        let repository = self.repository.strip_prefix("docker.io/").unwrap_or(self.repository);
        !repository.strip_prefix("library/").unwrap_or(repository).contains('/')
    }

    /// What everybody knows of it.
    #[must_use]
    pub fn known(&self) -> Option<&'static Known> {
        let short = self.short();
        let others = matches!(
            self.repository.trim_start_matches("docker.io/"),
            "postgis/postgis" | "valkey/valkey" | "percona/percona-server" | "timescale/timescaledb"
        );
        let others = others || self.repository.ends_with("elasticsearch/elasticsearch");
        KNOWN.iter().find(|known| known.name == short).filter(|_| self.is_official() || others)
    }

    /// Whether it may well bring a health check.
    #[must_use]
    pub fn may_have_healthcheck(&self) -> bool {
        HEALTHY.iter().any(|part| self.repository.contains(part))
    }

    /// The first number of the tag: `16` of `16.4-alpine`.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        let tag = self.tag?;
        let end = tag.find(|c: char| !c.is_ascii_digit()).unwrap_or(tag.len());
        tag[..end].parse().ok()
    }
}

/// The port of a URL scheme that needs none.
#[must_use]
pub fn default_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "postgres" | "postgresql" | "pg" | "pgsql" => 5432,
        "mysql" | "mariadb" | "mysql2" => 3306,
        "redis" | "valkey" => 6379,
        "mongodb" | "mongo" => 27017,
        "amqp" | "pyamqp" => 5672,
        "amqps" => 5671,
        "nats" => 4222,
        "mqtt" => 1883,
        "bolt" | "neo4j" => 7687,
        "ldap" => 389,
        "smtp" => 25,
        "ftp" => 21,
        "ssh" => 22,
        "memcached" | "memcache" => 11211,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let image = Reference::new("localhost:5000/a/redis:7.4-alpine");
        assert_eq!(
            (image.repository, image.tag, image.short(), image.major()),
            ("localhost:5000/a/redis", Some("7.4-alpine"), "redis", Some(7))
        );
        assert!(image.known().is_none());
        assert!(Reference::new("docker.io/library/postgres:16").known().is_some());
        assert!(Reference::new("redis@sha256:00").has_digest);
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
    }
}
