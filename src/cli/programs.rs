//! The programs that a plan needs: whether they are there, before anything else is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::drive::runtime;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::exec::{Launch, StdinFrom, find_program, run_bounded, tail_lines};
use crate::graph::{AgentDef, Command, Graph, Verb};
use crate::id::{AgentName, TaskId};
use crate::plan::{Plan, Work};

/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(20);
/// How long a probe has between being asked to end and being killed.
const GRACE: Duration = Duration::from_secs(1);
/// How much is read of what a failed probe wrote, in bytes.
const WORDS: u64 = 4096;

/// The tasks that cannot run, each with the reason.
pub(super) fn missing(session: &Session, plan: &Plan) -> Result<BTreeMap<TaskId, String>, CliError> {
    let mut missing = BTreeMap::new();
    let mut probed: BTreeMap<&AgentName, Option<String>> = BTreeMap::new();
    for task in &plan.tasks {
        let of_agent = match &task.work {
            Work::Agent { def, .. } => def.env.get("PATH"),
            Work::Run { .. } => None,
        };
        let own = task.env.get("PATH").or(of_agent).map(OsStr::new);
        let path = own.or(session.env_os("PATH")).unwrap_or_default();
        let why = match &task.work {
            Work::Agent { by, def, .. } => cannot_start(session, plan, &mut probed, &by.agent, def, path)?,
            Work::Run { command: Command::Argv(argv) } => {
                argv.first().and_then(|program| absent(program, path))
            }
            Work::Run { command: Command::Shell(_) } => absent("sh", path),
        };
        let reviewer = match &task.review {
            Some(review) if why.is_none() => {
                let path = review.def.env.get("PATH").map(OsStr::new).or(session.env_os("PATH"));
                let (agent, def) = (&review.agent, &review.def);
                cannot_start(session, plan, &mut probed, agent, def, path.unwrap_or_default())?
                    .map(|why| format!("its reviewer: {why}"))
            }
            _ => None,
        };
        missing.extend(why.or(reviewer).map(|why| (task.id.clone(), why)));
    }
    Ok(missing)
}

/// Why an agent cannot be started, if it cannot.
fn cannot_start<'a>(
    session: &Session,
    plan: &Plan,
    probed: &mut BTreeMap<&'a AgentName, Option<String>>,
    agent: &'a AgentName,
    def: &AgentDef,
    path: &OsStr,
) -> Result<Option<String>, CliError> {
    match absent_agent(def, path) {
        Some(why) => Ok(Some(why)),
        None => probed_once(probed, agent, || probe(session, def, path, &plan.places.repo)),
    }
}

/// Each agent is probed once, however many tasks it has.
fn probed_once<'a>(
    probed: &mut BTreeMap<&'a AgentName, Option<String>>,
    agent: &'a AgentName,
    probe: impl FnOnce() -> Result<Option<String>, CliError>,
) -> Result<Option<String>, CliError> {
    if let Some(known) = probed.get(agent) {
        return Ok(known.clone());
    }
    let why = probe()?;
    probed.insert(agent, why.clone());
    Ok(why)
}

/// Refuses a plan whose programs are not there.
pub(super) fn require(session: &Session, plan: &Plan) -> Result<(), CliError> {
    let missing = missing(session, plan)?;
    let Some((task, why)) = missing.first_key_value() else {
        return Ok(());
    };
    let others = missing.len() - 1;
    let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
    let told =
        CliError::new("missing_program", Exit::Environment, format!("task {task} cannot run: {why}{more}"));
    Err(told.hint(
        "install the program or change the agent's `command`; `laneway plan FILE` names every task"
            .to_owned(),
    ))
}

/// The agents of a graph whose programs are not there, each with the reason. Nothing is started for it.
pub(super) fn absent_agents(session: &Session, graph: &Graph) -> Vec<(AgentName, String)> {
    let mut absent: BTreeMap<AgentName, String> = BTreeMap::new();
    for task in &graph.tasks {
        let own = match &task.verb {
            Verb::Agent { by, .. } => Some((&by.agent, task.env.get("PATH"))),
            Verb::Run { .. } => None,
        };
        let reviewer = task.review.as_ref().map(|review| (&review.agent, None));
        for (agent, path) in own.into_iter().chain(reviewer) {
            let Some(def) = graph.agents.get(agent) else { continue };
            let path = path.or(def.env.get("PATH")).map(OsStr::new).or(session.env_os("PATH"));
            absent.extend(absent_agent(def, path.unwrap_or_default()).map(|why| (agent.clone(), why)));
        }
    }
    absent.into_iter().collect()
}

/// Why an agent's program is not there, and how to get it.
pub(super) fn absent_agent(def: &AgentDef, path: &OsStr) -> Option<String> {
    let why = absent(def.command.first()?, path)?;
    Some(match &def.install {
        Some(install) => format!("{why}; install it with `{install}`"),
        None => why,
    })
}

/// Why `program` is not there. A relative path means a file of the lane, which an earlier task may make.
fn absent(program: &str, path: &OsStr) -> Option<String> {
    let in_lane = program.contains('/') && !Path::new(program).is_absolute();
    if in_lane || program.contains('{') {
        return None;
    }
    find_program(OsStr::new(program), path, Path::new("/")).err().map(|why| why.to_string())
}

/// Runs an agent's probe where it has one, and says why it does not pass.
pub(super) fn probe(
    session: &Session,
    def: &AgentDef,
    path: &OsStr,
    repo: &Path,
) -> Result<Option<String>, CliError> {
    let Some(argv) = &def.probe else {
        return Ok(None);
    };
    let shown = argv.join(" ");
    let scratch =
        tempfile::tempdir().map_err(|error| CliError::file("made", &std::env::temp_dir(), &error))?;
    let mut env = session.environment();
    env.retain(|(name, _)| name != "PATH");
    env.push(("PATH".into(), path.to_owned()));
    env.extend(def.env.iter().map(|(name, value)| (name.into(), value.into())));
    let launch = Launch {
        argv: argv.iter().map(OsString::from).collect(),
        cwd: repo.to_owned(),
        env,
        stdin: StdinFrom::Null,
        log: scratch.path().join("probe.log"),
        tag: ulid::Ulid::generate().to_string(),
    };
    let ran = runtime()?.block_on(run_bounded(&launch, PROBE, GRACE, std::future::pending()));
    Ok(match ran {
        Err(error) => Some(format!("its probe `{shown}` does not start: {error}")),
        Ok(ran) if ran.timed_out => Some(format!("its probe `{shown}` does not end")),
        Ok(ran) if ran.exit.is_success() => None,
        Ok(ran) => {
            let last = tail_lines(&launch.log, 1, WORDS)?.pop().unwrap_or_default();
            Some(format!("its probe `{shown}` ended with {}: {last}", ran.exit))
        }
    })
}
