//! The text of an integration pull request.
//!
//! A reviewer reads from the top: what agents worry about, what is known to go wrong, what was done and how it was
//! proven, how the lane stands to others, how to try it, and what the agents said of their work. Words of agents are
//! quoted blocks in which nothing is active; see [`neutral`]. Nothing here depends on a clock: as long as nothing of
//! the lane and those beside it changes, the same bytes come out.
//!
//! A lane that was merged gets a [last word](last_word) on its pull request.

mod around;
mod body;
mod last_word;
pub mod neutral;
mod picture;
mod room;
mod sections;
mod summaries;
mod task;
mod trouble;

#[cfg(test)]
mod tests;

pub use body::{MOST_CHARACTERS, PrText, pull_request};
pub use last_word::last_word;
pub use task::{task_pr_closed, task_pull_request};
pub use trouble::without_trouble;
