//! From the text of a graph file to a [`Graph`]: every problem of the file at once, each with a span and a hint.
//!
//! ```text
//! text --toml--> spanned tables --file.rs--> GraphFile (shape) --resolve/--> Graph (meaning)
//!                      |                          |                  |
//!                      +--------- Diagnostic -----+------------------+--> Diagnostics
//! ```
//!
//! The tables in `file.rs` are the one list of keys: the reader, the hints and the JSON Schema are all made from it.

mod agent;
mod branch;
mod caret;
mod code;
mod contract;
mod cycle;
mod diagnostic;
mod duration;
mod file;
mod furnish;
mod model;
mod nearest;
mod parse;
mod read;
mod reference;
mod resolve;
mod role;
pub mod schema;
mod scope;
mod substitution;
mod values;
mod when;
mod words;

#[cfg(test)]
mod tests;

pub use agent::{AgentDef, AgentUse, ClaimBy, JsonUsage, Loop, OutputRules, SessionPolicy};
pub use code::{Code, reference_page};
pub use contract::{Adr, AdrLevel, Contract, ExpectedOutput, InputFrom, Review};
pub use diagnostic::{Diagnostic, Diagnostics, Position, Related, Severity};
pub use furnish::{Furnishing, Lfs, Setup};
pub use model::{
    Command, CommitPolicy, Defaults, DiffPolicy, Gate, Graph, Handoff, MergePolicy, Millis, PromptBy, Retry,
    RetryOn, Task, Teardown, Verb, Workstream, lane_needs,
};
pub use parse::{ProjectDefaults, Source, digest, parse};
pub use reference::graph_page;
pub use role::{REVIEWER, Role, RoleSource};
pub use when::{Condition, OUTCOMES, Operand, When};
