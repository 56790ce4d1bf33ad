//! One request: sent, sent on where the repository was renamed, sent again where that is harmless, and its answer read.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ETAG, HeaderMap, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{Method, StatusCode, Uri};
use octocrab::Octocrab;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::GitHubError;
use super::kept::Kept;
use super::pace::Pace;
use super::shared::{Shared, fingerprint};
use super::wire::Refusal;
use crate::event::Timestamp;
use crate::failpoint::{self, Point};
use crate::plan::GitHubPlace;

/// Requests of one kind before the run is told that there is no answer.
const TRIES: u32 = 3;
/// Hops after a renamed repository.
const HOPS: u32 = 3;
/// What is waited for when GitHub says no to too many requests without saying until when; its documentation says so.
const UNSAID: Duration = Duration::from_secs(60);

/// The pull requests of one repository on GitHub. To be made and used within a tokio runtime.
#[derive(Debug, Clone)]
pub struct GitHub {
    crab: Option<Octocrab>,
    pub(super) place: GitHubPlace,
    pub(super) pace: Pace,
    pub(super) kept: Kept,
    /// Tells its token from others.
    token: u32,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    path: String,
    body: Option<Value>,
    etag: Option<String>,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, etag: None }
    }

    pub(super) fn send(method: Method, path: impl Into<String>, body: Value) -> Self {
        Self { method, path: path.into(), body: Some(body), etag: None }
    }

    /// Only if it is not what bears this tag.
    pub(super) fn unless(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// What was asked for.
    Fresh { text: String, etag: Option<String> },
    /// It is what the asker has.
    Same,
}

/// A request that was refused, before anybody knows what the refusal means.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

/// How a request failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// Everywhere the same.
    Known(GitHubError),
    /// To be read by whoever asked.
    Refused(Refused),
}

impl From<GitHubError> for Fault {
    fn from(error: GitHubError) -> Self {
        Self::Known(error)
    }
}

impl GitHub {
    /// Speaks to the repository `at` with `token`. Without one every request fails as [`GitHubError::NoToken`].
    pub fn open(at: GitHubPlace, token: Option<SecretString>, pace: Pace) -> Result<GitHub, GitHubError> {
        let failed = |error: octocrab::Error| GitHubError::Client {
            host: at.host().to_owned(),
            reason: innermost(&error),
        };
        let known = token.as_ref().map_or(0, |token| fingerprint(token.expose_secret()));
        let crab = match token {
            None => None,
            Some(token) => Some(
                Octocrab::builder()
                    .base_uri(at.origin())
                    .map_err(failed)?
                    .personal_token(token)
                    .set_connect_timeout(Some(pace.timeout))
                    .build()
                    .map_err(failed)?,
            ),
        };
        Ok(GitHub { crab, place: at, pace, kept: Kept::default(), token: known })
    }

    /// Leaves answers under `root` for other processes that speak to the same repository, and takes theirs; what one of them
    /// is told to wait for, this one waits for too.
    #[must_use]
    pub fn sharing(self, root: &Path) -> Self {
        let place = format!("{} {}", self.place.api, self.place.repository);
        Self { kept: Kept::with(Shared::new(root, &place, self.token)), ..self }
    }

    /// Where it speaks to.
    pub fn place(&self) -> &GitHubPlace {
        &self.place
    }

