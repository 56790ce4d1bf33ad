//! The core against a small scripted world: every effect is answered in memory, on a virtual clock.

mod conditions;
mod liveness;
mod loops;
mod mended;
mod outage;
mod probes;
mod review;
mod simulated;
mod taken_up;
mod undo;
mod warm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Core, Input, Report};
use crate::event::*;
use crate::graph::{self, ProjectDefaults, parse};
use crate::graph::{
    AgentDef, AgentUse, Command, CommitPolicy, Contract, DiffPolicy, Furnishing, Gate, Handoff, MergePolicy,
    Millis, SessionPolicy, Teardown,
};
use crate::id::{AgentName, GraphName, LaneId, RunNo, Sha, TaskId};
use crate::plan::{
    ForgeKind, Identity, LanePlan, PLAN_SCHEMA, Places, Plan, PlanSource, Settings, TaskPlan, Work,
};
use crate::plan::{Inputs, LaneBase, build};

fn sha(n: u64) -> Sha {
    Sha::new(&format!("{n:040x}")).unwrap()
}

/// A graph in a few words: lanes with their policies, tasks with their needs.
struct Draw {
    lanes: Vec<(&'static str, MergePolicy)>,
    tasks: Vec<(&'static str, &'static str, Vec<&'static str>)>,
    handoff: Handoff,
    attempts: u32,
}

impl Draw {
    fn plan(&self) -> Arc<Plan> {
        let id = |t: &str| TaskId::new(t).unwrap();
        let lane_of: BTreeMap<_, _> = self.tasks.iter().map(|t| (t.0, t.1)).collect();
        let lanes = self.lanes.iter().map(|(lane, merge)| {
            let mut needs: Vec<LaneId> = self
                .tasks
                .iter()
                .filter(|t| t.1 == *lane)
                .flat_map(|t| t.2.iter().map(|n| lane_of[n]))
                .filter(|l| l != lane)
                .map(|l| LaneId::new(l).unwrap())
                .collect();
            needs.sort();
            needs.dedup();
            LanePlan {
                id: LaneId::new(lane).unwrap(),
                description: None,
                parent: None,
                base: "main".into(),
                base_sha: sha(1),
                target: "main".into(),
                merge: *merge,
                parallel: 1,
                gates: vec![],
                teardown: Teardown::OnSuccess,
                task_prs: false,
                furnish: Furnishing::default(),
                branch: format!("laneway/g/{lane}/integration"),
                worktree: PathBuf::from("/w").join(lane),
                needs,
            }
        });
        let tasks = self.tasks.iter().map(|(task, lane, needs)| TaskPlan {
            id: id(task),
            lane: LaneId::new(lane).unwrap(),
            description: None,
            work: Work::Agent {
                prompt: "do".into(),
                by: AgentUse {
                    agent: AgentName::new("a").unwrap(),
                    model: None,
                    session: SessionPolicy::Fresh,
                    repeat: None,
                },
                def: Arc::new(AgentDef { command: vec!["a".into()], ..AgentDef::default() }),
            },
            needs: needs.iter().map(|n| id(n)).collect(),
            writes: vec![],
            gate: Some(Gate {
                command: Command::Shell("true".into()),
                timeout: None,
                attempts: 1,
                fresh: false,
            }),
            attempts: self.attempts,
            timeout: Millis(60_000),
            stall: None,
            diff: DiffPolicy::Required,
            commit: CommitPolicy::Auto,
            env: BTreeMap::new(),
            priority: 0,
            retry: None,
            contract: Contract::default(),
            review: None,
            wave: 1,
            depth_below: 1,
        });
        Arc::new(Plan {
            schema: PLAN_SCHEMA,
            graph: GraphName::new("g").unwrap(),
            run: RunNo(1),
            uuid: "u".into(),
            description: None,
            source: PlanSource { path: "g.toml".into(), digest: "d".into() },
            author: Identity { name: "A".into(), email: "a@x".into() },
            places: Places {
                repo: "/r".into(),
                record: "/r".into(),
                board: "/r".into(),
                worktrees: "/w".into(),
            },
            remote: None,
            settings: Settings {
                max_parallel: 4,
                handoff: self.handoff,
                grace: Millis(10_000),
                forge: ForgeKind::Local,
                github: None,
                ports: crate::plan::PortRange::DEFAULT,
                warm: 0,
            },
            roles: BTreeMap::new(),
            lanes: lanes.collect(),
            tasks: tasks.collect(),
        })
    }
}

/// How attempts go, where they do not simply succeed.
type Script = Vec<(&'static str, u32, Outcome)>;

/// What the scripted world says of an attempt.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
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

type Which = fn(&Effect) -> bool;

/// Answers effects as a well-behaved runtime would; the script says how attempts go.
struct World {
    script: BTreeMap<(String, u32), Outcome>,
    /// Effects that fail, and how.
    refuses: Option<(Which, FailureKind)>,
    started: Vec<(String, u32)>,
    /// Lanes whose pull requests were told what became of them.
    concluded: Vec<String>,
}

impl World {
    fn answer(&mut self, core: &Core, effect: &Effect) -> Report {
        let id = effect.id();
        if let Some((_, class)) = self.refuses.filter(|(which, _)| which(effect)) {
            let failure = Failure { class, message: "refused".into(), hint: None, retry_at: None };
            let facts = match effect {
                Effect::Sync { lane, n, .. } if class == FailureKind::Conflict => {
                    let mut event = ConflictPredicted::over("lane".into(), vec!["f".into()], String::new());
                    event.marked = Some(sha(4000 + u64::from(*n)));
                    vec![Draft::world(Subject::lane(lane), event)]
                }
                _ => vec![],
            };
            return Report { id, facts, end: Some(Err(failure)) };
        }
        let done = |facts| Report { id: id.clone(), facts, end: Some(Ok(())) };
        let lane = |l: &LaneId| Subject::lane(l);
        match effect {
            Effect::Warm { .. } => done(vec![]),
            Effect::Provision { lane: l } => done(vec![Draft::world(
                lane(l),
                LaneProvisioned {
                    worktree: format!("/w/{l}"),
                    tip: sha(1),
                    pushed: false,
                    ports: BTreeMap::new(),
                    remark: None,
                },
            )]),
            Effect::Sync { lane: l, n, from, .. } => {
                let upstream = from.iter().flat_map(SyncSource::lanes);
                done(vec![Draft::world(
                    lane(l),
                    LaneSynced { upstream: upstream.collect(), tip: sha(5000 + u64::from(*n)) },
                )])
            }
            Effect::Attempt { task, attempt, iteration, .. } => {
                self.started.push((task.to_string(), *attempt));
                let at = Subject { iteration: Some(*iteration), ..Self::at(core, task, *attempt) };
                let process = ProcessId { pid: 7, start_time: 1, boot_id: "b".into(), tag: "t".into() };
                let mut facts = vec![Draft::world(
                    at.clone(),
                    ProcessStarted { role: ProcessRole::Agent, process, command: "a".into(), mono: 0 },
                )];
                let claim = match self.outcome(task, *attempt) {
                    Outcome::Silent | Outcome::IdleFrom(_) => None,
                    Outcome::LoopsUntil(last) if last != *iteration => None,
                    Outcome::Blocked => Some(SignalKind::Blocked),
                    _ => Some(SignalKind::Done),
                };
                facts.extend(claim.map(|signal| Draft {
                    source: Some(Source { path: format!("{task}/{attempt}/claim"), digest: "x".into() }),
                    ..Draft::world(at.clone(), SignalObserved { signal, text: "said".into() })
                }));
                let exit = ExitStatus::Code(0);
                facts.push(Draft::world(
                    at,
                    ProcessExited {
                        role: ProcessRole::Agent,
                        exit,
                        duration_ms: 1,
                        leftovers: vec![],
                        escaped: vec![],
                    },
                ));
                done(facts)
            }
            Effect::Collect { task, attempt } => {
                let at = Self::at(core, task, *attempt);
                let commit = Some(sha(900 + u64::from(*attempt)));
                let mut facts = vec![Draft::world(at.clone(), WorkCollected { commit })];
                let ix = core.state().index().task(task).unwrap();
                let iteration = core.state().tasks[ix].attempt().unwrap().iteration;
                if let Outcome::IdleFrom(from) = self.outcome(task, *attempt) {
                    let status = if iteration < from { CheckStatus::Pass } else { CheckStatus::Skip };
                    let check = CheckRecorded {
                        name: CHECK_PROGRESS.into(),
                        status,
                        detail: "x".into(),
                        duration_ms: 0,
                    };
                    facts.push(Draft::world(at, check));
                }
                done(facts)
            }
            Effect::Examine { task, attempt, round, .. } => {
                let status = match (self.outcome(task, *attempt), round) {
                    (Outcome::Rejected, _) => CheckStatus::Fail,
                    (Outcome::NoVerdict, _) | (Outcome::LateVerdict, 1) => CheckStatus::Skip,
                    _ => CheckStatus::Pass,
                };
                let detail = "said".into();
                let check = CheckRecorded { name: CHECK_REVIEW.into(), status, detail, duration_ms: 0 };
                done(vec![Draft::world(Self::at(core, task, *attempt), check)])
            }
            Effect::Land { task, attempt, tip, .. } => {
                let at = Self::at(core, task, *attempt);
                let (status, class) = match self.outcome(task, *attempt) {
                    Outcome::GateFails => (CheckStatus::Fail, Some(FailureKind::Work)),
                    Outcome::Conflict => (CheckStatus::Skip, Some(FailureKind::Conflict)),
                    _ => (CheckStatus::Pass, None),
                };
                let check = CheckRecorded { name: "gate".into(), status, detail: "x".into(), duration_ms: 0 };
                let mut facts = vec![Draft::world(at.clone(), check)];
                if class == Some(FailureKind::Conflict) {
                    let paths = vec!["f".into()];
                    let event = ConflictPredicted::over("lane".into(), paths, String::new());
                    facts.push(Draft::world(at.clone(), event));
                }
                let end = if let Some(class) = class {
                    Err(Failure { class, message: "no".into(), hint: None, retry_at: None })
                } else {
                    let to = sha(10_000 + core.state().seq);
                    let event =
                        MergeRecorded { branch: "b".into(), from: tip.clone(), to: to.clone(), tree: to };
                    facts.push(Draft::world(at, event));
                    Ok(())
                };
                Report { id: id.clone(), facts, end: Some(end) }
            }
            Effect::OpenPr { lane: l, tip, base, draft } => {
                let ix = core.state().index().lane(l).unwrap();
                let pr = PrRef { number: 1 + ix as u64, url: format!("local:{l}") };
                let (tip, base, draft) = (tip.clone(), base.clone(), *draft);
                let event = match core.state().lanes[ix].pr {
                    None => Event::from(PrOpened { pr, tip, base, draft }),
                    Some(_) => PrUpdated { pr, tip, base, draft }.into(),
                };
                done(vec![Draft::world(lane(l), event)])
            }
            Effect::MergePr { lane: l, by, .. } => {
                done(vec![Draft::world(lane(l), PrMerged { commit: sha(77), by: by.clone() })])
            }
            Effect::Teardown { lane: l, .. } => {
                done(vec![Draft::world(lane(l), LaneRemoved { remarks: vec![] })])
            }
            Effect::Conclude { lane: l } => {
                self.concluded.push(l.to_string());
                done(vec![])
            }
            Effect::CheckMerged { lane: l, .. } => {
                done(vec![Draft::world(lane(l), PrMerged { commit: sha(77), by: "outside".into() })])
            }
            Effect::Review { lane: l, act: ReviewAct::Close, by, .. } => {
                done(vec![Draft::world(lane(l), PrClosed { by: by.clone() })])
            }
            Effect::Undo { lane: l, step, by, .. } => {
                done(vec![Draft::world(lane(l), undo_of(core, l, step, by))])
            }
            Effect::Stop { .. } | Effect::Prove { .. } | Effect::Probe { .. } | Effect::Review { .. } => {
                done(vec![])
            }
        }
    }

    fn at(core: &Core, task: &TaskId, attempt: u32) -> Subject {
        let ix = core.state().index().task(task).unwrap();
        Subject::attempt(&core.plan().tasks[ix].lane, task, attempt)
    }

    fn outcome(&self, task: &TaskId, attempt: u32) -> Outcome {
        self.script.get(&(task.to_string(), attempt)).copied().unwrap_or(Outcome::Done)
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

fn attach() -> Input {
    let verb = ControlVerb::Attach { pid: 1, boot_id: "b".into(), attempts: true };
    Input::Control(Control { id: "attach".into(), by: "t".into(), verb })
}

fn begin() -> Vec<Input> {
    vec![Input::Start { plan_digest: "d".into(), version: "0".into() }, attach()]
}

fn control(id: &str, verb: ControlVerb) -> Input {
    Input::Control(Control { id: id.into(), by: "ann".into(), verb })
}

/// Runs until nothing moves, time jumping from deadline to deadline.
fn drive(core: &mut Core, world: &mut World, inputs: Vec<Input>, log: &mut Vec<Envelope>) {
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

fn world(script: &[(&str, u32, Outcome)]) -> World {
    World {
        script: script.iter().map(|(t, a, o)| (((*t).to_owned(), *a), *o)).collect(),
        refuses: None,
        started: Vec::new(),
        concluded: Vec::new(),
    }
}

fn run(draw: &Draw, script: &[(&str, u32, Outcome)]) -> (Core, World, Vec<Envelope>) {
    let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(script), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    (core, world, log)
}

fn statuses(core: &Core) -> (Option<RunStatus>, Vec<LaneStatus>, Vec<TaskStatus>) {
    let state = core.state();
    (
        state.run.status,
        state.lanes.iter().map(|l| l.status).collect(),
        state.tasks.iter().map(|t| t.status).collect(),
    )
}

fn diamond(merge: MergePolicy, handoff: Handoff) -> Draw {
    Draw {
        lanes: vec![("a", merge), ("b", merge), ("c", merge), ("d", merge)],
        tasks: vec![
            ("a1", "a", vec![]),
            ("b1", "b", vec!["a1"]),
            ("c1", "c", vec!["a1"]),
            ("d1", "d", vec!["b1", "c1"]),
            ("d2", "d", vec!["d1"]),
        ],
        handoff,
        attempts: 2,
    }
}

#[test]
fn a06_every_prefix_of_the_journal_leads_to_the_same_end() {
    let cases: Vec<(Draw, Script)> = vec![
        (diamond(MergePolicy::Auto, Handoff::Merged), vec![]),
        (diamond(MergePolicy::Review, Handoff::Ready), vec![("b1", 1, Outcome::GateFails)]),
        (
            diamond(MergePolicy::Auto, Handoff::Ready),
            vec![("c1", 1, Outcome::Silent), ("c1", 2, Outcome::Silent)],
        ),
        (diamond(MergePolicy::Auto, Handoff::Ready), vec![("a1", 1, Outcome::Conflict)]),
    ];
    for (draw, script) in cases {
        let (whole, _, log) = run(&draw, &script);
        for cut in 0..log.len() {
            let mut core = Core::new(draw.plan());
            for envelope in &log[..cut] {
                let line = envelope.to_json().unwrap();
                core.replay(&Envelope::from_json(&line).unwrap()).unwrap();
            }
            core.recount();
            let mut again = log[..cut].to_vec();
            let mut inputs = begin();
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut world(&script), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shipped graphs are files")]
/// The plans of the graphs that are shipped.
fn shipped() -> Vec<(String, Arc<Plan>)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.display().to_string(), planned(&std::fs::read_to_string(&path).unwrap())))
        .collect()
}

/// The plan of a graph, as a repository with one commit would give it.
fn planned(text: &str) -> Arc<Plan> {
    let source = graph::Source { path: "g.toml".into(), text: text.into() };
    let graph = parse(&source, &ProjectDefaults::default()).unwrap();
    let base = LaneBase { base: "main".into(), base_sha: sha(1), target: "main".into() };
    let inputs = Inputs { timeout: Millis(60_000), ..Inputs::plain(&graph, &base) };
    Arc::new(build(&graph, &inputs).unwrap())
}

/// Expects the same end from every prefix of the journal that a run with this script writes.
fn same_end_from_every_prefix(name: &str, plan: &Arc<Plan>, script: &[(&str, u32, Outcome)]) {
    let (mut whole, mut log) = (Core::new(Arc::clone(plan)), Vec::new());
    drive(&mut whole, &mut world(script), begin(), &mut log);
    for cut in 0..log.len() {
        let mut core = Core::new(Arc::clone(plan));
        log[..cut].iter().for_each(|e| core.replay(e).unwrap());
        core.recount();
        let mut again = log[..cut].to_vec();
        let mut inputs = begin();
        if let Input::Control(control) = &mut inputs[1] {
            control.id = "attach-again".into();
        }
        drive(&mut core, &mut world(script), inputs, &mut again);
        assert_eq!(statuses(&core), statuses(&whole), "{name} restarted after event {cut}");
    }
}

#[test]
fn a06_every_prefix_of_every_shipped_graph_leads_to_the_same_end() {
    for (path, plan) in shipped() {
        let first = plan.tasks.last().unwrap().id.to_string();
        for outcome in [Outcome::Done, Outcome::GateFails, Outcome::Silent] {
            same_end_from_every_prefix(&path, &plan, &[(first.as_str(), 1, outcome)]);
        }
    }
}

#[test]
fn a04_folding_all_at_once_equals_folding_one_by_one() {
    let draw = diamond(MergePolicy::Auto, Handoff::Merged);
    let (whole, _, log) = run(&draw, &[("b1", 1, Outcome::GateFails)]);
    let mut folded = Core::new(draw.plan());
    for envelope in &log {
        folded.replay(envelope).unwrap();
    }
    assert_eq!(folded.state(), whole.state());
}

#[test]
fn ar21_a_diamond_merges_itself_in_both_handoffs() {
    for handoff in [Handoff::Ready, Handoff::Merged] {
        let (core, _, log) = run(&diamond(MergePolicy::Auto, handoff), &[]);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed));
        assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged));
        assert_eq!(log.iter().filter(|e| e.event.kind() == "workflow.end").count(), 1);
    }
}

#[test]
fn ar21_a_lane_that_waits_for_a_merge_is_blocked_and_goes_on_after_it() {
    let draw = diamond(MergePolicy::Review, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
    let lane = LaneId::new("a").unwrap();
    drive(&mut core, &mut world, vec![control("m", ControlVerb::Merge { lane })], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Merged);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated, "b went on by itself");
}

#[test]
fn ar21_a_lane_never_merges_before_the_one_it_holds() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    let lane = LaneId::new("b").unwrap();
    drive(&mut core, &mut world, vec![control("m", ControlVerb::Merge { lane })], &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated);
    assert!(core.state().lanes[1].requests.is_empty());
    assert!(log.iter().any(|e| e.event.kind() == "control.rejected"));
}

#[test]
fn ar22_a_failure_blocks_only_what_depends_on_it() {
    let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
    let (core, world, _) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Failed));
    assert_eq!(lanes, [LaneStatus::Merged, LaneStatus::Failed, LaneStatus::Merged, LaneStatus::Failed]);
    assert_eq!(tasks[3], TaskStatus::Skipped);
    assert_eq!(world.started.iter().filter(|(t, _)| t == "b1").count(), 2);
}

