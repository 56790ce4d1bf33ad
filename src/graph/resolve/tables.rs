//! Each table of a file as its part of the model.

use std::collections::BTreeMap;
use std::ops::Range;

use super::declarations::{DEFAULT_LANE, head};
use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{AgentChoice, AgentFile, GateFile, GraphFile, RetryFile, TaskFile, WorkstreamFile};
use crate::graph::model::{
    AgentDef, Command, DiffPolicy, Gate, MergePolicy, Millis, PromptBy, Retry, RetryOn, Task, Teardown, Verb,
    Workstream,
};
use crate::graph::nearest::did_you_mean;
use crate::graph::parse::ProjectDefaults;
use crate::graph::read::{At, EnvName, Field, Free, Named, Reader};
use crate::graph::substitution::{NAMES, Reason, Unfilled, Values};
use crate::id::{AgentName, LaneId};

/// What `{...}` in an agent's command may be.
const PLACEHOLDERS: [&str; 6] = ["prompt_file", "prompt", "model", "session", "signals", "lane"];
const BACKOFF: Millis = Millis(5_000);
const MAX_RETRIES: u32 = 3;

/// What every table needs to know of the rest of the file.
pub(super) struct Context<'a, 'f, 't> {
    file: &'f GraphFile,
    known: &'a ProjectDefaults,
    graph: &'a str,
    /// The agents of the file, by name, and whether a model can reach them.
    own: BTreeMap<&'f AgentName, &'f AgentFile>,
    reader: &'a mut Reader<'t>,
}

impl<'a, 'f, 't> Context<'a, 'f, 't> {
    pub(super) fn new(
        file: &'f GraphFile,
        known: &'a ProjectDefaults,
        graph: &'a str,
        reader: &'a mut Reader<'t>,
    ) -> Self {
        let own = file.agents.value().map_or_else(BTreeMap::new, |agents| {
            agents
                .0
                .iter()
                .map(|(name, agent)| (&name.value, &agent.value))
                .collect()
        });
        Self {
            file,
            known,
            graph,
            own,
            reader,
        }
    }

    /// The agents that the file defines.
    pub(super) fn agents(&mut self) -> BTreeMap<AgentName, AgentDef> {
        let own: Vec<(&AgentName, &AgentFile)> =
            self.own.iter().map(|(name, agent)| (*name, *agent)).collect();
        own.into_iter()
            .filter_map(|(name, agent)| Some((name.clone(), self.agent(name, agent)?)))
            .collect()
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
        let values = Values {
            graph: self.graph,
            lane: None,
            task: None,
        };
        let env = self.env(&file.env, values);
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
                let place = self.find(&shown, span, &mut after);
                let nearest = did_you_mean(self.reader.nearest.find(name, PLACEHOLDERS));
                let hint = nearest.unwrap_or_else(|| {
                    let known: Vec<String> =
                        PLACEHOLDERS.iter().map(|known| format!("{{{known}}}")).collect();
                    format!("the placeholders are {}", known.join(" "))
                });
                let message = format!("there is no placeholder `{shown}`");
                let label = "not a placeholder";
                self.reader
                    .push(Diagnostic::new(Code::UnknownPlaceholder, place, message, label).hint(hint));
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
        let names = self
            .own
            .keys()
            .copied()
            .chain(self.known.agents.keys())
            .map(AgentName::as_str);
        let hint = match self.reader.nearest.find(at.value.as_str(), names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("define it: `[agents.{}]` with a `command`", at.value),
        };
        let message = format!("there is no agent `{}`", at.value);
        let diagnostic = Diagnostic::new(
            Code::UnknownAgent,
            at.span.clone(),
            message,
            "neither defined nor known",
        );
        self.reader.push(diagnostic.hint(hint));
        false
    }

    /// The workstreams; one `default` where the file declares none.
    pub(super) fn workstreams(&mut self) -> Option<Vec<Workstream>> {
        let file = self.file;
        if file.workstreams.items().is_empty() {
            let id = LaneId::new(DEFAULT_LANE).expect("the word is an id");
            return Some(vec![workstream(id, &WorkstreamFile::default(), None)]);
        }
        let lanes = file.workstreams.items().iter();
        let all: Vec<Option<Workstream>> = lanes
            .map(|lane| {
                let id = lane.value.id.value();
                let values = Values {
                    graph: self.graph,
                    lane: id.map(LaneId::as_str),
                    task: None,
                };
                let gate = self.gate(lane.value.gate.get().map(|at| (&at.value.0, &at.span)), values);
                Some(workstream(id?.clone(), &lane.value, gate))
            })
            .collect();
        all.into_iter().collect()
    }

