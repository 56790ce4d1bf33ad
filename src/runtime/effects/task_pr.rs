//! A task's own pull request, in lanes that have them: shown before its work lands, settled afterwards.
//!
//! It is for people and no condition: what goes wrong with it is said as a check, and the work lands all the same.

use super::land::Landing;
use super::origin::push;
use super::pull_request::{forge_failure, open_forge, status_of};
use super::{blocking, git_failure, keep};
use crate::event::{
    CHECK_TASK_PR, CheckStatus, Draft, EffectId, Event, Failure, FailureKind, MergeRecorded, PrRef,
    TaskPrClosed, TaskPrMerged, TaskPrOpened,
};
use crate::forge::{
    Closed, Forge, ForgeError, Merged, NewComment, NewPr, PrCheck, PrState, PrUpdate, PullRequest, Tried,
};
use crate::git::GitError;
use crate::id::Sha;
use crate::plan::{self, TaskPlan};
use crate::runtime::{Context, clock, room};
use crate::state::{Attempt, Check};
use crate::view;

/// Who merges and closes these.
const LANEWAY: &str = "laneway";

/// A pull request that shows the work that is to land.
pub(super) struct Shown {
    forge: Forge,
    pr: PrRef,
}

/// Opens the pull request of a landing, or lets it show this attempt; `None` where there is to be none, or it could not be
/// shown, which is said then.
pub(super) async fn show(landing: &Landing<'_>, effect: &EffectId, facts: &mut Vec<Draft>) -> Option<Shown> {
    let commit = landing.commit.filter(|_| landing.context.lane(&landing.task.lane).task_prs)?;
    let known = landing.known.pr.as_ref();
    if known.is_some_and(|pr| pr.merged.is_some() && pr.tip == *commit) {
        return None;
    }
    match try_show(landing, commit, facts).await {
        Ok(shown) => {
            let (pr, tip, base) = (shown.pr.clone(), commit.clone(), landing.branch());
            if known.is_none_or(|known| (&known.at, &known.tip) != (&pr, &tip) || known.closed_by.is_some()) {
                let event = TaskPrOpened { pr, tip, base };
                landing.context.report(effect, vec![Draft::world(landing.subject.clone(), event)]);
            }
            Some(shown)
        }
        Err(failure) => {
            remark(landing, facts, &failure);
            None
        }
    }
}

/// Brings the evidence up to date, and ends the pull request with the landing: merged where the work is in the lane, closed
/// where it does not get there any more.
pub(super) async fn settle(
    landing: &Landing<'_>,
    shown: &Shown,
    failure: Option<&Failure>,
    facts: &mut Vec<Draft>,
) {
    let landed = recorded(facts).map(|event| event.to.clone());
    if landed.is_none() && landing.context.is_halted(Some(&landing.key())) {
        return;
    }
    if let Err(failure) = tell(landing, shown, facts).await {
        remark(landing, facts, &failure);
    }
    let landed = match landed {
        None => None,
        Some(_) => match share(landing, shown, facts).await {
            Ok(commit) => Some(commit),
            Err(failure) => return remark(landing, facts, &failure),
        },
    };
    let ended = match (landed, failure.filter(|failure| is_last(landing, failure))) {
        (Some(commit), _) => merged(landing, shown, commit).await,
        (None, Some(failure)) => {
            let reason = format!("attempt {} did not land: {}", landing.number, failure.message);
            closed(landing, shown, reason).await
        }
        (None, None) => return,
    };
    match ended {
        Ok(event) => facts.push(Draft::world(landing.subject.clone(), event)),
        Err(failure) => remark(landing, facts, &failure),
    }
}

/// The event by which the lane got the work.
fn recorded(facts: &mut [Draft]) -> Option<&mut MergeRecorded> {
    facts.iter_mut().find_map(|fact| match &mut fact.event {
        Event::MergeRecorded(event) => Some(event),
        _ => None,
    })
}

