//! The graph file as a person writes it: every table, every key, what it takes and what it means.
//!
//! This is the one list of keys. Each table below becomes a struct, its reader, its part of the JSON Schema and the
//! names that hints choose from. A key of the format that cannot be carried out yet is in `later`.

use schemars::{Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::DeValue;

use super::agent::{ClaimBy, SessionPolicy};
use super::contract::AdrLevel;
use super::furnish::Lfs;
use super::model::{CommitPolicy, DiffPolicy, Handoff, MergePolicy, Millis, PromptBy, RetryOn, Teardown};
use super::read::{At, Field, Free, Read, Reader, Whole, field, table};
use super::values::{Argv, Branch, CommandText, EnvName, Folder, Named, Plain, PortName, Scope, WhenText};
use crate::id::{AgentName, Category, GraphName, LaneId, RoleName, TaskId};

/// Whether a table can do without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Optional,
    Required,
    /// For later, but checked already.
    Refused,
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) presence: Presence,
    pub(super) doc: &'static str,
    /// An assignment that can be pasted.
    pub(super) example: &'static str,
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// The keys of one table.
#[derive(Debug)]
pub(super) struct Keys {
    /// What the table is called in messages.
    pub(super) table: &'static str,
    pub(super) doc: &'static str,
    pub(super) known: &'static [Key],
    /// Keys of the format that cannot be carried out yet.
    pub(super) later: &'static [&'static str],
}

impl Keys {
    /// The names of the keys that are accepted.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().filter(|key| key.presence != Presence::Refused).map(|key| key.name)
    }
}

macro_rules! presence {
    () => {
        Presence::Optional
    };
    ($mark:ident) => {
        Presence::$mark
    };
}

