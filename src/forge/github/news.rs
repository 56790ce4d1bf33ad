//! What became of open pull requests: one list for all of them, and details of those that changed only.

use std::collections::HashMap;

use super::client::{Ask, GitHub, Reply};
use super::error::GitHubError;
use super::found;
use super::pulls::{PAGE, PAGES};
use super::wire;
use crate::forge::error::ForgeError;
use crate::forge::pull_request::{PrCheck, PrState, PullRequest, Review};

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
}

impl GitHub {
    /// What changed about the pull requests `numbers` since `watch` was used last; all of them the first time.
    pub async fn news(&self, watch: &mut Watch, numbers: &[u64]) -> Result<Vec<PrNews>, ForgeError> {
        watch.seen.retain(|number, _| numbers.contains(number));
        let (listed, tag) = self.changed_list(watch).await?;
        let mut news = Vec::new();
        for number in numbers {
            let known = watch.seen.get(number).cloned();
            let shown = listed.iter().find(|pull| pull.number == *number);
            let changed = match (&known, shown) {
                (None, _) => true,
                (Some(known), Some(shown)) => known.updated != shown.updated_at,
                (Some(_), None) => false,
            };
            let shown = shown.cloned();
            if let Some(one) = self.news_of(watch, *number, known, (changed, shown)).await? {
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
    ) -> Result<Option<PrNews>, ForgeError> {
        let (mut pull, reviews) = if let Some(known) = known.as_ref().filter(|_| !changed) {
            (known.pull.clone(), Vec::new())
        } else {
            // A list has all there is to say of an open one, but not who has merged one.
            let raw = match shown.filter(|pull| pull.state == wire::OpenOrClosed::Open) {
                Some(open) => {
                    self.kept.keep_pull(&open);
                    open
                }
                None => self.raw(number).await?,
            };
            let mut pull = self.pull(raw)?;
            if let Some(closed) = &mut pull.closed {
                closed.by = self.closed_by(number).await?;
            }
            let mut reviews = self.all_reviews(number).await?;
            reviews.retain(|review| !found::is_ours(&review.body));
            (pull, reviews)
        };
        if pull.state == PrState::Open {
            pull.checks = self.checks(&pull.head_sha).await?;
        }
        let same = known.is_some_and(|known| !changed && known.checks == pull.checks);
        let seen = Seen { updated: pull.updated_at.clone(), checks: pull.checks.clone(), pull: pull.clone() };
        watch.seen.insert(number, seen);
        Ok((!same).then_some(PrNews { pull, reviews }))
    }

    /// What was changed since the last look, newest first; empty when nothing was.
    async fn changed_list(&self, watch: &Watch) -> Result<(Vec<wire::Pull>, Option<String>), GitHubError> {
        let newest_known = watch.seen.values().map(|seen| seen.updated.as_str()).max();
        let mut all: Vec<wire::Pull> = Vec::new();
        let mut tag = None;
        for page in 1..=PAGES {
            let query = format!("pulls?state=all&sort=updated&direction=desc&per_page={PAGE}&page={page}");
            let mut ask = Ask::get(self.of_repo(&query));
            if page == 1 {
                ask = ask.unless(watch.list.clone());
            }
            let (text, etag) = match self.ask(&ask).await.map_err(|fault| self.plain(fault))? {
                Reply::Same => return Ok((Vec::new(), watch.list.clone())),
                Reply::Fresh { text, etag } => (text, etag),
            };
            if page == 1 {
                tag = etag;
            }
            let pulls: Vec<wire::Pull> = self.parse(&text)?;
            let oldest = pulls.last().map(|pull| pull.updated_at.clone());
            let last = pulls.len() < PAGE;
            all.extend(pulls);
            // Without a first look there is nothing to compare with: each one is asked for itself.
            if last || newest_known.is_none_or(|known| oldest.is_some_and(|oldest| *oldest < *known)) {
                break;
            }
        }
        Ok((all, tag))
    }
}
