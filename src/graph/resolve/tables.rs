//! Each table of a file as its part of the model.

use std::collections::BTreeMap;
use std::ops::Range;

use super::declarations::{DEFAULT_LANE, head};
use crate::graph::agent::AgentDef;
use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{AgentFile, GraphFile, RetryFile, TaskFile, WorkstreamFile};
use crate::graph::furnish::Furnishing;
use crate::graph::model::{
    DiffPolicy, Gate, MergePolicy, Millis, Retry, RetryOn, Task, Teardown, Verb, Workstream,
};
use crate::graph::parse::ProjectDefaults;
use crate::graph::read::{At, Field, Reader};
use crate::graph::role::{self, Role};
use crate::graph::substitution::Values;
use crate::id::{AgentName, LaneId, RoleName};

/// The pause before the first retry where the file does not say.
const BACKOFF: Millis = Millis(5_000);
/// The most retries where the file does not say.
const MAX_RETRIES: u32 = 3;

/// What every table needs to know of the rest of the file.
pub(super) struct Context<'a, 'f, 't> {
    pub(super) file: &'f GraphFile,
    pub(super) known: &'a ProjectDefaults,
    pub(super) graph: &'a str,
    /// The agents of the file, by name.
    pub(super) own: BTreeMap<&'f AgentName, &'f At<AgentFile>>,
    /// What became of them.
    pub(super) made: BTreeMap<AgentName, AgentDef>,
    /// The roles that a task may play.
    pub(super) roles: BTreeMap<RoleName, Role>,
    pub(super) reader: &'a mut Reader<'t>,
}

impl<'a, 'f, 't> Context<'a, 'f, 't> {
    pub(super) fn new(
        file: &'f GraphFile,
        known: &'a ProjectDefaults,
        graph: &'a str,
        reader: &'a mut Reader<'t>,
    ) -> Self {
        let own = file.agents.value().map_or_else(BTreeMap::new, |agents| {
            agents.0.iter().map(|(name, agent)| (&name.value, agent)).collect()
        });
        Self { file, known, graph, own, made: BTreeMap::new(), roles: role::known(&known.roles), reader }
    }

