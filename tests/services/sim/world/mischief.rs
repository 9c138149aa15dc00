//! What goes wrong: workers that die, hang or come twice, connections that break, strangers, and a broker that dies.

use std::collections::VecDeque;
use std::time::Duration;

use cbw_services::broker::{Broker, Config, Event, Side};
use cbw_services::wire::Dialect;

use super::{Connection, Step, Who, World};
use crate::ledger::Ledger;
use crate::peers::{Doing, MS, Worker};

impl World {
    pub(super) fn add_worker(&mut self, id: Vec<u8>, dialect: Dialect) {
        let worker = self.workers.len();
        let service = MS(1) + self.pick(MS(200));
        self.workers.push(Worker {
            id,
            dialect,
            connection: None,
            doing: Doing::Nothing,
            reply: Vec::new(),
            queue: VecDeque::new(),
            paused_until: Duration::ZERO,
            heard: self.now,
            service,
        });
        self.register(worker);
        if dialect == Dialect::Ppp {
            self.soon(Step::Beat(worker), 950, 1_050);
        }
    }

    pub(super) fn kill(&mut self) {
        let worker = self.below(self.workers.len());
        self.die(worker);
    }

    pub(super) fn die(&mut self, worker: usize) {
        if self.workers[worker].doing == Doing::Dead {
            return;
        }
        self.workers[worker].doing = Doing::Dead;
        self.workers[worker].queue.clear();
        if let Some(connection) = self.workers[worker].connection.take() {
            self.close(connection);
        }
        self.soon(Step::Revive(worker), 10, 3_000);
    }

    pub(super) fn revive(&mut self, worker: usize) {
        if self.workers[worker].doing == Doing::Dead {
            self.workers[worker].doing = Doing::Nothing;
            self.register(worker);
        }
    }

    pub(super) fn pause(&mut self) {
        let (worker, time) = (self.below(self.workers.len()), self.pick(MS(6_000)));
        self.workers[worker].paused_until = self.now + time;
    }

    pub(super) fn cut(&mut self) {
        let worker = self.below(self.workers.len());
        if let Some(connection) = self.workers[worker].connection {
            self.close(connection);
            self.soon(Step::Connect(worker), 100, 200);
        }
    }

    /// The one that comes last has the name; the other is deaf from then on, and goes.
    pub(super) fn twin(&mut self) {
        let worker = self.below(self.workers.len());
        self.die(worker);
        self.revive(worker);
    }

    pub(super) fn garbage(&mut self) {
        let side = if self.below(2) == 0 { Side::Frontend } else { Side::Backend };
        self.strangers += 1;
        let id = format!("garbage {}", self.strangers).into_bytes();
        let mut frames = Vec::new();
        for _ in 0..=self.below(6) {
            let frame = match self.below(5) {
                0 | 1 => Vec::new(),
                2 => vec![u8::try_from(self.below(3)).unwrap()],
                3 => b"READY".to_vec(),
                _ => b"C0".to_vec(),
            };
            frames.push(frame);
        }
        // What a client may say is a request, and then it is no garbage.
        if side == Side::Frontend {
            frames.retain(|frame| !frame.is_empty());
        }
        let connection = self.attach(Connection { side, id, who: Who::Stranger, open: true });
        self.soon(Step::ToBroker { connection, frames }, 0, 3);
        if self.below(2) == 0 {
            self.close(connection);
        }
    }

    pub(super) fn crash(&mut self) {
        if !self.up {
            return;
        }
        self.up = false;
        self.routes.clear();
        self.heard.clear();
        self.ledger = Ledger::default();
        for connection in &mut self.connections {
            connection.open = false;
        }
        for client in &mut self.clients {
            client.open.clear();
        }
        self.soon(Step::Restarted, 50, 2_000);
    }

    pub(super) fn restarted(&mut self) {
        self.life += 1;
        self.up = true;
        // The machine's clock begins with each life; here it goes on, which it may.
        self.broker = Broker::new(Config { nonce: self.life, ..self.config.clone() });
        for client in 0..self.clients.len() {
            self.connect(Who::Client(client));
        }
        for worker in 0..self.workers.len() {
            if self.workers[worker].doing == Doing::Dead {
                continue;
            }
            // Their name cards are read before the backend opens.
            if self.workers[worker].dialect != Dialect::Ppp {
                let id = self.workers[worker].id.clone();
                self.tell(Event::WorkerSeen(&id));
            }
            self.soon(Step::Connect(worker), 100, 200);
        }
    }
}
