//! The command line as a whole, on real repositories.
#![expect(clippy::disallowed_methods, reason = "looks at real files")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::{CommandFactory, Parser};
use serde_json::Value;

use super::args::Cli;
use super::demo;
use super::error::CliError;
use super::exit::Exit;
use super::out::Out;
use super::session::Session;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a command ended and what it answered.
#[must_use = "look at the answer or assert the exit"]
struct Ended {
    exit: Exit,
    code: Option<&'static str>,
    text: String,
}

impl Ended {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.exit, Exit::Achieved, "{:?}: {}", self.code, self.text);
        self.text
    }

    #[track_caller]
    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// How it failed: with which exit code, and by which word.
    fn failed(self) -> (Exit, Option<&'static str>) {
        (self.exit, self.code)
    }
}

/// A scratch repository with the calculator, the scripted agent and an origin.
struct Scratch {
    dir: tempfile::TempDir,
    root: PathBuf,
    env: BTreeMap<OsString, OsString>,
}

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = demo::make(dir.path()).unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let env = [("PATH".into(), path), ("HOME".into(), home.into())];
        Self { dir, root, env: env.into() }
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.insert(name.into(), value.into());
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn call(&self, words: &[&str]) -> Ended {
        let cli = Cli::try_parse_from(["laneway", "--quiet"].iter().chain(words)).unwrap();
        let kept = Kept::default();
        let out = Out::to(kept.clone());
        let session = Session::new(cli.global.clone(), self.root.clone(), self.env.clone(), out);
        let (exit, code) = match cli.command.run(&session) {
            Ok(exit) => (exit, None),
            Err(CliError::ReaderGone) => (Exit::Achieved, None),
            Err(error @ CliError::Told(_)) => {
                let exit = session.tell(&error);
                let CliError::Told(trouble) = error else { unreachable!("the arm says so") };
                (exit, Some(trouble.code))
            }
        };
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        Ended { exit, code, text }
    }

    /// Everything that a run could have left behind.
    fn traces(&self) -> Vec<String> {
        let repo = git2::Repository::open(&self.root).unwrap();
        let refs = repo.references().unwrap();
        let mut traces: Vec<String> = refs
            .map(|found| found.unwrap().name().unwrap().to_owned())
            // Where a fetch keeps what it brought is no branch.
            .filter(|name| !name.starts_with("refs/laneway/remote/"))
            .collect();
        for place in [".git/laneway/graphs", ".laneway", ".worktrees", ".git/worktrees"] {
            if self.root.join(place).exists() {
                traces.push(place.to_owned());
            }
        }
        traces.sort();
        traces
    }
}

/// A graph of one task that runs `command`.
fn one_task(name: &str, more: &str, command: &str) -> String {
    format!("name = \"{name}\"\n{more}\n[[tasks]]\nid = \"only\"\nrun = {command}\n")
}

#[test]
fn the_definition_holds() {
    Cli::command().debug_assert();
}

/// Every command under `command`, with the words that call it.
fn each<'a>(command: &'a clap::Command, path: &str, into: &mut Vec<(String, &'a clap::Command)>) {
    into.push((path.to_owned(), command));
    // What shows the help of the others has no help of its own to speak of.
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        each(inner, &format!("{path} {}", inner.get_name()), into);
    }
}

#[test]
fn ar30_the_help_of_every_command() {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut all = Vec::new();
    each(&root, "laneway", &mut all);
    let mut reference = String::new();
    for (path, command) in all {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example:\n"), "`{path}` has no example");
        writeln!(reference, "# {path}\n\n{}\n", help.trim_end()).unwrap();
    }
    insta::with_settings!({filters => vec![(r"[ \t]+\n", "\n")]}, {
        insta::assert_snapshot!("cli_reference", reference);
    });
}