#[test]
fn ar23_a_retry_revives_the_task_and_what_was_skipped_for_it() {
    let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    drive(&mut core, &mut world, vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[1].attempts.len(), 3);
}

#[test]
fn ar23_a_retry_of_one_task_reaches_the_lanes_that_were_skipped_for_it_and_those_that_held_it_back() {
    for named in ["b1", "d1"] {
        let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
        let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
        assert_eq!(core.state().run.status, Some(RunStatus::Failed));
        let verb = ControlVerb::Retry { tasks: vec![TaskId::new(named).unwrap()] };
        drive(&mut core, &mut world, vec![control("r", verb)], &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{named}: {:?}", statuses(&core));
    }
}

#[test]
fn a13_a_question_blocks_the_run_and_an_answer_lets_it_go_on() {
    let draw = diamond(MergePolicy::Auto, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[("a1", 1, Outcome::Blocked)]);
    assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
    assert_eq!(core.state().tasks[0].attempt().unwrap().status, AttemptStatus::Waiting);
    world.script.clear();
    let verb = ControlVerb::Answer { task: TaskId::new("a1").unwrap(), ask: None, text: "yes".into() };
    drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[0].attempts.len(), 1, "the same attempt went on");
}

#[test]
fn a13_a_cancelled_run_says_so() {
    let draw = diamond(MergePolicy::Auto, Handoff::Ready);
    let mut core = Core::new(draw.plan());
    let mut log = Vec::new();
    let mut inputs = begin();
    inputs.push(control("c", ControlVerb::Cancel { tasks: vec![], lanes: vec![] }));
    drive(&mut core, &mut world(&[]), inputs, &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Cancelled));
    assert!(core.state().tasks.iter().all(|t| t.status == TaskStatus::Cancelled));
}

