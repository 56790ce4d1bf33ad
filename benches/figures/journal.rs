//! The journal alone: appending and reading back.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use laneway::engine::{Core, Input, Report};
use laneway::event::{
    Control, ControlVerb, Draft, Effect, Envelope, ExitStatus, LaneProvisioned, Now, ProcessExited,
    ProcessId, ProcessRole, ProcessStarted, Subject, Timestamp,
};
use laneway::graph::{ProjectDefaults, Source, parse};
use laneway::id::{LaneId, Sha};
use laneway::journal::{GroupWriter, Journal, Mode};
use laneway::plan::{Inputs, LaneBase, Plan, build};

use crate::Setting;
use crate::samples::Samples;
use crate::table::{Amount, Goal, Row};

const EACH: usize = 2000;
const PRODUCERS: usize = 32;
const SHARED: usize = 1000;
const EVENTS: u64 = 1_000_000;

pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let mut rows = vec![append(setting)];
    rows.extend(replay(setting));
    rows
}

fn new_dir(setting: &Setting<'_>, name: &str) -> PathBuf {
    let mut dirs = (0..).map(|n| setting.dir.join(format!("journal-{name}-{n}")));
    let dir = dirs.find(|dir| !dir.exists()).expect("some number is free");
    std::fs::create_dir(&dir).expect("a new directory");
    dir
}

fn body(n: usize) -> String {
    format!(
        "{{\"seq\":{n},\"at\":\"2026-01-01T00:00:00.000Z\",\"run\":1,\"kind\":\"workflow.transition\",\"lane\":\"core\",\
         \"task\":\"build\",\"payload\":{{\"of\":\"attempt\",\"from\":\"queued\",\"to\":\"started\"}}}}"
    )
}

/// One sync an event, against 32 producers that share theirs.
fn append(setting: &Setting<'_>) -> Row {
    let mut alone = Vec::new();
    let shared = Samples::take(setting.runs, || {
        alone.push(one_each(&new_dir(setting, "each")));
        together(&new_dir(setting, "group"))
    });
    let alone = Samples::new(alone).median();
    Row {
        spread: Some(shared.spread(Amount::PerSecond)),
        beside: Some(("a sync each".to_owned(), Amount::PerSecond(alone))),
        ratio: Some(shared.median() / alone),
        ..Row::new(
            format!("durable events, {PRODUCERS} producers"),
            Amount::PerSecond(shared.median()),
            Goal::AtLeast(Amount::Times(8.0)),
        )
    }
}

/// Events a second.
fn one_each(dir: &Path) -> f64 {
    let mut journal = Journal::create(dir).expect("a new journal");
    let began = Instant::now();
    for n in 0..EACH {
        journal.append(&[body(n)]).expect("a good disk");
    }
    rate(EACH, began)
}

fn together(dir: &Path) -> f64 {
    let journal = Journal::create(dir).expect("a new journal");
    let writer = GroupWriter::spawn(journal).expect("a thread");
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PRODUCERS {
            scope.spawn(|| {
                for n in 0..SHARED {
                    writer.append(vec![body(n)]).expect("a good disk");
                }
            });
        }
    });
    rate(PRODUCERS * SHARED, began)
}

fn rate(events: usize, since: Instant) -> f64 {
    let events = u32::try_from(events).expect("not that many");
    f64::from(events) / since.elapsed().as_secs_f64()
}

/// A million events, decided by the engine for tasks that fail again and again: their chain alone, and all of them
/// folded as a start does it.
fn replay(setting: &Setting<'_>) -> Vec<Row> {
    let plan = Arc::new(plan());
    let dir = new_dir(setting, "replay");
    let began = Instant::now();
    let events = fill(&plan, &dir);
    let decided = rate(usize::try_from(events).expect("not that many"), began);
    let mut bytes = 0;
    let chain = Samples::take(setting.runs, || {
        let began = Instant::now();
        let (journal, _replay) = Journal::open(&dir, Mode::ReadOnly).expect("a good journal");
        bytes = journal.end().bytes;
        began.elapsed().as_secs_f64()
    });
    let fold = Samples::take(setting.runs, || {
        let began = Instant::now();
        let (_journal, replay) = Journal::open(&dir, Mode::ReadOnly).expect("a good journal");
        let mut core = Core::new(Arc::clone(&plan));
        for line in &replay.lines {
            let envelope = Envelope::from_json(line).expect("it was written by us");
            core.replay(&envelope).expect("it was decided by us");
        }
        began.elapsed().as_secs_f64()
    });
    let goal = Goal::AtMost(Amount::Seconds(0.3));
    vec![
        Row::new("events decided and appended in large batches", Amount::PerSecond(decided), Goal::None),
        Row {
            spread: Some(chain.spread(Amount::Seconds)),
            ..Row::new(
                format!("{events} events ({} MB) read and their chain checked", bytes / 1_000_000),
                Amount::Seconds(chain.median()),
                goal,
            )
        },
        Row {
            spread: Some(fold.spread(Amount::Seconds)),
            ..Row::new("the same, decoded and folded", Amount::Seconds(fold.median()), goal)
        },
    ]
}

