//! Forges: where pull requests with their reviews and comments are. [`Forge`] is what the rest sees: GitHub, or the local
//! forge for repositories without one.
//!
//! The local forge is one file a pull request, `<record>/forge/<n>.pull.json`, with everything that belongs to it. A change replaces
//! the file by rename under the repository lock, so a reader needs no lock, and a crash leaves the state before
//! or after. The number of a new one is one more than the highest in the directory: there is no counter that
//! could disagree. Numbers are shared by all kinds of `<n>.<kind>.json`, of which pull requests are the first.
//!
//! The local forge has no clock: times are RFC 3339 texts that the caller passes in.

#![expect(
    clippy::disallowed_methods,
    reason = "the local forge is files in the record, GitHub tells waiting times"
)]

mod any;
mod error;
mod github;
mod pull_request;
mod repo_lock;
mod shelf;
mod store;

pub use any::Forge;
pub use error::ForgeError;
#[doc(hidden)]
pub use github::Understood;
pub use github::{AddressError, GitHub, GitHubError, Pace, PrNews, Watch, api_of, repository_of};
pub use pull_request::{
    CheckStatus, Closed, Comment, Dismissed, Landed, Merged, NewComment, NewPr, NewReview, Opened, PrAction,
    PrCheck, PrFilter, PrState, PrUpdate, PullRequest, Review, Tried, Verdict,
};
pub use store::LocalForge;

#[cfg(test)]
mod tests;
