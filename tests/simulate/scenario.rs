//! A scenario: a graph in short, what goes wrong, what people do and when the orchestrator dies. Written to a file it is a
//! test; everything in it can be left out by the shrinker.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use laneway::graph::{self, Millis, ProjectDefaults};
use laneway::plan::{ForgeKind, GitHubPlace, Inputs, LaneBase, Plan, build};
use serde::{Deserialize, Serialize};

use crate::history;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Something that goes wrong, for the value in a thousand of the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// The surroundings fail in a way that passes.
    Transient,
    /// The same, and the forge says when to come back.
    Later,
    /// It was done, and the answer was lost on the way.
    Ambiguous,
    /// Something moved meanwhile.
    Moved,
    /// The user's things are in the way.
    Refused,
    /// It fails for good.
    Permanent,
    /// An agent claims nothing, or a command ends with a code.
    Silent,
    /// An agent says that it failed.
    SaidFailed,
    /// An agent asks a person.
    Blocked,
    /// A process never ends by itself.
    Hangs,
    /// A process changes nothing.
    Idle,
    /// A gate does not pass.
    Gate,
    /// Two changes do not merge.
    Conflict,
    /// A reviewer rejects, or says nothing.
    Review,
    /// An agent raises a design concern.
    Concern,
    /// A report or a request comes twice, or late.
    Repeated,
    /// The clock is set while nobody carries the run.
    Clock,
}

impl Fault {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Transient,
        Self::Later,
        Self::Ambiguous,
        Self::Moved,
        Self::Refused,
        Self::Permanent,
        Self::Silent,
        Self::SaidFailed,
        Self::Blocked,
        Self::Hangs,
        Self::Idle,
        Self::Gate,
        Self::Conflict,
        Self::Review,
        Self::Concern,
        Self::Repeated,
        Self::Clock,
    ];
}

/// A workstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaneSketch {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) parent: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) auto: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) parallel: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) teardown: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) task_prs: bool,
}

/// A task.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file that can be left out by itself")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskSketch {
    pub(crate) id: String,
    pub(crate) lane: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) needs: Vec<String>,
    /// A command instead of an agent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) command: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) gate: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) when: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) review: bool,
    /// The most processes of one attempt.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) repeat: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) writes: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) diff: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) priority: i32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) retry: bool,
    /// Its agent says by its exit that it is done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) quiet: bool,
}

/// What a person does, after so many steps of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deed {
    pub(crate) after: u64,
    #[serde(rename = "do")]
    pub(crate) act: Act,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) task: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) lane: Option<String>,
}

/// The sort of a deed. What names neither task nor lane is about the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    Cancel,
    Pause,
    Resume,
    Interrupt,
    Retry,
    Skip,
    Answer,
    Merge,
    Approve,
    RequestChanges,
    Comment,
    Close,
    /// Writes the lane's status file `failed`.
    SayFailed,
    /// Writes the lane's status file `merged`.
    SayMerged,
    /// On GitHub, past Laneway.
    MergeOutside,
    CloseOutside,
    ReopenOutside,
    /// Somebody commits to the target.
    MoveTarget,
    /// Somebody commits to a lane's branch.
    MoveLane,
    /// On GitHub, somebody pushes to the branch of a pull request.
    PushToPull,
    /// Somebody pushes work of their own to a lane's branch on origin.
    PushToLane,
    /// Undoes a task with what hangs on it.
    ResetTask,
    /// Undoes a lane.
    ResetLane,
    /// Undoes what landed after a task.
    ResetTo,
    /// Merges the pull request that takes a lane back.
    MergeRevert,
    /// Closes it.
    CloseRevert,
    /// The orchestrator ends and a verb runs without starting attempts.
    AttachWithoutAttempts,
}

/// The orchestrator dies in the step after so many others, with some of its events written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crash {
    pub(crate) after: u64,
    /// How many events of that step the journal has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) written: usize,
    /// The machine goes down with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) reboot: bool,
}

/// Everything that a simulated run depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it shows, in a corpus.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) about: String,
    pub(crate) seed: u64,
    pub(crate) places: u32,
    /// Lanes whose worktree may be there before they begin.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) warm: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) handoff_merged: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) github: bool,
    /// With GitHub: pull requests are about branches on origin, so that nested lanes are merged there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) origin: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) faults: BTreeMap<Fault, u32>,
    pub(crate) lanes: Vec<LaneSketch>,
    pub(crate) tasks: Vec<TaskSketch>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) people: Vec<Deed>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) crashes: Vec<Crash>,
}

