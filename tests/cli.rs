//! The command line, word for word: each `tests/cli/*.trycmd` is a session, run in a copy of the folder of its name.

#[test]
fn sessions() {
    trycmd::TestCases::new()
        .register_bin("cbwgen", std::path::Path::new(env!("CARGO_BIN_EXE_cbwgen")))
        .env("NO_COLOR", "1")
        .case("../tests/cli/*.trycmd");
}

#[cfg(test)]
mod files {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::process::{Command, Output};

    const TOPOLOGY: &str = "name = \"demo\"\n\n[broker.bro]\n\n[worker.wor]\n\n[client.cli]\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("topology.toml"), TOPOLOGY).unwrap();
        folder
    }

    fn cbwgen(folder: &Path, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cbwgen")).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().unwrap()
    }

    fn says(output: &Output) -> String {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn append(file: &Path, text: &str) {
        let edited = std::fs::read_to_string(file).unwrap() + text;
        std::fs::write(file, edited).unwrap();
    }

    #[test]
    fn an_edit_by_hand_survives() {
        let folder = folder();
        let compose = folder.path().join("generated/docker-compose.yml");
        assert_eq!(cbwgen(folder.path(), &["render"]).status.code(), Some(0));
        append(&compose, "# mine\n");

        let output = cbwgen(folder.path(), &["render"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            says(&output),
            "checked topology.toml: no findings\n\
             error: in `generated`: `docker-compose.yml` was edited by hand and is left alone; what it should be is in \
             `docker-compose.yml.new`; `--force` gives the edit up\n"
        );
        assert!(std::fs::read_to_string(&compose).unwrap().ends_with("# mine\n"));
        assert!(folder.path().join("generated/docker-compose.yml.new").exists());

        assert_eq!(cbwgen(folder.path(), &["render", "--check"]).status.code(), Some(1));
        assert_eq!(cbwgen(folder.path(), &["render", "--force"]).status.code(), Some(0));
        assert_eq!(cbwgen(folder.path(), &["render", "--check"]).status.code(), Some(0));
    }

    #[test]
    fn what_the_topology_no_longer_needs_goes_unless_somebody_edited_it() {
        let folder = folder();
        cbwgen(folder.path(), &["render"]);
        append(&folder.path().join("generated/wor/Dockerfile"), "# mine\n");
        std::fs::write(folder.path().join("topology.toml"), "name = \"demo\"\n[service.web]\nimage = \"nginx:1.27\"\n").unwrap();

        let output = cbwgen(folder.path(), &["render"]);
        assert_eq!(output.status.code(), Some(1), "{}", says(&output));
        assert!(!folder.path().join("generated/bro/Dockerfile").exists());
        assert!(folder.path().join("generated/wor/Dockerfile").exists());
    }

    #[test]
    fn what_cbwgen_did_not_write_is_never_touched() {
        let folder = folder();
        std::fs::create_dir(folder.path().join("generated")).unwrap();
        let compose = folder.path().join("generated/docker-compose.yml");
        std::fs::write(&compose, "services: {}\n").unwrap();
        for arguments in [&["render"][..], &["render", "--force"]] {
            assert_eq!(cbwgen(folder.path(), arguments).status.code(), Some(1));
            assert_eq!(std::fs::read_to_string(&compose).unwrap(), "services: {}\n");
        }
    }

    /// However a render is stopped, every file is the old one or the new one.
    #[test]
    fn a_killed_render_leaves_whole_files() {
        let folder = folder();
        let read = || {
            let files = ["docker-compose.yml", "bro/Dockerfile", "wor/Dockerfile", "cli/Dockerfile"];
            files.map(|file| std::fs::read_to_string(folder.path().join("generated").join(file)).unwrap())
        };
        let write = |name: &str| std::fs::write(folder.path().join("topology.toml"), TOPOLOGY.replace("demo", name)).unwrap();
        cbwgen(folder.path(), &["render"]);
        let old = read();
        write("other");
        cbwgen(folder.path(), &["render"]);
        let new = read();
        for delay_us in (0..6000).step_by(150) {
            write(if delay_us % 300 == 0 { "demo" } else { "other" });
            let mut child = Command::new(env!("CARGO_BIN_EXE_cbwgen"))
                .arg("render")
                .current_dir(folder.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_micros(delay_us));
            let _ = child.kill();
            child.wait().unwrap();
            for (at, found) in read().iter().enumerate() {
                assert!(*found == old[at] || *found == new[at], "after {delay_us} µs: {found}");
            }
        }
        write("demo");
        assert_eq!(cbwgen(folder.path(), &["render"]).status.code(), Some(0));
        assert_eq!(read(), old);
    }

    #[test]
    fn nothing_that_is_read_ends_in_a_panic() {
        let folder = folder();
        let long = format!("a = \"{}\"", "x".repeat(1_000_000));
        let mut keys = String::new();
        (0..10_000).for_each(|n| writeln!(keys, "[worker.w{n}]\nreplcas = 1").unwrap());
        let deep = format!("a = {}", "[".repeat(200_000));
        let dotted = format!("{}a = 1", "a.".repeat(100_000));
        for text in [&long, &keys, &deep, &dotted, &"[".repeat(200_000), &"{".repeat(200_000), &"\u{feff}".to_owned(), &"\0".to_owned()] {
            std::fs::write(folder.path().join("topology.toml"), text).unwrap();
            for command in ["lint", "plan", "render"] {
                let output = cbwgen(folder.path(), &[command]);
                assert!(matches!(output.status.code(), Some(0..=2)), "{command}: {}", says(&output));
                assert!(!says(&output).contains("panicked"), "{}", says(&output));
            }
        }
    }

    fn lint_stdin(folder: &Path, arguments: &[&str], text: &str) -> Output {
        use std::io::Write as _;
        let mut command = Command::new(env!("CARGO_BIN_EXE_cbwgen"));
        let pipe = std::process::Stdio::piped;
        let command = command.arg("lint").args(arguments).current_dir(folder).stdin(pipe()).stdout(pipe()).stderr(pipe());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn standard_input_is_told_apart_by_its_content() {
        let folder = folder();
        for (arguments, text, expected) in [
            (&["-", "--format", "short"][..], "[broker.Bro]\n", "<stdin>:1:9: error[wrong-value]"),
            (&["-", "--format", "short"], "services:\n  a: {}\n", "<stdin>:2:3: error[no-image]"),
            (&["-f", "-", "--format", "short"], "services:\n  a: {}\n", "<stdin>:2:3: error[no-image]"),
        ] {
            let output = lint_stdin(folder.path(), arguments, text);
            assert!(says(&output).starts_with(expected), "{}", says(&output));
            assert_eq!(output.status.code(), Some(1));
        }
    }

    /// A fix keeps what it does not speak of: comments, line breaks, permissions; and it never leaves the project.
    #[test]
    #[cfg(unix)]
    fn a_fix_changes_its_own_bytes_only() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("base.yaml");
        let project = folder.path().join("project");
        std::fs::create_dir(&project).unwrap();
        let base = "services:\n  base:\n    image: nginx:1.27 # cbwgen: allow(unpined-image)\n";
        std::fs::write(&outside, base).unwrap();
        let compose = project.join("compose.yaml");
        let text =
            "# cbwgen: allow-file(unpined-image)  why\r\nservices:\r\n\r\n  web: {extends: {file: ../base.yaml, service: base}}   # é\r\n";
        std::fs::write(&compose, text).unwrap();
        std::fs::set_permissions(&compose, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&outside, project.join("docker-compose.yml")).unwrap();

        let output = cbwgen(&project, &["lint", ".", "--fix"]);
        assert_eq!(output.status.code(), Some(0), "{}", says(&output));
        let fixed = std::fs::read_to_string(&compose).unwrap();
        assert_eq!(fixed, text.replace("unpined", "unpinned"));
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), base);
        assert_eq!(std::fs::metadata(&compose).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(&project).unwrap().count(), 2, "nothing is left behind");
        assert_eq!(says(&cbwgen(&project, &["lint", ".", "--fix", "--dry-run"])), "");
    }

    /// Runs with no more memory than this needs, so that growth is a failure and not a slow machine.
    #[cfg(unix)]
    fn bounded(folder: &Path, file: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 300000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_cbwgen"), "lint", "--format", "short", "-f", file]);
        says(&command.current_dir(folder).env("NO_COLOR", "1").output().unwrap())
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_compose_file_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
        let deep: String = (0..1000).fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n");
        write("deep.yaml", deep.as_bytes());
        write("flow.yaml", format!("services: {}", "[".repeat(1000)).as_bytes());
        write("bytes.yaml", b"services:\n  a: {image: \"\xff\"}\n");
        write("one.yaml", b"include: [two.yaml]\n");
        write("two.yaml", b"include: [one.yaml]\n");
        write("self.yaml", b"services:\n  a: {image: x, extends: b}\n  b: {extends: a}\n");
        write("zero.yaml", b"services:\n  a: {image: x, env_file: /dev/zero}\n");
        std::fs::File::create(folder.path().join("line.yaml")).unwrap().set_len(200 * 1024 * 1024).unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join("pipe.yaml")).status().unwrap().success());
        let no_file = |name| {
            format!("error: cannot read `{name}`: it is not a regular file; to read a pipe, give it on standard input and name it `-`\n")
        };
        for (file, expected) in [
            ("deep.yaml", "deep.yaml:201:201: error[too-large]: it is nested more than 200 levels deep\n"),
            ("flow.yaml", "flow.yaml:1:266: error[syntax]: recursion limit exceeded\n"),
            ("bytes.yaml", "error: cannot read `bytes.yaml`: it is not text (byte 24 is not valid UTF-8)\n"),
            ("line.yaml", "error: cannot read `line.yaml`: it is larger than 16 MiB\n"),
            ("one.yaml", "two.yaml:1:11: error[reference-loop]: the files include each other: one.yaml → two.yaml → one.yaml\n"),
            ("self.yaml", "self.yaml:2:17: error[reference-loop]: the services extend each other: a → b → a\n"),
            ("zero.yaml", "zero.yaml:2:27: error[missing-file]: the file `/dev/zero` that is to be read is not a regular file\n"),
            ("/dev/zero", &no_file("/dev/zero")),
            ("pipe.yaml", &no_file("pipe.yaml")),
        ] {
            let said = bounded(folder.path(), file);
            assert!(said.contains(expected), "{file}: {said}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_multiplies_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for level in 0..40 {
            write(&format!("{level}.yaml"), &format!("include: [{0}.yaml, {0}.yaml]\n", level + 1));
        }
        write("40.yaml", "services:\n  a: {image: \"x:1\"}\n");
        let services = (0..1000).fold(String::new(), |text, n| text + &format!("  s{n}: {{image: \"x:1\", ports: [1-65535]}}\n"));
        write("ports.yaml", &format!("services:\n{services}"));
        write("documents.yaml", &"services: {a: {image: \"x:1\"}}\n---\n".repeat(1000));
        let doubled =
            |before: &str| (1..60).fold(format!("{before}A0=0123456789\n"), |text, n| text + &format!("{before}A{n}=$A{0}$A{0}\n", n - 1));
        write("doubled.env", &doubled(""));
        write("env.yaml", "services:\n  a: {image: \"x:1\", env_file: doubled.env}\n");
        write("Dockerfile", &format!("FROM x:1\n{}USER x\n", doubled("ENV ")));
        write("build.yaml", "services:\n  a: {build: .}\n");
        for (file, expected) in [
            ("0.yaml", "error[too-large]: the files include each other too deeply, or the same ones too often"),
            ("ports.yaml", "error[too-large]: the ranges of ports name more than 150000 ports"),
            ("documents.yaml", "error[too-large]: it has more than 100 documents"),
            ("env.yaml", "error[syntax]: the values grow without measure: variables are put into variables"),
        ] {
            let said = bounded(folder.path(), file);
            assert!(said.contains(expected), "{file}: {}", said.chars().take(2000).collect::<String>());
        }
        assert!(!bounded(folder.path(), "build.yaml").contains("memory allocation"));
    }
}
