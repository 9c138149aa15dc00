//! The loops: the only place that knows sockets and signals.
