//! The real worker and client machines round the real broker machine, in a network that exists only in memory and in a time
//! that is only a number. Brokers and workers crash, connections break; then peace returns, and everything must come right.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cbw_services::backoff::Backoff;
use cbw_services::broker::{self, Broker, Config, Notice, Outbox, Side, Watch};
use cbw_services::client::{AGAIN, Action as ClientAction, Client, Event as ClientEvent, Plan};
use cbw_services::wire::Dialect;
use cbw_services::worker::work::echo;
use cbw_services::worker::{Action as WorkerAction, Event as WorkerEvent, RECONNECT, Worker};
use proptest::prelude::*;

type Frame = Vec<u8>;

const MS: Duration = Duration::from_millis(1);
/// No more faults after this.
const PEACE: Duration = Duration::from_secs(20);
/// Everything must have come right long before this.
const END: Duration = Duration::from_secs(120);

/// What will happen. A connection that was lost in the meantime makes it not happen.
enum Step {
    /// A worker's attempt to connect comes to its end.
    Connected {
        worker: usize,
        connection: u64,
    },
    /// A worker notices that its connection is gone.
    Lost {
        worker: usize,
        connection: u64,
    },
    /// The broker notices that a worker's connection is gone.
    Gone {
        worker: usize,
        connection: u64,
    },
    ToBroker {
        worker: usize,
        connection: u64,
        frames: Vec<Frame>,
    },
    ToWorker {
        connection: u64,
        frames: Vec<Frame>,
    },
    Done {
        worker: usize,
        life: u64,
        job: u64,
        answer: Vec<Frame>,
    },
    Request {
        identity: String,
        body: String,
    },
    Reply {
        identity: Frame,
        frames: Vec<Frame>,
    },
    BrokerDies,
    BrokerStarts,
    WorkerDies {
        worker: usize,
    },
    WorkerStarts {
        worker: usize,
    },
    LinkBreaks {
        worker: usize,
    },
}

struct Hand {
    machine: Worker<Frame>,
    life: u64,
    alive: bool,
    connection: u64,
}

struct Silent;

impl Watch for Silent {
    fn listens(&self) -> bool {
        false
    }

