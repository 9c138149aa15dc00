//! The network, its time, and what goes wrong in it.

mod mischief;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use cbw_services::broker::{Broker, Config, DropReason, Event, Notice, Outbox, Side, Watch};
use cbw_services::wire::{Dialect, SocketType};

use crate::ledger::Ledger;
use crate::peers::{Client, ClientKind, Doing, MS, Part, Received, Worker};

/// The mean time between two faults of each kind; none = never.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A worker dies, with what it has in hand, and comes back under its name.
    pub kill: Option<Duration>,
    /// A worker stops for a while and goes on.
    pub pause: Option<Duration>,
    /// A connection breaks, with what is on its way, and is made again.
    pub cut: Option<Duration>,
    /// A worker starts under the name of another.
    pub twin: Option<Duration>,
    /// Somebody sends nonsense to one of the ports.
    pub garbage: Option<Duration>,
    /// The broker dies and starts again.
    pub restart: Option<Duration>,
    /// A client sends a request that kills its workers.
    pub poison: Option<Duration>,
    /// Some requests take longer than the deadline.
    pub slow: bool,
    /// The end of a connection is noticed late, when something else has happened.
    pub unnoticed: bool,
}

/// What happens when a fault strikes.
type Fault = fn(&mut World);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Client(usize),
    Worker(usize),
    Stranger,
}

#[derive(Debug)]
struct Connection {
    side: Side,
    id: Vec<u8>,
    who: Who,
    open: bool,
}

#[derive(Debug)]
enum Step {
    ToBroker {
        connection: usize,
        frames: Vec<Vec<u8>>,
    },
    ToPeer {
        connection: usize,
        frames: Vec<Vec<u8>>,
    },
    /// The broker's side notices the end of a connection.
    Ended {
        connection: usize,
    },
    Ask(usize),
    Connect(usize),
    Finish {
        worker: usize,
        until: Duration,
    },
    Beat(usize),
    Revive(usize),
    Restarted,
}

#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct World {
    now: Duration,
    random: u64,
    number: u64,
    steps: BTreeMap<(Duration, u64), Step>,
    broker: Broker<Part>,
    life: u64,
    up: bool,
    config: Config,
    ledger: Ledger,
    /// Where the ROUTER sends what is for an identity.
    routes: HashMap<(Side, Vec<u8>), usize>,
    /// The connection that each identity was last heard by.
    heard: HashMap<(Side, Vec<u8>), usize>,
    connections: Vec<Connection>,
    clients: Vec<Client>,
    workers: Vec<Worker>,
    strangers: u32,
    asking: bool,
    next_poison: bool,
    unnoticed: bool,
    slow: bool,
    /// Print all that the broker hears and says.
    history: bool,
    most_working: usize,
    question: u32,
}

/// Whether a request was withdrawn without the ledger knowing why.
struct Clerk;

impl Watch for Clerk {
    fn notice(&mut self, _: Duration, notice: Notice<'_>) {
        if let Notice::Drop { why: DropReason::Malformed(_), peer } = notice {
            assert!(!peer.starts_with(b"C"), "a client's request is not malformed");
        }
    }
}

impl World {
    pub fn new(seed: u64, clients: usize, workers: usize, queue: usize) -> Self {
        let config = Config { queue, queue_bytes: 4_000, ..Config::default() };
        let mut world = Self {
            now: Duration::ZERO,
            random: seed | 1,
            number: 0,
            steps: BTreeMap::new(),
            broker: Broker::new(config.clone()),
            life: 0,
            up: true,
            config,
            ledger: Ledger::default(),
            routes: HashMap::new(),
            heard: HashMap::new(),
            connections: Vec::new(),
            clients: Vec::new(),
            workers: Vec::new(),
            strangers: 0,
            asking: true,
            next_poison: false,
            unnoticed: false,
            slow: false,
            history: std::env::var_os("SIM_HISTORY").is_some(),
            most_working: 0,
            question: 0,
        };
        for number in 0..workers {
            let dialect = [Dialect::CbwShort, Dialect::CbwLong, Dialect::Guide, Dialect::Ppp][number % 4];
            world.add_worker(format!("W{number}").into_bytes(), dialect);
        }
        for number in 0..clients {
            let kind = [ClientKind::Req, ClientKind::Dealer, ClientKind::Anonymous][number % 3];
            let id = format!("C{number}").into_bytes();
            world.clients.push(Client { id, kind, connection: None, open: HashSet::new(), asked_at: Duration::ZERO });
            world.connect(Who::Client(number));
            world.soon(Step::Ask(number), 1, 20);
        }
        world
    }

