//! The parts of a body. Each ends with a line end and is empty where there is nothing to say.

use super::neutral::{code, inline, prose, quote};
use super::room::{Room, fence};
use crate::event::{CheckStatus, ConcernClass, DiffFile, DiffStat};
use crate::graph::{Command, MergePolicy};
use crate::plan::{ForgeKind, LaneIx, LanePlan, Plan, TaskIx, Work};
use crate::state::{Attempt, Check, Concern, State, Task, Usage};
use crate::view::elapsed::elapsed;
use crate::view::plain::put;
use crate::view::progress::last_attempt;

/// Room for all concerns, and for one, in characters.
const CONCERNS: usize = 16_000;
const CONCERN: usize = 4_000;
/// Room for the table of tasks.
const TASKS: usize = 14_000;
/// Room for the lane's checks and for the list of files.
const CHECKS: usize = 4_000;
const FILES: usize = 4_000;
/// Room for the commands that reproduce the gates.
const COMMANDS: usize = 6_000;
/// How much of a description, a reason or a path is shown.
pub(super) const WORDS: usize = 300;

/// The lane that a body is about.
pub(super) struct Section<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// Where the run stands.
    pub(super) state: &'a State,
    /// The lane.
    pub(super) lane: LaneIx,
}

impl Section<'_> {
    pub(super) fn lane_plan(&self) -> &LanePlan {
        &self.plan.lanes[self.lane]
    }

    /// What the lane is about.
    pub(super) fn opening(&self) -> String {
        let about = self.lane_plan().description.as_ref().or(self.plan.description.as_ref());
        about.map_or(String::new(), |text| format!("{}\n", prose(text, WORDS)))
    }

    /// What agents worry about: design first, because it keeps the lane from being merged by itself.
    pub(super) fn concerns(&self) -> String {
        let concerns = &self.state.lanes[self.lane].concerns;
        if concerns.is_empty() {
            return String::new();
        }
        let mut out = String::from("## Concerns\n");
        let mut list = Room::new(CONCERNS);
        for (class, title) in
            [(ConcernClass::Design, self.design_title()), (ConcernClass::Ops, "Ops, for whoever runs it")]
        {
            let of_class: Vec<&Concern> = concerns.iter().filter(|c| c.class == class).collect();
            if of_class.is_empty() {
                continue;
            }
            put(&mut out, format_args!("\n### {title}"));
            for concern in of_class {
                list.put(&mut out, &concern_text(concern));
            }
        }
        list.close(&mut out, "concern");
        out
    }

    fn design_title(&self) -> &'static str {
        match self.lane_plan().merge {
            MergePolicy::Auto => "Design: not merged without a person",
            MergePolicy::Review => "Design",
        }
    }

    /// What was done, and how it was proven.
    pub(super) fn tasks(&self) -> String {
        let mut out = String::from(
            "## Tasks\n\n| task | outcome | attempts | time | checks | change |\n|---|---|---|---|---|---|\n",
        );
        let mut rows = Room::new(TASKS);
        for &task in &self.state.index().tasks_of[self.lane] {
            rows.put(&mut out, &self.task_row(task));
        }
        rows.close(&mut out, "task");
        out
    }

    fn task_row(&self, ix: TaskIx) -> String {
        let (plan, task) = (&self.plan.tasks[ix], &self.state.tasks[ix]);
        let about = plan.description.as_deref().or_else(|| asked(&plan.work));
        let about = about.map_or(String::new(), |text| format!(" {}", inline(text, WORDS)));
        let why = task.reason.as_ref().map_or(String::new(), |r| format!(": {}", inline(r, WORDS)));
        let newest = task.attempt();
        let attempts = newest.map_or("none".to_owned(), |a| {
            format!("{} of {}", a.number, last_attempt(self.plan, self.state, ix))
        });
        let checks = newest.map_or(String::new(), |a| results(&a.checks));
        let change = newest.and_then(|a| a.diff).map_or(String::new(), stat);
        let pr = task.pr.as_ref().map_or(String::new(), super::task::link);
        format!(
            "| `{}`{pr}{about} | {}{why} | {attempts} | {} | {checks} | {change} |\n",
            plan.id,
            task.status,
            elapsed(worked(task))
        )
    }

    /// What the agents of the lane used, as far as they say; one line.
    pub(super) fn used(&self) -> String {
        let tasks = self.state.index().tasks_of[self.lane].iter();
        let attempts = tasks.flat_map(|&task| &self.state.tasks[task].attempts);
        let used: Usage = attempts.flat_map(Attempt::used).sum();
        if used == Usage::default() {
            return String::new();
        }
        let cached = match used.cached_tokens {
            0 => String::new(),
            cached => format!(" ({} of them cached)", grouped(cached)),
        };
        let cost = match used.cost_micros {
            0 => String::new(),
            // In whole cents, rounded up: what was paid is not shown as nothing.
            micros => {
                let cents = micros.div_ceil(10_000);
                format!(", ${}.{:02}", cents / 100, cents % 100)
            }
        };
        let (input, output) = (grouped(used.input_tokens), grouped(used.output_tokens));
        format!(
            "Used, as far as the agents say: {input} input tokens{cached}, {output} output tokens{cost}.\n"
        )
    }

    /// What was proven of the lane as a whole.
    pub(super) fn checks(&self) -> String {
        let mut out = format!("## Checks on the merge with {}\n\n", code(&self.lane_plan().target, WORDS));
        let checks = &self.state.lanes[self.lane].checks;
        if checks.is_empty() {
            out.push_str("None recorded yet.\n");
            return out;
        }
        out.push_str("| check | result | time | detail |\n|---|---|---|---|\n");
        let mut rows = Room::new(CHECKS);
        for check in checks {
            rows.put(&mut out, &check_row(check));
        }
        rows.close(&mut out, "check");
        out
    }

    /// How to look at it and to run its gates.
    pub(super) fn reproduce(&self) -> String {
        let lane = self.lane_plan();
        let tip = self.state.lanes[self.lane].tip.as_ref();
        let what = tip.map_or(lane.branch.as_str(), |tip| tip.as_str());
        let place = format!("../{}-{}", self.plan.graph, lane.id);
        let mut commands = String::new();
        if let Some(remote) = self.plan.remote.as_ref().filter(|r| r.push) {
            command(&mut commands, &["git", "fetch", &remote.name, &lane.branch, &lane.target]);
        }
        command(&mut commands, &["git", "worktree", "add", "--detach", &place, what]);
        command(&mut commands, &["cd", &place]);
        if !lane.gates.is_empty() {
            commands.push_str(
                "# the gates ran on the merge with the target; leave this out to try the branch alone\n",
            );
            command(&mut commands, &["git", "merge", "--no-edit", &self.on_remote(&lane.target)]);
        }
        for gate in &lane.gates {
            let gate = gate.command.to_string();
            if commands.chars().count() + gate.chars().count() > COMMANDS {
                commands.push_str("# a gate that is too long to be shown here\n");
            } else {
                put(&mut commands, format_args!("{}", gate.trim_end()));
            }
        }
        let fence = fence(&commands);
        format!("## Try it\n\n{fence}sh\n{commands}{fence}\n")
    }

    fn on_remote(&self, branch: &str) -> String {
        match self.plan.remote.as_ref().filter(|r| r.push) {
            Some(remote) => format!("{}/{branch}", remote.name),
            None => branch.to_owned(),
        }
    }

    /// Which run made it.
    pub(super) fn origin(&self) -> String {
        let tip = self.state.lanes[self.lane]
            .tip
            .as_ref()
            .map_or(String::new(), |tip| format!(" at `{}`", tip.short()));
        format!(
            "Made by Laneway: graph `{}`, run {}, lane `{}`{tip}, cut from {} at `{}`.\n",
            self.plan.graph,
            self.plan.run,
            self.lane_plan().id,
            code(&self.lane_plan().base, WORDS),
            self.lane_plan().base_sha.short(),
        )
    }

    /// The files of a change.
    pub(super) fn files(&self, diff: &[DiffFile]) -> String {
        if diff.is_empty() {
            return String::new();
        }
        let total = DiffStat {
            files: diff.len() as u64,
            additions: diff.iter().map(|f| f.additions).sum(),
            deletions: diff.iter().map(|f| f.deletions).sum(),
        };
        let mut out = format!("<details><summary>Change: {}</summary>\n\n", stat(total));
        let mut list = Room::new(FILES);
        for file in diff {
            let from =
                file.old_path.as_ref().map_or(String::new(), |old| format!(" from {}", code(old, WORDS)));
            let size = if file.binary {
                "binary".to_owned()
            } else {
                format!("+{} -{}", file.additions, file.deletions)
            };
            let change = inline(&file.change, WORDS);
            list.put(&mut out, &format!("- {} {change}{from}, {size}\n", code(&file.path, WORDS)));
        }
        list.close_for(&mut out, "file", &self.whole_change());
        out.push_str("\n</details>\n");
        out
    }

    /// What has every file of the change, for whoever reads it on the forge where it is.
    fn whole_change(&self) -> String {
        let tip = self.state.lanes[self.lane]
            .tip
            .as_ref()
            .filter(|_| self.plan.settings.forge == ForgeKind::GitHub);
        let Some(tip) = tip else { return "`laneway pr diff` with this number".to_owned() };
        let base = self.on_remote(&self.state.base_of(self.lane).0);
        code(&format!("git diff --stat {base}...{}", tip.short()), WORDS)
    }
}

