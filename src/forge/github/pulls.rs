//! Pull requests: found, opened, changed, merged.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::client::{Ask, Fault, GitHub, Refused, after};
use super::error::GitHubError;
use super::found::{self, Owner, marked};
use super::wire;
use crate::event::Timestamp;
use crate::forge::error::ForgeError;
use crate::forge::pull_request::{
    Landed, Merged, NewPr, Opened, PrAction, PrCheck, PrFilter, PrState, PrUpdate, PullRequest, Tried,
};
use crate::id::Sha;

/// Entries on a page; the most that GitHub gives.
pub(super) const PAGE: usize = 100;
/// Pages that are read before a list counts as endless.
pub(super) const PAGES: usize = 20;
/// Looks whether a push has merged a pull request.
const LOOKS: u32 = 5;
/// Tries to open a pull request whose answer does not come.
const TRIES: u32 = 3;

impl GitHub {
    /// Opens a pull request, or returns the one that has its marker, whatever its state. What was never tried is not
    /// looked for first: GitHub refuses a second one of the same branches.
    pub async fn create(&self, new: NewPr, asked: Tried) -> Result<Opened, ForgeError> {
        if asked == Tried::Perhaps
            && let Some(found) = self.existing(&new).await?
        {
            return Ok(Opened::Existing(found));
        }
        let body = json!({
            "title": new.title,
            "body": marked(&new.body, &new.marker),
            "head": new.head,
            "base": new.base,
            "draft": new.draft,
        });
        let ask = Ask::send(Method::POST, self.of_repo("pulls"), body);
        let mut tries = 1;
        let pull = loop {
            match self.open_once(&ask).await {
                Ok(pull) => break pull,
                Err(Fault::Known(error)) if error.leaves_open() => {
                    // It may have been opened all the same.
                    self.rest(tries).await;
                    if let Some(found) = self.existing(&new).await? {
                        break found;
                    }
                    if tries == TRIES {
                        return Err(error.into());
                    }
                }
                Err(Fault::Refused(Refused { status: StatusCode::UNPROCESSABLE_ENTITY, message }))
                    if message.contains("already exists") =>
                {
                    let found = self.existing(&new).await?;
                    let invalid = || GitHubError::Invalid { host: self.host(), message };
                    return Ok(Opened::Existing(found.ok_or_else(invalid)?));
                }
                Err(fault) => return Err(self.plain(fault).into()),
            }
            tries += 1;
        };
        let dress = PrUpdate {
            labels: (!new.labels.is_empty()).then_some(new.labels),
            reviewers: (!new.reviewers.is_empty()).then_some(new.reviewers),
            ..PrUpdate::default()
        };
        let pull = if dress == PrUpdate::default() { pull } else { self.update(pull.number, dress).await? };
        Ok(Opened::New(pull))
    }

    async fn open_once(&self, ask: &Ask) -> Result<PullRequest, Fault> {
        let super::client::Reply::Fresh { text, .. } = self.once(ask).await? else {
            return Err(Fault::Known(self.parse::<()>("").expect_err("nothing is no answer")));
        };
        let pull = self.parse(&text)?;
        self.kept.keep_pull(&pull);
        Ok(self.pull(pull)?)
    }

    /// The pull request that `new` would be a second one of. One that a person opened for the branch is taken over.
    async fn existing(&self, new: &NewPr) -> Result<Option<PullRequest>, ForgeError> {
        let all = self.of_branch(&new.head).await?;
        if let Some(found) = self.with_marker(&all, &new.marker)? {
            return Ok(Some(found));
        }
        let stands =
            |pull: &wire::Pull| pull.state == wire::OpenOrClosed::Open && pull.base.r#ref == new.base;
        let Some(theirs) = all.into_iter().find(stands) else {
            return Ok(None);
        };
        let body = theirs.body.clone().unwrap_or_default();
        if Owner::of(&body, &theirs.head.r#ref).is_some() {
            return Err(GitHubError::OtherRun { number: theirs.number }.into());
        }
        let change = json!({ "title": new.title, "body": marked(&new.body, &new.marker) });
        let path = self.of_repo(&format!("pulls/{}", theirs.number));
        let pull: wire::Pull = self.fetch(&Ask::send(Method::PATCH, path, change)).await?;
        self.kept.keep_pull(&pull);
        Ok(Some(self.pull(pull)?))
    }

    /// All that ever showed the branch `head`.
    async fn of_branch(&self, head: &str) -> Result<Vec<wire::Pull>, GitHubError> {
        let (owner, head) = (self.place.owner(), escaped(head));
        let path = self.of_repo(&format!("pulls?head={owner}:{head}&state=all&per_page={PAGE}"));
        self.fetch(&Ask::get(path)).await
    }

