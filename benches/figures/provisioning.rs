//! Making and removing lanes of a large repository, beside `git worktree` and beside the bare writing of the same bytes.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use laneway::git::Repo;
use laneway::id::Sha;

use crate::Setting;
use crate::samples::{Samples, time};
use crate::table::{Amount, Goal, Row};

/// Files in a directory of the made-up repository, as many as a large source tree has.
const IN_A_DIR: usize = 25;
/// The floor is written by as many threads.
const THREADS: usize = 2;

/// The first argument of the benchmark when it makes lanes for its memory to be read.
pub(crate) const ROLE: &str = "--make-lanes";
/// What compares us with gix; its own workspace builds it.
const GIX: &str = "benches/peers/target/release/laneway-peers";

/// One way of making lanes at places.
struct Way<'a> {
    name: &'static str,
    goal: Goal,
    make: Make<'a>,
}

type Make<'a> = Box<dyn Fn(&[PathBuf]) + 'a>;

/// Lanes of a repository.
struct Shape {
    files: usize,
    lanes: usize,
    /// Whether the goal of SPEED is about this one.
    goal: bool,
}

const SMALL: [Shape; 2] =
    [Shape { files: 20_000, lanes: 1, goal: false }, Shape { files: 20_000, lanes: 8, goal: true }];
const LARGE: Shape = Shape { files: 80_000, lanes: 1, goal: false };
const CROWD: Shape = Shape { files: 20_000, lanes: 32, goal: false };

/// A repository to make lanes of.
pub(crate) struct Big {
    dir: PathBuf,
    pub(crate) repo: Repo,
    pub(crate) tip: Sha,
    contents: Vec<(String, Vec<u8>)>,
    made: AtomicUsize,
}

/// One lane and eight.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    all(setting, &SMALL.map(|shape| made_up(setting, shape)))
}

/// One lane of a larger repository, and eight of the one that `LANEWAY_BENCH_REPO` names, if it does.
pub(crate) fn large(setting: &Setting<'_>) -> Vec<Row> {
    let mut bigs = vec![made_up(setting, LARGE)];
    if let Some(named) = std::env::var_os("LANEWAY_BENCH_REPO") {
        let big = Big::copy(&setting.dir.join("named"), Path::new(&named));
        let what = format!("LANEWAY_BENCH_REPO ({} files) x8", big.contents.len());
        bigs.push((big, what, Shape { files: 0, lanes: 8, goal: false }));
    }
    all(setting, &bigs)
}

/// 32 lanes, made once: they take 20 GB of the disk, and the spread is small.
pub(crate) fn crowd(setting: &Setting<'_>) -> Vec<Row> {
    all(&Setting { runs: 1, ..*setting }, &[made_up(setting, CROWD)])
}

fn made_up(setting: &Setting<'_>, shape: Shape) -> (Big, String, Shape) {
    let what = format!("{} files x{}", shape.files, shape.lanes);
    let dir = setting.dir.join(format!("big-{}-{}", shape.files, shape.lanes));
    (Big::new(&dir, shape.files), what, shape)
}

/// Lanes are removed when all have been made: ext4 does not use the numbers of files again that were deleted in the last
/// minutes, and finding others takes it long.
fn all(setting: &Setting<'_>, bigs: &[(Big, String, Shape)]) -> Vec<Row> {
    let makes =
        bigs.iter().flat_map(|(big, what, shape)| big.rows(what, shape.lanes, setting.runs, shape.goal));
    let mut rows: Vec<Row> = makes.collect();
    rows.extend(bigs.iter().map(|(big, what, _)| big.removal(what, setting.runs)));
    rows
}

/// Makes a commit at a branch, whose files `write` writes as `git fast-import` reads them.
fn import(root: &Path, branch: &str, parent: Option<&Sha>, write: impl FnOnce(&mut BufWriter<ChildStdin>)) {
    let mut git = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .spawn()
        .expect("git is there");
    let mut into = BufWriter::new(git.stdin.take().expect("it is piped"));
    let parent = parent.map(|parent| format!("from {parent}\n")).unwrap_or_default();
    write!(into, "commit refs/heads/{branch}\ncommitter A <a@example.org> 0 +0000\ndata 1\nx\n{parent}")
        .expect("git reads");
    write(&mut into);
    drop(into);
    assert!(git.wait().expect("a child can be waited for").success());
}