    /// The tasks.
    pub(super) fn tasks(&mut self) -> Option<Vec<Task>> {
        let file = self.file;
        if file.tasks.get().is_some_and(|tasks| tasks.value.is_empty()) {
            let at = file.tasks.get().map_or(0..0, |tasks| tasks.span.clone());
            let hint = "add a `[[tasks]]` table with an `id` and a `prompt` or a `run`".to_owned();
            let message = "a graph needs at least one task";
            self.reader
                .push(Diagnostic::new(Code::Blank, at, message, "no task").hint(hint));
        }
        let all: Vec<Option<Task>> = file.tasks.items().iter().map(|task| self.task(task)).collect();
        all.into_iter().collect()
    }

    fn task(&mut self, task: &At<TaskFile>) -> Option<Task> {
        let file = &task.value;
        let lane = file.workstream.value().map_or(DEFAULT_LANE, LaneId::as_str);
        let values = Values {
            graph: self.graph,
            lane: Some(lane),
            task: Some(file.id.value().map_or("", |id| id.as_str())),
        };
        let verb = self.verb(task, values);
        let defaults = self.file.defaults.value();
        let own_gate = file.gate.get().map(|at| (&at.value.0, &at.span));
        let default_gate = defaults
            .and_then(|defaults| defaults.gate.get())
            .map(|at| (&at.value.0, &at.span));
        let gate = self.gate(own_gate.or(default_gate), values);
        let env = self.env(&file.env, values);
        let verb = verb?;
        let diff = match verb {
            Verb::Agent { .. } => DiffPolicy::Required,
            Verb::Run { .. } => DiffPolicy::Optional,
        };
        Some(Task {
            id: file.id.value()?.clone(),
            workstream: LaneId::new(lane).expect("an id that was read, or the word"),
            description: file.description.value().cloned(),
            verb,
            needs: file.needs.items().iter().map(|need| need.value.clone()).collect(),
            writes: file
                .writes
                .items()
                .iter()
                .map(|scope| scope.value.0.clone())
                .collect(),
            gate,
            attempts: file
                .attempts
                .value()
                .or_else(|| defaults?.attempts.value())
                .map(|number| number.count()),
            timeout: file
                .timeout
                .value()
                .or_else(|| defaults?.timeout.value())
                .copied(),
            diff: file.diff.value().copied().unwrap_or(diff),
            commit: file.commit.value().copied().unwrap_or_default(),
            env,
            priority: file.priority.value().map_or(0, |number| number.0),
            retry: file.retry.value().map(retry),
        })
    }

    fn verb(&mut self, task: &At<TaskFile>, values: Values<'_>) -> Option<Verb> {
        let file = &task.value;
        if let Field::Good(run) = &file.run {
            self.only_a_command(file, &run.span);
            let command = self.command(&run.value.0, &run.span, values);
            return Some(Verb::Run { command });
        }
        if !file.run.is_absent() {
            return None;
        }
        let prompt = file
            .prompt
            .get()
            .or_else(|| file.description.get().filter(|_| file.prompt.is_absent()));
        if prompt.is_none() && file.prompt.is_absent() && file.description.is_absent() {
            let hint = "say what to do: `prompt` for an agent, or `run` for a command".to_owned();
            let message = "the task has no `prompt`, no `description` and no `run`";
            self.reader
                .push(Diagnostic::new(Code::NothingToDo, head(task), message, "nothing to do").hint(hint));
        }
        let prompt = prompt.map(|at| self.fill(&at.value, &at.span, &mut at.span.start.clone(), values));
        let (agent, model) = self.agent_of(task)?;
        Some(Verb::Agent {
            prompt: prompt?,
            agent,
            model,
        })
    }

    fn only_a_command(&mut self, file: &TaskFile, run: &Range<usize>) {
        let stray = [
            ("prompt", file.prompt.get().map(|at| &at.span)),
            ("agent", file.agent.get().map(|at| &at.span)),
        ];
        for (key, span) in stray {
            if let Some(span) = span {
                let message = format!("a task with `run` cannot have `{key}` too");
                let diagnostic = Diagnostic::new(
                    Code::TwoVerbs,
                    span.clone(),
                    message,
                    "means nothing to a command",
                )
                .related(run.clone(), "the command")
                .hint(format!("remove `{key}` or `run`, or make two tasks"));
                self.reader.push(diagnostic);
            }
        }
    }

