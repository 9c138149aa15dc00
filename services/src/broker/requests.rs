//! The rules of requests: accepted or refused, queued, given, answered, withdrawn.

use std::time::Duration;

use super::entry::{Client, Held, Place, Request, State, alias};
use super::list::{Link, List};
use super::{Broker, Context, DropReason, Notice, Side, Watch};
use crate::wire::{self, Dialect, Frame, Frames, Refusal, SocketType};

/// How long the answer to a REQ client is held back whose connection broke while it waited. If it is a new socket under the old
/// name it asks as soon as it is connected, and must not get the old answer. If it is the old socket, it still waits.
const HOLD: Duration = Duration::from_millis(250);

impl<F: Frame> Broker<F> {
    /// A message from a client: a request, or nothing that can be understood.
    pub(super) fn client_said<W: Watch>(&mut self, frames: &mut Vec<F>, context: &mut Context<'_, F, W>) {
        match wire::request(frames) {
            Ok(request) => self.accept(request, context),
            Err(why) => {
                self.counters.malformed += 1;
                let peer = frames.first().map_or(&b""[..], F::bytes);
                context.tell(Notice::Drop { peer, why: DropReason::Malformed(why) });
                frames.clear();
            }
        }
    }

    fn accept<W: Watch>(&mut self, request: wire::Request<F>, context: &mut Context<'_, F, W>) {
        let wire::Request { client, envelope, mut body } = request;
        let known = self.clients.find(client.bytes());
        let mut withdrawn = false;
        if let Some(key) = known {
            let is_dealer = Self::is_one_of_many(&mut body);
            self.clients[key].is_dealer = is_dealer;
            if !is_dealer {
                self.withdraw_all(key, DropReason::Withdrawn, context);
                withdrawn = true;
            }
        }
        let bytes = envelope.iter().chain(&body).map(|frame| frame.bytes().len()).sum();
        if let Some(why) = self.refusal(bytes) {
            self.count_refusal(why);
            context.tell(Notice::Refused { client: client.bytes(), why });
            context.out.put(Side::Frontend, |out| wire::put_reply(out, client, envelope, why.body()));
            return;
        }
        // Withdrawing has forgotten the client.
        let key = match known.filter(|_| !withdrawn) {
            Some(key) => key,
            None => self.clients.insert(Client { id: client.bytes().into(), is_dealer: false, open: List::default() }),
        };
        let id = self.next_id;
        self.next_id += 1;
        self.held_bytes += bytes;
        self.counters.requests += 1;
        context.tell(Notice::Request { id, client: client.bytes() });
        let request = self.requests.insert(Request {
            id,
            client: key,
            envelope,
            body,
            bytes,
            attempts: 0,
            accepted: context.now,
            due: Duration::ZERO,
            doubtful: false,
            place: Place::Waiting,
            queue: Link::default(),
            of_client: Link::default(),
        });
        self.clients[key].open.push_back(&mut self.requests, request);
        self.waiting.push_back(&mut self.requests, request);
    }

    /// Whether the client at the other end may have several requests open. The transport is asked only when it matters.
    fn is_one_of_many(body: &mut Frames<F>) -> bool {
        body.first_mut().is_some_and(|frame| frame.socket_type() == SocketType::Dealer)
    }

    /// Why a request of that many bytes cannot be accepted now.
    fn refusal(&self, bytes: usize) -> Option<Refusal> {
        if self.drain.is_some() {
            return Some(Refusal::Stopping);
        }
        let waiting = self.waiting.len() + self.again.len();
        let too_many = waiting >= self.config.queue && self.ready.is_empty();
        let too_large = self.held_bytes > 0 && self.held_bytes.saturating_add(bytes) > self.config.queue_bytes;
        (too_many || too_large).then_some(Refusal::Busy)
    }

    fn count_refusal(&mut self, why: Refusal) {
        match why {
            Refusal::Busy => self.counters.refused_busy += 1,
            Refusal::Failed => self.counters.refused_failed += 1,
            Refusal::Stopping => self.counters.refused_stopping += 1,
        }
    }