#[test]
fn a19_one_input_taken_twice_gives_one_event() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, _, _) = run(&draw, &[]);
    let before = core.state().seq;
    assert!(core.step(Now::default(), [attach()]).unwrap().is_empty(), "a request is taken once");
    let late = Report { id: EffectId("provision/a".into()), facts: vec![], end: Some(Ok(())) };
    assert!(core.step(Now::default(), [Input::Report(late)]).unwrap().is_empty(), "nobody waits for it");
    assert_eq!(core.state().seq, before);
}

#[test]
fn a_status_file_written_from_outside_is_judged() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let touch = |status, n: u32| Input::StatusTouched {
        lane: LaneId::new("d").unwrap(),
        status,
        text: "no good".into(),
        source: Source { path: format!("lanes/d/{n}"), digest: n.to_string() },
    };
    drive(&mut core, &mut world, vec![touch(LaneStatus::Pending, 1)], &mut log);
    assert_eq!(log.last().unwrap().event.kind(), "signal.rejected");
    drive(&mut core, &mut world, vec![touch(LaneStatus::Failed, 2)], &mut log);
    assert_eq!(core.state().lanes[3].status, LaneStatus::Failed);
    assert!(core.state().lanes[3].reason.as_ref().unwrap().contains("no good"));
}

fn one_lane(merge: MergePolicy, tasks: &[&'static str]) -> Draw {
    Draw {
        lanes: vec![("a", merge)],
        tasks: tasks.iter().map(|t| (*t, "a", vec![])).collect(),
        handoff: Handoff::Ready,
        attempts: 3,
    }
}

fn run_refusing(draw: &Draw, which: Which, class: FailureKind) -> (Core, Vec<Envelope>) {
    let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(&[]), Vec::new());
    world.refuses = Some((which, class));
    drive(&mut core, &mut world, begin(), &mut log);
    (core, log)
}