    /// The workstreams; one `default` where the file declares none.
    pub(super) fn workstreams(&mut self) -> Option<Vec<Workstream>> {
        let file = self.file;
        if file.workstreams.items().is_empty() {
            let id = LaneId::new(DEFAULT_LANE).expect("the word is an id");
            return Some(vec![workstream(id, &WorkstreamFile::default(), None, Furnishing::default())]);
        }
        let lanes = file.workstreams.items().iter();
        let all: Vec<Option<Workstream>> = lanes
            .map(|lane| {
                let id = lane.value.id.value();
                let values = Values { graph: self.graph, lane: id.map(LaneId::as_str), task: None };
                let gate = self.reader.gate(lane.value.gate.get(), values);
                let furnish = self.reader.furnishing(&lane.value, values);
                Some(workstream(id?.clone(), &lane.value, gate, furnish))
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
            self.reader.push(Diagnostic::new(Code::Blank, at, message, "no task").hint(hint));
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
        let gate = file.gate.get().or_else(|| defaults?.gate.get());
        let gate = self.reader.gate(gate, values);
        let env = self.reader.env(&file.env, values);
        let contract = self.contract(task);
        let review = self.review_of(file, values);
        let verb = verb?;
        let (diff, as_prompt) = match &verb {
            Verb::Agent { prompt, .. } => {
                (DiffPolicy::Required, Some(prompt).filter(|_| file.prompt.is_absent()))
            }
            Verb::Run { .. } => (DiffPolicy::Optional, None),
        };
        Some(Task {
            id: file.id.value()?.clone(),
            workstream: LaneId::new(lane).expect("an id that was read, or the word"),
            description: as_prompt.or(file.description.value()).cloned(),
            verb,
            needs: file.needs.items().iter().map(|need| need.value.clone()).collect(),
            writes: file.writes.items().iter().map(|scope| scope.value.0.clone()).collect(),
            overlap: file.overlap.value().copied().unwrap_or_default(),
            gate,
            attempts: file
                .attempts
                .value()
                .or_else(|| defaults?.attempts.value())
                .map(|number| number.count()),
            timeout: file.timeout.value().or_else(|| defaults?.timeout.value()).copied(),
            stall: file.stall.value().or_else(|| defaults?.stall.value()).copied(),
            diff: file.diff.value().copied().unwrap_or(diff),
            commit: file.commit.value().copied().unwrap_or_default(),
            env,
            priority: file.priority.value().map_or(0, |number| number.0),
            retry: file.retry.value().map(retry),
            contract: contract?,
            review,
        })
    }

    fn verb(&mut self, task: &At<TaskFile>, values: Values<'_>) -> Option<Verb> {
        let file = &task.value;
        if let Field::Good(run) = &file.run {
            self.only_a_command(file, &run.span);
            let command = self.reader.command(&run.value.0, &run.span, values);
            return Some(Verb::Run { command });
        }
        if !file.run.is_absent() {
            return None;
        }
        let prompt = file.prompt.get().or_else(|| file.description.get().filter(|_| file.prompt.is_absent()));
        if prompt.is_none() && file.prompt.is_absent() && file.description.is_absent() {
            let hint = "say what to do: `prompt` for an agent, or `run` for a command".to_owned();
            let message = "the task has no `prompt`, no `description` and no `run`";
            self.reader
                .push(Diagnostic::new(Code::NothingToDo, head(task), message, "nothing to do").hint(hint));
        }
        let prompt = prompt.map(|at| self.reader.fill_at(&at.value, &at.span, values));
        let by = self.agent_of(task)?;
        Some(Verb::Agent { prompt: prompt?, by })
    }

    fn only_a_command(&mut self, file: &TaskFile, run: &Range<usize>) {
        let stray = [
            ("prompt", file.prompt.get().map(|at| &at.span)),
            ("agent", file.agent.get().map(|at| &at.span)),
            ("role", file.role.get().map(|at| &at.span)),
            ("paths", file.paths.get().map(|at| &at.span)),
            ("inputs", file.inputs.get().map(|at| &at.span)),
            ("adr", file.adr.get().map(|at| &at.span)),
        ];
        for (key, span) in stray {
            if let Some(span) = span {
                let message = format!("a task with `run` cannot have `{key}` too");
                let diagnostic =
                    Diagnostic::new(Code::TwoVerbs, span.clone(), message, "means nothing to a command")
                        .related(run.clone(), "the command")
                        .hint(format!("remove `{key}` or `run`, or make two tasks"));
                self.reader.push(diagnostic);
            }
        }
    }
}

fn workstream(id: LaneId, file: &WorkstreamFile, gate: Option<Gate>, furnish: Furnishing) -> Workstream {
    Workstream {
        id,
        description: file.description.value().cloned(),
        parent: file.parent.value().cloned(),
        base: file.base.value().map(|branch| branch.0.clone()),
        target: file.target.value().map(|branch| branch.0.clone()),
        merge: file.merge.value().copied().unwrap_or(MergePolicy::Review),
        parallel: file.parallel.value().map_or(1, |number| number.count()),
        gate,
        teardown: file.teardown.value().copied().unwrap_or(Teardown::OnSuccess),
        task_prs: file.task_prs.value().copied().unwrap_or_default(),
        furnish,
    }
}

fn retry(file: &RetryFile) -> Retry {
    let on: Vec<RetryOn> = file.on.items().iter().map(|kind| kind.value).collect();
    Retry {
        on: if on.is_empty() { vec![RetryOn::Transient] } else { on },
        backoff: file.backoff.value().copied().unwrap_or(BACKOFF),
        max: file.max.value().map_or(MAX_RETRIES, |number| number.count()),
    }
}
