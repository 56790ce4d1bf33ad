//! A scratch repository in which everything that is done outside of Laneway is counted by somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{FakeGitHub, Output, Scratch, Status};

/// Where pull requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Local,
    GitHub,
}

/// Says where a task's process begins, and whether its work has landed already.
const STARTED: &str = r#"landed=$(git log --format=%s "refs/heads/laneway/${LANEWAY_GRAPH:-}/${LANEWAY_LANE:-}/integration" 2>&1 |
    grep -cxF "Land ${LANEWAY_LANE:-}/${LANEWAY_TASK:-}") || true
echo "${LANEWAY_TASK:-}/${LANEWAY_ATTEMPT:-} ${landed:-0}" >> "$HOME/starts"
"#;
/// Says what a push has moved.
const RECEIVED: &str = "#!/bin/sh\ncat >> ../home/pushes\n";

/// A repository with a graph that ships, whose processes, pushes and requests are counted.
pub(super) struct Ground {
    pub(super) scratch: Scratch,
    fake: Option<FakeGitHub>,
    graph: String,
}

/// All that an undisturbed run and a recovered one must have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    outline: (String, BTreeMap<String, String>, BTreeMap<String, String>),
    /// What the lanes hold and how many attempts it took; unless it depends on who was first.
    settled: BTreeMap<String, String>,
}

/// How often things were done that the world sees, by what they were done to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done(BTreeMap<String, usize>);

impl Done {
    fn one(&mut self, what: String) {
        self.many(what, 1);
    }

    fn many(&mut self, what: String, times: usize) {
        *self.0.entry(what).or_insert(0) += times;
    }

    /// What was done more often than in `once`.
    pub(super) fn beyond(&self, once: &Done) -> Vec<String> {
        let more = |what: &str, times: usize| times > once.0.get(what).copied().unwrap_or(0);
        self.0
            .iter()
            .filter(|(what, times)| more(what, **times))
            .map(|(what, n)| format!("{what}: {n} times"))
            .collect()
    }
}

impl Ground {
    pub(super) fn new(graph: &str, place: Place) -> Self {
        let scratch = Scratch::new();
        let agent = fs::read_to_string(scratch.repo().join("agents/scripted.sh")).expect("it ships");
        scratch.write("agents/scripted.sh", &agent.replacen("set -u\n", "set -u\n. \"$HOME/started\"\n", 1));
        let file = format!("graphs/{graph}.toml");
        let text = fs::read_to_string(scratch.repo().join(&file)).expect("it ships");
        let text = text
            .replace("\nrun = \"", "\nrun = \". $HOME/started; ")
            .replace("\nrun = [\"sh\", \"-c\", \"", "\nrun = [\"sh\", \"-c\", \". $HOME/started; ");
        scratch.write(&file, &text);
        scratch.git(&["commit", "-qam", "Count"]);
        scratch.git(&["push", "-q", "origin", "main"]);
        fs::write(scratch.home().join("started"), STARTED).expect("a home");
        let hook = scratch.origin().join("hooks/post-receive");
        fs::write(&hook, RECEIVED).expect("an origin");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let fake = (place == Place::GitHub).then(|| FakeGitHub::start(&scratch.origin()));
        Self { scratch, fake, graph: graph.to_owned() }
    }

