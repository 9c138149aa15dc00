//! A user's own templates: obeyed where they say what was planned, refused where they do not.

use super::*;

/// A folder with one template, made of the embedded one.
fn with(name: &str, edit: impl Fn(&str) -> String) -> (tempfile::TempDir, Result<Vec<File>, Error>) {
    let folder = tempfile::tempdir().unwrap();
    let embedded = std::fs::read_to_string(root().join("templates").join(name)).unwrap();
    std::fs::write(folder.path().join(name), edit(&embedded)).unwrap();
    let plan = plan("[broker.bro]\npublish = { frontend = 9998 }\n[worker.wor]\nreplicas = 4\n[client.cli]");
    let rendered = Templates::read(folder.path()).and_then(|templates| render_with(&plan, templates));
    (folder, rendered)
}

fn refused(edit: impl Fn(&str) -> String) -> String {
    let (folder, rendered) = with("docker-compose.yml.j2", edit);
    rendered.unwrap_err().to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_template_may_say_more() {
    let (_folder, files) = with("docker-compose.yml.j2", |text| {
        text.replace("    restart:", "    labels: {}\n    restart:").replace("    labels:\n", "    x-labels:\n")
    });
    assert!(files.is_err(), "labels that are planned must not be lost");
    let (_folder, files) =
        with("docker-compose.yml.j2", |text| text.replace("    restart:", "    extra_hosts: [\"printer:192.0.2.7\"]\n    restart:"));
    assert!(content(&files.unwrap(), "docker-compose.yml").contains("printer"));
    let (_folder, files) = with("Dockerfile.static.j2", |text| format!("{text}# {{{{ image.component }}}}\n"));
    assert!(content(&files.unwrap(), "bro/Dockerfile").ends_with("# bro\n"));
}

#[test]
fn a_template_that_loses_or_adds_what_matters_is_refused() {
    let begin = "`docker-compose.yml.j2` does not write what was planned, so nothing was written: ";
    for (from, to, difference) in [
        (
            "      {{ variable.name|key }}: {{ variable.value }}\n",
            "      OTHER: \"x\"\n",
            "it is not YAML: services.bro.environment: the key `OTHER` stands twice at line 10 column 7",
        ),
        ("project.name }}", "project.name|upper }}", "its `name` is `PROJECT` instead of `project`"),
        (
            "    restart: {{ service.restart }}\n",
            "",
            "`restart` of `bro` is \"\" instead of \"unless-stopped\"; `restart` of `wor` is \"\" instead of \"unless-stopped\"; `restart` of `cli` is \"\" instead of \"no\"",
        ),
        (
            "      - {{ port }}\n",
            "      - {{ port }}\n      - \"9999:9999\"\n",
            "`ports` of `bro` is [\"9998:9998\", \"9999:9999\"] instead of [\"9998:9998\"]",
        ),
        ("    scale: {{ service.replicas }}\n", "", "`scale` of `wor` is 1 instead of 4"),
        (
            "    read_only: true\n",
            "    read_onyl: true\n",
            "/services/bro: Unevaluated properties are not allowed ('read_onyl' was unexpected); /services/wor: Unevaluated properties are not allowed ('read_onyl' was unexpected); /services/cli: Unevaluated properties are not allowed ('read_onyl' was unexpected)",
        ),
    ] {
        assert_eq!(refused(|text| text.replace(from, to)), format!("{begin}{difference}"));
    }
}

#[test]
fn a_wrong_template_is_told_with_its_line() {
    assert_eq!(refused(|text| format!("{text}{{{{ project.nmae }}}}\n")), {
        let lines = std::fs::read_to_string(root().join("templates/docker-compose.yml.j2")).unwrap().lines().count();
        format!("docker-compose.yml.j2:{}: undefined value", lines + 1)
    });
    assert_eq!(refused(|_| "\n{% if %}".to_owned()), "docker-compose.yml.j2:2: syntax error: unexpected end of block");
    assert_eq!(
        refused(|_| "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}".to_owned()),
        "docker-compose.yml.j2:1: it takes too many steps; is there a loop without an end?"
    );
}

#[test]
fn a_misspelt_template_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("docker-compose.yaml.j2"), "").unwrap();
    let error = Templates::read(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("no template has this name; did you mean `docker-compose.yml.j2`?"), "{error}");
    assert!(Templates::read(&folder.path().join("nowhere")).is_err());
}
