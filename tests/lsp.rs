//! A session with `cbwgen lsp`, as an editor has it: over standard input and output.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "what cannot be read fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// An editor, as far as the protocol goes.
struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    last_id: i64,
    /// Diagnostics by the name of the file, as the server told them last.
    diagnostics: std::collections::BTreeMap<String, Vec<Value>>,
}

impl Editor {
    fn start() -> Self {
        let mut editor = Self::start_silent();
        let result = editor.ask("initialize", json!({"processId": null, "rootUri": null, "capabilities": {}}));
        assert_eq!(result["result"]["capabilities"]["positionEncoding"], "utf-16");
        editor.tell("initialized", json!({}));
        editor
    }

    fn start_silent() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_cbwgen"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        let folder = tempfile::Builder::new().prefix("ä b").tempdir().unwrap();
        Self { server, input, output, folder, last_id: 0, diagnostics: std::collections::BTreeMap::new() }
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
        self.input.as_mut().unwrap().flush().unwrap();
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server went away");
            match line.trim().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().unwrap(),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).unwrap();
        let message: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// A request and its answer; diagnostics that come before it are kept.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
            assert_eq!(message["method"], "textDocument/publishDiagnostics");
            let uri = message["params"]["uri"].as_str().unwrap().to_owned();
            let name = uri.rsplit('/').next().unwrap().to_owned();
            self.diagnostics.insert(name, message["params"]["diagnostics"].as_array().unwrap().clone());
        }
    }

    /// Everything that was sent so far has been worked off.
    fn settle(&mut self) {
        self.ask("textDocument/hover", json!({"textDocument": {"uri": "file:///nowhere"}, "position": {"line": 0, "character": 0}}));
    }

    fn uri(&self, name: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('ä', "%C3%A4").replace(' ', "%20");
        format!("file://{folder}/{name}")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.tell("textDocument/didOpen", json!({"textDocument": {"uri": uri, "languageId": "", "version": 1, "text": text}}));
        self.settle();
    }

    fn change(&mut self, name: &str, changes: Value) {
        let uri = self.uri(name);
        self.tell("textDocument/didChange", json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes}));
        self.settle();
    }

    fn at(&mut self, method: &str, name: &str, line: u32, character: u32) -> Value {
        let uri = self.uri(name);
        self.ask(method, json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}))["result"].take()
    }

    fn actions(&mut self, name: &str, range: &Value) -> Vec<Value> {
        let uri = self.uri(name);
        let params = json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}});
        self.ask("textDocument/codeAction", params)["result"].as_array().unwrap().clone()
    }

    fn rules(&self, name: &str) -> Vec<&str> {
        self.diagnostics.get(name).into_iter().flatten().map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
    }

    /// The end of the session, and how the server ended.
    fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        self.tell("exit", Value::Null);
        self.wait()
    }

    fn wait(mut self) -> Option<i32> {
        drop(self.input.take());
        let mut said = String::new();
        self.server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        self.server.wait().unwrap().code()
    }
}

/// Applies an edit as an editor does: places count lines and UTF-16.
fn apply(text: &str, edit: &Value) -> String {
    let offset = |place: &Value| {
        let (line, character) = (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap());
        let start: usize = text.split_inclusive('\n').take(usize::try_from(line).unwrap()).map(str::len).sum();
        let mut units = 0;
        let rest = text[start..].char_indices().find(|(_, c)| {
            let here = units >= character;
            units += c.len_utf16() as u64;
            here
        });
        rest.map_or(text.len(), |(at, _)| start + at)
    };
    let mut fixed = text.to_owned();
    fixed.replace_range(offset(&edit["range"]["start"])..offset(&edit["range"]["end"]), edit["newText"].as_str().unwrap());
    fixed
}

fn titled<'a>(actions: &'a [Value], title: &str) -> &'a Value {
    actions.iter().find(|action| action["title"] == title).unwrap_or_else(|| panic!("{actions:?}"))
}

