//! The one who asks GitHub what became of the run's pull requests. The local forge needs nobody: who changes something
//! there tells the run.
//!
//! What another run of the repository has just asked is not asked again: the answers lie in the record.
//!
//! It decides nothing. What it finds goes to the loop as [`Input::News`]; what is no news there is dropped there.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock;
use crate::engine::Input;
use crate::event::{
    CheckRecorded, CheckStatus, Draft, Event, LaneStatus, PrClosed, PrMerged, PrRef, PrUpdated, RevertClosed,
    RevertMerged, ReviewAct, ReviewDismissed, ReviewObserved, Subject, Timestamp,
};
use crate::forge::{self, ForgeError, GitHub, PrCheck, PrNews, PrState, Verdict, Watch};
use crate::id::LaneId;
use crate::state::State;

/// A lane whose pull request is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    lane: LaneId,
    pr: PrRef,
    /// Whether it takes the lane out of its target.
    reverts: bool,
}

/// The lanes that wait for news: their pull request is open, or was closed by somebody who may think again.
pub(super) fn watched(state: &State) -> Vec<Watched> {
    let lanes = || state.plan().lanes.iter().zip(&state.lanes);
    let reverts = lanes().filter_map(|(plan, lane)| {
        let revert = lane.revert.as_ref().filter(|revert| revert.is_open())?;
        Some(Watched { lane: plan.id.clone(), pr: revert.at.clone(), reverts: true })
    });
    lanes()
        .filter_map(|(plan, lane)| {
            let pr = lane.pr.as_ref().filter(|pr| pr.merged.is_none())?;
            let waits = match lane.status {
                LaneStatus::PrCreated => true,
                LaneStatus::Failed => pr.closed_by.is_some(),
                _ => false,
            };
            waits.then(|| Watched { lane: plan.id.clone(), pr: pr.at.clone(), reverts: false })
        })
        .chain(reverts)
        .collect()
}

/// Asks until the loop is gone: often while something happens, seldom when it does not, and not before the moment that
/// GitHub names.
pub(super) async fn poll(
    github: GitHub,
    mut lanes: watch::Receiver<Vec<Watched>>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let mut watch = Watch::default();
    let mut pause = github.pace().busy;
    let mut trouble = false;
    // The first look, and one for a pull request that is new, shows how things are now; the others may be another run's.
    let mut since = clock::wall();
    loop {
        let watched = lanes.borrow_and_update().clone();
        if watched.is_empty() {
            if lanes.changed().await.is_err() {
                return;
            }
            since = clock::wall();
            continue;
        }
        let numbers: Vec<u64> = watched.iter().map(|one| one.pr.number).collect();
        let (input, not_before) = match github.news_since(&mut watch, &numbers, since).await {
            Ok(news) => {
                trouble = false;
                let (busy, quiet) = (github.pace().busy, github.pace().quiet);
                pause = if news.is_empty() { (pause * 3 / 2).min(quiet) } else { busy };
                let facts = news.iter().flat_map(|one| facts(&watched, one)).collect();
                (Input::News { facts, problem: None }, None)
            }
            Err(error) => {
                pause = github.pace().patience;
                // Said once, not at every look.
                let problem = (!std::mem::replace(&mut trouble, true)).then(|| problem(&error));
                (Input::News { facts: Vec::new(), problem }, error.until())
            }
        };
        if inputs.send(input).is_err() {
            return;
        }
        let at_least = not_before.map(|at| Duration::from_millis(at.since(clock::wall())));
        since = match rest(&mut lanes, pause, at_least).await {
            Rested::Whole => ago(pause),
            Rested::Woken => clock::wall(),
            Rested::Over => return,
        };
    }
}

/// Everything that GitHub shows of the pull requests that `state` waits for, news or not.
pub(super) async fn look(github: &GitHub, state: &State) -> Result<Vec<Draft>, ForgeError> {
    let watched = watched(state);
    if watched.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<u64> = watched.iter().map(|one| one.pr.number).collect();
    let news = github.news(&mut Watch::default(), &numbers).await?;
    Ok(news.iter().flat_map(|one| facts(&watched, one)).collect())
}

/// How a pause ended.
enum Rested {
    Whole,
    /// The lanes have changed.
    Woken,
    /// The loop is gone.
    Over,
}

/// The moment `pause` before now.
fn ago(pause: Duration) -> Timestamp {
    let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    Timestamp(clock::wall().0.saturating_sub(pause))
}