    fn with_marker(&self, pulls: &[wire::Pull], marker: &str) -> Result<Option<PullRequest>, GitHubError> {
        let found = pulls.iter().find(|pull| {
            let owner = Owner::of(pull.body.as_deref().unwrap_or_default(), &pull.head.r#ref);
            owner.is_some_and(|owner| owner.marker == marker)
        });
        found.map(|pull| self.pull(pull.clone())).transpose()
    }

    /// The pull request of a lane of a run, which shows the branch `head`.
    pub async fn find_by_marker(&self, marker: &str, head: &str) -> Result<Option<PullRequest>, ForgeError> {
        Ok(self.with_marker(&self.of_branch(head).await?, marker)?)
    }

    pub(super) async fn raw(&self, number: u64) -> Result<wire::Pull, ForgeError> {
        let path = self.of_repo(&format!("pulls/{number}"));
        let pull = self.read(&Ask::get(path)).await.map_err(|fault| self.of_pull(number, fault))?;
        self.kept.keep_pull(&pull);
        Ok(pull)
    }

    /// One as somebody has seen it after `since`.
    pub(super) async fn raw_since(&self, number: u64, since: Timestamp) -> Result<wire::Pull, ForgeError> {
        let path = self.of_repo(&format!("pulls/{number}"));
        let told = self.read_since(path, since).await;
        let pull = told.map_err(|fault| self.of_pull(number, fault))?.what;
        self.kept.keep_pull(&pull);
        Ok(pull)
    }

    /// How it was merged, if it is by now; where nothing changed since somebody has asked, GitHub says so at no cost.
    pub async fn merged(&self, number: u64) -> Result<Option<Merged>, ForgeError> {
        Ok(self.pull(self.raw_since(number, after(Duration::ZERO)).await?)?.merged)
    }

    /// A refusal about one pull request.
    pub(super) fn of_pull(&self, number: u64, fault: Fault) -> ForgeError {
        match fault {
            Fault::Refused(Refused { status: StatusCode::NOT_FOUND, .. }) => ForgeError::NotFound { number },
            other => self.plain(other).into(),
        }
    }

    /// One pull request, with the checks of its head.
    pub async fn get(&self, number: u64) -> Result<PullRequest, ForgeError> {
        let mut pull = self.pull(self.raw(number).await?)?;
        if let Some(closed) = &mut pull.closed {
            closed.by = self.closed_by(number).await?;
        }
        pull.checks = self.checks(&pull.head_sha).await?;
        Ok(pull)
    }

    pub(super) async fn closed_by(&self, number: u64) -> Result<String, GitHubError> {
        let issue = self.read_again(self.of_repo(&format!("issues/{number}"))).await;
        let issue: wire::Issue = issue.map_err(|fault| self.plain(fault))?;
        Ok(found::login(issue.closed_by.as_ref()))
    }

    /// The checks of a commit.
    pub async fn checks(&self, head: &Sha) -> Result<Vec<PrCheck>, GitHubError> {
        self.checks_since(head, after(Duration::ZERO)).await
    }

    /// The checks of a commit, as somebody has seen them after `since`.
    pub(super) async fn checks_since(
        &self,
        head: &Sha,
        since: Timestamp,
    ) -> Result<Vec<PrCheck>, GitHubError> {
        let of = |what: &str| self.of_repo(&format!("commits/{head}/{what}?per_page={PAGE}"));
        let runs = self.read_since(of("check-runs"), since).await.map_err(|fault| self.plain(fault))?;
        let statuses = self.read_since(of("status"), since).await.map_err(|fault| self.plain(fault))?;
        Ok(found::checks(runs.what, statuses.what))
    }

    /// Those of Laneway's that `filter` admits, by number, without their checks.
    pub async fn list(&self, filter: &PrFilter) -> Result<Vec<PullRequest>, ForgeError> {
        let state = match filter.state {
            Some(PrState::Open) => "open",
            Some(PrState::Merged | PrState::Closed) => "closed",
            None => "all",
        };
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let query =
                format!("pulls?state={state}&sort=created&direction=desc&per_page={PAGE}&page={page}");
            let pulls: Vec<wire::Pull> = self.fetch(&Ask::get(self.of_repo(&query))).await?;
            let last = pulls.len() < PAGE;
            for pull in pulls {
                match self.pull(pull) {
                    Ok(pull) if filter.admits(&pull) => found.push(pull),
                    Ok(_) | Err(GitHubError::Foreign { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if last {
                break;
            }
        }
        found.sort_by_key(|pull| pull.number);
        Ok(found)
    }

    /// Changes what `update` names. Head and checks are GitHub's own to tell: the head moves by a push.
    ///
    /// One that was open when it was last shown is not looked at first; where the change is refused, it is.
    pub async fn update(&self, number: u64, update: PrUpdate) -> Result<PullRequest, ForgeError> {
        // What GitHub tells itself is not sent.
        let update = PrUpdate { head_sha: None, base_sha: None, checks: None, ..update };
        let known = self.kept.pull(number).filter(|pull| pull.state == wire::OpenOrClosed::Open);
        let sends = |known: &wire::Pull| self.pull(known.clone()).is_ok_and(|before| update.differs(&before));
        if let Some(known) = known.filter(sends) {
            match self.change(known, update.clone()).await {
                Err(ForgeError::GitHub(GitHubError::Invalid { .. })) => {}
                done => return done,
            }
        }
        let now = self.raw(number).await?;
        self.change(now, update).await
    }

    /// Changes one that is shown as `raw`.
    async fn change(&self, mut raw: wire::Pull, update: PrUpdate) -> Result<PullRequest, ForgeError> {
        let number = raw.number;
        let before = self.pull(raw.clone())?;
        if update.moves(&before) && before.state != PrState::Open {
            return Err(ForgeError::WrongState { number, state: before.state, action: PrAction::Move });
        }
        let mut change = Map::new();
        let mut set = |key: &str, value: Option<String>, now: &str| {
            if let Some(value) = value.filter(|value| value != now) {
                change.insert(key.to_owned(), Value::String(value));
            }
        };
        set("title", update.title, &before.title);
        set("body", update.body.map(|body| marked(&body, &before.marker)), &before.body);
        set("base", update.base, &before.base);
        if !change.is_empty() {
            raw = self.patch(number, Value::Object(change)).await?;
        }
        if let Some(labels) = update.labels.filter(|labels| *labels != before.labels) {
            let path = self.of_repo(&format!("issues/{number}/labels"));
            let ask = Ask::send(Method::PUT, path, json!({ "labels": labels }));
            raw.labels = self.read(&ask).await.map_err(|fault| self.of_pull(number, fault))?;
        }
        if let Some(reviewers) = update.reviewers.filter(|wanted| *wanted != before.reviewers)
            && let Some(after) = self.set_reviewers(number, &before.reviewers, &reviewers).await?
        {
            raw.requested_reviewers = after.requested_reviewers;
        }
        if let Some(draft) = update.draft.filter(|draft| *draft != before.draft) {
            self.set_draft(&raw.node_id, draft).await?;
            raw.draft = draft;
        }
        self.kept.keep_pull(&raw);
        Ok(self.pull(raw)?)
    }

    async fn patch(&self, number: u64, change: Value) -> Result<wire::Pull, ForgeError> {
        let path = self.of_repo(&format!("pulls/{number}"));
        let ask = Ask::send(Method::PATCH, path, change);
        let pull = self.read(&ask).await.map_err(|fault| self.of_pull(number, fault))?;
        self.kept.keep_pull(&pull);
        Ok(pull)
    }

    async fn set_reviewers(
        &self,
        number: u64,
        now: &[String],
        wanted: &[String],
    ) -> Result<Option<wire::Pull>, ForgeError> {
        let mut after = None;
        let path = self.of_repo(&format!("pulls/{number}/requested_reviewers"));
        let gone: Vec<_> = now.iter().filter(|one| !wanted.contains(one)).collect();
        let come: Vec<_> = wanted.iter().filter(|one| !now.contains(one)).collect();
        for (method, people) in [(Method::DELETE, gone), (Method::POST, come)] {
            if !people.is_empty() {
                let ask = Ask::send(method, path.clone(), json!({ "reviewers": people }));
                let pull: wire::Pull = self.read(&ask).await.map_err(|fault| self.of_pull(number, fault))?;
                after = Some(pull);
            }
        }
        Ok(after)
    }

    /// The draft mark is out of reach of the REST interface.
    async fn set_draft(&self, node: &str, draft: bool) -> Result<(), ForgeError> {
        let mutation = if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
        let query = format!(
            "mutation($id: ID!) {{ {mutation}(input: {{pullRequestId: $id}}) {{ pullRequest {{ isDraft }} }} }}"
        );
        let ask = Ask::send(
            Method::POST,
            self.place.graphql(),
            json!({ "query": query, "variables": { "id": node } }),
        );
        let answer: Value = self.fetch(&ask).await?;
        match answer.get("errors") {
            None => Ok(()),
            Some(errors) => {
                let refusal = json!({ "errors": errors }).to_string();
                let said: wire::Refusal = self.parse(&refusal)?;
                Err(GitHubError::Invalid { host: self.host(), message: said.text() }.into())
            }
        }
    }

    /// Gives it up; a repeat changes nothing.
    pub async fn close(&self, number: u64) -> Result<PullRequest, ForgeError> {
        self.turn(number, PrState::Open, PrState::Closed, PrAction::Close).await
    }

    /// Opens it again; a repeat changes nothing.
    pub async fn reopen(&self, number: u64) -> Result<PullRequest, ForgeError> {
        self.turn(number, PrState::Closed, PrState::Open, PrAction::Reopen).await
    }

    async fn turn(
        &self,
        number: u64,
        from: PrState,
        to: PrState,
        action: PrAction,
    ) -> Result<PullRequest, ForgeError> {
        let pull = self.pull(self.raw(number).await?)?;
        if pull.state == to {
            return self.get(number).await;
        }
        if pull.state != from {
            return Err(ForgeError::WrongState { number, state: pull.state, action });
        }
        let state = if to == PrState::Open { "open" } else { "closed" };
        self.patch(number, json!({ "state": state })).await?;
        self.get(number).await
    }

    /// Merges it by a merge commit, if it still shows `head`. One that is merged already is not merged again; whether
    /// that was a person is told by who they are, and by whether this merge may have been `asked` for before.
    pub async fn merge(
        &self,
        number: u64,
        head: &Sha,
        title: &str,
        asked: Tried,
    ) -> Result<Landed, ForgeError> {
        self.kept.set_merging(number, true);
        let merged = self.try_merge(number, head, title, asked).await;
        if merged.is_err() {
            self.kept.set_merging(number, false);
        }
        merged
    }

    async fn try_merge(
        &self,
        number: u64,
        head: &Sha,
        title: &str,
        asked: Tried,
    ) -> Result<Landed, ForgeError> {
        let path = self.of_repo(&format!("pulls/{number}/merge"));
        let body = json!({ "sha": head, "merge_method": "merge", "commit_title": title });
        let ask = Ask::send(Method::PUT, path, body);
        let (mut tries, mut asked) = (1, asked);
        loop {
            let fault = match self.once(&ask).await {
                Ok(super::client::Reply::Fresh { text, .. }) => match self.parse::<wire::Merge>(&text) {
                    Ok(merge) => return Ok(Landed { sha: self.landed(number, &merge.sha)?, by: None }),
                    Err(error) => Fault::Known(error),
                },
                Ok(super::client::Reply::Same) => continue,
                Err(fault) => fault,
            };
            if let Fault::Known(error) = &fault
                && error.leaves_open()
            {
                asked = Tried::Perhaps;
            }
            // Whatever was answered: what counts is whether it is merged.
            if let Some((landed, opener)) = self.merged_as(number).await? {
                let ours = asked == Tried::Perhaps && landed.by == opener;
                return Ok(Landed { sha: landed.sha, by: (!ours).then_some(landed.by) });
            }
            match fault {
                Fault::Known(error) if error.leaves_open() && tries < TRIES => self.rest(tries).await,
                fault => return Err(self.merge_fault(number, head, fault)),
            }
            tries += 1;
        }
    }

    /// Whether a push to its base has merged it; GitHub takes a moment to see that, and is asked a few times.
    pub async fn sees_merged(&self, number: u64) -> Result<bool, ForgeError> {
        for tries in 1..=LOOKS {
            if self.merged_as(number).await?.is_some() {
                return Ok(true);
            }
            self.rest(tries).await;
        }
        Ok(false)
    }

    fn landed(&self, number: u64, sha: &str) -> Result<Sha, ForgeError> {
        Sha::new(sha).map_err(|_| {
            GitHubError::NotMergeable { host: self.host(), number, message: "no commit was named".to_owned() }
                .into()
        })
    }

    /// How it was merged, and who had opened it.
    async fn merged_as(&self, number: u64) -> Result<Option<(Merged, String)>, ForgeError> {
        let pull = self.pull(self.raw(number).await?)?;
        Ok(pull.merged.map(|merged| (merged, pull.author)))
    }

    fn merge_fault(&self, number: u64, head: &Sha, fault: Fault) -> ForgeError {
        let Fault::Refused(Refused { status, message }) = fault else {
            return self.of_pull(number, fault);
        };
        match status.as_u16() {
            404 => ForgeError::NotFound { number },
            405 | 409 if message.contains("Base branch was modified") => {
                GitHubError::BaseMoved { number }.into()
            }
            409 => GitHubError::HeadMoved { number, expected: head.clone() }.into(),
            _ => GitHubError::NotMergeable { host: self.host(), number, message }.into(),
        }
    }
}

/// A branch in a query: what would end it is escaped.
fn escaped(branch: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(branch.len());
    for byte in branch.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'~' => {
                out.push(char::from(byte));
            }
            _ => write!(out, "%{byte:02X}").expect("a string takes every text"),
        }
    }
    out
}