impl Big {
    /// Text files of 0.2 to 8 KiB, in one pack.
    pub(crate) fn new(dir: &Path, files: usize) -> Self {
        let root = dir.join("repo");
        fs::create_dir_all(&root).expect("a new directory");
        git(&root, &["init", "-q", "-b", "main"]);
        import(&root, "main", None, |into| {
            for n in 0..files {
                let path = format!("area{}/part{}/file{n}.txt", n / IN_A_DIR % 20, n / IN_A_DIR);
                let line = format!("line of file {n}, as it stands in many a source file\n");
                let text = line.repeat(4 + n * 7919 % 150);
                write!(into, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).expect("git reads");
            }
        });
        Self::at(dir, &root)
    }

    /// A commit on the tip in which so many files are longer, all over the tree.
    pub(crate) fn with_changed(&self, files: usize) -> Sha {
        import(self.repo.root(), "next", Some(&self.tip), |into| {
            for (path, bytes) in self.contents.iter().step_by(self.contents.len() / files).take(files) {
                write!(into, "M 100644 inline {path}\ndata {}\n", bytes.len() + 5).expect("git reads");
                into.write_all(bytes).and_then(|()| into.write_all(b"more\n\n")).expect("git reads");
            }
        });
        self.repo.resolve_commit("refs/heads/next").expect("it can be read").expect("it was made")
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
    pub(crate) fn places(&self, lanes: usize) -> Vec<PathBuf> {
        let round = self.made.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(format!("round-{round}"));
        fs::create_dir_all(&dir).expect("a new directory");
        (0..lanes).map(|n| dir.join(format!("lane-{n}"))).collect()
    }

    fn rows(&self, what: &str, lanes: usize, runs: usize, goal: bool) -> Vec<Row> {
        let ways = self.ways(lanes);
        // In turn, so that what else the machine does meets them all.
        let mut took = vec![Vec::new(); ways.len()];
        for _ in 0..runs {
            for (way, took) in ways.iter().zip(&mut took) {
                let places = self.places(lanes);
                // What is still to be written of the one before is none of this one's work.
                rustix::fs::sync();
                took.push(time(|| (way.make)(&places)).as_secs_f64());
            }
        }
        let mut took = took.into_iter().map(Samples::new);
        let ours = took.next().expect("it is the first way");
        let mut rows: Vec<Row> = Vec::new();
        for (way, theirs) in ways.iter().skip(1).zip(took) {
            let (how, ratio) = match way.goal {
                Goal::AtMost(_) => ("over", ours.median() / theirs.median()),
                _ => ("times faster", theirs.median() / ours.median()),
            };
            rows.push(Row {
                spread: Some(ours.spread(Amount::Seconds)),
                beside: Some((way.name.to_owned(), Amount::Seconds(theirs.median()))),
                ratio: Some(ratio),
                ..Row::new(
                    format!("make lanes, {what}: {how}"),
                    Amount::Seconds(ours.median()),
                    if goal { way.goal } else { Goal::None },
                )
            });
        }
        rows.push(self.memory(what, lanes));
        rows.extend(self.first_status(what));
        rows
    }

    /// Ours first, then what it is compared with.
    fn ways(&self, lanes: usize) -> Vec<Way<'_>> {
        let floor = Goal::AtMost(Amount::Times(1.3));
        let mut ways = vec![
            Way { name: "laneway", goal: Goal::None, make: Box::new(|places| self.by_laneway(places)) },
            Way { name: "the same bytes, bare", goal: floor, make: Box::new(|places| self.floor(places)) },
        ];
        // Where there are many, git makes them the faster way only.
        if lanes < CROWD.lanes {
            let make = Box::new(|places: &[PathBuf]| self.by_git(places, 1));
            ways.push(Way { name: "git, one after another", goal: Goal::None, make });
        }
        if lanes > 1 {
            let (goal, make) =
                (Goal::AtLeast(Amount::Times(3.0)), Box::new(|places: &[PathBuf]| self.by_git(places, 2)));
            ways.push(Way { name: "git, 2 at a time", goal, make });
        }
        let gix = Path::new(env!("CARGO_MANIFEST_DIR")).join(GIX);
        if gix.is_file() {
            let make = Box::new(move |places: &[PathBuf]| self.by_gix(&gix, places));
            ways.push(Way { name: "gix, 2 threads", goal: Goal::None, make });
        }
        ways
    }