macro_rules! tables {
    ($(
        #[doc = $about:literal]
        $name:ident = $table:literal {
            $(#[doc = $doc:literal] $key:literal $field:ident: $ty:ty $([$mark:ident])? = $example:literal;)*
        } later [$($later:literal),*]
    )*) => {
        /// Every table of a graph file.
        pub(super) static TABLES: &[&Keys] = &[$(&$name::KEYS),*];

        $(
            #[doc = $about]
            #[derive(Debug, Clone, Default)]
            pub(super) struct $name {
                $(#[doc = $doc] pub(super) $field: Field<$ty>,)*
            }

            impl $name {
                /// Its keys.
                pub(super) const KEYS: Keys = Keys {
                    table: $table,
                    doc: $about,
                    known: &[$(Key {
                        name: $key,
                        presence: presence!($($mark)?),
                        doc: $doc,
                        example: $example,
                        schema: |generator| generator.subschema_for::<$ty>(),
                    }),*],
                    later: &[$($later),*],
                };
            }

            impl Read for $name {
                const TAKES: &'static str = "a table";

                fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
                    let mut out = Self::default();
                    for (key, value) in table(value, key, reader)? {
                        match key.get_ref().as_ref() {
                            $($key => {
                                if presence!($($mark)?) == Presence::Refused {
                                    reader.not_supported(key.span(), concat!("`", $key, "` in ", $table));
                                }
                                out.$field = field(value, $key, $example, reader);
                            })*
                            _ => reader.stray_key(key, &Self::KEYS),
                        }
                    }
                    $(
                        if presence!($($mark)?) == Presence::Required && out.$field.is_absent() {
                            reader.missing(value.span(), $key, &Self::KEYS);
                        }
                    )*
                    Some(out)
                }
            }
        )*
    };
}

tables! {
    /// A task graph, version 1.
    GraphFile = "the graph" {
        /// The version of the format; 1.
        "schema" schema: SchemaVersion = "schema = 1";
        /// The id of the graph; also its folder and the prefix of its branches.
        "name" name: GraphName [Required] = "name = \"my-graph\"";
        /// What the graph is for.
        "description" description: String = "description = \"Rework the checkout\"";
        /// The branch that lanes are cut from. Default: the remote's default branch, else the current branch.
        "base" base: Branch = "base = \"main\"";
        /// The branch that integration pull requests go to. Default: the base.
        "target" target: Branch = "target = \"main\"";
        /// The agent of tasks that name none.
        "agent" agent: AgentName = "agent = \"claude\"";
        /// How many attempts run at once. Default: 4.
        "max_parallel" max_parallel: Whole<1, 1024> = "max_parallel = 4";
        /// When a lane's work may flow into a dependent lane: when that is ready (`ready`, the default), or when it is merged (`merged`).
        "handoff" handoff: Handoff = "handoff = \"ready\"";
        /// How deep workstreams may be nested. Default: 3.
        "max_depth" max_depth: Whole<1, 16> = "max_depth = 3";
        /// What holds for every task that does not say otherwise.
        "defaults" defaults: DefaultsFile = "[defaults]";
        /// Agents by name, in addition to those that the project knows, or instead of them.
        "agents" agents: Named<AgentName, AgentFile> = "[agents.mine]";
        /// The workstreams. Default: one, named `default`.
        "workstreams" workstreams: Vec<At<WorkstreamFile>> = "[[workstreams]]";
        /// The tasks; at least one.
        "tasks" tasks: Vec<At<TaskFile>> [Required] = "[[tasks]]";
    } later ["policy", "repos", "profiles", "secrets", "commands", "preflight", "profile"]

    /// What holds for every task that does not say otherwise.
    DefaultsFile = "`[defaults]`" {
        /// How often the work may fail before the task has failed. Default: 2.
        "attempts" attempts: Whole<1, 20> = "attempts = 2";
        /// How long one attempt may take. Default: 1h.
        "timeout" timeout: Millis = "timeout = \"45m\"";
        /// How long an attempt may show no sign of life (CPU time, output, changed files, signals) before it is ended. Looked at once a minute, and reported before. Default: it is reported only.
        "stall" stall: Millis = "stall = \"20m\"";
        /// The command that must pass before a task's work is merged.
        "gate" gate: Short<GateFile> = "gate = \"make test\"";
    } later []

    /// How an agent program is started.
    AgentFile = "`[agents.NAME]`" {
        /// The agent that it is like: what is not said here is as there. Default: the known agent of the same name.
        "like" like: AgentName = "like = \"claude\"";
        /// The program and its arguments. Filled in: `{prompt_file}` `{prompt}` `{model}` `{session}` `{signals}` `{lane}`.
        "command" command: Argv = "command = [\"./agent.sh\", \"{prompt_file}\"]";
        /// The program and its arguments where `{session}` is continued. Default: `command`.
        "resume" resume: Argv = "resume = [\"./agent.sh\", \"--resume\", \"{session}\", \"{prompt_file}\"]";
        /// How it says that it is done: by a signal file (`signal`, the default), or by exit code 0 too (`exit`).
        "claim" claim: ClaimBy = "claim = \"signal\"";
        /// How the program is installed, for people who lack it.
        "install" install: String = "install = \"npm install -g my-agent\"";
        /// How the prompt reaches it: in a file (`file`, the default), on standard input (`stdin`), or as an argument (`arg`).
        "prompt" prompt: PromptBy = "prompt = \"file\"";
        /// A command that shows that the program is there.
        "probe" probe: Argv = "probe = [\"./agent.sh\", \"--version\"]";
        /// Environment variables of its process.
        "env" env: Named<EnvName, Free> = "env = { RUST_LOG = \"info\" }";
        /// The model, where a task names none.
        "model" model: String = "model = \"large\"";
    } later []

    /// A workstream: a worktree and an integration branch for its tasks.
    WorkstreamFile = "`[[workstreams]]`" {
        /// The id, unique among the workstreams.
        "id" id: LaneId [Required] = "id = \"api\"";
        /// What the workstream is for.
        "description" description: String = "description = \"Server side\"";
        /// The branch that it is cut from. Default: that of the graph.
        "base" base: Branch = "base = \"main\"";
        /// The branch that its pull request goes to. Default: that of the graph.
        "target" target: Branch = "target = \"main\"";
        /// Who merges its pull request: a person (`review`, the default) or Laneway (`auto`).
        "merge" merge: MergePolicy = "merge = \"review\"";
        /// How many of its tasks run at once. Default: 1.
        "parallel" parallel: Whole<1, 64> = "parallel = 1";
        /// The command that must pass on the merge of target and lane. Default: the distinct gates of its tasks.
        "gate" gate: Short<GateFile> = "gate = \"make ci\"";
        /// When the worktree of an ended lane is removed: where it was merged (`on_success`, the default), `always` or `never`.
        "teardown" teardown: Teardown = "teardown = \"on_success\"";
        /// The workstream that this one is nested in: it is cut from that one's integration branch and merged into it.
        "parent" parent: LaneId = "parent = \"core\"";
        /// Whether each task opens a pull request of its own into the integration branch. Default: false.
        "task_prs" task_prs: bool = "task_prs = true";
        /// Ignored files of the main worktree that its lane gets a copy of, as globs from the root of the repository; a folder with all that is in it. Those that `.worktreeinclude` names are copied without being listed here.
        "copy" copy: Vec<At<Scope>> = "copy = [\".env\", \"node_modules\"]";
        /// Commands that run in its lane before the first attempt, in this order.
        "setup" setup: Vec<At<Short<SetupFile>>> = "setup = [\"npm ci\"]";
        /// Environment variables that hold one free port each, the lane's own, for its agents, gates and setup commands.
        "ports" ports: Vec<At<PortName>> = "ports = [\"HTTP_PORT\"]";
        /// The folders that its lane holds, with the files right in each folder above them: a sparse checkout in git's cone mode. Default: everything.
        "sparse" sparse: Vec<At<Folder>> = "sparse = [\"services/api\"]";
        /// Whether its lane has the repository's submodules checked out, those in submodules too. Default: `submodules` of `[lanes]` in laneway.toml, else true.
        "submodules" submodules: bool = "submodules = false";
        /// What its lane holds of files in LFS: contents where git-lfs is set up (`auto`), or pointers (`skip`). Default: `lfs` of `[lanes]` in laneway.toml, else `auto`.
        "lfs" lfs: Lfs = "lfs = \"skip\"";
    } later ["profile", "repo"]

    /// A command that makes a lane ready.
    SetupFile = "a setup command" {
        /// The command: a line for the shell, or a list of words.
        "run" run: CommandText [Required] = "run = \"npm ci\"";
        /// The files and folders that its result depends on. Default: none.
        "reads" reads: Vec<At<Plain>> = "reads = [\"package-lock.json\"]";
        /// The ignored files and folders that it makes. Where they are named, the command runs once and other lanes in which it would read the same get them by copy. Default: none, and it runs in every lane.
        "makes" makes: Vec<At<Plain>> = "makes = [\"node_modules\"]";
        /// How long it may take. Default: 30m.
        "timeout" timeout: Millis = "timeout = \"10m\"";
    } later []

    /// A task: an agent works on its prompt, or a command runs. One of `prompt`, `description` and `run` is needed.
    TaskFile = "`[[tasks]]`" {
        /// The id, unique among the tasks.
        "id" id: TaskId [Required] = "id = \"types\"";
        /// The workstream that it belongs to. Default: `default`.
        "workstream" workstream: LaneId = "workstream = \"api\"";
        /// What it is about, for people; also the prompt where there is none.
        "description" description: String = "description = \"API types\"";
        /// What the agent is asked to do.
        "prompt" prompt: String = "prompt = \"\"\"...\"\"\"";
        /// The command to run, instead of an agent: a line for the shell, or a list of words.
        "run" run: CommandText = "run = \"make docs\"";
        /// The agent that works on it: its name, or a table. Default: that of the graph.
        "agent" agent: Short<AgentChoice> = "agent = \"claude\"";
        /// The role that its agent plays: an instruction template, built in or in `roles/ROLE.md` beside the graph. Default: `generic`.
        "role" role: RoleName = "role = \"implementer\"";
        /// The tasks that must be done before it, in any workstream.
        "needs" needs: Vec<At<TaskId>> = "needs = [\"spec\"]";
        /// The condition under which it runs; where it does not hold, the task is skipped without harm to its lane. A need that the condition looks at may end in any way; every other need must succeed, so a task that needs a skipped one is skipped too.
        "when" when: WhenText = "when = \"${tasks.spec.outcome} == 'merged'\"";
        /// The paths that it may change, as globs from the root of the repository. Default: any.
        "writes" writes: Vec<At<Scope>> = "writes = [\"src/api/**\"]";
        /// Whether it may run beside tasks whose `writes` overlap with its own, where those say so too. Default: false, and they take turns.
        "overlap" overlap: bool = "overlap = true";
        /// Paths that its agent should know, by category.
        "paths" paths: Named<Category, Vec<At<Scope>>> = "paths = { src = [\"src/api.rs\"] }";
        /// Outputs of earlier tasks that its agent is given: each of a task that this one needs, itself or through others.
        "inputs" inputs: Vec<At<InputFile>> = "inputs = [{ task = \"spec\", category = \"stubs\" }]";
        /// Outputs that it must declare with `laneway signal output`, and that must be in its commit.
        "outputs" outputs: Vec<At<OutputFile>> = "outputs = [{ category = \"stubs\", min = 1 }]";
        /// Whether its agent is asked for an architecture decision record: `none`, `standard` or `detailed`, or a table. Default: `none`.
        "adr" adr: Short<AdrFile> = "adr = \"standard\"";
        /// The agent that reviews the work of each attempt before it is merged: its name, or a table. Default: none.
        "review" review: Short<ReviewFile> = "review = { agent = \"codex\" }";
        /// The command that must pass before its work is merged.
        "gate" gate: Short<GateFile> = "gate = \"make test\"";
        /// How often the work may fail before the task has failed. Default: 2.
        "attempts" attempts: Whole<1, 20> = "attempts = 2";
        /// How long one attempt may take. Default: 1h.
        "timeout" timeout: Millis = "timeout = \"45m\"";
        /// How long an attempt may show no sign of life (CPU time, output, changed files, signals) before it is ended. Looked at once a minute, and reported before. Default: it is reported only.
        "stall" stall: Millis = "stall = \"20m\"";
        /// Whether it must change something. Default: `required` for an agent, `optional` for a command.
        "diff" diff: DiffPolicy = "diff = \"required\"";
        /// Who commits: Laneway what was left uncommitted (`auto`, the default), or only the agent (`agent`).
        "commit" commit: CommitPolicy = "commit = \"auto\"";
        /// Environment variables of its process.
        "env" env: Named<EnvName, Free> = "env = { RUST_LOG = \"info\" }";
        /// The higher goes first among those that can start. Default: 0.
        "priority" priority: Whole<{ i32::MIN }, { i32::MAX }> = "priority = 0";
        /// What to do about errors of the surroundings, which use up no attempt.
        "retry" retry: RetryFile = "retry = { on = [\"transient\"], backoff = \"5s\", max = 3 }";
    } later ["profile", "foreach", "artifacts",
        "on_failure", "idempotency_key", "ask", "assert", "set", "switch", "wait", "publish", "graph", "fail"]

    /// A command that must pass.
    GateFile = "a gate" {
        /// The command: a line for the shell, or a list of words.
        "run" run: CommandText [Required] = "run = \"make test\"";
        /// How long it may take.
        "timeout" timeout: Millis = "timeout = \"10m\"";
        /// How often it is tried before it has failed. Default: 1.
        "attempts" attempts: Whole<1, 20> = "attempts = 1";
        /// Whether it runs in a pristine worktree. Default: false.
        "fresh" fresh: bool = "fresh = true";
    } later []

    /// An agent, and the model that it is to use.
    AgentChoice = "`agent`" {
        /// The name of the agent.
        "use" name: AgentName [Required] = "use = \"claude\"";
        /// The model. Default: that of the agent.
        "model" model: String = "model = \"large\"";
        /// Whether a process begins anew (`fresh`, the default) or goes on with the session of the one before (`continue`).
        "session" session: SessionPolicy = "session = \"continue\"";
        /// Several processes in one attempt, until one claims to be done.
        "loop" repeat: LoopFile = "loop = { max_iterations = 5, tracker = \"TRACKER.md\" }";
    } later []

    /// Several agent processes in one attempt, one after another.
    LoopFile = "`loop`" {
        /// The most processes of one attempt.
        "max_iterations" max_iterations: Whole<1, 1000> [Required] = "max_iterations = 5";
        /// A file in the lane that the processes hand on to each other.
        "tracker" tracker: Scope = "tracker = \"TRACKER.md\"";
    } later []

    /// Outputs of an earlier task.
    InputFile = "an input" {
        /// The task that declares them.
        "task" task: TaskId [Required] = "task = \"spec\"";
        /// Their category.
        "category" category: Category [Required] = "category = \"stubs\"";
    } later []

    /// Outputs that a task must declare.
    OutputFile = "an output" {
        /// Their category.
        "category" category: Category [Required] = "category = \"stubs\"";
        /// How many there are at least. Default: 1.
        "min" min: Whole<0, 100_000> = "min = 1";
        /// How many there are at most. Default: any number.
        "max" max: Whole<0, 100_000> = "max = 3";
    } later []

    /// A review of an attempt's work.
    ReviewFile = "`review`" {
        /// The agent that reviews.
        "agent" agent: AgentName [Required] = "agent = \"codex\"";
        /// Its model. Default: that of the agent.
        "model" model: String = "model = \"large\"";
        /// What it is asked, beside what the role `reviewer` says.
        "prompt" prompt: String = "prompt = \"Look at the locking.\"";
        /// How long it may take. Default: 30m.
        "timeout" timeout: Millis = "timeout = \"10m\"";
    } later []

    /// The architecture decision record that an agent is asked for.
    AdrFile = "`adr`" {
        /// How much it says: `none`, `standard` or `detailed`.
        "level" level: AdrLevel [Required] = "level = \"standard\"";
        /// The folder of the records, from the root of the repository. Default: `docs/adr`.
        "folder" folder: Scope = "folder = \"docs/adr\"";
    } later []

    /// What to do about errors of the surroundings.
    RetryFile = "`retry`" {
        /// The kinds of error that are retried. Default: `transient`, which is forge, network, git lock and quota.
        "on" on: Vec<At<RetryOn>> = "on = [\"transient\"]";
        /// The pause before the first retry. Default: 5s.
        "backoff" backoff: Millis = "backoff = \"5s\"";
        /// The most retries. Default: 3.
        "max" max: Whole<1, 20> = "max = 3";
    } later []
}

/// A version of the format that can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaVersion;

/// A table that can be written as the value of its one required key.
pub(super) trait Shorthand: Read {
    /// The table from a value that is not a table.
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self>;
}

/// The table, or its short form.
#[derive(Debug, Clone)]
pub(super) struct Short<T>(pub(super) T);

impl<T: Shorthand> Read for Short<T> {
    const TAKES: &'static str = "a string or a table";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(_) => T::from_short(value, key, reader).map(Self),
            DeValue::Table(_) => T::read(value, key, reader).map(Self),
            _ => {
                reader.wrong_type(value, key, Self::TAKES);
                None
            }
        }
    }
}

impl Shorthand for GateFile {
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        CommandText::read(value, key, reader)
            .map(|run| Self { run: Field::Good(At { value: run, span: value.span() }), ..Self::default() })
    }
}

impl Shorthand for SetupFile {
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        CommandText::read(value, key, reader)
            .map(|run| Self { run: Field::Good(At { value: run, span: value.span() }), ..Self::default() })
    }
}

impl Shorthand for AgentChoice {
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        AgentName::read(value, key, reader)
            .map(|name| Self { name: Field::Good(At { value: name, span: value.span() }), ..Self::default() })
    }
}

impl Shorthand for AdrFile {
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        AdrLevel::read(value, key, reader).map(|level| Self {
            level: Field::Good(At { value: level, span: value.span() }),
            ..Self::default()
        })
    }
}

impl Shorthand for ReviewFile {
    fn from_short(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        AgentName::read(value, key, reader).map(|agent| Self {
            agent: Field::Good(At { value: agent, span: value.span() }),
            ..Self::default()
        })
    }
}
