//! Files and folders without permissions among the signals. A test that runs as root would read them all, so Laneway is
//! run as nobody where that can be done.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Output, Scratch};

const NOBODY: &str = "65534";

/// What an agent makes unreadable, and the names that are rejected for it.
const CLOSED: [(&str, &str, &[&str]); 5] = [
    (
        "files",
        "echo x > concerns/c; echo x > summary.md; chmod 000 concerns/c summary.md",
        &["concerns/c", "summary.md"],
    ),
    ("folder", "chmod 000 ask ops-concerns", &["ask", "ops-concerns"]),
    ("blind", "chmod 300 concerns; echo x > ask/q; chmod 600 ask", &["concerns", "ask"]),
    (
        "deep",
        "mkdir -p artifacts/d/e notes/files; echo x > artifacts/d/e/x; chmod 000 artifacts/d/e notes/files",
        &["artifacts/d/e", "notes/files"],
    ),
    ("signals", "chmod 000 .", &["."]),
];

/// A repository of nobody's, with the program where nobody can run it.
struct Nobody {
    scratch: Scratch,
    program: PathBuf,
}

impl Nobody {
    /// `None`, with a line that says why, where no program can be run as nobody.
    fn new(scratch: Scratch) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            // Whoever runs the tests cannot read what has no permissions.
            let program = PathBuf::from(env!("CARGO_BIN_EXE_laneway"));
            return Some(Self { scratch, program });
        }
        let root = scratch.repo().parent().expect("a scratch directory").to_owned();
        let bin = root.join("bin");
        fs::create_dir(&bin).expect("made");
        let program = bin.join("laneway");
        fs::copy(env!("CARGO_BIN_EXE_laneway"), &program).expect("copied");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("changed");
        scratch.program("chown", &["-R", "65534:65534", &root.to_string_lossy()], &[]).success();
        let nobody = Self { scratch, program };
        let can = nobody.command("laneway", &["--version"]).succeeded();
        if !can {
            eprintln!("skipped: no program can be run as nobody here (setpriv)");
        }
        can.then_some(nobody)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let program = if program == "laneway" { self.program.to_string_lossy() } else { program.into() };
        if !rustix::process::geteuid().is_root() {
            return self.scratch.program(&program, arguments, &[]);
        }
        let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        let all: Vec<&str> =
            user.iter().map(String::as_str).chain([&*program]).chain(arguments.iter().copied()).collect();
        self.scratch.program("setpriv", &all, &[])
    }

    fn events(&self, graph: &str) -> Vec<Value> {
        self.command("laneway", &["events", graph, "--json"]).success().json_lines()
    }
}

fn graph(home: &Path) -> String {
    let mut text = "schema = 1\nname = \"closed\"\n".to_owned();
    for (name, script, _) in CLOSED {
        let path = home.join(format!("{name}.sh"));
        let script = format!(
            "cd \"$LANEWAY_SIGNALS\"\n{script}\ncd \"$OLDPWD\"\necho {name} > {name}.txt\n\
             : > \"$LANEWAY_SIGNALS/done\" || git add -A && git commit -qm {name}\n"
        );
        fs::write(&path, script).expect("written");
        write!(
            text,
            "[agents.{name}]\ncommand = [\"sh\", \"{}\"]\n[[tasks]]\nid = \"{name}\"\nagent = \"{name}\"\nattempts = 1\n\
             timeout = \"5m\"\nprompt = \"p\"\n",
            path.display()
        )
        .expect("a string takes every text");
    }
    text
}

#[test]
fn p24_what_has_no_permissions_among_signals_is_rejected_with_a_reason_and_the_run_goes_on() {
    let scratch = Scratch::new();
    scratch.write("graphs/closed.toml", &graph(&scratch.shared()));
    let Some(nobody) = Nobody::new(scratch) else { return };
    let told = nobody.command("laneway", &["run", "graphs/closed.toml"]).all();
    let events = nobody.events("closed");
    for (task, _, names) in CLOSED {
        for name in names {
            let rejected = events.iter().any(|event| {
                event["kind"] == "signal.rejected"
                    && event["task"] == task
                    && event["payload"]["name"] == *name
                    && event["payload"]["reason"].as_str().is_some_and(|reason| reason.contains("permission"))
            });
            assert!(rejected, "{name} of {task}\n{told}\n{events:#?}");
        }
    }
    let end = events.iter().filter(|event| event["kind"] == "workflow.end").count();
    assert_eq!(end, 1, "{told}");
    nobody.command("laneway", &["verify", "closed"]).success();
}
