//! `stateful-without-volume`

use crate::compose::Context;
use crate::compose::view::{Mount, Service, inside};
use crate::finding::{Finding, Place};

rule! {
    /// A database keeps its data inside of its container.
    ///
    /// ### What happens
    /// `docker compose down` removes the container and what is in it. An anonymous volume, which most images make, is left behind, and
    /// the next container gets a new, empty one.
    ///
    /// ### What to do
    /// Mount a named volume where the image keeps its data: `volumes: ["pg:/var/lib/postgresql/data"]`.
    "stateful-without-volume", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some((folder, name)) = state(service) else { continue };
        let (Some((image, origin)), None) = (service.image, keeper(service, folder)) else { continue };
        // A wrong path is told by another rule.
        if crate::rules::wrong_data_path::beside(service).is_some() {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(origin),
                format!("`{}` (`{image}`) keeps its data in `{folder}`, which is on no volume", service.name),
                "the data is lost when the container is replaced".to_owned(),
                format!("add `volumes: [\"{name}:{folder}\"]`, and `volumes: {{ {name}: {{}} }}` at the end of the file"),
            )
            .about(service.path("image")),
        );
    }
}

/// Where an image keeps its data, and a name for a volume.
pub(crate) fn state(service: &Service<'_>) -> Option<(&'static str, &'static str)> {
    let known = service.known()?;
    let folder = known.data.first()?;
    // Told to keep it somewhere else, or to keep nothing.
    let moved = ["PGDATA", "RABBITMQ_MNESIA_BASE"].iter().any(|name| service.environment.contains_key(*name));
    let words = || service.argv().map(|(word, _)| word.as_str());
    if moved || words().any(|word| word.starts_with("--datadir") || word == "--save" || word == "--dbpath" || word.starts_with("data_directory")) {
        return None;
    }
    let folder = match (known.name, service.reference().and_then(|image| image.major())) {
        ("postgres", Some(18..)) => "/var/lib/postgresql",
        ("influxdb", Some(1)) => "/var/lib/influxdb",
        _ => folder,
    };
    Some((folder, known.name))
}

/// The volume or folder of the host on which a folder of the container is kept.
pub(crate) fn keeper<'s, 'p>(service: &'s Service<'p>, folder: &str) -> Option<&'s Mount<'p>> {
    let on = |mount: &&Mount<'_>| inside(folder, mount.target).is_some() || inside(mount.target, folder).is_some();
    service.mounts.iter().filter(|mount| mount.source.is_some()).find(on)
}