const TASKS: usize = 1000;

fn plan() -> Plan {
    let mut text = "schema = 1\nname = \"g\"\n".to_owned();
    for n in 0..TASKS {
        _ = write!(text, "[[tasks]]\nid = \"t{n}\"\nrun = [\"false\"]\n");
        text += "retry = { on = [\"transient\"], backoff = \"1ms\", max = 1 }\n";
    }
    let source = Source { path: "g.toml".to_owned(), text };
    let graph = parse(&source, &ProjectDefaults::default());
    let graph = graph.unwrap_or_else(|e| panic!("{}", e.render(&source, false)));
    let base = LaneBase { base: "main".to_owned(), base_sha: sha(), target: "main".to_owned() };
    let mut plan =
        build(&graph, &Inputs { max_parallel: 1, ..Inputs::plain(&graph, &base) }).expect("a sound graph");
    // More than a graph may ask for, so that a plan of common size fills the journal.
    for task in &mut plan.tasks {
        task.attempts = 1000;
    }
    plan
}

fn sha() -> Sha {
    Sha::new(&"1".repeat(40)).expect("a digest")
}

/// Plays a world in which every attempt fails, until there are enough events.
fn fill(plan: &Arc<Plan>, dir: &Path) -> u64 {
    let mut journal = Journal::create(dir).expect("a new journal");
    let mut core = Core::new(Arc::clone(plan));
    let mut now = Now { wall: Timestamp(1_700_000_000_000), mono: 0 };
    let mut inputs = vec![start(), attach()];
    let mut bodies = Vec::new();
    while core.state().seq < EVENTS {
        // Longer than any pause between attempts.
        now.wall = now.wall.plus(120_000);
        now.mono += 120_000;
        let envelopes = core.step(now, std::mem::take(&mut inputs)).expect("sound rules");
        assert!(!envelopes.is_empty() || !core.outstanding().is_empty(), "the run goes on");
        bodies.extend(envelopes.iter().map(|e| e.to_json().expect("an event")));
        if bodies.len() > 10_000 {
            journal.append(&bodies).expect("a good disk");
            bodies.clear();
        }
        inputs.extend(core.outstanding().values().map(|effect| answer(plan, effect)));
    }
    journal.append(&bodies).expect("a good disk");
    core.state().seq
}

fn start() -> Input {
    Input::Start { plan_digest: "d".to_owned(), version: "0".to_owned() }
}

fn attach() -> Input {
    let verb = ControlVerb::Attach { pid: 1, boot_id: "b".to_owned(), attempts: true };
    Input::Control(Control { id: "attach".to_owned(), by: "bench".to_owned(), verb })
}

fn answer(plan: &Plan, effect: &Effect) -> Input {
    let lane: &LaneId = &plan.lanes[0].id;
    let facts = match effect {
        Effect::Provision { .. } => vec![Draft::world(
            Subject::lane(lane),
            LaneProvisioned {
                worktree: "/w/default".to_owned(),
                tip: sha(),
                pushed: false,
                ports: std::collections::BTreeMap::new(),
                remark: None,
            },
        )],
        Effect::Attempt { task, attempt, .. } => {
            let subject = Subject::attempt(lane, task, *attempt);
            let process = ProcessId {
                pid: 7,
                start_time: 1,
                boot_id: "164a7dad-6338-435b-8e0c-000000000000".to_owned(),
                tag: "g/1/t/1/1".to_owned(),
            };
            let started =
                ProcessStarted { role: ProcessRole::Command, process, command: "false".to_owned(), mono: 0 };
            let exited = ProcessExited {
                role: ProcessRole::Command,
                exit: ExitStatus::Code(1),
                duration_ms: 1,
                leftovers: Vec::new(),
                escaped: Vec::new(),
            };
            vec![Draft::world(subject.clone(), started), Draft::world(subject, exited)]
        }
        _ => Vec::new(),
    };
    Input::Report(Report { id: effect.id(), facts, end: Some(Ok(())) })
}
