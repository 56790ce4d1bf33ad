//! Effects carried out, one file for each thing that is done. Each can be done again when its answer was lost: it looks
//! at the world first and does what is missing.

mod attempt;
mod collect;
mod conclude;
mod examine;
mod furnish;
mod gate;
mod head;
mod keep;
mod land;
mod merge;
mod origin;
mod outside;
mod prepare;
mod probe;
mod provision;
mod pull_request;
mod rest;
mod retarget;
mod stop;
mod sync;
mod task_pr;
mod teardown;
mod tracker;
pub(super) mod undo;
mod usage;
mod warm;

pub(super) use attempt::place_of;
pub use furnish::{SetupResult, setup_results};
pub(super) use prepare::{answer_file, note_file};

use std::sync::Arc;

use super::brief::Brief;
use super::context::Context;
use super::error::look_below;
use super::room;
use crate::event::{Draft, Effect, Failure, FailureKind};
use crate::failpoint::{self, Point};
use crate::git::GitError;

/// What a finished effect has found, and how it ended.
pub(super) struct Done {
    pub(super) facts: Vec<Draft>,
    pub(super) end: Result<(), Failure>,
}

impl Done {
    fn well(facts: Vec<Draft>) -> Self {
        Self { facts, end: Ok(()) }
    }

    fn failed(facts: Vec<Draft>, failure: Failure) -> Self {
        Self { facts, end: Err(failure) }
    }
}

impl From<Failure> for Done {
    fn from(failure: Failure) -> Self {
        Self { facts: Vec::new(), end: Err(failure) }
    }
}

/// Carries `brief` out and sends what came of it.
pub(super) async fn perform(context: Arc<Context>, brief: Box<Brief>) {
    let id = brief.effect.id();
    let shared = Arc::clone(&context);
    failpoint::pass(Point::EffectBegin);
    // Each in a box of its own size: those of a thousand agents would have that of the largest.
    let done = match &brief.effect {
        Effect::Provision { lane } => match Box::pin(provision::run(&context, &brief, lane)).await {
            Ok(done) => done,
            // Whether it is worth to wait depends on what else goes on.
            Err(missing) => {
                context.wanting.say(id, missing);
                return;
            }
        },
        Effect::Warm { lane, at } => Box::pin(warm::run(&context, lane, at)).await,
        Effect::Attempt { .. } => Box::pin(attempt::run(&context, &brief)).await,
        Effect::Stop { .. } => Box::pin(stop::run(&context, &brief.effect)).await,
        Effect::Examine { .. } => Box::pin(examine::run(&context, &brief)).await,
        Effect::Land { .. } => Box::pin(land::run(&context, &brief)).await,
        Effect::OpenPr { .. } => Box::pin(pull_request::open(&context, &brief)).await,
        Effect::Conclude { .. } => Box::pin(conclude::run(&context, &brief)).await,
        Effect::Review { .. } => Box::pin(outside::review(&context, &brief)).await,
        Effect::Undo { .. } => Box::pin(undo::run(&context, &brief)).await,
        Effect::CheckMerged { lane, tip } => {
            Box::pin(outside::check_merged(&context, &brief, lane, tip)).await
        }
        Effect::Prove { .. } => Box::pin(pull_request::prove(&context, &brief)).await,
        Effect::MergePr { .. } => Box::pin(merge::run(&context, &brief)).await,
        _ => blocking(move || quick(&shared, &brief)).await,
    };
    failpoint::pass(Point::EffectDone);
    match done.end {
        // It is not answered: whoever comes when there is room does it again.
        Err(failure) if room::is_told(&failure.message) => {
            context.report(&id, done.facts);
            context.full.send_replace(Some(failure.message));
        }
        end => context.end(id, done.facts, end),
    }
}

