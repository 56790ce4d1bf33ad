//! The agents of a file, and which of them works on a task.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::code::Code;
use crate::graph::contract::Review;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{AgentChoice, AgentFile, ReviewFile, TaskFile};
use crate::graph::model::{AgentDef, DiffPolicy, PromptBy};
use crate::graph::read::{At, Field};
use crate::graph::substitution::Values;
use crate::id::AgentName;

use super::declarations::head;
use super::tables::Context;

/// What `{...}` in an agent's command may be.
const PLACEHOLDERS: [&str; 6] = ["prompt_file", "prompt", "model", "session", "signals", "lane"];

impl Context<'_, '_, '_> {
    /// The agents that the file defines.
    pub(super) fn agents(&mut self) -> BTreeMap<AgentName, AgentDef> {
        let own: Vec<(&AgentName, &AgentFile)> =
            self.own.iter().map(|(name, agent)| (*name, *agent)).collect();
        own.into_iter().filter_map(|(name, agent)| Some((name.clone(), self.agent(name, agent)?))).collect()
    }

    fn agent(&mut self, name: &AgentName, file: &AgentFile) -> Option<AgentDef> {
        for argv in [&file.command, &file.probe] {
            if let Some(argv) = argv.get() {
                self.placeholders(&argv.value.0, &argv.span);
            }
        }
        if let (Some(model), Some(command)) = (file.model.get(), file.command.value())
            && !takes_model(&command.0)
        {
            self.unused_model(name, &model.span);
        }
        let values = Values { graph: self.graph, lane: None, task: None };
        let env = self.reader.env(&file.env, values);
        Some(AgentDef {
            command: file.command.value()?.0.clone(),
            prompt: file.prompt.value().copied().unwrap_or(PromptBy::File),
            probe: file.probe.value().map(|argv| argv.0.clone()),
            env,
            model: file.model.value().cloned(),
        })
    }

    fn placeholders(&mut self, argv: &[String], span: &Range<usize>) {
        let mut after = span.start;
        for word in argv {
            for name in placeholder_names(word) {
                if PLACEHOLDERS.contains(&name) {
                    continue;
                }
                let shown = format!("{{{name}}}");
                let place = self.reader.find(&shown, span, &mut after);
                let nearest = self.reader.nearest.find(name, PLACEHOLDERS);
                let hint = nearest.map_or_else(
                    || format!("the placeholders are {{{}}}", PLACEHOLDERS.join("} {")),
                    |nearest| format!("did you mean `{{{nearest}}}`?"),
                );
                let message = format!("there is no placeholder `{shown}`");
                let label = "not a placeholder";
                self.reader.push(Diagnostic::new(Code::UnknownPlaceholder, place, message, label).hint(hint));
            }
        }
    }

    fn unused_model(&mut self, agent: &AgentName, span: &Range<usize>) {
        let message =
            format!("a model would never reach the agent `{agent}`: its command has no `{{model}}`");
        let hint = "add `{model}` to the agent's `command`, or remove the model".to_owned();
        self.reader
            .push(Diagnostic::new(Code::UnusedModel, span.clone(), message, "has no effect").hint(hint));
    }

    /// The agent of tasks that name none.
    pub(super) fn default_agent(&mut self) -> Option<AgentName> {
        let at = self.file.agent.get()?;
        self.known_agent(at).then(|| at.value.clone())
    }

    fn known_agent(&mut self, at: &At<AgentName>) -> bool {
        if self.own.contains_key(&at.value) || self.known.agents.contains_key(&at.value) {
            return true;
        }
        // An agent whose own table has been refused is not unknown.
        if self.file.agents.value().is_none() && !self.file.agents.is_absent() {
            return false;
        }
        let names = self.own.keys().copied().chain(self.known.agents.keys()).map(AgentName::as_str);
        let hint = match self.reader.nearest.find(at.value.as_str(), names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("define it: `[agents.{}]` with a `command`", at.value),
        };
        let message = format!("there is no agent `{}`", at.value);
        let diagnostic =
            Diagnostic::new(Code::UnknownAgent, at.span.clone(), message, "neither defined nor known");
        self.reader.push(diagnostic.hint(hint));
        false
    }

    /// The agent that works on the task, and its model.
    pub(super) fn agent_of(&mut self, task: &At<TaskFile>) -> Option<(AgentName, Option<String>)> {
        let file = self.file;
        let Some(choice) = task.value.agent.get() else {
            if task.value.agent.is_absent() && file.agent.is_absent() {
                let hint = "set `agent` in the task, or at the top of the file for all tasks".to_owned();
                let message = "no agent is named for the task";
                self.reader
                    .push(Diagnostic::new(Code::NoAgent, head(task), message, "who does this?").hint(hint));
            }
            let agent = file.agent.value().filter(|_| task.value.agent.is_absent())?.clone();
            let model = self.model_of(&agent).cloned();
            return Some((agent, model));
        };
        let AgentChoice { name, model } = &choice.value.0;
        self.chosen(name.get()?, model)
    }

    /// An agent that is named, and the model that it uses there.
    fn chosen(&mut self, name: &At<AgentName>, model: &Field<String>) -> Option<(AgentName, Option<String>)> {
        if !self.known_agent(name) {
            return None;
        }
        if let Some(model) = model.get()
            && !self.command_of(&name.value).is_none_or(takes_model)
        {
            self.unused_model(&name.value, &model.span);
        }
        let model = model.value().or_else(|| self.model_of(&name.value)).cloned();
        Some((name.value.clone(), model))
    }

    /// Who reviews the work of the task.
    pub(super) fn review_of(&mut self, file: &TaskFile, values: Values<'_>) -> Option<Review> {
        let at = file.review.get()?;
        let ReviewFile { agent, model, prompt, timeout } = &at.value.0;
        let prompt = prompt.get().map(|at| self.reader.fill_at(&at.value, &at.span, values));
        if file.diff.value() == Some(&DiffPolicy::None) {
            let message = "a review is asked for, and `diff = \"none\"` leaves nothing to review";
            let hint = "remove `review` or `diff`".to_owned();
            let label = "would look at nothing";
            self.reader
                .push(Diagnostic::new(Code::Contradiction, at.span.clone(), message, label).hint(hint));
        }
        let (agent, model) = self.chosen(agent.get()?, model)?;
        Some(Review { agent, model, prompt, timeout: timeout.value().copied() })
    }

    fn command_of(&self, agent: &AgentName) -> Option<&[String]> {
        match self.own.get(agent) {
            Some(own) => own.command.value().map(|argv| argv.0.as_slice()),
            None => self.known.agents.get(agent).map(|known| known.command.as_slice()),
        }
    }

    fn model_of(&self, agent: &AgentName) -> Option<&String> {
        match self.own.get(agent) {
            Some(own) => own.model.value(),
            None => self.known.agents.get(agent).and_then(|known| known.model.as_ref()),
        }
    }
}

/// The names in `{name}`; `${name}` is the shell's, and other braces are only braces.
fn placeholder_names(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices('{').filter_map(|(at, _)| {
        let name = word[at + 1..].split_once('}')?.0;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic());
        (is_name && !word[..at].ends_with('$')).then_some(name)
    })
}

fn takes_model(command: &[String]) -> bool {
    command.iter().any(|word| word.contains("{model}"))
}
