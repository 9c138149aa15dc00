//! What happens when nothing happens: deadlines, heartbeats, graces. Every list is in the order in which its entries are due.

use std::time::Duration;

use super::entry::{Held, Place, State};
use super::list::first;
use super::workers::LATE_FOR_LONG;
use super::{Broker, Context, DownReason, Notice, Side, Watch};
use crate::wire::{Frame, PPP_HEARTBEAT};

impl<F: Frame> Broker<F> {
    /// When [`Event::Tick`](super::Event::Tick) is next due; none = only when something happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let deadline = first(&self.given, &self.requests).map(|request| request.due);
        let held = first(&self.held, &self.requests).map(|request| request.due);
        let silence = first(&self.alive, &self.workers).map(|worker| worker.heard + self.silence());
        let heartbeat = first(&self.beats, &self.workers).map(|worker| worker.beat);
        let grace = first(&self.seen, &self.workers).map(|worker| worker.since + self.config.deadline);
        let late = first(&self.late, &self.workers).map(|worker| worker.since + self.config.deadline * LATE_FOR_LONG);
        let drain = self.drain.filter(|_| self.clients.len() > 0);
        [deadline, held, silence, heartbeat, grace, late, drain].into_iter().flatten().min()
    }

    /// How long a ppp worker may be silent.
    fn silence(&self) -> Duration {
        self.config.heartbeat * self.config.liveness
    }

    /// Does everything that is due.
    pub(super) fn expire<W: Watch>(&mut self, context: &mut Context<'_, F, W>) {
        while let Some(key) = self.given.front().filter(|&key| self.requests[key].due <= context.now) {
            self.deadline_missed(key, context);
        }
        while let Some(key) = self.held.front().filter(|&key| self.requests[key].due <= context.now) {
            self.release(key, context);
        }
        while let Some(key) = self.alive.front().filter(|&key| self.workers[key].heard + self.silence() <= context.now) {
            self.gone(key, DownReason::Silent, context);
        }
        while let Some(key) = self.beats.front().filter(|&key| self.workers[key].beat <= context.now) {
            self.beats.remove(&mut self.workers, key);
            self.workers[key].beat = context.now + self.config.heartbeat;
            let id = &self.workers[key].id;
            context.out.put(Side::Backend, |out| out.extend([F::of(id), F::of(PPP_HEARTBEAT)]));
            self.beats.push_back(&mut self.workers, key);
        }
        while let Some(key) = self.seen.front().filter(|&key| self.workers[key].since + self.config.deadline <= context.now) {
            self.grace_over(key, context);
        }
        while let Some(key) = self.late.front().filter(|&key| self.workers[key].since + self.config.deadline * LATE_FOR_LONG <= context.now)
        {
            self.late_for_ever(key, context.now);
        }
    }

    /// A worker did not answer in time: it loses the request and is late until it says something.
    fn deadline_missed<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        let request = &self.requests[key];
        let (Place::Given { worker } | Place::Orphan { worker }) = request.place else { return };
        let State::Working(held) = self.workers[worker].state else { return };
        debug_assert_eq!(held, Held { key, id: request.id, ..held }, "a worker has what was given to it");
        if matches!(request.place, Place::Given { .. }) {
            context.tell(Notice::Timeout { id: request.id, client: &self.clients[request.client].id, worker: &self.workers[worker].id });
        }
        self.counters.timeouts += 1;
        let entry = &mut self.workers[worker];
        entry.state = State::Late(held);
        entry.since = context.now;
        entry.heard = context.now;
        if entry.dialect.is_req() {
            self.late.push_back(&mut self.workers, worker);
        } else {
            self.alive.push_back(&mut self.workers, worker);
        }
        self.take_back(held, worker, context);
    }
}