/// Puts the lane on GitHub, which sees the pull request as merged then. Where a person has merged it meanwhile, the lane
/// goes on from that, provided that it is what was proven. Returns the commit by which the lane has the work.
async fn share(landing: &Landing<'_>, shown: &Shown, facts: &mut Vec<Draft>) -> Result<Sha, Failure> {
    let Some(event) = recorded(facts) else {
        return Err(super::permanent("nothing has landed".to_owned()));
    };
    let Forge::GitHub(github) = &shown.forge else { return Ok(event.to.clone()) };
    let (shared, lane, at) = (landing.context.clone(), landing.task.lane.clone(), event.to.clone());
    let Err(unpushed) = blocking(move || push(&shared, &lane, &at)).await else {
        return Ok(event.to.clone());
    };
    if unpushed.failure.class == FailureKind::Transient {
        return Err(unpushed.failure);
    }
    let number = shown.pr.number;
    let merged = github.merged(number).await;
    let merged = merged.map_err(|e| forge_failure("looking at the pull request of the task", &e))?;
    let Some(merged) = merged else { return Err(unpushed.failure) };
    match landing.go_on_from(&event.to, &event.tree).await? {
        Some((commit, unpushed)) => {
            event.to = commit.clone();
            if let Some(failure) = unpushed {
                remark(landing, facts, &failure);
            }
            Ok(commit)
        }
        None => Err(merged_unproven(landing, number, &merged.by)),
    }
}

/// What a person merged is not what was proven here.
fn merged_unproven(landing: &Landing<'_>, number: u64, by: &str) -> Failure {
    let (task, branch) = (&landing.task.id, landing.branch());
    Failure {
        class: FailureKind::Refused,
        message: format!(
            "pull request #{number} of task `{task}` was merged by {by}, and origin's `{branch}` holds other work since than \
             what was proven here; it was left alone"
        ),
        hint: Some(format!("look at git log origin/{branch}; delete or rename it, then laneway retry")),
        retry_at: None,
    }
}

/// Whether no attempt follows one that failed so.
fn is_last(landing: &Landing<'_>, failure: &Failure) -> bool {
    let counts = matches!(failure.class, FailureKind::Work | FailureKind::Conflict | FailureKind::Permanent);
    // A full disk ends no attempt.
    counts && !room::is_told(&failure.message) && landing.known.failures + 1 >= landing.task.attempts
}

/// What there was no room for, if that is why a pull request could not be shown or settled: then it is no remark.
pub(super) fn lacked_room(facts: &[Draft]) -> Option<String> {
    facts.iter().find_map(|fact| match &fact.event {
        Event::CheckRecorded(check) if check.name == CHECK_TASK_PR && room::is_told(&check.detail) => {
            Some(check.detail.clone())
        }
        _ => None,
    })
}

fn remark(landing: &Landing<'_>, facts: &mut Vec<Draft>, failure: &Failure) {
    landing.check(facts, CHECK_TASK_PR, CheckStatus::Warn, &failure.message);
}

fn failed(error: &ForgeError) -> Failure {
    forge_failure("showing the pull request of the task", error)
}

async fn try_show(landing: &Landing<'_>, commit: &Sha, facts: &mut Vec<Draft>) -> Result<Shown, Failure> {
    let context = landing.context;
    let forge = open_forge(context)?;
    let new = new(landing, commit);
    let mut found = find(landing, &forge, &new).await.map_err(|e| failed(&e))?;
    if let (Forge::GitHub(_), Some(pull)) = (&forge, &found)
        && let Some(merged) = &pull.merged
    {
        // It landed before the answer was lost, by whosever hands; or it was merged as an earlier attempt had left it.
        if pull.head_sha != *commit {
            return Err(merged_unproven(landing, pull.number, &merged.by));
        }
        let pr = PrRef { number: pull.number, url: pull.url.clone() };
        return Ok(Shown { forge, pr });
    }
    // GitHub opens none again whose branch has moved since, so this comes before the push.
    if let Some(pull) = found.as_mut().filter(|pull| pull.state == PrState::Closed) {
        *pull = forge.reopen(pull.number, &new.at).await.map_err(|e| failed(&e))?;
    }
    let branches = Branches {
        task: landing.task.clone(),
        number: landing.number,
        head: new.head.clone(),
        tip: landing.tip.clone(),
        commit: commit.clone(),
    };
    let (shared, subject) = (context.clone(), landing.subject.clone());
    let (kept, put) = blocking(move || {
        let mut kept = Vec::new();
        let put = branches.put(&shared, |event| kept.push(Draft::world(subject.clone(), event)));
        (kept, put)
    })
    .await;
    facts.extend(kept);
    put?;
    let pull = match found {
        None => forge.create(new, Tried::Never).await.map_err(|e| failed(&e))?.into_pull(),
        Some(pull) => {
            let update = PrUpdate {
                title: Some(new.title),
                body: Some(new.body),
                head_sha: Some(new.head_sha),
                base_sha: Some(new.base_sha),
                checks: Some(new.checks),
                ..PrUpdate::default()
            };
            match forge.update(pull.number, update, &new.at).await {
                Ok(pull) => pull,
                // It landed before the answer was lost.
                Err(ForgeError::WrongState { state: PrState::Merged, .. }) => pull,
                Err(error) => return Err(failed(&error)),
            }
        }
    };
    Ok(Shown { forge, pr: PrRef { number: pull.number, url: pull.url } })
}

