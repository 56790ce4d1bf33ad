//! Making and removing lanes of a large repository, beside `git worktree` and beside the bare writing of the same bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use laneway::git::Repo;
use laneway::id::Sha;

use crate::Setting;
use crate::samples::{Samples, time};
use crate::table::{Amount, Goal, Row};

/// Files in a directory of the made-up repository, as many as a large source tree has.
const IN_A_DIR: usize = 25;
/// The floor is written by as many threads.
const THREADS: usize = 2;

/// Lanes of a repository.
struct Shape {
    files: usize,
    lanes: usize,
    /// Whether the goal of SPEED is about this one.
    goal: bool,
}

const SHAPES: [Shape; 4] = [
    Shape { files: 20_000, lanes: 1, goal: false },
    Shape { files: 20_000, lanes: 8, goal: true },
    Shape { files: 20_000, lanes: 32, goal: false },
    Shape { files: 80_000, lanes: 1, goal: false },
];

/// A repository to make lanes of.
struct Big {
    dir: PathBuf,
    repo: Repo,
    tip: Sha,
    contents: Vec<(String, Vec<u8>)>,
    made: AtomicUsize,
}

/// All shapes, then the repository that `LANEWAY_BENCH_REPO` names, if it does.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for shape in &SHAPES {
        let big = Big::new(&setting.dir.join(format!("big-{}-{}", shape.files, shape.lanes)), shape.files);
        // The largest of them fills disks, and its spread is small.
        let runs = if shape.lanes > 8 { 1 } else { setting.runs };
        rows.extend(big.rows(
            &format!("{} files x{}", shape.files, shape.lanes),
            shape.lanes,
            runs,
            shape.goal,
        ));
    }
    if let Some(named) = std::env::var_os("LANEWAY_BENCH_REPO") {
        let big = Big::copy(&setting.dir.join("named"), Path::new(&named));
        rows.extend(big.rows("LANEWAY_BENCH_REPO x8", 8, setting.runs, false));
    }
    rows
}

impl Big {
    /// Text files of 0.2 to 8 KiB, in one pack.
    fn new(dir: &Path, files: usize) -> Self {
        let root = dir.join("repo");
        fs::create_dir_all(&root).expect("a new directory");
        git(&root, &["init", "-q", "-b", "main"]);
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(&root)
            .stdin(Stdio::piped())
            .spawn()
            .expect("git is there");
        let mut into = std::io::BufWriter::new(import.stdin.take().expect("it is piped"));
        write!(into, "commit refs/heads/main\ncommitter A <a@example.org> 0 +0000\ndata 1\nx\n")
            .expect("git reads");
        for n in 0..files {
            let path = format!("area{}/part{}/file{n}.txt", n / IN_A_DIR % 20, n / IN_A_DIR);
            let line = format!("line of file {n}, as it stands in many a source file\n");
            let text = line.repeat(4 + n * 7919 % 150);
            write!(into, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).expect("git reads");
        }
        drop(into);
        assert!(import.wait().expect("a child can be waited for").success());
        Self::at(dir, &root)
    }

    fn copy(dir: &Path, from: &Path) -> Self {
        let root = dir.join("repo");
        fs::create_dir_all(dir).expect("a new directory");
        git(dir, &["clone", "-q", "--no-checkout", from.to_str().expect("a plain path"), "repo"]);
        Self::at(dir, &root)
    }

    fn at(dir: &Path, root: &Path) -> Self {
        let repo = Repo::discover(root).expect("a repository");
        let tip = repo.resolve_commit("HEAD").expect("it can be read").expect("it has a commit");
        let first = dir.join("contents");
        git(
            root,
            &["worktree", "add", "-q", "--detach", first.to_str().expect("a plain path"), tip.as_str()],
        );
        let contents = fs_contents(&first);
        Self { dir: dir.to_owned(), repo, tip, contents, made: AtomicUsize::new(0) }
    }

    /// Places for lanes that nobody has used.
    fn places(&self, lanes: usize) -> Vec<PathBuf> {
        let round = self.made.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(format!("round-{round}"));
        fs::create_dir_all(&dir).expect("a new directory");
        (0..lanes).map(|n| dir.join(format!("lane-{n}"))).collect()
    }

    fn rows(&self, what: &str, lanes: usize, runs: usize, goal: bool) -> Vec<Row> {
        let take = |one: &dyn Fn(&[PathBuf])| {
            Samples::take(runs, || {
                let places = self.places(lanes);
                time(|| one(&places)).as_secs_f64()
            })
        };
        let floor = take(&|places| self.floor(places));
        let git_two = take(&|places| self.by_git(places, 2));
        let ours = take(&|places| self.by_laneway(places));
        let mut rows = vec![
            Row {
                spread: Some(ours.spread(Amount::Seconds)),
                beside: Some(("git, 2 at a time".to_owned(), Amount::Seconds(git_two.median()))),
                ratio: Some(git_two.median() / ours.median()),
                ..Row::new(
                    format!("make lanes, {what}: times faster"),
                    Amount::Seconds(ours.median()),
                    if goal { Goal::AtLeast(Amount::Times(3.0)) } else { Goal::None },
                )
            },
            Row {
                beside: Some(("the same bytes, bare".to_owned(), Amount::Seconds(floor.median()))),
                ratio: Some(ours.median() / floor.median()),
                ..Row::new(
                    format!("make lanes, {what}: over the floor"),
                    Amount::Seconds(ours.median()),
                    if goal { Goal::AtMost(Amount::Times(1.3)) } else { Goal::None },
                )
            },
        ];
        if lanes == 1 {
            let git_one = take(&|places| self.by_git(places, 1));
            rows.push(Row {
                beside: Some(("git".to_owned(), Amount::Seconds(git_one.median()))),
                ratio: Some(git_one.median() / ours.median()),
                ..Row::new(
                    format!("make lanes, {what}: times faster than one git"),
                    Amount::Seconds(ours.median()),
                    Goal::None,
                )
            });
        }
        rows.extend(self.first_status(what));
        rows.push(self.removal(what, lanes, runs));
        rows
    }

