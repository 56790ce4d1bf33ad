//! Agents and commands at work, and what is made of what they leave.

use laneway::engine::{Input, Report};
use laneway::event::{
    CHECK_PROGRESS, CHECK_REVIEW, CheckRecorded, CheckStatus, ConflictPredicted, DiffRecorded, DiffStat,
    Draft, Effect, Event, ExitStatus, MergeRecorded, PrRef, ProcessExited, ProcessId, ProcessRole,
    ProcessStarted, SignalKind, SignalObserved, Source, Subject, TaskPrMerged, TaskPrOpened, WorkCollected,
};
use laneway::graph::DiffPolicy;
use laneway::id::{Sha, TaskId};
use laneway::plan::{TaskIx, Work};

use crate::scenario::Fault;
use crate::world::{Begun, Done, Happening, Owner, World};

/// Task, attempt and process.
pub(crate) type ProcessKey = (TaskIx, u32, u32);

/// A process, living or not.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The life of the orchestrator that waits for its end.
    pub(crate) watched_by: u32,
    pub(crate) exit: Option<ExitStatus>,
    pub(crate) code: i32,
    pub(crate) claim: Option<SignalKind>,
    pub(crate) concern: bool,
    pub(crate) changes: bool,
    pub(crate) start: Sha,
}

impl Process {
    /// Dies unseen.
    pub(crate) fn die(&mut self) {
        self.exit.get_or_insert(ExitStatus::Unknown);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.exit.is_none()
    }
}

impl World {
    fn key_of(&self, effect: &Effect) -> ProcessKey {
        match effect {
            Effect::Attempt { task, attempt, iteration, .. } => {
                (self.index.task(task).expect("effects name tasks of the plan"), *attempt, *iteration)
            }
            _ => unreachable!("only attempts have processes"),
        }
    }

    pub(crate) fn subject(&self, task: &TaskId, attempt: u32) -> Subject {
        let ix = self.index.task(task).expect("effects name tasks of the plan");
        Subject::attempt(&self.plan.tasks[ix].lane, task, attempt)
    }

    fn role(&self, task: TaskIx) -> ProcessRole {
        match self.plan.tasks[task].work {
            Work::Run { .. } => ProcessRole::Command,
            Work::Agent { .. } => ProcessRole::Agent,
        }
    }

    /// All processes of a task.
    pub(crate) fn processes_of(&self, task: TaskIx) -> impl Iterator<Item = (&ProcessKey, &Process)> {
        self.processes.range((task, 0, 0)..=(task, u32::MAX, u32::MAX))
    }

    /// Begins a process, or takes up one that another orchestrator began.
    pub(crate) fn begin_attempt(&mut self, begun: Begun, delay: u64) {
        let key = self.key_of(&begun.effect);
        self.halted.remove(&(key.0, key.1));
        if begun.resumed && begun.process.is_some() {
            return self.take_up(&begun, key);
        }
        if begun.resumed
            && let Some(left) = self.processes.get_mut(&key)
        {
            left.die();
        }
        self.later(delay, Happening::Act { life: self.life, begun: Box::new(begun) });
    }

    fn take_up(&mut self, begun: &Begun, key: ProcessKey) {
        let id = begun.effect.id();
        let known = begun.process.as_ref().and_then(|p| p.exit);
        let (life, role) = (self.life, self.role(key.0));
        let Some(process) = self.processes.get_mut(&key) else {
            self.wrongs.push(format!("the journal knows a process of {id} that never was"));
            return;
        };
        if known.is_none() && role == ProcessRole::Command {
            process.die();
            let done = (Vec::new(), Err(self.failure(Fault::Moved)));
            return self.answer(id, &format!("{key:?}/again"), done);
        }
        process.watched_by = life;
        match (known, process.is_alive()) {
            (None, true) => {}
            (known, _) => self.ended(key, known.unwrap_or(ExitStatus::Unknown)),
        }
    }