    /// Runs Laneway with these variables too.
    pub(super) fn with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut all = variables.to_vec();
        let (url, token);
        if let Some(fake) = &self.fake {
            (url, token) = (fake.url().to_owned(), fake.token());
            all.push(("LANEWAY_GITHUB_API", &url));
            all.push(("LANEWAY_GITHUB_REPOSITORY", "acme/toy"));
            all.push(("LANEWAY_TEST_GITHUB_PACE", "200"));
            all.push(("GH_TOKEN", &token));
        }
        self.scratch.program("laneway", arguments, &all)
    }

    pub(super) fn run(&self, variables: &[(&str, &str)]) -> Output {
        self.with(&["run", &format!("graphs/{}.toml", self.graph)], variables)
    }

    /// The points that a run has passed, where it was given [`Self::list`].
    pub(super) fn passed(&self) -> BTreeMap<String, usize> {
        let mut passed = BTreeMap::new();
        for line in self.lines("points") {
            *passed.entry(line).or_insert(0) += 1;
        }
        passed
    }

    /// The file for the list of points.
    pub(super) fn list(&self) -> PathBuf {
        self.scratch.home().join("points")
    }

    /// The processes of tasks so far, each as task and attempt.
    pub(super) fn starts(&self) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for line in self.lines("starts") {
            let (who, _) = line.split_once(' ').expect("two words");
            *starts.entry(who.to_owned()).or_insert(0) += 1;
        }
        starts
    }

    /// The times of the journal's events, in order.
    #[track_caller]
    pub(super) fn times(&self) -> Vec<String> {
        let text = |event: &Value| event["at"].as_str().expect("a time").to_owned();
        self.scratch.events(&self.graph).iter().map(text).collect()
    }

    /// Processes that were started for work that had landed.
    pub(super) fn started_again(&self) -> Vec<String> {
        let lines = self.lines("starts");
        lines
            .into_iter()
            .filter(|line| !line.ends_with(" 0"))
            .map(|line| format!("started after it landed: {line}"))
            .collect()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.scratch.home().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(super) fn end(&self) -> End {
        let status = Status::of(self.with(&["status", &self.graph, "--json"], &[]).success().json());
        let is_settled = self.graph != "conflict";
        End {
            outline: status.outline(),
            settled: if is_settled { self.settled(&status) } else { BTreeMap::new() },
        }
    }

    #[track_caller]
    fn settled(&self, status: &Status) -> BTreeMap<String, String> {
        let list = |key: &str| status.value()[key].as_array().expect("a list").clone();
        let mut all = BTreeMap::new();
        let target = self.scratch.git_in(&self.scratch.origin(), &["rev-parse", "main^{tree}"]);
        all.insert("target".to_owned(), target);
        // A lane that begins after its sibling has landed holds the sibling's work too.
        let lanes = if self.graph == "diamond-auto" { Vec::new() } else { list("lanes") };
        for lane in lanes {
            if let Some(tip) = lane["tip"].as_str() {
                let tree = self.scratch.git(&["rev-parse", &format!("{tip}^{{tree}}")]);
                all.insert(format!("lane {}", lane["id"]), tree);
            }
        }
        for task in list("tasks") {
            all.insert(format!("task {}", task["id"]), task["attempts"].to_string());
        }
        all
    }

    /// What the world has seen.
    #[track_caller]
    pub(super) fn done(&self) -> Done {
        let mut done = Done::default();
        for (head, comments) in self.pulls() {
            done.one(format!("pull request of {head}"));
            done.many(format!("comments on {head}"), comments);
        }
        let history = self.scratch.git_in(&self.scratch.origin(), &["rev-list", "--first-parent", "main"]);
        done.many("commits on the target".to_owned(), history.lines().count());
        for line in self.lines("pushes") {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, new, name] = words[..] else { panic!("no push: {line}") };
            // A lane that is torn down is pushed away once; what it holds differs from run to run.
            if new.bytes().all(|byte| byte == b'0') {
                done.one(format!("deletion of {name}"));
            }
        }
        done
    }

    /// Pushes that came twice.
    pub(super) fn pushed_again(&self) -> Vec<String> {
        let mut moves = BTreeMap::new();
        for line in self.lines("pushes") {
            let (_, what) = line.split_once(' ').expect("three words");
            *moves.entry(what.to_owned()).or_insert(0) += 1;
        }
        moves
            .into_iter()
            .filter(|(_, n)| *n > 1)
            .map(|(what, n)| format!("pushed {n} times: {what}"))
            .collect()
    }

    /// The heads of all pull requests, with the number of comments.
    #[track_caller]
    fn pulls(&self) -> Vec<(String, usize)> {
        if let Some(fake) = &self.fake {
            let one = |number| (fake.pull(number)["head"]["ref"].to_string(), fake.comments(number).len());
            return fake.numbers().into_iter().map(one).collect();
        }
        let dir = self.scratch.repo().join(".git/laneway/forge");
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().ends_with(".pull.json") {
                let sheet: Value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
                let comments = sheet["comments"].as_array().map_or(0, Vec::len);
                found.push((sheet["pull"]["head"].to_string(), comments));
            }
        }
        found
    }
}
