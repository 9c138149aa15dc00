//! What the kernel says of a process (`proc(5)`).

use std::fs;
use std::time::Duration;

/// CPU time that a process has used, all threads, user and system. `None` when it is gone.
#[must_use]
pub fn cpu(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold blanks: count from the last `)`.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    // A clock tick is 10 ms on every Linux that Rust supports (USER_HZ = 100).
    Some(Duration::from_millis((user + system) * 10))
}

/// Resident memory of a process in bytes. `None` when it is gone.
#[must_use]
pub fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