    /// The lane is ready: the process starts.
    pub(crate) fn start_process(&mut self, begun: &Begun) {
        let Effect::Attempt { task, attempt, iteration, start, place } = &begun.effect else { return };
        let key = self.key_of(&begun.effect);
        let id = begun.effect.id();
        let name = format!("{id}/{}", begun.tries);
        if let Some(done) = self.in_trouble(begun, &name) {
            return self.answer(id, &name, done);
        }
        if self.halted.contains(&(key.0, key.1)) {
            return self.answer(id, &name, (Vec::new(), Ok(())));
        }
        let other = self.processes_of(key.0).find(|(_, p)| p.is_alive()).map(|(other, _)| *other);
        if let Some(other) = other {
            self.wrongs.push(format!("{id} starts while process {other:?} of the same task lives"));
        }
        let process = self.at_work(key, start);
        let lasts = self.chance.within(&format!("lasts/{name}"), 50, 20_000);
        let hangs = self.fails(Fault::Hangs, &name);
        let said = self.said(key, &process);
        let exit_role = self.role(key.0);
        let subject = Subject { iteration: Some(*iteration), ..self.subject(task, *attempt) };
        let process_id = ProcessId {
            pid: 7,
            start_time: self.elapsed(),
            boot_id: self.boot_id(),
            tag: format!("{key:?}/{place:?}"),
        };
        let mono = self.now().mono;
        let started = ProcessStarted { role: exit_role, process: process_id, command: "a".to_owned(), mono };
        self.processes.insert(key, process);
        let first = Report { id: id.clone(), facts: vec![Draft::world(subject, started)], end: None };
        self.tell(1, Input::Report(first));
        if !said.is_empty() && self.chance.hits(&format!("heard/{name}"), 600) {
            let early = Report { id, facts: said, end: None };
            self.tell(2 + lasts / 2, Input::Report(early));
        }
        if !hangs {
            self.later(3 + lasts, Happening::Exit(key));
        }
    }

    /// What a process is going to do.
    fn at_work(&self, key: ProcessKey, start: &Sha) -> Process {
        let name = format!("work/{key:?}");
        let plan = &self.plan.tasks[key.0];
        let mut process = Process {
            watched_by: self.life,
            exit: None,
            code: 0,
            claim: Some(SignalKind::Done),
            concern: self.fails(Fault::Concern, &name),
            changes: plan.diff != DiffPolicy::None && !self.fails(Fault::Idle, &name),
            start: start.clone(),
        };
        match &plan.work {
            Work::Run { .. } => {
                process.claim = None;
                process.concern = false;
                process.code = i32::from(self.fails(Fault::Silent, &name));
            }
            Work::Agent { by, def, .. } => {
                let silent = self.fails(Fault::Silent, &name);
                let goes_on = by.repeat.is_some() && !self.calm && self.chance.hits(&name, 500);
                if self.fails(Fault::SaidFailed, &name) {
                    process.claim = Some(SignalKind::Failed);
                } else if self.fails(Fault::Blocked, &name) {
                    process.claim = Some(SignalKind::Blocked);
                } else if silent || goes_on {
                    process.claim = None;
                    process.code = i32::from(silent && def.claim == laneway::graph::ClaimBy::Exit);
                } else if def.claim == laneway::graph::ClaimBy::Exit {
                    process.claim = None;
                }
            }
        }
        process
    }

    /// The signals of a process, as they are found in its directory.
    fn said(&self, (task, attempt, iteration): ProcessKey, process: &Process) -> Vec<Draft> {
        let plan = &self.plan.tasks[task];
        let subject = Subject { iteration: Some(iteration), ..self.subject(&plan.id, attempt) };
        let mut kinds: Vec<SignalKind> = Vec::new();
        kinds.extend(process.concern.then_some(SignalKind::Concern));
        kinds.extend(process.claim.clone());
        let draft = |kind: SignalKind| Draft {
            source: Some(Source {
                path: format!("{}/{attempt}/{}", plan.id, kind.word()),
                digest: format!("{attempt}-{iteration}"),
            }),
            ..Draft::world(subject.clone(), SignalObserved { signal: kind, text: "said".to_owned() })
        };
        kinds.into_iter().map(draft).collect()
    }

    /// A process ends by itself.
    pub(crate) fn exit(&mut self, key: ProcessKey) {
        let life = self.life;
        let Some(process) = self.processes.get_mut(&key).filter(|p| p.is_alive()) else { return };
        let exit = ExitStatus::Code(process.code);
        process.exit = Some(exit);
        if process.watched_by == life {
            self.ended(key, exit);
        }
    }

