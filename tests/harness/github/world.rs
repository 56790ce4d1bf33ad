//! What the fake knows, and what can be done to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::faults::Armed;

/// How a person merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Merge,
    Squash,
    Rebase,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Whether a token came with it.
    pub(crate) token: Option<String>,
    pub(crate) sent: Value,
    pub(crate) answered: Value,
}

#[derive(Debug, Clone)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) open: bool,
    pub(super) draft: bool,
    pub(super) head: String,
    pub(super) base: String,
    pub(super) head_sha: String,
    pub(super) base_sha: String,
    pub(super) created: String,
    pub(super) updated: String,
    pub(super) closed: Option<(String, String)>,
    pub(super) merged: Option<(String, String, String)>,
    pub(super) labels: Vec<String>,
    pub(super) reviewers: Vec<String>,
    pub(super) reviews: Vec<Value>,
    pub(super) comments: Vec<Value>,
    pub(super) line_comments: Vec<Value>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) bare: PathBuf,
    pub(super) slug: String,
    /// The name that it had before.
    pub(super) old_slug: Option<String>,
    /// Where everything is sent on to.
    pub(super) away: Option<String>,
    pub(super) token: String,
    pub(super) may_write: bool,
    /// What branch protection says to a merge.
    pub(super) protection: Option<String>,
    pub(super) most_open: Option<usize>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) runs: BTreeMap<String, Vec<(String, Option<String>)>>,
    pub(super) statuses: BTreeMap<String, Vec<(String, String)>>,
    pub(super) armed: Vec<Armed>,
    pub(super) down: bool,
    pub(super) log: Vec<Logged>,
    pub(super) ids: u64,
    pub(super) clock: i64,
    pub(super) left: i64,
    /// Whether a push to the base merges what it brings.
    pub(super) sees_pushes: bool,
}

impl World {
    pub(super) fn new(bare: &Path) -> Self {
        Self {
            bare: bare.to_owned(),
            slug: "acme/toy".to_owned(),
            old_slug: None,
            away: None,
            token: "canary-token-5f2d".to_owned(),
            may_write: true,
            protection: None,
            most_open: None,
            pulls: BTreeMap::new(),
            runs: BTreeMap::new(),
            statuses: BTreeMap::new(),
            armed: Vec::new(),
            down: false,
            log: Vec::new(),
            ids: 0,
            clock: 1_767_225_600,
            left: 5000,
            sees_pushes: true,
        }
    }

    /// The next moment; every change has its own.
    pub(super) fn tick(&mut self) -> String {
        self.clock += 1;
        jiff::Timestamp::from_second(self.clock).expect("a moment of our time").to_string()
    }

    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Lets open pull requests show where their branches stand. Those that lost one of theirs are closed.
    pub(super) fn look(&mut self) {
        let open = self.pulls.values().filter(|pull| pull.open);
        let lost =
            open.filter(|pull| [&pull.base, &pull.head].iter().any(|one| tip(&self.bare, one).is_none()));
        for number in lost.map(|pull| pull.number).collect::<Vec<_>>() {
            self.close(number, "github");
        }
        let mut moved = Vec::new();
        for pull in self.pulls.values().filter(|pull| pull.open) {
            if let Some(tip) = tip(&self.bare, &pull.head).filter(|tip| *tip != pull.head_sha) {
                moved.push((pull.number, tip));
            }
        }
        for (number, tip) in moved {
            let at = self.tick();
            let pull = self.pulls.get_mut(&number).expect("it was just seen");
            pull.head_sha = tip;
            pull.updated = at;
        }
        if self.sees_pushes {
            self.take_pushes();
        }
    }

    /// Merges what a push has brought into its base.
    fn take_pushes(&mut self) {
        let mut landed = Vec::new();
        for pull in self.pulls.values().filter(|pull| pull.open) {
            let Some(base) = tip(&self.bare, &pull.base).filter(|base| *base != pull.base_sha) else {
                continue;
            };
            if git(&self.bare, &["merge-base", "--is-ancestor", &pull.head_sha, &base]).is_ok() {
                landed.push((pull.number, base));
            }
        }
        for (number, base) in landed {
            let at = self.tick();
            self.change(number, |pull| {
                pull.open = false;
                pull.closed = Some(("laneway-bot".to_owned(), at.clone()));
                pull.merged = Some((base, "laneway-bot".to_owned(), at));
            });
        }
    }

