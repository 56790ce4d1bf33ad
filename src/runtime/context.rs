//! What every effect needs: the repository, the plan, the places, and the processes that live.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Project;
use super::claims::Claims;
use super::effects::git_failure;
use super::halt::{AttemptKey, Halt};
use super::ports::Ports;
use super::shortage::Wanting;
use crate::agent;
use crate::engine::{Input, Report};
use crate::event::{Draft, EffectId, Failure};
use crate::exec::ProcessRef;
use crate::forge::{Forge, ForgeError, GitHub, LocalForge};
use crate::git::{GitError, Identity, Probe, Remote, Shape};
use crate::graph::Lfs;
use crate::id::{LaneId, TaskId};
use crate::plan::{Index, LanePlan, Plan, TaskPlan};
use crate::signal::Board;

/// An attempt's process as the runtime holds it.
#[derive(Debug, Clone)]
pub(super) enum Live {
    /// It is about to be started.
    Preparing,
    /// It is to be stopped before it was started.
    StopWanted,
    /// It runs.
    Running(ProcessRef),
}

/// The environment with the directory of this program at the end of `PATH`: agents are told to call `laneway signal`,
/// and a `laneway` that the user has installed still comes first.
fn with_own_path(mut environment: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let Some(own) = own else { return environment };
    let known = environment.iter_mut().find(|(name, _)| name == "PATH");
    let listed = known.as_ref().map(|(_, value)| std::env::split_paths(value).collect()).unwrap_or_default();
    let mut paths: Vec<PathBuf> = listed;
    if paths.contains(&own) {
        return environment;
    }
    paths.push(own);
    match (std::env::join_paths(paths), known) {
        (Ok(joined), Some((_, value))) => *value = joined,
        (Ok(joined), None) => environment.push(("PATH".into(), joined)),
        // A directory with a colon in its name cannot be listed.
        (Err(_), _) => {}
    }
    environment
}

/// See [`Context::door`].
pub(super) type Door = Arc<tokio::sync::Mutex<()>>;

/// Shared by all effects of a run.
pub struct Context {
    pub(super) project: Project,
    pub(super) plan: Arc<Plan>,
    pub(super) index: Index,
    pub(super) board: Board,
    pub(super) author: Identity,
    pub(super) remote: Option<Remote>,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// The forge, where it is GitHub.
    pub(super) github: Option<GitHub>,
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    /// Which gates are to be given up, as far as it is durable.
    pub(super) halt: watch::Sender<Halt>,
    /// What there was no room for, once a disk is full.
    pub(super) full: watch::Sender<Option<String>>,
    /// Lanes that are not begun for want of room, with what they need, until the loop has decided about them.
    pub(super) wanting: Wanting,
    /// The room that lanes take which are being made.
    pub(super) claims: Claims,
    live: Mutex<HashMap<(TaskId, u32), Live>>,
    doors: Mutex<HashMap<PathBuf, Door>>,
    /// What probes have learnt; made with the first.
    probe: Mutex<Option<Probe>>,
    /// The ports of lanes, as recorded.
    ports: Mutex<HashMap<LaneId, Ports>>,
    /// The branches that stood when this orchestrator began; what agents make up later is theirs.
    pub(super) branches: BTreeSet<String>,
}

