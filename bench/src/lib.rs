//! Tools that load, hurt and account for brokers and loggers of this project and for their peers.
//!
//! They speak ZMTP 3 (RFC 23, NULL mechanism) over plain TCP in one thread, so that a request costs the generator
//! about 10 µs and the broker is what is measured; sockets of libzmq would cost three to eight times as much.
//!
//! Reading order: [`zmtp`] (bytes ↔ messages), [`net`] (one connection), [`histogram`], [`process`] (what the kernel says
//! of a process), then the programs in `bin/`.

pub mod histogram;
pub mod net;
pub mod process;
pub mod zmtp;
