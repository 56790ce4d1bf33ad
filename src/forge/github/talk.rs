//! What people say on a pull request.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::client::{Ask, Fault, GitHub, Reply, after};
use super::error::GitHubError;
use super::found::{self, has_key, keyed};
use super::pulls::{PAGE, PAGES};
use super::wire;
use crate::event::Timestamp;
use crate::forge::error::ForgeError;
use crate::forge::pull_request::{Comment, Dismissed, NewComment, NewReview, Review, Tried, Verdict};

/// Tries to say something when the answer does not come.
const TRIES: u32 = 3;

impl GitHub {
    /// Adds a review of the head that it names; one with the same key is not added again.
    pub async fn add_review(&self, number: u64, new: NewReview) -> Result<Review, ForgeError> {
        let event = match new.verdict {
            Verdict::Approve => "APPROVE",
            Verdict::RequestChanges => "REQUEST_CHANGES",
            Verdict::Comment => "COMMENT",
        };
        let path = self.of_repo(&format!("pulls/{number}/reviews"));
        let said = keyed(&new.body, new.key.as_deref());
        let body = json!({ "commit_id": new.sha, "event": event, "body": said });
        let ask = Ask::send(Method::POST, path.clone(), body);
        let text = self.say(number, &ask, &path, new.key.as_deref(), Tried::Perhaps).await?;
        let review = self.review(self.parse(&text)?)?;
        let review = review.ok_or_else(|| GitHubError::Invalid {
            host: self.host(),
            message: "the review was not taken".to_owned(),
        })?;
        Ok(found::shown(review))
    }

    /// Adds a comment; one with the same key is not added again. What was never tried is not looked for first.
    pub async fn add_comment(
        &self,
        number: u64,
        new: NewComment,
        asked: Tried,
    ) -> Result<Comment, ForgeError> {
        let said = keyed(&new.body, new.key.as_deref());
        let (path, body) = match (&new.path, new.line) {
            (Some(file), line) => {
                let head = self.raw(number).await?.head.sha;
                let mut body = json!({ "body": said, "commit_id": head, "path": file });
                match line {
                    Some(line) => body["line"] = line.into(),
                    None => body["subject_type"] = "file".into(),
                }
                (self.of_repo(&format!("pulls/{number}/comments")), body)
            }
            (None, _) => (self.of_repo(&format!("issues/{number}/comments")), json!({ "body": said })),
        };
        let ask = Ask::send(Method::POST, path.clone(), body);
        let text = self.say(number, &ask, &path, new.key.as_deref(), asked).await?;
        Ok(found::comment(self.parse(&text)?))
    }

    /// Posts what has a key once, however often it has to be tried: before each try but a first one it is looked for at
    /// `path`.
    async fn say(
        &self,
        number: u64,
        ask: &Ask,
        path: &str,
        key: Option<&str>,
        asked: Tried,
    ) -> Result<String, ForgeError> {
        let mut tries = 1;
        loop {
            if let Some(key) = key.filter(|_| asked == Tried::Perhaps || tries > 1) {
                let said = self.pages::<Value>(number, path, after(Duration::ZERO)).await?;
                let ours = |one: &Value| one["body"].as_str().is_some_and(|body| has_key(body, key));
                if let Some(found) = said.iter().find(|one| ours(one)) {
                    return Ok(found.to_string());
                }
            }
            match self.once(ask).await {
                Ok(Reply::Fresh { text, .. }) if self.parse::<Value>(&text).is_ok() => return Ok(text),
                Ok(_) if key.is_some() && tries < TRIES => self.rest(tries).await,
                Ok(_) => return Err(self.parse::<Value>("").expect_err("nothing is no answer").into()),
                Err(Fault::Known(error)) if error.leaves_open() && key.is_some() && tries < TRIES => {
                    self.rest(tries).await;
                }
                Err(fault) => return Err(self.of_pull(number, fault)),
            }
            tries += 1;
        }
    }

    /// The reviews of one pull request, oldest first.
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        let (all, _) = self.all_reviews(number, after(Duration::ZERO)).await?;
        Ok(all.into_iter().map(found::shown).collect())
    }

    /// Reviews as they were written, with the keys of Laneway's own, and those that were taken back, as somebody has seen
    /// them after `since`.
    pub(super) async fn all_reviews(
        &self,
        number: u64,
        since: Timestamp,
    ) -> Result<(Vec<Review>, Vec<Dismissed>), ForgeError> {
        let path = self.of_repo(&format!("pulls/{number}/reviews"));
        let (mut reviews, mut dismissed) = (Vec::new(), Vec::new());
        for wire in self.pages::<wire::Review>(number, &path, since).await? {
            dismissed.extend(self.dismissed(&wire)?);
            reviews.extend(self.review(wire)?);
        }
        Ok((reviews, dismissed))
    }

    /// The comments of one pull request, oldest first.
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let mut all: Vec<Comment> = Vec::new();
        for part in ["issues", "pulls"] {
            let path = self.of_repo(&format!("{part}/{number}/comments"));
            let found = self.pages(number, &path, after(Duration::ZERO)).await?;
            all.extend(found.into_iter().map(found::comment));
        }
        all.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(all)
    }

    async fn pages<T: serde::de::DeserializeOwned + serde::Serialize>(
        &self,
        number: u64,
        path: &str,
        since: Timestamp,
    ) -> Result<Vec<T>, ForgeError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let page = format!("{path}?per_page={PAGE}&page={page}");
            let found = self.read_since::<Vec<T>>(page, since).await;
            let found = found.map_err(|fault| self.of_pull(number, fault))?.what;
            let last = found.len() < PAGE;
            all.extend(found);
            if last {
                break;
            }
        }
        Ok(all)
    }
}