#[test]
fn ar17_a_lane_that_cannot_be_proven_is_not_merged_by_itself_and_comes_to_rest() {
    let which = |e: &Effect| matches!(e, Effect::Prove { .. } | Effect::MergePr { .. });
    let (core, log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), which, FailureKind::Permanent);
    assert_eq!(core.state().lanes[0].status, LaneStatus::PrCreated);
    let merges =
        |e: &&Envelope| matches!(&e.event, Event::EffectIntended(i) if i.id.0.starts_with("merge-pr"));
    assert_eq!(log.iter().find(merges), None, "nothing is merged without its proof");
}

#[test]
fn a05_what_moves_again_and_again_is_met_with_pauses_and_comes_to_an_end() {
    let which = |e: &Effect| matches!(e, Effect::OpenPr { .. });
    let (core, log) = run_refusing(&one_lane(MergePolicy::Review, &["t"]), which, FailureKind::Moved);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed);
    let took = log.last().unwrap().at.since(log[0].at);
    assert!(took > 60_000, "it was tried again without a pause");
}

#[test]
fn ar10_a_merged_lane_is_summed_up_once_after_its_worktree_is_gone() {
    let (core, world, log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    let mut concluded = world.concluded.clone();
    concluded.sort_unstable();
    assert_eq!(concluded, ["a", "b", "c", "d"]);
    for lane in &concluded {
        let at = |wanted: String| {
            let done = |e: &Envelope| matches!(&e.event, Event::EffectConfirmed(c) if c.id.0 == wanted);
            log.iter().position(done).expect("it was done")
        };
        assert!(at(format!("teardown/{lane}/1")) < at(format!("conclude/{lane}")), "{lane}");
    }
}

#[test]
fn ar10_words_that_nobody_takes_fail_no_lane_and_hold_no_run() {
    let which: Which = |e| matches!(e, Effect::Conclude { .. });
    for class in [FailureKind::Permanent, FailureKind::Refused, FailureKind::Transient] {
        let (core, log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), which, class);
        let tries =
            log.iter().filter(|e| matches!(&e.event, Event::EffectIntended(i) if which(&i.effect))).count();
        assert_eq!(tries, if class == FailureKind::Transient { 4 } else { 1 }, "{class:?}");
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{class:?}");
        assert_eq!(core.state().lanes[0].status, LaneStatus::Merged, "{class:?}");
    }
}

