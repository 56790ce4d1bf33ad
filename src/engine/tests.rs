//! The core against a small scripted world: every effect is answered in memory, on a virtual clock.

mod conditions;
mod review;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Core, Input, Report};
use crate::event::*;
use crate::graph::{self, ProjectDefaults, parse};
use crate::graph::{
    AgentDef, Command, CommitPolicy, Contract, DiffPolicy, Gate, Handoff, MergePolicy, Millis, PromptBy,
    Teardown,
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
                base: "main".into(),
                base_sha: sha(1),
                target: "main".into(),
                merge: *merge,
                parallel: 1,
                gates: vec![],
                teardown: Teardown::OnSuccess,
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
                agent: AgentName::new("a").unwrap(),
                def: AgentDef {
                    command: vec!["a".into()],
                    prompt: PromptBy::File,
                    probe: None,
                    env: BTreeMap::new(),
                    model: None,
                },
                model: None,
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
}

impl World {
    fn answer(&mut self, core: &Core, effect: &Effect) -> Report {
        let id = effect.id();
        if let Some((_, class)) = self.refuses.filter(|(which, _)| which(effect)) {
            let failure = Failure { class, message: "refused".into(), hint: None };
            return Report { id, facts: vec![], end: Some(Err(failure)) };
        }
        let done = |facts| Report { id: id.clone(), facts, end: Some(Ok(())) };
        let lane = |l: &LaneId| Subject::lane(l);
        match effect {
            Effect::Provision { lane: l } => done(vec![Draft::world(
                lane(l),
                LaneProvisioned { worktree: format!("/w/{l}"), tip: sha(1), pushed: false, remark: None },
            )]),
            Effect::Sync { lane: l, n, from, .. } => {
                let upstream = from.iter().flat_map(|s| match s {
                    SyncSource::Lane { lane, tip } => vec![(lane.clone(), tip.clone())],
                    SyncSource::Target { landed } => landed.clone(),
                });
                done(vec![Draft::world(
                    lane(l),
                    LaneSynced { upstream: upstream.collect(), tip: sha(5000 + u64::from(*n)) },
                )])
            }
            Effect::Attempt { task, attempt, .. } => {
                self.started.push((task.to_string(), *attempt));
                let at = Self::at(core, task, *attempt);
                let process = ProcessId { pid: 7, start_time: 1, boot_id: "b".into(), tag: "t".into() };
                let mut facts = vec![Draft::world(
                    at.clone(),
                    ProcessStarted { role: ProcessRole::Agent, process, command: "a".into(), mono: 0 },
                )];
                let claim = match self.outcome(task, *attempt) {
                    Outcome::Silent => None,
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
                done(vec![Draft::world(at, WorkCollected { commit })])
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
                    let event = ConflictPredicted { with: "lane".into(), paths, detail: String::new() };
                    facts.push(Draft::world(at.clone(), event));
                }
                let end = if let Some(class) = class {
                    Err(Failure { class, message: "no".into(), hint: None })
                } else {
                    let to = sha(10_000 + core.state().seq);
                    let event =
                        MergeRecorded { branch: "b".into(), from: tip.clone(), to: to.clone(), tree: to };
                    facts.push(Draft::world(at, event));
                    Ok(())
                };
                Report { id: id.clone(), facts, end: Some(end) }
            }
            Effect::OpenPr { lane: l, tip } => {
                let number = 1 + core.state().index().lane(l).unwrap() as u64;
                let pr = PrRef { number, url: format!("local:{l}") };
                done(vec![Draft::world(lane(l), PrOpened { pr, tip: tip.clone() })])
            }
            Effect::MergePr { lane: l, by, .. } => {
                done(vec![Draft::world(lane(l), PrMerged { commit: sha(77), by: by.clone() })])
            }
            Effect::Teardown { lane: l, .. } => {
                done(vec![Draft::world(lane(l), LaneRemoved { remarks: vec![] })])
            }
            Effect::CheckMerged { lane: l, .. } => {
                done(vec![Draft::world(lane(l), PrMerged { commit: sha(77), by: "outside".into() })])
            }
            Effect::Stop { .. } | Effect::Prove { .. } | Effect::Review { .. } => done(vec![]),
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
    let inputs = Inputs {
        run: RunNo(1),
        uuid: "u".into(),
        path: source.path,
        author: Identity { name: "A".into(), email: "a@x".into() },
        repo: "/r".into(),
        record: "/r".into(),
        board: "/r".into(),
        worktrees: "/w".into(),
        remote: None,
        bases: graph.workstreams.iter().map(|w| (w.id.clone(), base.clone())).collect(),
        agents: BTreeMap::new(),
        attempts: 2,
        timeout: Millis(60_000),
        gate: None,
        max_parallel: 4,
        handoff: Handoff::Ready,
        grace: Millis(10_000),
        forge: ForgeKind::Local,
    };
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
