//! The pure core: what follows from where things stand and what was just heard.
//!
//! ```text
//! Input -> observe -> facts -> State -> rules -> transitions and intents -> State -> ...
//! ```
//!
//! `observe` turns an input into facts and decides nothing. The rules look only at plan, state and the two clocks,
//! so whatever an interrupted orchestrator did not get to write down follows again from the facts it did: recovery
//! needs no code of its own. Replay never acts; effects are carried out by whoever reads [`Core::outstanding`].

mod agenda;
mod core;
mod input;
mod observe;
mod rules;

#[cfg(test)]
mod tests;

pub use self::core::{Core, EngineError};
pub use agenda::Deadline;
pub use input::{Input, Report};
pub use observe::news;
