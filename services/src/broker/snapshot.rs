//! What can be seen of the broker from outside: its state at one moment, and its counters.

use std::time::Duration;

use crate::wire::Dialect;

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// It waits for a request.
    Ready,
    /// It has a request, within the deadline.
    Working,
    /// It has had a request for longer than the deadline, and the request was taken from it.
    Late,
    /// It is connected but has said nothing yet; it is adopted when it stays silent.
    Seen,
}

impl WorkerState {
    /// The state in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Working => "working",
            Self::Late => "late",
            Self::Seen => "seen",
        }
    }
}

/// One worker in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its identity, bytes.
    pub id: Vec<u8>,
    /// How it speaks; what is assumed as long as it is only seen.
    pub dialect: Dialect,
    /// What it does.
    pub state: WorkerState,
    /// How long it has been doing that.
    pub since: Duration,
}

/// The broker at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Since the broker's start.
    pub uptime: Duration,
    /// Workers that wait for a request.
    pub ready: usize,
    /// Requests that workers have in hand.
    pub working: usize,
    /// Requests that wait for a worker.
    pub pending: usize,
    /// Bytes of the requests that the broker holds, bodies and envelopes.
    pub held_bytes: usize,
    /// Whether it takes no new requests.
    pub draining: bool,
    /// All workers, by identity.
    pub workers: Vec<WorkerStatus>,
    /// What has happened so far.
    pub counters: Counters,
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// How often each thing has happened since the broker's start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Every counter: its name without prefix and `_total`, its description, its value.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
                [$((stringify!($name), concat!($($doc),+).trim_ascii(), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Requests accepted.
    requests,
    /// Requests given to a worker, again included.
    dispatches,
    /// Answers passed on to clients.
    replies,
    /// Requests refused because the queue was full.
    refused_busy,
    /// Requests refused because no worker answered.
    refused_failed,
    /// Requests refused because the broker was stopping.
    refused_stopping,
    /// Requests withdrawn because the client asked again.
    withdrawn,
    /// Requests and replies dropped because the client was gone.
    client_gone,
    /// Deadlines missed by workers.
    timeouts,
    /// Requests taken from a worker to be given again.
    redispatches,
    /// Answers dropped because the request was answered, refused or withdrawn already.
    late_replies,
    /// Answers dropped because the worker did not have that request.
    unasked_replies,
    /// Messages that could not be understood.
    malformed,
    /// Workers that registered.
    registrations,
    /// Workers adopted without a registration.
    adopted,
    /// Workers found gone: unreachable, silent or replaced.
    workers_lost,
}
