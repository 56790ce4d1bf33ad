//! Everything that stands ready when a process of an attempt begins: its lane, what it reads, its command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempt::{Job, given, tag};
use super::furnish::{Room, furnish};
use super::{blocking, gate, git_failure, keep, permanent, tracker, usage};
use crate::agent::{self, AgentCommand, Fill, Withheld};
use crate::event::{CustodyRestored, Draft, Effect, Event, Failure, listed};
use crate::exec::{Launch, StdinFrom};
use crate::git::{ConfigKeys, GitError, Overlaid, Worktree};
use crate::graph::{Adr, AdrLevel, AgentDef, DiffPolicy, ExpectedOutput, PromptBy};
use crate::id::TaskId;
use crate::plan::{Work, task_branch};
use crate::runtime::brief::{AttemptBrief, Told, ToldAgent};
use crate::runtime::{Context, ports};
use crate::signal::{self, Need, TaskManifest};
use crate::state::Note;
use crate::view;

/// Lane, files and launch of a new process. The error carries what was kept before it.
pub(super) async fn prepare(
    context: &Arc<Context>,
    known: &AttemptBrief,
    job: &Job<'_>,
) -> Result<Launch, (Vec<Draft>, Failure)> {
    let record = context.attempt_record(&job.task.id, job.number);
    let plain = |failure| (Vec::new(), failure);
    std::fs::create_dir_all(&record)
        .map_err(|e| plain(permanent(format!("{} could not be made: {e}", record.display()))))?;
    let (lane, withheld) = ready_lane(context, known, job).await?;
    let (shared, of) = (Arc::clone(context), job.task.lane.clone());
    let taken = blocking(move || ports::taken(&shared, &of)).await;
    report_ready(context, job, taken.map(Event::from).into_iter().collect());
    let told = known.told.take().ok_or_else(|| plain(permanent("it was told before".to_owned())))?;
    let words = told.agent.as_ref().map(|agent| instructions(&record, &lane, withheld, agent, job));
    put_up(context, (known, &told), job, words.as_deref()).map_err(plain)?;
    let (argv, stdin) = command(context, known, job, words).map_err(plain)?;
    let mut given = given(context, job.task, job.number, job.start);
    if let Work::Agent { def, .. } = &job.task.work {
        exclude(context, def).map_err(plain)?;
        usage::begin(&record, job.iteration);
        given.push(("LANEWAY_ITERATION".into(), job.iteration.to_string().into()));
        given.extend(own_env(def));
    }
    given.extend(job.task.env.iter().map(|(k, v)| (k.into(), v.into())));
    Ok(Launch {
        argv,
        env: context.environment_in(&lane, &given).map_err(plain)?,
        cwd: lane,
        stdin,
        log: record.join("agent.log"),
        tag: tag(context, &job.task.id, job.number, job.iteration),
    })
}

/// Brings the worktree to the attempt's start; what stands in it is kept first. Then the files lie there again that the process
/// it goes on from did not commit. The error carries what was kept and is not reported yet.
///
/// A command without a diff asks for the lane's files at its start and nothing more: where HEAD is there already, it is
/// neither looked at before nor after. Whatever it leaves is kept and cleared when the next task wants the lane clean,
/// or at teardown.
async fn ready_lane(
    context: &Arc<Context>,
    known: &AttemptBrief,
    job: &Job<'_>,
) -> Result<(PathBuf, Option<Withheld>), (Vec<Draft>, Failure)> {
    let plain = |failure| (Vec::new(), failure);
    // Tasks that change nothing may share a worktree; it is made ready for one of them.
    let door = context.door(&job.lane);
    let _inside = door.lock().await;
    if job.task.diff == DiffPolicy::None && stands_at_start(context, job).await.map_err(plain)? {
        return Ok((job.lane.clone(), None));
    }
    let (shared, path, start) = (Arc::clone(context), job.lane.clone(), job.start.clone());
    let name = format!("{}/{}", job.task.id, job.number);
    let (task, number, iteration) = (job.task.id.clone(), job.number, job.iteration);
    let lane = job.task.lane.clone();
    let goes_on_from = known.goes_on_from;
    let subject = job.subject.clone();
    let (worktree, kept) = blocking(move || {
        let doing = |e| git_failure("making the lane ready", &e);
        let worktree = super::provision::worktree(&shared, &lane, &path, &start);
        let worktree = worktree.map_err(|e| plain(doing(e)))?;
        let reason = format!("what stood in the lane before attempt {number} of {task}");
        let what = format!("before/{name}-{iteration}");
        let known = std::slice::from_ref(&start);
        let (kept, set) = keep::worktree_then_set(&shared, &worktree, (&what, &reason), known, &start)
            .map_err(|e| plain(doing(e)))?;
        match set {
            Ok(()) => Ok((worktree, kept)),
            Err(error) => {
                let kept = kept.map(|kept| Draft::world(subject, kept));
                Err((kept.into_iter().collect(), doing(error)))
            }
        }
    })
    .await?;
    let room = Room {
        lane: job.task.lane.clone(),
        worktree: worktree.clone(),
        at: job.start.clone(),
        attempt: Some((job.task.id.clone(), job.number)),
    };
    let mut checks = Vec::new();
    let furnished = furnish(context, &room, &mut checks).await;
    let mut facts: Vec<Event> = kept.map(Event::from).into_iter().collect();
    facts.extend(checks.into_iter().map(Event::from));
    let (shared, task) = (Arc::clone(context), job.task.id.clone());
    let restore = move || {
        let doing = |e| git_failure("making the lane ready", &e);
        let restored = give_back(&shared, &worktree, &task, goes_on_from).map_err(doing)?;
        note_shared(&shared, &worktree, &task, number).map_err(doing)?;
        Ok(restored)
    };
    let restored = match furnished {
        Ok(()) => blocking(restore).await,
        Err(failure) => Err(failure),
    };
    if let Ok(Some((restored, _))) = &restored {
        facts.push(restored.clone().into());
    }
    report_ready(context, job, facts);
    Ok((job.lane.clone(), restored.map_err(plain)?.and_then(|(_, withheld)| withheld)))
}