    fn ended(&mut self, key: ProcessKey, exit: ExitStatus) {
        let (task, attempt, iteration) = key;
        let Some(process) = self.processes.get(&key).cloned() else { return };
        let plan = &self.plan.tasks[task];
        let id = Effect::Attempt {
            task: plan.id.clone(),
            attempt,
            iteration,
            start: process.start.clone(),
            place: laneway::event::Place::Lane,
        }
        .id();
        let mut facts = self.said(key, &process);
        let subject = Subject { iteration: Some(iteration), ..self.subject(&plan.id, attempt) };
        let event = ProcessExited {
            role: self.role(task),
            exit,
            duration_ms: 1,
            leftovers: Vec::new(),
            escaped: Vec::new(),
        };
        facts.push(Draft::world(subject, event));
        self.answer(id, &format!("{key:?}/end/{}", self.life), (facts, Ok(())));
    }

    /// Ends the processes of an attempt, or what is made of its work.
    pub(crate) fn stop(&mut self, task: &TaskId, attempt: u32) -> Done {
        let ix = self.index.task(task).expect("effects name tasks of the plan");
        self.halted.insert((ix, attempt));
        let alive = self.processes_of(ix).find(|(key, p)| key.1 == attempt && p.is_alive());
        if let Some((&key, _)) = alive {
            let exit = ExitStatus::Signal(15);
            let life = self.life;
            let process = self.processes.get_mut(&key).expect("it was found");
            process.exit = Some(exit);
            if process.watched_by == life {
                self.ended(key, exit);
            }
        }
        (Vec::new(), Ok(()))
    }

    /// What an attempt left becomes a commit.
    pub(crate) fn collect(&mut self, begun: &Begun, task: &TaskId, attempt: u32) -> Done {
        let ix = self.index.task(task).expect("effects name tasks of the plan");
        let key = (ix, attempt, begun.iteration);
        let subject = self.subject(task, attempt);
        let plan = &self.plan.tasks[ix];
        let changed = self.processes.get(&key).is_some_and(|p| p.changes);
        let loops = matches!(&plan.work, Work::Agent { by, .. } if by.repeat.is_some());
        let (diff, needed) = (plan.diff, plan.diff == DiffPolicy::Required);
        let Some(from) = begun.from.clone().filter(|_| diff != DiffPolicy::None) else {
            return (vec![Draft::world(subject, WorkCollected { commit: None })], Ok(()));
        };
        let known = self.collected.get(&key).cloned();
        let commit = known.unwrap_or_else(|| {
            if changed {
                let (commit, _) = self.repo.history.work(&from, format!("work/{task}/{attempt}"));
                self.repo.owners.push(Owner::Attempt(ix, attempt));
                Some(commit)
            } else {
                // Nothing new; what it went on from still counts where the lane does not have it.
                (begun.tip.as_ref() != Some(&from)).then(|| from.clone())
            }
        });
        self.collected.insert(key, commit.clone());
        let check = |name: &str, status| CheckRecorded {
            name: name.to_owned(),
            status,
            detail: "simulated".to_owned(),
            duration_ms: 0,
        };
        let mut facts = vec![
            Draft::world(subject.clone(), check("base", CheckStatus::Pass)),
            Draft::world(subject.clone(), WorkCollected { commit: commit.clone() }),
        ];
        match commit {
            Some(head) => {
                let stat = DiffStat { files: 1, additions: 1, deletions: 0 };
                let event = DiffRecorded { base: from, head, stat, files: Vec::new() };
                facts.push(Draft::world(subject.clone(), event));
            }
            None if needed && !loops => {
                facts.push(Draft::world(subject.clone(), check("diff", CheckStatus::Fail)));
            }
            None => {}
        }
        if loops {
            let status = if changed { CheckStatus::Pass } else { CheckStatus::Skip };
            facts.push(Draft::world(subject, check(CHECK_PROGRESS, status)));
        }
        (facts, Ok(()))
    }

