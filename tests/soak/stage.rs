//! The processes, and what is done to them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cbw_bench::chance::Chance;
use cbw_bench::service::{Service, free_port, listens, until};
use rustix::process::Signal;

use crate::records::Records;

const OUR_WORKERS: usize = 4;
const REQ_WORKERS: [&str; 3] = ["short", "long", "guide"];
const START: Duration = Duration::from_secs(30);

/// All that runs.
#[derive(Debug)]
pub struct Stage {
    bin: PathBuf,
    log: PathBuf,
    chance: Chance,
    pub frontend: u16,
    backend: u16,
    pub logger_port: u16,
    logger: Service,
    broker: Service,
    workers: Vec<Worker>,
    counts: [(&'static str, u32); 6],
}

#[derive(Debug)]
struct Worker {
    service: Service,
    /// It is stopped and goes on then.
    stopped_until: Option<Instant>,
}

impl Stage {
    /// Starts everything and waits until it listens.
    pub fn start(bin: &Path, folder: &Path, chance: Chance) -> Result<Self> {
        let (frontend, backend, logger_port) = (free_port()?, free_port()?, free_port()?);
        let log = folder.join("logs");
        let logger = start_logger(bin, logger_port, &log)?;
        let broker = start_broker(bin, frontend, backend, logger_port)?;
        let mut stage = Self {
            bin: bin.to_owned(),
            log,
            chance,
            frontend,
            backend,
            logger_port,
            logger,
            broker,
            workers: Vec::new(),
            counts: ["worker killed", "worker stopped", "broker killed", "broker restarted", "logger killed", "logger restarted"]
                .map(|name| (name, 0)),
        };
        for index in 0..OUR_WORKERS + REQ_WORKERS.len() {
            let service = stage.start_worker(index)?;
            stage.workers.push(Worker { service, stopped_until: None });
        }
        Ok(stage)
    }

    fn start_worker(&self, index: usize) -> Result<Service> {
        let (backend, logger) = (self.backend.to_string(), self.logger_port.to_string());
        if let Some(dialect) = index.checked_sub(OUR_WORKERS).and_then(|index| REQ_WORKERS.get(index)) {
            let name = format!("plain-{dialect}");
            return Service::start(&std::env::current_exe()?, ["req-worker", dialect, &name, &backend], &[]);
        }
        let name = format!("WOR{index}");
        let arguments = [&name, "127.0.0.1", &backend, "127.0.0.1", &logger];
        Service::start(&self.bin.join("worker"), arguments, &[("SERVICE_TIME", "2ms")])
    }

    pub fn broker_pid(&self) -> u32 {
        self.broker.pid()
    }

    /// How often each fault was made.
    pub fn faults(&self) -> String {
        self.counts.map(|(name, times)| format!("{name} {times}")).join(", ")
    }

    /// Waits a little, then makes one fault. What is killed is started again before this returns.
    pub fn fault(&mut self, records: &Records) -> Result<()> {
        let (calm, away) = (self.some_ms(200, 1700), self.some_ms(0, 800));
        self.pause(calm)?;
        let index = usize::try_from(self.chance.below(self.workers.len() as u64))?;
        let kind = match self.chance.below(100) {
            0..40 => {
                self.workers[index].service.kill()?;
                // It was stopped, perhaps; there is nobody left to go on.
                self.workers[index].stopped_until = None;
                self.pause(away)?;
                self.workers[index] = Worker { service: self.start_worker(index)?, stopped_until: None };
                0
            }
            40..75 => {
                self.workers[index].service.signal(Signal::STOP)?;
                let long = self.some_ms(200, 4200);
                self.workers[index].stopped_until = Some(Instant::now() + long);
                1
            }
            75..81 => {
                self.broker.kill()?;
                self.pause(away)?;
                self.broker = start_broker(&self.bin, self.frontend, self.backend, self.logger_port)?;
                2
            }
            81..86 => {
                self.broker.terminate(START).context("ending the broker")?;
                self.broker = start_broker(&self.bin, self.frontend, self.backend, self.logger_port)?;
                3
            }
            86..93 => {
                let from = Instant::now();
                self.logger.kill()?;
                self.logger = start_logger(&self.bin, self.logger_port, &self.log)?;
                records.was_away(from, Instant::now());
                4
            }
            _ => {
                let from = Instant::now();
                self.logger.terminate(START).context("ending the logger")?;
                self.logger = start_logger(&self.bin, self.logger_port, &self.log)?;
                records.was_away(from, Instant::now());
                5
            }
        };
        self.counts[kind].1 += 1;
        Ok(())
    }

    fn some_ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.chance.below(most - least))
    }

    /// Sleeps, and lets stopped workers go on when their time has come.
    fn pause(&mut self, how_long: Duration) -> Result<()> {
        let end = Instant::now() + how_long;
        loop {
            let now = Instant::now();
            for worker in &mut self.workers {
                if worker.stopped_until.is_some_and(|until| until <= now) {
                    worker.service.signal(Signal::CONT)?;
                    worker.stopped_until = None;
                }
            }
            if now >= end {
                return Ok(());
            }
            std::thread::sleep((end - now).min(Duration::from_millis(50)));
        }
    }

    /// Faults stop: whoever was stopped goes on.
    pub fn heal(&mut self) -> Result<()> {
        for worker in &mut self.workers {
            worker.service.signal(Signal::CONT)?;
            worker.stopped_until = None;
        }
        Ok(())
    }

    /// Ends our services in the order of a deployment; names those that did not end with exit code 0.
    pub fn end(&mut self, patience: Duration) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let workers = self.workers.iter_mut().take(OUR_WORKERS).map(|worker| ("worker", &mut worker.service));
        for (name, service) in workers.chain([("broker", &mut self.broker), ("logger", &mut self.logger)]) {
            let status = service.terminate(patience)?;
            if !status.success() {
                wrong.push(format!("{name}: {status}"));
            }
        }
        Ok(wrong)
    }
}

fn start_broker(bin: &Path, frontend: u16, backend: u16, logger: u16) -> Result<Service> {
    let arguments = [frontend.to_string(), backend.to_string(), "127.0.0.1".to_owned(), logger.to_string()];
    let environment = [("DEADLINE", "1s"), ("DRAIN", "2s")];
    let mut broker = Service::start(&bin.join("broker"), arguments, &environment)?;
    until("the broker listens", START, || broker.ended().is_some() || listens(frontend) && listens(backend))?;
    anyhow::ensure!(broker.ended().is_none(), "the broker ended at its start");
    Ok(broker)
}

fn start_logger(bin: &Path, port: u16, log: &Path) -> Result<Service> {
    let mut logger = Service::start(&bin.join("logger"), [port.to_string().as_ref(), log.as_os_str()], &[])?;
    until("the logger listens", START, || logger.ended().is_some() || listens(port))?;
    anyhow::ensure!(logger.ended().is_none(), "the logger ended at its start");
    Ok(logger)
}
