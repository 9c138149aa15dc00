//! Frames from the fuzzer's bytes: each begins with its length, short ones being likely.

/// Splits bytes into frames.
pub fn split(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let length = usize::from(if length < 240 { length % 8 } else { length });
        let (frame, rest) = rest.split_at(length.min(rest.len()));
        frames.push(frame.to_vec());
        data = rest;
    }
    frames
}