    /// Another agent looks at the work.
    pub(crate) fn examine(&mut self, key: &str, task: &TaskId, attempt: u32) -> Done {
        let ix = self.index.task(task).expect("effects name tasks of the plan");
        if self.halted.contains(&(ix, attempt)) {
            return (Vec::new(), Err(self.failure(Fault::Transient)));
        }
        let status = match self.chance.draw(&format!("verdict/{key}")) % 2 {
            _ if !self.fails(Fault::Review, key) => CheckStatus::Pass,
            0 => CheckStatus::Fail,
            _ => CheckStatus::Skip,
        };
        let event = CheckRecorded {
            name: CHECK_REVIEW.to_owned(),
            status,
            detail: "simulated".to_owned(),
            duration_ms: 0,
        };
        (vec![Draft::world(self.subject(task, attempt), event)], Ok(()))
    }

    /// Merges an attempt's commit into its lane, if the gate lets it.
    pub(crate) fn land(
        &mut self,
        key: &str,
        (task, attempt): (&TaskId, u32),
        tip: &Sha,
        commit: Option<&Sha>,
    ) -> Done {
        let ix = self.index.task(task).expect("effects name tasks of the plan");
        let lane = self.index.lane_of[ix];
        let subject = self.subject(task, attempt);
        let mark = format!("land/{task}/{attempt}");
        let found = self.repo.lanes[lane].clone();
        let merged = |to: &Sha| MergeRecorded {
            branch: "b".to_owned(),
            from: tip.clone(),
            to: to.clone(),
            tree: to.clone(),
        };
        let mut facts = self.own_pull(ix, attempt, commit);
        if let (Some(found), Some(_)) = (&found, commit)
            && self.repo.history.mark_of(found) == mark
            && self.repo.history.first_parent(found) == Some(tip)
        {
            if self.plan.tasks[ix].gate.is_some() {
                facts.push(Draft::world(subject.clone(), gated(true)));
            }
            facts.push(Draft::world(subject, merged(found)));
            return (facts, Ok(()));
        }
        if self.halted.contains(&(ix, attempt)) {
            return (facts, Err(self.failure(Fault::Transient)));
        }
        if commit.is_some() && self.fails(Fault::Conflict, key) {
            let event = ConflictPredicted::over("lane".to_owned(), vec!["f".to_owned()], String::new());
            facts.push(Draft::world(subject, event));
            return (facts, Err(self.failure(Fault::Conflict)));
        }
        if self.plan.tasks[ix].gate.is_some() {
            let fails = self.fails(Fault::Gate, key);
            facts.push(Draft::world(subject.clone(), gated(!fails)));
            if fails {
                return (facts, Err(self.failure(Fault::Gate)));
            }
        }
        let Some(commit) = commit else { return (facts, Ok(())) };
        self.restore_branch(lane, tip, &mark);
        let to = self.repo.history.commit(&[tip, commit], mark);
        self.repo.lanes[lane] = Some(to.clone());
        facts.push(Draft::world(subject.clone(), merged(&to)));
        if self.plan.lanes[lane].task_prs {
            let pr = own_pull(ix);
            facts.push(Draft::world(subject, TaskPrMerged { pr, commit: to }));
        }
        (facts, Ok(()))
    }

    fn own_pull(&self, task: TaskIx, attempt: u32, commit: Option<&Sha>) -> Vec<Draft> {
        let lane = &self.plan.lanes[self.index.lane_of[task]];
        let Some(commit) = commit.filter(|_| lane.task_prs) else { return Vec::new() };
        let (pr, base) = (own_pull(task), lane.branch.clone());
        let event = Event::from(TaskPrOpened { pr, tip: commit.clone(), base });
        vec![Draft::world(self.subject(&self.plan.tasks[task].id, attempt), event)]
    }
}

fn gated(passes: bool) -> CheckRecorded {
    CheckRecorded {
        name: "gate".to_owned(),
        status: if passes { CheckStatus::Pass } else { CheckStatus::Fail },
        detail: "simulated".to_owned(),
        duration_ms: 0,
    }
}

fn own_pull(task: TaskIx) -> PrRef {
    PrRef { number: 10_000 + task as u64, url: format!("local:t{task}") }
}
