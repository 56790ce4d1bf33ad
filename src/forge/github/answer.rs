//! GitHub's answers read without asking for them: the way in for the fuzz target, which has no network.

use http::{HeaderMap, StatusCode};

use super::GitHub;
use super::client::Fault;
use super::error::GitHubError;
use super::{found, wire};
use crate::forge::{Comment, PrCheck, PullRequest, Review};

/// What an answer was understood as.
#[doc(hidden)]
#[derive(Debug)]
pub enum Understood {
    /// Pull requests.
    Pulls(Vec<PullRequest>),
    /// Reviews.
    Reviews(Vec<Review>),
    /// Comments.
    Comments(Vec<Comment>),
    /// The checks of a commit.
    Checks(Vec<PrCheck>),
}

impl GitHub {
    /// Reads `text` as a list of pull requests.
    #[doc(hidden)]
    pub fn understand_pulls(&self, text: &str) -> Result<Understood, GitHubError> {
        let pulls: Vec<wire::Pull> = self.parse(text)?;
        pulls.into_iter().map(|pull| self.pull(pull)).collect::<Result<_, _>>().map(Understood::Pulls)
    }

    /// Reads `text` as a list of reviews.
    #[doc(hidden)]
    pub fn understand_reviews(&self, text: &str) -> Result<Understood, GitHubError> {
        let reviews: Vec<wire::Review> = self.parse(text)?;
        let reviews = reviews.into_iter().filter_map(|review| self.review(review).transpose());
        reviews.collect::<Result<_, _>>().map(Understood::Reviews)
    }

    /// Reads `text` as a list of comments.
    #[doc(hidden)]
    pub fn understand_comments(&self, text: &str) -> Result<Understood, GitHubError> {
        let comments: Vec<wire::Comment> = self.parse(text)?;
        Ok(Understood::Comments(comments.into_iter().map(found::comment).collect()))
    }

    /// Reads the two texts as check runs and as a combined status.
    #[doc(hidden)]
    pub fn understand_checks(&self, runs: &str, status: &str) -> Result<Understood, GitHubError> {
        Ok(Understood::Checks(found::checks(self.parse(runs)?, self.parse(status)?)))
    }

    /// What a refusal with this status, these headers and this text means; `None` where it depends on what was asked.
    #[doc(hidden)]
    pub fn understand_refusal(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        text: &str,
    ) -> Option<GitHubError> {
        match self.refusal(status, headers, text) {
            Fault::Known(error) => Some(error),
            Fault::Refused(_) => None,
        }
    }
}
