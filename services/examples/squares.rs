//! A worker with work of its own: it squares numbers.
//!
//! ```text
//! cargo run -p cbw-services --bin broker &
//! cargo run -p cbw-services --example squares -- HN localhost 9999 &
//! ```
//!
//! A client sends `12` and gets `144`; for `twelve` it gets `!cbw failed …`. Everything that makes a worker dependable
//! (registration, heartbeats, reconnecting, SIGTERM) is in [`serve`]; the closure may take its time.

use std::process::ExitCode;

use cbw_services::worker::{Request, serve};

fn main() -> ExitCode {
    serve(square)
}

fn square(request: &Request) -> Result<String, String> {
    let text = request.text();
    let number: i64 = text.trim().parse().map_err(|_| format!("`{text}` is not a whole number"))?;
    let square = number.checked_mul(number).ok_or_else(|| format!("the square of {number} is too large"))?;
    Ok(square.to_string())
}
