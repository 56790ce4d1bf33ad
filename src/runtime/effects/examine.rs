//! A review: another agent judges an attempt's work, in a worktree of its own that is thrown away.

mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::furnish::{Room, furnish};
use super::{Done, attempt, blocking, git_failure, keep, permanent, prepare, provision};
use crate::agent::{self, Fill, ReviewedChange};
use crate::event::{
    Draft, Effect, Event, ExitStatus, Failure, ProcessExited, ProcessRole, ProcessStarted, Subject,
};
use crate::exec::{self, Launch, LogLimit, Running};
use crate::git::{GitError, Worktree};
use crate::graph::PromptBy;
use crate::id::Sha;
use crate::plan::{ReviewPlan, TaskPlan, review_worktree};
use crate::runtime::Context;
use crate::runtime::brief::{AttemptBrief, Brief};
use crate::runtime::context::Live;
use crate::signal::BoardError;

/// How often the middle of a growing log is given back to the file system.
const TRIM_EVERY: Duration = Duration::from_secs(2);

/// One reviewer of one attempt.
struct Examination<'a> {
    context: &'a Arc<Context>,
    known: &'a AttemptBrief,
    task: &'a TaskPlan,
    plan: &'a ReviewPlan,
    number: u32,
    round: u32,
    commit: &'a Sha,
    subject: Subject,
    effect: &'a Effect,
}

/// How a reviewer's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Itself(ExitStatus),
    TimedOut,
    /// Nobody was started: the answer was sealed before, or a stop came first.
    None,
}

/// Has the work reviewed.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::Examine { task, attempt, round, commit } = &brief.effect else {
        return permanent("no review".to_owned()).into();
    };
    let task = context.task(task);
    let (Some(known), Some(plan)) = (&brief.attempt, &task.review) else {
        return permanent(format!("attempt {attempt} of `{}` has no review", task.id)).into();
    };
    let examination = Examination {
        context,
        known,
        task,
        plan,
        number: *attempt,
        round: *round,
        commit,
        subject: Subject::attempt(&task.lane, &task.id, *attempt),
        effect: &brief.effect,
    };
    let mut facts = Vec::new();
    let end = examination.go(brief.resumed, &mut facts).await;
    context.live().remove(&(task.id.clone(), *attempt));
    match end {
        Ok(()) => Done::well(facts),
        Err(failure) => Done::failed(facts, failure),
    }
}

