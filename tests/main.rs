//! The one integration test binary; one module a topic.
#![expect(clippy::disallowed_methods, reason = "tests look at real files and start real processes")]

mod graphs;
mod harness;
mod scripted;
mod shipped;
