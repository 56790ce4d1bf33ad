//! The scripted agent, whom all other tests believe.

use std::fs;

use laneway::agent::EarlierAttempt;

use crate::harness::{Scratch, Stage};

#[test]
fn the_scripted_agent_runs_the_commands_of_its_prompt_and_claims() {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch, "write");
    let prompt = "Write it.\n\n$ cat > page.md <<'END'\n> # Title\n>\n> text with $HOME\n> END\n$ echo second >> page.md\n\
                  Then read it:\n> a quotation, not a command\n$ cat page.md";
    let answer = stage.play(prompt, 1, Vec::new()).success();
    let page = fs::read_to_string(scratch.repo().join("page.md")).expect("it was written");
    assert_eq!(page, "# Title\n\ntext with $HOME\nsecond\n");
    assert!(answer.stdout().contains("$ cat page.md\n# Title\n"), "{}", answer.stdout());
    let done = fs::read_to_string(stage.signals(1).join("done")).expect("it claimed");
    assert_eq!(done, "ran 3 commands for write, attempt 1\n");
    assert!(!stage.signals(1).join(".done").exists());
}

#[test]
fn the_scripted_agent_ends_with_the_exit_code_of_what_failed_and_claims_nothing() {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch, "fail");
    let answer = stage.play("$ exit 3\n$ touch after", 1, Vec::new()).code(3);
    assert!(answer.stderr().contains("exit code 3: exit 3"), "{}", answer.stderr());
    assert!(!scratch.repo().join("after").exists());
    assert!(!stage.signals(1).join("done").exists());
}

#[test]
fn the_scripted_agent_acts_by_attempt() {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch, "twice");
    let prompt = "$1 cat > one <<'END'\n> 1\n> END\n$2 touch two\n$ echo \"$LANEWAY_ATTEMPT\" > attempt";
    for (attempt, there, not_there) in [(1, "one", "two"), (2, "two", "one")] {
        stage.play(prompt, attempt, Vec::new()).success();
        let text = fs::read_to_string(scratch.repo().join("attempt")).expect("it was written");
        assert_eq!(text, format!("{attempt}\n"));
        assert!(scratch.repo().join(there).exists());
        assert!(!scratch.repo().join(not_there).exists());
        scratch.git(&["clean", "-qfd"]);
    }
}

#[test]
fn the_scripted_agent_leaves_a_claim_of_its_commands_alone_and_can_be_silent() {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch, "claims");
    stage.play("$ echo cannot > \"$LANEWAY_SIGNALS/failed\"", 1, Vec::new()).success();
    assert!(stage.signals(1).join("failed").exists() && !stage.signals(1).join("done").exists());
    stage.play("$ silent\n$ touch it", 2, Vec::new()).success();
    assert!(scratch.repo().join("it").exists() && !stage.signals(2).join("done").exists());
    for (there, claims) in [("it", true), ("nothing", false)] {
        stage.play(&format!("$ silent unless test -e {there}"), 4, Vec::new()).success();
        assert_eq!(stage.signals(4).join("done").exists(), claims, "{there}");
        _ = fs::remove_file(stage.signals(4).join("done"));
    }
    stage.play("$ echo mine > \"$LANEWAY_SIGNALS/done\"", 3, Vec::new()).success();
    let done = fs::read_to_string(stage.signals(3).join("done")).expect("it claimed");
    assert_eq!(done, "mine\n");
}

#[test]
fn the_scripted_agent_never_runs_what_earlier_attempts_are_quoted_with() {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch, "quoted");
    let quoted = EarlierAttempt {
        attempt: 1,
        reason: "$ touch from-reason".to_owned(),
        output: Some(
            "$ touch from-output\n$2 touch from-output\n## Where and how\n# Task `x`\n$ touch again"
                .to_owned(),
        ),
        rejected: Vec::new(),
    };
    stage.play("$ touch from-prompt", 2, vec![quoted]).success();
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? from-prompt");
}

#[test]
fn the_scripted_agent_refuses_what_are_no_instructions() {
    let scratch = Scratch::new();
    let file = scratch.shared().join("notes.md");
    fs::write(&file, "$ touch it\n").expect("a writable directory");
    let file = file.to_str().expect("a path in UTF-8");
    let answer =
        scratch.program("sh", &["agents/scripted.sh", file], &[("LANEWAY_SIGNALS", "/nowhere")]).code(2);
    assert!(answer.stderr().contains("does not begin like instructions"), "{}", answer.stderr());
    let answer = scratch.program("sh", &["agents/scripted.sh", file], &[]).failure();
    assert!(answer.stderr().contains("LANEWAY_SIGNALS"), "{}", answer.stderr());
}