    pub fn broker(&self) -> &Broker<Part> {
        &self.broker
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration, faults: &Faults) {
        let end = self.now + time;
        self.unnoticed = faults.unnoticed;
        self.slow = faults.slow;
        let mut due: Vec<(Duration, Option<Duration>, Fault)> = Vec::new();
        for (mean, fault) in [
            (faults.kill, Self::kill as Fault),
            (faults.pause, Self::pause),
            (faults.cut, Self::cut),
            (faults.twin, Self::twin),
            (faults.garbage, Self::garbage),
            (faults.restart, Self::crash),
            (faults.poison, |world| world.next_poison = true),
        ] {
            due.push((mean.map_or(Duration::MAX, |mean| self.now + mean / 2), mean, fault));
        }
        loop {
            let step = self.steps.keys().next().map_or(Duration::MAX, |key| key.0);
            let tick = self.broker.next_timeout().filter(|_| self.up).unwrap_or(Duration::MAX);
            let fault = due.iter().map(|fault| fault.0).min().unwrap_or(Duration::MAX);
            let next = step.min(tick).min(fault);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if next == tick {
                self.tell(Event::Tick);
            } else if next == fault {
                let index = due.iter().position(|fault| fault.0 == next).unwrap();
                let (_, mean, strike) = due[index];
                due[index].0 = self.now + self.pick(mean.unwrap() * 2).max(MS(1));
                strike(self);
            } else if let Some((_, step)) = self.steps.pop_first() {
                self.step(step);
            }
        }
    }

    /// Ends all faults: who is dead or paused goes on, strangers leave, and nobody asks anything new.
    pub fn mend(&mut self) {
        self.asking = false;
        self.unnoticed = false;
        self.next_poison = false;
        for worker in 0..self.workers.len() {
            self.workers[worker].paused_until = self.now;
            if self.workers[worker].doing == Doing::Dead {
                self.soon(Step::Revive(worker), 1, 100);
            }
        }
        for connection in 0..self.connections.len() {
            if self.connections[connection].who == Who::Stranger {
                self.close(connection);
            }
        }
    }

    /// Everything has come to rest and every account is settled.
    pub fn assert_settled(&self) {
        self.ledger.assert_settled();
        let snapshot = self.broker.snapshot(self.now);
        assert_eq!((snapshot.pending, snapshot.working, snapshot.held_bytes), (0, 0, 0), "{snapshot:#?}");
    }

    // ---- chance and time

