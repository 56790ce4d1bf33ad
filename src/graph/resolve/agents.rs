//! The agents of a file, and which of them works on a task.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::agent::{AgentDef, AgentUse, Loop, SessionPolicy};
use crate::graph::code::Code;
use crate::graph::contract::Review;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{AgentChoice, AgentFile, LoopFile, ReviewFile, TaskFile};
use crate::graph::model::DiffPolicy;
use crate::graph::read::{At, Field};
use crate::graph::substitution::Values;
use crate::id::AgentName;

use super::declarations::head;
use super::tables::Context;

/// What `{...}` in an agent's command may be.
pub(in crate::graph) const PLACEHOLDERS: [&str; 6] =
    ["prompt_file", "prompt", "model", "session", "signals", "lane"];

impl Context<'_, '_, '_> {
    /// The agents that the file defines.
    pub(super) fn agents(&mut self) -> BTreeMap<AgentName, AgentDef> {
        let own: Vec<&AgentName> = self.own.keys().copied().collect();
        let mut begun = BTreeMap::new();
        for name in own {
            self.make(name, &mut begun);
        }
        self.made.clone()
    }

    /// Makes an agent of the file, after the one that it is like. `begun` says of each that was begun whether it has ended.
    fn make(&mut self, name: &AgentName, begun: &mut BTreeMap<AgentName, bool>) {
        let Some(at) = self.own.get(name).copied().filter(|_| !begun.contains_key(name)) else {
            return;
        };
        begun.insert(name.clone(), false);
        let base = match at.value.like.get().filter(|like| like.value != *name) {
            Some(like) => self.like(like, begun),
            None if at.value.like.get().is_some() && !self.known.agents.contains_key(name) => {
                self.unknown_like(name, at.value.like.get().map_or(0..0, |like| like.span.clone()));
                None
            }
            None => Some(self.known.agents.get(name).cloned().unwrap_or_default()),
        };
        let made = base.and_then(|base| self.agent(name, at, base));
        self.made.extend(made.map(|def| (name.clone(), def)));
        begun.insert(name.clone(), true);
    }

    /// The agent that another is like; `None` where it has been refused.
    fn like(&mut self, like: &At<AgentName>, begun: &mut BTreeMap<AgentName, bool>) -> Option<AgentDef> {
        if self.own.contains_key(&like.value) {
            self.make(&like.value, begun);
            if begun.get(&like.value) == Some(&false) {
                let message = format!("the agent `{}` is like itself in the end", like.value);
                let hint = "give one of the agents a `command` instead of `like`".to_owned();
                let diagnostic =
                    Diagnostic::new(Code::UnknownAgent, like.span.clone(), message, "in a circle");
                self.reader.push(diagnostic.hint(hint));
            }
            return self.made.get(&like.value).cloned();
        }
        let base = self.known.agents.get(&like.value).cloned();
        if base.is_none() {
            self.unknown_like(&like.value, like.span.clone());
        }
        base
    }

    /// What the file says of an agent, over what is known of the one that it is like.
    fn agent(&mut self, name: &AgentName, at: &At<AgentFile>, base: AgentDef) -> Option<AgentDef> {
        let file = &at.value;
        for argv in [&file.command, &file.resume, &file.probe] {
            if let Some(argv) = argv.get() {
                self.placeholders(&argv.value.0, &argv.span);
            }
        }
        if base.command.is_empty() && file.command.is_absent() && file.like.is_absent() {
            self.reader.missing(at.span.clone(), "command", &AgentFile::KEYS);
        }
        let values = Values { graph: self.graph, lane: None, task: None };
        let env = self.reader.env(&file.env, values);
        let command = file.command.value().map(|argv| argv.0.clone());
        let mut def = based(base, command);
        def.resume = file.resume.value().map(|argv| argv.0.clone()).or(def.resume);
        def.prompt = file.prompt.value().copied().unwrap_or(def.prompt);
        def.claim = file.claim.value().copied().unwrap_or(def.claim);
        def.probe = file.probe.value().map(|argv| argv.0.clone()).or(def.probe);
        def.install = file.install.value().cloned().or(def.install);
        def.model = file.model.value().cloned().or(def.model);
        def.env.extend(env);
        if let Some(model) = file.model.get()
            && !def.command.is_empty()
            && !def.takes_model()
        {
            self.unused_model(name, &model.span);
        }
        (!def.command.is_empty()).then_some(def)
    }

    fn unknown_like(&mut self, like: &AgentName, span: Range<usize>) {
        let others = self.own.keys().copied().filter(|own| *own != like);
        let names = others.chain(self.known.agents.keys()).map(AgentName::as_str);
        let nearest = self.reader.nearest.find(like.as_str(), names);
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`like` takes an agent that is built in, or one that is defined".to_owned(),
        };
        let message = format!("there is no agent `{like}` to be like");
        let diagnostic = Diagnostic::new(Code::UnknownAgent, span, message, "not known");
        self.reader.push(diagnostic.hint(hint));
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

    /// The agent that works on the task, and how.
    pub(super) fn agent_of(&mut self, task: &At<TaskFile>) -> Option<AgentUse> {
        let file = self.file;
        let Some(choice) = task.value.agent.get() else {
            if task.value.agent.is_absent() && file.agent.is_absent() {
                let hint = "set `agent` in the task, or at the top of the file for all tasks".to_owned();
                let message = "no agent is named for the task";
                self.reader
                    .push(Diagnostic::new(Code::NoAgent, head(task), message, "who does this?").hint(hint));
            }
            let agent = file.agent.value().filter(|_| task.value.agent.is_absent())?.clone();
            let model = self.def_of(&agent).and_then(|def| def.model.clone());
            return Some(AgentUse { agent, model, session: SessionPolicy::Fresh, repeat: None });
        };
        let AgentChoice { name, model, session, repeat } = &choice.value.0;
        let name = name.get()?;
        let (agent, model) = self.chosen(name, model)?;
        let continues = self.def_of(&agent).is_none_or(AgentDef::continues);
        if let Some(session) = session.get()
            && session.value == SessionPolicy::Continue
            && !continues
        {
            self.no_session(&agent, &session.span);
        }
        let repeat = match repeat.get() {
            Some(repeat) => Some(self.repeat(&repeat.value)?),
            None => None,
        };
        Some(AgentUse { agent, model, session: session.value().copied().unwrap_or_default(), repeat })
    }

    /// An agent that is named, and the model that it uses there.
    fn chosen(&mut self, name: &At<AgentName>, model: &Field<String>) -> Option<(AgentName, Option<String>)> {
        if !self.known_agent(name) {
            return None;
        }
        let takes_model = self.def_of(&name.value).is_none_or(AgentDef::takes_model);
        if let Some(model) = model.get()
            && !takes_model
        {
            self.unused_model(&name.value, &model.span);
        }
        let own = || self.def_of(&name.value).and_then(|def| def.model.clone());
        Some((name.value.clone(), model.value().cloned().or_else(own)))
    }

    fn repeat(&mut self, file: &LoopFile) -> Option<Loop> {
        if let Some(tracker) = file.tracker.get()
            && tracker.value.0.contains(['*', '?', '[', '{', '\\'])
        {
            let message = "`tracker` is one file, not a pattern";
            let hint = "write a path from the root of the repository, such as \"TRACKER.md\"".to_owned();
            self.reader.push(
                Diagnostic::new(Code::BadPath, tracker.span.clone(), message, "has a pattern").hint(hint),
            );
        }
        Some(Loop {
            max_iterations: file.max_iterations.value()?.count(),
            tracker: file.tracker.value().map(|path| path.0.clone()),
        })
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

    fn no_session(&mut self, agent: &AgentName, span: &Range<usize>) {
        let message = format!("the agent `{agent}` cannot continue a session");
        let hint = "write \"fresh\", or give the agent a `resume` command with `{session}`".to_owned();
        let label = "it has no way to name a session";
        self.reader.push(Diagnostic::new(Code::UnknownValue, span.clone(), message, label).hint(hint));
    }

    /// The agent as it will be started; `None` where the file's own table has been refused.
    fn def_of(&self, agent: &AgentName) -> Option<&AgentDef> {
        if self.own.contains_key(agent) { self.made.get(agent) } else { self.known.agents.get(agent) }
    }
}

/// The known agent with another command: what was said of the old one's program holds no longer where the new one
/// begins with another.
fn based(mut base: AgentDef, command: Option<Vec<String>>) -> AgentDef {
    let Some(command) = command else { return base };
    base.resume = None;
    if command.first() != base.command.first() {
        base.probe = None;
        base.install = None;
    }
    if !command.iter().any(|word| word.contains("{model}")) {
        base.model = None;
    }
    AgentDef { command, ..base }
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