#[test]
fn ar15_an_attempt_goes_on_from_the_last_work_that_was_looked_at() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut log) = (Core::new(draw.plan()), Vec::new());
    let mut world = world(&[("t", 1, Outcome::GateFails)]);
    world.refuses = Some((|e| matches!(e, Effect::Attempt { attempt: 2, .. }), FailureKind::Permanent));
    drive(&mut core, &mut world, begin(), &mut log);
    let third = &core.state().tasks[0].attempts[2];
    assert_eq!(third.start, Some(sha(901)), "the first attempt's work");
}

#[test]
fn a13_an_answered_attempt_does_not_move_into_a_worktree_that_another_took_meanwhile() {
    let mut plan = (*one_lane(MergePolicy::Review, &["t1", "t2", "t3"]).plan()).clone();
    plan.lanes[0].parallel = 2;
    let mut core = Core::new(Arc::new(plan));
    let mut world = world(&[("t1", 1, Outcome::Blocked)]);
    core.step(Now::default(), begin()).unwrap();
    let mut answer = |core: &mut Core, prefix: &str| {
        let found = core.outstanding().values().find(|e| e.id().0.starts_with(prefix)).cloned();
        let report = world.answer(core, &found.unwrap_or_else(|| panic!("{prefix} is not outstanding")));
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    };
    for effect in ["provision", "attempt/t1", "collect/t1", "attempt/t2", "collect/t2", "land/t2"] {
        answer(&mut core, effect);
    }
    let verb = ControlVerb::Answer { task: TaskId::new("t1").unwrap(), ask: None, text: "yes".into() };
    core.step(Now::default(), [control("x", verb)]).unwrap();
    let place = |t: usize| core.state().tasks[t].attempt().map(|a| (a.status, a.place));
    assert_eq!(place(2), Some((AttemptStatus::Started, Place::Lane)));
    assert_eq!(place(0), Some((AttemptStatus::Started, Place::Own)));
}

