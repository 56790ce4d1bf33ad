//! `laneway doctor`: what it finds, what it says to do, and that it only looks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Answer, Barrier, Scratch, Setup, UserState};

/// What was found of one thing: verdict, text, what to do.
fn finding<'a>(report: &'a Value, check: &str) -> (&'a str, &'a str, &'a str) {
    let all = report["checks"].as_array().expect("checks");
    let found = all.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing of {check}: {report:#}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    (text("verdict"), text("found"), text("next"))
}

#[track_caller]
fn report(scratch: &Scratch, more: &[&str]) -> Value {
    let report = scratch.laneway(&[&["doctor", "--json"], more].concat()).success().json();
    assert_ne!(report["verdict"], "fail", "{report:#}");
    report
}

/// Ends with the exit code of surroundings that do not allow a run.
#[track_caller]
fn refused(scratch: &Scratch, more: &[&str]) -> Value {
    let report = scratch.laneway(&[&["doctor", "--json"], more].concat()).code(4).json();
    assert_eq!(report["verdict"], "fail", "{report:#}");
    report
}

#[track_caller]
fn expect(report: &Value, check: &str, verdict: &str, found: &str, next: &str) {
    let (is, text, hint) = finding(report, check);
    assert!(is == verdict && text.contains(found) && hint.contains(next), "{check}: {report:#}");
}

/// A directory of programs that holds git and nothing else, and the `PATH` that is only this.
fn only_git(scratch: &Scratch) -> (PathBuf, String) {
    let bin = scratch.shared().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let git = scratch.program("sh", &["-c", "command -v git"], &[]).success().stdout().trim().to_owned();
    std::os::unix::fs::symlink(git, bin.join("git")).expect("a link");
    let path = bin.to_str().expect("UTF-8").to_owned();
    (bin, path)
}

fn program(bin: &Path, name: &str, script: &str) {
    fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("a file");
}

/// Every file below a directory with its content and time of change.
fn files(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, Option<SystemTime>)> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(|entry| entry.expect("it can be read"));
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let changed = entry.metadata().ok().and_then(|meta| meta.modified().ok());
            (entry.path().to_owned(), (fs::read(entry.path()).unwrap_or_default(), changed))
        })
        .collect()
}

#[test]
fn p11_doctor_finds_nothing_wrong_with_a_usual_repository_and_changes_nothing() {
    let scratch = Setup::new().dirty().make();
    let (user, all) = (UserState::of(&scratch), files(scratch.repo()));
    let found = report(&scratch, &["--online"]);
    expect(&found, "git", "ok", "2.", "");
    expect(&found, "repository", "ok", scratch.repo().to_str().expect("UTF-8"), "");
    expect(&found, "identity", "ok", "Ann Author <ann@example.org>", "");
    expect(&found, "origin", "ok", "answers, its HEAD is `main`", "");
    expect(&found, "forge", "ok", "local: origin is not a repository on GitHub", "");
    expect(&found, "lanes", "ok", "written by laneway, each blob once", "");
    expect(&found, "room", "ok", "room for", "");
    expect(&found, "runs", "ok", "none is under way", "");
    expect(&found, "left", "ok", "nothing", "");
    for check in ["record", "worktrees", "open_files", "watches", "cgroup", "landlock", "bubblewrap"] {
        assert_eq!(finding(&found, check).0, "ok", "{found:#}");
    }
    assert!(!scratch.repo().join(".worktrees").exists() && !scratch.repo().join(".git/laneway").exists());
    assert_eq!(files(scratch.repo()), all);
    UserState::of(&scratch).expect(&user);
    let offline = report(&scratch, &[]);
    expect(&offline, "origin", "ok", "not asked", "");
    let text = scratch.laneway(&["doctor"]).success();
    assert!(text.stdout().contains("ok    git ") || text.stdout().contains("ok  git "), "{}", text.stdout());
}

