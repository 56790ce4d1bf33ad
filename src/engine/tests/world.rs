//! A world that answers every effect in memory, on a virtual clock.

use super::*;

/// How attempts go, where they do not simply succeed.
pub(super) type Script = Vec<(&'static str, u32, Outcome)>;

/// What the scripted world says of an attempt.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    Done,
    Silent,
    Blocked,
    GateFails,
    Conflict,
    /// Of the processes of a loop, this one claims.
    LoopsUntil(u32),
    /// No process of a loop claims, nor changes anything from this one on.
    IdleFrom(u32),
    Rejected,
    NoVerdict,
    /// The first reviewer gives none.
    LateVerdict,
}

pub(super) type Which = fn(&Effect) -> bool;

/// Answers effects as a well-behaved runtime would; the script says how attempts go.
pub(super) struct World {
    pub(super) script: BTreeMap<(String, u32), Outcome>,
    /// Effects that fail, and how.
    pub(super) refuses: Option<(Which, FailureKind)>,
    pub(super) started: Vec<(String, u32)>,
    /// Lanes whose pull requests were told what became of them.
    pub(super) concluded: Vec<String>,
}

impl World {
    pub(super) fn answer(&mut self, core: &Core, effect: &Effect) -> Report {
        let refusal = self.refuses.filter(|(which, _)| which(effect));
        let (facts, end) = match (refusal, effect) {
            (Some((_, class)), _) => (refused(effect, class), Err(failure(class))),
            (None, Effect::Land { task, attempt, tip, .. }) => self.land(core, task, *attempt, tip),
            (None, Effect::Attempt { task, attempt, iteration, .. }) => {
                (self.attempt(core, task, *attempt, *iteration), Ok(()))
            }
            (None, Effect::Collect { task, attempt }) => (self.collect(core, task, *attempt), Ok(())),
            (None, Effect::Examine { task, attempt, round, .. }) => {
                (vec![self.examine(core, task, *attempt, *round)], Ok(()))
            }
            (None, _) => (self.of_lane(core, effect), Ok(())),
        };
        Report { id: effect.id(), facts, end: Some(end) }
    }

    fn attempt(&mut self, core: &Core, task: &TaskId, attempt: u32, iteration: u32) -> Vec<Draft> {
        self.started.push((task.to_string(), attempt));
        let at = Subject { iteration: Some(iteration), ..Self::at(core, task, attempt) };
        let role = ProcessRole::Agent;
        let process = ProcessId { pid: 7, start_time: 1, boot_id: "b".into(), tag: "t".into() };
        let started = ProcessStarted { role, process, command: "a".into(), mono: 0 };
        let mut facts = vec![Draft::world(at.clone(), started)];
        let claim = match self.outcome(task, attempt) {
            Outcome::Silent | Outcome::IdleFrom(_) => None,
            Outcome::LoopsUntil(last) if last != iteration => None,
            Outcome::Blocked => Some(SignalKind::Blocked),
            _ => Some(SignalKind::Done),
        };
        facts.extend(claim.map(|signal| Draft {
            source: Some(Source { path: format!("{task}/{attempt}/claim"), digest: "x".into() }),
            ..Draft::world(at.clone(), SignalObserved { signal, text: "said".into() })
        }));
        let exit = ExitStatus::Code(0);
        let exited = ProcessExited { role, exit, duration_ms: 1, leftovers: vec![], escaped: vec![] };
        facts.push(Draft::world(at, exited));
        facts
    }

    fn collect(&self, core: &Core, task: &TaskId, attempt: u32) -> Vec<Draft> {
        let at = Self::at(core, task, attempt);
        let commit = Some(sha(900 + u64::from(attempt)));
        let mut facts = vec![Draft::world(at.clone(), WorkCollected { commit })];
        let ix = core.state().index().task(task).unwrap();
        let iteration = core.state().tasks[ix].attempt().unwrap().iteration;
        if let Outcome::IdleFrom(from) = self.outcome(task, attempt) {
            let status = if iteration < from { CheckStatus::Pass } else { CheckStatus::Skip };
            facts.push(Draft::world(at, check(CHECK_PROGRESS, status)));
        }
        facts
    }