#[test]
fn ar30_a_graph_from_its_first_run_to_its_merge() {
    let scratch = Scratch::new();
    let file = "graphs/quickstart.toml";
    assert_eq!(scratch.call(&["status"]).failed(), (Exit::Usage, Some("no_run")));
    assert_eq!(scratch.call(&["pr", "list", "--json"]).json(), Value::Array(vec![]));

    let text = scratch.call(&["run", file]).ok();
    assert!(text.is_empty() || text.contains("completed"), "{text}");
    let status = scratch.call(&["status", "--json"]).json();
    assert_eq!(status["graph"], "quickstart");
    assert_eq!(status["state"], "completed");
    assert_eq!(status["lanes"][0]["status"], "pr_created");
    assert_eq!(status["tasks"][0]["status"], "merged");
    assert!(scratch.call(&["status"]).ok().contains("quickstart"));
    assert_eq!(scratch.call(&["waiting", "--json"]).json(), status["waiting"]);

    let list = scratch.call(&["list", "--json"]).json();
    assert_eq!(list[0]["runs"][0]["state"], "completed");
    assert!(scratch.call(&["verify"]).ok().contains("hold"));
    assert!(scratch.call(&["events", "--kind", "workflow", "--kind", "pr.opened"]).ok().contains("#1"));
    assert_eq!(scratch.call(&["events", "--kind", "nope"]).failed(), (Exit::Usage, Some("usage")));
    assert!(scratch.call(&["logs", "multiply"]).ok().contains("ops/mul.sh"));
    assert_eq!(scratch.call(&["logs", "nope"]).failed(), (Exit::Usage, Some("no_task")));
    assert_eq!(
        scratch.call(&["logs", "multiply", "--attempt", "2"]).failed(),
        (Exit::Usage, Some("no_attempt"))
    );

    let pulls = scratch.call(&["pr", "list", "--json"]).json();
    assert_eq!(pulls.as_array().unwrap().len(), 2);
    assert!(scratch.call(&["pr", "diff", "1"]).ok().contains("+++ b/"));
    assert!(scratch.call(&["pr", "show", "1"]).ok().contains("## Tasks"));
    let taken = scratch.call(&["pr", "merge", "1", "--json"]).json();
    assert_eq!(taken["taken"], true);
    assert_eq!(scratch.call(&["pr", "merge", "1"]).failed(), (Exit::Failed, Some("rejected")));
    assert_eq!(scratch.call(&["pr", "merge", "9"]).failed(), (Exit::Usage, Some("forge")));
    let merged = scratch.call(&["pr", "list", "--state", "merged", "--json"]).json();
    assert_eq!(merged[0]["number"], 1);
}

#[test]
fn ar23_a_finished_graph_is_run_again_only_on_request() {
    let scratch = Scratch::new();
    scratch.write("graphs/one.toml", &one_task("one", "", "\"true\""));
    let _ = scratch.call(&["run", "graphs/one.toml"]).ok();
    let again = scratch.call(&["run", "graphs/one.toml"]).ok();
    assert!(again.contains("nothing to do"), "{again}");
    assert_eq!(
        scratch
            .call(&["events", "one", "--run", "1", "--kind", "workflow.start", "--json"])
            .ok()
            .lines()
            .count(),
        1
    );
    let _ = scratch.call(&["run", "graphs/one.toml", "--fresh"]).ok();
    let status = scratch.call(&["status", "one", "--json"]).json();
    assert_eq!(status["run"], 2);
    let first = scratch.call(&["status", "graphs/one.toml", "--run", "1", "--json"]).json();
    assert_eq!(first["run"], 1);
}

#[test]
fn ar30_a_failed_run_says_so_and_goes_on_after_a_retry() {
    let scratch = Scratch::new();
    let gate = scratch.dir.path().join("open");
    let command = format!("[\"test\", \"-e\", \"{}\"]", gate.display());
    scratch.write("graphs/one.toml", &one_task("one", "", &command));
    assert_eq!(scratch.call(&["run", "graphs/one.toml"]).exit, Exit::Failed);
    assert_eq!(scratch.call(&["attach"]).exit, Exit::Failed);
    // What has failed is not tried again by itself.
    assert_eq!(scratch.call(&["run", "graphs/one.toml"]).exit, Exit::Failed);
    let status = scratch.call(&["status", "--json"]).json();
    assert_eq!(status["tasks"][0]["attempts"], 2);

    fs::write(&gate, "").unwrap();
    let _ = scratch.call(&["retry", "--task", "only"]).ok();
    let _ = scratch.call(&["resume"]).ok();
    let status = scratch.call(&["status", "--json"]).json();
    assert_eq!(status["state"], "completed");
    assert_eq!(status["tasks"][0]["attempts"], 3);
}

