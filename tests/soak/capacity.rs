//! `capacity`: ten thousand clients connected, a hundred thousand requests waiting.
//!
//! The clients fill our broker's queue while there is no worker, ask a little more, which has to be refused as busy, and then
//! workers come: every request that was accepted has to be answered. The broker's memory is printed at each step.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cbw_bench::net::{Connection, open_more};
use cbw_bench::process;
use cbw_bench::service::{Service, free_port, listens, local, until};
use mio::{Events, Poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const WORKERS: usize = 64;
const BODY: [u8; 64] = [b'.'; 64];
/// Requests beyond the bound.
const MORE: usize = 100;
const PATIENCE: Duration = Duration::from_mins(3);

struct Crowd {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    connections: Vec<Connection>,
    answered: usize,
    busy: usize,
    wrong: usize,
}

fn main() -> Result<()> {
    let (mut bin, mut clients, mut each) = (std::env::var_os("CBW_BIN"), 10_000, 10);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::{Long, ValueExt};
        match argument {
            Long("bin") => bin = Some(parser.value()?),
            Long("clients") => clients = parser.value()?.parse()?,
            Long("each") => each = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let bin = std::path::PathBuf::from(bin.context("CBW_BIN or --bin must name the folder of our binaries")?);
    let descriptors = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: descriptors, maximum: descriptors })?;
    let waiting: usize = clients * each;

    let (frontend, backend) = (free_port()?, free_port()?);
    let queue = waiting.to_string();
    let broker = Service::start(&bin.join("broker"), [frontend.to_string(), backend.to_string()], &[("QUEUE", queue.as_str())])?;
    until("the broker listens", PATIENCE, || listens(frontend) && listens(backend))?;
    let start = memory(&broker)?;
    println!("capacity: the broker alone {} KiB", start >> 10);

    let mut crowd = Crowd {
        poll: Poll::new()?,
        events: Events::with_capacity(1024),
        scratch: vec![0; 64 * 1024],
        connections: Vec::new(),
        answered: 0,
        busy: 0,
        wrong: 0,
    };
    crowd.connect(clients, frontend, "DEALER")?;
    let connected = memory(&broker)?;
    println!("capacity: {clients} clients connected {} KiB, {} bytes each", connected >> 10, (connected - start) / clients as u64);

    for client in &mut crowd.connections {
        for _ in 0..each {
            client.push(&[b"", &BODY]);
        }
        client.flush()?;
    }
    crowd.settle_until_quiet(&broker)?;
    let full = memory(&broker)?;
    println!("capacity: {waiting} requests waiting {} KiB, {} bytes each", full >> 10, full.saturating_sub(connected) / waiting as u64);
    ensure!(crowd.busy == 0 && crowd.answered == 0, "{} were refused before the queue was full", crowd.busy);

    for client in crowd.connections.iter_mut().take(MORE) {
        client.push(&[b"", &BODY]);
        client.flush()?;
    }
    let begin = Instant::now();
    while crowd.busy < MORE && begin.elapsed() < PATIENCE {
        crowd.turn(false)?;
    }
    println!("capacity: {} of {MORE} requests beyond the bound were refused as busy", crowd.busy);

    crowd.connect(WORKERS, backend, "REQ")?;
    let begin = Instant::now();
    for worker in &mut crowd.connections[clients..] {
        worker.push(&[b"", b"READY"]);
        worker.flush()?;
    }
    while crowd.answered < waiting && begin.elapsed() < PATIENCE {
        crowd.turn(true)?;
    }
    println!(
        "capacity: {} of {waiting} answered {:.1} s after {WORKERS} workers came, wrong {}; {} KiB",
        crowd.answered,
        begin.elapsed().as_secs_f64(),
        crowd.wrong,
        memory(&broker)? >> 10
    );
    ensure!(crowd.answered == waiting && crowd.busy == MORE && crowd.wrong == 0, "the account is not clean");
    Ok(())
}

fn memory(broker: &Service) -> Result<u64> {
    process::resident(broker.pid()).context("the broker has ended")
}

impl Crowd {
    fn connect(&mut self, count: usize, port: u16, socket_type: &str) -> Result<()> {
        let Self { poll, events, scratch, connections, .. } = self;
        open_more(poll, events, scratch, connections, count, (local(port), socket_type))?;
        Ok(())
    }

    /// One round of events. Workers, the connections at the end, echo.
    fn turn(&mut self, echo: bool) -> Result<()> {
        self.poll.poll(&mut self.events, Some(Duration::from_millis(20)))?;
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            let lost = |error| anyhow::Error::new(error).context(format!("connection {}", event.token().0));
            connection.flush().map_err(lost)?;
            let (answered, busy, wrong) = (&mut self.answered, &mut self.busy, &mut self.wrong);
            connection
                .read(&mut self.scratch, |frames, out| {
                    if echo && frames.len() == 4 {
                        let frames: Vec<&[u8]> = frames.iter().collect();
                        return cbw_bench::zmtp::message(out, &frames);
                    }
                    match frames.get(frames.len() - 1) {
                        Some(body) if body == BODY => *answered += 1,
                        Some(body) if body.starts_with(b"!cbw busy") => *busy += 1,
                        _ => *wrong += 1,
                    }
                })
                .map_err(lost)?;
            connection.flush().map_err(lost)?;
        }
        Ok(())
    }

    /// Until everything is sent and the broker has used no CPU time for half a second.
    fn settle_until_quiet(&mut self, broker: &Service) -> Result<()> {
        let (begin, mut busy_at, mut used) = (Instant::now(), Instant::now(), Duration::ZERO);
        while busy_at.elapsed() < Duration::from_millis(500) {
            ensure!(begin.elapsed() < PATIENCE, "the broker is still busy");
            self.turn(false)?;
            let now = process::cpu(broker.pid()).context("the broker has ended")?;
            let unsent = self.connections.iter().any(|connection| connection.backlog() > 0);
            // Heartbeats of ten thousand connections cost something: a tick or two in half a second is quiet.
            if now > used + Duration::from_millis(20) || unsent {
                (busy_at, used) = (Instant::now(), now);
            }
        }
        Ok(())
    }
}
