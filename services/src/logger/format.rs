//! From a message to a line of the file.

use crate::config::LogFormat;
use crate::trace::Quoted;

/// Appends the record that `frames` are, with its time and its line end. Text keeps the record as it is, further lines
/// included; JSON has one line a record, and a record that is itself a JSON object stays one.
pub fn record<'a>(line: &mut Vec<u8>, format: LogFormat, time: &str, frames: impl IntoIterator<Item = &'a [u8]>) {
    match format {
        LogFormat::Text => {
            line.extend_from_slice(time.as_bytes());
            for frame in frames {
                line.push(b' ');
                line.extend_from_slice(frame);
            }
            while line.last() == Some(&b'\n') {
                line.pop();
            }
        }
        LogFormat::Json => {
            let text = frames.into_iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
            let text = text.trim_end_matches('\n');
            let object = text.starts_with('{') && !text.contains('\n') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let entry = if object {
                format!("{{\"time\":\"{time}\",\"record\":{text}}}")
            } else {
                format!("{{\"time\":\"{time}\",\"record\":{}}}", Quoted(text))
            };
            line.extend_from_slice(entry.as_bytes());
        }
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, frames: &[&str]) -> String {
        let mut line = Vec::new();
        record(&mut line, format, "NOW", frames.iter().map(|frame| frame.as_bytes()));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn text_is_kept_as_it_is() {
        assert_eq!(line(LogFormat::Text, &["bro: a request"]), "NOW bro: a request\n");
        assert_eq!(line(LogFormat::Text, &["one\ntwo\n"]), "NOW one\ntwo\n");
        assert_eq!(line(LogFormat::Text, &["bro", "two frames"]), "NOW bro two frames\n");
        assert_eq!(line(LogFormat::Text, &[""]), "NOW \n");
    }

    #[test]
    fn json_has_one_line_a_record() {
        assert_eq!(line(LogFormat::Json, &["one\n\"two\""]), "{\"time\":\"NOW\",\"record\":\"one\\n\\\"two\\\"\"}\n");
        assert_eq!(line(LogFormat::Json, &["{\"n\":1}"]), "{\"time\":\"NOW\",\"record\":{\"n\":1}}\n");
        assert_eq!(line(LogFormat::Json, &["{\"n\":"]), "{\"time\":\"NOW\",\"record\":\"{\\\"n\\\":\"}\n");
    }
}
