//! The kinds of problem that a graph file can have, and what each means.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal: $explain:literal,)*) => {
        /// What kind of problem a diagnostic is about. Numbers and names are stable: they are never given to another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(
                #[doc = $explain]
                $variant,
            )*
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number, such as `G001`.
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The name, such as `unknown-key`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One paragraph for people: what is wrong and what to do about it.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$variant => $explain,)* }
            }
        }
    };
}

codes! {
    UnknownKey = "G001" "unknown-key": "The table has a key that no graph file knows. A key that is accepted is executed, so one that nobody would read is refused; the hint names the nearest known key, or the table that the key belongs to. In TOML a key belongs to the table header above it: keys of the graph itself come before the first header.",
    Syntax = "G002" "syntax": "The text is not TOML, so the rest of the file is read as well as it can be. The message is the TOML parser's own; the same key written twice in one table is reported here too.",
    NotSupported = "G003" "not-supported-yet": "The key, value or substitution is part of the graph format, but this version of Laneway cannot carry it out. It is refused, because ignoring it would run something else than the file says. Remove it or use a version that supports it.",
    WrongType = "G004" "wrong-type": "The value has another TOML type than the key takes. The message says which types are taken and which one was found.",
    Blank = "G005" "blank": "A text or a list that must say something is empty or has only white space. Fill it in, or remove the key where it is optional.",
    MissingKey = "G006" "missing-key": "A key that the table cannot do without is not there: a graph needs `name` and at least one task, a workstream and a task need an `id`, an agent needs a `command`, unless it is like another, and a setup command that `makes` something needs `reads`, or nothing would say when that is out of date.",
    Nul = "G007" "nul-character": "A text contains the character U+0000, which neither arguments, environment variables nor paths can hold. Remove it.",
    UnsupportedSchema = "G008" "unsupported-schema": "The file's `schema` is a version that this Laneway cannot read. The one supported version is 1; a file without the key is read as version 1.",
    UnknownValue = "G009" "unknown-value": "The key takes one of a few words, and the value is none of them. The hint lists the words.",
    OutOfRange = "G010" "out-of-range": "The number, or the duration, is smaller or larger than the key allows. The message says the range.",
    BadDuration = "G011" "bad-duration": "The text is not a duration. Durations are whole numbers with the units `h`, `m`, `s` and `ms`, the larger first, each at most once: \"90s\", \"45m\", \"1h30m\", \"500ms\".",
    BadId = "G012" "bad-id": "Ids become branch names, folder names and file names, so they match `[a-z0-9][a-z0-9_-]{0,63}` and are no word that git or a file system keeps for itself. The hint suggests a valid one.",
    Duplicate = "G013" "duplicate": "The same id is declared twice, or the same name stands twice in a list. Each workstream and each task has an id of its own, and the first use is shown as well.",
    UnknownWorkstream = "G014" "unknown-workstream": "The task names a workstream that is not declared. Where the file has `[[workstreams]]` nothing is created implicitly, and a task without `workstream` belongs to `default`; a file without `[[workstreams]]` has the one workstream `default`.",
    UnknownNeed = "G015" "unknown-need": "`needs` names a task that the file does not have. Needs are task ids, in any workstream; to wait for a whole workstream, name the task that comes last in it.",
    TaskCycle = "G016" "task-cycle": "Tasks wait for each other, so none of them could ever start. In `a -> b -> a`, `a` needs `b` and `b` needs `a`. Remove one of the needs.",
    LaneCycle = "G017" "lane-cycle": "Workstreams wait for each other through the needs of their tasks. A lane takes in the finished work of the lanes it needs, so two of them cannot need each other even where their tasks could be ordered. Move a task to the other workstream, or split a workstream in two.",
    EmptyWorkstream = "G018" "empty-workstream": "No task belongs to the workstream, and none is nested in it, so its lane would have nothing to integrate. Give it a task or remove it.",
    UnknownParent = "G019" "unknown-parent": "`parent` names a workstream that the file does not declare.",
    ParentCycle = "G020" "parent-cycle": "Workstreams are nested in each other in a circle. A parent is the workstream whose integration branch the child is cut from, so the chain of parents must end.",
    TooDeep = "G021" "too-deep": "Workstreams are nested deeper than `max_depth` allows (3 where the file does not say); a workstream without a parent has depth 1.",
    NothingToDo = "G022" "nothing-to-do": "The task has no `prompt`, no `description` and no `run`, so there is nothing to give to an agent and no command to execute.",
    TwoVerbs = "G023" "two-verbs": "A task either has an agent work on a `prompt` or executes a `run` command, and `prompt`, `agent`, `role`, `paths`, `inputs` and `adr` mean nothing to a command. Keep one, or make two tasks.",
    UnknownAgent = "G024" "unknown-agent": "The agent is neither defined in the file's `[agents]` nor known to the project. Define it with `[agents.NAME]` and a `command`.",
    NoAgent = "G025" "no-agent": "The task is for an agent, but neither the task nor the graph says which. Set `agent` at the top of the file, or in the task.",
    BadPath = "G026" "bad-path": "`writes` and `copy` take paths from the root of the repository, with globs; `reads` and `makes` of a setup command take them without. Absolute paths, `..`, `.` and empty parts can never match a file of the repository.",
    BadGlob = "G027" "bad-glob": "The path pattern is not a valid glob. The message says what is wrong with it; `*` stays within a folder, `**` crosses folders, and `[` starts a character class.",
    BadEnvName = "G028" "bad-env-name": "Names of environment variables match `[A-Za-z_][A-Za-z0-9_]*`. Those that start with `LANEWAY_` are set by Laneway itself, and what means something to the system or to git, such as `PATH`, can hold no port.",
    BadBranch = "G029" "bad-branch": "Git would refuse a branch of this name, or it is not the short name of a branch. Write `main`, not `refs/heads/main`.",
    UnknownSubstitution = "G030" "unknown-substitution": "The text has a `${...}` that Laneway does not know here. There is no shell in substitutions: `${graph.name}`, `${lane.id}` and `${task.id}` are all there are, and only a task has the last. `$${` is written for a literal `${`, and a shell variable can be written `$NAME`.",
    UnknownPlaceholder = "G031" "unknown-placeholder": "An agent's command has a `{name}` that Laneway does not fill in. The placeholders are `{prompt_file}`, `{prompt}`, `{model}`, `{session}`, `{signals}` and `{lane}`.",
    UnusedModel = "G032" "unused-model": "A model is given for an agent whose command has no `{model}`, so the model would never reach it. Add `{model}` to the command, or remove the model.",
    NestedBase = "G033" "nested-base": "A workstream with a `parent` is cut from the parent's integration branch and merged back into it, so `base` and `target` have nothing to say there. Remove them, or the `parent`.",
    UnknownRole = "G040" "unknown-role": "The role is neither built in nor a file `roles/ROLE.md` beside the graph file. The built-in ones are `generic`, `implementer`, `reviewer`, `spec_writer`, `test_writer` and `test_reviewer`; a file of the same name takes the place of a built-in one.",
    InputFromNowhere = "G041" "input-from-nowhere": "An input is an output of a task that comes before this one: a task that it needs, itself or through others, and that declares `outputs` of that category. Otherwise nothing would say that the files are there when the task starts.",
    Contradiction = "G042" "contradiction": "Two keys of the task cannot both hold, such as a least number above the most, or a record that is asked for where nothing may be changed. Change or remove one of them.",
    BadCondition = "G043" "bad-condition": "`when` compares how tasks ended, and how many outputs they declared, with words and numbers: `${tasks.spec.outcome} == 'merged' && ${tasks.spec.outputs.stubs} != 0`, with `==`, `!=`, `&&`, `||`, `!` and brackets. It can look only at tasks in the task's `needs`, since others may not have ended when it is asked. A need that `when` looks at may end in any way: `merged`, `completed`, `failed`, `skipped` or `cancelled`; every other need must succeed.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

/// Returns `docs/diagnostics.md`, which is made from the codes.
pub fn reference_page() -> String {
    let sections: Vec<String> =
        Code::ALL.iter().map(|code| format!("\n## {code}\n\n{}\n", code.explain())).collect();
    format!(
        "# Diagnostics of graph files\n\n\
         Every problem of a file is reported at once. This page is generated from the program \
         (`LANEWAY_BLESS=1 cargo test graph::` writes it anew).\n{}",
        sections.concat()
    )
}