    /// Gives requests to workers as long as there are both. No worker is idle while a request waits.
    pub(super) fn dispatch<W: Watch>(&mut self, context: &mut Context<'_, F, W>) {
        while !(self.again.is_empty() && self.waiting.is_empty()) {
            #[cfg(feature = "mutants")]
            if self.ready.len() == 1 && self.candidates.is_empty() && crate::mutant::is(crate::mutant::Mutant::KeepsIdle) {
                return;
            }
            // A worker that may have come back is tried at once: when it has not, that is known before the next message.
            let Some(worker) = self.candidates.pop_front(&mut self.workers).or_else(|| self.ready.pop_front(&mut self.workers)) else {
                return;
            };
            let next = self.again.pop_front(&mut self.requests).or_else(|| self.waiting.pop_front(&mut self.requests));
            if let Some(request) = next {
                self.give(request, worker, context);
            }
        }
    }

    fn give<W: Watch>(&mut self, key: usize, worker_key: usize, context: &mut Context<'_, F, W>) {
        let (request, worker) = (&mut self.requests[key], &mut self.workers[worker_key]);
        let client = &self.clients[request.client].id;
        request.attempts += 1;
        request.due = context.now + self.config.deadline;
        request.place = Place::Given { worker: worker_key };
        self.counters.dispatches += 1;
        let held = Held { key, id: request.id, alias: (!worker.confirmed).then_some(self.counters.dispatches) };
        let name = match held.alias {
            Some(number) => &alias(client, self.config.nonce, number),
            None => &**client,
        };
        context.out.put(Side::Backend, |out| wire::put_work(out, &worker.id, worker.dialect, name, &request.body));
        context.tell(Notice::Dispatch { id: held.id, client, worker: &worker.id, attempt: request.attempts });
        worker.state = State::Working(held);
        worker.since = context.now;
        self.alive.remove_if_linked(&mut self.workers, worker_key);
        self.given.push_back(&mut self.requests, key);
    }

    /// Whether a request is answered and out of all hands.
    pub(super) fn is_over(&self, held: Held) -> bool {
        self.requests.get(held.key).is_none_or(|request| request.id != held.id)
    }

    /// Whether `client`, the frame of an answer, is what was given with the request that is held.
    pub(super) fn answers(&self, held: Held, client: &[u8]) -> bool {
        let Some(request) = self.requests.get(held.key).filter(|request| request.id == held.id) else { return false };
        if matches!(request.place, Place::Orphan { .. }) {
            // Nobody gets the answer, so nothing can be mixed up.
            return true;
        }
        let expected = &*self.clients[request.client].id;
        match held.alias {
            Some(number) => client == alias(expected, self.config.nonce, number),
            None => client == expected,
        }
    }

    /// Passes an answer on, if somebody still waits for it; the request is then over.
    pub(super) fn answer<W: Watch>(&mut self, held: Held, worker: usize, client: F, body: Frames<F>, context: &mut Context<'_, F, W>) {
        let open = |request: &Request<F>| request.id == held.id && !matches!(request.place, Place::Orphan { .. } | Place::Held);
        if !self.requests.get(held.key).is_some_and(open) {
            self.counters.late_replies += 1;
            context.tell(Notice::Drop { peer: &self.workers[worker].id, why: DropReason::LateReply });
            return;
        }
        let request = &self.requests[held.key];
        let (id, took) = (&self.clients[request.client].id, context.now.saturating_sub(request.accepted));
        context.tell(Notice::Reply { id: held.id, client: id, worker: &self.workers[worker].id, took });
        self.latency.observe(took);
        self.counters.replies += 1;
        let client = if held.alias.is_some() { F::of(id) } else { client };
        self.conclude(held.key, client, body, context);
    }

