//! The local forge: pull requests with reviews and comments, for repositories without a GitHub.
//!
//! One file a pull request, `<record>/forge/<n>.pull.json`, with everything that belongs to it. A change replaces
//! the file by rename under the repository lock, so a reader needs no lock, and a crash leaves the state before
//! or after. The number of a new one is one more than the highest in the directory: there is no counter that
//! could disagree. Numbers are shared by all kinds of `<n>.<kind>.json`, of which pull requests are the first.
//!
//! The forge has no clock: times are RFC 3339 texts that the caller passes in.

#![expect(clippy::disallowed_methods, reason = "the local forge is files in the record")]

mod error;
mod pull_request;
mod repo_lock;
mod shelf;
mod store;

pub use error::ForgeError;
pub use pull_request::{
    CheckStatus, Closed, Comment, Merged, NewComment, NewPr, NewReview, Opened, PrAction, PrCheck, PrFilter,
    PrState, PrUpdate, PullRequest, Review, Verdict,
};
pub use store::LocalForge;

#[cfg(test)]
mod tests;
