//! The text of an integration pull request.
//!
//! A reviewer reads from the top: what agents worry about, what was done and how it was proven, what it holds of other
//! lanes, how to try it, and last what the agents said of their work. Words of agents are quoted blocks in which
//! nothing is active; see [`neutral`].

mod body;
pub mod neutral;
mod sections;
mod summaries;
mod task;

#[cfg(test)]
mod tests;

pub use body::{MOST_CHARACTERS, PrText, pull_request};
pub use task::{task_pr_closed, task_pull_request};