    /// As the orchestrator does it: a thread a lane.
    fn by_laneway(&self, places: &[PathBuf]) {
        std::thread::scope(|scope| {
            for place in places {
                scope.spawn(|| self.repo.provision(place, &self.tip).expect("a lane"));
            }
        });
    }

    fn by_git(&self, places: &[PathBuf], at_once: usize) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let place = place.to_str().expect("a plain path");
                        git(
                            self.repo.root(),
                            &["worktree", "add", "-q", "--detach", place, self.tip.as_str()],
                        );
                    }
                });
            }
        });
    }

    /// Makes the directories and writes the bytes, which are in memory; no repository, no index.
    fn floor(&self, places: &[PathBuf]) {
        std::thread::scope(|scope| {
            for part in 0..THREADS {
                scope.spawn(move || {
                    for place in places {
                        let mut last = String::new();
                        for (path, bytes) in &self.contents {
                            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                            // A directory belongs to one thread.
                            if dir.bytes().map(usize::from).sum::<usize>() % THREADS != part {
                                continue;
                            }
                            if dir != last {
                                fs::create_dir_all(place.join(dir)).expect("a new directory");
                                dir.clone_into(&mut last);
                            }
                            fs::write(place.join(path), bytes).expect("a writable directory");
                        }
                    }
                });
            }
        });
    }

    /// How many of the lane's files the first `git status` opens; where there is a tracer.
    fn first_status(&self, what: &str) -> Option<Row> {
        Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        let opened = |lane: &Path| {
            let trace = lane.with_extension("trace");
            let status = Command::new("strace")
                .args(["-f", "-qq", "-e", "trace=open,openat", "-o"])
                .arg(&trace)
                .args(["git", "status", "--porcelain"])
                .current_dir(lane)
                .stdout(Stdio::null())
                .status();
            assert!(status.expect("the tracer was there").success());
            let text = fs::read_to_string(&trace).expect("a trace");
            let regular = |line: &&str| line.contains("file") && !line.contains("O_DIRECTORY");
            #[expect(clippy::cast_precision_loss, reason = "a count of files")]
            let count = text.lines().filter(regular).count() as f64;
            count
        };
        let (ours, theirs) = (self.places(1).remove(0), self.places(1).remove(0));
        self.by_laneway(std::slice::from_ref(&ours));
        self.by_git(std::slice::from_ref(&theirs), 1);
        let (ours, theirs) = (opened(&ours), opened(&theirs));
        Some(Row {
            beside: Some(("after git worktree add".to_owned(), Amount::Count(theirs))),
            ..Row::new(format!("files the first git status opens, {what}"), Amount::Count(ours), Goal::None)
        })
    }

    fn removal(&self, what: &str, lanes: usize, runs: usize) -> Row {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let places = self.places(lanes.min(4));
            self.by_git(&places, 1);
            theirs.push(time(|| {
                for place in &places {
                    git(self.repo.root(), &["worktree", "remove", place.to_str().expect("a plain path")]);
                }
            }));
            let places = self.places(lanes.min(4));
            self.by_laneway(&places);
            ours.push(time(|| {
                for place in &places {
                    let lane = self.repo.reopen(place).expect("it can be read").expect("it was made");
                    let kept =
                        self.repo.remove(&lane, &self.repo.record_dir().join("trash")).expect("removed");
                    assert_eq!(kept, None, "nothing was in it but its commit");
                }
            }));
        }
        #[expect(clippy::cast_precision_loss, reason = "a few lanes")]
        let each = |all: Vec<std::time::Duration>| {
            Samples::new(all.iter().map(|took| took.as_secs_f64() * 1e3 / lanes.min(4) as f64).collect())
        };
        let (ours, theirs) = (each(ours), each(theirs));
        Row {
            spread: Some(ours.spread(Amount::Millis)),
            beside: Some(("git worktree remove".to_owned(), Amount::Millis(theirs.median()))),
            ratio: Some(theirs.median() / ours.median()),
            ..Row::new(
                format!("remove a lane, {what}: times faster"),
                Amount::Millis(ours.median()),
                Goal::None,
            )
        }
    }
}

fn git(dir: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("git is there").success(), "git {arguments:?}");
}

/// Paths and bytes of all files below `root`, without git's own.
fn fs_contents(root: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file() && entry.file_name() != ".git");
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(root).expect("it is below").to_string_lossy().into_owned();
            (path, fs::read(entry.path()).expect("it was just made"))
        })
        .collect()
}