#[test]
fn a13_a_refused_landing_waits_for_a_person_and_goes_on_where_it_stopped() {
    let land: Which = |e| matches!(e, Effect::Land { .. });
    for ask in ["retry", "answer"] {
        let draw = one_lane(MergePolicy::Auto, &["t"]);
        let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(&[]), Vec::new());
        world.refuses = Some((land, FailureKind::Refused));
        drive(&mut core, &mut world, begin(), &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
        world.refuses = None;
        let task = TaskId::new("t").unwrap();
        let verb = match ask {
            "retry" => ControlVerb::Retry { tasks: vec![task] },
            _ => ControlVerb::Answer { task, ask: None, text: "look again".into() },
        };
        drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{ask}");
        assert_eq!(world.started.len(), 1, "no second process");
        assert_eq!(core.state().tasks[0].attempt().unwrap().answer, None);
    }
}

#[test]
fn a13_a_refused_landing_is_called_off_by_a_cancel() {
    let land: Which = |e| matches!(e, Effect::Land { .. });
    let (mut core, mut log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), land, FailureKind::Refused);
    let verb = ControlVerb::Cancel { tasks: vec![TaskId::new("t").unwrap()], lanes: vec![] };
    drive(&mut core, &mut world(&[]), vec![control("x", verb)], &mut log);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Cancelled);
}

/// Two lanes; the first task of the second needs the first lane.
fn after_another() -> Draw {
    let mut draw = diamond(MergePolicy::Auto, Handoff::Ready);
    draw.lanes.truncate(2);
    draw.tasks.truncate(2);
    draw.tasks.push(("b2", "b", vec!["b1", "a1"]));
    draw.tasks[1].2.clear();
    draw
}

