//! What is known to go wrong when the lane is merged.

use super::neutral::inline;
use super::sections::{Section, WORDS};
use crate::event::{CHECK_MERGEABLE, CheckStatus, few};
use crate::view::plain::put;

/// How much of what is wrong is shown, in characters.
const DETAIL: usize = 2 * WORDS;

/// What it stands below.
const HEADING: &str = "## Trouble ahead\n";

/// `body` without its trouble ahead, once the lane is merged; `None` where it tells of none.
pub fn without_trouble(body: &str) -> Option<String> {
    let begin = body.find(HEADING).filter(|&at| at == 0 || body[..at].ends_with('\n'))?;
    let rest = &body[begin + HEADING.len()..];
    let end = rest.find("\n## ").map_or(rest.len(), |at| at + 1);
    Some(format!("{}{}", &body[..begin], &rest[end..]))
}

impl Section<'_> {
    /// Conflicts with what the lane has to take in, or with what it goes into; and what a person wants changed.
    pub(super) fn trouble(&self) -> String {
        let lane = &self.state.lanes[self.lane];
        let target = &self.lane_plan().target;
        let against = |c: &&crate::state::Check| c.name == CHECK_MERGEABLE && c.status == CheckStatus::Fail;
        let mut lines = Vec::new();
        if let Some(open) = &lane.unresolved {
            let paths = few(&open.conflict.paths, open.conflict.more);
            lines.push(format!("It does not merge with {}: both changed {paths}.", open.conflict.with));
        }
        match lane.checks.iter().find(against) {
            Some(check) => lines.push(format!("It does not merge: {}.", check.detail)),
            None if lane.behind && lane.unresolved.is_none() => {
                lines.push(format!("{target} has moved since, in a way that conflicts with it."));
            }
            None => {}
        }
        for (_, ahead) in self.state.predictions(self.lane) {
            let paths = few(&ahead.paths, ahead.more);
            lines.push(format!("It will conflict with {}, as both stand now, in {paths}.", ahead.with));
        }
        if lines.is_empty() {
            return String::new();
        }
        let mut out = format!("{HEADING}\n");
        for line in lines {
            put(&mut out, format_args!("- {}", inline(&line, DETAIL)));
        }
        out
    }
}