    fn chance(&mut self) -> u64 {
        // xorshift64*, by Vigna
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance() >> 33).unwrap() % bound
    }

    fn pick(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap().max(1);
        Duration::from_micros(self.chance() % micros)
    }

    fn later(&mut self, step: Step, when: Duration) {
        self.number += 1;
        self.steps.insert((when, self.number), step);
    }

    fn soon(&mut self, step: Step, least_ms: u64, most_ms: u64) {
        let when = self.now + MS(least_ms) + self.pick(MS(most_ms - least_ms));
        self.later(step, when);
    }

    // ---- the broker's border

    fn tell(&mut self, event: Event<'_, Part>) {
        let mut out = Outbox::default();
        let told = self.history.then(|| format!("{event:?}"));
        self.broker.handle(self.now, event, &mut out, &mut Clerk);
        if let Some(told) = told {
            println!("{:?} {told} -> {:?} {:?}", self.now, out.messages, out.frames);
        }
        let mut lost = self.deliver(out);
        while let Some((side, id, work)) = lost.pop_front() {
            let mut out = Outbox::default();
            let event = match side {
                Side::Frontend => Event::ReplyUndelivered(&id),
                Side::Backend => Event::Undelivered { worker: &id, work },
            };
            if side == Side::Frontend && id.starts_with(&[0]) {
                self.ledger.withdraw(&id);
            }
            self.broker.handle(self.now, event, &mut out, &mut Clerk);
            lost.extend(self.deliver(out));
        }
        self.assert_invariants();
    }

    /// Sends what the broker wants to send; what has no connection comes back.
    fn deliver(&mut self, out: Outbox<Part>) -> VecDeque<(Side, Vec<u8>, bool)> {
        let mut lost = VecDeque::new();
        let mut frames = out.frames.into_iter().map(|part| part.0);
        for (side, count) in out.messages {
            let message: Vec<_> = frames.by_ref().take(count).collect();
            if side == Side::Frontend {
                self.check_reply(&message);
            }
            match self.routes.get(&(side, message[0].clone())) {
                Some(&connection) => {
                    let frames = message[1..].to_vec();
                    self.soon(Step::ToPeer { connection, frames }, 0, 3);
                }
                None => lost.push_back((side, message[0].clone(), count > 2)),
            }
        }
        lost
    }

    /// A reply is `client, number, '', body`, and its body begins with the question of that number.
    fn check_reply(&mut self, message: &[Vec<u8>]) {
        let [client, number, delimiter, body] = message else { panic!("a reply has its envelope and one body frame: {message:?}") };
        assert!(delimiter.is_empty());
        let number = u32::from_be_bytes(number[..].try_into().unwrap());
        self.ledger.answered(&(client.clone(), number));
        let own = format!("{number}:");
        assert!(body.starts_with(own.as_bytes()) || body.starts_with(b"!cbw "), "{client:?} asked {number} and got {body:?}");
    }

    fn assert_invariants(&mut self) {
        let snapshot = self.broker.snapshot(self.now);
        self.most_working = self.most_working.max(snapshot.working);
        assert!(snapshot.ready == 0 || snapshot.pending == 0, "a worker is idle while a request waits: {snapshot:#?}");
        // What was in hand and lost its worker waits above the bound: it was accepted.
        assert!(snapshot.pending + snapshot.working <= self.config.queue + self.most_working, "too many wait: {snapshot:#?}");
        assert!(snapshot.held_bytes <= self.config.queue_bytes, "too many bytes are held: {snapshot:#?}");
        assert!(self.broker.next_timeout().is_none_or(|due| due > self.now), "something that is due was not done: {snapshot:#?}");
    }

    // ---- connections

    fn connect(&mut self, who: Who) {
        let (side, id) = match who {
            Who::Client(client) => (Side::Frontend, self.clients[client].id.clone()),
            Who::Worker(worker) => (Side::Backend, self.workers[worker].id.clone()),
            Who::Stranger => return,
        };
        let connection = self.connections.len();
        let id = match who {
            Who::Client(client) if self.clients[client].kind == ClientKind::Anonymous => [&[0][..], &connection.to_be_bytes()].concat(),
            _ => id,
        };
        self.attach(Connection { side, id: id.clone(), who, open: true });
        match who {
            Who::Client(client) => {
                self.clients[client].connection = Some(connection);
                if self.clients[client].kind == ClientKind::Anonymous {
                    self.clients[client].open.clear();
                }
            }
            Who::Worker(worker) => self.workers[worker].connection = Some(connection),
            Who::Stranger => {}
        }
    }

    /// `ROUTER_HANDOVER`: who comes last has the identity.
    fn attach(&mut self, connection: Connection) -> usize {
        let key = self.connections.len();
        if let Some(before) = self.routes.insert((connection.side, connection.id.clone()), key) {
            self.connections[before].open = false;
        }
        self.connections.push(connection);
        key
    }

    /// A connection ends, with all that is on its way. The broker's side notices, at once or after a while.
    fn close(&mut self, key: usize) {
        if !std::mem::replace(&mut self.connections[key].open, false) {
            return;
        }
        if self.unnoticed && self.below(2) == 0 {
            // It is half open for a while: what is sent to it is lost without a word.
            self.soon(Step::Ended { connection: key }, 100, 9_000);
        } else {
            self.soon(Step::Ended { connection: key }, 0, 5);
        }
    }

    fn ended(&mut self, key: usize) {
        let Connection { side, id, .. } = &self.connections[key];
        let (side, id) = (*side, id.clone());
        if self.routes.get(&(side, id.clone())) == Some(&key) {
            self.routes.remove(&(side, id.clone()));
        }
        if self.up && self.heard.get(&(side, id.clone())) == Some(&key) {
            self.heard.remove(&(side, id.clone()));
            if side == Side::Frontend && id.starts_with(&[0]) {
                self.ledger.withdraw(&id);
            }
            self.tell(match side {
                Side::Frontend => Event::ClientGone(&id),
                Side::Backend => Event::WorkerGone(&id),
            });
        }
    }

    fn send(&mut self, connection: Option<usize>, frames: Vec<Vec<u8>>) {
        if let Some(connection) = connection.filter(|&connection| self.connections[connection].open) {
            self.soon(Step::ToBroker { connection, frames }, 0, 3);
        }
    }

    // ---- what happens

    fn step(&mut self, step: Step) {
        match step {
            Step::ToBroker { connection, frames } => self.at_broker(connection, frames),
            Step::ToPeer { connection, frames } => self.at_peer(connection, frames),
            Step::Ended { connection } => self.ended(connection),
            Step::Ask(client) => self.ask(client),
            Step::Connect(worker) => self.reconnected(worker),
            Step::Finish { worker, until } => self.finish(worker, until),
            Step::Beat(worker) => self.beat(worker),
            Step::Revive(worker) => self.revive(worker),
            Step::Restarted => self.restarted(),
        }
    }

    fn at_broker(&mut self, key: usize, frames: Vec<Vec<u8>>) {
        let Connection { side, id, who, open } = &self.connections[key];
        if !self.up || !open {
            return;
        }
        let (side, id, who) = (*side, id.clone(), *who);
        self.heard.insert((side, id.clone()), key);
        let mut from = SocketType::Dealer;
        if let Who::Client(client) = who {
            let number = u32::from_be_bytes(frames[0][..].try_into().unwrap());
            from = self.clients[client].socket_type();
            self.ledger.asked((id.clone(), number), from == SocketType::Req);
        }
        let mut parts: Vec<_> = std::iter::once(id).chain(frames).map(|bytes| Part(bytes, from)).collect();
        self.tell(match side {
            Side::Frontend => Event::FromClient(&mut parts),
            Side::Backend => Event::FromWorker(&mut parts),
        });
        assert!(parts.is_empty(), "a message is taken whole");
    }

    fn at_peer(&mut self, key: usize, frames: Vec<Vec<u8>>) {
        if !self.connections[key].open {
            return;
        }
        match self.connections[key].who {
            Who::Client(client) => {
                let number = u32::from_be_bytes(frames[0][..].try_into().unwrap());
                let client = &mut self.clients[client];
                assert!(client.open.remove(&number), "{:?} got a reply to {number}, which it does not wait for", client.id);
            }
            Who::Worker(worker) if self.workers[worker].doing == Doing::Dead => {}
            Who::Worker(worker) if self.workers[worker].paused_until > self.now => {
                let until = self.workers[worker].paused_until;
                self.later(Step::ToPeer { connection: key, frames }, until);
            }
            Who::Worker(worker) => {
                let received = self.workers[worker].receive(frames, self.now);
                self.begin(worker, &received);
            }
            Who::Stranger => {}
        }
    }

    fn begin(&mut self, worker: usize, received: &Received) {
        let Received::Work { question } = received else { return };
        if question.ends_with(b"poison") {
            return self.die(worker);
        }
        let service = if self.slow && self.below(20) == 0 { MS(2_500) } else { self.workers[worker].service };
        let until = self.now + service;
        self.workers[worker].doing = Doing::Work { until };
        self.later(Step::Finish { worker, until }, until);
    }

    fn finish(&mut self, worker: usize, until: Duration) {
        if self.workers[worker].doing != (Doing::Work { until }) {
            return;
        }
        if self.workers[worker].paused_until > self.now {
            let later = self.workers[worker].paused_until;
            return self.later(Step::Finish { worker, until }, later);
        }
        let reply = std::mem::take(&mut self.workers[worker].reply);
        self.send(self.workers[worker].connection, reply);
        self.workers[worker].doing = Doing::Nothing;
        let next = self.workers[worker].begin_next();
        self.begin(worker, &next);
    }

    fn ask(&mut self, key: usize) {
        if !self.asking {
            return;
        }
        let number = self.question;
        self.question += 1;
        let client = &mut self.clients[key];
        let may = match client.kind {
            ClientKind::Req if client.open.is_empty() => true,
            // Out of patience: a fresh socket under the same name.
            ClientKind::Req if client.asked_at + Client::PATIENCE(u64::from(number)) <= self.now => {
                client.open.clear();
                if let Some(connection) = client.connection.take() {
                    // The kernel tells the end of the old connection before anything comes by the new one.
                    self.connections[connection].open = false;
                    self.ended(connection);
                }
                self.connect(Who::Client(key));
                true
            }
            ClientKind::Req => false,
            ClientKind::Dealer | ClientKind::Anonymous => client.open.len() < Client::MOST_OPEN,
        };
        if may && self.up {
            let client = &mut self.clients[key];
            client.open.insert(number);
            client.asked_at = self.now;
            let connection = client.connection;
            let poison = if std::mem::take(&mut self.next_poison) { "poison" } else { "" };
            self.send(connection, vec![number.to_be_bytes().to_vec(), vec![], format!("{number}:{poison}").into_bytes()]);
        }
        self.soon(Step::Ask(key), 1, 60);
    }

    fn beat(&mut self, worker: usize) {
        self.soon(Step::Beat(worker), 950, 1_050);
        let state = &self.workers[worker];
        if state.doing == Doing::Dead || state.paused_until > self.now {
            return;
        }
        if self.now > state.heard + MS(3_000) {
            // Paranoid Pirate: a fresh socket and a registration. What came by the old one is forgotten.
            self.workers[worker].doing = Doing::Nothing;
            self.workers[worker].queue.clear();
            if let Some(connection) = self.workers[worker].connection.take() {
                self.close(connection);
            }
            self.register(worker);
        } else {
            self.send(state.connection, vec![vec![2]]);
        }
    }

    fn register(&mut self, worker: usize) {
        self.workers[worker].heard = self.now;
        if self.up {
            self.connect(Who::Worker(worker));
            let registration = self.workers[worker].registration();
            self.send(self.workers[worker].connection, registration);
        } else if self.workers[worker].dialect != Dialect::Ppp {
            self.soon(Step::Revive(worker), 100, 200);
            self.workers[worker].doing = Doing::Dead;
        }
    }

    /// libzmq makes the connection again; the program learns nothing of it.
    fn reconnected(&mut self, worker: usize) {
        let (state, old) = (&self.workers[worker], self.workers[worker].connection);
        if state.doing == Doing::Dead || old.is_some_and(|old| self.connections[old].open) {
            return;
        }
        if !self.up {
            return self.soon(Step::Connect(worker), 100, 200);
        }
        self.connect(Who::Worker(worker));
    }
}
