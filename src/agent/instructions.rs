//! The text that an agent reads at the start of an attempt.

mod assignment;
mod review;

use std::fmt::Write as _;

pub use assignment::{Assignment, GivenInput};
pub use review::{ReviewInput, ReviewedChange, review_instructions};

use crate::id::{GraphName, LaneId, TaskId};

/// How many earlier attempts are told of; the latest know best.
const ATTEMPTS_SHOWN: usize = 3;
/// How long a quoted text may be, in bytes. An agent's context is worth more than the middle of a log.
const QUOTE_SHOWN: usize = 8 << 10;
/// How long a reason may be, in characters.
const REASON_SHOWN: usize = 500;
/// How many folders that are not there any more are named.
const FOLDERS_SHOWN: usize = 20;
/// How long a list of paths may be, in bytes: who resolves a conflict has to know where it is.
const PATHS_SHOWN: usize = 32 << 10;

/// Who commits what the agent has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// Laneway commits what is left uncommitted.
    Laneway,
    /// The agent must, and a dirty tree speaks against it.
    Agent,
}

/// Everything that the instructions of one attempt say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstructionInput {
    /// The graph.
    pub graph: GraphName,
    /// The task.
    pub task: TaskId,
    /// Its lane.
    pub lane: LaneId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub attempts: u32,
    /// What is to be done, in the words of the graph.
    pub prompt: String,
    /// What the task knows beside that, and what it must deliver.
    pub assignment: Assignment,
    /// The commit that the work starts from, as text.
    pub base: String,
    /// The branch that the lane's work will be proposed to.
    pub target: String,
    /// The globs that may be written to; none where everything may.
    pub writes: Vec<String>,
    /// The command that must pass, as a person would type it.
    pub gate: Option<String>,
    /// Who commits.
    pub commits: Commits,
    /// Which process of a loop this is; `None` where an attempt is one process.
    pub iteration: Option<IterationShown>,
    /// What tasks that this one needs have said of their work.
    pub upstream: Vec<UpstreamSummary>,
    /// The attempts before this one, oldest first.
    pub earlier: Vec<EarlierAttempt>,
    /// The conflict that this attempt is to resolve.
    pub conflict: Option<ConflictShown>,
    /// What the process before left and this one does not find.
    pub withheld: Option<Withheld>,
}

/// Git repositories inside the lane that a process left: they cannot be committed, and were not given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Their folders in the lane.
    pub paths: Vec<String>,
    /// The custody that has their files.
    pub custody: String,
}

/// One process of an attempt that is made of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IterationShown {
    /// Which one, from 1.
    pub n: u32,
    /// How many there may be.
    pub most: u32,
    /// The file that they hand on to each other.
    pub tracker: Option<String>,
    /// What it says now; `None` where it is not there.
    pub tracker_text: Option<String>,
    /// Files in the signal directory that were not accepted so far.
    pub rejected: Vec<RejectedSignal>,
}

/// What a needed task has said of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSummary {
    /// The task.
    pub task: TaskId,
    /// Its summary.
    pub summary: String,
}

/// What became of an earlier attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierAttempt {
    /// Which one it was, from 1.
    pub attempt: u32,
    /// Why it did not succeed, as one sentence fragment.
    pub reason: String,
    /// The end of the output that shows it, such as the gate's.
    pub output: Option<String>,
    /// Files in its signal directory that were not accepted.
    pub rejected: Vec<RejectedSignal>,
}

/// A file in a signal directory that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedSignal {
    /// Its path within the directory.
    pub path: String,
    /// What was wrong with it.
    pub reason: String,
}

/// A conflict that this task's agent has to resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictShown {
    /// What does not merge.
    pub side: ConflictSide,
    /// The paths in conflict, as many as are known by name.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
    /// How they conflict, as git says it.
    pub detail: String,
}

/// The side of a conflict that is not in the lane yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConflictSide {
    /// This task's earlier work; the commit or ref that holds it.
    Work(String),
    /// Upstream work by this name, which the files hold already, with conflict markers.
    Upstream(String),
}

