//! The remote: fetching, looking and pushing, without touching what is the user's.

use std::path::{Path, PathBuf};

use git2::ErrorCode;

use super::command::{Answer, Git};
use super::{GitError, Rejection, Repo};
use crate::failpoint::{self, Point};
use crate::id::Sha;

/// A remote of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name in the config.
    pub name: String,
    /// Its URL, after `insteadOf`.
    pub url: String,
    /// The directory, when it is on this machine.
    pub local_path: Option<PathBuf>,
}

/// Fetches of one branch may meet each other as often as there are lanes that want it.
const FETCH_TRIES: usize = 16;

impl Repo {
    /// The remote `origin`; `None` where there is none.
    pub fn origin(&self) -> Result<Option<Remote>, GitError> {
        let failed = || GitError::library("reading the remote");
        let url = self.with(|repo| match repo.find_remote("origin") {
            Ok(remote) => Ok(Some(remote.url().map_err(failed())?.to_owned())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed()(error)),
        })?;
        Ok(url.map(|url| {
            let local_path = local_path(&url, self.root());
            Remote { name: "origin".to_owned(), url, local_path }
        }))
    }

    /// Fetches one branch into `refs/laneway/remote/<branch>` and returns its tip; `None` where the remote has no such
    /// branch. The user's `refs/remotes`, tags and `FETCH_HEAD` stay as they are.
    pub fn fetch_branch(&self, remote: &Remote, branch: &str) -> Result<Option<Sha>, GitError> {
        let kept = format!("refs/laneway/remote/{branch}");
        for _ in 1..FETCH_TRIES {
            match self.fetch_once(remote, branch, &kept) {
                // Another fetch of the same branch, of this run or another, was a moment faster.
                Err(GitError::Failed { stderr, .. }) if stderr.contains("cannot lock ref") => {}
                other => return other,
            }
        }
        self.fetch_once(remote, branch, &kept)
    }

    fn fetch_once(&self, remote: &Remote, branch: &str, kept: &str) -> Result<Option<Sha>, GitError> {
        let fetched = self
            .talk("fetch", &[])?
            .args(["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-prune"])
            .args(["--no-recurse-submodules", "--no-show-forced-updates", "--refmap=", "--end-of-options"])
            .arg(&remote.name)
            .arg(format!("+refs/heads/{branch}:{kept}"))
            .run();
        match fetched {
            Ok(_) => self.read_ref(kept),
            Err(GitError::Failed { stderr, .. }) if stderr.contains("couldn't find remote ref") => {
                if let Some(stale) = self.read_ref(kept)? {
                    self.delete_ref(kept, &stale)?;
                }
                Ok(None)
            }
            Err(error) => Err(classify(error, remote)),
        }
    }

    /// The branch that the remote's HEAD names.
    pub fn remote_default_branch(&self, remote: &Remote) -> Result<Option<String>, GitError> {
        let answer = self.ls_remote(remote, &["--symref"], "HEAD")?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let target = text.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
        Ok(target.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned))
    }

    /// The tip of a branch at the remote, asked now; `None` where it has no such branch.
    pub fn remote_tip(&self, remote: &Remote, branch: &str) -> Result<Option<Sha>, GitError> {
        let wanted = format!("refs/heads/{branch}");
        let answer = self.ls_remote(remote, &[], &wanted)?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        // The pattern also matches refs that merely end in it.
        let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == wanted);
        line.map(|(id, _)| {
            Sha::new(id)
                .map_err(|_| GitError::Output { operation: "ls-remote".to_owned(), found: id.to_owned() })
        })
        .transpose()
    }

    /// Pushes `sha` to the remote's `branch`, which must be at `lease` (`None`: must not exist). No upstream is set, no hook
    /// of the user's is run, and nothing waits for a password. A branch that is at `sha` already is success.
    pub fn push(
        &self,
        remote: &Remote,
        sha: &Sha,
        branch: &str,
        lease: Option<&Sha>,
    ) -> Result<(), GitError> {
        self.push_spec(remote, &format!("{sha}:refs/heads/{branch}"), branch, lease)
    }

    /// Deletes the remote's `branch`, which must be at `lease`. That it is gone already is success.
    pub fn delete_remote_branch(&self, remote: &Remote, branch: &str, lease: &Sha) -> Result<(), GitError> {
        match self.push_spec(remote, &format!(":refs/heads/{branch}"), branch, Some(lease)) {
            Err(GitError::PushRejected { .. }) if self.remote_tip(remote, branch)?.is_none() => Ok(()),
            other => other,
        }
    }

    fn push_spec(
        &self,
        remote: &Remote,
        spec: &str,
        branch: &str,
        lease: Option<&Sha>,
    ) -> Result<(), GitError> {
        let expected = lease.map_or("", Sha::as_str);
        failpoint::pass(Point::Push);
        let answer = self
            .talk("push", &["push.gpgSign=false", "push.followTags=false", "push.autoSetupRemote=false"])?
            .args(["--porcelain", "--no-verify", "--recurse-submodules=no"])
            .arg(format!("--force-with-lease=refs/heads/{branch}:{expected}"))
            .arg("--end-of-options")
            .args([remote.name.as_str(), spec])
            .accept(&[0, 1])
            .run();
        failpoint::pass(Point::Pushed);
        let answer = answer.map_err(|error| classify(error, remote))?;
        if answer.code == 0 {
            return Ok(());
        }
        if let Some(cause) = rejection(&answer) {
            return Err(GitError::PushRejected { branch: branch.to_owned(), cause });
        }
        let Answer { code, stderr, .. } = answer;
        Err(classify(GitError::Failed { operation: "push".to_owned(), code: Some(code), stderr }, remote))
    }

    fn ls_remote(&self, remote: &Remote, options: &[&str], pattern: &str) -> Result<Answer, GitError> {
        self.talk("ls-remote", &[])?
            .arg("--quiet")
            .args(options)
            .args(["--end-of-options", remote.name.as_str(), pattern])
            .run()
            .map_err(|error| classify(error, remote))
    }

    /// A call that talks to the remote: bounded in time, and with the user's own ssh command where one is configured.
    pub(super) fn talk(&self, operation: &'static str, config: &[&str]) -> Result<Git, GitError> {
        let ssh = self.with(|repo| {
            let config = repo.config().map_err(GitError::library("reading the config"))?;
            match config.get_string("core.sshCommand") {
                Ok(command) => Ok(Some(command)),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
                Err(error) => Err(GitError::library("reading core.sshCommand")(error)),
            }
        })?;
        let git = Git::configured(self.scope(), operation, config).outside();
        Ok(match ssh {
            Some(command) => git.configured_ssh(&command),
            None => git,
        })
    }
}

