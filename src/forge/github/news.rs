//! What became of open pull requests: one list for all of them, and details of those that changed only.

use std::collections::HashMap;
use std::time::Duration;

use super::client::{Fault, GitHub, after};
use super::error::GitHubError;
use super::found;
use super::kept::Told;
use super::pulls::{PAGE, PAGES};
use super::wire;
use crate::event::Timestamp;
use crate::forge::error::ForgeError;
use crate::forge::pull_request::{Dismissed, PrCheck, PrState, PullRequest, Review};

/// What was seen last, so that GitHub can say that nothing changed; such an answer costs none of the quota.
#[derive(Debug, Default)]
pub struct Watch {
    /// The tag of the list.
    list: Option<String>,
    /// When each pull request was changed last.
    seen: HashMap<u64, Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    updated: String,
    pull: PullRequest,
    checks: Vec<PrCheck>,
}

/// A pull request with something new about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrNews {
    /// How it is now, with the checks of its head.
    pub pull: PullRequest,
    /// Its reviews that were not given through Laneway; empty where it did not change itself.
    pub reviews: Vec<Review>,
    /// Its reviews that were taken back; empty where it did not change itself.
    pub dismissed: Vec<Dismissed>,
}

impl GitHub {
    /// What changed about the pull requests `numbers` since `watch` was used last; all of them the first time.
    pub async fn news(&self, watch: &mut Watch, numbers: &[u64]) -> Result<Vec<PrNews>, ForgeError> {
        self.news_since(watch, numbers, after(Duration::ZERO)).await
    }

    /// The same, as any process that shares its answers has seen it after `since`; where none has, GitHub is asked.
    pub async fn news_since(
        &self,
        watch: &mut Watch,
        numbers: &[u64],
        since: Timestamp,
    ) -> Result<Vec<PrNews>, ForgeError> {
        watch.seen.retain(|number, _| numbers.contains(number));
        let Listed { pulls: listed, mut tag, at } = self.changed_list(watch, since).await?;
        let seen = Seeing { checks: since, changed: before(at) };
        let mut news = Vec::new();
        for number in numbers {
            let known = watch.seen.get(number).cloned();
            let shown = listed.iter().find(|pull| pull.number == *number);
            let changed = match (&known, shown) {
                (None, _) => true,
                (Some(known), Some(shown)) => known.updated != shown.updated_at,
                (Some(_), None) => false,
            };
            if shown.is_some_and(|pull| pull.state == wire::OpenOrClosed::Closed)
                && self.kept.is_merging(*number)
            {
                // Should the merge fail, it is looked at as if it had just changed.
                tag = None;
                continue;
            }
            let shown = shown.cloned();
            if let Some(one) = self.news_of(watch, *number, known, (changed, shown), seen).await? {
                news.push(one);
            }
        }
        // Only now: what was missed because of an error is asked for again.
        watch.list = tag;
        Ok(news)
    }

    async fn news_of(
        &self,
        watch: &mut Watch,
        number: u64,
        known: Option<Seen>,
        (changed, shown): (bool, Option<wire::Pull>),
        seen: Seeing,
    ) -> Result<Option<PrNews>, ForgeError> {
        let (mut pull, reviews, dismissed) = if let Some(known) = known.as_ref().filter(|_| !changed) {
            (known.pull.clone(), Vec::new(), Vec::new())
        } else {
            // A list has all there is to say of an open one, but not who has merged one.
            let raw = match shown.filter(|pull| pull.state == wire::OpenOrClosed::Open) {
                Some(open) => {
                    self.kept.keep_pull(&open);
                    open
                }
                None => self.raw_since(number, seen.changed).await?,
            };
            let mut pull = self.pull(raw)?;
            if let Some(closed) = &mut pull.closed {
                closed.by = self.closed_by(number).await?;
            }
            let (mut reviews, dismissed) = self.all_reviews(number, seen.changed).await?;
            reviews.retain(|review| !found::is_ours(&review.body));
            (pull, reviews, dismissed)
        };
        if pull.state == PrState::Open {
            pull.checks = self.checks_since(&pull.head_sha, seen.checks).await?;
        }
        let same = known.is_some_and(|known| !changed && known.checks == pull.checks);
        let seen = Seen { updated: pull.updated_at.clone(), checks: pull.checks.clone(), pull: pull.clone() };
        watch.seen.insert(number, seen);
        Ok((!same).then_some(PrNews { pull, reviews, dismissed }))
    }

    /// What was changed since the last look, newest first; empty when nothing was.
    async fn changed_list(&self, watch: &Watch, since: Timestamp) -> Result<Listed, GitHubError> {
        let newest_known = watch.seen.values().map(|seen| seen.updated.as_str()).max();
        let mut listed = Listed { pulls: Vec::new(), tag: None, at: since };
        for page in 1..=PAGES {
            let query = format!("pulls?state=all&sort=updated&direction=desc&per_page={PAGE}&page={page}");
            let told =
                self.list_page(self.of_repo(&query), since).await.map_err(|fault| self.plain(fault))?;
            if page == 1 {
                (listed.at, listed.tag) = (told.at, told.etag);
                if listed.tag.is_some() && listed.tag == watch.list {
                    break;
                }
            }
            let oldest = told.what.last().map(|pull| pull.updated_at.clone());
            let last = told.what.len() < PAGE;
            listed.pulls.extend(told.what);
            // Without a first look there is nothing to compare with: each one is asked for itself.
            if last || newest_known.is_none_or(|known| oldest.is_some_and(|oldest| *oldest < *known)) {
                break;
            }
        }
        Ok(listed)
    }

    /// A page that all processes want to know: one asks, and the others wait for what it is told.
    async fn list_page(&self, path: String, since: Timestamp) -> Result<Told<Vec<wire::Pull>>, Fault> {
        if let Some(told) = self.known_since(&path, since) {
            return Ok(told);
        }
        let _turn = self.kept.turn(self.pace.timeout).await;
        self.read_since(path, since).await
    }
}

/// What was listed, with the tag of the list and when it was asked for.
struct Listed {
    pulls: Vec<wire::Pull>,
    tag: Option<String>,
    at: Timestamp,
}

/// How new what is seen has to be.
#[derive(Clone, Copy)]
struct Seeing {
    checks: Timestamp,
    /// Of one that the list shows as changed: not older than the list.
    changed: Timestamp,
}

fn before(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_sub(1))
}
