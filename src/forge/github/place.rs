//! Where a repository is on GitHub, read from the address of its remote.

use crate::plan::GitHubPlace;

/// An address that is not one of a repository or of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not `https://host/path`.
    #[error("`{given}` is not the address of a GitHub interface")]
    Api {
        /// What was given.
        given: String,
    },
    /// It is not `owner/name`.
    #[error("`{given}` is not the name of a repository")]
    Repository {
        /// What was given.
        given: String,
    },
}

/// The host and `owner/name` that the address of a remote names; `None` where it is no address of that form.
pub fn repository_of(url: &str) -> Option<(String, String)> {
    let rest = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => rest,
        Some(_) => return None,
        // `git@github.com:owner/name.git`
        None => return scp(url),
    };
    let (authority, path) = rest.split_once('/')?;
    Some((host(authority)?, slug(path)?))
}

fn scp(url: &str) -> Option<(String, String)> {
    let (authority, path) = url.split_once(':')?;
    if authority.contains('/') {
        return None;
    }
    Some((host(authority)?, slug(path)?))
}

fn host(authority: &str) -> Option<String> {
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?.to_ascii_lowercase();
    let host = if host == "ssh.github.com" { "github.com".to_owned() } else { host };
    (host.contains('.') || host == "localhost").then_some(host)
}

/// `owner/name` without what surrounds it.
fn slug(path: &str) -> Option<String> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    (plain(owner) && plain(name)).then(|| format!("{owner}/{name}"))
}

/// The interface of `host`: `api.github.com`, or that of an Enterprise server.
pub fn api_of(host: &str) -> String {
    if host == "github.com" { "https://api.github.com".to_owned() } else { format!("https://{host}/api/v3") }
}

impl GitHubPlace {
    /// Checks both parts; the token is sent to nothing that is not an address.
    pub fn new(api: &str, repository: &str) -> Result<Self, AddressError> {
        let bad = || AddressError::Api { given: api.to_owned() };
        let api = api.trim_end_matches('/');
        let uri: http::Uri = api.parse().map_err(|_| bad())?;
        let host = uri.host().ok_or_else(bad)?;
        let here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        match uri.scheme_str() {
            Some("https") => {}
            // Over plain HTTP everybody on the way would read the token.
            Some("http") if here => {}
            _ => return Err(bad()),
        }
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(bad());
        }
        let repository =
            slug(repository).ok_or_else(|| AddressError::Repository { given: repository.to_owned() })?;
        Ok(Self { api: api.to_owned(), repository })
    }

    /// The host, for people.
    pub fn host(&self) -> &str {
        let rest = self.api.split_once("://").map_or(self.api.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or(rest);
        if authority == "api.github.com" { "github.com" } else { authority }
    }

    /// The path of the interface on its host, without a slash at the end.
    pub(super) fn base_path(&self) -> &str {
        let rest = self.api.split_once("://").map_or(self.api.as_str(), |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// The part of the interface's address with the host and the port.
    pub(super) fn authority(&self) -> &str {
        let rest = self.api.split_once("://").map_or(self.api.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The interface's address without its path.
    pub(super) fn origin(&self) -> &str {
        &self.api[..self.api.len() - self.base_path().len()]
    }

    /// The path of GraphQL, which lies beside the `v3` of an Enterprise server and under `api.github.com`.
    pub(super) fn graphql(&self) -> String {
        format!("{}/graphql", self.base_path().strip_suffix("/v3").unwrap_or(self.base_path()))
    }

    /// The owner of the repository.
    pub(super) fn owner(&self) -> &str {
        self.repository.split('/').next().unwrap_or(&self.repository)
    }
}
