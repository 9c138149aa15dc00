//! `latest-image`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;
use crate::rules::unpinned_image::unpinned;
use crate::source::decode::shorten;

rule! {
    /// An image of a Compose file or a Dockerfile has no version, or the version `latest`.
    ///
    /// ### What happens
    /// Whoever deploys tomorrow, or on another machine, gets another program than the one that was tested.
    ///
    /// ### What to do
    /// Name a version (`redis:7.4`) or, to the byte, a digest (`redis@sha256:…`).
    "latest-image", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let tell = |image: &str, name: &str, place| {
        let (image, name) = (shorten(image), shorten(name));
        let what = if image == name { "names no version" } else { "means another version every month" };
        RULE.finding(
            Place::At(place),
            format!("the image `{image}` {what}"),
            "tomorrow, or on another machine, another program runs than the one that was tested".to_owned(),
            format!("name the version that you tested, `{name}:VERSION`, or its digest, `{name}@sha256:…`"),
        )
    };
    let built: std::collections::HashSet<&str> = context.services().filter(|service| service.build.is_some()).filter_map(|service| Some(service.image?.0)).collect();
    for service in context.services().filter(|service| service.build.is_none()) {
        let Some((image, origin)) = service.image.filter(|(image, _)| !built.contains(image)) else { continue };
        if let Some(name) = unpinned(image) {
            findings.push(tell(image, name, origin).about(service.path("image")));
        }
    }
    for one in context.dockerfiles() {
        let values = one.users.first().map(|user| one.dockerfile.global_args(&user.args)).unwrap_or_default();
        for stage in one.dockerfile.stages.iter().filter(|stage| stage.parent.is_none()) {
            let (image, unset) = crate::compose::dockerfile::substitute(&stage.base.text, &values);
            if let Some(name) = unpinned(&image).filter(|_| unset.is_empty()) {
                findings.push(tell(&image, name, one.at(&stage.base.range)).about(about(one)));
            }
        }
    }
}
