//! Strangers on both ports.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Broker, ask, until};

/// Pseudo-random bytes that are the same in every run (xorshift, by Marsaglia).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

#[test]
fn bytes_that_are_no_zmtp_hurt_nobody() {
    let broker = Broker::start(&[]);
    let _worker = broker.worker_process("W", &[]);
    let client = broker.client(zmq::REQ, "c");
    let mut noise = Noise(7);
    let mut half_open = Vec::new();
    for round in 0..60 {
        for port in [broker.frontend, broker.backend] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let bytes = match round % 4 {
                0 => b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec(),
                1 => Vec::new(),
                // A greeting, and then noise instead of a handshake.
                2 => [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"[..], &[0; 48], &noise.bytes(200)].concat(),
                _ => noise.bytes(2_000),
            };
            // The broker may close first.
            let _ = stream.write_all(&bytes);
            if round % 3 == 0 {
                half_open.push(stream);
            }
        }
        assert_eq!(ask(&client, "q"), "q W");
    }
}

#[test]
fn frames_that_mean_nothing_are_counted_and_dropped() {
    let broker = Broker::start(&[]);
    let _worker = broker.worker_process("W", &[]);
    let client = broker.client(zmq::REQ, "c");
    broker.wait_for_ready(1);
    let front = broker.client(zmq::DEALER, "stranger at the front");
    let back = broker.worker(zmq::DEALER, "stranger at the back", &[b"hello"]);
    let mut noise = Noise(11);
    for _ in 0..500 {
        // No empty frame, so it is neither a request nor a registration.
        let frames: Vec<_> = (0..=noise.below(100)).map(|_| [b"x", &noise.bytes(50)[..]].concat()).collect();
        front.send_multipart(&frames, 0).unwrap();
        back.send_multipart(&frames, 0).unwrap();
    }
    until("all are counted", || (broker.counter("malformed") == 1_001).then_some(()));
    assert_eq!(ask(&client, "q"), "q W");
}

#[test]
fn a_frame_that_is_too_large_costs_its_sender_the_connection() {
    let broker = Broker::start(&[("MAX_FRAME", "1MiB")]);
    let _worker = broker.worker_process("W", &[]);
    // A handshake, and then the header of a frame of 2^62 bytes.
    let mut stream = TcpStream::connect(("127.0.0.1", broker.frontend)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"[..], &[0; 48]].concat();
    stream.write_all(&greeting).unwrap();
    stream.read_exact(&mut [0; 64]).unwrap();
    stream.write_all(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REQ").unwrap();
    stream.write_all(b"\x02\x40\0\0\0\0\0\0\0").unwrap();
    // What is left of the handshake, and then the end or a reset; a broker that waits for 2^62 bytes would say nothing.
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(ask(&broker.client(zmq::REQ, "c"), "q"), "q W");
}