/// Says what was done to make the lane ready.
fn report_ready(context: &Context, job: &Job<'_>, facts: Vec<Event>) {
    let facts: Vec<Draft> = facts.into_iter().map(|event| Draft::world(job.subject.clone(), event)).collect();
    if !facts.is_empty() {
        let id = Effect::Attempt {
            task: job.task.id.clone(),
            attempt: job.number,
            iteration: job.iteration,
            start: job.start.clone(),
            place: crate::event::Place::Lane,
        }
        .id();
        context.report(&id, facts);
    }
}

/// Lays the uncommitted files of the process before out again, but those of repositories inside the lane: without their
/// `.git` they would be committed as the lane's own.
fn give_back(
    context: &Context,
    worktree: &Worktree,
    task: &TaskId,
    goes_on_from: Option<(u32, u32)>,
) -> Result<Option<(CustodyRestored, Option<Withheld>)>, GitError> {
    let Some((attempt, iteration)) = goes_on_from else { return Ok(None) };
    let what = keep::uncommitted(task, attempt, iteration);
    let Some((reference, commit)) = keep::newest(context, &what)? else { return Ok(None) };
    let nested = keep::nested(context, task, (attempt, iteration));
    let folders: Vec<PathBuf> = nested.iter().map(PathBuf::from).collect();
    let Overlaid { files, held_back } = context.project.repo.overlay(worktree, &commit, &folders)?;
    let withheld = (!nested.is_empty())
        .then(|| Withheld { paths: nested, custody: commit.to_string().chars().take(12).collect() });
    let (held_back, _) = listed(held_back);
    Ok(Some((CustodyRestored { reference, commit, files: files as u64, held_back }, withheld)))
}

