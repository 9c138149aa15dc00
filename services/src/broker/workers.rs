//! The rules of workers: registered, adopted, late, replaced, gone.

use std::time::Duration;

use super::entry::{Held, State, Worker};
use super::{Broker, Context, DownReason, DropReason, Notice, TRIES_MAX, WORKERS_MAX, Watch};
use crate::wire::{self, Dialect, Frame, Frames, FromWorker};

/// Deadlines after which a worker that does not answer, but is not gone either, is believed to have lost its work.
pub(super) const LATE_FOR_LONG: u32 = 10;

impl<F: Frame> Broker<F> {
    /// A message from a worker. Whatever a REQ worker says, it is free: it can only speak in turn.
    pub(super) fn worker_said<W: Watch>(&mut self, frames: &mut Vec<F>, context: &mut Context<'_, F, W>) {
        let key = frames.first().and_then(|id| self.workers.find(id.bytes()));
        let known = key.map(|key| self.workers[key].dialect);
        match wire::from_worker(frames, known) {
            Ok((id, FromWorker::Ready(dialect))) => self.registers(key, id.bytes(), dialect, context),
            Ok((id, FromWorker::Heartbeat)) => self.beats(key, id.bytes(), context),
            Ok((id, FromWorker::Reply { dialect, client, body })) => match key {
                Some(key) if known.is_some_and(|known| known.is_req() == dialect.is_req()) => {
                    self.replies(key, dialect, client, body, context);
                }
                _ => {
                    // A worker of an earlier broker, or another kind of worker under a known name: it is there, and free.
                    self.unasked(id.bytes(), context);
                    self.stands_by(key, id.bytes(), dialect, false, context);
                }
            },
            Err(why) => {
                self.counters.malformed += 1;
                let peer = key.map_or(b"".as_slice(), |key| &self.workers[key].id);
                context.tell(Notice::Drop { peer, why: DropReason::Malformed(why) });
                frames.clear();
                if let Some(key) = key.filter(|&key| self.workers[key].dialect.is_req()) {
                    self.is_free(key, context);
                }
            }
        }
    }

    /// A registration. Under a known name it is another process, or the same one anew: it has nothing in hand.
    fn registers<W: Watch>(&mut self, key: Option<usize>, id: &[u8], dialect: Dialect, context: &mut Context<'_, F, W>) {
        self.counters.registrations += 1;
        self.stands_by(key, id, dialect, true, context);
    }

    /// A sign of life of a ppp worker. One that is not known has outlived a broker, or was believed dead.
    fn beats<W: Watch>(&mut self, key: Option<usize>, id: &[u8], context: &mut Context<'_, F, W>) {
        match key.filter(|&key| !self.workers[key].dialect.is_req()) {
            // It is alive and connected, so its answer or its work was lost: it would stay late for ever.
            Some(key) if self.late_for_long(key, context.now) => self.adopts(Some(key), id, context),
            Some(key) => self.heard(key, context),
            None => self.adopts(key, id, context),
        }
    }

    fn adopts<W: Watch>(&mut self, key: Option<usize>, id: &[u8], context: &mut Context<'_, F, W>) {
        self.counters.adopted += 1;
        self.stands_by(key, id, Dialect::Ppp, false, context);
    }

    fn late_for_long(&self, key: usize, now: Duration) -> bool {
        let worker = &self.workers[key];
        matches!(worker.state, State::Late(_)) && now >= worker.since + self.config.deadline * LATE_FOR_LONG
    }

    /// A worker is there and free: a new entry, or the old one without what it had.
    fn stands_by<W: Watch>(&mut self, key: Option<usize>, id: &[u8], dialect: Dialect, registered: bool, context: &mut Context<'_, F, W>) {
        let mut had_work = false;
        if let Some(key) = key {
            self.goes(key, DownReason::Replaced, context);
            had_work = matches!(self.workers.remove(key).state, State::Working(_) | State::Late(_));
        }
        let mut worker = Worker::new(id, dialect, State::Ready, context.now);
        // A REQ socket that speaks has nothing in hand. A DEALER may have, unless it has just begun. Either may get, by its new
        // connection, what was given to the old one a moment before it spoke.
        worker.confirmed = (registered || dialect.is_req()) && !had_work;
        let Some(key) = self.add(worker, context) else { return };
        if dialect == Dialect::Ppp {
            self.workers[key].beat = context.now + self.config.heartbeat;
            self.beats.push_back(&mut self.workers, key);
            self.alive.push_back(&mut self.workers, key);
        }
        self.ready.push_back(&mut self.workers, key);
        context.tell(Notice::WorkerUp { worker: id, dialect, adopted: !registered });
    }

