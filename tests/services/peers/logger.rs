//! The logger as a process: what it has taken is in the file, whatever happens.

mod disk;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;
use zmq::{Context, Socket, SocketType};

use crate::processes::{Service, free_port, wait_until};

const LOGGER: &str = env!("CARGO_BIN_EXE_logger");

/// A logger with a folder of its own.
struct Bench {
    folder: TempDir,
    port: u16,
    more: Vec<String>,
}

impl Bench {
    fn new(more: &[&str]) -> Self {
        Self { folder: TempDir::new().unwrap(), port: free_port(), more: more.iter().map(|&text| text.to_owned()).collect() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn start(&self) -> Service {
        self.start_on(&self.file())
    }

    fn start_on(&self, file: &Path) -> Service {
        let mut arguments = vec![self.port.to_string(), file.to_str().unwrap().to_owned()];
        arguments.extend(self.more.clone());
        let logger = Service::start(LOGGER, &arguments, &[]);
        wait_until("the logger answers", || logger.page("/metrics").is_some());
        logger
    }

    fn sender(&self, context: &Context) -> Socket {
        sender(context, self.port)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap_or_default()
    }

    fn wait_for_lines(&self, count: usize) {
        wait_until("the records are in the file", || self.text().lines().count() >= count);
    }
}

/// A sender that waits rather than loses anything.
fn sender(context: &Context, port: u16) -> Socket {
    let socket = context.socket(SocketType::PUSH).unwrap();
    socket.set_linger(-1).unwrap();
    socket.connect(&format!("tcp://127.0.0.1:{port}")).unwrap();
    socket
}

/// The lines without their time stamps.
fn records(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').map_or(line, |(_, record)| record)).collect()
}

#[test]
fn a_record_has_its_time_and_stays_as_it_is() {
    let (bench, context) = (Bench::new(&[]), Context::new());
    let mut logger = bench.start();
    let sender = bench.sender(&context);
    sender.send("bro: a request", 0).unwrap();
    sender.send("two\nlines\n", 0).unwrap();
    sender.send_multipart(["bro", "two frames"], 0).unwrap();
    bench.wait_for_lines(4);
    assert_eq!(logger.stop(), Some(0));
    let text = bench.text();
    assert_eq!(records(&text), ["bro: a request", "two", "lines", "bro two frames"]);
    assert!(humantime::parse_rfc3339(text.split(' ').next().unwrap()).is_ok(), "{text}");
}

#[test]
fn json_lines_are_for_programs() {
    let (bench, context) = (Bench::new(&["--log-format", "json"]), Context::new());
    let mut logger = bench.start();
    bench.sender(&context).send("two\n\"lines\"", 0).unwrap();
    bench.wait_for_lines(1);
    assert_eq!(logger.stop(), Some(0));
    let entry: serde_json::Value = serde_json::from_str(&bench.text()).unwrap();
    assert_eq!(entry["record"], "two\n\"lines\"");
}

#[test]
fn many_senders_records_are_all_there_whole_and_in_order() {
    const SENDERS: usize = 16;
    const RECORDS: usize = 10_000;
    let bench = Bench::new(&[]);
    let mut logger = bench.start();
    let port = bench.port;
    let senders = (0..SENDERS).map(|which| {
        thread::spawn(move || {
            let context = Context::new();
            let socket = sender(&context, port);
            for n in 0..RECORDS {
                socket.send(format!("{which} {n} {}", "x".repeat(n % 100)).as_str(), 0).unwrap();
            }
            // The context ends when everything is sent.
        })
    });
    senders.collect::<Vec<_>>().into_iter().for_each(|sender| sender.join().unwrap());
    // All has been sent: what has not been read yet is drained.
    assert_eq!(logger.stop(), Some(0));
    let (text, mut next) = (bench.text(), [0; SENDERS]);
    for record in records(&text) {
        let mut words = record.split(' ');
        let which: usize = words.next().unwrap().parse().unwrap();
        let n: usize = words.next().unwrap().parse().unwrap();
        assert_eq!((n, words.next().unwrap().len()), (next[which], n % 100), "{record}");
        next[which] += 1;
    }
    assert_eq!(next, [RECORDS; SENDERS]);
}

#[test]
fn a_killed_logger_keeps_what_it_took_and_goes_on() {
    let (bench, context) = (Bench::new(&[]), Context::new());
    let mut logger = bench.start();
    let sender = bench.sender(&context);
    for n in 0..20_000 {
        sender.send(format!("record {n}").as_str(), 0).unwrap();
        if n == 10_000 {
            bench.wait_for_lines(10_000);
        }
    }
    logger.signal(Signal::KILL);
    logger.wait();
    let text = bench.text();
    let whole = text.lines().filter(|line| line.contains(" record ")).count();
    assert!(whole >= 10_000);
    // A torn last line, as a power cut leaves it.
    fs::write(bench.file(), format!("{text}2026-01-01T00:00:00.000000Z reco")).unwrap();
    let mut logger = bench.start();
    sender.send("after", 0).unwrap();
    wait_until("the new record is there", || bench.text().ends_with(" after\n"));
    assert!(bench.text().starts_with(&text), "nothing old is lost");
    assert!(bench.text().contains("Z reco\n"), "the torn line is ended");
    assert_eq!(logger.stop(), Some(0));
}

#[test]
fn sighup_begins_a_new_file_after_the_old_one_was_moved() {
    let (bench, context) = (Bench::new(&[]), Context::new());
    let mut logger = bench.start();
    let sender = bench.sender(&context);
    sender.send("old", 0).unwrap();
    bench.wait_for_lines(1);
    let moved = bench.folder.path().join("logs.moved");
    fs::rename(bench.file(), &moved).unwrap();
    logger.signal(Signal::HUP);
    wait_until("the new file is there", || bench.file().exists());
    sender.send("new", 0).unwrap();
    bench.wait_for_lines(1);
    assert_eq!(logger.stop(), Some(0));
    assert_eq!((records(&fs::read_to_string(moved).unwrap()), records(&bench.text())), (vec!["old"], vec!["new"]));
}

#[test]
fn rotation_keeps_the_youngest_files_and_every_line_whole() {
    let (bench, context) = (Bench::new(&["--rotate", "20K", "--keep", "3"]), Context::new());
    let mut logger = bench.start();
    let sender = bench.sender(&context);
    for n in 0..5000 {
        sender.send(format!("record {n}").as_str(), 0).unwrap();
        if n % 50 == 0 {
            // Records in one go are one write, whatever the size.
            wait_until("it is taken", || logger.figure("cbw_logger_records_total") >= f64::from(n));
            wait_until("it is safe", || logger.figure("cbw_logger_held_bytes") == 0.0);
        }
    }
    wait_until("all is taken", || logger.figure("cbw_logger_records_total") >= 5000.0);
    assert!(logger.figure("cbw_logger_rotations_total") >= 4.0);
    assert_eq!(logger.stop(), Some(0));
    assert!(!bench.folder.path().join("logs.4").exists());
    let all: String =
        [".3", ".2", ".1", ""].iter().map(|end| fs::read_to_string(format!("{}{end}", bench.file().display())).unwrap()).collect();
    let numbers: Vec<u32> = records(&all).iter().map(|record| record.strip_prefix("record ").unwrap().parse().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&4999));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_tried_again() {
    let (bench, context) = (Bench::new(&[]), Context::new());
    // A file where the folder should be: not even root can write there.
    let folder = bench.folder.path().join("folder");
    fs::write(&folder, "").unwrap();
    let mut logger = bench.start_on(&folder.join("logs"));
    logger.wait_until_unhealthy();
    assert_eq!(logger.healthcheck(LOGGER, &[]), 1);
    bench.sender(&context).send("kept", 0).unwrap();
    wait_until("it is taken", || logger.figure("cbw_logger_records_total") >= 1.0);
    fs::remove_file(&folder).unwrap();
    logger.wait_until_ready();
    assert_eq!(logger.healthcheck(LOGGER, &[]), 0);
    assert_eq!(logger.stop(), Some(0));
    assert_eq!(records(&fs::read_to_string(folder.join("logs")).unwrap()), ["kept"]);
    assert!(logger.output().contains("cannot write") && logger.output().contains("writing again"), "{}", logger.output());
}

#[test]
fn a_file_that_was_removed_is_made_again() {
    let (bench, context) = (Bench::new(&[]), Context::new());
    let mut logger = bench.start();
    let sender = bench.sender(&context);
    sender.send("gone with the file", 0).unwrap();
    bench.wait_for_lines(1);
    wait_until("it is safe", || logger.figure("cbw_logger_held_bytes") == 0.0);
    fs::remove_file(bench.file()).unwrap();
    sender.send("kept", 0).unwrap();
    bench.wait_for_lines(1);
    assert_eq!(logger.stop(), Some(0));
    assert_eq!(records(&bench.text()), ["kept"]);
}

#[test]
fn the_port_of_another_logger_is_an_error() {
    let bench = Bench::new(&[]);
    let _first = bench.start();
    let mut second = Service::start(LOGGER, &[bench.port.to_string().as_str(), "/tmp/unused"], &[]);
    assert_eq!(second.wait(), Some(1));
    assert!(second.errors().contains("cannot listen on"), "{}", second.errors());
}