    /// Keeps an answer back for a moment. The request is over; the answer takes its place among the client's.
    fn hold(&mut self, id: u64, client: usize, envelope: Vec<F>, body: Frames<F>, now: Duration) {
        let bytes = envelope.iter().chain(&body).map(|frame| frame.bytes().len()).sum();
        self.held_bytes += bytes;
        let key = self.requests.insert(Request {
            id,
            client,
            envelope,
            body,
            bytes,
            attempts: 0,
            accepted: now,
            due: now + HOLD,
            doubtful: true,
            place: Place::Held,
            queue: Link::default(),
            of_client: Link::default(),
        });
        self.clients[client].open.push_back(&mut self.requests, key);
        self.held.push_back(&mut self.requests, key);
    }

    /// The client has not asked anew: it gets the answer that was held back.
    pub(super) fn release<W: Watch>(&mut self, key: usize, context: &mut Context<'_, F, W>) {
        let request = &mut self.requests[key];
        request.doubtful = false;
        let body = std::mem::take(&mut request.body);
        let client = F::of(&self.clients[request.client].id);
        self.conclude(key, client, body, context);
    }

    /// Answers a request with an error; the request is then over.
    pub(super) fn refuse<W: Watch>(&mut self, key: usize, why: Refusal, context: &mut Context<'_, F, W>) {
        let client = &self.clients[self.requests[key].client].id;
        context.tell(Notice::Refused { client, why });
        let client = F::of(client);
        self.count_refusal(why);
        self.conclude(key, client, why.body(), context);
    }

    /// Sends a client what it gets for its request, which is then over.
    fn conclude<W>(&mut self, key: usize, client: F, body: Frames<F>, context: &mut Context<'_, F, W>) {
        let Request { id, doubtful, .. } = self.requests[key];
        let (owner, envelope) = self.close(key);
        if doubtful {
            return self.hold(id, owner, envelope, body, context.now);
        }
        context.out.put(Side::Frontend, |out| wire::put_reply(out, client, envelope, body));
        self.forget_client_without_requests(owner);
    }

    /// A request lost its worker: it waits again, ahead of those that have had none, or has failed.
    pub(super) fn take_back<W: Watch>(&mut self, held: Held, worker: usize, context: &mut Context<'_, F, W>) {
        let Some(request) = self.requests.get_mut(held.key).filter(|request| request.id == held.id) else { return };
        match request.place {
            Place::Orphan { worker: owner } if owner == worker => {
                self.given.remove(&mut self.requests, held.key);
                self.requests.remove(held.key);
            }
            Place::Given { worker: owner } if owner == worker => {
                if request.attempts > self.config.retries {
                    self.refuse(held.key, Refusal::Failed, context);
                    // What `close` left for the worker that lost it.
                    self.drop_orphan(held);
                    return;
                }
                #[cfg(feature = "mutants")]
                if crate::mutant::is(crate::mutant::Mutant::NeverAgain) {
                    self.close(held.key);
                    self.drop_orphan(held);
                    return;
                }
                request.place = Place::Again;
                let client = &self.clients[request.client].id;
                context.tell(Notice::Redispatch { id: held.id, client, worker: &self.workers[worker].id });
                self.given.remove(&mut self.requests, held.key);
                self.again.push_back(&mut self.requests, held.key);
                self.counters.redispatches += 1;
            }
            _ => {}
        }
    }

    /// A request never reached its worker: it is the next one to be given, and this did not count as an attempt.
    pub(super) fn never_given(&mut self, held: Held) {
        let Some(request) = self.requests.get_mut(held.key).filter(|request| request.id == held.id) else { return };
        match request.place {
            Place::Given { .. } => {
                request.attempts -= 1;
                request.place = Place::Again;
                self.given.remove(&mut self.requests, held.key);
                self.again.push_front(&mut self.requests, held.key);
            }
            Place::Orphan { .. } => {
                self.given.remove(&mut self.requests, held.key);
                self.requests.remove(held.key);
            }
            Place::Waiting | Place::Again | Place::Held => {}
        }
    }

