//! Runs carried in this process on real repositories: real git, real shells as agents.

mod called_off;
mod conflicts;
mod contracts;
mod furnish;
mod going_on;
mod hostile;
mod landing;
mod lanes;
mod mended;
mod nested_undo;
mod parts;
mod resume;
mod review;
mod surroundings;
mod task_prs;
mod trees;
mod undo;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::*;
use crate::event::Envelope;
use crate::graph::{ProjectDefaults, Source, parse};
use crate::id::RunNo;
use crate::plan::Plan;
use crate::state::State;

fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("sh").arg("-ec").arg(script).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sh(
        dir.path(),
        "git init -q -b main . && git config user.name T && git config user.email t@example.org
         echo one > file && git add file && git commit -qm one",
    );
    dir
}

/// A run that can be driven again and again, as by one orchestrator after another.
struct Bench {
    dir: tempfile::TempDir,
    project: Project,
    plan: Arc<Plan>,
}

impl Bench {
    fn new(text: &str) -> Self {
        Self::on(repository(), text)
    }

    fn on(dir: tempfile::TempDir, text: &str) -> Self {
        Self::with_grace(dir, text, 500)
    }

    fn with_grace(dir: tempfile::TempDir, text: &str, grace_ms: u64) -> Self {
        let project = Project::open(dir.path()).unwrap();
        let source = Source { path: "g.toml".into(), text: text.into() };
        let graph = parse(&source, &ProjectDefaults::default())
            .unwrap_or_else(|e| panic!("{}", e.render(&source, false)));
        let config = Config { grace: Some(crate::graph::Millis(grace_ms)), ..Config::default() };
        let plan = prepare(&project, &graph, "g.toml", RunNo(1), &config).unwrap();
        create_run(&project, &plan).unwrap();
        Self { dir, project, plan: Arc::new(plan) }
    }

    async fn drive(&self) -> State {
        self.drive_telling(None).await
    }

    async fn drive_telling(&self, events: Option<mpsc::UnboundedSender<Vec<Envelope>>>) -> State {
        let (_sender, interrupts) = mpsc::unbounded_channel();
        self.drive_hearing(events, interrupts).await
    }

    async fn drive_hearing(
        &self,
        events: Option<mpsc::UnboundedSender<Vec<Envelope>>>,
        interrupts: mpsc::UnboundedReceiver<()>,
    ) -> State {
        drive(Drive {
            project: self.project.clone(),
            plan: Arc::clone(&self.plan),
            lock: lock(&self.project, &self.plan.graph).unwrap(),
            attempts: true,
            wait_merged: false,
            events,
            interrupts,
            environment: std::env::vars_os().collect(),
        })
        .await
        .unwrap()
    }

    async fn ask(&self, verb: crate::signal::Verb) -> Answer {
        let environment = std::env::vars_os().collect();
        request(&self.project, &self.plan.graph, self.plan.run, verb, None, "ann", environment).await.unwrap()
    }

    /// Puts a request on the board of a run that is being carried.
    fn submit(&self, verb: crate::signal::Verb) {
        let board = self.project.board(&self.plan.graph, self.plan.run);
        crate::signal::submit(&board, verb, "ann", None, None).unwrap();
    }

    fn envelopes(&self) -> Vec<Envelope> {
        load(&self.project, &self.plan.graph, self.plan.run).unwrap().envelopes
    }

    fn git(&self, command: &str) -> String {
        sh(self.dir.path(), &format!("git {command}"))
    }

    fn told(&self) -> String {
        self.envelopes().iter().map(|e| e.to_json().unwrap() + "\n").collect()
    }
}

/// Whether a process is there and not only waits to be collected.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// What a process wrote into a file as its last line, once it is there.
async fn told_in(file: &Path) -> String {
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Waits until an event comes that is `wanted`.
async fn heard(events: &mut mpsc::UnboundedReceiver<Vec<Envelope>>, wanted: impl Fn(&Envelope) -> bool) {
    while let Some(batch) = events.recv().await {
        if batch.iter().any(&wanted) {
            return;
        }
    }
    panic!("the run ended");
}

/// Whether something came to stand so.
fn is_now(envelope: &Envelope, task: &str, of: crate::event::Entity, to: &str) -> bool {
    let about = envelope.subject.task.as_ref().is_some_and(|t| t.as_str() == task);
    about && matches!(&envelope.event, crate::event::Event::WorkflowTransition(t) if t.of == of && t.to == to)
}

const HEAD: &str = r#"
schema = 1
name = "g"
agent = "sh"
[agents.sh]
command = ["sh", "-c", "{prompt}"]
prompt = "arg"
"#;

/// A graph whose agent runs what stands after the mark in its prompt.
fn graph(body: &str) -> String {
    let run = r#"sed -n 's/^RUN: //p' "$1" > "$1.sh"; sh -e "$1.sh""#;
    let head = HEAD.replace(
        r#"command = ["sh", "-c", "{prompt}"]
prompt = "arg""#,
        &format!("command = [\"sh\", \"-c\", '''{run}''', \"sh\", \"{{prompt_file}}\"]"),
    );
    format!("{head}\n{body}")
}
