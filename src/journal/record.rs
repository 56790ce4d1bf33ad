//! The record: where everything lies that Laneway must not lose, under `<git-common-dir>/laneway/`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::file::FILE_NAME;
use crate::failpoint::{self, Point};
use crate::id::{GraphName, RunNo, TaskId};

/// A directory of the record could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Listing a directory failed.
    #[error("the record cannot be read at {path}")]
    Read {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Making a directory failed.
    #[error("the record cannot be written at {path}")]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The layout of the record. Paths are only computed; nothing is made but by the `create_` functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    root: PathBuf,
}

impl Record {
    /// The record at `root`, which is `<git-common-dir>/laneway`.
    pub fn new(root: impl Into<PathBuf>) -> Record {
        Record { root: root.into() }
    }

    /// Its top.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is kept of one graph.
    pub fn graph_dir(&self, graph: &GraphName) -> PathBuf {
        self.root.join("graphs").join(graph.as_str())
    }

    /// The file of the graph's [`RunLock`](super::RunLock).
    pub fn lock_path(&self, graph: &GraphName) -> PathBuf {
        self.graph_dir(graph).join("lock")
    }

    /// One run: its journal, its plan, its attempts.
    pub fn run_dir(&self, graph: &GraphName, run: RunNo) -> PathBuf {
        self.runs_dir(graph).join(run.to_string())
    }

    /// The frozen plan of a run.
    pub fn plan_path(&self, graph: &GraphName, run: RunNo) -> PathBuf {
        self.run_dir(graph, run).join("plan.json")
    }

    /// What one attempt (from 1) left: its log, its sealed signals, its artifacts.
    pub fn attempt_dir(&self, graph: &GraphName, run: RunNo, task: &TaskId, attempt: u32) -> PathBuf {
        self.run_dir(graph, run).join("attempts").join(task.as_str()).join(attempt.to_string())
    }

    /// Where removed directories stay until they are collected.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// The local forge.
    pub fn forge_dir(&self) -> PathBuf {
        self.root.join("forge")
    }

    /// What GitHub has answered, for all runs of the repository. It can be removed at any moment.
    pub fn github_dir(&self) -> PathBuf {
        self.root.join("github")
    }

    /// The graphs that have ever been run, by name. What is not named like a graph is passed over.
    pub fn graphs(&self) -> Result<Vec<GraphName>, RecordError> {
        let mut graphs = names(&self.root.join("graphs"), |name| GraphName::new(name).ok())?;
        graphs.sort();
        Ok(graphs)
    }

    /// The runs of a graph, oldest first. A run is there once its journal is.
    pub fn runs(&self, graph: &GraphName) -> Result<Vec<RunNo>, RecordError> {
        let dir = self.runs_dir(graph);
        let mut runs = names(&dir, |name| run_no(name).filter(|_| dir.join(name).join(FILE_NAME).exists()))?;
        runs.sort();
        Ok(runs)
    }

    /// The newest run of a graph.
    pub fn latest_run(&self, graph: &GraphName) -> Result<Option<RunNo>, RecordError> {
        Ok(self.runs(graph)?.pop())
    }

    /// Makes the directory of a graph, so that its lock can be taken.
    pub fn create_graph(&self, graph: &GraphName) -> Result<PathBuf, RecordError> {
        create_synced(self.graph_dir(graph))
    }

    /// Makes the directory of the run after the newest. The caller holds the graph's lock. A directory that a
    /// crash left without a journal is taken again.
    pub fn create_run(&self, graph: &GraphName) -> Result<(RunNo, PathBuf), RecordError> {
        let run = RunNo(self.latest_run(graph)?.map_or(0, |run| run.0) + 1);
        Ok((run, create_synced(self.run_dir(graph, run))?))
    }

    /// Makes the directory of an attempt.
    pub fn create_attempt(
        &self,
        graph: &GraphName,
        run: RunNo,
        task: &TaskId,
        attempt: u32,
    ) -> Result<PathBuf, RecordError> {
        create_synced(self.attempt_dir(graph, run, task, attempt))
    }

    /// Makes the trash, which only its owner can look into: it holds what people never meant to publish.
    pub fn create_trash(&self) -> Result<PathBuf, RecordError> {
        let dir = create_synced(self.trash())?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
            .map_err(|source| RecordError::Write { path: dir.clone(), source })?;
        Ok(dir)
    }

    fn runs_dir(&self, graph: &GraphName) -> PathBuf {
        self.graph_dir(graph).join("runs")
    }
}

