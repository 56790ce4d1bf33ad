//! What can go wrong with GitHub, and whose move it is then.

use crate::event::{FailureKind, Timestamp};
use crate::id::Sha;

/// A request to GitHub that was not followed, or whose answer did not come.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// Nobody gave a token.
    #[error("there is no token for {host}")]
    NoToken {
        /// The host.
        host: String,
    },
    /// GitHub does not know the token (any more).
    #[error("the token for {host} is not valid")]
    BadToken {
        /// The host.
        host: String,
    },
    /// The token may not do this.
    #[error("the token for {host} may not do this in {repository}: {message}")]
    Forbidden {
        /// The host.
        host: String,
        /// `owner/name`.
        repository: String,
        /// What GitHub said.
        message: String,
    },
    /// There is no such repository, or the token does not see it.
    #[error("{host} does not know {repository}, or does not show it to this token")]
    NoRepository {
        /// The host.
        host: String,
        /// `owner/name`.
        repository: String,
    },
    /// The token's quota is used up.
    #[error("{host} takes no more requests from this token until {until}")]
    RateLimited {
        /// The host.
        host: String,
        /// When it does again.
        until: Timestamp,
    },
    /// No answer came, or only a part of one.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the network said.
        reason: String,
        /// When to come back.
        until: Timestamp,
    },
    /// GitHub itself is in trouble.
    #[error("{host} is in trouble: it answered with status {status}")]
    InTrouble {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// When to come back.
        until: Timestamp,
    },
    /// GitHub refused what was sent.
    #[error("{host} does not accept this: {message}")]
    Invalid {
        /// The host.
        host: String,
        /// What GitHub said, all of it.
        message: String,
    },
    /// The pull request cannot be merged as things are.
    #[error("{host} does not merge pull request #{number}: {message}")]
    NotMergeable {
        /// The host.
        host: String,
        /// The pull request.
        number: u64,
        /// What GitHub said.
        message: String,
    },
    /// The base moved while it was merged.
    #[error("the base of pull request #{number} moved meanwhile")]
    BaseMoved {
        /// The pull request.
        number: u64,
    },
    /// Somebody moved the head since it was gated.
    #[error("pull request #{number} does not show {} any more; it was moved by other hands", expected.short())]
    HeadMoved {
        /// The pull request.
        number: u64,
        /// What was gated.
        expected: Sha,
    },
    /// The branch shows the work of another run.
    #[error("pull request #{number} shows the same branch for another run")]
    OtherRun {
        /// The pull request.
        number: u64,
    },
    /// The pull request is nobody's business here.
    #[error("pull request #{number} was not opened by laneway")]
    Foreign {
        /// The pull request.
        number: u64,
    },
    /// The answer is not what the interface promises.
    #[error("the answer of {host} cannot be read")]
    Strange {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The repository was moved to where the token must not be sent.
    #[error("{host} sends us on to {to}, which is not followed")]
    SentAway {
        /// The host.
        host: String,
        /// Where to.
        to: String,
    },
    /// No client can be made in these surroundings.
    #[error("no connection to {host} can be set up: {reason}")]
    Client {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
}

impl GitHubError {
    /// What follows for a run.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::RateLimited { .. } | Self::Unreachable { .. } | Self::InTrouble { .. } => {
                FailureKind::Transient
            }
            Self::BaseMoved { .. } => FailureKind::Moved,
            Self::Strange { .. } | Self::Client { .. } => FailureKind::Permanent,
            _ => FailureKind::Refused,
        }
    }

    /// The moment before which another try is useless.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until, .. }
            | Self::Unreachable { until, .. }
            | Self::InTrouble { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Whether the request may have been done although nobody was told.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::InTrouble { .. } | Self::Strange { .. })
    }

    /// What to do next, where a person has to.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoToken { .. } => {
                "set GH_TOKEN or log in with `gh auth login`, then laneway retry".to_owned()
            }
            Self::BadToken { host } => {
                format!("`gh auth login --hostname {host}`, or set GH_TOKEN anew, then laneway retry")
            }
            Self::Forbidden { repository, .. } => format!(
                "give the token the scope `repo` (or write access to pull requests and contents of {repository}), \
                 then laneway retry"
            ),
            Self::NoRepository { repository, .. } => format!(
                "look whether the token sees it: `gh repo view {repository}`; after a move `git remote set-url \
                 origin ...`, then laneway retry"
            ),
            Self::Invalid { .. } => "put it right on GitHub, then laneway retry".to_owned(),
            Self::NotMergeable { number, .. } => {
                format!("give it what its branch protection asks for, then laneway pr merge {number}")
            }
            Self::HeadMoved { number, .. } => {
                format!(
                    "laneway pr show {number} tells what it shows; merge it on GitHub, or put the head back"
                )
            }
            Self::OtherRun { number } => {
                format!(
                    "close pull request #{number}, or run the graph under another name, then laneway retry"
                )
            }
            Self::SentAway { .. } => "git remote set-url origin ..., then laneway retry".to_owned(),
            _ => return None,
        })
    }
}