    fn notice(&mut self, _: Duration, _: Notice<'_>) {}
}

struct Network {
    now: Duration,
    random: u64,
    steps: BTreeMap<(Duration, u64), Step>,
    number: u64,
    broker: Option<Broker<Frame>>,
    hands: Vec<Hand>,
    /// Of each worker's identity, the connection that the broker sends by.
    routes: HashMap<Frame, u64>,
    client: Client,
    /// Of each lane, the identity of its socket.
    lanes: HashMap<usize, String>,
    outcomes: BTreeMap<u64, Result<String, String>>,
    ended: bool,
}

impl Network {
    fn new(seed: u64, workers: usize, plan: Plan) -> Self {
        let hands = (0..workers).map(|_| Hand { machine: worker(seed), life: 0, alive: true, connection: 0 }).collect();
        let client = Client::new(plan, Backoff::seeded(AGAIN.0, AGAIN.1, seed));
        Self {
            now: Duration::ZERO,
            random: seed | 1,
            steps: BTreeMap::new(),
            number: 0,
            broker: Some(Broker::new(Config::default())),
            hands,
            routes: HashMap::new(),
            client,
            lanes: HashMap::new(),
            outcomes: BTreeMap::new(),
            ended: false,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn at(&mut self, time: Duration, step: Step) {
        self.number += 1;
        self.steps.insert((time, self.number), step);
    }

    /// After the time that a message takes. All take the same, so that a connection keeps its order.
    fn soon(&mut self, step: Step) {
        self.at(self.now + MS, step);
    }

    /// Everybody begins; then whatever is next happens, until the client has ended and all is quiet.
    fn run(&mut self) {
        self.client_does(ClientEvent::Tick);
        for worker in 0..self.hands.len() {
            self.worker_does(worker, WorkerEvent::Tick);
        }
        while self.now < END && !(self.ended && self.now > PEACE + 10_000 * MS) {
            let step = self.steps.first_key_value().map_or(Duration::MAX, |((time, _), _)| *time);
            let broker = self.broker.as_ref().and_then(Broker::next_timeout).unwrap_or(Duration::MAX);
            let hands = self.hands.iter().filter(|hand| hand.alive).map(|hand| hand.machine.next_timeout()).min().unwrap_or(Duration::MAX);
            let client = self.client.next_timeout();
            let next = step.min(broker).min(hands).min(client).max(self.now);
            assert!(next < Duration::MAX, "nothing will ever happen again");
            self.now = next;
            if step <= next {
                if let Some((_, step)) = self.steps.pop_first() {
                    self.happen(step);
                }
                continue;
            }
            if broker <= next {
                self.tell_broker(broker::Event::Tick);
            }
            for worker in 0..self.hands.len() {
                if self.hands[worker].alive && self.hands[worker].machine.next_timeout() <= next {
                    self.worker_does(worker, WorkerEvent::Tick);
                }
            }
            if client <= next {
                self.client_does(ClientEvent::Tick);
            }
        }
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Connected { worker, connection } if self.is(worker, connection) => {
                if self.broker.is_some() {
                    self.routes.insert(name(worker), connection);
                    self.worker_does(worker, WorkerEvent::Up);
                } else {
                    self.worker_does(worker, WorkerEvent::Down);
                }
            }
            Step::Lost { worker, connection } if self.is(worker, connection) => self.worker_does(worker, WorkerEvent::Down),
            Step::Gone { worker, connection } if self.routes.get(&name(worker)) == Some(&connection) => {
                self.routes.remove(&name(worker));
                self.tell_broker(broker::Event::WorkerGone(&name(worker)));
            }
            Step::ToBroker { worker, connection, mut frames } if self.routes.get(&name(worker)) == Some(&connection) => {
                frames.insert(0, name(worker));
                self.tell_broker(broker::Event::FromWorker(&mut frames));
            }
            Step::ToWorker { connection, frames } => {
                if let Some(worker) = (0..self.hands.len()).find(|&worker| self.is(worker, connection)) {
                    self.worker_does(worker, WorkerEvent::Heard(frames));
                }
            }
            Step::Done { worker, life, job, answer } if self.hands[worker].alive && self.hands[worker].life == life => {
                self.worker_does(worker, WorkerEvent::Done(job, answer.into()));
            }
            // A REQ socket goes on trying to connect.
            Step::Request { identity, body } if self.broker.is_none() => self.at(self.now + 100 * MS, Step::Request { identity, body }),
            // A socket that was given up in the meantime sends nothing.
            Step::Request { identity, body } if self.lanes.values().any(|lane| *lane == identity) => {
                self.tell_broker(broker::Event::FromClient(&mut vec![identity.into(), vec![], body.into()]));
            }
            Step::Reply { identity, frames } => {
                let lane = self.lanes.iter().find(|(_, socket)| socket.as_bytes() == identity).map(|(&lane, _)| lane);
                if let Some(lane) = lane {
                    self.client_does(ClientEvent::Reply(lane, frames));
                }
            }
            Step::BrokerDies => {
                self.broker = None;
                for worker in 0..self.hands.len() {
                    self.cut(worker);
                }
                self.routes.clear();
            }
            Step::BrokerStarts if self.broker.is_none() => {
                self.broker = Some(Broker::new(Config { nonce: self.number, ..Config::default() }));
            }
            Step::WorkerDies { worker } => {
                self.cut(worker);
                self.hands[worker].alive = false;
            }
            Step::WorkerStarts { worker } => {
                let seed = self.random(u64::MAX);
                let hand = &mut self.hands[worker];
                if !hand.alive {
                    (hand.alive, hand.life, hand.machine) = (true, hand.life + 1, self::worker(seed));
                    // The identity is the same, the machine's first attempt is due as soon as it has begun.
                    self.worker_does(worker, WorkerEvent::Tick);
                }
            }
            Step::LinkBreaks { worker } => self.cut(worker),
            _ => {}
        }
    }

    /// Whether this is the worker's present connection.
    fn is(&self, worker: usize, connection: u64) -> bool {
        self.hands[worker].alive && self.hands[worker].connection == connection
    }

    /// Breaks a worker's connection: what is on its way is lost, and both ends notice, each in its time.
    fn cut(&mut self, worker: usize) {
        let connection = self.hands[worker].connection;
        let (soon, later) = (self.random(20) + 2, self.random(200) + 2);
        self.at(self.now + MS * u32::try_from(soon).unwrap(), Step::Gone { worker, connection });
        self.at(self.now + MS * u32::try_from(later).unwrap(), Step::Lost { worker, connection });
    }

    fn worker_does(&mut self, worker: usize, event: WorkerEvent<Frame>) {
        let mut actions = Vec::new();
        self.hands[worker].machine.handle(self.now, event, &mut actions);
        for action in actions {
            match action {
                WorkerAction::Connect => {
                    self.number += 1;
                    let connection = self.number;
                    self.hands[worker].connection = connection;
                    self.soon(Step::Connected { worker, connection });
                }
                WorkerAction::Disconnect => {
                    let connection = std::mem::take(&mut self.hands[worker].connection);
                    self.soon(Step::Gone { worker, connection });
                }
                WorkerAction::Send(frames) => {
                    let connection = self.hands[worker].connection;
                    self.soon(Step::ToBroker { worker, connection, frames });
                }
                WorkerAction::Begin { job, body, .. } => {
                    let answer = echo(body, &format!("w{worker}")).into_vec();
                    let (life, time) = (self.hands[worker].life, self.random(50) + 1);
                    self.at(self.now + MS * u32::try_from(time).unwrap(), Step::Done { worker, life, job, answer });
                }
                WorkerAction::End => unreachable!("nobody told it to stop"),
            }
        }
    }

    fn client_does(&mut self, event: ClientEvent) {
        let mut actions = Vec::new();
        self.client.handle(self.now, event, &mut actions);
        for action in actions {
            match action {
                ClientAction::Open { lane, identity } => {
                    self.lanes.insert(lane, identity);
                }
                ClientAction::Send { lane, body } => {
                    let identity = self.lanes[&lane].clone();
                    self.soon(Step::Request { identity, body });
                }
                ClientAction::Tell(outcome) => {
                    let twice = self.outcomes.insert(outcome.n, outcome.reply);
                    assert!(twice.is_none(), "request {} ended twice", outcome.n);
                }
                ClientAction::End => self.ended = true,
            }
        }
    }

    fn tell_broker(&mut self, event: broker::Event<'_, Frame>) {
        let mut lost = self.broker_hears(event);
        while let Some((side, identity, work)) = lost.pop() {
            lost.extend(match side {
                Side::Frontend => self.broker_hears(broker::Event::ReplyUndelivered(&identity)),
                Side::Backend => self.broker_hears(broker::Event::Undelivered { worker: &identity, work }),
            });
        }
    }

    /// What the broker says goes on its way; what has no connection comes back, as from a ROUTER that is mandatory.
    fn broker_hears(&mut self, event: broker::Event<'_, Frame>) -> Vec<(Side, Frame, bool)> {
        let (mut out, mut lost) = (Outbox::default(), Vec::new());
        let Some(broker) = &mut self.broker else { return lost };
        broker.handle(self.now, event, &mut out, &mut Silent);
        let mut frames = out.frames.into_iter();
        for (side, count) in out.messages {
            let mut message = frames.by_ref().take(count);
            let identity = message.next().unwrap();
            let rest: Vec<_> = message.collect();
            match (side, self.routes.get(&identity).copied()) {
                (Side::Frontend, _) => self.soon(Step::Reply { identity, frames: rest[1..].to_vec() }),
                (Side::Backend, Some(connection)) => self.soon(Step::ToWorker { connection, frames: rest }),
                (Side::Backend, None) => lost.push((side, identity, rest.len() > 1)),
            }
        }
        lost
    }
}

fn worker(seed: u64) -> Worker<Frame> {
    Worker::new(Dialect::Ppp, Backoff::seeded(RECONNECT.0, RECONNECT.1, seed))
}

fn name(worker: usize) -> Frame {
    format!("w{worker}").into_bytes()
}

/// A fault that mends itself before peace.
#[derive(Debug, Clone)]
enum Fault {
    Broker,
    Worker(usize),
    Link(usize),
}

fn any_fault() -> impl Strategy<Value = (Fault, u64, u64)> {
    let fault = prop_oneof![
        1 => Just(Fault::Broker),
        3 => (0_usize..3).prop_map(Fault::Worker),
        3 => (0_usize..3).prop_map(Fault::Link),
    ];
    (fault, 0_u64..15_000, 1_u64..4_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn when_peace_returns_every_request_has_its_own_reply(seed in any::<u64>(), faults in proptest::collection::vec(any_fault(), 0..12)) {
        let requests = 300;
        let plan = Plan {
            id: "c".to_owned(),
            requests: Some(requests),
            concurrency: 4,
            rate: Some(20.0),
            duration: None,
            timeout: 2500 * MS,
            tries: 20,
            any_reply: false,
        };
        let mut network = Network::new(seed, 3, plan);
        for (fault, begin, time) in faults {
            let (begin, end) = (MS * u32::try_from(begin).unwrap(), MS * u32::try_from(begin + time).unwrap());
            match fault {
                Fault::Broker => {
                    network.at(begin, Step::BrokerDies);
                    network.at(end, Step::BrokerStarts);
                }
                Fault::Worker(worker) => {
                    network.at(begin, Step::WorkerDies { worker });
                    network.at(end, Step::WorkerStarts { worker });
                }
                Fault::Link(worker) => network.at(begin, Step::LinkBreaks { worker }),
            }
        }
        network.run();
        prop_assert!(network.ended, "the client waits for ever: {:?}", network.client);
        prop_assert_eq!(network.client.wrong(), 0);
        // A request that was with worker after worker while all of them died ends in an explicit error, and only such a one.
        for n in 1..=requests {
            let outcome = &network.outcomes[&n];
            let own = |reply: &str| reply.starts_with(&format!("c-{n} w"));
            prop_assert!(outcome.as_ref().map_or_else(|why| why.starts_with("!cbw failed"), |reply| own(reply)), "{:?}", outcome);
        }
        let snapshot = network.broker.as_ref().unwrap().snapshot(network.now);
        prop_assert_eq!((snapshot.ready, snapshot.working, snapshot.pending), (3, 0, 0));
        prop_assert!(network.hands.iter().all(|hand| hand.machine.is_registered() && !hand.machine.is_busy()));
    }
}
