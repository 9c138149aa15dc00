//! `soak`: real processes under load and random faults, and an account at the end.
//!
//! A broker, a logger, workers of ours and plain REQ workers run as processes. Clients ask all the time; workers are killed
//! and stopped, broker and logger are killed and restarted. Each request has to end in its own answer or an explicit error,
//! never in two, never in another's; each record that the logger had taken has to be in its file, once and in order.

mod account;
mod clients;
mod records;
mod stage;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cbw_bench::chance::Chance;
use cbw_bench::process;

use account::Tally;
use records::Records;
use stage::Stage;

const HELP: &str = "\
soak [options]
  --seconds S   how long faults are made (SOAK_SECONDS, 600)
  --seed N      the faults of an earlier run (random)
  --bin DIR     our binaries (CBW_BIN)";

/// How long the last requests and the ends of processes may take.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, dialect, name, port] = &arguments[..]
        && mode == "req-worker"
    {
        return clients::req_worker(dialect, name, port.parse()?);
    }
    let mut seconds: u64 = std::env::var("SOAK_SECONDS").map_or(Ok(600), |text| text.parse()).context("SOAK_SECONDS")?;
    let (mut seed, mut bin) = (Chance::seed(), std::env::var_os("CBW_BIN"));
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::{Long, ValueExt};
        match argument {
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("bin") => bin = Some(parser.value()?),
            Long("help") => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let bin = std::path::PathBuf::from(bin.context("CBW_BIN or --bin must name the folder of our binaries")?);
    println!("soak: {seconds} s, seed {seed}");

    let folder = std::env::temp_dir().join(format!("cbw-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let clean = run(&bin, &folder, seconds, seed);
    if matches!(clean, Ok(true)) {
        std::fs::remove_dir_all(&folder)?;
        return Ok(());
    }
    println!("soak: the log is kept in {}", folder.display());
    clean?;
    bail!("the account is not clean")
}

/// One soak; whether its account is clean.
fn run(bin: &std::path::Path, folder: &std::path::Path, seconds: u64, seed: u64) -> Result<bool> {
    let mut stage = Stage::start(bin, folder, Chance::new(seed))?;
    let tally = Arc::new(Tally::default());
    let records = Arc::new(Records::default());
    let asking = clients::start(stage.frontend, &tally, seed);
    let logging = records::start(stage.logger_port, &records);

    let begin = Instant::now();
    let mut next_line = Duration::from_secs(30);
    while begin.elapsed() < Duration::from_secs(seconds) {
        stage.fault(&records)?;
        if begin.elapsed() >= next_line {
            next_line += Duration::from_secs(30);
            let memory = process::resident(stage.broker_pid()).unwrap_or(0) >> 10;
            println!("{:>5} s: {}, broker {memory} KiB", begin.elapsed().as_secs(), tally.line());
        }
    }
    stage.heal()?;
    tally.stop.store(true, Ordering::Relaxed);
    for client in asking {
        client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
    }
    // The logger is healthy for a second before the senders end, so that the last records count too.
    std::thread::sleep(Duration::from_secs(1));
    records.stop.store(true, Ordering::Relaxed);
    for sender in logging {
        sender.join().map_err(|_| anyhow::anyhow!("a sender of records panicked"))?;
    }
    let memory = process::resident(stage.broker_pid()).unwrap_or(0) >> 10;
    let ends = stage.end(PATIENCE)?;

    println!("\nfaults: {}; broker {memory} KiB at the end", stage.faults());
    println!("requests: {}", tally.line());
    let account = records.account(&folder.join("logs"))?;
    println!("records: {account}");
    for service in &ends {
        println!("exit: {service}");
    }
    let clean = tally.clean() && account.clean() && ends.is_empty();
    println!("soak: {}", if clean { "clean" } else { "NOT clean" });
    Ok(clean)
}
