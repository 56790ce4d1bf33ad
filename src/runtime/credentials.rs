//! The token for GitHub: found when it is needed, kept in memory, handed to nobody but the client.
#![expect(clippy::disallowed_methods, reason = "asks `gh` for the token that it keeps")]

use std::ffi::{OsStr, OsString};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;

use crate::exec;
use crate::plan::GitHubPlace;

/// How long `gh` may take; it may have to ask a keyring that asks a person.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tokens for github.com.
const TOKENS: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];
/// Tokens for the server that `GH_HOST` names.
const ENTERPRISE_TOKENS: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// The token for `place`, from the environment or from `gh`.
///
/// A repository can say in its `laneway.toml` where its GitHub is. The tokens of the environment are not sent there for
/// that alone: they are for github.com, for what `LANEWAY_GITHUB_API` names and for `GH_HOST`. What `gh` keeps is kept
/// by host.
pub async fn find_token(environment: &[(OsString, OsString)], place: &GitHubPlace) -> Option<SecretString> {
    let value = |name: &str| {
        let found = environment.iter().rev().find(|(known, _)| known == name)?;
        found.1.to_str().map(str::trim).filter(|text| !text.is_empty())
    };
    let asked = value("LANEWAY_GITHUB_API").is_some_and(|api| api.trim_end_matches('/') == place.api);
    let host = place.host();
    let mut names: Vec<&str> = Vec::new();
    if asked || host == "github.com" {
        names.extend(TOKENS);
    }
    if value("GH_HOST") == Some(host) && host != "github.com" {
        names.extend(ENTERPRISE_TOKENS);
    }
    if let Some(token) = names.into_iter().find_map(value) {
        return Some(SecretString::from(token.to_owned()));
    }
    from_gh(environment, host).await
}

async fn from_gh(environment: &[(OsString, OsString)], host: &str) -> Option<SecretString> {
    let path = environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str())?;
    let gh = exec::find_program(OsStr::new("gh"), path, std::path::Path::new("/")).ok()?;
    let mut command = tokio::process::Command::from(std::process::Command::new(gh));
    command
        .args(["auth", "token", "--hostname", host])
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let token = String::from_utf8(output.stdout).ok()?;
    let token = token.trim();
    (output.status.success() && !token.is_empty()).then(|| SecretString::from(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use secrecy::ExposeSecret as _;

    use super::*;

    async fn found(pairs: &[(&str, &str)], api: &str) -> Option<String> {
        let environment: Vec<(OsString, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let at = GitHubPlace::new(api, "acme/toy").unwrap();
        find_token(&environment, &at).await.map(|token| token.expose_secret().to_owned())
    }

    const GITHUB: &str = "https://api.github.com";
    const OTHER: &str = "https://git.example.org/api/v3";

    #[tokio::test]
    async fn s22_a_token_of_the_environment_goes_to_the_server_that_the_environment_names() {
        let both = [("GITHUB_TOKEN", "second"), ("GH_TOKEN", "first")];
        assert_eq!(found(&both, GITHUB).await.as_deref(), Some("first"));
        assert_eq!(found(&[("GH_TOKEN", " "), ("GITHUB_TOKEN", "t\n")], GITHUB).await.as_deref(), Some("t"));
        assert_eq!(found(&both, OTHER).await, None, "a file of the repository can say this");
        let named = [("GH_TOKEN", "first"), ("LANEWAY_GITHUB_API", "https://git.example.org/api/v3/")];
        assert_eq!(found(&named, OTHER).await.as_deref(), Some("first"));
        let enterprise = [("GH_ENTERPRISE_TOKEN", "e"), ("GH_HOST", "git.example.org")];
        assert_eq!(found(&enterprise, OTHER).await.as_deref(), Some("e"));
        assert_eq!(found(&enterprise, "https://git.other.org/api/v3").await, None);
        assert_eq!(found(&enterprise, GITHUB).await, None);
    }

    fn gh(dir: &Path, script: &str) {
        let path = dir.join("gh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn s22_what_gh_keeps_for_the_host_is_the_last_resort() {
        let dir = tempfile::tempdir().unwrap();
        gh(dir.path(), "[ \"$*\" = 'auth token --hostname git.example.org' ] && echo kept");
        let path = dir.path().to_str().unwrap();
        assert_eq!(found(&[("PATH", path)], OTHER).await.as_deref(), Some("kept"));
        assert_eq!(found(&[("PATH", path)], GITHUB).await, None);
        assert_eq!(found(&[("PATH", path), ("GH_TOKEN", "t")], GITHUB).await.as_deref(), Some("t"));
        gh(dir.path(), "echo no >&2; exit 1");
        assert_eq!(found(&[("PATH", path)], OTHER).await, None);
        assert_eq!(found(&[("PATH", "/nowhere")], OTHER).await, None);
    }
}
