//! The one loop that turns effects into actions and outcomes into inputs, and what it stands on: projects, plans from
//! observation, runs in the record, requests.
//!
//! ```text
//! inputs -> Core::step -> journal (one write, one fsync) -> publish -> reconcile effects -> inputs
//! ```
//!
//! Boot is recovery: a new run, a resumed one and one whose orchestrator was killed all enter the same loop; effects
//! that were outstanding are started again with `resumed` set, and ask the world first.
#![expect(clippy::disallowed_methods, reason = "the runtime carries decisions out")]

mod brief;
pub mod checkup;
mod claims;
mod clock;
mod collection;
mod conflicts;
mod context;
mod credentials;
mod effects;
mod error;
mod forge;
mod halt;
mod home;
mod kept;
mod listen;
mod liveness;
mod noticeboard;
mod observe;
mod orchestrator;
mod poller;
mod ports;
mod project;
mod publish;
mod request;
mod room;
mod shortage;
mod store;
mod undo;

#[cfg(test)]
mod tests;

pub use collection::{Item, Left, Spared, Swept, Thing, abandoned, collect, sweep};
pub use conflicts::{Compared, Conflicts, conflicts_among, conflicts_of_run};
pub use context::Context;
pub use credentials::find_token;
pub use effects::{SetupResult, setup_results};
pub use error::{ErrorClass, RuntimeError};
pub use forge::forges;
pub use kept::{Kept, Standing, drop_kept, kept, standing};
pub use observe::{Config, prepare};
pub use orchestrator::{Drive, drive};
pub use project::Project;
pub use request::{Answer, ask_for_news, request};
pub use store::{Loaded, create_run, load, lock, rebuild, verify};
pub use undo::{UndoProblem, probe_undo, undo_digest};
