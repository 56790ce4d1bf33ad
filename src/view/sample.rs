//! Runs to look at: a plan from the text of a graph, and a state from events folded over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{
    Actor, AttemptStatus, CheckRecorded, CheckStatus, Control, ControlReceived, ControlVerb, Draft, Effect,
    EffectConfirmed, EffectFailed, EffectIntended, Envelope, Event, Failure, LaneProvisioned, LaneStatus,
    MergeRecorded, PrOpened, PrRef, RunStatus, SCHEMA, Status, Subject, TaskStatus, Timestamp, WorkflowStart,
    WorkflowTransition,
};
use crate::graph::{ProjectDefaults, Source, parse};
use crate::id::{LaneId, Sha, TaskId};
use crate::plan::{Index, Inputs, LaneBase, Plan, RemotePlan, build};
use crate::state::State;

/// 2026-03-14 05:41:07 UTC.
const BEGIN: i64 = 1_773_466_867_000;

/// Two lanes, the second on top of the first.
pub(crate) const SHOP: &str = r#"
schema = 1
name = "shop"
description = "Rework the checkout"
agent = "claude"

[defaults]
gate = "make test"

[agents.claude]
command = ["claude", "-p", "{prompt_file}"]

[[workstreams]]
id = "api"
description = "Server side"
merge = "auto"

[[workstreams]]
id = "web"
gate = "make ci"

[[tasks]]
id = "types"
workstream = "api"
description = "API types"
prompt = "Write the types."

[[tasks]]
id = "routes"
workstream = "api"
prompt = "Write the routes."
needs = ["types"]

[[tasks]]
id = "page"
workstream = "web"
run = "npm run build"
needs = ["routes"]
"#;

/// A commit that is told from others by how it begins.
pub(crate) fn sha(n: u64) -> Sha {
    Sha::new(&format!("{n:0<40x}")).expect("forty hex digits")
}

pub(crate) fn lane(id: &str) -> LaneId {
    LaneId::new(id).expect("a good id")
}

pub(crate) fn task(id: &str) -> TaskId {
    TaskId::new(id).expect("a good id")
}

/// The plan of a graph's first run, every lane from `main` to `main`.
pub(crate) fn plan(text: &str) -> Plan {
    let source = Source { path: "graphs/sample.toml".into(), text: text.into() };
    let graph = parse(&source, &ProjectDefaults::default()).expect("a good graph");
    let base = LaneBase { base: "main".into(), base_sha: sha(1), target: "main".into() };
    let inputs = Inputs {
        remote: Some(RemotePlan { name: "origin".into(), push: true, push_target: false }),
        ..Inputs::plain(&graph, &base)
    };
    build(&graph, &inputs).expect("a plan")
}

/// A run that is told event by event, a second each.
pub(crate) struct Story {
    pub(crate) plan: Arc<Plan>,
    pub(crate) state: State,
    pub(crate) journal: Vec<Envelope>,
    pub(crate) now: Timestamp,
}

impl Story {
    /// A run of the graph `text` before its first event.
    pub(crate) fn untold(text: &str) -> Self {
        let plan = Arc::new(plan(text));
        let index = Arc::new(Index::new(&plan));
        Self { state: State::new(Arc::clone(&plan), index), plan, journal: Vec::new(), now: Timestamp(BEGIN) }
    }

    /// A run of the graph `text` that has begun.
    pub(crate) fn begun(text: &str) -> Self {
        let mut story = Self::untold(text);
        let graph = story.plan.graph.clone();
        story.tell(
            Subject::default(),
            WorkflowStart { graph, plan_digest: "d".repeat(64), version: "0.1.0".into() },
        );
        story.control(ControlVerb::Attach { pid: 7, boot_id: "b".into(), attempts: true });
        story
    }

    pub(crate) fn tell(&mut self, subject: Subject, event: impl Into<Event>) -> &mut Self {
        self.draft(Draft::engine(subject, event))
    }

    pub(crate) fn draft(&mut self, draft: Draft) -> &mut Self {
        let envelope = Envelope {
            seq: self.state.seq + 1,
            at: self.now,
            graph: self.plan.graph.clone(),
            run: self.plan.run,
            schema: SCHEMA,
            subject: draft.subject,
            actor: draft.actor,
            cause: None,
            source: draft.source,
            event: draft.event,
        };
        self.state.apply(&envelope).expect("the event fits");
        self.journal.push(envelope);
        self.now = self.now.plus(1000);
        self
    }

    pub(crate) fn control(&mut self, verb: ControlVerb) -> &mut Self {
        let control = Control { id: format!("request-{}", self.state.seq), by: "ann".into(), verb };
        self.draft(Draft {
            subject: Subject::default(),
            actor: Actor::Person("ann".into()),
            source: None,
            event: ControlReceived { control }.into(),
        })
    }

    fn turn(&mut self, subject: Subject, from: Option<Status>, to: Status, why: Option<&str>) -> &mut Self {
        let event = WorkflowTransition {
            of: to.entity(),
            from: from.map(|s| s.word().to_owned()),
            to: to.word().to_owned(),
            reason: why.map(ToOwned::to_owned),
        };
        self.tell(subject, event)
    }

    pub(crate) fn run_to(&mut self, to: RunStatus, why: Option<&str>) -> &mut Self {
        let from = self.state.run.status.map(Status::Run);
        self.turn(Subject::default(), from, Status::Run(to), why)
    }

    pub(crate) fn lane_to(&mut self, id: &str, to: LaneStatus, why: Option<&str>) -> &mut Self {
        let ix = self.state.index().lane(&lane(id)).expect("the lane is planned");
        let from = Some(Status::Lane(self.state.lanes[ix].status));
        self.turn(Subject::lane(&lane(id)), from, Status::Lane(to), why)
    }