    fn by_gix(&self, gix: &Path, places: &[PathBuf]) {
        let status = Command::new(gix).arg(self.repo.root()).args(places).status();
        assert!(status.expect("it was built").success());
    }

    /// The most memory that a process had which makes these lanes and does nothing else.
    fn memory(&self, what: &str, lanes: usize) -> Row {
        let mut alone = Command::new(std::env::current_exe().expect("this program"));
        let output = alone.arg(ROLE).arg(self.repo.root()).args(self.places(lanes)).output();
        let output = output.expect("this program can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let peak: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
        Row::new(format!("make lanes, {what}: memory at most"), Amount::Mebibytes(peak / 1024.0), Goal::None)
    }

    pub(crate) fn by_laneway(&self, places: &[PathBuf]) {
        self.at_commit(&self.tip, places);
    }

    pub(crate) fn at_commit(&self, commit: &Sha, places: &[PathBuf]) {
        make(&self.repo, commit, places);
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
                        let mut last = None;
                        for (path, bytes) in &self.contents {
                            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                            // A directory belongs to one thread.
                            if dir.bytes().map(usize::from).sum::<usize>() % THREADS != part {
                                continue;
                            }
                            if last != Some(dir) {
                                fs::create_dir_all(place.join(dir)).expect("a new directory");
                                last = Some(dir);
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
            let opened = |line: &&str| line.contains("open") && !line.contains(" = -1 ");
            let regular = |line: &&str| opened(line) && !line.contains("O_DIRECTORY");
            #[expect(clippy::cast_precision_loss, reason = "a count of files")]
            let count = text.lines().filter(regular).count() as f64;
            count
        };
        let (ours, theirs) = (self.places(1).remove(0), self.places(1).remove(0));
        self.by_laneway(std::slice::from_ref(&ours));
        self.by_git(std::slice::from_ref(&theirs), 1);
        let (ours, theirs) = (opened(&ours), opened(&theirs));
        #[expect(clippy::cast_precision_loss, reason = "a count of files")]
        let tenth = self.contents.len() as f64 / 10.0;
        Some(Row {
            beside: Some(("after git worktree add".to_owned(), Amount::Count(theirs))),
            ..Row::new(
                format!("opens of the first git status, {what}"),
                Amount::Count(ours),
                Goal::AtMost(Amount::Count(tenth)),
            )
        })
    }

    fn removal(&self, what: &str, runs: usize) -> Row {
        let (ours, theirs) = (self.places(runs), self.places(runs));
        self.by_laneway(&ours);
        self.by_git(&theirs, 1);
        rustix::fs::sync();
        let (mut by_us, mut by_git) = (Vec::new(), Vec::new());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            by_us.push(time(|| {
                let lane = self.repo.reopen(ours).expect("it can be read").expect("it was made");
                let trash = self.repo.record_dir().join("trash");
                let kept = self.repo.remove(&lane, &trash).expect("removed");
                assert_eq!(kept, None, "nothing was in it but its commit");
            }));
            let theirs = theirs.to_str().expect("a plain path");
            by_git.push(time(|| git(self.repo.root(), &["worktree", "remove", theirs])));
        }
        let millis =
            |all: Vec<Duration>| Samples::new(all.iter().map(|took| took.as_secs_f64() * 1e3).collect());
        let (ours, theirs) = (millis(by_us), millis(by_git));
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

/// As the orchestrator does it: a thread a lane.
fn make(repo: &Repo, tip: &Sha, places: &[PathBuf]) {
    std::thread::scope(|scope| {
        for place in places {
            scope.spawn(|| repo.provision(place, tip).expect("a lane"));
        }
    });
}

/// Makes lanes of a repository's HEAD and prints the most memory that it had, in KiB.
pub(crate) fn make_alone(mut arguments: impl Iterator<Item = String>) {
    let repo = Repo::discover(Path::new(&arguments.next().expect("a repository"))).expect("a repository");
    let tip = repo.resolve_commit("HEAD").expect("it can be read").expect("it has a commit");
    make(&repo, &tip, &arguments.map(PathBuf::from).collect::<Vec<_>>());
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    println!("{}", peak.trim().trim_end_matches(" kB"));
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