#[test]
fn ar21_a_conflict_with_upstream_work_is_resolved_by_its_task_from_every_prefix() {
    let sync: Which = |e| matches!(e, Effect::Sync { .. });
    let draw = after_another();
    for script in [vec![], vec![("b2", 1, Outcome::GateFails)], vec![("b2", 1, Outcome::Conflict)]] {
        let make = || {
            let mut world = world(&script);
            world.refuses = Some((sync, FailureKind::Conflict));
            world
        };
        let (mut whole, mut log) = (Core::new(draw.plan()), Vec::new());
        drive(&mut whole, &mut make(), begin(), &mut log);
        assert_eq!(whole.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&whole));
        assert_eq!(whole.state().tasks[2].attempts[0].start, Some(sha(4001)), "both sides, marked");
        assert_eq!(whole.state().lanes[1].contains.len(), 1);
        for cut in 0..log.len() {
            let mut core = Core::new(draw.plan());
            for envelope in &log[..cut] {
                core.replay(envelope).unwrap();
            }
            core.recount();
            let (mut again, mut inputs) = (log[..cut].to_vec(), begin());
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut make(), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}

#[test]
fn ar09_what_an_attempt_says_again_and_again_is_taken_a_bounded_number_of_times() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut world) = (Core::new(draw.plan()), world(&[]));
    core.step(Now::default(), begin()).unwrap();
    let provision = core.outstanding().values().next().unwrap().clone();
    let report = world.answer(&core, &provision);
    core.step(Now::default(), [Input::Report(report)]).unwrap();
    let attempt = core.outstanding().values().next().unwrap().id();
    let at = Subject::attempt(&core.plan().lanes[0].id, &core.plan().tasks[0].id, 1);
    let said = |signal: &SignalKind, n: u32| Draft {
        source: Some(Source { path: signal.word().into(), digest: n.to_string() }),
        ..Draft::world(at.clone(), SignalObserved { signal: signal.clone(), text: n.to_string() })
    };
    let rejected = |n: u32| Draft {
        source: Some(Source { path: format!("junk-{n}"), digest: String::new() }),
        ..Draft::world(at.clone(), SignalRejected { name: format!("junk-{n}"), reason: "a fifo".into() })
    };
    let mut events = Vec::new();
    for signal in [SignalKind::Summary, SignalKind::Progress, SignalKind::Concern] {
        // In batches and one by one, as a rescan and a watch report them.
        for batch in (0..5000).collect::<Vec<u32>>().chunks(7) {
            let facts = batch.iter().map(|&n| said(&signal, n)).collect();
            let report = Report { id: attempt.clone(), facts, end: None };
            events.extend(core.step(Now::default(), [Input::Report(report)]).unwrap());
        }
        let taken = |e: &&Envelope| matches!(&e.event, Event::SignalObserved(o) if o.signal == signal);
        assert_eq!(events.iter().filter(taken).count(), signal.most() as usize);
        let told = |e: &&Envelope| matches!(&e.event, Event::SignalRejected(r) if r.name == signal.word());
        assert_eq!(events.iter().filter(told).count(), 1, "it is told once");
    }
    let facts = (0..5000).map(rejected).collect();
    let report = Report { id: attempt, facts, end: None };
    let events = core.step(Now::default(), [Input::Report(report)]).unwrap();
    assert!(events.len() <= 256, "{}", events.len());
}

fn bases(core: &Core) -> Vec<(String, bool)> {
    let pr = |l: &crate::state::Lane| l.pr.as_ref().map(|pr| (pr.base.clone(), pr.draft)).unwrap_or_default();
    core.state().lanes.iter().map(pr).collect()
}

#[test]
fn ar21_pull_requests_are_stacked_and_retargeted_as_their_upstream_lands() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let main = || ("main".to_owned(), false);
    let on = |lane: &str| (format!("laneway/g/{lane}/integration"), false);
    let draft = || ("main".to_owned(), true);
    assert_eq!(bases(&core), [main(), on("a"), on("a"), draft()]);
    let stages = [("a", [main(), main(), main(), draft()]), ("b", [main(), main(), main(), draft()])];
    for (lane, expected) in stages {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap() };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
        assert_eq!(bases(&core), expected, "after {lane}");
    }
    assert!(core.state().lanes[1].landed.contains(&0) && core.state().lanes[3].landed.contains(&1));
    for lane in ["c", "d"] {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap() };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
    }
    assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
    let at = |what: &str| {
        log.iter().position(|e| matches!(&e.event, Event::EffectIntended(i) if i.id.0.starts_with(what)))
    };
    assert!(
        at("open-pr/b/").is_some() && at("sync/b/2") < at("teardown/a/"),
        "retargeted before the branch goes"
    );
}

#[test]
fn ar21_a_landing_that_conflicts_goes_to_the_task_that_was_last_at_work() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let started = world.started.len();
    let landing: Which = |e| {
        matches!(e, Effect::Sync { lane, from, .. } if lane.as_str() == "b"
            && matches!(from[..], [SyncSource::Landing { .. }]))
    };
    world.refuses = Some((landing, FailureKind::Conflict));
    let verb = ControlVerb::Merge { lane: LaneId::new("a").unwrap() };
    drive(&mut core, &mut world, vec![control("m", verb)], &mut log);
    assert_eq!(world.started[started..], [("b1".to_owned(), 2)], "{:?}", statuses(&core));
    let b = &core.state().lanes[1];
    assert_eq!((b.status, b.landed.len()), (LaneStatus::PrCreated, 1));
    assert_eq!(b.pr.as_ref().map(|pr| (&pr.tip, pr.base.as_str())), b.tip.as_ref().map(|t| (t, "main")));
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
}

/// The diamond, with `b` and `c` nested in `a`, and `d` in `c`.
fn nest(merge: MergePolicy) -> Arc<Plan> {
    let mut plan = (*diamond(merge, Handoff::Ready).plan()).clone();
    for (lane, parent) in [(1, 0), (2, 0), (3, 2)] {
        let parent = plan.lanes[parent].clone();
        plan.lanes[lane].parent = Some(parent.id);
        plan.lanes[lane].target = parent.branch;
    }
    plan.tasks[3].needs = vec![TaskId::new("c1").unwrap()];
    Arc::new(plan)
}