    fn agent_of(&mut self, task: &At<TaskFile>) -> Option<(AgentName, Option<String>)> {
        let file = self.file;
        let Some(choice) = task.value.agent.get() else {
            if task.value.agent.is_absent() && file.agent.is_absent() {
                let hint = "set `agent` in the task, or at the top of the file for all tasks".to_owned();
                let message = "no agent is named for the task";
                self.reader
                    .push(Diagnostic::new(Code::NoAgent, head(task), message, "who does this?").hint(hint));
            }
            let agent = file
                .agent
                .value()
                .filter(|_| task.value.agent.is_absent())?
                .clone();
            let model = self.model_of(&agent).cloned();
            return Some((agent, model));
        };
        let AgentChoice { name, model } = &choice.value.0;
        let name = name.get()?;
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

    fn command_of(&self, agent: &AgentName) -> Option<&[String]> {
        match self.own.get(agent) {
            Some(own) => own.command.value().map(|argv| argv.0.as_slice()),
            None => self.known.agents.get(agent).map(|known| known.command.as_slice()),
        }
    }

    fn model_of(&self, agent: &AgentName) -> Option<&String> {
        match self.own.get(agent) {
            Some(own) => own.model.value(),
            None => self
                .known
                .agents
                .get(agent)
                .and_then(|known| known.model.as_ref()),
        }
    }

    fn gate(&mut self, file: Option<(&GateFile, &Range<usize>)>, values: Values<'_>) -> Option<Gate> {
        let (file, span) = file?;
        let span = file.run.get().map_or(span, |run| &run.span);
        gate(file, |command| self.command(command, span, values))
    }

    fn command(&mut self, command: &Command, span: &Range<usize>, values: Values<'_>) -> Command {
        let mut after = span.start;
        match command {
            Command::Shell(line) => Command::Shell(self.fill(line, span, &mut after, values)),
            Command::Argv(words) => Command::Argv(
                words
                    .iter()
                    .map(|word| self.fill(word, span, &mut after, values))
                    .collect(),
            ),
        }
    }

    fn env(&mut self, env: &Field<Named<EnvName, Free>>, values: Values<'_>) -> BTreeMap<String, String> {
        let entries = env.value().map_or(&[][..], |named| named.0.as_slice());
        let one = |(name, value): &(At<EnvName>, At<Free>)| {
            let text = self.fill(&value.value.0, &value.span, &mut value.span.start.clone(), values);
            (name.value.0.clone(), text)
        };
        entries.iter().map(one).collect()
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
                return self
                    .reader
                    .not_supported(place, &format!("the substitution `{text}`"));
            }
            Reason::Open => (
                "`${` without a `}` in its line".to_owned(),
                "write `$${` for a literal `${`".to_owned(),
            ),
            Reason::NotHere => {
                let what = if values.lane.is_some() {
                    "belongs to no task"
                } else {
                    "is shared by all lanes and tasks"
                };
                (format!("there is no `{text}` here"), format!("this text {what}"))
            }
            Reason::Unknown => {
                let hint = match self.reader.nearest.find(name, NAMES) {
                    Some(nearest) => format!("did you mean `${{{nearest}}}`?"),
                    None => format!("to leave it to the shell, write `$${{{name}}}`"),
                };
                (format!("there is no substitution `{text}`"), hint)
            }
        };
        let label = "cannot be filled in";
        self.reader
            .push(Diagnostic::new(Code::UnknownSubstitution, place, message, label).hint(hint));
    }

    /// Where `needle` stands in the value at `span`, going on from `after`; the whole value where escapes hide it.
    fn find(&self, needle: &str, span: &Range<usize>, after: &mut usize) -> Range<usize> {
        let text = self.reader.text.get(*after..span.end).unwrap_or_default();
        let Some(at) = text.find(needle) else {
            return span.clone();
        };
        let start = *after + at;
        *after = start + needle.len();
        start..*after
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

/// Returns the gate, its command made by `make`.
pub(super) fn gate(file: &GateFile, make: impl FnOnce(&Command) -> Command) -> Option<Gate> {
    Some(Gate {
        command: make(&file.run.value()?.0),
        timeout: file.timeout.value().copied(),
        attempts: file.attempts.value().map_or(1, |number| number.count()),
        fresh: file.fresh.value().copied().unwrap_or(false),
    })
}

fn workstream(id: LaneId, file: &WorkstreamFile, gate: Option<Gate>) -> Workstream {
    Workstream {
        id,
        description: file.description.value().cloned(),
        base: file.base.value().map(|branch| branch.0.clone()),
        target: file.target.value().map(|branch| branch.0.clone()),
        merge: file.merge.value().copied().unwrap_or(MergePolicy::Review),
        parallel: file.parallel.value().map_or(1, |number| number.count()),
        gate,
        teardown: file.teardown.value().copied().unwrap_or(Teardown::OnSuccess),
    }
}

fn retry(file: &RetryFile) -> Retry {
    let on: Vec<RetryOn> = file.on.items().iter().map(|kind| kind.value).collect();
    Retry {
        on: if on.is_empty() {
            vec![RetryOn::Transient]
        } else {
            on
        },
        backoff: file.backoff.value().copied().unwrap_or(BACKOFF),
        max: file.max.value().map_or(MAX_RETRIES, |number| number.count()),
    }
}
