//! The one integration test binary; one module a topic.
#![expect(clippy::disallowed_methods, reason = "tests look at real files and start real processes")]

mod docs;
mod forge;
mod graphs;
mod guards;
mod harness;
mod recovery;
mod scripted;
mod shipped;
