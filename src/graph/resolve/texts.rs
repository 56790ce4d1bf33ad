//! Texts with `${...}` in them: commands, gates, environments, prompts.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{GateFile, Short};
use crate::graph::model::{Command, Gate};
use crate::graph::read::{At, Field, Free, Reader};
use crate::graph::substitution::{NAMES, Reason, Unfilled, Values};
use crate::graph::values::{EnvName, Named};

impl Reader<'_> {
    /// Returns the gate with its substitutions filled in.
    pub(super) fn gate(&mut self, gate: Option<&At<Short<GateFile>>>, values: Values<'_>) -> Option<Gate> {
        let file = &gate?.value.0;
        let run = file.run.get()?;
        let command = self.command(&run.value.0, &run.span, values);
        Some(gate_of(file, command))
    }

    /// Returns the command with its substitutions filled in.
    pub(super) fn command(&mut self, command: &Command, span: &Range<usize>, values: Values<'_>) -> Command {
        let mut after = span.start;
        match command {
            Command::Shell(line) => Command::Shell(self.fill(line, span, &mut after, values)),
            Command::Argv(words) => {
                Command::Argv(words.iter().map(|word| self.fill(word, span, &mut after, values)).collect())
            }
        }
    }

    /// Returns the environment with its substitutions filled in.
    pub(super) fn env(
        &mut self,
        env: &Field<Named<EnvName, Free>>,
        values: Values<'_>,
    ) -> BTreeMap<String, String> {
        let entries = env.value().map_or(&[][..], |named| named.0.as_slice());
        let one = |(name, value): &(At<EnvName>, At<Free>)| {
            (name.value.0.clone(), self.fill_at(&value.value.0, &value.span, values))
        };
        entries.iter().map(one).collect()
    }

    /// Fills in the substitutions of a whole value.
    pub(super) fn fill_at(&mut self, text: &str, span: &Range<usize>, values: Values<'_>) -> String {
        self.fill(text, span, &mut span.start.clone(), values)
    }

    /// Fills in the text's substitutions, and notes those that cannot be.
    fn fill(&mut self, text: &str, span: &Range<usize>, after: &mut usize, values: Values<'_>) -> String {
        let mut unfilled = Vec::new();
        let out = values.fill(text, &mut unfilled);
        for one in unfilled {
            let place = self.find(&one.text, span, after);
            self.unfilled(&one, place, values);
        }
        out
    }

    fn unfilled(&mut self, unfilled: &Unfilled, place: Range<usize>, values: Values<'_>) {
        let Unfilled { text, reason } = unfilled;
        let name = text.trim_start_matches("${").trim_end_matches('}').trim();
        let (message, hint) = match reason {
            Reason::Later => {
                return self.not_supported(place, &format!("the substitution `{text}`"));
            }
            Reason::Open => {
                ("`${` without a `}` in its line".to_owned(), "write `$${` for a literal `${`".to_owned())
            }
            Reason::NotHere => {
                let what = if values.lane.is_some() {
                    "belongs to no task"
                } else {
                    "is shared by all lanes and tasks"
                };
                (format!("there is no `{text}` here"), format!("this text {what}"))
            }
            Reason::Unknown => {
                let hint = match self.nearest.find(name, NAMES) {
                    Some(nearest) => format!("did you mean `${{{nearest}}}`?"),
                    None => format!("to leave it to the shell, write `$${{{name}}}`"),
                };
                (format!("there is no substitution `{text}`"), hint)
            }
        };
        let label = "cannot be filled in";
        self.push(Diagnostic::new(Code::UnknownSubstitution, place, message, label).hint(hint));
    }

    /// Where `needle` stands in the value at `span`, going on from `after`; the whole value where escapes hide it.
    pub(super) fn find(&self, needle: &str, span: &Range<usize>, after: &mut usize) -> Range<usize> {
        let text = self.text.get(*after..span.end).unwrap_or_default();
        let Some(at) = text.find(needle) else {
            return span.clone();
        };
        let start = *after + at;
        *after = start + needle.len();
        start..*after
    }
}

/// Returns the gate as it is written, before substitution.
pub(super) fn gate_as_written(file: &GateFile) -> Option<Gate> {
    Some(gate_of(file, file.run.value()?.0.clone()))
}

fn gate_of(file: &GateFile, command: Command) -> Gate {
    Gate {
        command,
        timeout: file.timeout.value().copied(),
        attempts: file.attempts.value().map_or(1, |number| number.count()),
        fresh: file.fresh.value().copied().unwrap_or(false),
    }
}
