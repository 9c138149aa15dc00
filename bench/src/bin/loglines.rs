//! `loglines PORT FILE`: lines of 99 bytes into a logger, as fast as it takes them; prints one line of JSON.
//! `--seconds S` (2) and `--lines MOST` end the sending.
//!
//! A PUSH socket sends for a while; the clock runs until the last line is in the logger's file, wherever it waited.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cbw_bench::zmtp;

const LINE: usize = 99;
/// Lines in one write(2): large enough that the sender's own calls do not count.
const CHUNK: usize = 4096;

fn main() -> Result<()> {
    let (mut port, mut file, mut seconds, mut most) = (None, None, 2.0_f64, u64::MAX);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::{Long, Value, ValueExt};
        match argument {
            Value(value) if port.is_none() => port = Some(value.parse::<u16>()?),
            Value(value) => file = Some(value),
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("lines") => most = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let (Some(port), Some(file)) = (port, file) else { bail!("loglines PORT FILE [--seconds S] [--lines MOST]") };

    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).context("connecting")?;
    let mut hello = zmtp::greeting().to_vec();
    zmtp::ready(&mut hello, "PUSH", b"");
    stream.write_all(&hello)?;
    // The peer's greeting and READY: a PULL socket says nothing after that, but for PINGs.
    let mut reader = stream.try_clone()?;
    let mut decoder = zmtp::Decoder::new(1 << 16);
    let mut scratch = [0; 4096];
    'handshake: loop {
        let count = reader.read(&mut scratch)?;
        if count == 0 {
            bail!("the logger closed the connection");
        }
        decoder.feed(&scratch[..count]);
        while let Some(item) = decoder.next_item()? {
            if matches!(item, zmtp::Item::Command(body) if body.starts_with(b"\x05READY")) {
                break 'handshake;
            }
        }
    }

    let seen = Arc::new(AtomicU64::new(0));
    let mut tail = File::open(&file).or_else(|_| File::create(&file).and_then(|_| File::open(&file)))?;
    let counted = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        loop {
            match tail.read(&mut buffer) {
                Ok(0) | Err(_) => std::thread::sleep(Duration::from_millis(2)),
                Ok(count) => {
                    let lines = buffer[..count].iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
                    counted.fetch_add(lines, Ordering::Relaxed);
                }
            }
        }
    });
    let before = seen.load(Ordering::Relaxed);

    let mut chunk = Vec::new();
    for _ in 0..CHUNK {
        zmtp::frame(&mut chunk, &[b'x'; LINE], false);
    }
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed().as_secs_f64() < seconds && sent < most {
        stream.write_all(&chunk)?;
        sent += CHUNK as u64;
    }
    let mut progress = (0, Instant::now());
    loop {
        let arrived = seen.load(Ordering::Relaxed) - before;
        if arrived >= sent {
            break;
        }
        if arrived != progress.0 {
            progress = (arrived, Instant::now());
        } else if progress.1.elapsed() > Duration::from_secs(30) {
            bail!("{arrived} of {sent} lines are in the file and no more come");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = begin.elapsed().as_secs_f64();
    println!("{{\"lines\":{sent},\"seconds\":{elapsed:.3},\"rate\":{:.0}}}", sent as f64 / elapsed);
    Ok(())
}
