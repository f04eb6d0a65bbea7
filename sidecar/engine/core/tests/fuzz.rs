//! A short smoke run of the fuzz targets on stable Rust: every file of the committed corpus, and a fixed
//! number of mutations of them by a seeded mutator. `make fuzz` runs the same targets under libFuzzer.

#![cfg(test)]

#[path = "../../fuzz/src/targets.rs"]
pub mod targets;

use std::path::Path;

use targets::TARGETS;

/// Mutations a target: some seconds in all, in a development build.
const MUTATIONS: u64 = 1_500;
/// What parsers stumble over.
const WORDS: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: ",
    b"null",
    b"-0",
    b"1e999",
    b"\xff",
    b"\0",
    b"99999999999999999999",
    b"\"model\":",
    b"\xf0\x9f\x98\x80",
];

#[test]
fn every_target_survives_its_corpus_and_what_becomes_of_it() {
    for (name, run) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for entry in &corpus {
            run(entry);
        }
        let mut rng = fastrand::Rng::with_seed(0x5eed);
        for number in 0..MUTATIONS {
            let input = mutated(&corpus, &mut rng);
            let shown = input.escape_ascii().to_string();
            let survived = std::panic::catch_unwind(|| run(&input));
            assert!(survived.is_ok(), "{name}, mutation {number}: b\"{shown}\"");
        }
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One entry with one to six changes.
fn mutated(corpus: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut data = corpus[rng.usize(..corpus.len())].clone();
    for _ in 0..rng.usize(1..=6) {
        let at = rng.usize(..=data.len());
        let until = at + rng.usize(..=(data.len() - at).min(64));
        match rng.u8(..7) {
            0 if at < data.len() => data[at] ^= 1 << rng.u8(..8),
            1 => drop(data.drain(at..until)),
            2 => {
                let again = data[at..until].to_vec();
                data.splice(at..at, again);
            }
            3 => {
                let word = WORDS[rng.usize(..WORDS.len())];
                data.splice(at..at, word.iter().copied());
            }
            4 => {
                let other = &corpus[rng.usize(..corpus.len())];
                let from = rng.usize(..=other.len());
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            5 => data.truncate(at),
            _ if !data.is_empty() => data[0] = rng.u8(..),
            _ => data.push(rng.u8(..)),
        }
    }
    data
}