/// Effects that only talk to git and files.
fn quick(context: &Context, brief: &Brief) -> Done {
    match &brief.effect {
        Effect::Sync { lane, tip, from, n } => sync::run(context, brief, (lane, tip), from, *n),
        Effect::Collect { task, attempt } => collect::run(context, brief, task, *attempt),
        Effect::Teardown { lane, .. } => teardown::run(context, brief, lane),
        Effect::Probe { moved, .. } => probe::run(context, brief, moved),
        Effect::Provision { .. }
        | Effect::Warm { .. }
        | Effect::Attempt { .. }
        | Effect::Stop { .. }
        | Effect::Examine { .. }
        | Effect::Land { .. }
        | Effect::OpenPr { .. }
        | Effect::CheckMerged { .. }
        | Effect::Conclude { .. }
        | Effect::Review { .. }
        | Effect::Undo { .. }
        | Effect::Prove { .. }
        | Effect::MergePr { .. } => {
            unreachable!("these wait for processes or the forge and are dispatched before")
        }
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(broken) => std::panic::resume_unwind(broken.into_panic()),
    }
}

/// How a changed graph or setting comes to count: a run keeps those that it began with.
pub(super) const ANEW: &str = "laneway run FILE --fresh";

/// What a failure of git means for what was tried.
pub(super) fn git_failure(doing: &str, error: &GitError) -> Failure {
    let (class, hint) = match error {
        GitError::LockBusy { .. }
        | GitError::Unreachable { .. }
        | GitError::TimedOut { .. }
        | GitError::ObjectGone { .. } => (FailureKind::Transient, None),
        error if error.is_locked() => (FailureKind::Transient, None),
        // A branch that was looked for and is not there has not moved; trying again would not bring it back.
        GitError::RefMoved { expected: None, found: None, .. } => (FailureKind::Permanent, None),
        GitError::RefMoved { .. } => (FailureKind::Moved, None),
        GitError::CheckoutDirty { path, .. } => {
            (FailureKind::Refused, Some(format!("commit or stash the changes in {}", path.display())))
        }
        GitError::CheckoutInTheWay { path, .. } => {
            (FailureKind::Refused, Some(format!("move those files of {} away", path.display())))
        }
        GitError::CheckoutBusy { path, operation, .. } => {
            (FailureKind::Refused, Some(format!("finish {operation} in {}", path.display())))
        }
        GitError::PathOccupied { path } => {
            (FailureKind::Refused, Some(format!("move {} away", path.display())))
        }
        GitError::PathOfAnother { other, .. } => {
            let hint = format!(
                "let `laneway gc` of {} remove its worktree, or set another `worktrees` in laneway.toml and begin with `laneway run FILE --fresh`",
                other.display()
            );
            (FailureKind::Refused, Some(hint))
        }
        GitError::NoSuchFolder { nearest, .. } => {
            let hint = format!("{}; then begin anew with {ANEW}", look_below(nearest));
            (FailureKind::Refused, Some(hint))
        }
        GitError::Submodule { outermost, .. } => {
            let hint = format!(
                "run `git submodule update --init --recursive {outermost}` in your checkout, then laneway retry; to do without, set `submodules = false` and begin anew with {ANEW}"
            );
            (FailureKind::Refused, Some(hint))
        }
        GitError::Lfs { .. } => {
            let hint = format!(
                "install git-lfs and run `git lfs fetch`, then laneway retry; where pointers will do, set `lfs = \"skip\"` and begin anew with {ANEW}"
            );
            (FailureKind::Refused, Some(hint))
        }
        GitError::Signing { .. } => {
            (FailureKind::Refused, Some("unlock the signing key, or set commit.gpgsign=false".to_owned()))
        }
        _ => (FailureKind::Permanent, None),
    };
    Failure { class, message: format!("{doing}: {}", chain(error)), hint, retry_at: None }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A failure that another try would not mend.
fn permanent(message: String) -> Failure {
    Failure { class: FailureKind::Permanent, message, hint: None, retry_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p14_what_a_run_keeps_is_mended_by_a_new_one() {
        let commit = crate::id::Sha::new(&"a".repeat(40)).unwrap();
        let text = || "lib".to_owned();
        let submodule =
            GitError::Submodule { name: text(), path: text(), outermost: text(), commit, detail: text() };
        let hint = git_failure("making a lane", &submodule).hint.unwrap();
        assert!(
            hint.contains("lib` in your checkout, then laneway retry;") && hint.ends_with(ANEW),
            "{hint}"
        );
    }
}
