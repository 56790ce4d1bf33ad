//! What every forge can do.

use super::error::ForgeError;
use super::github::GitHub;
use super::pull_request::{
    Closed, Comment, NewComment, NewPr, NewReview, Opened, PrFilter, PrUpdate, PullRequest, Review, Tried,
};
use super::store::LocalForge;
use crate::failpoint::{self, Point};

/// One of the forges. Each operation can be repeated when its answer was lost: what was done is found.
///
/// Names and times of people that are passed in count in the local forge only; GitHub knows whose token it is.
#[derive(Debug, Clone)]
pub enum Forge {
    /// The one in the record.
    Local(LocalForge),
    /// GitHub.
    GitHub(Box<GitHub>),
}

impl Forge {
    /// Opens a pull request, or returns the one that has its marker, whatever its state.
    pub async fn create(&self, new: NewPr, tried: Tried) -> Result<Opened, ForgeError> {
        failpoint::pass(Point::PrCreate);
        let opened = match self {
            Self::Local(local) => at_rest(local, move |forge| forge.create(new)).await,
            Self::GitHub(github) => github.create(new, tried).await,
        };
        failpoint::pass(Point::PrCreated);
        opened
    }

    /// The pull request of a lane of a run, which shows the branch `head`.
    pub async fn find_by_marker(&self, marker: &str, head: &str) -> Result<Option<PullRequest>, ForgeError> {
        match self {
            Self::Local(local) => {
                let marker = marker.to_owned();
                at_rest(local, move |forge| forge.find_by_marker(&marker)).await
            }
            Self::GitHub(github) => github.find_by_marker(marker, head).await,
        }
    }

    /// One pull request, with its checks.
    pub async fn get(&self, number: u64) -> Result<PullRequest, ForgeError> {
        match self {
            Self::Local(local) => at_rest(local, move |forge| forge.get(number)).await,
            Self::GitHub(github) => github.get(number).await,
        }
    }

    /// Those that `filter` admits, by number.
    pub async fn list(&self, filter: &PrFilter) -> Result<Vec<PullRequest>, ForgeError> {
        match self {
            Self::Local(local) => {
                let filter = filter.clone();
                at_rest(local, move |forge| forge.list(&filter)).await
            }
            Self::GitHub(github) => github.list(filter).await,
        }
    }

    /// Changes what `update` names; a base that is named is what the pull request goes to from then on. On GitHub head
    /// and checks are its own to tell and stay.
    pub async fn update(&self, number: u64, update: PrUpdate, at: &str) -> Result<PullRequest, ForgeError> {
        failpoint::pass(Point::PrUpdate);
        let updated = match self {
            Self::Local(local) => {
                let at = at.to_owned();
                at_rest(local, move |forge| forge.update(number, update, &at)).await
            }
            Self::GitHub(github) => github.update(number, update).await,
        };
        failpoint::pass(Point::PrUpdated);
        updated
    }

    /// Gives it up; a repeat changes nothing.
    pub async fn close(&self, number: u64, closed: Closed) -> Result<PullRequest, ForgeError> {
        match self {
            Self::Local(local) => at_rest(local, move |forge| forge.close(number, closed)).await,
            Self::GitHub(github) => github.close(number).await,
        }
    }

    /// Opens it again; a repeat changes nothing.
    pub async fn reopen(&self, number: u64, at: &str) -> Result<PullRequest, ForgeError> {
        match self {
            Self::Local(local) => {
                let at = at.to_owned();
                at_rest(local, move |forge| forge.reopen(number, &at)).await
            }
            Self::GitHub(github) => github.reopen(number).await,
        }
    }

    /// Adds a review of the head that it names.
    pub async fn add_review(&self, number: u64, new: NewReview) -> Result<Review, ForgeError> {
        match self {
            Self::Local(local) => at_rest(local, move |forge| forge.add_review(number, new)).await,
            Self::GitHub(github) => github.add_review(number, new).await,
        }
    }

    /// Adds a comment.
    pub async fn add_comment(
        &self,
        number: u64,
        new: NewComment,
        tried: Tried,
    ) -> Result<Comment, ForgeError> {
        failpoint::pass(Point::PrComment);
        let commented = match self {
            Self::Local(local) => at_rest(local, move |forge| forge.add_comment(number, new)).await,
            Self::GitHub(github) => github.add_comment(number, new, tried).await,
        };
        failpoint::pass(Point::PrCommented);
        commented
    }

    /// The reviews of one pull request, oldest first.
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        match self {
            Self::Local(local) => at_rest(local, move |forge| forge.reviews(number)).await,
            Self::GitHub(github) => github.reviews(number).await,
        }
    }

    /// The comments of one pull request, oldest first.
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        match self {
            Self::Local(local) => at_rest(local, move |forge| forge.comments(number)).await,
            Self::GitHub(github) => github.comments(number).await,
        }
    }
}

/// Files are read and written where that may block.
async fn at_rest<T: Send + 'static>(
    local: &LocalForge,
    work: impl FnOnce(&LocalForge) -> Result<T, ForgeError> + Send + 'static,
) -> Result<T, ForgeError> {
    let local = local.clone();
    match tokio::task::spawn_blocking(move || work(&local)).await {
        Ok(done) => done,
        Err(broken) => std::panic::resume_unwind(broken.into_panic()),
    }
}
