//! Git, the repository, who commits, and origin.

use std::path::Path;

use super::Finding;
use crate::git::{self, GitError, Trait, Unsupported};
use crate::id::Sha;
use crate::runtime::effects::chain;
use crate::runtime::{Project, RuntimeError};

/// The `git` program.
pub fn git() -> Finding {
    match git::git_version() {
        Ok(version) => Finding::ok("git", version),
        Err(error) => Finding::fail("git", chain(&error), "install git 2.40 or newer".to_owned()),
    }
}

/// The repository that `start` lies in, and who commits there; the project where it can be worked in.
pub fn repository(start: &Path) -> (Vec<Finding>, Option<Project>) {
    let project = match Project::open(start) {
        Ok(project) => project,
        Err(error) => return (vec![refused(&error)], None),
    };
    let mut findings = vec![kind(&project)];
    findings.extend(bare_with_files(&project));
    findings.push(match project.repo.head_commit() {
        Ok(Some(head)) => at(&project, &head),
        Ok(None) => {
            let next = "git commit --allow-empty -m \"first commit\"".to_owned();
            Finding::fail("head", "nothing is committed yet: there is nothing to cut lanes from", next)
        }
        Err(error) => Finding::fail("head", chain(&error), None),
    });
    findings.push(match project.repo.identity() {
        Ok(who) => Finding::ok("identity", format!("{} <{}>", who.name, who.email)),
        Err(error) => {
            let hint = RuntimeError::from(error);
            Finding::fail("identity", chain(&hint), hint.hint())
        }
    });
    (findings, Some(project))
}

/// A checkout that git no longer sees as one, which an agent's `git config core.bare true` makes of it.
fn bare_with_files(project: &Project) -> Option<Finding> {
    let common = project.repo.common_dir();
    let has_files = common.file_name().is_some_and(|name| name == ".git") && common.join("index").exists();
    (project.repo.is_bare() && has_files).then(|| {
        let found = "core.bare is set, and there is a checkout: git refuses to work in it".to_owned();
        Finding::warn("bare", found, format!("git --git-dir {} config core.bare false", common.display()))
    })
}

/// Where HEAD is, and whether lanes can be cut from its branch. Which branch is origin's is not asked here.
fn at(project: &Project, head: &Sha) -> Finding {
    let found = format!("at {}", head.short());
    match (project.repo.head_branch(), project.repo.origin()) {
        (Ok(None), Ok(None)) => Finding::warn(
            "head",
            format!("{found}, on no branch: graphs without `base` are refused, as there is no origin either"),
            "git switch BRANCH, or set `base` in the graph".to_owned(),
        ),
        (Err(error), _) => Finding::fail("head", chain(&error), None),
        // What is wrong with origin is said where that is looked at.
        _ => Finding::ok("head", found),
    }
}

/// A repository that Laneway does not work with.
fn refused(error: &RuntimeError) -> Finding {
    let next = match error {
        RuntimeError::Git(GitError::UnsafeOwner { path }) => {
            Some(format!("git config --global --add safe.directory {}", path.display()))
        }
        RuntimeError::Git(GitError::Unsupported { feature, .. }) => Some(str::to_owned(match feature {
            Unsupported::PartialClone => "clone it again without --filter",
            Unsupported::Reftable => "git refs migrate --ref-format=files",
            Unsupported::ObjectFormat { .. } | Unsupported::Extension { .. } => {
                "work in a clone with sha1 objects and without extensions"
            }
        })),
        other => other.hint(),
    };
    Finding::fail("repository", chain(error), next)
}

fn kind(project: &Project) -> Finding {
    let root = project.repo.root().display();
    let traits = match project.repo.traits() {
        Ok(traits) => traits,
        Err(error) => return Finding::fail("repository", chain(&error), None),
    };
    let kinds: Vec<String> = traits.iter().map(Trait::to_string).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let found = format!("{root}{kinds}");
    if traits.contains(&Trait::Shallow) {
        // Where the common ancestor is missing, branches cannot be merged.
        return Finding::warn("repository", found, "git fetch --unshallow".to_owned());
    }
    Finding::ok("repository", found)
}

/// The remote; it is asked only where `online` says so.
pub fn origin(project: &Project, online: bool) -> Finding {
    let remote = match project.repo.origin() {
        Ok(Some(remote)) => remote,
        Ok(None) => return Finding::ok("origin", "there is none: nothing is fetched or pushed"),
        Err(error) => return Finding::fail("origin", chain(&error), None),
    };
    let shown = without_secrets(&remote.url);
    let is_detached = matches!(project.repo.head_branch(), Ok(None));
    // What graphs without `base` start from is then up to it, and a repository on this machine can be asked any time.
    let is_asked = online || is_detached && remote.local_path.is_some();
    if !is_asked {
        return Finding::ok("origin", format!("{shown}, not asked (--online asks)"));
    }
    match project.repo.remote_default_branch(&remote) {
        Ok(None) if is_detached => Finding::warn(
            "origin",
            format!(
                "{shown} answers, but has no default branch, and HEAD is on no branch: graphs without `base` are refused"
            ),
            "git switch BRANCH, or set `base` in the graph".to_owned(),
        ),
        Ok(branch) => {
            let branch = branch.map_or_else(String::new, |branch| format!(", its HEAD is `{branch}`"));
            Finding::ok("origin", format!("{shown} answers{branch}"))
        }
        Err(error) => {
            let found = format!("{shown}: {}", chain(&error).replace(&remote.url, &shown));
            Finding::fail("origin", found, "git ls-remote origin, or run with --offline".to_owned())
        }
    }
}

/// An address without the name and the password in it.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, path) = rest.split_once('/').map_or((rest, None), |(place, path)| (place, Some(path)));
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s22_a_token_in_an_address_is_not_shown() {
        assert_eq!(without_secrets("https://me:ghp_x@github.com/a/b.git"), "https://github.com/a/b.git");
        assert_eq!(without_secrets("https://ghp_x@github.com"), "https://github.com");
        assert_eq!(without_secrets("git@github.com:a/b.git"), "git@github.com:a/b.git");
        assert_eq!(without_secrets("/srv/a@b/c.git"), "/srv/a@b/c.git");
    }
}
