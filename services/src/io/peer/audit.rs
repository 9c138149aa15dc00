//! The auditor's loop: one DEALER socket a client, the machine, and JSON lines.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use zmq::{Context, DONTWAIT, PollItem, Socket, SocketType};

use super::link::receive;
use super::poll;
use crate::audit::args::AuditArgs;
use crate::audit::{Action, Audit, Event};
use crate::config::authority;
use crate::status::wake::Wakeup;

/// Longest reply, bytes.
const FRAME_MAX: i64 = 1 << 20;

/// Asks, and prints what becomes of each request as a JSON line. Returns whether each got exactly its own answer.
pub fn run(args: &AuditArgs) -> Result<bool, Box<dyn Error>> {
    let wakeup = Wakeup::new()?;
    let signals = wakeup.signals()?;
    // Its keys come from the system's own source of randomness.
    let keyed = RandomState::new();
    let mut count = 0_u64;
    let mut random = move || {
        count += 1;
        keyed.hash_one(count)
    };
    let plan = args.plan(random());
    let over = Arc::new(AtomicBool::new(false));
    if plan.requests.is_none() {
        watch_input(&over, &wakeup)?;
    }
    let context = Context::new();
    let mut audit = Audit::new(plan, random);
    let address = format!("tcp://{}", authority(&args.broker_host, args.broker_port));
    let sockets: Vec<Socket> =
        (0..args.clients).map(|client| open(&context, &address, &audit.identity(usize::from(client)))).collect::<zmq::Result<_>>()?;
    let mut output = BufWriter::new(io::stdout());
    let beginning = Instant::now();
    let (mut actions, mut ended) = (Vec::new(), false);
    audit.handle(beginning.elapsed(), Event::Tick, &mut actions);
    while !ended {
        for action in actions.drain(..) {
            match action {
                // What cannot be sent is not answered, which is told in its time.
                Action::Send { client, body } => drop(sockets[client].send_multipart([&b""[..], body.as_bytes()], DONTWAIT)),
                Action::Tell(fact) => writeln!(output, "{fact}")?,
                Action::End => ended = true,
            }
        }
        output.flush()?;
        if ended {
            break;
        }
        let mut items = vec![PollItem::from_fd(wakeup.fd(), zmq::POLLIN)];
        items.extend(sockets.iter().map(|socket| socket.as_poll_item(zmq::POLLIN)));
        poll(&mut items, audit.next_timeout().saturating_sub(beginning.elapsed()))?;
        let ready: Vec<bool> = items.iter().map(PollItem::is_readable).collect();
        if ready[0] {
            wakeup.drain();
        }
        if signals.stop() || over.load(Ordering::Relaxed) {
            audit.handle(beginning.elapsed(), Event::Finish, &mut actions);
        }
        for (client, _) in ready[1..].iter().enumerate().filter(|(_, ready)| **ready) {
            while let Some(mut frames) = receive(&sockets[client])? {
                let envelope = frames.iter().position(Vec::is_empty).map_or(0, |delimiter| delimiter + 1);
                frames.drain(..envelope);
                audit.handle(beginning.elapsed(), Event::Reply(client, frames), &mut actions);
            }
        }
        audit.handle(beginning.elapsed(), Event::Tick, &mut actions);
    }
    writeln!(output, "{}", audit.account())?;
    output.flush()?;
    Ok(audit.account().is_clean())
}

/// The end of standard input ends the asking: whoever started the auditor need not know how to send it a signal.
fn watch_input(over: &Arc<AtomicBool>, wakeup: &Wakeup) -> io::Result<()> {
    let (over, waker) = (Arc::clone(over), wakeup.waker());
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while matches!(input.read(&mut [0; 1024]), Ok(1..)) {}
        over.store(true, Ordering::Relaxed);
        waker.wake();
    })?;
    Ok(())
}

fn open(context: &Context, address: &str, identity: &str) -> zmq::Result<Socket> {
    let socket = context.socket(SocketType::DEALER)?;
    socket.set_linger(0)?;
    socket.set_ipv6(true)?;
    socket.set_maxmsgsize(FRAME_MAX)?;
    socket.set_identity(identity.as_bytes())?;
    socket.set_reconnect_ivl(100)?;
    socket.set_reconnect_ivl_max(500)?;
    socket.connect(address)?;
    Ok(socket)
}
