//! A real volume that is really full. It needs the right to mount one.

use std::fs;
use std::path::Path;
use std::process::Command;

use zmq::{Context, DONTWAIT};

use super::{Bench, records};
use crate::processes::wait_until;

/// A small tmpfs; it is unmounted when the test ends.
struct Volume<'a>(&'a Path);

impl<'a> Volume<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Volume<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_volume_loses_nothing_that_was_taken() {
    let bench = Bench::new(&["--memory", "64K"]);
    let Some(_volume) = Volume::mount(bench.folder.path()) else {
        println!("skipped: mounting a tmpfs needs root");
        return;
    };
    let ballast = bench.folder.path().join("ballast");
    fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let mut logger = bench.start();
    let context = Context::new();
    let sender = bench.sender(&context);
    let mut sent = 0;
    // Until the logger reads no more and the queues between are full.
    let mut unhealthy = false;
    wait_until("the sender notices", || {
        while sender.send(format!("record {sent} {}", "x".repeat(60)).as_str(), DONTWAIT).is_ok() {
            sent += 1;
            if sent % 1000 == 0 {
                break;
            }
        }
        unhealthy = unhealthy || logger.figure("cbw_logger_healthy") == 0.0;
        unhealthy && logger.figure("cbw_logger_held_bytes") >= 65536.0
    });
    logger.wait_until_unhealthy();
    let taken = logger.figure("cbw_logger_records_total");
    fs::remove_file(&ballast).unwrap();
    // There is room for what is held, not for all that is still on its way: look at what was taken by then.
    wait_until("it writes again", || {
        logger.figure("cbw_logger_written_bytes_total") >= 65536.0 + 50000.0 || logger.figure("cbw_logger_healthy") > 0.0
    });
    wait_until("what was held is in the file", || bench.text().lines().count() as f64 >= taken);
    let text = bench.text();
    for (n, record) in records(&text).iter().enumerate().take(taken as usize) {
        assert!(record.starts_with(&format!("record {n} x")) && record.ends_with(&"x".repeat(60)), "{record}");
    }
    // The rest has no room; the logger says so in the end.
    let _ = logger.stop();
}
