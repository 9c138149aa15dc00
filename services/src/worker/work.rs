//! What a worker does with a request: the lab's echo, a function, or a command.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{io, thread};

use smallvec::smallvec;

use crate::status::wake::Waker;
use crate::wire::{ERROR_PREFIX, Frames};

/// A request as a handler sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Identity of the client, as the broker knows it.
    pub client: Vec<u8>,
    /// The body's frames, at least one; most clients send exactly one.
    pub frames: Frames<Vec<u8>>,
}

impl Request {
    /// The whole body; several frames follow each other without anything between them.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.frames.concat()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }
}

/// The answer, or why there is none, as the body of the reply.
pub type Answer = Result<Frames<Vec<u8>>, String>;

/// The lab's work: the body and the worker's identity, with a blank between them. Further frames come back before the last.
#[must_use]
pub fn echo(mut body: Frames<Vec<u8>>, id: &str) -> Frames<Vec<u8>> {
    if let Some(last) = body.last_mut() {
        last.push(b' ');
        last.extend_from_slice(id.as_bytes());
    }
    body
}

/// The reply that tells a client why its request failed. One line, and not longer than a line should be.
#[must_use]
pub fn failure(why: &str) -> Frames<Vec<u8>> {
    let mut text = [ERROR_PREFIX, b"failed "].concat();
    text.extend(why.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().bytes());
    smallvec![text]
}

/// A thread that does one request at a time, so that heartbeats go on meanwhile.
#[derive(Debug)]
pub struct Hands {
    jobs: SyncSender<(u64, Request)>,
    answers: Receiver<(u64, Answer)>,
}

impl Hands {
    /// Starts the thread; `waker` wakes the loop when an answer is there.
    pub fn new<R, E>(mut handler: impl FnMut(&Request) -> Result<R, E> + Send + 'static, waker: Waker) -> io::Result<Self>
    where
        R: Into<Vec<u8>>,
        E: Display,
    {
        let (jobs, todo) = sync_channel::<(u64, Request)>(1);
        let (finished, answers) = sync_channel(1);
        thread::Builder::new().name("work".to_owned()).spawn(move || {
            while let Ok((job, request)) = todo.recv() {
                // A handler that panics fails its request, not the worker.
                let answer: Answer = match catch_unwind(AssertUnwindSafe(|| handler(&request))) {
                    Ok(Ok(reply)) => Ok(smallvec![reply.into()]),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("the worker's program panicked".to_owned()),
                };
                if finished.send((job, answer)).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok(Self { jobs, answers })
    }

    /// Gives the thread its next request; there is never more than one.
    pub fn begin(&self, job: u64, request: Request) -> Result<(), String> {
        self.jobs.try_send((job, request)).map_err(|_| "the worker's thread is gone".to_owned())
    }

    /// The answer, if there is one.
    #[must_use]
    pub fn answer(&self) -> Option<(u64, Answer)> {
        self.answers.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::wake::Wakeup;

    #[test]
    fn an_echo_ends_with_the_workers_name() {
        assert_eq!(echo(smallvec![b"cli-1".to_vec()], "wor").as_slice(), [b"cli-1 wor".to_vec()]);
        assert_eq!(echo(smallvec![b"a".to_vec(), vec![]], "wor").as_slice(), [b"a".to_vec(), b" wor".to_vec()]);
    }

    #[test]
    fn a_failure_is_one_line_of_text() {
        assert_eq!(failure("no\nsuch thing").as_slice(), [b"!cbw failed no such thing".to_vec()]);
    }

    #[test]
    fn a_handler_that_panics_fails_its_request_only() {
        let wakeup = Wakeup::new().unwrap();
        let handler = |request: &Request| -> Result<String, String> {
            assert!(request.text() != "die", "as the test wants");
            Ok(request.text())
        };
        let hands = Hands::new(handler, wakeup.waker()).unwrap();
        for (job, body) in [(1, "die"), (2, "live")] {
            hands.begin(job, Request { client: vec![], frames: smallvec![body.into()] }).unwrap();
            let (done, answer) = hands.answers.recv().unwrap();
            assert_eq!((done, answer.is_ok()), (job, body == "live"));
        }
    }
}