#[test]
fn ar03_what_cannot_run_is_refused_before_anything_exists() {
    let scratch = Scratch::new();
    let before = scratch.traces();
    let agent = "agent = \"a\"\n[agents.a]\ncommand = [\"no-such-agent\", \"{prompt_file}\"]\n";
    let prompt = "[[tasks]]\nid = \"only\"\nprompt = \"do it\"\n";
    scratch.write("agent.toml", &format!("name = \"agent\"\n{agent}{prompt}"));
    let probe =
        agent.replace("no-such-agent", "sh") + "probe = [\"sh\", \"-c\", \"echo not logged in; exit 1\"]\n";
    scratch.write("probe.toml", &format!("name = \"probe\"\n{probe}{prompt}"));
    scratch.write("base.toml", &one_task("base", "base = \"nowhere\"", "\"true\""));
    scratch.write("program.toml", &one_task("program", "", "[\"no-such-program\"]"));
    scratch.write("broken.toml", "name = 3\n");
    for (file, exit, code) in [
        ("agent.toml", Exit::Environment, "missing_program"),
        ("probe.toml", Exit::Environment, "missing_program"),
        ("program.toml", Exit::Environment, "missing_program"),
        ("base.toml", Exit::Usage, "usage"),
        ("broken.toml", Exit::Usage, "graph"),
        ("absent.toml", Exit::Usage, "graph_file"),
    ] {
        assert_eq!(scratch.call(&["run", file]).failed(), (exit, Some(code)), "{file}");
        assert_eq!(scratch.traces(), before, "{file} left something behind");
    }
    let plan = scratch.call(&["plan", "agent.toml"]);
    assert_eq!(plan.exit, Exit::Environment);
    assert!(plan.text.contains("task only cannot run"), "{}", plan.text);
}

#[test]
fn s26_an_agent_that_is_built_in_needs_no_definition_and_says_how_it_is_installed() {
    let scratch = Scratch::new();
    let text = "name = \"known\"\nagent = \"claude\"\n[agents.claude.env]\nPATH = \"/nowhere\"\n\
                [[tasks]]\nid = \"only\"\nprompt = \"do it\"\n";
    scratch.write("known.toml", text);
    let install = "npm install -g @anthropic-ai/claude-code";
    let checked = scratch.call(&["check", "known.toml"]).ok();
    assert!(checked.contains("known.toml: ok"), "{checked}");
    assert!(checked.contains("claude cannot run here") && checked.contains(install), "{checked}");
    let warnings = scratch.call(&["check", "known.toml", "--json"]).json();
    assert_eq!((&warnings[0]["severity"], &warnings[0]["hint"]), (&"warning".into(), &install.into()));
    let plan = scratch.call(&["plan", "known.toml"]);
    assert_eq!(plan.exit, Exit::Environment);
    assert!(plan.text.contains("task only cannot run") && plan.text.contains(install), "{}", plan.text);
    assert_eq!(scratch.call(&["run", "known.toml"]).failed(), (Exit::Environment, Some("missing_program")));
    // One that is there is probed by its own `--version`.
    let program = scratch.write("bin/claude", "#!/bin/sh\n[ \"$*\" = --version ] && echo 2.0\n");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let place = program.parent().unwrap().display().to_string();
    scratch.write("known.toml", &text.replace("/nowhere", &format!("{place}:/usr/bin:/bin")));
    let _ = scratch.call(&["plan", "known.toml"]).ok();
    assert!(!scratch.call(&["check", "known.toml"]).ok().contains("cannot run"));
}

#[test]
fn ar11_a_dry_run_says_the_steps_of_the_plan_and_takes_none() {
    let scratch = Scratch::new();
    let before = scratch.traces();
    let file = "graphs/quickstart.toml";
    let dry = scratch.call(&["run", file, "--dry-run", "--json"]).json();
    let plan = scratch.call(&["plan", file, "--json"]).json();
    assert_eq!(dry["steps"], plan["steps"]);
    assert!(dry["steps"].as_array().unwrap().len() > 4, "{dry}");
    assert!(scratch.call(&["plan", file, "--mermaid"]).ok().starts_with("flowchart"));
    assert!(scratch.call(&["plan", file, "--dot"]).ok().starts_with("digraph"));
    assert_eq!(scratch.traces(), before);
}

#[test]
fn ar26_a_graph_that_somebody_carries_is_refused() {
    let scratch = Scratch::new();
    scratch.write("graphs/one.toml", &one_task("one", "", "\"true\""));
    let _ = scratch.call(&["run", "graphs/one.toml"]).ok();
    let lock = scratch.root.join(".git/laneway/graphs/one/lock");
    let held = crate::journal::RunLock::try_acquire(&lock).unwrap();
    let second = scratch.call(&["run", "graphs/one.toml", "--fresh", "--json"]);
    assert_eq!(second.exit, Exit::Environment);
    let error: Value = serde_json::from_str(&second.text).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(&std::process::id().to_string()), "{message}");
    assert!(!error["error"]["hints"].as_array().unwrap().is_empty());
    drop(held);
}