    /// Adds a worker; when there are too many, the oldest that is only seen or gone gives way.
    fn add<W: Watch>(&mut self, worker: Worker, context: &mut Context<'_, F, W>) -> Option<usize> {
        if self.workers.len() >= WORKERS_MAX {
            let Some(oldest) = self.candidates.front().or_else(|| self.seen.front()) else {
                self.unasked(&worker.id, context);
                return None;
            };
            self.out_of_lists(oldest);
            self.workers.remove(oldest);
        }
        Some(self.workers.insert(worker))
    }

    fn replies<W: Watch>(&mut self, key: usize, dialect: Dialect, client: F, body: Frames<F>, context: &mut Context<'_, F, W>) {
        let worker = &mut self.workers[key];
        // The shape of the first answer tells the dialect of a worker that was adopted. It misread the question.
        let misread = !worker.confirmed && worker.dialect != dialect;
        if misread {
            worker.dialect = dialect;
        }
        let (state, is_req) = (worker.state, dialect.is_req());
        match state {
            State::Working(held) if !misread && self.answers(held, client.bytes()) => {
                self.answer(held, key, client, body, context);
                self.drop_orphan(held);
                self.becomes_ready(key, context);
            }
            State::Late(held) if !misread && (self.is_over(held) || self.answers(held, client.bytes())) => {
                self.answer(held, key, client, body, context);
                self.becomes_ready(key, context);
            }
            // A DEALER answers what it was asked before; the answer that it owes is still to come.
            State::Working(_) | State::Late(_) if !is_req => self.unasked_by(key, context),
            State::Ready if !is_req => {
                self.unasked_by(key, context);
                self.heard(key, context);
            }
            _ => {
                self.unasked_by(key, context);
                self.is_free(key, context);
            }
        }
    }

