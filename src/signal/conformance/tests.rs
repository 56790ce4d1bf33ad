#![expect(clippy::disallowed_methods, reason = "tests run the examples of the documentation")]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::id::TaskId;
use crate::signal::scan::{Body, SignalFile};
use crate::signal::{Board, Limits, Settle, SignalKind, digest, scan};

fn left(files: &[(SignalKind, &str)]) -> Scan {
    let file = |(kind, text): &(SignalKind, &str)| SignalFile {
        kind: kind.clone(),
        name: kind.word().to_owned(),
        digest: digest(text.as_bytes()),
        size: text.len() as u64,
        body: Body::Text((*text).to_owned()),
    };
    Scan { accepted: files.iter().map(file).collect(), ..Scan::default() }
}

fn worst(scan: &Scan, exit: Exit) -> Level {
    judge(scan, exit).iter().map(Finding::level).max().unwrap()
}

#[test]
fn ar27_the_verdict_follows_claim_and_exit() {
    use SignalKind::{Done, Failed};
    assert_eq!(worst(&left(&[(Done, "it")]), Exit::Code(0)), Level::Pass);
    assert_eq!(worst(&left(&[(Done, "")]), Exit::Code(0)), Level::Warn);
    assert_eq!(worst(&left(&[(Done, "it")]), Exit::Code(1)), Level::Fail);
    assert_eq!(worst(&left(&[(Done, "it")]), Exit::Signal(9)), Level::Fail);
    assert_eq!(worst(&left(&[(Failed, "no")]), Exit::Code(1)), Level::Pass);
    assert_eq!(worst(&left(&[(Done, "it"), (Failed, "no")]), Exit::Code(0)), Level::Warn);
    assert_eq!(judge(&left(&[]), Exit::Code(0)), [Finding::NoClaim]);
}

/// The code blocks of the page fenced as `language`.
fn examples(language: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signals.md");
    let page = fs::read_to_string(page).unwrap();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned()).collect()
}

/// Runs an example as an agent, with what it needs around it, and judges what it left behind.
fn run_example(program: &str, text: &str) -> (Scan, Vec<Finding>) {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(home.path().join(".laneway/shop/1"));
    let task = TaskId::new("types").unwrap();
    _ = board.put_up_attempt(&task, 2).unwrap();
    let signals = board.signals_dir(&task, 2);
    let manifest = &examples("json task")[0];
    board.write_file(&board.attempt_dir(&task, 2).join("task.json"), manifest.as_bytes()).unwrap();
    fs::create_dir(home.path().join("target")).unwrap();
    fs::write(home.path().join("target/report.html"), "<html>").unwrap();
    fs::write(home.path().join("Makefile"), "test:\n\t@true\n").unwrap();
    let script = home.path().join("agent");
    fs::write(&script, text).unwrap();
    let mut agent = Command::new(program);
    let ended =
        agent.arg(&script).current_dir(home.path()).env("LANEWAY_SIGNALS", &signals).status().unwrap();
    let scan = scan(&signals, &Limits::default(), Settle::Ended).unwrap();
    let findings = judge(&scan, Exit::Code(ended.code().unwrap()));
    (scan, findings)
}

fn conforms(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level() < Level::Fail)
}

#[test]
fn ar27_the_shell_examples_of_the_page_conform() {
    let examples = examples("sh");
    let (scan, findings) = run_example("sh", &examples[0]);
    assert!(conforms(&findings), "{findings:?}");
    assert!(matches!(scan.claim(), Some(Claim::Done(_))));
    let full = examples.iter().find(|text| text.contains("put()")).unwrap();
    let (scan, findings) = run_example("sh", full);
    assert!(conforms(&findings), "{findings:?}");
    let names: Vec<_> = scan.accepted.iter().map(|file| file.name.as_str()).collect();
    let claim = if Path::new("/usr/bin/make").exists() { "done" } else { "failed" };
    assert!(names.contains(&claim), "{names:?}");
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn ar27_the_python_example_of_the_page_conforms() {
    if Command::new("python3").arg("-V").output().is_err() {
        eprintln!("skipped: no python3 here");
        return;
    }
    let (scan, findings) = run_example("python3", &examples("python")[0]);
    assert!(conforms(&findings), "{findings:?}");
    let words: Vec<_> = scan.accepted.iter().map(|file| file.kind.word()).collect();
    assert_eq!(words, ["ask", "done", "progress"]);
}

#[test]
fn ar27_an_agent_that_does_it_wrong_is_told_how_to_do_it_right() {
    let (_, findings) = run_example("sh", "echo it > \"$LANEWAY_SIGNALS/Done\"");
    let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(texts[0].contains("did you mean `done`"), "{texts:?}");
    assert_eq!(findings[1], Finding::NoClaim);
}
