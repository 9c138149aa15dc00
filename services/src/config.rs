//! What the four command lines share: values with units, names of the host, ports.
//!
//! Every setting has a positional argument or a flag and an environment variable; clap lets the command line win.
//! The parsers here are `value_parser`s for clap, so that a mistake is a usage error (exit code 2) with the argument's name.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Client port of the broker when nothing else is said.
pub const FRONTEND_PORT: u16 = 9998;
/// Worker port of the broker when nothing else is said.
pub const BACKEND_PORT: u16 = 9999;
/// Port of the logger when nothing else is said.
pub const LOGGER_PORT: u16 = 9995;

/// How trace lines and log records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object an event.
    Json,
}

/// Where to log: `LOGGER_HOST` unset means that there is no logger.
#[derive(Debug, Clone, Args)]
pub struct LoggerArgs {
    /// Host of the logger; none = log to the standard streams only
    #[arg(env = "LOGGER_HOST", value_parser = optional_host)]
    pub logger_host: Option<Host>,
    /// Port of the logger
    #[arg(env = "LOGGER_PORT", value_parser = port, default_value_t = LOGGER_PORT)]
    pub logger_port: u16,
}

impl LoggerArgs {
    /// The logger's address, when there is a logger.
    #[must_use]
    pub fn address(&self) -> Option<(String, u16)> {
        self.logger_host.as_ref().and_then(|host| host.0.clone()).map(|host| (host, self.logger_port))
    }
}

/// A host name or address; an empty one, as Compose makes of an unset variable, is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(pub Option<String>);

/// What every service takes besides its own arguments.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Serve `/metrics`, `/healthz` and `/readyz` at this address, for example `127.0.0.1:9100`
    #[arg(long = "metrics", value_name = "ADDR", env = "METRICS_ADDR", global = true)]
    pub metrics: Option<String>,
    /// Form of the trace lines
    #[arg(long, value_name = "FORMAT", env = "LOG_FORMAT", value_enum, default_value_t, global = true)]
    pub log_format: LogFormat,
}

impl CommonArgs {
    /// The address of the status server; an empty variable means off.
    #[must_use]
    pub fn metrics(&self) -> Option<&str> {
        self.metrics.as_deref().filter(|address| !address.is_empty())
    }
}

/// Parses a duration with its unit: `500ms`, `2s`, `1m30s`. A plain `0` needs none.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || format!("`{text}` is not a duration such as `500ms`, `2s` or `1m30s`");
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(wrong)?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let seconds = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() || total > LONGEST { Err(wrong()) } else { Ok(total) }
}

/// No setting makes sense beyond this, and sums with a clock stay far from its end.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a size in bytes: `512`, `64KiB`, `256MiB`, `1GB`. As in Docker and logrotate a bare `K`, `M` or `G` is 1024-based.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as `64KiB`, `100M` or `1GB`");
    let (number, unit) = split_number(text).ok_or_else(wrong)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    #[allow(clippy::cast_precision_loss)] // a factor is at most 2^30
    let bytes = number * factor as f64;
    if bytes > 9e15 {
        return Err(wrong());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 9e15, as was just checked
    Ok(bytes as u64)
}

/// Splits a decimal number without a sign off the front.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// Parses a number of requests a second.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e7 => Ok(rate),
        _ => Err(format!("`{text}` is not a number of requests a second")),
    }
}

/// Parses a port. Kubernetes and Docker links set `BROKER_PORT=tcp://10.0.0.1:9998` for a service of that name,
/// so the last part of a URL is taken too.
pub fn port(text: &str) -> Result<u16, String> {
    let number = if text.contains("://") { text.rsplit(':').next().unwrap_or(text) } else { text };
    match number.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a port between 1 and 65535")),
        Ok(port) => Ok(port),
    }
}

/// Parses a host name or an address; brackets round an IPv6 address are taken off.
pub fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let fine = !bare.is_empty() && bare.len() <= 253 && bare.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
    if fine { Ok(bare.to_owned()) } else { Err(format!("`{text}` is not a host name or an address")) }
}

/// As [`host`], but an empty text is no host.
pub fn optional_host(text: &str) -> Result<Host, String> {
    if text.is_empty() { Ok(Host(None)) } else { host(text).map(|host| Host(Some(host))) }
}

/// Parses an identity: 1 to 255 bytes (`ZMQ_ROUTING_ID`), not beginning with a zero byte, printable, without blanks.
pub fn identity(text: &str) -> Result<String, String> {
    let fine = !text.is_empty() && text.len() <= 200 && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if fine { Ok(text.to_owned()) } else { Err(format!("`{text}` is not an identity: 1 to 200 bytes without blanks")) }
}

/// The identity that `HN` stands for: the role's prefix and the host's name, for example `WOR_wor-1`.
#[must_use]
pub fn identity_or_host_name(id: &str, prefix: &str) -> String {
    if id == "HN" { format!("{prefix}_{}", host_name()) } else { id.to_owned() }
}

/// The host's name, which a container's replicas do not share.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name.chars().take(190).collect() }
}

/// A host and a port as libzmq and people write them: `name:9998`, `[::1]:9998`.
#[must_use]
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "2", "s", "2 s", "-1s", "2parsecs", "1e9s", "999999999999h", "1..2s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("100M"), Ok(100 << 20));
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        for wrong in ["", "M", "1TBX", "-1", "99999999999GB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_may_come_from_a_service_link() {
        assert_eq!(port("9998"), Ok(9998));
        assert_eq!(port("tcp://10.96.0.7:9998"), Ok(9998));
        assert!(port("0").is_err());
        assert!(port("70000").is_err());
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        assert_eq!(host("bro"), Ok("bro".to_owned()));
        assert_eq!(host("[::1]"), Ok("::1".to_owned()));
        assert!(host("tcp://bro").is_err());
        assert_eq!(optional_host(""), Ok(Host(None)));
        assert_eq!(authority("::1", 9998), "[::1]:9998");
    }

    #[test]
    fn hn_is_the_host_name() {
        assert!(identity_or_host_name("HN", "WOR").starts_with("WOR_"));
        assert_eq!(identity_or_host_name("w1", "WOR"), "w1");
    }

    proptest! {
        #[test]
        fn any_text_is_a_value_or_a_message(text in "\\PC{0,20}") {
            let _ = (duration(&text), size(&text), port(&text), host(&text), identity(&text));
        }
    }
}
