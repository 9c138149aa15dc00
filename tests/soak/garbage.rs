//! `garbage`: strangers say anything to both ports of our broker, while good clients go on.
//!
//! Each good request has to end in its own answer or an explicit error, and the broker's memory must not grow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cbw_bench::blocking::Blocking;
use cbw_bench::chance::Chance;
use cbw_bench::process;
use cbw_bench::service::{Service, free_port, listens, local, until};
use cbw_bench::zmtp;

const STRANGERS: u64 = 4;
/// Connections that a stranger leaves open and silent.
const HALF_OPEN: usize = 100;
const BIG: usize = 100 << 20;
/// Pages that an allocator keeps are no leak; a leak of what strangers send in a minute is far more than this.
const GROWTH: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    asked: AtomicU64,
    answered: AtomicU64,
    errors: AtomicU64,
    wrong: AtomicU64,
    garbage: AtomicU64,
}

fn main() -> Result<()> {
    let mut seconds: u64 = std::env::var("GARBAGE_SECONDS").map_or(Ok(60), |text| text.parse()).context("GARBAGE_SECONDS")?;
    let (mut seed, mut bin) = (Chance::seed(), std::env::var_os("CBW_BIN"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::{Long, ValueExt};
        match argument {
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("bin") => bin = Some(parser.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let bin = std::path::PathBuf::from(bin.context("CBW_BIN or --bin must name the folder of our binaries")?);
    println!("garbage: {seconds} s, seed {seed}");

    let (frontend, backend) = (free_port()?, free_port()?);
    let mut broker = Service::start(&bin.join("broker"), [frontend.to_string(), backend.to_string()], &[])?;
    until("the broker listens", PATIENCE, || listens(frontend) && listens(backend))?;
    let _workers = ["WOR1", "WOR2", "WOR3"].map(|name| Service::start(&bin.join("worker"), [name, "127.0.0.1", &backend.to_string()], &[]));

    let tally = Arc::new(Tally::default());
    let mut threads = Vec::new();
    for number in 0..STRANGERS {
        let tally = Arc::clone(&tally);
        threads.push(std::thread::spawn(move || {
            stranger([frontend, backend], Chance::new(seed ^ number), &tally);
        }));
    }
    for number in 0..2 {
        let tally = Arc::clone(&tally);
        threads.push(std::thread::spawn(move || {
            good_client(frontend, number, &tally);
        }));
    }

    let begin = Instant::now();
    let third = Duration::from_secs(seconds) / 3;
    let mut peaks = [0; 3];
    while begin.elapsed() < third * 3 {
        std::thread::sleep(Duration::from_millis(100));
        ensure!(broker.ended().is_none(), "the broker has ended");
        let part = (begin.elapsed().as_millis() / third.as_millis().max(1)).min(2);
        let peak = &mut peaks[usize::try_from(part)?];
        *peak = process::resident(broker.pid()).unwrap_or(0).max(*peak);
    }
    tally.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    }
    let [asked, answered, errors, wrong, garbage] =
        [&tally.asked, &tally.answered, &tally.errors, &tally.wrong, &tally.garbage].map(|counter| counter.load(Ordering::Relaxed));
    println!("garbage: {garbage} strange conversations; peak of the broker's memory in each third: {} KiB", {
        peaks.map(|peak| (peak >> 10).to_string()).join(", ")
    });
    println!("garbage: good requests {asked}, answered {answered}, explicit errors {errors}, wrong {wrong}");
    let status = broker.terminate(PATIENCE)?;
    ensure!(status.success(), "the broker ended with {status}");
    ensure!(answered > 0 && asked == answered + errors && wrong == 0, "good clients were not served");
    ensure!(peaks[2] <= peaks[0] + GROWTH, "the broker's memory grew");
    println!("garbage: clean");
    Ok(())
}

/// Asks all the time; a lost connection is a wrong answer here, since nobody harms this one.
fn good_client(port: u16, number: u64, tally: &Tally) {
    let Ok(mut connection) = Blocking::connect(local(port), "REQ", b"", PATIENCE) else {
        tally.wrong.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let mut asked: u64 = 0;
    while !tally.stop.load(Ordering::Relaxed) {
        asked += 1;
        tally.asked.fetch_add(1, Ordering::Relaxed);
        let body = format!("good{number}-{asked}");
        let reply = connection.send(&[b"", body.as_bytes()]).and_then(|()| connection.receive(PATIENCE));
        let counter = match reply {
            Ok(Some(frames)) => match &frames[..] {
                [_, reply] if reply.starts_with(format!("{body} ").as_bytes()) => &tally.answered,
                [_, reply] if reply.starts_with(b"!cbw ") => &tally.errors,
                _ => &tally.wrong,
            },
            _ => &tally.wrong,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Talks nonsense until told to stop; errors are what it is there for.
fn stranger(ports: [u16; 2], mut chance: Chance, tally: &Tally) {
    let mut silent = Vec::new();
    while !tally.stop.load(Ordering::Relaxed) {
        let port = ports[usize::from(chance.below(2) == 1)];
        let _ = one_conversation(port, &mut chance, &mut silent);
        tally.garbage.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(chance.below(10)));
    }
}

fn one_conversation(port: u16, chance: &mut Chance, silent: &mut Vec<TcpStream>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&local(port), PATIENCE)?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    match chance.below(100) {
        // A port scan: connect and leave.
        0..20 => {}
        // Half open: connect and say nothing, or a part of a greeting.
        20..30 => {
            let count = usize::try_from(chance.below(64)).unwrap_or(0);
            stream.write_all(&zmtp::greeting()[..count])?;
            silent.push(stream);
            if silent.len() > HALF_OPEN {
                silent.clear();
            }
        }
        30..40 => {
            stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            let _ = stream.read(&mut [0; 512]);
        }
        // A TLS hello, more or less, and noise.
        40..50 => {
            let count = usize::try_from(chance.below(4096)).unwrap_or(0);
            let mut noise = b"\x16\x03\x01".to_vec();
            noise.extend(chance.bytes(count));
            stream.write_all(if chance.below(2) == 0 { &noise } else { &noise[3..] })?;
        }
        // A good handshake, then noise where frames should be.
        50..60 => {
            let mut wire = zmtp::greeting().to_vec();
            zmtp::ready(&mut wire, "DEALER", b"");
            wire.extend(chance.bytes(512));
            stream.write_all(&wire)?;
        }
        // A frame of 100 MB, whole or cut off; a claim of far more.
        60..62 => {
            drop(stream);
            let mut peer = Blocking::connect(local(port), "DEALER", b"", PATIENCE)?;
            let claim = if chance.below(4) == 0 { u64::MAX >> 1 } else { BIG as u64 };
            let mut head = vec![2];
            head.extend_from_slice(&claim.to_be_bytes());
            peer.send_raw(&head)?;
            let chunk = vec![0x55; 1 << 20];
            for _ in 0..chance.below(101) {
                peer.send_raw(&chunk)?;
            }
        }
        // Messages of 1 to 50 random frames from a socket of any type and with any identity.
        _ => {
            drop(stream);
            let kind = ["DEALER", "REQ", "ROUTER", "PUB", "nonsense"][usize::try_from(chance.below(5)).unwrap_or(0)];
            let identity_length = [0, 0, 5, 255][usize::try_from(chance.below(4)).unwrap_or(0)];
            let identity = chance.bytes(identity_length);
            let mut peer = Blocking::connect(local(port), kind, &identity, Duration::from_millis(300))?;
            for _ in 0..chance.below(20) {
                let frames: Vec<Vec<u8>> = (0..=chance.below(50))
                    .map(|_| {
                        let length = usize::try_from(chance.below(20)).unwrap_or(0);
                        chance.bytes(length)
                    })
                    .collect();
                let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
                peer.send(&frames)?;
            }
            let _ = peer.receive(Duration::from_millis(20));
        }
    }
    Ok(())
}