#[test]
fn ar01_check_shows_every_problem_of_every_file() {
    let scratch = Scratch::new();
    scratch.write("a.toml", "nam = \"x\"\n[[tasks]]\nid = \"A\"\n");
    let ended = scratch.call(&["check", "a.toml", "graphs/quickstart.toml"]);
    assert_eq!(ended.exit, Exit::Usage);
    assert!(ended.text.contains("did you mean `name`?"), "{}", ended.text);
    assert!(ended.text.contains("quickstart.toml: ok"), "{}", ended.text);
    let json = scratch.call(&["check", "a.toml", "--json"]);
    let list: Value = serde_json::from_str(&json.text).unwrap();
    assert!(list.as_array().unwrap().len() > 1, "{list}");
    assert_eq!(list[0]["line"], 1);
    assert!(scratch.call(&["check", "--explain", "task-cycle"]).ok().starts_with("G016"));
}

#[test]
fn ar27_a_signal_is_a_file_and_needs_no_repository() {
    let mut scratch = Scratch::new();
    assert_eq!(scratch.call(&["signal", "done"]).failed(), (Exit::Usage, Some("usage")));
    let signals = scratch.dir.path().join("signals");
    fs::create_dir(&signals).unwrap();
    scratch.set("LANEWAY_SIGNALS", &signals);
    scratch.root = scratch.dir.path().to_owned();
    let _ = scratch.call(&["signal", "done", "all", "of it"]).ok();
    assert_eq!(fs::read_to_string(signals.join("done")).unwrap(), "all of it\n");
    let answer = scratch.call(&["signal", "ask", "which?", "--option", "a"]).ok();
    assert!(answer.contains("/answers/"), "{answer}");
    let _ = scratch.call(&["signal", "output", "stubs", "src/a.rs"]).ok();
    assert_eq!(scratch.call(&["signal", "output", "stubs", "../a.rs"]).exit, Exit::Usage);
    assert!(signals.join("outputs.json").exists());
    let long = scratch.dir.path().join("long.md");
    fs::write(&long, "a long one").unwrap();
    let _ = scratch.call(&["signal", "summary", "--file", "long.md"]).ok();
    assert_eq!(fs::read_to_string(signals.join("summary.md")).unwrap(), "a long one\n");
    let _ = scratch.call(&["signal", "artifact", "long.md"]).ok();
    assert!(signals.join("artifacts/long.md").exists());
}

#[test]
fn ar27_an_agent_is_told_what_laneway_makes_of_it() {
    let scratch = Scratch::new();
    let conformance = |words: &[&str]| {
        let call = ["signal", "conformance", "--json", "--"];
        scratch.call(&[&call, words].concat())
    };
    let good = conformance(&["sh", "agents/scripted.sh", "{prompt_file}"]).json();
    assert_eq!(good["conforms"], true, "{good}");
    let silent = conformance(&["true"]);
    assert_eq!(silent.exit, Exit::Failed);
    let liar = conformance(&["sh", "-c", "echo it > \"$LANEWAY_SIGNALS/done\"; exit 3"]);
    assert_eq!(liar.exit, Exit::Failed);
    assert!(liar.text.contains("exit code 3"), "{}", liar.text);
}

#[test]
fn a_schema_is_json_and_completions_are_a_script() {
    let scratch = Scratch::new();
    for subject in ["graph", "task", "events"] {
        let schema = scratch.call(&["schema", subject]).json();
        assert!(schema["title"].is_string() || schema["properties"].is_object(), "{subject}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(scratch.call(&["completions", shell]).ok().contains("laneway"));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let scratch = Scratch::new();
    let cli = Cli::try_parse_from(["laneway", "schema", "graph"]).unwrap();
    let env = scratch.env.clone();
    let session = Session::new(cli.global.clone(), Path::new("/").into(), env, Out::to(Gone));
    let error = cli.command.run(&session).unwrap_err();
    assert_eq!(session.tell(&error), Exit::Achieved);
}

#[test]
fn the_demo_ends_with_pull_requests_and_refuses_a_folder_in_use() {
    let scratch = Scratch::new();
    let dir = scratch.dir.path().join("demo");
    let shown = dir.display().to_string();
    assert!(scratch.call(&["demo", "--keep", &shown]).ok().contains("laneway/quickstart/math/integration"));
    assert!(dir.join("repo/.git").exists());
    assert_eq!(scratch.call(&["demo", "--keep", &shown]).failed(), (Exit::Usage, Some("usage")));
}
