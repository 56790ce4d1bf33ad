//! What an agent is given: its argv, its environment and its instructions.
//!
//! All of it is data made from data; the process is started in [`exec`](crate::exec), and its program is found
//! with [`exec::find_program`](crate::exec::find_program).

mod command;
mod environment;
mod instructions;

pub use command::{AgentCommand, Fill, PromptBy, argv};
pub use environment::environment;
pub use instructions::{
    Assignment, Commits, ConflictShown, EarlierAttempt, GivenInput, InstructionInput, RejectedSignal,
    ReviewInput, ReviewedChange, UpstreamSummary, instructions, review_instructions,
};