/// Writes the instructions, in Markdown. A pure function: the same input gives the same bytes.
pub fn instructions(input: &InstructionInput) -> String {
    let mut text = String::new();
    let InstructionInput { graph, task, lane, attempt, attempts, .. } = input;
    line(
        &mut text,
        format_args!("# Task `{task}` of graph `{graph}`, lane `{lane}`, attempt {attempt} of {attempts}\n"),
    );
    line(&mut text, format_args!("{}\n", input.prompt.trim()));
    assignment::role(&mut text, &input.assignment);
    rules(&mut text, input);
    assignment::sections(&mut text, &input.assignment);
    signals(&mut text);
    iteration(&mut text, input.iteration.as_ref());
    upstream(&mut text, &input.upstream);
    conflict(&mut text, input.conflict.as_ref());
    earlier(&mut text, &input.earlier);
    withheld(&mut text, input.withheld.as_ref());
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn rules(text: &mut String, input: &InstructionInput) {
    line(text, format_args!("## Where and how\n"));
    line(
        text,
        format_args!(
            "- Work in the current directory. It is a git worktree of your own, at commit `{}`.",
            input.base
        ),
    );
    line(
        text,
        format_args!(
            "- Your work is merged into the lane, and the lane is proposed to `{}`. Do not push, and do not switch to branches that you did not make.",
            input.target
        ),
    );
    match input.commits {
        Commits::Laneway => {
            line(
                text,
                format_args!("- Commit as you like; what you leave uncommitted is committed for you."),
            );
        }
        Commits::Agent => {
            line(
                text,
                format_args!(
                    "- Commit everything, also what lies here uncommitted from an earlier attempt: uncommitted changes count against the task."
                ),
            );
        }
    }
    if !input.writes.is_empty() {
        let adr = input.assignment.adr.as_ref().map(|adr| format!("{}/**", adr.folder));
        let globs: Vec<String> = input.writes.iter().chain(&adr).map(|glob| format!("`{glob}`")).collect();
        line(
            text,
            format_args!(
                "- Change only files that match {}. A change outside counts against the task.",
                globs.join(", ")
            ),
        );
    }
    assignment::overview(text, &input.assignment);
    if let Some(gate) = &input.gate {
        line(text, format_args!("- This command must pass on the merged result:\n"));
        quote(text, gate);
    }
    text.push('\n');
}

fn signals(text: &mut String) {
    text.push_str(
        "## How to report\n\n\
         Write files into the directory `$LANEWAY_SIGNALS` (or use `laneway signal`, which does so):\n\n\
         - Done: `echo \"what you did\" > \"$LANEWAY_SIGNALS/done\"`, as the last thing you do.\n\
         - You cannot do it: the reason into `$LANEWAY_SIGNALS/failed`. You need a person: the question into `$LANEWAY_SIGNALS/blocked`.\n\
         - Worth a reviewer's time: `summary.md` (what you did and why); one file for each doubt about the design in \
         `concerns/`, and for each trouble with tools or surroundings in `ops-concerns/`. A concern does not fail the task.\n\n",
    );
}

fn iteration(text: &mut String, iteration: Option<&IterationShown>) {
    let Some(IterationShown { n, most, tracker, tracker_text, rejected }) = iteration else {
        return;
    };
    line(text, format_args!("## Iteration {n} of at most {most}\n"));
    line(
        text,
        format_args!(
            "The task is done in iterations, each by a new process that remembers nothing. Do one sensible step, then end. Write `done` only when the whole task is done; end without it, and the next iteration goes on from the files as you leave them.\n"
        ),
    );
    if let Some(path) = tracker {
        let path = one_line(path);
        line(
            text,
            format_args!(
                "Keep what the next iteration has to know in `{path}`, and bring it up to date before you end. A last line `DONE` in it says that the whole task is done, as the signal file does."
            ),
        );
        match tracker_text {
            Some(said) if !said.trim().is_empty() => {
                line(text, format_args!("It says now:\n"));
                quote(text, said);
            }
            _ => line(text, format_args!("There is nothing in it yet.")),
        }
        text.push('\n');
    }
    for RejectedSignal { path, reason } in rejected {
        line(text, format_args!("- the signal `{path}` was not accepted: {}", one_line(reason)));
    }
    if !rejected.is_empty() {
        text.push('\n');
    }
}

fn upstream(text: &mut String, upstream: &[UpstreamSummary]) {
    if upstream.is_empty() {
        return;
    }
    line(text, format_args!("## What this builds on\n"));
    for UpstreamSummary { task, summary } in upstream {
        line(text, format_args!("Task `{task}` is in your base. Its agent said:\n"));
        quote(text, summary);
        text.push('\n');
    }
}

fn conflict(text: &mut String, conflict: Option<&ConflictShown>) {
    let Some(ConflictShown { side, paths, more, detail }) = conflict else {
        return;
    };
    line(text, format_args!("## Resolve this conflict\n"));
    match side {
        ConflictSide::Work(work) => line(
            text,
            format_args!(
                "The lane has moved on, and your earlier work no longer merges. You start at the lane's tip; your work is kept as `{work}`. Bring it onto the tip so that both intentions hold, for instance with `git cherry-pick` or by hand.\n"
            ),
        ),
        ConflictSide::Upstream(name) => line(
            text,
            format_args!(
                "Your task builds on {}, which does not merge with what this lane has. Your files hold both, merged as far as they go, with conflict markers in the files below. Before anything else, edit those so that both intentions hold and no marker is left.\n",
                one_line(name)
            ),
        ),
    }
    let before = text.len();
    let mut shown = 0;
    for path in paths {
        if text.len() - before > PATHS_SHOWN {
            break;
        }
        line(text, format_args!("- `{}`", one_line(path)));
        shown += 1;
    }
    let more = (paths.len() - shown) as u64 + more;
    if more > 0 {
        let how = match side {
            ConflictSide::Work(work) => {
                format!("`git merge-tree --write-tree --name-only HEAD {work}` lists all")
            }
            ConflictSide::Upstream(_) => "`git grep -l '^<<<<<<< '` lists all that hold text".to_owned(),
        };
        line(text, format_args!("- and {more} more: {how}"));
    }
    text.push('\n');
    quote(text, detail);
    text.push('\n');
}

fn earlier(text: &mut String, earlier: &[EarlierAttempt]) {
    if earlier.is_empty() {
        return;
    }
    line(text, format_args!("## Earlier attempts\n"));
    let skipped = earlier.len().saturating_sub(ATTEMPTS_SHOWN);
    if skipped > 0 {
        line(text, format_args!("{skipped} before these are not shown.\n"));
    }
    for EarlierAttempt { attempt, reason, output, rejected } in &earlier[skipped..] {
        line(text, format_args!("Attempt {attempt} did not succeed: {}\n", one_line(reason)));
        for RejectedSignal { path, reason } in rejected {
            line(text, format_args!("- its signal `{path}` was not accepted: {}", one_line(reason)));
        }
        if !rejected.is_empty() {
            text.push('\n');
        }
        if let Some(output) = output {
            quote(text, output);
            text.push('\n');
        }
    }
}

fn withheld(text: &mut String, withheld: Option<&Withheld>) {
    let Some(Withheld { paths, custody }) = withheld else { return };
    line(
        text,
        format_args!(
            "These folders, which the attempt before left, were git repositories of their own and are not here any more, as a repository inside the lane cannot be committed. Their files are in custody (`laneway custody show {custody}`). Clone outside of the current directory, or remove the folder before you end:\n"
        ),
    );
    for path in paths.iter().take(FOLDERS_SHOWN) {
        line(text, format_args!("- `{}`", one_line(path)));
    }
    let more = paths.len().saturating_sub(FOLDERS_SHOWN);
    if more > 0 {
        line(text, format_args!("- and {more} more"));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string cannot fail");
}

/// A text of others within a line of ours.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(REASON_SHOWN) {
        Some((cut, _)) => format!("{}...", &words[..cut]),
        None => words,
    }
}

/// Quotes text that others wrote, so that nothing in it can end the quotation and pass for instructions.
fn quote(text: &mut String, quoted: &str) {
    fenced(text, &bounded(quoted.trim_end()));
}

/// Quotes all of a text.
fn fenced(text: &mut String, quoted: &str) {
    let longest = quoted.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    line(text, format_args!("{fence}text\n{quoted}\n{fence}"));
}

/// Keeps the end of a long text: a failure is usually told there.
fn bounded(text: &str) -> String {
    let Some(over @ 1..) = text.len().checked_sub(QUOTE_SHOWN) else {
        return text.to_owned();
    };
    let cut = (over..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("[... {cut} bytes left out ...]\n{}", &text[cut..])
}

#[cfg(test)]
mod tests;