/// Waits for the next look: shorter when the lanes change, but never less than `at_least`.
async fn rest(
    lanes: &mut watch::Receiver<Vec<Watched>>,
    pause: Duration,
    at_least: Option<Duration>,
) -> Rested {
    if let Some(at_least) = at_least {
        tokio::time::sleep(at_least.max(pause)).await;
        return if lanes.has_changed().is_ok() { Rested::Whole } else { Rested::Over };
    }
    tokio::select! {
        () = tokio::time::sleep(pause) => Rested::Whole,
        changed = lanes.changed() => if changed.is_ok() { Rested::Woken } else { Rested::Over },
    }
}

/// Why there is no news, for people.
pub(super) fn problem(error: &ForgeError) -> String {
    let hint = error.hint().map_or(String::new(), |hint| format!("; {hint}"));
    format!("there is no news of the pull requests: {error}{hint}")
}

/// What the run has to know of a pull request.
fn facts(watched: &[Watched], news: &PrNews) -> Vec<Draft> {
    let PrNews { pull, reviews, dismissed } = news;
    let Some(known) = watched.iter().find(|one| one.pr.number == pull.number) else {
        return Vec::new();
    };
    let subject = || Subject::lane(&known.lane);
    if known.reverts {
        let end = match (&pull.merged, &pull.closed) {
            (Some(merged), _) => {
                Some(RevertMerged { commit: merged.sha.clone(), by: merged.by.clone() }.into())
            }
            (None, Some(closed)) => Some(Event::from(RevertClosed { by: closed.by.clone() })),
            (None, None) => None,
        };
        return end.map(|event| Draft::world(subject(), event)).into_iter().collect();
    }
    let mut facts: Vec<Draft> = reviews
        .iter()
        .map(|review| {
            let act = match review.verdict {
                Verdict::Approve => ReviewAct::Approve,
                Verdict::RequestChanges => ReviewAct::RequestChanges,
                Verdict::Comment => ReviewAct::Comment,
            };
            let (by, text) = (review.author.clone(), bounded(&review.body));
            let (id, tip) = (Some(review.id), review.sha.clone());
            Draft::world(subject(), ReviewObserved { act, by, text, tip, id })
        })
        .collect();
    facts.extend(dismissed.iter().map(|review| {
        let (id, by, text) = (review.id, review.author.clone(), bounded(&review.body));
        let (tip, ours) = (review.sha.clone(), review.ours);
        Draft::world(subject(), ReviewDismissed { id, by, text, tip, ours })
    }));
    match (&pull.merged, &pull.closed) {
        (Some(merged), _) => {
            let event = PrMerged {
                commit: merged.sha.clone(),
                by: merged.by.clone(),
                head: Some(pull.head_sha.clone()),
            };
            facts.push(Draft::world(subject(), event));
        }
        (None, Some(closed)) => facts.push(Draft::world(subject(), PrClosed { by: closed.by.clone() })),
        (None, None) => {
            debug_assert_eq!(pull.state, PrState::Open, "merged and closed ones say how");
            facts.extend(pull.checks.iter().filter_map(|one| check(&known.lane, one)));
            let (pr, tip) = (known.pr.clone(), pull.head_sha.clone());
            let event = PrUpdated { pr, tip, base: pull.base.clone(), draft: pull.draft };
            facts.push(Draft::world(subject(), event));
        }
    }
    facts
}

/// The longest words of a reviewer that go into the journal, in characters.
const MOST_WORDS: usize = 4000;

fn bounded(text: &str) -> String {
    text.chars().take(MOST_WORDS).collect()
}

/// A check on GitHub as evidence about the lane; `None` while it runs.
pub(super) fn check(lane: &LaneId, check: &PrCheck) -> Option<Draft> {
    let status = match check.status {
        forge::CheckStatus::Pending => return None,
        forge::CheckStatus::Pass => CheckStatus::Pass,
        forge::CheckStatus::Warn => CheckStatus::Warn,
        forge::CheckStatus::Fail => CheckStatus::Fail,
        forge::CheckStatus::Skip => CheckStatus::Skip,
    };
    let name = format!("github/{}", check.name);
    let event = CheckRecorded { name, status, detail: bounded(&check.detail), duration_ms: 0 };
    Some(Draft::world(Subject::lane(lane), event))
}