/// The pull request that the journal knows, or the one that was opened before its answer was lost.
async fn find(landing: &Landing<'_>, forge: &Forge, new: &NewPr) -> Result<Option<PullRequest>, ForgeError> {
    match landing.known.pr.as_ref().filter(|pr| pr.merged.is_none()) {
        Some(pr) => forge.get(pr.at.number).await.map(Some),
        None => forge.find_by_marker(&new.marker, &new.head).await,
    }
}

fn new(landing: &Landing<'_>, commit: &Sha) -> NewPr {
    let (plan, task) = (&landing.context.plan, &landing.task);
    let first = plan::task_pr_marker(plan, &task.lane, &task.id);
    // What is merged stays so: work that comes after it, to resolve a conflict of the lane, has another pull request.
    let merged = landing.known.pr.as_ref().is_some_and(|pr| pr.merged.is_some());
    let marker = if merged { format!("{first}:{}", landing.number) } else { first };
    let text = text(landing, &landing.known.attempt);
    NewPr {
        title: text.title,
        body: text.body,
        draft: false,
        head: plan::task_pr_branch(&plan.graph, plan.run, &task.lane, &task.id),
        base: landing.branch(),
        head_sha: commit.clone(),
        base_sha: landing.tip.clone(),
        marker,
        graph: plan.graph.clone(),
        run: plan.run,
        lane: task.lane.clone(),
        author: landing.context.author.name.clone(),
        at: clock::wall().to_string(),
        labels: Vec::new(),
        reviewers: Vec::new(),
        checks: checks(&landing.known.attempt),
    }
}

fn text(landing: &Landing<'_>, attempt: &Attempt) -> view::PrText {
    let summary = landing.known.summary.as_deref();
    view::task_pull_request(&landing.context.plan.graph, &landing.task, attempt, summary)
}

fn checks(attempt: &Attempt) -> Vec<PrCheck> {
    let checks = attempt.checks.iter().map(|check| PrCheck {
        name: check.name.clone(),
        status: status_of(check.status),
        detail: check.detail.lines().next().unwrap_or_default().to_owned(),
    });
    checks.collect()
}

/// Shows what the landing has found.
async fn tell(landing: &Landing<'_>, shown: &Shown, facts: &[Draft]) -> Result<(), Failure> {
    let mut attempt = landing.known.attempt.clone();
    for fact in facts {
        if let Event::CheckRecorded(event) = &fact.event {
            attempt.checks.retain(|check| check.name != event.name);
            attempt.checks.push(Check {
                name: event.name.clone(),
                status: event.status,
                detail: event.detail.clone(),
                duration_ms: event.duration_ms,
            });
        }
    }
    let update = PrUpdate {
        body: Some(text(landing, &attempt).body),
        checks: Some(checks(&attempt)),
        ..PrUpdate::default()
    };
    let updated = shown.forge.update(shown.pr.number, update, &clock::wall().to_string()).await;
    updated.map(drop).map_err(|e| failed(&e))
}

/// The lane holds the work as `commit`.
async fn merged(landing: &Landing<'_>, shown: &Shown, commit: Sha) -> Result<Event, Failure> {
    let doing = |e: ForgeError| forge_failure("merging the pull request of the task", &e);
    let pr = shown.pr.clone();
    match &shown.forge {
        Forge::Local(local) => {
            let (local, number) = (local.clone(), pr.number);
            let at = clock::wall().to_string();
            let merged = Merged { sha: commit.clone(), by: LANEWAY.to_owned(), at };
            blocking(move || local.mark_merged(number, merged)).await.map_err(doing)?;
        }
        Forge::GitHub(github) => {
            if !github.sees_merged(pr.number).await.map_err(doing)? {
                let reason = format!(
                    "its work is in `{}` as {}, which is not shown as merged here",
                    landing.branch(),
                    commit.short()
                );
                return closed(landing, shown, reason).await;
            }
        }
    }
    Ok(TaskPrMerged { pr, commit }.into())
}

