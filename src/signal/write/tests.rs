use super::*;
use crate::signal::{Board, Rejected, Scan, Settle, scan};

struct Attempt {
    home: tempfile::TempDir,
    signals: PathBuf,
}

impl Attempt {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let board = Board::new(home.path().join(".laneway/shop/1"));
        let task = TaskId::new("types").unwrap();
        _ = board.put_up_attempt(&task, 1).unwrap();
        Self { signals: board.signals_dir(&task, 1), home }
    }

    fn read(&self) -> Scan {
        scan(&self.signals, &Limits::default(), Settle::Ended).unwrap()
    }
}

#[test]
fn ar27_what_is_written_is_what_is_read() {
    let attempt = Attempt::new();
    let kept = attempt.home.path().join("report.bin");
    fs::write(&kept, b"\0\xff").unwrap();
    let to = TaskId::new("other").unwrap();
    let question = Question { question: "which?".to_owned(), options: vec!["a".to_owned()] };
    let all = [
        (Write::Done("done".to_owned()), "done"),
        (Write::Failed("failed".to_owned()), "failed"),
        (Write::Blocked("blocked".to_owned()), "blocked"),
        (Write::Concern("c".to_owned()), "concern"),
        (Write::OpsConcern("o".to_owned()), "ops-concern"),
        (Write::Summary("s".to_owned()), "summary"),
        (Write::Progress(String::new()), "progress"),
        (Write::Output { category: "x".to_owned(), item: OutputItem::Path("a.rs".to_owned()) }, "outputs"),
        (Write::Ask(question.clone()), "ask"),
        (Write::Note { to, text: "n".to_owned() }, "note"),
        (Write::Artifact { name: "a/report.bin".to_owned(), from: kept }, "artifact"),
    ];
    for (signal, word) in all {
        let path = write(&attempt.signals, signal).unwrap();
        let name = path.strip_prefix(&attempt.signals).unwrap().to_str().unwrap().to_owned();
        let scan = attempt.read();
        let file = scan.accepted.iter().find(|file| file.name == name).unwrap();
        assert_eq!(file.kind.word(), word);
        if word == "ask" {
            assert_eq!(Question::parse(file.body.text()), question);
        }
    }
    let scan = attempt.read();
    assert_eq!((scan.accepted.len(), scan.rejected), (11, Vec::<Rejected>::new()));
}

#[test]
fn ar27_files_by_hand_and_the_command_say_the_same() {
    let (by_hand, by_command) = (Attempt::new(), Attempt::new());
    let shell = "echo 'it works' > \"$LANEWAY_SIGNALS/done\"";
    let mut sh = std::process::Command::new("sh");
    assert!(sh.args(["-c", shell]).env("LANEWAY_SIGNALS", &by_hand.signals).status().unwrap().success());
    write(&by_command.signals, Write::Done("it works".to_owned())).unwrap();
    assert_eq!(by_hand.read(), by_command.read());
}

#[test]
fn ar27_what_would_be_rejected_is_refused_where_it_is_written() {
    let attempt = Attempt::new();
    let artifact = |name: &str| Write::Artifact { name: name.to_owned(), from: "/dev/null".into() };
    let wrong = [
        Write::Concern("  \n".to_owned()),
        Write::Done("x".repeat(64 * 1024)),
        Write::Done("a\0b".to_owned()),
        Write::Output { category: "x".to_owned(), item: OutputItem::Path("../up".to_owned()) },
        artifact("../up"),
        artifact("a//b"),
        artifact("/etc/x"),
        artifact(".hidden"),
        artifact("a/b/c/d/e/f"),
        Write::Artifact { name: "x".to_owned(), from: attempt.home.path().join("missing") },
    ];
    for signal in wrong {
        let shown = format!("{signal:.60?}");
        assert!(write(&attempt.signals, signal).is_err(), "{shown}");
    }
    assert_eq!(attempt.read(), Scan::default());
}

#[test]
fn ar27_a_missing_signal_directory_is_named() {
    let attempt = Attempt::new();
    let wrong = attempt.signals.join("nowhere");
    let error = write(&wrong, Write::Done(String::new())).unwrap_err();
    assert!(error.to_string().contains("LANEWAY_SIGNALS"), "{error}");
    assert!(!wrong.exists());
}

#[test]
fn ar27_a_deleted_directory_in_it_is_made_again() {
    let attempt = Attempt::new();
    fs::remove_dir(attempt.signals.join("concerns")).unwrap();
    write(&attempt.signals, Write::Concern("text".to_owned())).unwrap();
    assert_eq!(attempt.read().accepted.len(), 1);
}

#[test]
fn ar27_outputs_declared_at_the_same_time_are_all_kept() {
    let attempt = Attempt::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let signals = &attempt.signals;
            scope.spawn(move || {
                for m in 0..10 {
                    let item = OutputItem::Path(format!("src/{n}-{m}.rs"));
                    write(signals, Write::Output { category: "stubs".to_owned(), item }).unwrap();
                }
            });
        }
    });
    let scan = attempt.read();
    assert_eq!(Outputs::parse(scan.accepted[0].body.text()).unwrap().0["stubs"].len(), 80);
}
