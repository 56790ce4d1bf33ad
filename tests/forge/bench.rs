//! A forge with a repository under it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use laneway::forge::{
    Closed, Forge, ForgeError, GitHub, LocalForge, Merged, NewPr, Opened, Pace, PullRequest, Tried,
};
use laneway::id::{GraphName, LaneId, RunNo, Sha};
use laneway::plan::GitHubPlace;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::{FakeGitHub, Method};

/// The branch that tests open pull requests for.
pub(super) const HEAD: &str = "laneway/demo/core/integration";

/// A forge, and the repository that its pull requests are of.
pub(super) struct Bench {
    pub(super) forge: Forge,
    pub(super) fake: FakeGitHub,
    bare: PathBuf,
    runtime: Runtime,
    _dir: TempDir,
}

impl Bench {
    fn new(make: impl FnOnce(&Runtime, &Path, &FakeGitHub) -> Forge) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let bare = dir.path().join("bare.git");
        std::fs::create_dir(&bare).expect("a new directory");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        let fake = FakeGitHub::start(&bare);
        let forge = make(&runtime, dir.path(), &fake);
        let bench = Self { forge, fake, bare, runtime, _dir: dir };
        let main = bench.commit(&[], "main.txt", "1");
        bench.set("main", &main);
        bench.set(HEAD, &bench.commit(&[&main], "work.txt", "1"));
        bench
    }

    pub(super) fn local() -> Self {
        Self::new(|_, dir, _| {
            Forge::Local(LocalForge::open(&dir.join("forge")).expect("a writable directory"))
        })
    }

    pub(super) fn github() -> Self {
        Self::with(|_| {})
    }

    /// On GitHub, with another pace.
    pub(super) fn with(change: impl FnOnce(&mut Pace)) -> Self {
        let mut pace = Pace::default().faster(1000);
        change(&mut pace);
        Self::new(|runtime, _, fake| {
            let _inside = runtime.enter();
            Forge::GitHub(Box::new(client(fake, Some(&fake.token()), pace)))
        })
    }

    pub(super) fn on_github(&self) -> &GitHub {
        match &self.forge {
            Forge::GitHub(github) => github,
            Forge::Local(_) => panic!("this bench is local"),
        }
    }

    /// A client with another token.
    pub(super) fn client(&self, token: Option<&str>) -> GitHub {
        let _inside = self.runtime.enter();
        client(&self.fake, token, Pace::default().faster(1000))
    }

    #[track_caller]
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(120), work).await })
            .expect("an end")
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        git(&self.bare, arguments)
    }

    /// A commit with one file, on the tree of its first parent.
    pub(super) fn commit(&self, parents: &[&str], file: &str, text: &str) -> String {
        let index = self.bare.join("test-index");
        let index = index.to_str().expect("a path in UTF-8");
        let shell = format!(
            "export GIT_INDEX_FILE={index}; rm -f {index}; {}blob=$(printf %s '{text}' | git hash-object -w --stdin) && \
             git update-index --add --cacheinfo 100644,$blob,{file} && git write-tree",
            parents.first().map(|parent| format!("git read-tree {parent} && ")).unwrap_or_default()
        );
        let output =
            Command::new("sh").current_dir(&self.bare).args(["-c", &shell]).output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let mut arguments = vec!["commit-tree", &tree, "-m", "work"];
        for parent in parents {
            arguments.extend(["-p", parent]);
        }
        self.git(&arguments)
    }

    pub(super) fn set(&self, branch: &str, commit: &str) {
        self.git(&["update-ref", &format!("refs/heads/{branch}"), commit]);
    }

    pub(super) fn tip(&self, branch: &str) -> Sha {
        Sha::new(&self.git(&["rev-parse", &format!("refs/heads/{branch}")])).expect("a commit")
    }

    /// A pull request of `main` and the usual branch, for the lane `core` of the run `uuid`.
    pub(super) fn new_pr(&self, uuid: &str) -> NewPr {
        let marker = format!("laneway:demo:{uuid}:core");
        NewPr {
            title: "Add work".to_owned(),
            body: format!("# Body\nwith \"quotes\" and é\n<!-- {marker} -->\n"),
            draft: false,
            head: HEAD.to_owned(),
            base: "main".to_owned(),
            head_sha: self.tip(HEAD),
            base_sha: self.tip("main"),
            marker,
            graph: GraphName::new("demo").expect("a name"),
            run: RunNo(1),
            lane: LaneId::new("core").expect("a name"),
            author: "ada".to_owned(),
            at: at(0),
            labels: Vec::new(),
            reviewers: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Opens it, and it is new.
    #[track_caller]
    pub(super) fn open(&self, uuid: &str) -> PullRequest {
        match self.run(self.forge.create(self.new_pr(uuid), Tried::Perhaps)).expect("it is opened") {
            Opened::New(pull) => pull,
            Opened::Existing(pull) => panic!("#{} was there", pull.number),
        }
    }

    /// Opens one of another run, for a lane with another branch.
    pub(super) fn open_other(&self, uuid: &str) -> PullRequest {
        let head = "laneway/demo/docs/integration".to_owned();
        self.set(&head, &self.commit(&[self.tip("main").as_str()], "docs.txt", "1"));
        let marker = format!("laneway:demo:{uuid}:docs");
        let body = format!("<!-- {marker} -->");
        let (head_sha, lane) = (self.tip(&head), LaneId::new("docs").expect("a name"));
        let new = NewPr { head, head_sha, marker, body, lane, ..self.new_pr(uuid) };
        self.run(self.forge.create(new, Tried::Never)).expect("it is opened").into_pull()
    }

    /// Merges it as each forge does: git and a mark, or a request.
    pub(super) fn merge(&self, pull: &PullRequest) -> Result<Sha, ForgeError> {
        match &self.forge {
            Forge::GitHub(github) => {
                let (number, head) = (pull.number, &pull.head_sha);
                let landed = self.run(github.merge(number, head, "Merge lane core", Tried::Never))?;
                Ok(landed.sha)
            }
            Forge::Local(local) => {
                let (base, head) = (self.tip(&pull.base), &pull.head_sha);
                let tree = self.git(&["merge-tree", "--write-tree", base.as_str(), head.as_str()]);
                let made =
                    self.git(&["commit-tree", &tree, "-m", "m", "-p", base.as_str(), "-p", head.as_str()]);
                let sha = Sha::new(&made).expect("a commit");
                local
                    .mark_merged(pull.number, Merged { sha: sha.clone(), by: "bob".to_owned(), at: at(3) })?;
                self.set(&pull.base, &made);
                Ok(sha)
            }
        }
    }
}

fn client(fake: &FakeGitHub, token: Option<&str>, pace: Pace) -> GitHub {
    let at = GitHubPlace::new(fake.url(), "acme/toy").expect("an address");
    GitHub::open(at, token.map(|text| SecretString::from(text.to_owned())), pace).expect("a client")
}

/// The `n`th moment.
pub(super) fn at(n: u32) -> String {
    format!("2026-02-02T00:00:{n:02}Z")
}

pub(super) fn closed() -> Closed {
    Closed { by: "bob".to_owned(), at: at(2) }
}

fn git(bare: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(bare)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Merged by a person in the browser.
pub(super) fn by_person(bench: &Bench, number: u64, method: Method) -> String {
    bench.fake.merge(number, method, "bob")
}
