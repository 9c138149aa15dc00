//! `limits-order`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// A limit is lower than what it must allow.
    ///
    /// ### What happens
    /// The container is not created: "minimum memory limit can not be less than memory reservation limit", "ulimit soft limit must be less
    /// than or equal to hard limit".
    ///
    /// ### What to do
    /// The limit is the largest: reservation ≤ limit ≤ limit with swap, soft ≤ hard.
    "limits-order", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let node = service.node;
        let size = |value: Option<&Node>| value.and_then(|value| Some((bytes(&value.scalar()?)?, value.origin)));
        let limit = size(node.get("mem_limit")).or(size(node.at(&["deploy", "resources", "limits", "memory"])));
        let reserved = size(node.get("mem_reservation")).or(size(node.at(&["deploy", "resources", "reservations", "memory"])));
        let swap = size(node.get("memswap_limit"));
        let mut tell = |key: &str, low: Origin, high: Origin, what: String, why: &str| {
            findings.push(
                RULE.finding(Place::At(low), what, format!("the container is not created: \"{why}\""), "let the limit be the largest".to_owned())
                    .about(service.path(key))
                    .with(Place::At(high), "more than the limit allows"),
            );
        };
        if let (Some((limit, low)), Some((reserved, high))) = (limit, reserved)
            && limit < reserved && limit > 0 {
                tell("mem_limit", low, high, format!("`{}` may have less memory than is reserved for it", service.name), "minimum memory limit can not be less than memory reservation limit");
            }
        if let (Some((limit, high)), Some((swap, low))) = (limit, swap)
            && swap < limit && swap > 0 {
                tell("memswap_limit", low, high, format!("`{}` may have less memory with swap than without", service.name), "minimum memoryswap limit should be larger than memory limit");
            }
        for (name, entry) in node.get("ulimits").into_iter().flat_map(Node::entries) {
            let number = |key: &str| entry.node.get(key).and_then(|value| Some((value.int()?, value.origin)));
            if let (Some((soft, high)), Some((hard, low))) = (number("soft"), number("hard"))
                && soft > hard && hard >= 0 {
                    tell("ulimits", low, high, format!("the hard limit of `{name}` of `{}` is lower than the soft one", service.name), "ulimit soft limit must be less than or equal to hard limit");
                }
        }
    }
}

/// `64m`, `1gb`, `512`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}
