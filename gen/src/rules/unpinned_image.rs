//! `unpinned-image`

use crate::finding::{Finding, Place, below};
use crate::plan::ImageSource;
use crate::rules::Context;
use crate::source::{decode::shorten, pointer};

rule! {
    /// An image has no version, or the version `latest`.
    ///
    /// ### What happens
    /// Whoever deploys tomorrow, or on another machine, gets another program than the one that was tested. When it fails,
    /// nobody can tell what ran before.
    ///
    /// ### What to do
    /// Name a version (`redis:7.4`) or, to the byte, a digest (`redis@sha256:…`).
    "unpinned-image", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let plan = context.plan;
    let mut judge = |image: &str, place: Place| {
        let Some(name) = unpinned(image).filter(|_| !plan.images.contains_key(image)) else { return };
        let (image, name) = (shorten(image), shorten(name));
        let what = if image == name { "names no version" } else { "means another version every month" };
        findings.push(RULE.finding(
            place,
            format!("the image `{image}` {what}"),
            "tomorrow, or on another machine, another program runs than the one that was tested".to_owned(),
            format!("name the version that you tested, `{name}:VERSION`, or its digest, `{name}@sha256:…`"),
        ));
    };
    judge(&plan.base, Place::Value(pointer(["defaults", "base"])));
    for (name, image) in &plan.images {
        judge(&image.from, Place::Value(pointer(["image", name.as_str(), "from"])));
    }
    for component in plan.deployed() {
        match &component.image {
            ImageSource::Ready(image) => judge(image, Place::value_of(&component.pointer, "image")),
            ImageSource::Program(program) => {
                if let Some(from) = &program.from {
                    judge(from, Place::value_of(&below(&component.pointer, "build"), "from"));
                }
            }
            ImageSource::Static { .. } | ImageSource::Source { .. } | ImageSource::Compose => {}
        }
    }
}

/// The name without its tag, where the tag is missing or `latest`.
pub(crate) fn unpinned(image: &str) -> Option<&str> {
    // `scratch` is no image but the absence of one; what Compose fills in later is not known here.
    if image == "scratch" || image.is_empty() || image.contains(['@', '$']) {
        return None;
    }
    // A colon before the last slash belongs to the port of a registry: `registry:5000/redis`.
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].split_once(':') {
        None => Some(image),
        Some((name, "latest" | "")) => Some(&image[..last + name.len()]),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::unpinned;

    #[test]
    fn a_tag_is_behind_the_last_slash() {
        assert_eq!(unpinned("redis"), Some("redis"));
        assert_eq!(unpinned("redis:latest"), Some("redis"));
        assert_eq!(unpinned("localhost:5000/a/redis"), Some("localhost:5000/a/redis"));
        assert_eq!(unpinned("localhost:5000/redis:7.4"), None);
        assert_eq!(unpinned("redis@sha256:0123"), None);
        assert_eq!(unpinned("redis:${REDIS_TAG}"), None);
        assert_eq!(unpinned("scratch"), None);
    }
}