/// The first line of what an agent was asked.
fn asked(work: &Work) -> Option<&str> {
    match work {
        Work::Agent { prompt, .. } => prompt.lines().map(str::trim).find(|line| !line.is_empty()),
        Work::Run { .. } => None,
    }
}

fn concern_text(concern: &Concern) -> String {
    let by = concern.task.as_ref().map_or("An agent".to_owned(), |task| format!("Task `{task}`"));
    let quote = quote(&concern.text, CONCERN);
    let cut = if quote.is_cut {
        "\nThe rest is cut off here; `laneway status --json` has all of it.\n"
    } else {
        ""
    };
    format!("\n{by}:\n\n{}{cut}", quote.text)
}

/// Results by name, the worst first: `fail: gate; pass: claim, base`.
fn results(checks: &[Check]) -> String {
    let order = [CheckStatus::Fail, CheckStatus::Warn, CheckStatus::Pass, CheckStatus::Skip];
    let groups = order.into_iter().filter_map(|status| {
        let of_status = checks.iter().filter(|c| c.status == status);
        let names: Vec<&str> = of_status.map(|c| c.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{}: {}", status.word(), names.join(", ")))
    });
    inline(&groups.collect::<Vec<_>>().join("; "), WORDS)
}

fn check_row(check: &Check) -> String {
    // Looks and what is known from before take no time; a figure would only invite questions.
    let time = if check.duration_ms == 0 { String::new() } else { elapsed(check.duration_ms) };
    format!(
        "| {} | {} | {} | {} |\n",
        inline(&check.name, WORDS),
        check.status.word(),
        time,
        inline(&check.detail, WORDS)
    )
}

/// The time that the attempts of a task took together, in milliseconds.
pub(super) fn worked(task: &Task) -> u64 {
    let times = task.attempts.iter().filter_map(|a| Some(a.ended_at?.since(a.started_at?)));
    times.sum()
}

pub(super) fn stat(stat: DiffStat) -> String {
    let files = if stat.files == 1 { "file" } else { "files" };
    format!("{} {files} +{} -{}", stat.files, stat.additions, stat.deletions)
}

/// A number with its digits in groups of three: `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (ix, digit) in digits.chars().enumerate() {
        if ix > 0 && (digits.len() - ix).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn command(out: &mut String, words: &[&str]) {
    let argv = Command::Argv(words.iter().map(|&w| w.to_owned()).collect());
    put(out, format_args!("{argv}"));
}