#[test]
fn p11_doctor_names_what_cannot_be_worked_in() {
    let scratch = Scratch::new();
    scratch.git(&["config", "--unset", "user.email"]);
    expect(&refused(&scratch, &[]), "identity", "fail", "no user.email", "git config user.name");
    scratch.git(&["config", "user.email", "ann@example.org"]);

    scratch.git(&["config", "remote.origin.promisor", "true"]);
    expect(&refused(&scratch, &[]), "repository", "fail", "partial clone", "without --filter");
    scratch.git(&["config", "--unset", "remote.origin.promisor"]);

    let beside = |name: &str| scratch.shared().join(name).to_str().expect("UTF-8").to_owned();
    let (sha256, reftable, empty) = (beside("sha256"), beside("reftable"), beside("empty"));
    scratch.git(&["init", "-q", "--object-format=sha256", &sha256]);
    expect(&refused(&scratch, &["--repo", &sha256]), "repository", "fail", "sha256", "sha1");
    scratch.git(&["init", "-q", &reftable]);
    scratch.git_in(Path::new(&reftable), &["config", "core.repositoryFormatVersion", "1"]);
    scratch.git_in(Path::new(&reftable), &["config", "extensions.refStorage", "reftable"]);
    expect(&refused(&scratch, &["--repo", &reftable]), "repository", "fail", "reftable", "git refs migrate");
    scratch.git(&["init", "-q", &empty]);
    expect(&refused(&scratch, &["--repo", &empty]), "head", "fail", "nothing is committed", "git commit");
    let nowhere = beside("");
    expect(
        &refused(&scratch, &["--repo", &nowhere]),
        "repository",
        "fail",
        "not in a git repository",
        "--repo",
    );

    scratch.git(&["remote", "set-url", "origin", "/nowhere/at/all.git"]);
    expect(&refused(&scratch, &["--online"]), "origin", "fail", "/nowhere/at/all.git", "git ls-remote");
    expect(&report(&scratch, &[]), "origin", "ok", "not asked", "");
}

#[test]
fn p11_doctor_names_a_file_where_lanes_go_worktrees_that_are_gone_and_a_base_that_nothing_names() {
    let scratch = Scratch::new();
    scratch.write("graphs/one.toml", "name = \"one\"\n[[tasks]]\nid = \"t\"\nrun = \"echo x > y\"\n");
    fs::write(scratch.repo().join(".worktrees"), "").expect("a file");
    let found = refused(&scratch, &[]);
    expect(&found, "worktrees", "fail", ".worktrees is a file", "move");
    expect(&found, "left", "ok", "nothing", "");
    let file = scratch.repo().join(".worktrees");
    let run = scratch.laneway(&["run", "graphs/one.toml"]).failure();
    let hint = format!("move {} away,", file.display());
    assert!(run.stdout().contains(&hint), "{}", run.text());
    fs::remove_file(&file).expect("removed");

    for name in ["gone", "locked", "here"] {
        let at = scratch.shared().join(name);
        scratch.git(&["worktree", "add", "-q", "--detach", at.to_str().expect("UTF-8")]);
    }
    scratch.git(&["worktree", "lock", scratch.shared().join("locked").to_str().expect("UTF-8")]);
    for name in ["gone", "locked"] {
        fs::remove_dir_all(scratch.shared().join(name)).expect("removed");
    }
    let found = report(&scratch, &[]);
    expect(&found, "prunable", "warn", "shared/gone, which is gone", "git worktree prune");

    scratch.git(&["checkout", "-q", "--detach"]);
    expect(&report(&scratch, &[]), "origin", "ok", "its HEAD is `main`", "");
    scratch.git_in(&scratch.origin(), &["symbolic-ref", "HEAD", "refs/heads/nothing"]);
    expect(&report(&scratch, &[]), "origin", "warn", "no default branch", "set `base`");
    scratch.laneway(&["run", "graphs/one.toml", "--fresh"]).code(2);
}

#[test]
fn p11_doctor_stops_at_a_git_that_is_missing_or_too_old() {
    let scratch = Scratch::new();
    let bin = scratch.shared().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let doctor = || {
        let path = bin.to_str().expect("UTF-8");
        let doctor = scratch.program(env!("CARGO_BIN_EXE_laneway"), &["doctor", "--json"], &[("PATH", path)]);
        doctor.code(4).json()
    };
    let missing = doctor();
    expect(&missing, "git", "fail", "could not be run", "install git 2.40 or newer");
    program(&bin, "git", "echo git version 2.39.5");
    let old = doctor();
    expect(&old, "git", "fail", "2.39.5 is too old", "install git 2.40 or newer");
    assert_eq!(old["checks"].as_array().map(Vec::len), Some(1), "{old:#}");
}

#[test]
fn p11_doctor_knows_the_kinds_of_repositories() {
    let bare = Setup::new().bare().make();
    expect(&report(&bare, &[]), "repository", "ok", "(bare)", "");

    let scratch = Scratch::new();
    scratch.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    let url = format!("file://{}", scratch.repo().display());
    let shallow = scratch.shared().join("shallow");
    let shallow = shallow.to_str().expect("UTF-8");
    scratch.git(&["clone", "-q", "--depth=1", &url, shallow]);
    for (key, value) in [("user.name", "A"), ("user.email", "a@example.org")] {
        scratch.git_in(Path::new(shallow), &["config", key, value]);
    }
    let found = report(&scratch, &["--repo", shallow]);
    expect(&found, "repository", "warn", "(shallow)", "git fetch --unshallow");
    assert_eq!(found["verdict"], "warn");

    scratch.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "graphs"]);
    expect(
        &report(&scratch, &[]),
        "repository",
        "ok",
        "its checkout is sparse, lanes are not, sparse index",
        "",
    );
}

