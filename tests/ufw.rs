//! What ufw says about ports. The texts in `tests/ufw/` are ufw's own (0.36.2), of one host with one set of rules.

use std::net::IpAddr;

use cbwgen::firewall::{Action, Direction, ParseError, Ufw, Verdict, Version};
use cbwgen::spec::values::Protocol::{Tcp, Udp};
use cbwgen::spec::{Firewall, FirewallDefault, FirewallKind};
use proptest::prelude::*;

const STATUS: &str = include_str!("ufw/status.txt");
const VERBOSE: &str = include_str!("ufw/verbose.txt");
const NUMBERED: &str = include_str!("ufw/numbered.txt");
const INACTIVE: &str = include_str!("ufw/inactive.txt");
const USER_RULES: &str = include_str!("ufw/user.rules");
const USER6_RULES: &str = include_str!("ufw/user6.rules");

/// What ufw says, in a word and the rule's own words.
fn says(ufw: &Ufw, port: u16, protocol: cbwgen::spec::values::Protocol) -> String {
    match ufw.verdict(None, port, protocol) {
        Verdict::Allowed => "allowed".to_owned(),
        Verdict::AllowedExcept(rule) => format!("allowed, but {rule}"),
        Verdict::Partly(rule) => format!("only {rule}"),
        Verdict::Denied(rule) => format!("closed: {rule}"),
        Verdict::NotAllowed => "not allowed".to_owned(),
    }
}

#[test]
fn every_format_tells_the_same() {
    for text in [STATUS, VERBOSE, NUMBERED, USER_RULES] {
        let ufw = Ufw::parse(text).unwrap();
        assert!(ufw.active && !ufw.default_allow);
        let blocked = "allowed, but deny from 198.51.100.7";
        assert_eq!(says(&ufw, 22, Tcp), blocked);
        assert_eq!(says(&ufw, 22, Udp), "not allowed");
        assert_eq!(says(&ufw, 8000, Tcp), blocked);
        assert_eq!(says(&ufw, 9000, Tcp), blocked);
        assert_eq!(says(&ufw, 9998, Tcp), "not allowed");
        assert_eq!(says(&ufw, 3306, Tcp), "closed: deny 3306/tcp");
        assert_eq!(says(&ufw, 25, Udp), "closed: reject 25");
        assert_eq!(says(&ufw, 2222, Tcp), "closed: limit 2222/tcp");
        assert_eq!(says(&ufw, 443, Tcp), blocked);
        assert_eq!(says(&ufw, 5432, Tcp), "only allow 5432/tcp from 192.168.1.0/24");
        assert_eq!(says(&ufw, 9100, Tcp), "only allow 9100/tcp on eth0");
        assert_eq!(says(&ufw, 6000, Tcp), blocked, "a rule that logs is a rule");
        assert_eq!(says(&ufw, 6001, Tcp), "closed: deny 6001/tcp");
        assert_eq!(says(&ufw, 60005, Udp), blocked);
        assert_eq!(says(&ufw, 53, Udp), "not allowed", "a rule for what goes out opens nothing");
        assert_eq!(says(&ufw, 7000, Tcp), "not allowed", "nor does a rule for what goes through");
        assert!(ufw.routes_to(7000, Tcp));
        assert!(!ufw.routes_to(7001, Tcp));
        assert_eq!(ufw.nearest_allowed(9998, Tcp).as_deref(), Some("8000:9000/tcp"));
        assert_eq!(ufw.nearest_allowed(9998, Udp).as_deref(), Some("60000:60010/udp"));
    }
}

#[test]
fn a_rule_for_one_address_is_for_that_address() {
    for text in [STATUS, VERBOSE, NUMBERED, USER_RULES] {
        let ufw = Ufw::parse(text).unwrap();
        let at = |address: &str| ufw.verdict(Some(address.parse::<IpAddr>().unwrap()), 9998, Udp);
        assert!(matches!(at("10.1.1.1"), Verdict::Partly(rule) if rule.restriction().unwrap().starts_with("from 10.0.0.0/8 port 1000")));
        assert_eq!(at("10.1.1.2"), Verdict::NotAllowed);
    }
}

