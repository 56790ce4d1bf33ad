//! Every two of many branches of a large repository compared.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use crate::Setting;
use crate::samples::{Samples, time};
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const BRANCHES: usize = 32;
const FILES: usize = 20_000;
/// Files in a folder.
const FOLDER: usize = 100;
/// Files that a branch changes.
const CHANGED: usize = 12;
/// Every branch of so many changes one file that the others of them change too.
const SHARING: usize = 8;

/// What a branch does beside changing files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// It adds files, removes one, and moves one.
    Moves,
}

/// With files that are changed, and with such that come, go and move too.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let mut rows = compare(setting, Beside::Nothing, "");
    rows.extend(compare(setting, Beside::Moves, ", with new, removed and moved files"));
    rows
}

/// All pairs of 32 branches on 20,000 files: ours, a `git merge-tree` for each pair, and one for all of them.
fn compare(setting: &Setting<'_>, beside: Beside, name: &str) -> Vec<Row> {
    let scratch = Scratch::new(setting.dir, "");
    fill(&scratch, beside);
    let names: Vec<String> = (0..BRANCHES).map(|n| format!("b{n}")).collect();
    let pairs: Vec<(&str, &str)> = (0..BRANCHES)
        .flat_map(|a| (a + 1..BRANCHES).map(move |b| (a, b)))
        .map(|(a, b)| (names[a].as_str(), names[b].as_str()))
        .collect();
    let ours = Samples::take(setting.runs, || {
        time(|| {
            let mut laneway = scratch.laneway(&["conflicts", "--json", "--refs"]);
            let output = laneway.args(&names).output().expect("the program is there");
            assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        })
        .as_secs_f64()
    });
    let alone = Samples::take(1, || {
        time(|| {
            for (a, b) in &pairs {
                let mut git = scratch.command("git");
                git.args(["merge-tree", "--write-tree", "--name-only", a, b]).stdout(Stdio::null());
                let code = git.status().expect("git is there").code();
                assert!(matches!(code, Some(0 | 1)), "{a} {b}: {code:?}");
            }
        })
        .as_secs_f64()
    });
    let mut all = String::new();
    for (a, b) in &pairs {
        _ = writeln!(all, "{a} {b}");
    }
    let at_once = Samples::take(setting.runs, || {
        time(|| feed(&scratch, &["merge-tree", "--write-tree", "--name-only", "--stdin"], all.as_bytes()))
            .as_secs_f64()
    });
    let row = |beside: &str, than: &Samples, goal: f64| Row {
        spread: Some(ours.spread(|s| Amount::Millis(s * 1e3))),
        beside: Some((beside.to_owned(), Amount::Millis(than.median() * 1e3))),
        ratio: Some(than.median() / ours.median()),
        ..Row::new(
            format!("{} pairs of {BRANCHES} branches, {FILES} files{name}", pairs.len()),
            Amount::Millis(ours.median() * 1e3),
            Goal::AtLeast(Amount::Times(goal)),
        )
    };
    vec![row("git merge-tree for each", &alone, 30.0), row("git merge-tree --stdin", &at_once, 5.0)]
}

/// The files, and branches that change some each: most in a folder of their own, one in common with some others.
fn fill(scratch: &Scratch, beside: Beside) {
    let mut stream = String::new();
    let commit = |stream: &mut String, branch: &str, from: &str| {
        _ = write!(
            stream,
            "commit refs/heads/{branch}\ncommitter A <a@example.org> 1000000000 +0000\ndata 2\nc\n{from}"
        );
    };
    let path = |n: usize| {
        let (folder, name) = (n / FOLDER, n % FOLDER);
        format!("top{}/dir{folder}/file{name}.txt", folder % 20)
    };
    let put = |stream: &mut String, path: &str, text: &str| {
        _ = write!(stream, "M 644 inline {path}\ndata {}\n{text}\n", text.len());
    };
    let file = |stream: &mut String, n: usize, text: &str| put(stream, &path(n), text);
    commit(&mut stream, "base", "");
    for n in 0..FILES {
        file(&mut stream, n, &format!("file {n}\nline two\nline three\n"));
    }
    for branch in 0..BRANCHES {
        commit(&mut stream, &format!("b{branch}"), "from refs/heads/base\n");
        for n in 0..CHANGED {
            file(&mut stream, branch * FOLDER * 6 + n * 17, &format!("branch {branch} changed {n}\n"));
        }
        file(&mut stream, FILES - 1 - branch % SHARING, &format!("branch {branch}\n"));
        if beside == Beside::Moves {
            let first = branch * FOLDER * 6 + 1;
            for n in 0..4 {
                put(&mut stream, &format!("{}.new{n}", path(first)), &format!("new in {branch}: {n}\n"));
            }
            let (removed, moved) = (path(first), path(first + 1));
            _ = write!(stream, "D {removed}\nR {moved} {moved}.moved\n");
        }
    }
    feed(scratch, &["fast-import", "--quiet"], stream.as_bytes());
}

fn feed(scratch: &Scratch, arguments: &[&str], input: &[u8]) {
    let mut git = scratch.command("git");
    git.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = git.spawn().expect("git is there");
    child.stdin.take().expect("it is a pipe").write_all(input).expect("git reads");
    assert!(child.wait().expect("a child can be waited for").success(), "git {arguments:?}");
}
