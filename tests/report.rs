//! Every format of a report holds what its reader expects, whatever the findings say.

#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the expected texts")]

use cbwgen::finding::{Finding, Fix, Place, Severity};
use cbwgen::lint::Located;
use cbwgen::lint::project::told;
use cbwgen::report::{Format, report};
use cbwgen::source::{Origin, Source};
use snapbox::{assert_data_eq, str};

fn at(file: u32, start: u32, end: u32) -> Origin {
    Origin { file, start, end }
}

/// Two files, and findings that try to break out of every format.
fn findings() -> (Vec<Source>, Vec<Located>) {
    let sources =
        vec![Source::new("a b,c:d/compose.yaml", "services:\n  wéb: # 100 %\n    image: \"x\"\n"), Source::new("Dockerfile", "FROM <x>\n")];
    let words = |message: &str| (message.to_owned(), "it \u{1b}[31mfails\n::error::x".to_owned(), "write `a < b && \"c\"` ]]>".to_owned());
    let finding = |rule, severity, place, message| {
        let (message, consequence, help) = words(message);
        Finding::new(rule, severity, Place::At(place), message, consequence, help)
    };
    let mut refused = finding("unknown-key", Severity::Error, at(0, 12, 16), "100 % wrong, isn't it: <b>").about("services.wéb").refused();
    refused.label = String::from("here");
    let mut fixable =
        finding("unpinned-image", Severity::Warning, at(0, 37, 40), "no version").with(Place::At(at(1, 5, 8)), "built from this");
    fixable.fix = Some(Fix { title: "quote it".to_owned(), edits: vec![(at(0, 37, 40), "\"y\"".to_owned())] });
    let note = finding("unpinned-image", Severity::Note, at(1, 5, 8), "a note\0");
    (sources.clone(), told(vec![note, refused, fixable], &cbwgen::compose::Project { sources, ..Default::default() }))
}

fn told_as(format: Format) -> String {
    let (sources, findings) = findings();
    report(format, &sources, &findings, false)
}

#[test]
fn short() {
    assert_data_eq!(
        told_as(Format::Short),
        str![[r#"
a b,c:d/compose.yaml:2:3: error[unknown-key]: 100 % wrong, isn't it: <b>
a b,c:d/compose.yaml:3:12: warning[unpinned-image]: no version
Dockerfile:1:6: note[unpinned-image]: a note

"#]]
    );
}

#[test]
fn github() {
    assert_data_eq!(
        told_as(Format::Github),
        str![[r#"
::error file=a b%2Cc%3Ad/compose.yaml,line=2,endLine=2,col=3,endColumn=6,title=unknown-key::100 %25 wrong, isn't it: <b>%0Aconsequence: it [31mfails%0A::error::x%0Ahelp: write `a < b && "c"` ]]>
::warning file=a b%2Cc%3Ad/compose.yaml,line=3,endLine=3,col=12,endColumn=15,title=unpinned-image::no version%0Aconsequence: it [31mfails%0A::error::x%0Ahelp: write `a < b && "c"` ]]>
::notice file=Dockerfile,line=1,endLine=1,col=6,endColumn=9,title=unpinned-image::a note%0Aconsequence: it [31mfails%0A::error::x%0Ahelp: write `a < b && "c"` ]]>

"#]]
    );
}

#[test]
fn gitlab() {
    let document: serde_json::Value = serde_json::from_str(&told_as(Format::Gitlab)).unwrap();
    let issues = document.as_array().unwrap();
    assert_eq!(issues.iter().map(|issue| issue["severity"].as_str().unwrap()).collect::<Vec<_>>(), ["blocker", "major", "info"]);
    assert_eq!(issues[0]["location"], serde_json::json!({"path": "a b,c:d/compose.yaml", "lines": {"begin": 2, "end": 2}}));
    let mut fingerprints: Vec<&str> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 3);
}

/// A finding that moves down with its line is the same finding; two of one kind on one line are two.
#[test]
fn fingerprints_survive_a_new_line_above() {
    let of = |text: &str, offset: u32| {
        let sources = vec![Source::new("compose.yaml", text)];
        let finding = || {
            let place = Place::At(at(0, offset, offset + 1));
            Finding::new("unpinned-image", Severity::Note, place, "m".to_owned(), "c".to_owned(), "h".to_owned())
        };
        let other = Finding { message: "n".to_owned(), ..finding() };
        let located = told(vec![finding(), other], &cbwgen::compose::Project { sources: sources.clone(), ..Default::default() });
        let document: serde_json::Value = serde_json::from_str(&report(Format::Gitlab, &sources, &located, false)).unwrap();
        [0, 1].map(|index: usize| document[index]["fingerprint"].as_str().unwrap().to_owned())
    };
    let before = of("a: 1\n", 0);
    assert_eq!(before, of("\n\na: 1\n", 2));
    assert_ne!(before[0], before[1]);
}

#[test]
fn junit_is_xml_and_counts() {
    let text = told_as(Format::Junit);
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!((root.attribute("tests"), root.attribute("failures")), (Some("3"), Some("2")));
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert_eq!(failure.attribute("message"), Some("100 % wrong, isn't it: <b>"));
    assert!(failure.text().unwrap().contains("write `a < b && \"c\"` ]]>"));
    let (sources, _) = findings();
    let clean = report(Format::Junit, &sources, &[], false);
    let document = roxmltree::Document::parse(&clean).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("testcase")).count(), 2);
}

#[test]
fn sarif_is_valid_against_its_schema() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schema = std::fs::read_to_string(root.join("schemas/sarif-2.1.0.json")).unwrap();
    // One pattern of the schema has a bracket too many, which only old regular expressions let pass.
    let schema = schema.replace("{2}]?$", "{2}?$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let (sources, _) = findings();
    for text in [told_as(Format::Sarif), report(Format::Sarif, &sources, &[], false)] {
        let document = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn sarif_holds_places_rules_and_fixes() {
    let document: serde_json::Value = serde_json::from_str(&told_as(Format::Sarif)).unwrap();
    let run = &document["runs"][0];
    let results = run["results"].as_array().unwrap();
    let place = &results[1]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b%2Cc%3Ad/compose.yaml");
    assert_eq!(place["region"], serde_json::json!({"startLine": 3, "startColumn": 12, "endLine": 3, "endColumn": 15}));
    assert_eq!(results[1]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"], "Dockerfile");
    assert_eq!(results[1]["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "\"y\"");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

#[test]
fn json_tells_related_places_and_what_can_be_fixed() {
    let document: serde_json::Value = serde_json::from_str(&told_as(Format::Json)).unwrap();
    let [refused, fixable, _] = document["findings"].as_array().unwrap().as_slice() else { panic!("{document}") };
    assert_eq!((&refused["refused_by_compose"], &refused["fixable"]), (&true.into(), &false.into()));
    assert_eq!((&refused["path"], &refused["label"]), (&"services.wéb".into(), &"here".into()));
    assert_eq!(fixable["fixable"], true);
    assert_eq!(
        fixable["related"],
        serde_json::json!([{"message": "built from this", "file": "Dockerfile", "line": 1, "column": 6, "end_line": 1, "end_column": 9}])
    );
}