#[test]
fn ar21_a_nest_comes_to_the_same_end_from_every_prefix() {
    for (merge, end) in [(MergePolicy::Auto, RunStatus::Completed), (MergePolicy::Review, RunStatus::Blocked)]
    {
        let plan = nest(merge);
        let (mut whole, mut log) = (Core::new(Arc::clone(&plan)), Vec::new());
        drive(&mut whole, &mut world(&[("d1", 1, Outcome::GateFails)]), begin(), &mut log);
        assert_eq!(whole.state().run.status, Some(end), "{:?}", statuses(&whole));
        for cut in 0..log.len() {
            let mut core = Core::new(Arc::clone(&plan));
            for envelope in &log[..cut] {
                core.replay(envelope).unwrap();
            }
            core.recount();
            let (mut again, mut inputs) = (log[..cut].to_vec(), begin());
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut world(&[("d1", 1, Outcome::GateFails)]), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}

#[test]
fn ar21_a_parent_fails_with_what_is_nested_in_it_and_a_retry_revives_both() {
    let plan = nest(MergePolicy::Auto);
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut log) = (Core::new(plan), Vec::new());
    drive(&mut core, &mut world(&script), begin(), &mut log);
    let (run, lanes, _) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Failed));
    assert_eq!(lanes, [LaneStatus::Failed, LaneStatus::Merged, LaneStatus::Failed, LaneStatus::Failed]);
    drive(&mut core, &mut world(&[]), vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
}

#[test]
fn ar15_an_answered_attempt_whose_second_process_never_ran_leaves_its_work_to_the_next() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut log) = (Core::new(draw.plan()), Vec::new());
    let mut world = world(&[("t", 1, Outcome::Blocked)]);
    drive(&mut core, &mut world, begin(), &mut log);
    world.refuses = Some((|e| matches!(e, Effect::Attempt { iteration: 2, .. }), FailureKind::Permanent));
    let verb = ControlVerb::Answer { task: TaskId::new("t").unwrap(), ask: None, text: "yes".into() };
    drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
    assert_eq!(core.state().tasks[0].attempts[1].start, Some(sha(901)), "the first process's work");
}

#[test]
fn ar21_a_run_goes_on_without_a_lane_whose_pull_request_was_closed() {
    let draw = diamond(MergePolicy::Review, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let lane = || LaneId::new("a").unwrap();
    let close = ControlVerb::Review { lane: lane(), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed, "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[1].status, TaskStatus::Skipped);
    let why = core.state().tasks[1].reason.clone().unwrap();
    assert!(why.contains("lane `a` failed"), "{why}");
    let skip = ControlVerb::Skip { tasks: vec![TaskId::new("a1").unwrap()] };
    drive(&mut core, &mut world, vec![control("s", skip)], &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated, "{:?}", statuses(&core));
    assert!(core.state().lanes[1].contains.is_empty(), "without its work");
    for lane in ["b", "c", "d"] {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap() };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
    }
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
}

#[test]
fn ar22_a_lane_goes_on_without_a_task_that_failed_until_a_retry() {
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    assert_eq!(core.state().run.status, Some(RunStatus::Failed));
    let d1 = || vec![TaskId::new("d1").unwrap()];
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: d1() })], &mut log);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!((run, lanes[3]), (Some(RunStatus::Completed), LaneStatus::Merged));
    assert_eq!(tasks[3..], [TaskStatus::Failed, TaskStatus::Merged]);
    let again = control("again", ControlVerb::Skip { tasks: vec![TaskId::new("a1").unwrap()] });
    drive(&mut core, &mut world, vec![again], &mut log);
    assert_eq!(log.last().unwrap().event.kind(), "control.rejected", "what is merged is not undone by it");
}

#[test]
fn ar20_the_task_that_most_hangs_on_goes_first_unless_a_priority_says_otherwise() {
    let order = |priority: i32| {
        let plan = planned(&format!(
            r#"
name = "g"
agent = "a"
[agents.a]
command = ["a"]
[[workstreams]]
id = "x"
[[workstreams]]
id = "y"
[[tasks]]
id = "alone"
workstream = "x"
prompt = "p"
priority = {priority}
[[tasks]]
id = "one"
workstream = "y"
prompt = "p"
[[tasks]]
id = "two"
workstream = "y"
prompt = "p"
needs = ["one"]
[[tasks]]
id = "three"
workstream = "y"
prompt = "p"
needs = ["two"]
"#
        ));
        let mut plan = Arc::unwrap_or_clone(plan);
        plan.settings.max_parallel = 1;
        let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
        drive(&mut core, &mut world, begin(), &mut log);
        world.started.into_iter().map(|(task, _)| task).collect::<Vec<_>>()
    };
    assert_eq!(order(0)[..2], ["one", "two"], "the critical path first");
    assert_eq!(order(1)[0], "alone");
}