    pub(crate) fn task_to(&mut self, id: &str, to: TaskStatus, why: Option<&str>) -> &mut Self {
        let ix = self.ix(id);
        let from = Some(Status::Task(self.state.tasks[ix].status));
        let subject = Subject::task(&self.plan.tasks[ix].lane, &task(id));
        self.turn(subject, from, Status::Task(to), why)
    }

    pub(crate) fn attempt_to(&mut self, id: &str, to: AttemptStatus, why: Option<&str>) -> &mut Self {
        let from = (to != AttemptStatus::Queued)
            .then(|| self.state.tasks[self.ix(id)].attempt().map(|a| Status::Attempt(a.status)))
            .flatten();
        let mut subject = self.subject(id);
        if to == AttemptStatus::Queued {
            subject.attempt = Some(subject.attempt.unwrap_or(0) + 1);
        }
        self.turn(subject, from, Status::Attempt(to), why)
    }

    /// What an event about the newest attempt of a task is about.
    pub(crate) fn subject(&self, id: &str) -> Subject {
        let ix = self.ix(id);
        Subject {
            attempt: self.state.tasks[ix].attempt().map(|a| a.number),
            ..Subject::task(&self.plan.tasks[ix].lane, &task(id))
        }
    }

    fn ix(&self, id: &str) -> usize {
        self.state.index().task(&task(id)).expect("the task is planned")
    }

    /// Tells of the newest attempt of a task.
    pub(crate) fn of(&mut self, id: &str, event: impl Into<Event>) -> &mut Self {
        self.tell(self.subject(id), event)
    }

    pub(crate) fn intend(&mut self, subject: Subject, effect: Effect) -> &mut Self {
        let id = effect.id();
        self.tell(subject, EffectIntended { id, effect })
    }

    pub(crate) fn confirm(&mut self, subject: Subject, effect: &Effect) -> &mut Self {
        self.tell(subject, EffectConfirmed { id: effect.id() })
    }

    pub(crate) fn fail(&mut self, subject: Subject, effect: &Effect, failure: Failure) -> &mut Self {
        let id = effect.id();
        self.tell(subject, EffectFailed { id, failure })
    }

    pub(crate) fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.plus(seconds * 1000);
        self
    }

    pub(crate) fn check(
        &mut self,
        subject: Subject,
        name: &str,
        status: CheckStatus,
        detail: &str,
    ) -> &mut Self {
        let event = CheckRecorded { name: name.into(), status, detail: detail.into(), duration_ms: 4_200 };
        self.tell(subject, event)
    }

    /// Makes a lane ready to work in.
    pub(crate) fn provision(&mut self, id: &str) -> &mut Self {
        let effect = Effect::Provision { lane: lane(id) };
        let subject = Subject::lane(&lane(id));
        let provisioned = LaneProvisioned {
            worktree: format!("/repo/.worktrees/shop/{id}"),
            tip: sha(1),
            pushed: true,
            ports: BTreeMap::new(),
            remark: None,
        };
        self.intend(subject.clone(), effect.clone())
            .tell(subject.clone(), provisioned)
            .confirm(subject, &effect)
            .lane_to(id, LaneStatus::Active, None)
    }

    /// Starts the first attempt of a task, or the next.
    pub(crate) fn start(&mut self, id: &str) -> Effect {
        if self.state.tasks[self.ix(id)].status == TaskStatus::Pending {
            self.task_to(id, TaskStatus::Running, None);
        }
        self.attempt_to(id, AttemptStatus::Queued, None).attempt_to(id, AttemptStatus::Started, None);
        let subject = self.subject(id);
        let effect = Effect::Attempt {
            task: task(id),
            attempt: subject.attempt.expect("it was queued"),
            iteration: 1,
            start: sha(1),
            place: crate::event::Place::Lane,
        };
        self.intend(subject, effect.clone());
        effect
    }

    /// Takes a task from its start to its lane.
    pub(crate) fn land(&mut self, id: &str, tip: u64) -> &mut Self {
        let effect = self.start(id);
        let subject = self.subject(id);
        self.pass(120)
            .confirm(subject.clone(), &effect)
            .check(subject.clone(), "claim", CheckStatus::Pass, "")
            .check(subject.clone(), "gate", CheckStatus::Pass, "");
        let branch = self.plan.lanes[self.state.index().lane_of[self.ix(id)]].branch.clone();
        let merged = MergeRecorded { branch, from: sha(tip - 1), to: sha(tip), tree: sha(tip + 1000) };
        self.tell(subject, merged).attempt_to(id, AttemptStatus::Succeeded, None).task_to(
            id,
            TaskStatus::Merged,
            None,
        )
    }

    /// Opens the pull request of a lane whose tasks are in.
    pub(crate) fn open(&mut self, id: &str, number: u64) -> &mut Self {
        let pr = PrRef { number, url: format!("https://forge.example/shop/pull/{number}") };
        let ix = self.state.index().lane(&lane(id)).expect("the lane is planned");
        let tip = self.state.lanes[ix].tip.clone().expect("the lane has a tip");
        let base = self.plan.lanes[ix].target.clone();
        self.lane_to(id, LaneStatus::MergeReady, None)
            .tell(Subject::lane(&lane(id)), PrOpened { pr, tip, base, draft: false })
            .lane_to(id, LaneStatus::PrCreated, None)
    }
}

/// The sample run with the first lane's pull request open and the second lane at work.
pub(crate) fn half_way() -> Story {
    let mut story = Story::begun(SHOP);
    story.provision("api").land("types", 10).land("routes", 11).open("api", 1);
    story
}