    /// Does something to a pull request; its time of change moves.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Pull)) {
        let at = self.tick();
        let pull = self.pulls.get_mut(&number).expect("there is such a pull request");
        change(pull);
        pull.updated = at;
    }

    pub(super) fn close(&mut self, number: u64, by: &str) {
        let at = self.tick();
        self.change(number, |pull| {
            pull.open = false;
            pull.closed = Some((by.to_owned(), at));
        });
    }

    /// Merges in the bare repository; the refusal is what git says.
    pub(super) fn merge(
        &mut self,
        number: u64,
        method: Method,
        by: &str,
        title: &str,
    ) -> Result<String, String> {
        self.look();
        let pull = self.pulls[&number].clone();
        let base = tip(&self.bare, &pull.base).ok_or("the base is gone")?;
        let sha = match method {
            Method::Merge => {
                let tree = merged_tree(&self.bare, &base, &pull.head_sha)?;
                commit(&self.bare, &tree, &[&base, &pull.head_sha], title)
            }
            Method::Squash => {
                let tree = merged_tree(&self.bare, &base, &pull.head_sha)?;
                commit(&self.bare, &tree, &[&base], &pull.title)
            }
            Method::Rebase => self.rebased(&base, &pull.head_sha)?,
        };
        git(&self.bare, &["update-ref", &format!("refs/heads/{}", pull.base), &sha, &base])?;
        let at = self.tick();
        self.change(number, |pull| {
            pull.open = false;
            pull.closed = Some((by.to_owned(), at.clone()));
            pull.merged = Some((sha.clone(), by.to_owned(), at));
        });
        Ok(sha)
    }

    fn rebased(&self, base: &str, head: &str) -> Result<String, String> {
        let range = format!("{base}..{head}");
        let commits = git(&self.bare, &["rev-list", "--reverse", "--topo-order", "--no-merges", &range])?;
        let mut at = base.to_owned();
        for one in commits.lines() {
            let parent = git(&self.bare, &["rev-parse", &format!("{one}^")])?;
            let merge_base = format!("--merge-base={parent}");
            let tree = git(&self.bare, &["merge-tree", "--write-tree", &merge_base, &at, one])?;
            at = commit(&self.bare, &tree, &[&at], "rebased");
        }
        Ok(at)
    }

    pub(super) fn review(&mut self, number: u64, by: &str, state: &str, body: &str) -> Value {
        let (id, at) = (self.id(), self.tick());
        let mut made = Value::Null;
        self.change(number, |pull| {
            made = json!({
                "id": id, "node_id": format!("R{id}"), "user": super::objects::user(by), "body": body,
                "state": state, "commit_id": pull.head_sha, "submitted_at": at,
                "html_url": "http://x/r", "pull_request_url": "http://x/p",
                "_links": { "html": { "href": "http://x/r" }, "pull_request": { "href": "http://x/p" } },
                "author_association": "MEMBER",
            });
            pull.reviews.push(made.clone());
        });
        made
    }
}

/// The tip of a branch of the bare repository.
pub(super) fn tip(bare: &Path, branch: &str) -> Option<String> {
    git(bare, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).ok()
}

fn merged_tree(bare: &Path, ours: &str, theirs: &str) -> Result<String, String> {
    git(bare, &["merge-tree", "--write-tree", ours, theirs])
}

fn commit(bare: &Path, tree: &str, parents: &[&str], message: &str) -> String {
    let mut arguments = vec!["commit-tree", tree, "-m", message];
    for parent in parents {
        arguments.extend(["-p", parent]);
    }
    git(bare, &arguments).expect("a tree can be committed")
}

/// Runs git in the bare repository.
pub(super) fn git(bare: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .current_dir(bare)
        .args(["-c", "user.name=GitHub", "-c", "user.email=noreply@example.org"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
