//! What each fuzz target does with its bytes. The fuzzers call these functions, and so does `cargo test`, with every file
//! of `corpus/`: what a fuzzer once found stays found.
//!
//! A target panics where Laneway breaks a promise: it panicked itself, took what it must refuse, or lost what it took.

pub mod adapter;
pub mod forge;
pub mod graph;
pub mod journal;
mod pieces;
mod planned;
pub mod replay;
pub mod requests;
pub mod signals;
pub mod when;

/// What a target does with the bytes of an input.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("adapter", adapter::run),
    ("forge", forge::run),
    ("graph", graph::run),
    ("journal", journal::run),
    ("replay", replay::run),
    ("requests", requests::run),
    ("signals", signals::run),
    ("when", when::run),
];