/// Whether the lane's HEAD is where the attempt starts; what landed or was merged in since is not in its files else.
async fn stands_at_start(context: &Arc<Context>, job: &Job<'_>) -> Result<bool, Failure> {
    if !job.lane.join(".git").exists() {
        return Ok(false);
    }
    let (shared, path, start) = (Arc::clone(context), job.lane.clone(), job.start.clone());
    blocking(move || {
        let repo = &shared.project.repo;
        let Some(worktree) = repo.reopen(&path)? else { return Ok(false) };
        match repo.head(&worktree) {
            Ok(head) => Ok(head.sha == start),
            Err(GitError::HeadUnborn { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    })
    .await
    .map_err(|e| git_failure("looking at the lane", &e))
}

/// The file in an attempt's record that says where `refs/stash` stood before it.
pub(super) const STASH_BEFORE: &str = "stash-before";

/// All worktrees share one stash; what it was before tells afterwards that an agent put its work there.
fn note_stash(context: &Context, task: &TaskId, number: u32) -> Result<(), GitError> {
    let tip = context.project.repo.stash_tip()?.map(|s| s.to_string()).unwrap_or_default();
    let path = context.attempt_record(task, number).join(STASH_BEFORE);
    if let Err(error) = std::fs::write(&path, tip) {
        tracing::warn!(%error, "a stash by the agent will not be noticed");
    }
    Ok(())
}

/// The file in an attempt's record that says where the user's branches stood before it.
pub(super) const BRANCHES_BEFORE: &str = "branches-before";
/// The file in an attempt's record that has the keys of the repository's config before it.
const CONFIG_BEFORE: &str = "config-before";

/// Notes what all worktrees share: afterwards it is looked whether the agent changed it.
fn note_shared(context: &Context, worktree: &Worktree, task: &TaskId, number: u32) -> Result<(), GitError> {
    note_stash(context, task, number)?;
    let repo = &context.project.repo;
    let branches = repo.branches_of_others()?.into_iter();
    let branches: Vec<String> = branches.map(|(name, at)| format!("{at} {name}")).collect();
    let keys = repo.config_keys(worktree, &context.plan.places.worktrees)?;
    let others = context.live().keys().any(|other| *other != (task.clone(), number));
    let config = serde_json::to_vec(&(keys, !others));
    let record = context.attempt_record(task, number);
    let written = config.map_err(std::io::Error::from).and_then(|config| {
        std::fs::write(record.join(BRANCHES_BEFORE), branches.join("\n"))?;
        std::fs::write(record.join(CONFIG_BEFORE), config)
    });
    if let Err(error) = written {
        tracing::warn!(%error, "changes by the agent to branches and config will not be noticed");
    }
    Ok(())
}

/// The config before the attempt, and whether no other attempt ran then; `None` where that was not noted.
pub(super) fn config_before(record: &Path) -> Option<(ConfigKeys, bool)> {
    serde_json::from_slice(&std::fs::read(record.join(CONFIG_BEFORE)).ok()?).ok()
}

/// What the agent is told, with what the process before it wrote down for it.
fn instructions(
    record: &Path,
    lane: &Path,
    withheld: Option<Withheld>,
    agent: &ToldAgent,
    job: &Job<'_>,
) -> String {
    let mut input = agent.instructions.clone();
    input.withheld = withheld;
    if let Some(path) = tracker::of(job.task).and_then(|repeat| repeat.tracker.as_ref()) {
        tracker::note(record, lane, path);
        if let Some(shown) = &mut input.iteration {
            shown.tracker_text = tracker::read(lane, path);
        }
    }
    agent::instructions(&input)
}

/// The environment variables that the agent itself asks for.
pub(super) fn own_env(def: &AgentDef) -> impl Iterator<Item = (OsString, OsString)> {
    let as_root = rustix::process::geteuid().is_root().then_some(&def.root_env);
    as_root.into_iter().flatten().chain(&def.env).map(|(name, value)| (name.into(), value.into()))
}

/// What the agent is known to leave behind is no work.
pub(super) fn exclude(context: &Context, def: &AgentDef) -> Result<(), Failure> {
    if def.exclude.is_empty() {
        return Ok(());
    }
    let patterns: Vec<&str> = def.exclude.iter().map(String::as_str).collect();
    context.project.repo.exclude(&patterns).map_err(|e| git_failure("excluding what the agent leaves", &e))
}

/// Everything that the agent reads.
fn put_up(
    context: &Context,
    (known, told): (&AttemptBrief, &Told),
    job: &Job<'_>,
    instructions: Option<&str>,
) -> Result<(), Failure> {
    let board = &context.board;
    let (task, number) = (&job.task.id, job.number);
    let failed = |e: signal::BoardError| {
        permanent(format!("the noticeboard could not be written: {}", super::chain(&e)))
    };
    let _put_up = board.put_up_attempt(task, number).map_err(failed)?;
    if job.iteration > 1
        && let Err(error) = signal::clear_claims(&board.signals_dir(task, number))
    {
        tracing::debug!(%error, "there was nothing to clear");
    }
    let dir = board.attempt_dir(task, number);
    if let Some(text) = instructions {
        board.write_file(&dir.join("instructions.md"), text.as_bytes()).map_err(failed)?;
        let manifest = manifest(context, told, job);
        let text =
            manifest.render().map_err(|e| permanent(format!("task.json could not be written: {e}")))?;
        board.write_file(&dir.join("task.json"), text.as_bytes()).map_err(failed)?;
    }
    if let Some(answer) = &known.attempt.answer {
        let path = board.answers_dir(task, number).join(answer_file(known.attempt.ask.as_deref()));
        board.write_file(&path, answer.as_bytes()).map_err(failed)?;
    }
    for note in &told.notes {
        let path = board.inbox_dir(task, number).join(note_file(note));
        board.write_file(&path, note.text.as_bytes()).map_err(failed)?;
    }
    for (need, summary) in &told.needs {
        if let Some(summary) = summary {
            board.write_file(&summary_file(context, job, need), summary.as_bytes()).map_err(failed)?;
        }
    }
    if let Some(agent) = &told.agent {
        let lane =
            context.index.lane_of[context.index.task(task).expect("attempts are of tasks of the plan")];
        let page = view::overview(&context.plan, &context.index, &agent.standing, lane);
        board.write_file(&overview_file(context, job), page.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// The page about the whole graph.
fn overview_file(context: &Context, job: &Job<'_>) -> PathBuf {
    context.board.context_dir(&job.task.id, job.number).join("graph.md")
}

/// The summary of a task that this one needs. One that is called like the page about the graph makes way for it.
fn summary_file(context: &Context, job: &Job<'_>, need: &TaskId) -> PathBuf {
    let name = if need.as_str() == "graph" { "graph.task.md".to_owned() } else { format!("{need}.md") };
    context.board.context_dir(&job.task.id, job.number).join(name)
}

/// The name of the file that answers a question, or a `blocked` claim.
pub(in crate::runtime) fn answer_file(ask: Option<&str>) -> &str {
    ask.unwrap_or("blocked")
}

/// The name of a note in the inbox: whose it is, and what they called it.
pub(in crate::runtime) fn note_file(note: &Note) -> String {
    format!("{}-{}", note.from, note.name)
}

fn manifest(context: &Context, told: &Told, job: &Job<'_>) -> TaskManifest {
    TaskManifest {
        protocol: signal::PROTOCOL,
        graph: context.plan.graph.clone(),
        run: context.plan.run,
        lane: job.task.lane.clone(),
        task: job.task.id.clone(),
        attempt: job.number,
        description: job.task.description.clone().unwrap_or_else(|| job.task.id.to_string()),
        base: job.start.clone(),
        branch: context.lane(&job.task.lane).branch.clone(),
        branches: Some(branches(context, job)),
        role: job.task.contract.role.clone(),
        paths: job.task.contract.paths.clone(),
        inputs: told.inputs.clone(),
        outputs: job.task.contract.outputs.iter().map(expected).collect(),
        adr: job.task.contract.adr.as_ref().map(record_asked),
        overview: told.agent.as_ref().map(|_| overview_file(context, job)),
        worktree: job.lane.clone(),
        signals: context.board.signals_dir(&job.task.id, job.number),
        writes: job.task.writes.clone(),
        gate: job.task.gate.as_ref().map(|g| g.command.to_string()),
        needs: told
            .needs
            .iter()
            .map(|(need, summary)| Need {
                task: need.clone(),
                summary: summary.as_ref().map(|_| summary_file(context, job, need)),
                artifacts: None,
            })
            .collect(),
        earlier: told.earlier.clone(),
    }
}

fn branches(context: &Context, job: &Job<'_>) -> signal::Branches {
    let (plan, lane) = (&context.plan, context.lane(&job.task.lane));
    signal::Branches {
        integration: lane.branch.clone(),
        attempt: task_branch(&plan.graph, plan.run, &lane.id, &job.task.id, job.number),
        base: lane.base.clone(),
        target: lane.target.clone(),
    }
}

fn expected(output: &ExpectedOutput) -> signal::ExpectedOutput {
    signal::ExpectedOutput { category: output.category.clone(), min: output.min, max: output.max }
}

fn record_asked(adr: &Adr) -> signal::RecordAsked {
    let level = match adr.level {
        AdrLevel::Detailed => "detailed",
        AdrLevel::Standard | AdrLevel::None => "standard",
    };
    signal::RecordAsked { level: level.to_owned(), folder: adr.folder.clone() }
}

fn command(
    context: &Context,
    known: &AttemptBrief,
    job: &Job<'_>,
    instructions: Option<String>,
) -> Result<(Vec<OsString>, StdinFrom), Failure> {
    let Work::Agent { def, by, .. } = &job.task.work else {
        let Work::Run { command } = &job.task.work else {
            return Err(permanent("no work".to_owned()));
        };
        return Ok((gate::argv(command), StdinFrom::Null));
    };
    let prompt_file = context.board.attempt_dir(&job.task.id, job.number).join("instructions.md");
    let fill = Fill {
        root: context.plan.places.repo.clone(),
        prompt: instructions.unwrap_or_default(),
        model: by.model.clone(),
        session: known.session.clone(),
        signals: context.board.signals_dir(&job.task.id, job.number),
        lane: job.lane.clone(),
        prompt_file: prompt_file.clone(),
    };
    let stdin = stdin(def.prompt == PromptBy::Stdin, prompt_file);
    let mut template = template(def);
    if let Some(resume) = def.resume.as_ref().filter(|_| known.session.is_some()) {
        template.command.clone_from(resume);
    }
    Ok((agent::argv(&template, &fill), stdin))
}

/// An agent's command line as the adapter fills it in.
pub(super) fn template(def: &AgentDef) -> AgentCommand {
    let prompt = match def.prompt {
        PromptBy::File => agent::PromptBy::File,
        PromptBy::Stdin => agent::PromptBy::Stdin,
        PromptBy::Arg => agent::PromptBy::Arg,
    };
    AgentCommand { command: def.command.clone(), prompt, model: def.model.clone() }
}

/// Where an agent's standard input comes from.
pub(super) fn stdin(reads_prompt: bool, prompt_file: PathBuf) -> StdinFrom {
    if reads_prompt { StdinFrom::File(prompt_file) } else { StdinFrom::Null }
}
