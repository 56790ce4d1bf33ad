//! Which pieces of evidence count now.

use crate::event::CheckStatus;
use crate::state::Check;

/// The latest result of each check, in the order in which the checks were first made.
pub(super) fn latest(checks: &[Check]) -> Vec<&Check> {
    let mut out: Vec<&Check> = Vec::new();
    for check in checks {
        match out.iter_mut().find(|c| c.name == check.name) {
            Some(earlier) => *earlier = check,
            None => out.push(check),
        }
    }
    out
}

/// The results in few words, the worst first: `fail: gate; pass: claim, base`.
pub(super) fn brief(checks: &[Check]) -> String {
    let latest = latest(checks);
    let order = [CheckStatus::Fail, CheckStatus::Warn, CheckStatus::Pass, CheckStatus::Skip];
    let groups = order.into_iter().filter_map(|status| {
        let names: Vec<&str> =
            latest.iter().filter(|c| c.status == status).map(|c| c.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{}: {}", status.word(), names.join(", ")))
    });
    groups.collect::<Vec<_>>().join("; ")
}