/// The directory that a remote's URL names, if it is a path or a `file:` URL.
fn local_path(url: &str, root: &Path) -> Option<PathBuf> {
    if let Some(path) = url.strip_prefix("file://") {
        return Some(PathBuf::from(path));
    }
    // `host:path` is ssh unless a slash comes before the colon; git decides the same way.
    let ssh = url.find(':').is_some_and(|colon| !url[..colon].contains('/'));
    (!ssh && !url.contains("://")).then(|| root.join(url))
}

/// Reads the porcelain line of the one ref that was pushed: `!`, the refs, and the reason in parentheses.
fn rejection(answer: &Answer) -> Option<Rejection> {
    let text = String::from_utf8_lossy(&answer.stdout);
    let line = text.lines().find(|line| line.starts_with("!\t"))?;
    let summary = line.splitn(3, '\t').nth(2).unwrap_or_default();
    let reason = summary.split_once('(').map_or(summary, |(_, reason)| reason.trim_end_matches(')'));
    Some(match reason {
        "stale info" => Rejection::Stale,
        "non-fast-forward" | "fetch first" | "needs force" => Rejection::NotFastForward,
        // The remote branch moved between its announcement and our update.
        _ if reason.contains("failed to update ref") || reason.contains("cannot lock ref") => {
            Rejection::Stale
        }
        reason => Rejection::Remote { message: remote_message(reason, &answer.stderr) },
    })
}

/// The reason with what the remote's hook printed.
fn remote_message(reason: &str, stderr: &str) -> String {
    let said: Vec<&str> =
        stderr.lines().filter_map(|line| line.strip_prefix("remote: ")).map(str::trim).collect();
    if said.is_empty() { reason.to_owned() } else { format!("{reason}: {}", said.join("; ")) }
}

/// Says what a failed call means. Refusals come first: ssh adds that it "could not read" to both.
fn classify(error: GitError, remote: &Remote) -> GitError {
    const REFUSED: &[&str] = &[
        "Permission denied (",
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "terminal prompts disabled",
        "Host key verification failed",
        "returned error: 401",
        "returned error: 403",
        "Invalid username or",
        "HTTP Basic: Access denied",
        "Permission to ",
    ];
    const AWAY: &[&str] = &[
        "Could not resolve host",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "unable to access",
        "does not appear to be a git repository",
        "Could not read from remote repository",
        "Network is unreachable",
        "No route to host",
        "not found",
        "does not exist",
        "early EOF",
        "the remote end hung up",
        "not a git repository",
    ];
    let GitError::Failed { operation, code, stderr } = error else {
        return match error {
            GitError::TimedOut { seconds, .. } => GitError::Unreachable {
                remote: remote.name.clone(),
                detail: format!("no answer in {seconds} s"),
            },
            other => other,
        };
    };
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| stderr.contains(phrase));
    if says(REFUSED) {
        GitError::Auth { remote: remote.name.clone(), detail: stderr }
    } else if says(AWAY) {
        GitError::Unreachable { remote: remote.name.clone(), detail: stderr }
    } else {
        GitError::Failed { operation, code, stderr }
    }
}