/// Reads a run number as Laneway writes it: no sign, no leading zero.
fn run_no(name: &str) -> Option<RunNo> {
    let number: u32 = name.parse().ok()?;
    (number > 0 && number.to_string() == name).then_some(RunNo(number))
}

fn names<T>(dir: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, RecordError> {
    let failed = |source| RecordError::Read { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry.map_err(failed)?.file_name().to_str().and_then(&parse));
    }
    Ok(found)
}

/// Makes `dir` and what is missing above it; every new name is on disk when this returns.
fn create_synced(dir: PathBuf) -> Result<PathBuf, RecordError> {
    let failed = |source| RecordError::Write { path: dir.clone(), source };
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::create_dir_all(&dir).map_err(failed)?;
    for parent in missing.iter().filter_map(|dir| dir.parent()) {
        sync_dir(parent).map_err(failed)?;
    }
    Ok(dir)
}

/// Syncs the names in `dir` to disk.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    // The parent of a relative path of one part is the empty path.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Replaces the file at `path` with `bytes`: a reader, and a crash at any point, finds the old file or the new
/// one, and the new one is on disk when this returns.
///
/// # Panics
/// When `path` has no parent, which a path below the record always has.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().expect("a file of the record lies in a directory");
    failpoint::write(Point::RecordWrite)?;
    let mut file = tempfile::Builder::new()
        .prefix(".tmp-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    failpoint::pass(Point::RecordRename);
    file.persist(path)?;
    sync_dir(dir)?;
    failpoint::pass(Point::RecordWritten);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(name: &str) -> GraphName {
        GraphName::new(name).unwrap()
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let record = Record::new("/r");
        let (demo, task) = (graph("demo"), TaskId::new("build").unwrap());
        let text = |path: PathBuf| path.display().to_string();
        assert_eq!(text(record.lock_path(&demo)), "/r/graphs/demo/lock");
        assert_eq!(text(record.plan_path(&demo, RunNo(3))), "/r/graphs/demo/runs/3/plan.json");
        assert_eq!(
            text(record.attempt_dir(&demo, RunNo(3), &task, 2)),
            "/r/graphs/demo/runs/3/attempts/build/2"
        );
        assert_eq!(text(record.forge_dir()), "/r/forge");
        assert_eq!(text(record.github_dir()), "/r/github");
        assert_eq!(text(record.trash()), "/r/trash");
    }

    #[test]
    fn runs_are_counted_by_their_journals_and_strangers_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::new(dir.path().join("laneway"));
        let demo = graph("demo");
        assert_eq!((record.latest_run(&demo).unwrap(), record.graphs().unwrap()), (None, Vec::new()));

        let (first, path) = record.create_run(&demo).unwrap();
        assert_eq!((first, &path), (RunNo(1), &record.run_dir(&demo, RunNo(1))));
        assert_eq!(record.create_run(&demo).unwrap().0, RunNo(1), "a run without a journal is none");
        super::super::Journal::create(&path).unwrap();
        for name in ["9", "10", "007", "0", "-1", "x", "11"] {
            let stranger = record.run_dir(&demo, RunNo(1)).with_file_name(name);
            fs::create_dir(&stranger).unwrap();
            if name != "11" {
                fs::write(stranger.join(FILE_NAME), "").unwrap();
            }
        }
        assert_eq!(record.runs(&demo).unwrap(), [RunNo(1), RunNo(9), RunNo(10)]);
        assert_eq!(record.create_run(&demo).unwrap().0, RunNo(11));

        record.create_graph(&graph("abc")).unwrap();
        fs::create_dir(record.root().join("graphs/Not A Graph")).unwrap();
        assert_eq!(record.graphs().unwrap(), [graph("abc"), demo]);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_error_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("graphs"), "a file").unwrap();
        let record = Record::new(dir.path());
        assert!(matches!(record.graphs(), Err(RecordError::Read { .. })));
        assert!(matches!(record.create_run(&graph("demo")), Err(RecordError::Read { .. })));
        assert!(matches!(record.create_graph(&graph("demo")), Err(RecordError::Write { .. })));
    }

    #[test]
    fn the_trash_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Record::new(dir.path()).create_trash().unwrap();
        assert_eq!(fs::metadata(trash).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_synced_write_replaces_the_whole_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        write_synced(&path, b"a longer text").unwrap();
        write_synced(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0o044);
        fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(write_synced(&dir.path().join("taken"), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "a temporary file was left");
    }
}
