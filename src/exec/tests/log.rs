//! Logs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::{FOREVER, Scene};
use crate::exec::{LogAction, LogLimit, LogSize, bound_log, last_line, run_bounded, tail_lines, trim_live};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn a_flood_of_output_is_kept_small_while_it_comes_and_after() {
    let scene = Scene::new();
    let script = "echo first; yes 'a line of noise' | head -c 67108864; echo; echo last";
    let run = run_bounded(&scene.launch(script), FOREVER, FOREVER, std::future::pending())
        .await
        .expect("it starts");
    assert!(run.exit.is_success());
    let (log, limit) = (scene.path("log"), LogLimit::default());
    let original = fs::metadata(&log).expect("a log").len();

    trim_live(&log, &limit).expect("a log");
    let trimmed = fs::metadata(&log).expect("a log");
    assert_eq!(trimmed.len(), original, "writers see no difference");
    assert!(trimmed.blocks() * 512 <= 9 * MIB, "{} blocks", trimmed.blocks());

    let size = bound_log(&log, &limit).expect("a log");
    assert_eq!(size, LogSize { original, kept: fs::metadata(&log).expect("a log").len() });
    assert!(size.kept <= 8 * MIB + 64);
    let text = scene.read("log");
    assert!(
        text.starts_with("first\na line of noise\n") && text.ends_with("\nlast\n") && !text.contains('\0')
    );
    let marker = text.lines().find(|line| line.starts_with("[...")).expect("a marker");
    let left_out: u64 = marker.split(' ').nth(1).expect("a number").parse().expect("a number");
    assert_eq!(left_out + size.kept, original + marker.len() as u64 + 1);
    assert!(
        text.lines()
            .all(|line| line.is_empty() || ["first", "a line of noise", "last", marker].contains(&line))
    );
    assert_eq!(fs::metadata(&log).expect("a log").permissions().mode() & 0o777, 0o600);
    assert_eq!(last_line(&log).expect("a log").as_deref(), Some("last"));
}

#[test]
fn a_log_within_the_limit_is_not_touched() {
    let scene = Scene::new();
    let log = scene.path("log");
    fs::write(&log, "0123456789").expect("a log");
    let before = fs::metadata(&log).expect("a log").ino();
    let size = bound_log(&log, &LogLimit { head: 4, tail: 6 }).expect("a log");
    assert_eq!(size, LogSize { original: 10, kept: 10 });
    trim_live(&log, &LogLimit { head: 4, tail: 6 }).expect("a log");
    assert_eq!(
        (scene.read("log").as_str(), fs::metadata(&log).expect("a log").ino()),
        ("0123456789", before)
    );
}

#[test]
fn a_cut_splits_no_character() {
    let scene = Scene::new();
    let log = scene.path("log");
    for (head, tail) in (0..8).flat_map(|head| (0..8).map(move |tail| (head, tail))) {
        fs::write(&log, "aé\u{20ac}\u{1f600}".repeat(20)).expect("a log");
        bound_log(&log, &LogLimit { head, tail }).expect("a log");
        let text = fs::read_to_string(&log).expect("UTF-8");
        assert_eq!(text.matches("bytes left out").count(), 1, "{text}");
    }
    fs::write(&log, [0xff; 100]).expect("a log");
    let size = bound_log(&log, &LogLimit { head: 10, tail: 10 }).expect("a log");
    let bytes = fs::read(&log).expect("a log");
    assert!(
        bytes.starts_with(&[0xff; 10])
            && bytes.ends_with(b"out ...]\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        "{size:?}"
    );
}

#[test]
fn a_line_for_people_holds_only_text() {
    let scene = Scene::new();
    let log = scene.path("log");
    for (raw, shown) in [
        ("a\n\x1b[1;31mred\x1b[0m text\n\n  \n", Some("red text")),
        ("10%\r20%\r100%\r\n", Some("100%")),
        ("10%\r20%\r", Some("20%")),
        ("\x1b]0;title\x07shown\x07\n", Some("shown")),
        ("safe\u{202e}txt\u{2066}\n", Some("safetxt")),
        ("a\tb\n", Some("a    b")),
        ("\x1b[2K\x1b[1G\n \n", None),
        ("", None),
    ] {
        fs::write(&log, raw).expect("a log");
        assert_eq!(last_line(&log).expect("a log").as_deref(), shown, "{raw:?}");
    }
    fs::write(&log, "é".repeat(10_000)).expect("a log");
    assert_eq!(last_line(&log).expect("a log"), Some("é".repeat(200)));
    assert_eq!(last_line(&scene.path("missing")).expect("no log is no line"), None);
    let error = last_line(&scene.path("")).expect_err("a directory");
    assert_eq!(error.action, LogAction::Read);
}

#[test]
fn the_last_lines_are_whole_lines() {
    let scene = Scene::new();
    let log = scene.path("log");
    fs::write(&log, "one\ntwo\n\nthree\nfour").expect("a log");
    let tail = |count, bytes| tail_lines(&log, count, bytes).expect("a log");
    assert_eq!(tail(2, 1000), ["three", "four"]);
    assert_eq!(tail(100, 1000), ["one", "two", "", "three", "four"]);
    assert_eq!(tail(100, 8), ["four"], "`hree` is no whole line");
    assert_eq!(tail(100, 2), ["ur"], "better a part than nothing");
    assert_eq!(tail(0, 1000), [""; 0]);
    assert_eq!(tail_lines(&scene.path("missing"), 3, 1000).expect("no lines"), [""; 0]);
}
