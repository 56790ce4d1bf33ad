//! What became of a lane, said on its pull request once it is merged.

use super::neutral::{code, inline};
use super::room::Room;
use super::sections::{Section, WORDS, worked};
use crate::event::{ConcernClass, LaneStatus};
use crate::plan::{LaneIx, Plan};
use crate::state::State;
use crate::view::elapsed::elapsed;
use crate::view::plain::put;

/// Room for each of the lists.
const LIST: usize = 4_000;

/// The last comment on the pull request of a merged lane, in Markdown: who merged it and as what, what it took, who
/// can go on now, and what was left behind. Empty for a lane without a merged pull request.
pub fn last_word(plan: &Plan, state: &State, lane: LaneIx) -> String {
    let section = Section { plan, state, lane };
    let Some(merged) = section.merged() else { return String::new() };
    let parts = [merged, section.took(), section.freed(), section.remarks(), section.kept()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

impl Section<'_> {
    fn merged(&self) -> Option<String> {
        let pr = self.state.lanes[self.lane].pr.as_ref()?;
        let commit = pr.merged.as_ref()?;
        let by = pr.merged_by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by, WORDS)));
        let target = code(&self.lane_plan().target, WORDS);
        // In full, so that a forge makes a link of it.
        Some(format!("**Merged** into {target}{by}, as {commit}.\n"))
    }

    /// What it took: attempts, time, tokens; and what it was merged in spite of.
    fn took(&self) -> String {
        let lane = &self.state.lanes[self.lane];
        let tasks = &self.state.index().tasks_of[self.lane];
        let attempts: usize = tasks.iter().map(|&t| self.state.tasks[t].attempts.len()).sum();
        let work = elapsed(tasks.iter().map(|&t| worked(&self.state.tasks[t])).sum());
        let mut out = format!(
            "- {} in {}, {work} of work\n",
            counted(tasks.len(), "task", "tasks"),
            counted(attempts, "attempt", "attempts")
        );
        let attempts = tasks.iter().flat_map(|&t| &self.state.tasks[t].attempts);
        let begun = attempts.filter_map(|a| a.started_at).min();
        if let (Some(begun), Some(merged)) = (begun, lane.since.get(&LaneStatus::Merged)) {
            put(
                &mut out,
                format_args!("- {} from the first attempt to the merge", elapsed(merged.since(begun))),
            );
        }
        let used = self.used();
        if !used.is_empty() {
            out.push_str("- ");
            out.push_str(&used);
        }
        for (class, one, many) in [
            (ConcernClass::Design, "design concern", "design concerns"),
            (ConcernClass::Ops, "ops concern", "ops concerns"),
        ] {
            let count = lane.concerns.iter().filter(|c| c.class == class).count();
            if count > 0 {
                put(
                    &mut out,
                    format_args!("- {} went in with it; see the description", counted(count, one, many)),
                );
            }
        }
        out
    }

    /// The lanes that waited for this one, and what they still wait for.
    fn freed(&self) -> String {
        let index = self.state.index();
        if index.downstream[self.lane].is_empty() {
            return String::new();
        }
        let mut out = String::from("Lanes that build on it:\n\n");
        let mut list = Room::new(LIST);
        for &down in &index.downstream[self.lane] {
            let open =
                |up: &&LaneIx| **up != self.lane && self.state.lanes[**up].status != LaneStatus::Merged;
            let open: Vec<String> = index.upstream[down]
                .iter()
                .filter(open)
                .map(|&up| format!("`{}`", self.plan.lanes[up].id))
                .collect();
            let now = match (self.state.lanes[down].status, open.is_empty()) {
                (LaneStatus::Failed, _) => "failed".to_owned(),
                (LaneStatus::Merged, _) => "merged".to_owned(),
                (_, true) => "nothing else is in its way".to_owned(),
                (_, false) => format!("builds on {} too", open.join(", ")),
            };
            list.put(&mut out, &format!("- {}: {now}\n", self.named(down)));
        }
        list.close(&mut out, "lane");
        out
    }

    /// What could not be done or removed.
    fn remarks(&self) -> String {
        let remarks = &self.state.lanes[self.lane].remarks;
        if remarks.is_empty() {
            return String::new();
        }
        let mut out = String::from("Remarks:\n\n");
        let mut list = Room::new(LIST);
        for remark in remarks {
            list.put(&mut out, &format!("- {}\n", inline(&self.without_places(remark), WORDS)));
        }
        list.close(&mut out, "remark");
        out
    }

    /// What is kept, and where.
    fn kept(&self) -> String {
        let kept = &self.state.lanes[self.lane].kept;
        if kept.is_empty() {
            return String::new();
        }
        let mut out =
            String::from("Kept on the machine of the run; `git branch NAME REF` brings one back:\n\n");
        let mut list = Room::new(LIST);
        for kept in kept {
            let reason = inline(&kept.reason, WORDS);
            list.put(&mut out, &format!("- {}: {reason}\n", code(&kept.reference, WORDS)));
        }
        list.close_for(&mut out, "ref", "`laneway custody list` on that machine");
        out
    }

    /// A remark without the places of this machine, which are nobody else's business.
    fn without_places(&self, remark: &str) -> String {
        let places = &self.plan.places;
        let mut out = remark.to_owned();
        for place in [&places.repo, &places.worktrees] {
            out = out.replace(&format!("{}/", place.display()), "");
        }
        out
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
