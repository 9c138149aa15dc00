//! Whatever a text holds, it stays one value: nothing breaks out of its line in a Compose file or a Dockerfile.

use cbwgen::plan::{EnvVar, ImageSource, Origin};
use cbwgen::spec::Secret;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Texts with what means something to YAML, Compose, a Dockerfile or a shell.
pub fn text() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec![
        "$",
        "$$",
        "${",
        "}",
        "${A}",
        "${A:-b}",
        ":",
        ": ",
        "-",
        "#",
        " #",
        "\"",
        "'",
        "\\",
        "\n",
        "\r",
        "\t",
        " ",
        "{{",
        "}}",
        "{%",
        "%}",
        "[",
        "]",
        "&a",
        "*a",
        "!",
        "|",
        ">",
        "%",
        "@",
        "`",
        ",",
        "?",
        "<<EOF",
        "--x",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "é",
        "😀",
        "null",
        "yes",
        "0x1",
        "1e3",
        "~",
        "a",
        "Z9",
        "\nRUN x",
        "\nservices: {}",
    ]);
    let any = any::<char>().prop_map(String::from);
    prop::collection::vec(prop_oneof![4 => sign.prop_map(str::to_owned), 1 => any], 0..12).prop_map(|parts| parts.concat())
}

fn one_service() -> Plan {
    plan(
        "[service.web]\nimage = \"x\"\ncommand = [\"x\"]\nhealthcheck = [\"x\"]\n[service.app]\nbuild = { from = \"debian:12\", command = \"x\" }",
    )
}

/// What a program gets of a text in a Compose file: `$$` is `$`. `None` when Compose would replace something.
fn taken_literally(text: &str) -> Option<String> {
    let halves = text.replace("$$", "\u{1}");
    (!halves.contains('$')).then(|| halves.replace('\u{1}', "$"))
}

fn compose(files: &[File]) -> Value {
    serde_yaml::from_str(content(files, "docker-compose.yml")).unwrap()
}

/// The instructions of a Dockerfile, as its builder divides it into lines.
fn instructions(dockerfile: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut continued = false;
    for line in dockerfile.split('\n') {
        if line.trim_start().starts_with('#') || (line.trim().is_empty() && !continued) {
            continue;
        }
        if !continued {
            found.push(line.split_whitespace().next().unwrap_or_default().to_owned());
        }
        continued = line.trim_end().ends_with('\\');
    }
    found
}

fn config() -> ProptestConfig {
    // What was found stands in a test of its own, so nothing is kept in files.
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn commands_and_health_checks_reach_the_container_as_they_are(words in prop::collection::vec(text(), 1..4)) {
        let mut plan = one_service();
        let web = plan.components.get_mut("web").unwrap();
        web.command = Some(words.clone());
        web.healthcheck.as_mut().unwrap().test = words.clone();
        let compose = compose(&render_with(&plan, Templates::default()).unwrap());
        let web = &compose["services"]["web"];
        for list in [&web["command"], &web["healthcheck"]["test"]] {
            let got: Vec<String> = list.as_array().unwrap().iter().map(|word| taken_literally(word.as_str().unwrap()).unwrap()).collect();
            prop_assert_eq!(&got, &words);
        }
    }

    #[test]
    fn an_environment_keeps_its_values(value in text()) {
        let mut plan = one_service();
        plan.components.get_mut("web").unwrap().env.insert("A".to_owned(), EnvVar { value: value.clone(), origin: Origin::User });
        let compose = compose(&render_with(&plan, Templates::default()).unwrap());
        let written = compose["services"]["web"]["environment"]["A"].as_str().unwrap();
        if value.contains("${") {
            // Variables stay; whatever else has a dollar sign is doubled.
            prop_assert_eq!(written.replace("$$", "$").replace('$', ""), value.replace("$$", "$").replace('$', ""));
        } else {
            prop_assert_eq!(taken_literally(written), Some(value));
        }
    }

    #[test]
    fn every_other_text_of_a_service_stays_in_its_place(texts in prop::collection::vec(text().prop_map(|text| format!("x{text}")), 5)) {
        let mut plan = one_service();
        let web = plan.components.get_mut("web").unwrap();
        web.image = ImageSource::Ready(texts[0].clone());
        web.user = Some(texts[1].clone());
        web.tmpfs = vec![texts[2].clone()];
        web.cap_add = vec![texts[3].clone()];
        web.secrets.insert("A".to_owned(), Secret { file: Some(texts[4].clone()), ..Secret::default() });
        // Reading back compares every value with the plan, and the names of all services.
        prop_assert!(render_with(&plan, Templates::default()).is_ok());
    }

    #[test]
    fn nothing_leaves_its_line_in_a_dockerfile(texts in prop::collection::vec(text(), 6)) {
        let mut plan = one_service();
        let ImageSource::Program(program) = &mut plan.components.get_mut("app").unwrap().image else { unreachable!() };
        program.run = vec![format!("x{}", texts[0]), texts[1].clone()];
        program.copy = vec![(texts[2].clone(), format!("/{}", texts[3]))];
        program.env.insert("A".to_owned(), texts[4].clone());
        program.command = Some(vec![texts[5].clone()]);
        match render_with(&plan, Templates::default()) {
            Ok(files) => {
                let expected = ["FROM", "ENV", "WORKDIR", "COPY", "RUN", "RUN", "LABEL", "LABEL", "LABEL", "LABEL", "USER", "CMD"];
                prop_assert_eq!(instructions(content(&files, "app/Dockerfile")), expected);
            }
            Err(error) => prop_assert!(matches!(error, Error::Text { key: "env", .. }), "{}", error),
        }
    }
}
