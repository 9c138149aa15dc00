//! A broker that does one thing wrong, to show that `cbwgen verify` sees it. Only with the feature `mutants`, which nothing that
//! is deployed has; `CBW_MUTANT` names the fault.

use std::sync::OnceLock;

use crate::broker::{Outbox, Side};
use crate::wire::Frame;

/// What is wrong with this broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Two clients get each other's reply, once in twenty replies.
    Swaps,
    /// The last ready worker gets nothing.
    KeepsIdle,
    /// A request whose worker is lost is lost too.
    NeverAgain,
    /// One reply in twenty comes twice.
    Twice,
    /// One reply in fifty is lost.
    Loses,
}

/// Whether this process has that fault.
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    static HERE: OnceLock<Option<Mutant>> = OnceLock::new();
    let here = HERE.get_or_init(|| match std::env::var("CBW_MUTANT").ok()?.as_str() {
        "swaps" => Some(Mutant::Swaps),
        "keeps-idle" => Some(Mutant::KeepsIdle),
        "never-again" => Some(Mutant::NeverAgain),
        "twice" => Some(Mutant::Twice),
        "loses" => Some(Mutant::Loses),
        _ => None,
    });
    *here == Some(mutant)
}

/// Spoils replies on their way out.
#[derive(Debug)]
pub struct Spoiler<F> {
    replies: u64,
    held: Option<Vec<F>>,
}

impl<F> Default for Spoiler<F> {
    fn default() -> Self {
        Self { replies: 0, held: None }
    }
}

impl<F: Frame> Spoiler<F> {
    /// Spoils what is in `out`, if it is a reply's turn.
    pub fn spoil(&mut self, out: &mut Outbox<F>) {
        let mut frames = std::mem::take(&mut out.frames).into_iter();
        let mut messages: Vec<(Side, Vec<F>)> =
            out.messages.drain(..).map(|(side, count)| (side, frames.by_ref().take(count).collect())).collect();
        let mut spoiled = Vec::with_capacity(messages.len());
        for (side, message) in messages.drain(..) {
            if side == Side::Frontend {
                self.replies += 1;
                self.reply(message, &mut spoiled);
            } else {
                spoiled.push((side, message));
            }
        }
        for (side, message) in spoiled {
            out.messages.push((side, message.len()));
            out.frames.extend(message);
        }
    }

    fn reply(&mut self, message: Vec<F>, out: &mut Vec<(Side, Vec<F>)>) {
        if is(Mutant::Loses) && self.replies.is_multiple_of(50) {
            return;
        }
        if is(Mutant::Twice) && self.replies.is_multiple_of(20) {
            out.push((Side::Frontend, message.iter().map(|frame| F::of(frame.bytes())).collect()));
        }
        if !is(Mutant::Swaps) {
            return out.push((Side::Frontend, message));
        }
        match self.held.take() {
            Some(mut held) if held.first().map(F::bytes) != message.first().map(F::bytes) && held.len() == message.len() => {
                let mut message = message;
                std::mem::swap(&mut held[0], &mut message[0]);
                out.push((Side::Frontend, held));
                out.push((Side::Frontend, message));
            }
            Some(held) => {
                out.push((Side::Frontend, held));
                out.push((Side::Frontend, message));
            }
            None if self.replies.is_multiple_of(20) => self.held = Some(message),
            None => out.push((Side::Frontend, message)),
        }
    }
}