#[test]
fn p11_doctor_says_how_lanes_are_made_and_why() {
    let scratch = Scratch::new();
    scratch.write(".gitattributes", "*.md ident\n");
    scratch.git(&["add", ".gitattributes"]);
    scratch.git(&["commit", "-q", "-m", "ident"]);
    expect(&report(&scratch, &[]), "lanes", "ok", "files that git converts", "");
    scratch.git(&["config", "core.autocrlf", "input"]);
    expect(&report(&scratch, &[]), "lanes", "ok", "files that git converts", "");
    scratch.git(&["config", "core.autocrlf", "true"]);
    let next = "git config --show-origin --get-all core.autocrlf";
    expect(&report(&scratch, &[]), "lanes", "warn", "written by git: `core.autocrlf` is set", next);
}

#[test]
fn s22_doctor_finds_a_token_and_never_shows_it() {
    let scratch = Scratch::new();
    scratch.git(&["remote", "set-url", "origin", "https://ann:hidden-pw@github.com/acme/toy.git"]);
    let doctor = |env: &[(&str, &str)]| -> Answer {
        scratch.program(env!("CARGO_BIN_EXE_laneway"), &["doctor", "--json"], env).success()
    };
    let (_, path) = only_git(&scratch);
    let without = doctor(&[("PATH", &path)]).json();
    expect(&without, "forge", "warn", "acme/toy is on github.com, and there is no token", "gh auth login");
    let with = doctor(&[("PATH", &path), ("GH_TOKEN", "hidden-token")]);
    expect(&with.json(), "forge", "ok", "github: acme/toy on github.com, a token was found", "");
    expect(&with.json(), "origin", "ok", "https://github.com/acme/toy.git", "");
    assert!(!with.text().contains("hidden"), "{}", with.text());
    scratch.write("laneway.toml", "[forge]\nkind = \"local\"\n");
    let chosen = doctor(&[("PATH", &path)]).json();
    expect(&chosen, "forge", "ok", "laneway.toml", "");
}

#[test]
fn p11_doctor_names_agents_that_a_graph_wants_and_that_do_not_start() {
    let scratch = Scratch::new();
    let (bin, path) = only_git(&scratch);
    fs::remove_dir_all(scratch.repo().join("graphs")).expect("the shipped graphs");
    program(&bin, "codex", "echo broken install >&2; exit 3");
    program(&bin, "gemini", "exit 0");
    let graph = |name: &str, agent: &str| {
        format!(
            "schema = 1\nname = \"{name}\"\n[[tasks]]\nid = \"t\"\nagent = \"{agent}\"\nprompt = \"Work.\"\n"
        )
    };
    for agent in ["claude", "codex", "gemini"] {
        scratch.write(&format!("graphs/with-{agent}.toml"), &graph(&format!("with-{agent}"), agent));
    }
    scratch.write("graphs/broken.toml", "schema = 1\nnam = \"broken\"\n");
    let answer =
        scratch.program(env!("CARGO_BIN_EXE_laneway"), &["doctor", "--json"], &[("PATH", &path)]).success();
    let found = answer.json();
    let all: Vec<&Value> =
        found["checks"].as_array().expect("checks").iter().filter(|f| f["check"] == "agents").collect();
    assert_eq!(all.len(), 3, "{found:#}");
    let say = |n: usize, key: &str| all[n][key].as_str().unwrap_or_default();
    assert!(say(0, "found").starts_with("claude, named by the graph with-claude: no program"), "{found:#}");
    assert_eq!((say(0, "verdict"), say(0, "next")), ("warn", "npm install -g @anthropic-ai/claude-code"));
    assert!(say(1, "found").contains("codex: its probe") && say(1, "found").contains("broken install"));
    assert_eq!(say(2, "found"), "gemini can be started");
    expect(&found, "graphs", "warn", "graphs/broken.toml", "laneway check graphs/broken.toml");
    scratch.write("laneway.toml", "worktree = \"x\"\n");
    let found = refused(&scratch, &[]);
    expect(&found, "settings", "fail", "`worktree` is not a key", "did you mean `worktrees`?");
}

#[test]
fn p11_doctor_measures_the_limits_against_what_a_run_needs() {
    let scratch = Scratch::new();
    let script = format!("ulimit -n 200; exec {} doctor --json", env!("CARGO_BIN_EXE_laneway"));
    let found = scratch.program("sh", &["-c", &script], &[]).success().json();
    expect(&found, "open_files", "warn", "200 at once", "ulimit -n 1024");
}

