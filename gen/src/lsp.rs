//! `cbwgen lsp`: a language server over standard input and output.
//!
//! In reading order: `wire` (messages) → this (what is asked) → `workspace` (what is open, and what lint says of it) → `answers`
//! (hover, quick fixes), `complete` (names), `position` (UTF-16). One message after the other: a project is linted within
//! milliseconds, so nothing waits for long, and every answer speaks of the text that the editor sent last.

mod answers;
mod complete;
mod position;
mod wire;
mod workspace;

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability, CompletionOptions, CompletionParams,
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, HoverParams, HoverProviderCapability,
    InitializeResult, PositionEncodingKind, PublishDiagnosticsParams, ServerCapabilities, ServerInfo, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use wire::Received;
use workspace::Workspace;

/// Serves until the editor says `exit` or goes away; true when it said `shutdown` before.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    let mut server = Server::default();
    while let Some(received) = wire::read(&mut input)? {
        let message = match received {
            Received::Message(message) => message,
            // Nobody knows what it was: the editor is told, and the next one is read.
            Received::Malformed(why) => {
                wire::write_malformed(&mut output, &why)?;
                continue;
            }
        };
        match message {
            Message::Request(request) => wire::write(&mut output, &Message::Response(server.answer(request)))?,
            Message::Notification(notification) if notification.method == "exit" => return Ok(server.is_down),
            Message::Notification(notification) => {
                for diagnostics in server.hear(notification) {
                    let params = serde_json::to_value(diagnostics).unwrap_or_default();
                    let method = "textDocument/publishDiagnostics".to_owned();
                    wire::write(&mut output, &Message::Notification(Notification { method, params }))?;
                }
            }
            // Nothing is asked of the editor.
            Message::Response(_) => {}
        }
    }
    Ok(server.is_down)
}

#[derive(Default)]
struct Server {
    workspace: Workspace,
    is_up: bool,
    is_down: bool,
}

impl Server {
    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        if method == "initialize" {
            self.is_up = true;
            return Response::new_ok(id, capabilities());
        }
        let refused = |code: ErrorCode, why: &str| Response::new_err(id.clone(), code as i32, why.to_owned());
        if !self.is_up {
            return refused(ErrorCode::ServerNotInitialized, "`initialize` comes first");
        }
        if self.is_down {
            return refused(ErrorCode::InvalidRequest, "the server was told to shut down");
        }
        let answer = match method.as_str() {
            "shutdown" => {
                self.is_down = true;
                Ok(Value::Null)
            }
            "textDocument/hover" => with(params, |params: HoverParams| {
                let place = params.text_document_position_params;
                self.workspace.hover(&path(&place.text_document.uri)?, place.position)
            }),
            "textDocument/codeAction" => {
                with(params, |params: CodeActionParams| Some(self.workspace.actions(&path(&params.text_document.uri)?, params.range)))
            }
            "textDocument/completion" => with(params, |params: CompletionParams| {
                let place = params.text_document_position;
                Some(self.workspace.complete(&path(&place.text_document.uri)?, place.position))
            }),
            _ => return refused(ErrorCode::MethodNotFound, &format!("there is no method `{method}`")),
        };
        match answer {
            Ok(value) => Response::new_ok(id, value),
            Err(why) => refused(ErrorCode::InvalidParams, &why),
        }
    }

    /// What changes because of a notification: new diagnostics.
    fn hear(&mut self, notification: Notification) -> Vec<PublishDiagnosticsParams> {
        let Notification { method, params } = notification;
        // A notification cannot be answered: one that makes no sense is passed over.
        let changed = match method.as_str() {
            "textDocument/didOpen" => from_value(params).and_then(|params: DidOpenTextDocumentParams| {
                let document = params.text_document;
                self.workspace.open(path(&document.uri)?, document.text, &document.language_id);
                Some(())
            }),
            "textDocument/didChange" => from_value(params).and_then(|params: DidChangeTextDocumentParams| {
                let path = path(&params.text_document.uri)?;
                params.content_changes.into_iter().for_each(|change| self.workspace.change(&path, change.range, change.text));
                Some(())
            }),
            "textDocument/didClose" => from_value(params).and_then(|params: DidCloseTextDocumentParams| {
                self.workspace.close(&path(&params.text_document.uri)?);
                Some(())
            }),
            // Files that others save, a Dockerfile or `.env`, belong to projects too.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => Some(()),
            _ => None,
        };
        changed.map_or_else(Vec::new, |()| self.workspace.diagnostics())
    }
}

fn from_value<T: DeserializeOwned>(params: Value) -> Option<T> {
    serde_json::from_value(params).ok()
}

/// The answer to a request with parameters; nothing where there is nothing to say.
fn with<P: DeserializeOwned, A: serde::Serialize>(params: Value, answer: impl FnOnce(P) -> Option<A>) -> Result<Value, String> {
    let params = serde_json::from_value(params).map_err(|error| error.to_string())?;
    Ok(answer(params).and_then(|answer| serde_json::to_value(answer).ok()).unwrap_or_default())
}

fn capabilities() -> InitializeResult {
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(TextDocumentSyncSaveOptions::Supported(true)),
        ..TextDocumentSyncOptions::default()
    };
    let triggers = ["\"", "'", " ", "[", "."].map(str::to_owned).to_vec();
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(PositionEncodingKind::UTF16),
            text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
            hover_provider: Some(HoverProviderCapability::Simple(true)),
            code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
                ..CodeActionOptions::default()
            })),
            completion_provider: Some(CompletionOptions { trigger_characters: Some(triggers), ..CompletionOptions::default() }),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo { name: "cbwgen".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) }),
    }
}

/// The file of a URI; nothing for documents that are no files of this machine.
fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // What stands before the first slash is the machine.
    let encoded = &rest.as_bytes()[rest.find('/')?..];
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        let hex = (encoded[at] == b'%').then(|| encoded.get(at + 1..at + 3)).flatten();
        let decoded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(encoded[at]));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The URI of a file.
fn uri(path: &Path) -> Option<Uri> {
    crate::report::sarif::uri(path.to_str()?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_way_to_a_uri_and_back() {
        for text in ["/a/b.yaml", "/a b/ü%20.yaml", "/a/100%"] {
            assert_eq!(path(&uri(Path::new(text)).unwrap()).unwrap(), Path::new(text));
        }
        assert_eq!(path(&"untitled:Untitled-1".parse().unwrap()), None);
    }
}