#[test]
fn ipv6_has_rules_of_its_own() {
    let every = Ufw::parse(STATUS).unwrap();
    let address = Some("2001:db8::10".parse::<IpAddr>().unwrap());
    assert_eq!(every.verdict(address, 8500, Tcp), Verdict::Allowed, "the rule that blocks an IPv4 address is not asked");
    assert!(matches!(every.verdict(address, 3306, Tcp), Verdict::Denied(rule) if rule.version == Some(Version::V6)));
    assert_eq!(every.verdict(address, 5432, Tcp), Verdict::NotAllowed);
    let alone = Ufw::parse(USER6_RULES).unwrap();
    assert_eq!(says(&alone, 8500, Tcp), "allowed");
    assert_eq!(says(&alone, 9998, Tcp), "not allowed");
}

#[test]
fn profiles_are_known_by_name_or_by_the_ports_beside_it() {
    let ufw = Ufw::parse("Status: active\n\nOpenSSH ALLOW Anywhere\nMy App ALLOW Anywhere\nSamba (v6) ALLOW Anywhere (v6)\n").unwrap();
    assert_eq!(says(&ufw, 22, Tcp), "allowed");
    assert_eq!(ufw.rules.len(), 3, "an unknown profile is left out, one with two protocols is two rules");
    let verbose = Ufw::parse("Status: active\n8123/tcp (My App (v6)) ALLOW IN    Anywhere (v6)\n").unwrap();
    assert_eq!(verbose.rules[0].ports, [(8123, 8123)]);
}

#[test]
fn a_switched_off_firewall_is_off() {
    assert!(!Ufw::parse(INACTIVE).unwrap().active);
    let files = format!("ENABLED=no\nDEFAULT_INPUT_POLICY=\"ACCEPT\"\n{USER_RULES}");
    let ufw = Ufw::parse(&files).unwrap();
    assert!(!ufw.active && ufw.default_allow);
}

#[test]
fn the_default_decides_where_no_rule_does() {
    let open = Ufw::parse("Status: active\nDefault: allow (incoming), allow (outgoing), deny (routed)\n").unwrap();
    assert_eq!(says(&open, 9998, Tcp), "allowed");
    let closed = Ufw::parse("Status: active\nDefault: reject (incoming), allow (outgoing), deny (routed)\n").unwrap();
    assert_eq!(says(&closed, 9998, Tcp), "not allowed");
}

#[test]
fn a_denial_for_some_weighs_more_than_a_list_of_blocked_sources() {
    let ufw = Ufw::parse("Status: active\nAnywhere DENY 198.51.100.7\n9998/tcp DENY 10.0.0.0/8\n9998/tcp ALLOW Anywhere\n").unwrap();
    assert_eq!(says(&ufw, 9998, Tcp), "closed: deny 9998/tcp from 10.0.0.0/8");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let ufw = Ufw::parse("Status: active\n9998/tcp DENY Anywhere\n9000:9999/tcp ALLOW Anywhere\n").unwrap();
    assert_eq!(says(&ufw, 9998, Tcp), "closed: deny 9998/tcp");
    let ufw = Ufw::parse("Status: active\n9000:9999/tcp ALLOW Anywhere\n9998/tcp DENY Anywhere\n").unwrap();
    assert_eq!(says(&ufw, 9998, Tcp), "allowed");
    let lan = "Status: active\n9998/tcp ALLOW 192.168.1.0/24\n9998/tcp DENY Anywhere\n";
    assert_eq!(says(&Ufw::parse(lan).unwrap(), 9998, Tcp), "closed: deny 9998/tcp");
}

#[test]
fn what_was_copied_along_does_no_harm() {
    let text = STATUS.replace('\n', "\r\n");
    assert_eq!(Ufw::parse(&text).unwrap(), Ufw::parse(STATUS).unwrap());
    let text = format!("me@host:~$ sudo ufw status\n[sudo] password for me: \n{STATUS}");
    assert_eq!(Ufw::parse(&text).unwrap(), Ufw::parse(STATUS).unwrap());
}

