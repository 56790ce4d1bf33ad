//! The one integration test binary; one module a topic.
#![expect(clippy::disallowed_methods, reason = "tests look at real files and start real processes")]

mod agents;
mod conflicts;
mod custody;
mod docs;
mod doctor;
mod forge;
#[expect(unreachable_pub, reason = "the fuzzers use it as a library")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz_targets;
mod graphs;
mod guards;
mod harness;
mod hostile;
#[path = "../fixtures/model_server/mod.rs"]
mod model_server;
mod recovery;
mod scripted;
mod shipped;
mod sparing;
mod stress;
mod submodules;
mod warm;
