//! `laneway demo`.
#![expect(clippy::disallowed_methods, reason = "makes a scratch repository")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Parser};
use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature};

use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::session::{Global, Session};

/// Who the demo commits as.
const AUTHOR: (&str, &str) = ("Laneway Demo", "demo@laneway.invalid");

/// The files of the scratch repository. The agent is a script, so that no account is needed.
const FILES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../fixtures/repo/.gitignore")),
    ("README.md", include_str!("../../fixtures/repo/README.md")),
    ("calc.sh", include_str!("../../fixtures/repo/calc.sh")),
    ("check.sh", include_str!("../../fixtures/repo/check.sh")),
    ("checks/add.txt", include_str!("../../fixtures/repo/checks/add.txt")),
    ("ops/add.sh", include_str!("../../fixtures/repo/ops/add.sh")),
    ("agents/scripted.sh", include_str!("../../fixtures/agents/scripted.sh")),
    (GRAPH, include_str!("../../graphs/quickstart.toml")),
];

/// The graph that is run.
const GRAPH: &str = "graphs/quickstart.toml";

/// Run a small graph in a scratch repository, and show the pull requests that come of it
///
/// The agent is a script: nothing is sent anywhere. Without --keep the repository is removed at the end.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway demo --keep /tmp/laneway-demo")]
pub(super) struct DemoArgs {
    /// Make the repository in this new folder and leave it there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl DemoArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        if let Some(dir) = &self.keep {
            let dir = session.path(dir);
            claim(&dir)?;
            let exit = play(session, &dir)?;
            session.note(&look_around(&dir.join("repo")));
            return Ok(exit);
        }
        let dir = tempfile::Builder::new()
            .prefix("laneway-demo-")
            .tempdir()
            .map_err(|error| CliError::file("made", &std::env::temp_dir(), &error))?;
        let exit = play(session, dir.path())?;
        session.note("the repository is removed; `laneway demo --keep DIR` leaves it for you to look around");
        Ok(exit)
    }
}

/// Makes `dir`. One that holds something already is somebody's.
fn claim(dir: &Path) -> Result<(), CliError> {
    fs::create_dir_all(dir).map_err(|error| CliError::file("made", dir, &error))?;
    let mut entries = fs::read_dir(dir).map_err(|error| CliError::file("read", dir, &error))?;
    if entries.next().is_some() {
        let message = format!("{} is not empty", dir.display());
        return Err(CliError::usage(message).hint("name a folder that does not exist yet".to_owned()));
    }
    Ok(())
}

/// Makes the repository, runs the graph and shows what came of it.
fn play(session: &Session, dir: &Path) -> Result<Exit, CliError> {
    let repo = make(dir)?;
    let inner = Session::new(
        Global { repo: Some(repo.clone()), ..session.global.clone() },
        repo.clone(),
        surroundings(session),
        session.out().clone(),
    );
    session.note(&format!("a small repository in {}: laneway run {GRAPH}\n", repo.display()));
    let exit = call(&inner, &["run", GRAPH])?;
    if !session.json() {
        session.note("\nwhat came of it: laneway pr list\n");
        call(&inner, &["pr", "list"])?;
    }
    Ok(exit)
}

/// Runs a command of this program in this process.
fn call(session: &Session, words: &[&str]) -> Result<Exit, CliError> {
    let words = std::iter::once("laneway").chain(words.iter().copied());
    let cli = Cli::try_parse_from(words).expect("the demo's own commands are understood");
    cli.command.run(session)
}

/// The environment, with this very program as `laneway` for the agent.
fn surroundings(session: &Session) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<_, _> = session.environment().into_iter().collect();
    let own = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let path = env.get(&OsString::from("PATH")).cloned().unwrap_or_default();
    let dirs = own.into_iter().chain(std::env::split_paths(&path));
    // A folder whose name holds a colon cannot be in PATH; the script does without `laneway`.
    if let Ok(joined) = std::env::join_paths(dirs) {
        env.insert("PATH".into(), joined);
    }
    env
}

/// Makes `repo` with one commit on `main`, and the bare `origin.git` that it is pushed to.
pub(super) fn make(dir: &Path) -> Result<PathBuf, CliError> {
    let (root, origin) = (dir.join("repo"), dir.join("origin.git"));
    for (name, text) in FILES {
        put(&root.join(name), text).map_err(|error| CliError::file("written", &root.join(name), &error))?;
    }
    first_commit(&root, &origin).map_err(|error| {
        CliError::new("demo", Exit::Environment, "the scratch repository cannot be made")
            .hint(error.message().to_owned())
    })?;
    // The same name that the repository finds for itself, whatever links lead to the temporary folder.
    fs::canonicalize(&root).map_err(|error| CliError::file("found", &root, &error))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, text)?;
    if text.starts_with("#!") {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn first_commit(root: &Path, origin: &Path) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.initial_head("main");
    let repo = Repository::init_opts(root, &options)?;
    Repository::init_opts(origin, options.bare(true))?;
    let mut config = repo.config()?;
    config.set_str("user.name", AUTHOR.0)?;
    config.set_str("user.email", AUTHOR.1)?;
    config.set_bool("commit.gpgsign", false)?;
    let mut index = repo.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repo.find_tree(index.write_tree()?)?;
    let author = Signature::now(AUTHOR.0, AUTHOR.1)?;
    repo.commit(Some("HEAD"), &author, &author, "Add a calculator", &tree, &[])?;
    let mut remote = repo.remote("origin", &origin.to_string_lossy())?;
    remote.push(&["refs/heads/main:refs/heads/main"], None)
}

fn look_around(repo: &Path) -> String {
    format!(
        "\nlook around:\n  cd {}\n  laneway status\n  laneway pr diff 1\n  laneway logs multiply\n  laneway pr merge 1",
        repo.display()
    )
}