#[test]
fn other_texts_are_told_apart() {
    let error = |text: &str| Ufw::parse(text).unwrap_err();
    assert_eq!(error(" \n"), ParseError::Empty);
    assert_eq!(error("ERROR: You need to be root to run this script\n"), ParseError::NotRoot);
    assert_eq!(error("Status: Aktiv\n"), ParseError::Language);
    let french =
        "État : actif\n\nVers                       Action      De\n----                       ------      --\n22/tcp  ALLOW  Anywhere\n";
    assert_eq!(error(french), ParseError::Language);
    assert_eq!(error("Chain INPUT (policy ACCEPT)\n"), ParseError::NotUfw);
    assert_eq!(error("[broker.bro]\n"), ParseError::NotUfw);
    let line = |line, text: &str| ParseError::Line { line, text: text.to_owned() };
    assert_eq!(error("Status: active\n\n22/tcp ERLAUBEN Anywhere\n"), line(3, "22/tcp ERLAUBEN Anywhere"));
    assert_eq!(error("### tuple ### allow tcp\n"), line(1, "### tuple ### allow tcp"));
    assert_eq!(
        error("### tuple ### allow tcp 99999 0.0.0.0/0 any 0.0.0.0/0 in"),
        line(1, "### tuple ### allow tcp 99999 0.0.0.0/0 any 0.0.0.0/0 in")
    );
    let blocked = format!("{}Anywhere DENY 203.0.113.9\n", "Anywhere DENY 198.51.100.7\n".repeat(20_000));
    let ufw = Ufw::parse(&format!("Status: active\n{blocked}9998/tcp ALLOW Anywhere\n")).unwrap();
    assert_eq!(says(&ufw, 9998, Tcp), "allowed, but deny from 198.51.100.7", "a list of blocked sources may be long");
    let many = format!("Status: active\n{}", "22/tcp ALLOW Anywhere\n".repeat(60_000));
    assert_eq!(error(&many), ParseError::TooMany);
    assert_eq!(
        error("hello").to_string(),
        "it is neither the output of `ufw status` nor `/etc/ufw/user.rules`; run `sudo ufw status verbose`"
    );
}

#[test]
fn a_file_without_rules_is_a_file() {
    let ufw = Ufw::parse("*filter\n### RULES ###\n\n### END RULES ###\nCOMMIT\n").unwrap();
    assert!(ufw.active && ufw.rules.is_empty());
}

#[test]
fn older_files_leave_the_direction_out() {
    let ufw =
        Ufw::parse("### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 Apache -\n### tuple ### deny any 23 0.0.0.0/0 any 0.0.0.0/0\n")
            .unwrap();
    assert!(ufw.rules.iter().all(|rule| rule.direction == Direction::In));
    assert_eq!(ufw.rules[1].action, Action::Deny);
}

#[test]
fn a_topology_states_rules_too_and_the_stricter_are_asked_first() {
    let ports = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    let mut firewall = Firewall {
        kind: FirewallKind::Ufw,
        default: None,
        docker: None,
        allow: ports(&["22/tcp", "8000:9000/tcp"]),
        deny: ports(&["8080/tcp"]),
        reject: Vec::new(),
        limit: ports(&["22/tcp"]),
    };
    let ufw = Ufw::from_spec(&firewall).unwrap();
    assert_eq!(says(&ufw, 8000, Tcp), "allowed");
    assert_eq!(says(&ufw, 8080, Tcp), "closed: deny 8080/tcp");
    assert_eq!(says(&ufw, 22, Tcp), "closed: limit 22/tcp");
    assert_eq!(says(&ufw, 9998, Tcp), "not allowed");
    firewall.default = Some(FirewallDefault::Allow);
    assert_eq!(says(&Ufw::from_spec(&firewall).unwrap(), 9998, Tcp), "allowed");
    firewall.kind = FirewallKind::None;
    assert_eq!(Ufw::from_spec(&firewall), None);
}

/// Lines that look like ufw's, in any order and shape.
fn ufw_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("Status: active".to_owned()),
        Just("Default: deny (incoming), allow (outgoing)".to_owned()),
        Just("### tuple ###".to_owned()),
        Just("ALLOW IN".to_owned()),
        Just("DENY".to_owned()),
        Just("Anywhere (v6)".to_owned()),
        Just("on eth0".to_owned()),
        Just("route:allow in_eth0!out_eth1".to_owned()),
        Just("Nginx Full".to_owned()),
        Just("10.0.0.0/8".to_owned()),
        Just("::/0".to_owned()),
        Just("[ 1]".to_owned()),
        Just("\n".to_owned()),
        "[0-9:,/a-z]{0,12}",
        "\\PC{0,6}",
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![ufw_like(), "(?s).{0,200}"], port in 0u16.., udp: bool) {
        if let Ok(ufw) = Ufw::parse(&text) {
            let protocol = if udp { Udp } else { Tcp };
            for address in [None, Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([0u16, 0, 0, 0, 0, 0, 0, 1]))] {
                let _ = ufw.verdict(address, port, protocol);
            }
            let _ = (ufw.nearest_allowed(port, protocol), ufw.routes_to(port, protocol));
            for rule in &ufw.rules {
                prop_assert!(rule.to_string().len() < 1000);
            }
        }
    }
}
