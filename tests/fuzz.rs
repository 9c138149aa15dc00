//! A short run of what `gen/fuzz` does for hours: the seeds of its targets, mutated some thousand times, the same way each time.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "what cannot be read fails the test")]

#[path = "../gen/fuzz/fuzz_targets/promises.rs"]
mod promises;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use proptest::test_runner::{RngAlgorithm, TestRng};

/// Random numbers that are the same in every run.
struct Dice(TestRng);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        use proptest::prelude::Rng as _;
        usize::try_from(self.0.next_u64() % (bound.max(1) as u64)).unwrap()
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// One to four changes: a byte becomes another, bytes go, come twice, or are put in from another seed.
fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const SYNTAX: &[u8] = b" \t\r\n\0:-[]{}\"'#&*!|>?,$@=\\/.<09aA~%\xff\xc3\xa9";
    let mut text = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let start = dice.below(text.len() + 1);
        let end = (start + 1 + dice.below(40)).min(text.len());
        match dice.below(6) {
            0 if start < text.len() => text[start] = SYNTAX[dice.below(SYNTAX.len())],
            1 => text.insert(start, SYNTAX[dice.below(SYNTAX.len())]),
            2 => drop(text.drain(start..end)),
            3 => {
                let again = text[start..end].repeat(1 + dice.below(3));
                text.splice(start..start, again);
            }
            4 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(200)).min(other.len());
                text.splice(start..end, other[from..to].iter().copied());
            }
            _ => text.truncate(text.len() - dice.below(text.len() / 8 + 1)),
        }
    }
    text
}

fn run(target: &str, times: usize, promise: fn(&str)) {
    let seeds = seeds(target);
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let unchanged = seeds.iter().cloned();
    let inputs: Vec<Vec<u8>> = unchanged.chain((0..times).map(|_| mutate(&seeds, &mut dice))).collect();
    for input in inputs {
        let text = String::from_utf8_lossy(&input);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| promise(&text))) {
            let mut shown = String::new();
            write!(shown, "{}", text.escape_debug()).unwrap();
            eprintln!("the promise of `{target}` is broken by \"{shown}\"");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn any_topology() {
    run("topology", 500, promises::topology);
}

#[test]
fn any_compose_project() {
    run("compose", 600, promises::compose);
}

#[test]
fn any_dockerfile() {
    run("dockerfile", 5_000, promises::dockerfile);
}

#[test]
fn any_ufw() {
    run("ufw", 2_000, promises::ufw);
}

#[test]
fn any_yaml() {
    run("yaml", 5_000, promises::yaml);
}