    /// Nobody waits for the answer any more and no worker has the request.
    pub(super) fn drop_orphan(&mut self, held: Held) {
        let orphan = |request: &Request<F>| request.id == held.id && matches!(request.place, Place::Orphan { .. });
        if self.requests.get(held.key).is_some_and(orphan) {
            self.given.remove(&mut self.requests, held.key);
            self.requests.remove(held.key);
        }
    }

    /// Withdraws all requests of a client, and forgets the client.
    pub(super) fn withdraw_all<W: Watch>(&mut self, client: usize, why: DropReason, context: &mut Context<'_, F, W>) {
        while let Some(request) = self.clients[client].open.front() {
            self.close(request);
            match why {
                DropReason::ClientGone => self.counters.client_gone += 1,
                _ => self.counters.withdrawn += 1,
            }
            context.tell(Notice::Drop { peer: &self.clients[client].id, why });
        }
        self.forget_client_without_requests(client);
    }

    /// A connection of a client is gone. Only identities that libzmq made up are known not to come back: their requests
    /// would burn workers for nobody. A REQ client may come back and ask something else.
    pub(super) fn client_gone<W: Watch>(&mut self, id: &[u8], context: &mut Context<'_, F, W>) {
        let Some(client) = self.clients.find(id) else { return };
        let never_returns = id.first() == Some(&0);
        if never_returns {
            self.withdraw_all(client, DropReason::ClientGone, context);
        } else if !self.clients[client].is_dealer
            && let Some(request) = self.clients[client].open.front()
        {
            self.requests[request].doubtful = true;
        }
    }

    /// A reply could not be delivered: its client is gone.
    pub(super) fn reply_undelivered<W: Watch>(&mut self, id: &[u8], context: &mut Context<'_, F, W>) {
        self.counters.client_gone += 1;
        context.tell(Notice::Drop { peer: id, why: DropReason::ClientGone });
        self.client_gone(id, context);
    }

    /// Ends a request for its client: out of the queues, or an orphan when a worker has it. The client stays.
    fn close(&mut self, key: usize) -> (usize, Vec<F>) {
        let request = &mut self.requests[key];
        let (client, place) = (request.client, request.place);
        let envelope = std::mem::take(&mut request.envelope);
        self.held_bytes -= std::mem::take(&mut request.bytes);
        self.clients[client].open.remove(&mut self.requests, key);
        match place {
            Place::Waiting => self.waiting.remove(&mut self.requests, key),
            Place::Again => self.again.remove(&mut self.requests, key),
            Place::Held => self.held.remove(&mut self.requests, key),
            Place::Given { worker } => {
                let request = &mut self.requests[key];
                request.body = Frames::new();
                request.place = Place::Orphan { worker };
                return (client, envelope);
            }
            Place::Orphan { .. } => return (client, envelope),
        }
        self.requests.remove(key);
        (client, envelope)
    }

    fn forget_client_without_requests(&mut self, client: usize) {
        if self.clients[client].open.is_empty() {
            self.clients.remove(client);
        }
    }

    /// While draining: refuses what waits when there is nobody left to do it, and everything when the time is over.
    pub(super) fn finish_drain<W: Watch>(&mut self, context: &mut Context<'_, F, W>) {
        let Some(until) = self.drain else { return };
        let over = context.now >= until;
        if over || (self.given.is_empty() && self.ready.is_empty()) {
            while let Some(key) = self.again.front().or_else(|| self.waiting.front()) {
                self.refuse(key, Refusal::Stopping, context);
            }
        }
        while let Some(key) = self.held.front().filter(|_| over) {
            self.release(key, context);
        }
        while let Some(key) = self.given.front().filter(|_| over) {
            let request = &self.requests[key];
            let held = Held { key, id: request.id, alias: None };
            if matches!(request.place, Place::Given { .. }) {
                self.refuse(key, Refusal::Stopping, context);
            }
            self.drop_orphan(held);
        }
    }

    /// The dialect for a worker that has not told its own.
    pub(super) fn assumed(&self) -> Dialect {
        if self.config.adopt.is_req() { self.config.adopt } else { Dialect::CbwLong }
    }
}
