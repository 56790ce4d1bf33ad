//! What integration tests stand on: scratch repositories, the real program, and a look at what belongs to the user.
//!
//! Nothing in here waits by the clock. A test waits for a file, a line or an end, and fails when the end comes first.

mod barrier;
mod github;
mod output;
mod running;
mod scratch;
mod stage;
mod status;
mod userstate;

#[cfg(test)]
mod tests;

pub(crate) use barrier::Barrier;
pub(crate) use github::{FakeGitHub, Fault, Method};
pub(crate) use output::{Answer, Output};
pub(crate) use running::Running;
pub(crate) use scratch::{Scratch, Setup};
pub(crate) use stage::Stage;
pub(crate) use status::Status;
pub(crate) use userstate::UserState;