impl Examination<'_> {
    async fn go(&self, resumed: bool, facts: &mut Vec<Draft>) -> Result<(), Failure> {
        if resumed {
            super::stop::unrecorded(self.context, self.tag()).await;
        }
        // Only what was sealed is known to be a reviewer's: the author could have written into its directory, too.
        let answered = verdict::is_sealed(&self.record());
        let ending = if answered { Ending::None } else { self.review(facts).await? };
        let (signals, record) = (self.signals(), self.record());
        let scan = blocking(move || verdict::seal(&signals, &record)).await.map_err(|error| {
            permanent(format!(
                "the review of `{}` could not be recorded: {}",
                self.task.id,
                super::chain(&error)
            ))
        })?;
        let used = super::usage::read_review(&self.log(), self.plan, self.round);
        facts.extend(used.map(|event| self.fact(event)));
        let judged = self.judge(&scan, ending);
        self.tidy(facts).await?;
        facts.extend(judged);
        Ok(())
    }

    /// Runs the reviewer to its end.
    async fn review(&self, facts: &mut Vec<Draft>) -> Result<Ending, Failure> {
        let (base, lane) = self.ready(facts).await?;
        let launch = self.launch(&base, lane).await?;
        let mut running = {
            let mut live = self.context.live();
            let slot = live.entry((self.task.id.clone(), self.number)).or_insert(Live::Preparing);
            if matches!(slot, Live::StopWanted) {
                return Ok(Ending::None);
            }
            let running = exec::spawn(&launch).map_err(|error| {
                permanent(format!(
                    "the reviewer `{}` could not be started: {}",
                    self.plan.agent,
                    super::chain(&error)
                ))
            })?;
            *slot = Live::Running(running.process().clone());
            running
        };
        let began = Instant::now();
        let process = running.process().clone();
        let started = ProcessStarted {
            role: ProcessRole::Reviewer,
            process: attempt::id_of(&process),
            command: attempt::shown(&launch.argv),
            mono: exec::monotonic_ms(),
        };
        self.context.report(&self.effect.id(), vec![self.fact(started)]);
        let (ending, exit) = self.wait(&mut running, &launch).await;
        let leftovers = exec::reap_leftovers(&process, self.context.grace()).await;
        facts.push(self.fact(ProcessExited {
            role: ProcessRole::Reviewer,
            exit,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            leftovers: leftovers.stopped,
            escaped: leftovers.escaped.iter().map(|e| e.pid).collect(),
        }));
        if let Err(error) = exec::bound_log(&launch.log, &LogLimit::default()) {
            tracing::warn!(%error, "a log could not be bounded");
        }
        Ok(ending)
    }

    async fn wait(&self, running: &mut Running, launch: &Launch) -> (Ending, ExitStatus) {
        let deadline = tokio::time::Instant::now() + Duration::from(self.plan.timeout);
        loop {
            tokio::select! {
                biased;
                exit = running.wait() => {
                    let exit = attempt::exit_of(exit);
                    return (Ending::Itself(exit), exit);
                }
                () = tokio::time::sleep_until(deadline) => {
                    let process = running.process().clone();
                    let stopped = exec::stop(&process, self.context.grace()).await;
                    // Waiting for what even KILL did not end would turn a timeout into a hang.
                    let lives = stopped.remaining.iter().any(|left| left.pid == process.pid);
                    let exit =
                        if lives { ExitStatus::Unknown } else { attempt::exit_of(running.wait().await) };
                    return (Ending::TimedOut, exit);
                }
                () = tokio::time::sleep(TRIM_EVERY) => {
                    if let Err(error) = exec::trim_live(&launch.log, &LogLimit::default()) {
                        tracing::warn!(%error, "a log could not be trimmed");
                    }
                }
            }
        }
    }

    /// Puts the work into the reviewer's worktree. Returns what it is seen against, and the worktree.
    async fn ready(&self, facts: &mut Vec<Draft>) -> Result<(Sha, PathBuf), Failure> {
        let (context, commit, tip) = (Arc::clone(self.context), self.commit.clone(), self.known.tip.clone());
        // Work that resolves a conflict is seen against what it was given: both sides, marked.
        let marked = self.known.attempt.resolves.as_ref().map(|resolves| resolves.marked.clone());
        let path = self.worktree();
        let what = format!("review-before/{}/{}-{}", self.task.id, self.number, self.round);
        let lane = self.task.lane.clone();
        let made = blocking(move || -> Result<(Sha, Worktree, Option<Event>), GitError> {
            let repo = &context.project.repo;
            let worktree = provision::worktree(&context, &lane, &path, &commit)?;
            // A review that was cut off has left its worktree.
            let reason = "what stood in the reviewer's worktree before";
            let kept = keep::worktree(&context, &worktree, &what, reason, std::slice::from_ref(&commit))?;
            repo.set_to(&worktree, &commit)?;
            let left = || -> Result<Sha, GitError> {
                let tip = tip.unwrap_or_else(|| commit.clone());
                Ok(repo.merge_base(&tip, &commit)?.unwrap_or(tip))
            };
            let base = marked.map_or_else(left, Ok)?;
            Ok((base, worktree, kept.map(Event::from)))
        })
        .await;
        let (base, worktree, kept) = made.map_err(|e| self.failed(&e))?;
        facts.extend(kept.map(|event| self.fact(event)));
        let lane = worktree.path.clone();
        let room = Room {
            lane: self.task.lane.clone(),
            worktree,
            at: self.commit.clone(),
            attempt: Some((self.task.id.clone(), self.number)),
        };
        // What came of it was said when the lane got the same.
        furnish(self.context, &room, &mut Vec::new()).await?;
        Ok((base, lane))
    }

    /// What the reviewer reads, and its command line.
    async fn launch(&self, base: &Sha, lane: PathBuf) -> Result<Launch, Failure> {
        let (context, from, to) = (Arc::clone(self.context), base.clone(), self.commit.clone());
        let patch = blocking(move || context.project.repo.diff_text(&from, &to, false))
            .await
            .map_err(|e| self.failed(&e))?;
        let change = ReviewedChange {
            base: base.to_string(),
            commit: self.commit.to_string(),
            patch: String::from_utf8_lossy(&patch).into_owned(),
        };
        let Some(input) = &self.known.review else {
            return Err(permanent(format!("attempt {} of `{}` is unknown", self.number, self.task.id)));
        };
        let text = agent::review_instructions(input, &change);
        let prompt_file = self
            .put_up(&text)
            .map_err(|e| permanent(format!("the noticeboard could not be written: {}", super::chain(&e))))?;
        let def = &self.plan.def;
        prepare::exclude(self.context, def)?;
        let fill = Fill {
            root: self.context.plan.places.repo.clone(),
            prompt: text,
            model: self.plan.model.clone(),
            session: None,
            signals: self.signals(),
            lane: lane.clone(),
            prompt_file: prompt_file.clone(),
        };
        let mut given = attempt::given(self.context, self.task, self.number, base);
        given.retain(|(name, _)| name != "LANEWAY_SIGNALS");
        given.push(("LANEWAY_SIGNALS".into(), self.signals().into()));
        given.extend(prepare::own_env(def));
        Ok(Launch {
            argv: agent::argv(&prepare::template(def), &fill),
            env: self.context.environment_in(&lane, &given)?,
            cwd: lane,
            stdin: prepare::stdin(def.prompt == PromptBy::Stdin, prompt_file),
            log: self.log(),
            tag: self.tag(),
        })
    }

    /// Writes what the reviewer reads; what another has said in its place is gone.
    fn put_up(&self, text: &str) -> Result<PathBuf, BoardError> {
        let board = &self.context.board;
        let _put_up = board.put_up_review(&self.task.id, self.number, self.round)?;
        verdict::clear(&self.signals());
        let path = board.review_dir(&self.task.id, self.number, self.round).join("instructions.md");
        board.write_file(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Throws the reviewer's worktree away; what it changed there is kept first, and said.
    async fn tidy(&self, facts: &mut Vec<Draft>) -> Result<(), Failure> {
        let (context, path, commit) = (Arc::clone(self.context), self.worktree(), self.commit.clone());
        let what = format!("review/{}/{}-{}", self.task.id, self.number, self.round);
        let kept = blocking(move || -> Result<Vec<Event>, GitError> {
            let Some(worktree) = context.project.repo.reopen(&path)? else { return Ok(Vec::new()) };
            let reason = "what a reviewer changed, which is not merged";
            let kept = keep::worktree(&context, &worktree, &what, reason, std::slice::from_ref(&commit))?;
            let mut events: Vec<Event> = kept.into_iter().map(Event::from).collect();
            events.extend(forget_branch(&context, &worktree, &commit, &what)?);
            context.project.repo.remove(&worktree, &context.project.record.trash())?;
            Ok(events)
        })
        .await
        .map_err(|e| self.failed(&e))?;
        facts.extend(kept.into_iter().map(|event| self.fact(event)));
        Ok(())
    }

    /// Where the reviewer's words are sealed.
    fn record(&self) -> PathBuf {
        self.context.attempt_record(&self.task.id, self.number).join(format!("review-{}", self.round))
    }

    fn log(&self) -> PathBuf {
        self.record().with_extension("log")
    }

    fn signals(&self) -> PathBuf {
        self.context.board.review_signals_dir(&self.task.id, self.number, self.round)
    }

    fn worktree(&self) -> PathBuf {
        review_worktree(&self.context.plan.places.worktrees, &self.task.lane, &self.task.id)
    }

    fn tag(&self) -> String {
        let uuid = &self.context.plan.uuid;
        format!("{uuid}/{}/{}/review-{}", self.task.id, self.number, self.round)
    }

    fn fact(&self, event: impl Into<Event>) -> Draft {
        Draft::world(self.subject.clone(), event)
    }

    fn failed(&self, error: &GitError) -> Failure {
        git_failure(&format!("reviewing the work of `{}`", self.task.id), error)
    }
}

/// Removes the name of a branch that a reviewer made up; its commits are kept.
fn forget_branch(
    context: &Context,
    worktree: &Worktree,
    commit: &Sha,
    what: &str,
) -> Result<Option<Event>, GitError> {
    let repo = &context.project.repo;
    let branch = match repo.head(worktree) {
        Ok(head) => head.branch,
        Err(GitError::HeadUnborn { .. }) => None,
        Err(error) => return Err(error),
    };
    let made_up = |name: &String| !context.branches.contains(name) && !name.starts_with("laneway/");
    let Some(name) = branch.filter(made_up).map(|name| format!("refs/heads/{name}")) else {
        return Ok(None);
    };
    let Some(at) = repo.read_ref(&name)? else { return Ok(None) };
    let kept = keep::commit(context, &at, &format!("{what}-branch"), "a branch that a reviewer made up")?;
    repo.set_to(worktree, commit)?;
    repo.delete_ref(&name, &at)?;
    Ok(Some(kept.into()))
}
