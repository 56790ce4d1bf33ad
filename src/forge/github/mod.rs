//! GitHub, spoken to over its REST interface.
//!
//! `client` sends one request and says what became of it; `pulls`, `talk` and `news` know what there is to ask. A request
//! that may have been done although its answer was lost is never simply sent again: the world is looked at first. `shared` is
//! where the answers lie that other processes of the repository need not ask for.
//! Nothing in here waits for long. What passes by itself is reported with the moment to come back at, and the run waits.

mod answer;
mod client;
mod error;
mod found;
mod kept;
mod news;
mod pace;
mod place;
mod pulls;
mod shared;
mod talk;
mod wire;

#[doc(hidden)]
pub use answer::Understood;
pub use client::GitHub;
pub use error::GitHubError;
pub use news::{PrNews, Watch};
pub use pace::Pace;
pub use place::{AddressError, api_of, repository_of};

#[cfg(test)]
mod tests;