    /// Its pauses.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn host(&self) -> String {
        self.place.host().to_owned()
    }

    /// The path of something of the repository.
    pub(super) fn of_repo(&self, rest: &str) -> String {
        format!("{}/repos/{}/{rest}", self.place.base_path(), self.place.repository)
    }

    /// Asks for what can be asked twice, up to three times.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Reply, Fault> {
        let mut tries = 1;
        loop {
            match self.once(ask).await {
                Err(Fault::Known(error)) if error.leaves_open() && tries < TRIES => self.rest(tries).await,
                done => return done,
            }
            tries += 1;
        }
    }

    /// Asks, and reads the answer.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Fault> {
        let mut tries = 1;
        loop {
            // An answer that was cut can look whole to the network; so what cannot be read is asked for again too.
            let read = match self.ask(ask).await? {
                Reply::Fresh { text, .. } => self.parse(&text),
                Reply::Same => self.parse("null"),
            };
            match read {
                Err(_) if tries < TRIES => self.rest(tries).await,
                done => return Ok(done?),
            }
            tries += 1;
        }
    }

    /// Like [`Self::read`], for those to whom every refusal means the same.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, GitHubError> {
        self.read(ask).await.map_err(|fault| self.plain(fault))
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, GitHubError> {
        serde_json::from_str(text).map_err(|source| GitHubError::Strange { host: self.host(), source })
    }

    /// A refusal that nobody has a better word for.
    pub(super) fn plain(&self, fault: Fault) -> GitHubError {
        match fault {
            Fault::Known(error) => error,
            Fault::Refused(Refused { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. }) => {
                GitHubError::NoRepository { host: self.host(), repository: self.place.repository.clone() }
            }
            Fault::Refused(refused) => GitHubError::Invalid { host: self.host(), message: refused.message },
        }
    }

    /// Waits before try number `tries + 1`.
    pub(super) async fn rest(&self, tries: u32) {
        let pause = self.pace.backoff * 2_u32.saturating_pow(tries.saturating_sub(1));
        // Runs that met the same trouble do not come back at the same moment.
        let part = u32::try_from(RandomState::new().hash_one(tries) % 1000).unwrap_or(0);
        tokio::time::sleep(pause / 2 + pause * part / 1000).await;
    }

    /// Sends a request exactly once, but where it is sent on.
    pub(super) async fn once(&self, ask: &Ask) -> Result<Reply, Fault> {
        let crab = self.crab.as_ref().ok_or_else(|| GitHubError::NoToken { host: self.host() })?;
        if let Some(until) = self.kept.held_until() {
            return Err(GitHubError::RateLimited { host: self.host(), until }.into());
        }
        let mut path = ask.path.clone();
        for _ in 0..=HOPS {
            let changes = ask.method != Method::GET;
            if changes {
                failpoint::pass(Point::GitHubSend);
            }
            let answer = tokio::time::timeout(self.pace.timeout, self.exchange(crab, ask, &path)).await;
            if changes {
                failpoint::pass(Point::GitHubSent);
            }
            let Ok(answer) = answer else {
                let reason = format!("no answer within {:?}", self.pace.timeout);
                return Err(self.unreachable(reason).into());
            };
            let (status, headers, text) = answer?;
            match status.as_u16() {
                304 => return Ok(Reply::Same),
                200..=299 => {
                    let etag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
                    return Ok(Reply::Fresh { text, etag });
                }
                301 | 302 | 307 | 308 => path = self.moved_to(&headers)?,
                _ => return Err(self.refusal(status, &headers, &text)),
            }
        }
        Err(GitHubError::SentAway { host: self.host(), to: path }.into())
    }

    async fn exchange(
        &self,
        crab: &Octocrab,
        ask: &Ask,
        path: &str,
    ) -> Result<(StatusCode, HeaderMap, String), GitHubError> {
        let gone = |error: octocrab::Error| self.unreachable(innermost(&error));
        let mut builder = http::Request::builder().method(ask.method.clone()).uri(path);
        if let Some(etag) = &ask.etag {
            builder = builder.header(IF_NONE_MATCH, etag);
        }
        let request = crab
            .build_request(builder, ask.body.as_ref())
            .map_err(|error| GitHubError::Client { host: self.host(), reason: innermost(&error) })?;
        let response = crab.send(request).await.map_err(gone)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = crab.body_to_string(response).await.map_err(gone)?;
        Ok((status, headers, text))
    }

    /// Where a renamed repository is now. The token stays with the host that it was given for.
    fn moved_to(&self, headers: &HeaderMap) -> Result<String, GitHubError> {
        let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        let away = || GitHubError::SentAway { host: self.host(), to: to.clone() };
        let uri: Uri = to.parse().map_err(|_| away())?;
        if uri.authority().is_some_and(|there| there.as_str() != self.place.authority()) {
            return Err(away());
        }
        Ok(uri.path_and_query().ok_or_else(away)?.as_str().to_owned())
    }

    fn unreachable(&self, reason: String) -> GitHubError {
        GitHubError::Unreachable { host: self.host(), reason, until: after(self.pace.patience) }
    }

    /// What a refusal means, as far as that is everywhere the same.
    pub(super) fn refusal(&self, status: StatusCode, headers: &HeaderMap, text: &str) -> Fault {
        let host = self.host();
        let message = serde_json::from_str::<Refusal>(text).unwrap_or_default().text();
        let until = limited_until(status, headers, &message);
        if let Some(until) = until {
            self.kept.hold(until);
        }
        Fault::Known(match (status, until) {
            (_, Some(until)) => GitHubError::RateLimited { host, until },
            (StatusCode::UNAUTHORIZED, _) => GitHubError::BadToken { host },
            (StatusCode::FORBIDDEN | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, _) => {
                GitHubError::Forbidden { host, repository: self.place.repository.clone(), message }
            }
            (StatusCode::REQUEST_TIMEOUT, _) => self.unreachable(message),
            _ if status.is_server_error() => GitHubError::InTrouble {
                host,
                status: status.as_u16(),
                until: after(seconds(headers, RETRY_AFTER.as_str()).unwrap_or(self.pace.patience)),
            },
            _ => return Fault::Refused(Refused { status, message }),
        })
    }
}

/// Until when GitHub takes no more requests; `None` when the refusal is about something else.
fn limited_until(status: StatusCode, headers: &HeaderMap, message: &str) -> Option<Timestamp> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    if let Some(wait) = seconds(headers, RETRY_AFTER.as_str()) {
        return Some(after(wait));
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset").map(|at| Timestamp(at.saturating_mul(1000)));
        return Some(reset.unwrap_or_else(|| after(UNSAID)));
    }
    let said = status == StatusCode::TOO_MANY_REQUESTS || message.to_ascii_lowercase().contains("rate limit");
    said.then(|| after(UNSAID))
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The moment `wait` from now.
pub(super) fn after(wait: Duration) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp(i64::try_from(now).unwrap_or(i64::MAX))
        .plus(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// The cause of all causes: octocrab's own words come with a backtrace.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}