    fn examine(&self, core: &Core, task: &TaskId, attempt: u32, round: u32) -> Draft {
        let status = match (self.outcome(task, attempt), round) {
            (Outcome::Rejected, _) => CheckStatus::Fail,
            (Outcome::NoVerdict, _) | (Outcome::LateVerdict, 1) => CheckStatus::Skip,
            _ => CheckStatus::Pass,
        };
        Draft::world(Self::at(core, task, attempt), check(CHECK_REVIEW, status))
    }

    fn land(&self, core: &Core, task: &TaskId, attempt: u32, tip: &Sha) -> (Vec<Draft>, Result<(), Failure>) {
        let (status, class) = match self.outcome(task, attempt) {
            Outcome::GateFails => (CheckStatus::Fail, Some(FailureKind::Work)),
            Outcome::Conflict => (CheckStatus::Skip, Some(FailureKind::Conflict)),
            _ => (CheckStatus::Pass, None),
        };
        let fact = |event: Event| Draft::world(Self::at(core, task, attempt), event);
        let mut facts = vec![fact(check("gate", status).into())];
        if class == Some(FailureKind::Conflict) {
            facts.push(fact(ConflictPredicted::over("lane".into(), vec!["f".into()], String::new()).into()));
        }
        let Some(class) = class else {
            let to = sha(10_000 + core.state().seq);
            let merged = MergeRecorded { branch: "b".into(), from: tip.clone(), to: to.clone(), tree: to };
            facts.push(fact(merged.into()));
            return (facts, Ok(()));
        };
        (facts, Err(failure(class)))
    }

    /// What there is to say of an effect on a lane, which goes well.
    fn of_lane(&mut self, core: &Core, effect: &Effect) -> Vec<Draft> {
        let fact = |lane: &LaneId, event: Event| vec![Draft::world(Subject::lane(lane), event)];
        match effect {
            Effect::Provision { lane } => fact(lane, provisioned(lane).into()),
            Effect::Sync { lane, n, from, .. } => {
                let upstream = from.iter().flat_map(SyncSource::lanes).collect();
                fact(lane, LaneSynced { upstream, tip: sha(5000 + u64::from(*n)) }.into())
            }
            Effect::OpenPr { lane, tip, base, draft } => {
                fact(lane, shown(core, lane, tip.clone(), base.clone(), *draft))
            }
            Effect::MergePr { lane, by, .. } => {
                fact(lane, PrMerged { commit: sha(77), by: by.clone(), head: None }.into())
            }
            Effect::CheckMerged { lane, .. } => {
                fact(lane, PrMerged { commit: sha(77), by: "outside".into(), head: None }.into())
            }
            Effect::Review { lane, act: ReviewAct::Close, by, .. } => {
                fact(lane, PrClosed { by: by.clone() }.into())
            }
            Effect::Teardown { lane, .. } => fact(lane, LaneRemoved { remarks: vec![] }.into()),
            Effect::Undo { lane, step, by, .. } => fact(lane, undo_of(core, lane, step, by)),
            Effect::Conclude { lane } => {
                self.concluded.push(lane.to_string());
                vec![]
            }
            _ => vec![],
        }
    }

    pub(super) fn at(core: &Core, task: &TaskId, attempt: u32) -> Subject {
        let ix = core.state().index().task(task).unwrap();
        Subject::attempt(&core.plan().tasks[ix].lane, task, attempt)
    }

    fn outcome(&self, task: &TaskId, attempt: u32) -> Outcome {
        self.script.get(&(task.to_string(), attempt)).copied().unwrap_or(Outcome::Done)
    }
}

fn failure(class: FailureKind) -> Failure {
    Failure { class, message: "refused".into(), hint: None, retry_at: None }
}

/// What is seen of an effect that is refused.
fn refused(effect: &Effect, class: FailureKind) -> Vec<Draft> {
    let Effect::Sync { lane, n, .. } = effect else { return vec![] };
    if class != FailureKind::Conflict {
        return vec![];
    }
    let mut event = ConflictPredicted::over("lane".into(), vec!["f".into()], String::new());
    event.marked = Some(sha(4000 + u64::from(*n)));
    vec![Draft::world(Subject::lane(lane), event)]
}

