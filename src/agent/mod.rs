//! What an agent is given: its argv, its environment and its instructions; and what its output says.
//!
//! The agents that are known from the start are data files in `adapters/`; nothing else knows an agent by name.
//!
//! All of it is data made from data; the process is started in [`exec`](crate::exec), and its program is found
//! with [`exec::find_program`](crate::exec::find_program).

mod built_in;
mod command;
mod environment;
mod instructions;
mod usage;

pub use built_in::built_in;
pub use command::{AgentCommand, Fill, PromptBy, argv};
pub use environment::environment;
pub use instructions::{
    Assignment, Commits, ConflictShown, ConflictSide, EarlierAttempt, GivenInput, InstructionInput,
    IterationShown, RejectedSignal, ReviewInput, ReviewedChange, UpstreamSummary, Withheld, instructions,
    review_instructions,
};
pub use usage::{UsageReader, Used};
