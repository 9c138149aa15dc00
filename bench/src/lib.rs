//! Tools that load, hurt and account for brokers and loggers of this project and for their peers.
//!
//! They speak ZMTP 3 (RFC 23, NULL mechanism) over plain TCP, so that a request costs the generator about 10 µs and the broker
//! is what is measured; sockets of libzmq would cost three to eight times as much. And they can say what no library would.
//!
//! Reading order: [`zmtp`] (bytes ↔ messages), [`net`] and [`blocking`] (one connection), [`histogram`], [`chance`],
//! [`process`] (what the kernel says of a process), [`service`] (our programs as children), then the programs in `bin/` and
//! in `tests/soak/`.

pub mod blocking;
pub mod chance;
pub mod histogram;
pub mod net;
pub mod process;
pub mod service;
pub mod zmtp;