impl Scenario {
    /// The graph file that a person would have written.
    pub(crate) fn graph_text(&self) -> String {
        let mut text = String::with_capacity(200 * (self.lanes.len() + self.tasks.len()));
        let handoff = if self.handoff_merged { "merged" } else { "ready" };
        text.push_str("schema = 1\nname = \"sim\"\nagent = \"loud\"\nmax_depth = 16\n");
        let _ = writeln!(text, "handoff = \"{handoff}\"");
        text.push_str(
            "[agents.loud]\ncommand = [\"a\"]\n[agents.quiet]\ncommand = [\"a\"]\nclaim = \"exit\"\n",
        );
        for lane in &self.lanes {
            lane.write(&mut text);
        }
        for task in &self.tasks {
            task.write(&mut text);
        }
        text
    }

    /// Takes away the lanes that have neither tasks nor lanes nested in them, which a graph may not have.
    pub(crate) fn drop_empty_lanes(&mut self) {
        loop {
            let holds = |lane: &LaneSketch| {
                let nested = self.lanes.iter().any(|l| l.parent.as_ref() == Some(&lane.id));
                nested || self.tasks.iter().any(|t| t.lane == lane.id)
            };
            let kept: Vec<LaneSketch> = self.lanes.iter().filter(|lane| holds(lane)).cloned().collect();
            if kept.len() == self.lanes.len() {
                return;
            }
            self.people.retain(|deed| deed.lane.as_ref().is_none_or(|id| kept.iter().any(|l| l.id == *id)));
            self.lanes = kept;
        }
    }

    /// The plan, made by the way that graph files go.
    pub(crate) fn plan(&self) -> Result<Arc<Plan>, String> {
        let source = graph::Source { path: "sim.toml".into(), text: self.graph_text() };
        let graph = graph::parse(&source, &ProjectDefaults::default()).map_err(|e| format!("{e:?}"))?;
        let base = LaneBase { base: "main".into(), base_sha: history::root(), target: "main".into() };
        let inputs = Inputs {
            timeout: Millis(60_000),
            max_parallel: self.places,
            forge: if self.github { ForgeKind::GitHub } else { ForgeKind::Local },
            github: (self.github && self.origin).then(|| GitHubPlace {
                api: "https://api.github.com".to_owned(),
                repository: "acme/toy".to_owned(),
            }),
            warm: self.warm,
            ..Inputs::plain(&graph, &base)
        };
        build(&graph, &inputs).map(Arc::new).map_err(|e| e.to_string())
    }
}

impl LaneSketch {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "[[workstreams]]\nid = \"{}\"", self.id);
        if let Some(parent) = &self.parent {
            let _ = writeln!(text, "parent = \"{parent}\"");
        }
        if self.auto {
            text.push_str("merge = \"auto\"\n");
        }
        if let Some(parallel) = self.parallel {
            let _ = writeln!(text, "parallel = {parallel}");
        }
        if let Some(teardown) = &self.teardown {
            let _ = writeln!(text, "teardown = \"{teardown}\"");
        }
        if self.task_prs {
            text.push_str("task_prs = true\n");
        }
    }
}

impl TaskSketch {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "[[tasks]]\nid = \"{}\"\nworkstream = \"{}\"", self.id, self.lane);
        text.push_str(if self.command { "run = \"c\"\n" } else { "prompt = \"p\"\n" });
        if !self.needs.is_empty() {
            let _ = writeln!(text, "needs = {:?}", self.needs);
        }
        if let Some(attempts) = self.attempts {
            let _ = writeln!(text, "attempts = {attempts}");
        }
        if self.gate {
            text.push_str("gate = \"g\"\n");
        }
        if let Some(when) = &self.when {
            let _ = writeln!(text, "when = \"{when}\"");
        }
        if self.review {
            text.push_str("review = \"loud\"\n");
        }
        let agent = if self.quiet { "quiet" } else { "loud" };
        match self.repeat {
            Some(most) if !self.command => {
                let _ =
                    writeln!(text, "agent = {{ use = \"{agent}\", loop = {{ max_iterations = {most} }} }}");
            }
            None if self.quiet && !self.command => text.push_str("agent = \"quiet\"\n"),
            _ => {}
        }
        if !self.writes.is_empty() {
            let _ = writeln!(text, "writes = {:?}", self.writes);
        }
        if let Some(diff) = &self.diff {
            let _ = writeln!(text, "diff = \"{diff}\"");
        }
        if self.priority != 0 {
            let _ = writeln!(text, "priority = {}", self.priority);
        }
        if self.retry {
            text.push_str("retry = { backoff = \"2s\", max = 2 }\n");
        }
    }
}