fn check(name: &str, status: CheckStatus) -> CheckRecorded {
    CheckRecorded { name: name.into(), status, detail: "said".into(), duration_ms: 0 }
}

fn provisioned(lane: &LaneId) -> LaneProvisioned {
    let worktree = format!("/w/{lane}");
    LaneProvisioned { worktree, tip: sha(1), pushed: false, ports: BTreeMap::new(), remark: None }
}

fn shown(core: &Core, lane: &LaneId, tip: Sha, base: String, draft: bool) -> Event {
    let ix = core.state().index().lane(lane).unwrap();
    let pr = PrRef { number: 1 + ix as u64, url: format!("local:{lane}") };
    match core.state().lanes[ix].pr {
        None => PrOpened { pr, tip, base, draft }.into(),
        Some(_) => PrUpdated { pr, tip, base, draft }.into(),
    }
}

fn undo_of(core: &Core, lane: &LaneId, step: &UndoStep, by: &str) -> Event {
    let by = by.to_owned();
    let undone =
        |tip, reverted, upstream| Event::from(LaneUndone { tip, reverted, upstream, remarks: vec![] });
    match step {
        UndoStep::TakeBack { commits, from, .. } => {
            undone(Some(sha(20_000 + core.state().seq)), commits.clone(), from.clone())
        }
        UndoStep::Remove { .. } => undone(None, vec![], vec![]),
        UndoStep::Revert { landed, .. } => {
            let pr = PrRef { number: 90, url: format!("local:revert-{lane}") };
            RevertOpened { pr, branch: "r".into(), tip: sha(30_000), reverts: landed.clone() }.into()
        }
        UndoStep::Merge { .. } => RevertMerged { commit: sha(78), by }.into(),
        UndoStep::Close => RevertClosed { by }.into(),
    }
}

pub(super) fn attach() -> Input {
    let verb = ControlVerb::Attach { pid: 1, boot_id: "b".into(), attempts: true };
    Input::Control(Control { id: "attach".into(), by: "t".into(), verb })
}

pub(super) fn begin() -> Vec<Input> {
    vec![Input::Start { plan_digest: "d".into(), version: "0".into() }, attach()]
}

pub(super) fn control(id: &str, verb: ControlVerb) -> Input {
    Input::Control(Control { id: id.into(), by: "ann".into(), verb })
}

/// Runs until nothing moves, time jumping from deadline to deadline.
pub(super) fn drive(core: &mut Core, world: &mut World, inputs: Vec<Input>, log: &mut Vec<Envelope>) {
    let mut now = Now { wall: Timestamp(1_000_000 + i64::try_from(log.len()).unwrap()), mono: 0 };
    let mut events = core.step(now, inputs).unwrap();
    loop {
        log.append(&mut events);
        assert!(log.len() < 5000, "it never comes to rest");
        let next = core.outstanding().values().next().cloned();
        let input = match next {
            Some(effect) => Input::Report(world.answer(core, &effect)),
            None => match core.next_deadline().wall {
                Some(at) if !core.is_settled() => {
                    now.wall = now.wall.max(at);
                    Input::Tick
                }
                _ => return,
            },
        };
        events = core.step(now, [input]).unwrap();
    }
}

pub(super) fn world(script: &[(&str, u32, Outcome)]) -> World {
    World {
        script: script.iter().map(|(t, a, o)| (((*t).to_owned(), *a), *o)).collect(),
        refuses: None,
        started: Vec::new(),
        concluded: Vec::new(),
    }
}

pub(super) fn run(draw: &Draw, script: &[(&str, u32, Outcome)]) -> (Core, World, Vec<Envelope>) {
    let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(script), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    (core, world, log)
}

pub(super) fn run_refusing(draw: &Draw, which: Which, class: FailureKind) -> (Core, Vec<Envelope>) {
    let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(&[]), Vec::new());
    world.refuses = Some((which, class));
    drive(&mut core, &mut world, begin(), &mut log);
    (core, log)
}

pub(super) fn statuses(core: &Core) -> (Option<RunStatus>, Vec<LaneStatus>, Vec<TaskStatus>) {
    let state = core.state();
    (
        state.run.status,
        state.lanes.iter().map(|l| l.status).collect(),
        state.tasks.iter().map(|t| t.status).collect(),
    )
}
