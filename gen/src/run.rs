//! A topology as local processes: the plan without containers.
//!
//! [`process`] turns the plan into processes on loopback (pure), [`supervise`] starts them in the plan's order, keeps them up as
//! the engine would, and stops them in the reverse order; [`output`] shows what they print; [`state`] is the file by which other
//! commands find them.

pub mod output;
pub mod process;
pub mod state;
pub mod supervise;

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes `program`, which dies with the process that started it: a supervisor that is killed leaves nothing behind. (Linux; see
/// prctl(2), `PR_SET_PDEATHSIG`.) Returns only when that failed.
#[must_use]
pub fn leash(parent: u32, program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> std::io::Error {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
            return error.into();
        }
        // The parent may have died before the leash was on.
        let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
        if now != Some(parent) {
            return std::io::Error::other("the supervisor is gone");
        }
    }
    let _ = parent;
    Command::new(program).args(arguments).exec()
}
