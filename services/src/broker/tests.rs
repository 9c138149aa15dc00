//! The rules of `protocol.md`, one by one.
