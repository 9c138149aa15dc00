//! `wrong-data-path`

use crate::compose::Context;
use crate::compose::view::{Mount, Service, inside};
use crate::finding::{Finding, Place};
use crate::rules::stateful_without_volume::state;

rule! {
    /// A database's volume is mounted beside its data.
    ///
    /// ### What happens
    /// The volume stays empty. The data goes to an anonymous volume that the next container does not get: it is lost on the first
    /// `docker compose down`. Postgres before version 18 keeps its data in `/var/lib/postgresql/data`, and its image makes an
    /// anonymous volume there; one on `/var/lib/postgresql` does not help. Version 18 wants just that one.
    ///
    /// ### What to do
    /// Mount the volume exactly where the image keeps its data.
    "wrong-data-path", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let (Some(mount), Some((folder, _))) = (beside(service), state(service)) else { continue };
        let (image, origin) = service.image.unwrap_or(("", service.key));
        let source = mount.source.unwrap_or_default();
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(mount.origin, mount.target)),
                format!("`{}` has a volume at `{}`, but `{image}` keeps its data in `{folder}`", service.name, mount.target),
                "the volume stays empty, and the data is lost when the container is replaced".to_owned(),
                if source.starts_with('/') { format!("mount it at `{folder}`") } else { format!("write `{source}:{folder}`") },
            )
            .about(service.path(&format!("volumes.{}", mount.index)))
            .with(Place::At(origin), "the image"),
        );
    }
}

/// A volume that is meant for the data and is not where the data is.
pub(crate) fn beside<'s, 'p>(service: &'s Service<'p>) -> Option<&'s Mount<'p>> {
    let (folder, _) = state(service)?;
    let mounts = || service.mounts.iter().filter(|mount| mount.source.is_some());
    let holds = |mount: &&Mount<'_>| {
        let at = mount.target.trim_end_matches('/');
        // The image's own anonymous volume lies over whatever is mounted above it.
        at == folder || at != "/var/lib/postgresql" && inside(folder, at).is_some() || inside(at, folder).is_some() && folder != "/var/lib/postgresql"
    };
    if mounts().any(|mount| holds(&mount)) {
        return None;
    }
    if folder == "/var/lib/postgresql" && mounts().any(|mount| mount.target.contains("/docker")) {
        return None;
    }
    let near: &[&str] = match service.known()?.name {
        "postgres" | "postgis" => &["/var/lib/postgresql", "/var/lib/postgres", "/var/lib/postgres/data", "/data", "/var/lib/postgresql/data", "/data/postgres", "/var/lib/pgsql", "/var/lib/pgsql/data"],
        "mysql" | "mariadb" => &["/var/lib/mariadb", "/data", "/var/mysql", "/var/lib/mysql-data", "/var/lib/mysqldata", "/mysql/data", "/data/mysql", "/data/db"],
        "mongo" => &["/data", "/var/lib/mongodb", "/var/lib/mongo", "/data/mongo", "/data/mongodb"],
        "redis" | "valkey" => &["/var/lib/redis", "/redis", "/redis/data", "/var/redis", "/data/redis", "/var/lib/redis/data"],
        "rabbitmq" => &["/data", "/var/rabbitmq", "/rabbitmq"],
        "elasticsearch" => &["/data", "/var/lib/elasticsearch", "/usr/share/elasticsearch"],
        _ => &[],
    };
    mounts().find(|mount| (mount.kind == "volume" || mount.kind == "bind") && near.contains(&mount.target.trim_end_matches('/')) && !(folder == "/data" && mount.target.starts_with("/data")))
}