    /// A REQ worker has said something: what it had is given again, and it is ready.
    fn is_free<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        match self.workers[key].state {
            State::Ready => self.workers[key].confirmed = true,
            State::Working(held) => {
                self.take_back(held, key, context);
                self.becomes_ready(key, context);
            }
            State::Late(_) => self.becomes_ready(key, context),
            State::Seen { .. } | State::Candidate => {
                self.becomes_ready(key, context);
                let worker = &self.workers[key];
                context.tell(Notice::WorkerUp { worker: &worker.id, dialect: worker.dialect, adopted: true });
            }
        }
    }

    /// A worker is free now, and has proved it.
    fn becomes_ready<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        self.out_of_turn(key);
        let worker = &mut self.workers[key];
        worker.state = State::Ready;
        worker.since = context.now;
        worker.confirmed = true;
        worker.tries = 0;
        self.ready.push_back(&mut self.workers, key);
        if !self.workers[key].dialect.is_req() {
            self.heard(key, context);
        }
    }

    /// A ppp worker gave a sign of life. While it works the deadline alone counts: the Guide's cannot do both.
    fn heard<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        self.workers[key].heard = context.now;
        self.alive.remove_if_linked(&mut self.workers, key);
        if !matches!(self.workers[key].state, State::Working(_)) {
            self.alive.push_back(&mut self.workers, key);
        }
    }

    /// A REQ socket is connected. When it stays silent it registered with an earlier broker.
    pub(super) fn worker_seen<W: Watch>(&mut self, id: &[u8], context: &mut Context<'_, F, W>) {
        if let Some(key) = self.workers.find(id) {
            if let State::Seen { connected } = &mut self.workers[key].state {
                *connected = true;
            }
        } else if !id.is_empty() && id.len() <= wire::IDENTITY_MAX {
            let worker = Worker::new(id, self.assumed(), State::Seen { connected: true }, context.now);
            if let Some(key) = self.add(worker, context) {
                self.seen.push_back(&mut self.workers, key);
            }
        }
    }

    /// The grace of a REQ worker is over: it is adopted, or tried with the next request when nobody has seen it connect.
    pub(super) fn grace_over<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        self.seen.remove(&mut self.workers, key);
        let worker = &mut self.workers[key];
        if worker.state == (State::Seen { connected: true }) {
            worker.state = State::Ready;
            worker.since = context.now;
            context.tell(Notice::WorkerUp { worker: &worker.id, dialect: worker.dialect, adopted: true });
            self.ready.push_back(&mut self.workers, key);
            self.counters.adopted += 1;
        } else {
            worker.state = State::Candidate;
            self.candidates.push_back(&mut self.workers, key);
        }
    }

    /// The connection of a worker is gone.
    pub(super) fn worker_gone<W: Watch>(&mut self, id: &[u8], context: &mut Context<'_, F, W>) {
        if let Some(key) = self.workers.find(id) {
            self.gone(key, DownReason::Unreachable, context);
        }
    }

    /// A message to a worker was not delivered; when it was work, the next worker gets it.
    pub(super) fn undelivered<W: Watch>(&mut self, id: &[u8], work: bool, context: &mut Context<'_, F, W>) {
        let Some(key) = self.workers.find(id) else { return };
        if let State::Working(held) = self.workers[key].state
            && work
        {
            self.never_given(held);
        }
        self.gone(key, DownReason::Unreachable, context);
    }

    /// A worker is gone. A REQ worker may come back without a word, so it is remembered; a ppp worker speaks by itself.
    pub(super) fn gone<W: Watch>(&mut self, key: usize, why: DownReason, context: &mut Context<'_, F, W>) {
        let was_tried =
            matches!(self.workers[key].state, State::Seen { .. } | State::Candidate | State::Working(Held { alias: Some(_), .. }));
        self.goes(key, why, context);
        let worker = &mut self.workers[key];
        worker.tries += u32::from(was_tried);
        if !worker.dialect.is_req() || worker.tries > TRIES_MAX {
            self.workers.remove(key);
            return;
        }
        worker.state = State::Seen { connected: false };
        worker.since = context.now;
        worker.confirmed = false;
        self.seen.push_back(&mut self.workers, key);
    }

    /// Takes a worker out of all lists and what it has from it; the entry stays, in no list.
    fn goes<W: Watch>(&mut self, key: usize, why: DownReason, context: &mut Context<'_, F, W>) {
        self.out_of_lists(key);
        let state = self.workers[key].state;
        if let State::Working(held) = state {
            self.take_back(held, key, context);
        }
        if !matches!(state, State::Seen { .. } | State::Candidate) {
            self.counters.workers_lost += 1;
            context.tell(Notice::WorkerDown { worker: &self.workers[key].id, why });
        }
    }

    /// The work of a REQ worker, or its answer, must have been lost: nobody takes that long. It is tried with another request.
    pub(super) fn late_for_ever(&mut self, key: usize, now: Duration) {
        self.out_of_turn(key);
        let worker = &mut self.workers[key];
        worker.state = State::Candidate;
        worker.since = now;
        worker.confirmed = false;
        self.candidates.push_back(&mut self.workers, key);
    }

    fn out_of_turn(&mut self, key: usize) {
        match self.workers[key].state {
            State::Ready => self.ready.remove(&mut self.workers, key),
            State::Seen { .. } => self.seen.remove(&mut self.workers, key),
            State::Candidate => self.candidates.remove(&mut self.workers, key),
            State::Late(_) => self.late.remove_if_linked(&mut self.workers, key),
            State::Working(_) => {}
        }
    }

    fn out_of_lists(&mut self, key: usize) {
        self.out_of_turn(key);
        self.alive.remove_if_linked(&mut self.workers, key);
        self.beats.remove_if_linked(&mut self.workers, key);
    }

    fn unasked_by<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        self.counters.unasked_replies += 1;
        context.tell(Notice::Drop { peer: &self.workers[key].id, why: DropReason::UnaskedReply });
    }

    fn unasked<W: Watch>(&mut self, id: &[u8], context: &mut Context<'_, F, W>) {
        self.counters.unasked_replies += 1;
        context.tell(Notice::Drop { peer: id, why: DropReason::UnaskedReply });
    }
}