#[test]
fn a_fault_is_found_explained_and_fixed() {
    let mut editor = Editor::start();
    let text = "name = \"demo\"\n\n[service.cache]\nimage = \"redis\" # cbwgen: allow(unpined-image) 𝄞\n";
    editor.open("topology.toml", text);
    assert_eq!(editor.rules("topology.toml"), ["unpinned-image", "unknown-lint"]);

    let misspelt = editor.diagnostics["topology.toml"][1].clone();
    assert_eq!(misspelt["range"], json!({"start": {"line": 3, "character": 32}, "end": {"line": 3, "character": 45}}));
    let hover = editor.at("textDocument/hover", "topology.toml", 3, 34);
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(said.contains("did you mean `unpinned-image`?") && said.contains("### What to do"), "{said}");

    let actions = editor.actions("topology.toml", &misspelt["range"]);
    let action = titled(&actions, "write `unpinned-image`");
    let uri = editor.uri("topology.toml");
    let fixed = apply(text, &action["edit"]["changes"][&uri][0]);
    assert!(fixed.contains("allow(unpinned-image) 𝄞"), "{fixed}");
    editor.change("topology.toml", json!([{"text": fixed}]));
    assert_eq!(editor.rules("topology.toml"), [""; 0]);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn a_finding_is_allowed_at_its_place() {
    let mut editor = Editor::start();
    let text = "[service]\ncache = { env = { A = \"𝄞\" }, image = \"redis\" }\n";
    editor.open("topology.toml", text);
    let found = editor.diagnostics["topology.toml"].iter().find(|found| found["code"] == "unpinned-image").unwrap().clone();
    let actions = editor.actions("topology.toml", &found["range"]);
    let uri = editor.uri("topology.toml");
    let fixed = apply(text, &titled(&actions, "allow `unpinned-image` here")["edit"]["changes"][&uri][0]);
    assert_eq!(found["range"]["start"], json!({"line": 1, "character": 38}));
    assert!(fixed.ends_with("image = \"redis\" } # cbwgen: allow(unpinned-image)\n"), "{fixed}");
    editor.change("topology.toml", json!([{"text": fixed}]));
    assert!(!editor.rules("topology.toml").contains(&"unpinned-image"));
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn a_compose_project_is_linted_as_it_is_in_the_editor() {
    let mut editor = Editor::start();
    editor.write("compose.yaml", "services: {}\n");
    editor.open("compose.yaml", "services:\n  web:\n    image: nginx:1.27\n    prots: [\"80:80\"]\n  db:\n    image: postgres:17\n");
    assert_eq!(editor.rules("compose.yaml"), ["unknown-key"]);
    let found = &editor.diagnostics["compose.yaml"][0];
    assert_eq!(found["range"]["start"], json!({"line": 3, "character": 4}));
    assert_eq!(found["severity"], 1);
    let range = found["range"].clone();
    assert_eq!(editor.actions("compose.yaml", &range), Vec::<Value>::new(), "what Compose refuses cannot be allowed");

    // As one types: a part of the text, not all of it.
    let part = json!({"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 20}});
    editor.change("compose.yaml", json!([{"range": part, "text": "depends_on: []"}]));
    assert_eq!(editor.rules("compose.yaml"), [""; 0]);
    let offered = editor.at("textDocument/completion", "compose.yaml", 3, 17);
    let labels: Vec<&str> = offered.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["db"]);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn other_files_are_left_in_peace() {
    let mut editor = Editor::start();
    editor.open("workflow.yaml", "on: push\n");
    editor.open("Cargo.toml", "[package]\nname = \"x\"\n");
    assert!(editor.diagnostics.values().all(Vec::is_empty), "{:?}", editor.diagnostics);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn closing_a_file_takes_its_findings_away() {
    let mut editor = Editor::start();
    editor.open("topology.toml", "");
    assert_eq!(editor.rules("topology.toml"), ["empty-topology"]);
    let uri = editor.uri("topology.toml");
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    editor.settle();
    assert_eq!(editor.rules("topology.toml"), [""; 0]);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn nonsense_is_answered_and_the_session_goes_on() {
    let mut editor = Editor::start_silent();
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32002, "nothing before `initialize`");
    editor.ask("initialize", json!({"capabilities": {}}));
    for raw in [
        "Content-Length: 9\r\n\r\nnot json!",
        "Content-Length: x\r\n\r\n",
        "Content-Length: 2\r\n\r\n[]",
        "Content-Length: 3\r\n\r\n\u{ff}{",
    ] {
        editor.send_raw(raw.as_bytes());
        assert_eq!(editor.receive()["error"]["code"], -32700, "{raw}");
    }
    editor.send_raw(b"nonsense\r\n\r\n: \r\n");
    for params in
        [json!(null), json!([]), json!({"textDocument": 1}), json!({"textDocument": {"uri": "file:///%"}, "position": {"line": -1}})]
    {
        for method in ["textDocument/hover", "textDocument/completion", "textDocument/codeAction"] {
            assert_eq!(editor.ask(method, params.clone())["error"]["code"], -32602, "{method} {params}");
        }
        for method in ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "$/what"] {
            editor.tell(method, params.clone());
        }
    }
    assert_eq!(editor.ask("no/such", json!({}))["error"]["code"], -32601);
    editor.open("topology.toml", "a = 1\n");
    let far = json!({"start": {"line": 9, "character": 9}, "end": {"line": 0, "character": 1}});
    editor.change("topology.toml", json!([{"range": far, "text": "x"}, {"range": null, "text": "[broker.bro\n"}]));
    assert_eq!(editor.rules("topology.toml"), ["syntax"]);
    let far = u32::MAX;
    editor.at("textDocument/completion", "topology.toml", far, far);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn an_editor_that_goes_away_ends_the_server() {
    let editor = Editor::start();
    assert_eq!(editor.wait(), Some(1), "nobody said `shutdown`");
}