/// Closes it, with a comment that says why.
async fn closed(landing: &Landing<'_>, shown: &Shown, reason: String) -> Result<Event, Failure> {
    let doing = |e: ForgeError| forge_failure("closing the pull request of the task", &e);
    let (number, at) = (shown.pr.number, clock::wall().to_string());
    let key = format!("{}/{}/{}", landing.context.plan.uuid, landing.task.id, landing.number);
    let body = view::task_pr_closed(&reason);
    let said = shown.forge.comments(number).await.map_err(doing)?;
    // The local forge knows no keys.
    if !said.iter().any(|comment| comment.body == body) {
        let author = LANEWAY.to_owned();
        let comment = NewComment { author, body, at: at.clone(), path: None, line: None, key: Some(key) };
        shown.forge.add_comment(number, comment, Tried::Never).await.map_err(doing)?;
    }
    let by = LANEWAY.to_owned();
    match shown.forge.close(number, Closed { by, at }).await {
        Ok(_) => Ok(TaskPrClosed { pr: shown.pr.clone(), reason }.into()),
        Err(ForgeError::WrongState { state: PrState::Merged, .. }) => {
            Err(merged_unproven(landing, number, "a person"))
        }
        Err(error) => Err(doing(error)),
    }
}

/// The two ends of a pull request, to be put where its forge finds them.
struct Branches {
    task: TaskPlan,
    number: u32,
    head: String,
    tip: Sha,
    commit: Sha,
}

impl Branches {
    fn put(&self, context: &Context, kept: impl FnMut(crate::event::CustodyKept)) -> Result<(), Failure> {
        let doing = |e: GitError| git_failure(&format!("showing the work of `{}`", self.task.id), &e);
        self.put_here(context, kept).map_err(doing)?;
        if context.github.is_none() {
            return Ok(());
        }
        let Some(remote) = context.push_remote() else {
            // It says why.
            return push(context, &self.task.lane, &self.tip).map_err(|unpushed| unpushed.failure);
        };
        let repo = &context.project.repo;
        let base = repo.remote_tip(remote, &context.lane(&self.task.lane).branch).map_err(doing)?;
        if !self.holds(context, base.as_ref()).map_err(doing)? {
            push(context, &self.task.lane, &self.tip).map_err(|unpushed| unpushed.failure)?;
        }
        let there = repo.remote_tip(remote, &self.head).map_err(doing)?;
        if let Some(there) = &there
            && !self.is_ours(context, there).map_err(doing)?
        {
            let message = format!("origin's `{}` holds commits that this run does not know", self.head);
            return Err(Failure { class: FailureKind::Refused, message, hint: None, retry_at: None });
        }
        repo.push(remote, &self.commit, &self.head, there.as_ref()).map_err(doing)
    }

    /// The local branch, for whoever wants to look at the work.
    fn put_here(
        &self,
        context: &Context,
        mut kept: impl FnMut(crate::event::CustodyKept),
    ) -> Result<(), GitError> {
        let repo = &context.project.repo;
        let branch = format!("refs/heads/{}", self.head);
        let old = repo.read_ref(&branch)?;
        if let Some(old) = &old
            && !self.is_ours(context, old)?
        {
            let reason = format!("commits of other hands on `{}`", self.head);
            kept(keep::commit(context, old, &format!("task-pr/{}", self.task.id), &reason)?);
        }
        repo.advance(&branch, old.as_ref(), &self.commit)?;
        Ok(())
    }

    /// Whether origin's integration branch has what the pull request is compared with; it may be further.
    fn holds(&self, context: &Context, base: Option<&Sha>) -> Result<bool, GitError> {
        let repo = &context.project.repo;
        match base {
            Some(base) if repo.resolve_commit(base.as_str())?.is_some() => repo.is_ancestor(&self.tip, base),
            _ => Ok(false),
        }
    }

    /// Whether a commit is this attempt's, one that it goes on from, or that of an attempt before it.
    fn is_ours(&self, context: &Context, commit: &Sha) -> Result<bool, GitError> {
        let (repo, plan) = (&context.project.repo, &context.plan);
        if repo.resolve_commit(commit.as_str())?.is_some() && repo.is_ancestor(commit, &self.commit)? {
            return Ok(true);
        }
        for attempt in 1..=self.number {
            let branch = plan::task_branch(&plan.graph, plan.run, &self.task.lane, &self.task.id, attempt);
            if repo.read_ref(&format!("refs/heads/{branch}"))?.as_ref() == Some(commit) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
