//! A scratch repository whose origin is on our GitHub, and the program at work in it.

use std::path::Path;

use serde_json::Value;

use crate::harness::{FakeGitHub, Output, Running, Scratch, Status};

/// Both parts of it.
pub(super) struct Hub {
    pub(super) scratch: Scratch,
    pub(super) fake: FakeGitHub,
}

/// Which token the program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Right,
    Wrong,
    None,
}

/// How a graph's pull requests are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    Review,
    Auto,
}

impl Hub {
    pub(super) fn new() -> Self {
        let scratch = Scratch::new();
        let fake = FakeGitHub::start(&scratch.origin());
        Self { scratch, fake }
    }

    /// A graph `hub` with the lanes `core` and `docs`, each of one task.
    pub(super) fn graph(&self, merge: Merge) -> &Self {
        let merge = if merge == Merge::Auto { "auto" } else { "review" };
        let lane = |id: &str| {
            format!(
                "[[workstreams]]\nid = \"{id}\"\nmerge = \"{merge}\"\n\n[[tasks]]\nid = \"write-{id}\"\n\
                 workstream = \"{id}\"\nrun = \"env > ../../../../shared/env-{id}; mkdir -p new && echo {id} > new/{id}.txt\"\n\
                 diff = \"required\"\n\n"
            )
        };
        let text = format!("schema = 1\nname = \"hub\"\n\n{}{}", lane("core"), lane("docs"));
        self.scratch.write("graphs/hub.toml", &text);
        self
    }

    fn environment(&self, token: Token) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("LANEWAY_GITHUB_API", self.fake.url().to_owned()),
            ("LANEWAY_GITHUB_REPOSITORY", "acme/toy".to_owned()),
            ("LANEWAY_TEST_GITHUB_PACE", "200".to_owned()),
        ];
        match token {
            Token::Right => environment.push(("GH_TOKEN", self.fake.token())),
            Token::Wrong => environment.push(("GH_TOKEN", "stale-canary-token".to_owned())),
            Token::None => {}
        }
        environment
    }

    /// Runs the program with the right token.
    pub(super) fn laneway(&self, arguments: &[&str]) -> Output {
        self.with(Token::Right, arguments)
    }

    pub(super) fn with(&self, token: Token, arguments: &[&str]) -> Output {
        let environment = self.environment(token);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.scratch.program("laneway", arguments, &environment)
    }

    /// Runs the program until it ends itself after `n` events, as a kill would.
    pub(super) fn crash(&self, n: usize) -> Output {
        let n = n.to_string();
        let mut environment = self.environment(Token::Right);
        environment.push(("LANEWAY_TEST_CRASH_AFTER", n));
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.scratch.program("laneway", &["run", "graphs/hub.toml"], &environment)
    }

    /// Starts the program with the right token.
    pub(super) fn spawn(&self, arguments: &[&str]) -> Running {
        let environment = self.environment(Token::Right);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.scratch.spawn_with(arguments, &environment)
    }

    pub(super) fn run(&self) -> Output {
        self.laneway(&["run", "graphs/hub.toml"])
    }

    #[track_caller]
    pub(super) fn status(&self) -> Status {
        Status::of(self.laneway(&["status", "hub", "--json"]).success().json())
    }

    /// The number of the pull request of a lane.
    #[track_caller]
    pub(super) fn number(&self, lane: &str) -> u64 {
        self.status().pr(lane).parse().expect("a number")
    }

    /// The events of this kind.
    #[track_caller]
    pub(super) fn events(&self, kind: &str) -> Vec<Value> {
        let mut events = self.scratch.events("hub");
        events.retain(|event| event["kind"] == kind);
        events
    }

    /// What `core` and `docs` come to.
    #[track_caller]
    pub(super) fn expect(&self, core: &str, docs: &str) -> Status {
        let status = self.status();
        let found = |lane: &str| status.lane(lane)["status"].as_str().unwrap_or_default().to_owned();
        assert_eq!((found("core").as_str(), found("docs").as_str()), (core, docs), "{:#}", status.value());
        status
    }

    pub(super) fn origin_file(&self, path: &str) -> Option<String> {
        self.scratch.file_at(&self.scratch.origin(), "refs/heads/main", path)
    }
}

/// Every file under `dir` that has `word` in it.
pub(super) fn files_with(dir: &Path, word: &str) -> Vec<String> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            bytes.windows(word.len()).any(|part| part == word.as_bytes())
        })
        .map(|entry| entry.path().display().to_string())
        .collect()
}
