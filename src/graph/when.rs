//! Conditions: `${tasks.spec.outcome} == 'merged' && !(${tasks.spec.outputs.stubs} == 0)`.
//!
//! ```text
//! condition = and { "||" and }        and = one { "&&" one }
//! one       = "!" one | "(" condition ")" | operand ( "==" | "!=" ) operand
//! operand   = 'text' | "text" | number | ${tasks.ID.outcome} | ${tasks.ID.outputs.CATEGORY}
//! ```
//!
//! An outcome is a word and is compared with words; outputs are counted and compared with numbers.

mod parser;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::nearest::Nearest;
use crate::id::{Category, TaskId};

/// How a task can end, in the words that a condition compares with.
pub const OUTCOMES: [&str; 5] = ["merged", "completed", "failed", "skipped", "cancelled"];

/// A condition that has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// As it was written.
    pub text: String,
    /// What it says.
    pub condition: Condition,
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The two are the same.
    Same(Operand, Operand),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A word.
    Text(String),
    /// A number.
    Number(u32),
    /// How a task ended.
    Outcome(TaskId),
    /// How many outputs of a category a task declared.
    Outputs(TaskId, Category),
}

impl Condition {
    /// Whether it holds, where `outcome` says how a task ended, in a word of [`OUTCOMES`], and `outputs` how many outputs
    /// of a category it declared.
    pub fn holds<'o>(
        &self,
        outcome: &impl Fn(&TaskId) -> &'o str,
        outputs: &impl Fn(&TaskId, &Category) -> u32,
    ) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(outcome, outputs)),
            Self::Any(any) => any.iter().any(|one| one.holds(outcome, outputs)),
            Self::Not(one) => !one.holds(outcome, outputs),
            Self::Same(left, right) => {
                let value = |operand: &Operand| match operand {
                    Operand::Text(text) => Value::Text(text.clone()),
                    Operand::Number(number) => Value::Number(*number),
                    Operand::Outcome(task) => Value::Text(outcome(task).to_owned()),
                    Operand::Outputs(task, category) => Value::Number(outputs(task, category)),
                };
                value(left) == value(right)
            }
        }
    }

    /// The tasks that it looks at, with the category where it counts outputs, in the order of the text.
    pub fn looks_at(&self) -> Vec<(&TaskId, Option<&Category>)> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::looks_at).collect(),
            Self::Not(one) => one.looks_at(),
            Self::Same(left, right) => [left, right].into_iter().filter_map(Operand::looks_at).collect(),
        }
    }
}

impl Operand {
    fn looks_at(&self) -> Option<(&TaskId, Option<&Category>)> {
        match self {
            Self::Text(_) | Self::Number(_) => None,
            Self::Outcome(task) => Some((task, None)),
            Self::Outputs(task, category) => Some((task, Some(category))),
        }
    }
}

#[derive(PartialEq)]
enum Value {
    Text(String),
    Number(u32),
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where, in bytes of the text.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: String,
}

/// Reads a condition; the first problem ends it.
pub(super) fn read(text: &str, nearest: &mut Nearest) -> Result<When, Problem> {
    let mut parser = parser::Parser::new(text, nearest);
    let condition = parser.whole()?;
    Ok(When { text: text.trim().to_owned(), condition })
}

#[cfg(test)]
mod tests;
