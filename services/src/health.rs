//! `SERVICE healthcheck`: the container's probe, without a shell, `curl` or anything else in the image.
//!
//! It runs with the environment of the service and asks the process itself, at `METRICS_ADDR`; a loop that hangs does not answer.
//! Without that address it does the best it can.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::config::{self, authority};
use crate::logger::args::LoggerServiceArgs;
use crate::worker::args::WorkerArgs;

/// How long a peer may take for each step.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a probe found: nothing wrong, or what.
pub type Finding = Result<(), Box<dyn Error>>;

/// Says what is wrong, where the engine shows it (`docker inspect`), and makes it the exit code that engines expect.
#[must_use]
pub fn told(finding: &Finding) -> ExitCode {
    match finding {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "unhealthy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says why a question was not answered, and makes it an exit code.
#[must_use]
pub fn answered(finding: &Finding) -> ExitCode {
    match finding {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A broker is healthy when its loop answers and both ports speak ZMTP.
pub fn broker(metrics: Option<&str>, frontend: (&str, u16), backend: (&str, u16)) -> Finding {
    if let Some(address) = metrics {
        page(address, "/healthz")?;
    }
    for (name, (host, port)) in [("frontend", frontend), ("backend", backend)] {
        greeting(local(host), port).map_err(|error| format!("{name} port {port}: {error}"))?;
    }
    Ok(())
}

/// A worker is healthy when it is registered with a broker. Without a status server only its broker can be asked.
pub fn worker(args: &WorkerArgs) -> Finding {
    match args.common.metrics() {
        Some(address) => page(address, "/readyz"),
        None => greeting(&args.broker_host, args.broker_port)
            .map_err(|error| format!("broker `{}`: {error}", authority(&args.broker_host, args.broker_port)).into()),
    }
}

/// A logger is healthy when it can write and listens.
pub fn logger(args: &LoggerServiceArgs) -> Finding {
    if let Some(address) = args.common.metrics() {
        return page(address, "/readyz");
    }
    let path = args.path();
    OpenOptions::new().append(true).open(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    greeting(local(&args.bind), args.port).map_err(|error| format!("port {}: {error}", args.port).into())
}

/// The address by which a service on this machine is reached that listens on `host`. No name: an empty root need not know
/// `localhost`.
fn local(host: &str) -> &str {
    match host {
        "*" | "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    }
}

/// Prints a page of the service that runs here, as it comes: `/events` has no end. For containers that hold no program but
/// the service, and whose status server nobody else reaches. On a `leash` it ends with its standard input: `docker exec` leaves
/// what it started to itself.
pub fn ask(metrics: Option<&str>, path: &str, leash: bool) -> Finding {
    if leash {
        thread::Builder::new().name("leash".to_owned()).spawn(|| {
            let mut input = io::stdin().lock();
            while matches!(input.read(&mut [0; 1024]), Ok(1..)) {}
            std::process::exit(0);
        })?;
    }
    let address = metrics.ok_or("`METRICS_ADDR` is not set: the service has no status server")?;
    let mut answer = BufReader::new(request(address, path)?);
    let (mut head, mut line) = (String::new(), String::new());
    while answer.by_ref().take(8 << 10).read_line(&mut line)? > 0 && line.trim_end() != "" {
        if head.is_empty() {
            head.push_str(line.trim_end());
        }
        line.clear();
    }
    // The next line may be hours away.
    answer.get_ref().set_read_timeout(None)?;
    if head.split(' ').nth(1) != Some("200") {
        let mut text = String::new();
        answer.take(64 << 10).read_to_string(&mut text)?;
        return Err(text.trim().to_owned().into());
    }
    let mut output = io::stdout().lock();
    loop {
        let bytes = answer.fill_buf()?;
        // A reader that has gone away has read enough.
        if bytes.is_empty() || output.write_all(bytes).and_then(|()| output.flush()).is_err() {
            return Ok(());
        }
        let taken = bytes.len();
        answer.consume(taken);
    }
}

/// Asks for a page of the status server; its text is what is wrong.
fn page(address: &str, path: &str) -> Finding {
    let mut response = String::new();
    request(address, path)?.take(64 << 10).read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no answer from the status server")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(body.trim().to_owned().into()),
    }
}

/// Sends a question to the status server at `address`.
fn request(address: &str, path: &str) -> Result<TcpStream, Box<dyn Error>> {
    let address = match address.rsplit_once(':') {
        Some((host, port)) => authority(local(host.trim_matches(['[', ']'])), config::port(port)?),
        None => return Err(format!("`{address}` has no port").into()),
    };
    let mut stream = connect(&address)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Says hello as ZMTP 3.0 does and expects the other's signature: `ff`, 8 bytes, `7f`.
fn greeting(host: &str, port: u16) -> Finding {
    let mut stream = connect(&authority(host, port))?;
    let mut hello = [0; 64];
    (hello[0], hello[9], hello[10]) = (0xff, 0x7f, 3);
    hello[12..16].copy_from_slice(b"NULL");
    stream.write_all(&hello)?;
    let mut signature = [0; 10];
    stream.read_exact(&mut signature)?;
    if signature[0] == 0xff && signature[9] & 1 == 1 { Ok(()) } else { Err("it does not speak ZMTP".into()) }
}

/// Connects to the first of the name's addresses that answers.
fn connect(address: &str) -> Result<TcpStream, Box<dyn Error>> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(|error| format!("`{address}`: {error}"))?.collect();
    let mut last = format!("`{address}`: no address");
    for candidate in addresses {
        match TcpStream::connect_timeout(&candidate, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = format!("`{candidate}`: {error}"),
        }
    }
    Err(last.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(bytes: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.write_all(bytes);
                let _ = stream.read(&mut [0; 4096]);
            }
        });
        port
    }

    #[test]
    fn a_broker_must_speak_zmtp_on_both_ports() {
        let good = answering(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03");
        let bad = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert!(broker(None, ("*", good), ("127.0.0.1", good)).is_ok());
        let error = broker(None, ("127.0.0.1", good), ("127.0.0.1", bad)).unwrap_err().to_string();
        assert_eq!(error, format!("backend port {bad}: it does not speak ZMTP"));
    }

    #[test]
    fn the_status_server_says_what_is_wrong() {
        let well = answering(b"HTTP/1.1 200 OK\r\n\r\nok\n");
        let ill = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\nnot registered\n");
        assert!(page(&format!("127.0.0.1:{well}"), "/readyz").is_ok());
        assert_eq!(page(&format!("127.0.0.1:{ill}"), "/readyz").unwrap_err().to_string(), "not registered");
        assert!(page("127.0.0.1:1", "/readyz").is_err());
        assert!(ask(Some(&format!("127.0.0.1:{well}")), "/status", false).is_ok());
        let error = ask(Some(&format!("127.0.0.1:{ill}")), "/status", false).unwrap_err().to_string();
        assert_eq!(error, "not registered");
        assert_eq!(ask(None, "/status", false).unwrap_err().to_string(), "`METRICS_ADDR` is not set: the service has no status server");
    }
}