fn graph(script: &str) -> String {
    let command = format!("{script}; echo done > \"$LANEWAY_SIGNALS/done\"");
    format!(
        "schema = 1\nname = \"g\"\n[agents.a]\ncommand = [\"sh\", \"-c\", {command:?}]\n\n\
         [[workstreams]]\nid = \"default\"\n\
         setup = [{{ run = \"mkdir -p made && echo x > made/x\", reads = [\"calc.sh\"], makes = [\"made\"] }}]\n\n\
         [[tasks]]\nid = \"t\"\nagent = \"a\"\ntimeout = \"5m\"\nprompt = \"Work.\"\n"
    )
}

#[test]
fn p11_doctor_names_what_is_stale() {
    let scratch = Scratch::new();
    scratch.write(".git/info/exclude", "made/\n");
    scratch.write("graphs/g.toml", &graph("echo ok > ok.txt"));
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let found = report(&scratch, &[]);
    let (_, left, _) = finding(&found, "left");
    assert!(left.starts_with("1 results of setup commands") && !left.contains(','), "{found:#}");
    let lane = PathBuf::from(scratch.status("g").lane("default")["worktree"].as_str().expect("a worktree"));
    fs::write(lane.join("by-hand.txt"), "by hand\n").expect("a file");
    scratch.laneway(&["pr", "merge", "1"]).success();

    let found = report(&scratch, &[]);
    let (verdict, left, next) = finding(&found, "left");
    assert_eq!((verdict, next), ("ok", "laneway gc --older-than 0d"), "it is young: {found:#}");
    for kind in ["1 kept in custody", "1 in the trash", "1 results of setup commands", "1 logs of runs"] {
        assert!(left.contains(kind), "{kind}: {found:#}");
    }
    let month = Duration::from_secs(31 * 24 * 3600);
    for entry in fs::read_dir(scratch.repo().join(".git/laneway/trash")).expect("a trash") {
        let place = fs::File::open(entry.expect("an entry").path()).expect("it can be read");
        place.set_modified(SystemTime::now() - month).expect("its time can be set");
    }
    expect(&report(&scratch, &[]), "left", "warn", "in the trash", "laneway gc");

    let stray = scratch.repo().join(".worktrees/g/forgotten");
    fs::create_dir_all(&stray).expect("a directory");
    expect(&report(&scratch, &[]), "stray", "warn", "forgotten", "ls -la");

    let plan = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    let items = plan["items"].as_array().expect("items");
    assert!(items.iter().any(|item| item["kind"] == "setup" && item["fate"] == "gone"), "{plan:#}");
    let shelf = scratch.repo().join(".git/laneway/setup");
    let results =
        fs::read_dir(&shelf).expect("a shelf").filter(|e| e.as_ref().is_ok_and(|e| e.path().is_dir()));
    assert_eq!(results.count(), 0);
    expect(&report(&scratch, &[]), "left", "ok", "nothing", "");
}

#[test]
fn p11_doctor_names_a_run_that_was_killed_and_not_one_that_lives() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    scratch.write(".git/info/exclude", "made/\n");
    scratch.write("graphs/g.toml", &graph(&format!("{} && echo ok > ok.txt", barrier.command("work"))));
    let mut running = scratch.spawn(&["run", "graphs/g.toml"]);
    barrier.gather(&mut running);
    expect(&report(&scratch, &[]), "runs", "ok", "one is under way", "");
    running.signal(Signal::KILL);
    running.wait().killed();
    let found = report(&scratch, &[]);
    expect(&found, "runs", "warn", "run 1 of g stopped on its way", "laneway resume g");
    barrier.open();
    scratch.laneway(&["resume", "g"]).success();
    expect(&report(&scratch, &[]), "runs", "ok", "none is under way", "");
    let journal = scratch.repo().join(".git/laneway/graphs/g/runs/1/journal.jsonl");
    let text = fs::read_to_string(&journal).expect("a journal").replacen("workflow", "workflaw", 1);
    fs::write(&journal, text).expect("a journal");
    expect(&refused(&scratch, &[]), "runs", "fail", "run 1 of g cannot be read", "laneway verify g");
}

#[test]
fn p11_doctor_tells_of_a_checkout_that_is_called_bare() {
    let scratch = Setup::new().without_origin().make();
    scratch.git(&["config", "core.bare", "true"]);
    let found = report(&scratch, &[]);
    expect(&found, "bare", "warn", "core.bare is set", "config core.bare false");
    scratch.git(&["config", "core.bare", "false"]);
    assert!(!report(&scratch, &[]).to_string().contains("core.bare"));
}