impl Context {
    pub(super) fn new(
        project: Project,
        plan: Arc<Plan>,
        environment: Vec<(OsString, OsString)>,
        github: Option<GitHub>,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Result<Self, super::RuntimeError> {
        let remote =
            project.repo.origin()?.filter(|r| plan.remote.as_ref().is_some_and(|p| p.name == r.name));
        Ok(Self {
            board: project.board(&plan.graph, plan.run),
            index: Index::new(&plan),
            author: Identity { name: plan.author.name.clone(), email: plan.author.email.clone() },
            remote,
            environment: with_own_path(environment),
            github,
            inputs,
            halt: watch::Sender::new(Halt::default()),
            full: watch::Sender::new(None),
            wanting: Wanting::default(),
            claims: Claims::default(),
            live: Mutex::new(HashMap::new()),
            doors: Mutex::new(HashMap::new()),
            probe: Mutex::new(None),
            ports: Mutex::new(HashMap::new()),
            branches: project.repo.branches()?.into_keys().collect(),
            project,
            plan,
        })
    }

    /// Where the run's pull requests are.
    pub(super) fn forge(&self) -> Result<Forge, ForgeError> {
        match &self.github {
            Some(github) => Ok(Forge::GitHub(Box::new(github.clone()))),
            None => Ok(Forge::Local(LocalForge::open(&self.project.record.forge_dir())?)),
        }
    }

    pub(super) fn task(&self, id: &TaskId) -> &TaskPlan {
        &self.plan.tasks[self.index.task(id).expect("effects name tasks of the plan")]
    }

    pub(super) fn lane(&self, id: &LaneId) -> &LanePlan {
        &self.plan.lanes[self.index.lane(id).expect("effects name lanes of the plan")]
    }

    pub(super) fn grace(&self) -> Duration {
        self.plan.settings.grace.into()
    }

    /// The remote, where lanes are pushed to it.
    pub(super) fn push_remote(&self) -> Option<&Remote> {
        self.remote.as_ref().filter(|_| self.plan.remote.as_ref().is_some_and(|r| r.push))
    }

    /// The record of an attempt, made if it is missing.
    pub(super) fn attempt_record(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.plan.places.record.join("attempts").join(task.as_str()).join(attempt.to_string())
    }

    /// Facts of an effect that goes on.
    pub(super) fn report(&self, id: &EffectId, facts: Vec<Draft>) {
        self.send(Report { id: id.clone(), facts, end: None });
    }

    /// The end of an effect.
    pub(super) fn end(&self, id: EffectId, facts: Vec<Draft>, end: Result<(), Failure>) {
        self.send(Report { id, facts, end: Some(end) });
    }

    fn send(&self, report: Report) {
        // A loop that has ended takes nothing more; what is not recorded is asked of the world at the next start.
        _ = self.inputs.send(Input::Report(report));
    }

    /// Whether gates of this attempt, or of a lane, are to be given up.
    pub(super) fn is_halted(&self, attempt: Option<&AttemptKey>) -> bool {
        self.halt.borrow().holds_for(attempt)
    }

    /// Comes when gates of this attempt, or of a lane, are to be given up.
    pub(super) fn halted(&self, attempt: Option<AttemptKey>) -> impl Future<Output = ()> + use<> {
        let mut halt = self.halt.subscribe();
        async move {
            // The sender lives as long as the context; an error cannot be told from a halt and means the same.
            _ = halt.wait_for(|halt| halt.holds_for(attempt.as_ref())).await;
        }
    }

    /// Comes when setup commands are to be given up, those of this attempt's worktree or of a lane's.
    pub(super) fn setup_halted(&self, attempt: Option<AttemptKey>) -> impl Future<Output = ()> + use<> {
        let mut halt = self.halt.subscribe();
        async move {
            // As above.
            _ = halt.wait_for(|halt| halt.holds_for_setup(attempt.as_ref())).await;
        }
    }

    /// What of its commit a worktree of the lane holds.
    pub(super) fn shape(&self, lane: &LaneId) -> Shape {
        let furnish = &self.lane(lane).furnish;
        Shape {
            sparse: furnish.sparse.clone(),
            submodules: furnish.submodules.unwrap_or(true),
            lfs: furnish.lfs.unwrap_or_default(),
            offline: self.plan.remote.as_ref().is_some_and(|remote| !remote.push),
            share: self.plan.settings.share,
        }
    }

    /// The complete environment of a process in the worktree at `place`, with `given`.
    pub(super) fn environment_in(
        &self,
        place: &Path,
        given: &[(OsString, OsString)],
    ) -> Result<Vec<(OsString, OsString)>, Failure> {
        let environment = agent::environment(&self.environment, place, given);
        let is_told = |l: &LanePlan| !l.furnish.sparse.is_empty() || l.furnish.lfs == Some(Lfs::Skip);
        if !self.plan.lanes.iter().any(is_told) {
            return Ok(environment);
        }
        let doing = |error: GitError| git_failure("making an environment", &error);
        let Some(worktree) = self.project.repo.reopen(place).map_err(doing)? else { return Ok(environment) };
        let ours = self.project.repo.variables(&worktree, &environment).map_err(doing)?;
        let mut all: BTreeMap<OsString, OsString> = environment.into_iter().collect();
        all.extend(ours);
        Ok(all.into_iter().collect())
    }

    /// The variables with the ports of a lane.
    pub(super) fn ports(&self, lane: &LaneId) -> Vec<(OsString, OsString)> {
        let known = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = known.get(lane).into_iter().flatten();
        ports.map(|(name, port)| (name.into(), port.to_string().into())).collect()
    }

    /// The ports that a lane had last.
    pub(super) fn known_ports(&self, lane: &LaneId) -> Ports {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).get(lane).cloned().unwrap_or_default()
    }

    /// Notes the ports of a lane.
    pub(super) fn set_ports(&self, lane: &LaneId, ports: Ports) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(lane.clone(), ports);
    }

    /// Why a program that failed may have failed by no fault of its own: a disk of this run has no room.
    pub(super) fn lacks_room(&self, at: &Path) -> Option<String> {
        super::room::missing_at([at, self.project.record.root()])
    }

    /// What one at a time goes through who makes the worktree at `path` ready.
    pub(super) fn door(&self, path: &Path) -> Door {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(doors.entry(path.to_owned()).or_default())
    }

    /// Does something with what probes have learnt so far. One at a time.
    pub(super) fn with_probe<T>(
        &self,
        act: impl FnOnce(&mut Probe) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let mut held = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        let mut probe = match held.take() {
            Some(probe) => probe,
            None => self.project.repo.probe()?,
        };
        let done = act(&mut probe)?;
        *held = Some(probe);
        Ok(done)
    }

    pub(super) fn live(&self) -> MutexGuard<'_, HashMap<(TaskId, u32), Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
