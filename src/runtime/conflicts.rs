//! Which lanes of a run, or which refs, would not merge with each other as they stand at this moment.

use std::collections::BTreeMap;

use super::{Project, RuntimeError};
use crate::git::{GitError, Identity, Repo, Verdict};
use crate::id::Sha;
use crate::plan::Plan;
use crate::state::State;

/// Something that is compared with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// A lane's id, a branch, a ref.
    pub name: String,
    /// Where it stands.
    pub tip: Sha,
}

/// What was compared, and how each two of them go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// The things that were compared, in order; pairs name them by position.
    pub compared: Vec<Compared>,
    /// The pairs with their answers; the first position is the smaller.
    pub pairs: BTreeMap<(usize, usize), Verdict>,
}

/// Compares every two of `compared`.
pub fn conflicts_among(project: &Project, compared: Vec<Compared>) -> Result<Conflicts, RuntimeError> {
    let count = compared.len();
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
    let mut probe = project.repo.probe()?;
    Ok(judge(&mut probe, compared, pairs)?)
}

/// Compares the lanes that are in play with each other and with their targets, as those are known here. With
/// `uncommitted`, files that lie uncommitted in their worktrees count too.
pub fn conflicts_of_run(
    project: &Project,
    plan: &Plan,
    state: &State,
    uncommitted: bool,
) -> Result<Conflicts, RuntimeError> {
    let mut probe = project.repo.probe()?;
    let author = Identity { name: plan.author.name.clone(), email: plan.author.email.clone() };
    let (mut compared, mut targets): (Vec<Compared>, Vec<&str>) = (Vec::new(), Vec::new());
    for (lane, known) in plan.lanes.iter().zip(&state.lanes) {
        let Some(mut tip) = known.tip.clone().filter(|_| known.is_in_play()) else { continue };
        let worktree = match known.worktree.as_ref().filter(|_| uncommitted) {
            Some(_) => project.repo.reopen(&lane.worktree)?,
            None => None,
        };
        if let Some(worktree) = worktree.filter(|worktree| worktree.path.is_dir()) {
            let head = project.repo.head(&worktree)?.sha;
            tip = probe.snapshot(&worktree, &head, &author)?;
        }
        compared.push(Compared { name: lane.id.to_string(), tip });
        targets.push(&lane.target);
    }
    let lanes = compared.len();
    let mut pairs: Vec<(usize, usize)> =
        (0..lanes).flat_map(|a| (a + 1..lanes).map(move |b| (a, b))).collect();
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for (lane, target) in targets.into_iter().enumerate() {
        // The branch of a lane that it is nested in is compared as that lane.
        if plan.lanes.iter().any(|other| other.branch == target) {
            continue;
        }
        if !at.contains_key(target) {
            let Some(tip) = target_as_seen(&project.repo, target)? else { continue };
            at.insert(target, compared.len());
            compared.push(Compared { name: target.to_owned(), tip });
        }
        pairs.push((lane, at[target]));
    }
    Ok(judge(&mut probe, compared, pairs)?)
}

fn judge(
    probe: &mut crate::git::Probe,
    compared: Vec<Compared>,
    pairs: Vec<(usize, usize)>,
) -> Result<Conflicts, GitError> {
    let tips: Vec<(Sha, Sha)> =
        pairs.iter().map(|&(a, b)| (compared[a].tip.clone(), compared[b].tip.clone())).collect();
    let verdicts = probe.pairs(&tips)?;
    Ok(Conflicts { compared, pairs: pairs.into_iter().zip(verdicts).collect() })
}

/// Where a target stands as far as it is known here: what was fetched last, unless the local branch is ahead of that.
pub(super) fn target_as_seen(repo: &Repo, target: &str) -> Result<Option<Sha>, GitError> {
    let local = repo.branch_tip(target)?;
    let fetched = repo.read_ref(&format!("refs/laneway/remote/{target}"))?;
    Ok(match (local, fetched) {
        (Some(local), Some(fetched)) if repo.is_ancestor(&fetched, &local)? => Some(local),
        (local, fetched) => fetched.or(local),
    })
}
