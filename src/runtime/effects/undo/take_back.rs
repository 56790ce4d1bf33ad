//! Work that is taken back in a lane: the branch goes forward to where it is without that.

use super::Asked;
use crate::event::{Draft, Failure, FailureKind, LaneUndone, few};
use crate::git::{GitError, Identity, Landed, Merge, Repo, Stretch};
use crate::id::{LaneId, Sha};
use crate::runtime::Context;
use crate::runtime::effects::{blocking, git_failure, origin};

/// Two changes that do not come apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) struct Clash {
    /// What was to be done.
    pub(in crate::runtime) doing: String,
    /// The paths.
    pub(in crate::runtime) paths: Vec<String>,
}

/// Who makes the commits of a reset.
pub(in crate::runtime) struct Maker<'a> {
    pub(in crate::runtime) repo: &'a Repo,
    pub(in crate::runtime) author: &'a Identity,
    /// What each of them carries.
    pub(in crate::runtime) mark: String,
    /// What has landed where the lane goes.
    pub(in crate::runtime) landed: &'a [Landed],
}

impl Maker<'_> {
    /// `tip` without what `commits` brought, and with `from` taken in. A commit that is not there is passed over.
    pub(in crate::runtime) fn make(
        &self,
        tip: &Sha,
        commits: &[Sha],
        from: &[(LaneId, Sha)],
    ) -> Result<Result<Sha, Clash>, GitError> {
        let mut made = Vec::new();
        let done = self.make_all(tip, commits, from, &mut made);
        // The last one holds the others. Where there is none, nothing comes of any.
        if matches!(done, Ok(Ok(_))) {
            made.pop();
        }
        for commit in &made {
            self.repo.let_go(commit);
        }
        done
    }

    fn make_all(
        &self,
        tip: &Sha,
        commits: &[Sha],
        from: &[(LaneId, Sha)],
        made: &mut Vec<Sha>,
    ) -> Result<Result<Sha, Clash>, GitError> {
        let mut now = tip.clone();
        for commit in commits {
            let Some(before) = self.repo.parents(commit)?.into_iter().next() else { continue };
            if !self.repo.is_ancestor(commit, &now)? {
                continue;
            }
            let stretch = Stretch { before, after: commit.clone() };
            let subject = self.subject(commit)?;
            match self.repo.without(&now, &stretch)? {
                Merge::Conflict { paths, .. } => {
                    let doing = format!("taking back `{subject}` ({})", commit.short());
                    return Ok(Err(Clash { doing, paths }));
                }
                Merge::Clean { tree, .. } => {
                    let message = format!("Take back {subject}\n\nLaneway-Reverts: {commit}\n{}", self.mark);
                    now = self.repo.commit_tree(&tree, &[now], &message, self.author)?;
                    made.push(now.clone());
                }
            }
        }
        for (lane, theirs) in from {
            if self.repo.is_ancestor(theirs, &now)? {
                continue;
            }
            match self.repo.merge_knowing(&now, theirs, self.landed)? {
                Merge::Conflict { paths, .. } => {
                    return Ok(Err(Clash { doing: format!("taking lane `{lane}` in anew"), paths }));
                }
                Merge::Clean { tree, .. } => {
                    let message = format!("Take lane {lane} in without what was undone\n\n{}", self.mark);
                    now = self.repo.commit_tree(&tree, &[now, theirs.clone()], &message, self.author)?;
                    made.push(now.clone());
                }
            }
        }
        Ok(Ok(now))
    }

    fn subject(&self, commit: &Sha) -> Result<String, GitError> {
        Ok(self.repo.commit_message(commit)?.lines().next().unwrap_or_default().to_owned())
    }
}

/// Moves the lane's branch.
pub(super) fn forward(
    asked: &Asked,
    tip: &Sha,
    commits: &[Sha],
    from: &[(LaneId, Sha)],
) -> Result<Sha, Failure> {
    let context = &asked.context;
    let (repo, lane) = (&context.project.repo, &asked.lane);
    let doing = |e: GitError| git_failure(&format!("taking work back in lane `{lane}`"), &e);
    let branch = format!("refs/heads/{}", context.lane(lane).branch);
    let found = repo.read_ref(&branch).map_err(doing)?;
    if let Some(found) = found.as_ref().filter(|found| *found != tip) {
        let message = repo.commit_message(found).map_err(doing)?;
        if message.ends_with(&asked.mark()) && repo.is_ancestor(tip, found).map_err(doing)? {
            return Ok(found.clone());
        }
        return Err(moved(context, lane, found));
    }
    let maker = Maker { repo, author: &context.author, mark: asked.mark(), landed: &asked.landed };
    let made = maker.make(tip, commits, from).map_err(doing)?.map_err(|clash| conflict(lane, &clash))?;
    repo.sync_objects(&made, std::slice::from_ref(tip)).map_err(doing)?;
    repo.advance(&branch, found.as_ref(), &made).map_err(doing)?;
    Ok(made)
}

/// A branch that others have moved is theirs to look at.
fn moved(context: &Context, lane: &LaneId, found: &Sha) -> Failure {
    let branch = &context.lane(lane).branch;
    Failure {
        class: FailureKind::Refused,
        message: format!(
            "`{branch}` was moved to {} by other hands than Laneway's; it was left alone",
            found.short()
        ),
        hint: Some(format!("look at git log {branch}, and bring what is yours to a branch of its own")),
        retry_at: None,
    }
}

pub(in crate::runtime) fn conflict(lane: &LaneId, clash: &Clash) -> Failure {
    Failure {
        class: FailureKind::Conflict,
        message: format!(
            "{} in lane `{lane}` conflicts with later work in {}",
            clash.doing,
            few(&clash.paths, 0)
        ),
        hint: Some("undo the later work too".to_owned()),
        retry_at: None,
    }
}

/// Shows what has become of the lane; what cannot be shown is remarked, and the next pull request shows it.
pub(super) async fn show(
    asked: &Asked,
    made: Sha,
    commits: Vec<Sha>,
    from: Vec<(LaneId, Sha)>,
) -> Vec<Draft> {
    let (mut facts, mut remarks) = (Vec::new(), Vec::new());
    if asked.context.push_remote().is_some() {
        let (pusher, tip) = (asked.clone(), made.clone());
        let shown = blocking(move || origin::push(&pusher.context, &pusher.lane, &tip)).await;
        remarks.extend(shown.err().map(|unpushed| unpushed.told(&mut facts).message));
    }
    if let Some(pr) = asked.open_pr() {
        let body = crate::view::undo_taken_back(&asked.lane, &asked.by, &commits, &made);
        remarks.extend(asked.say(pr, body).await.err().map(|failure| failure.message));
    }
    facts.push(asked.fact(LaneUndone { tip: Some(made), reverted: commits, upstream: from, remarks }));
    facts
}
