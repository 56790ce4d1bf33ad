//! Looks at the repository and makes the plan. Everything that would stop a run before it begins is found here, before
//! anything exists.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::{Project, RuntimeError};
use crate::git::{GitError, Remote};
use crate::graph::{AgentDef, Furnishing, Gate, Graph, Handoff, Millis, Workstream};
use crate::id::{AgentName, LaneId, RunNo, Sha};
use crate::plan::{
    self, ForgeKind, GitHubPlace, Identity, Inputs, LaneBase, Plan, PortRange, RemotePlan, Share,
};

/// Choices from the layers of configuration around the graph; `None` leaves the default.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Attempts at once; a flag or the environment, which win over the graph.
    pub max_parallel: Option<u32>,
    /// Attempts of a task.
    pub attempts: Option<u32>,
    /// Timeout of a process.
    pub timeout: Option<Millis>,
    /// Gate of a task.
    pub gate: Option<Gate>,
    /// Time between TERM and KILL.
    pub grace: Option<Millis>,
    /// When work may flow on.
    pub handoff: Option<Handoff>,
    /// Where pull requests are opened.
    pub forge: ForgeKind,
    /// Where that is, when it is GitHub.
    pub github: Option<GitHubPlace>,
    /// The ports that lanes are given.
    pub ports: Option<PortRange>,
    /// What lanes hold where the graph does not say.
    pub lanes: Furnishing,
    /// How many lanes that cannot begin yet have their worktree already.
    pub warm: u32,
    /// Whether lanes share their files with others of the same commit.
    pub share: Share,
    /// The root of all worktrees; `.worktrees` in the repository by default.
    pub worktrees: Option<PathBuf>,
    /// Neither fetch nor push.
    pub offline: bool,
    /// Let a merge by the local forge move the target of a remote that is not a path.
    pub push_target: bool,
    /// Agents beside the graph's.
    pub agents: BTreeMap<AgentName, AgentDef>,
}

/// Observes the repository and makes the plan of run number `run`. Fetches bases; changes nothing else.
pub fn prepare(
    project: &Project,
    graph: &Graph,
    path: &str,
    run: RunNo,
    config: &Config,
) -> Result<Plan, RuntimeError> {
    let repo = &project.repo;
    repo.ensure_writable()?;
    let who = repo.identity()?;
    if let Some(branch) = repo.branch_blocking(&format!("laneway/{}", graph.name))? {
        return Err(RuntimeError::BranchInTheWay { branch });
    }
    let remote = repo.origin()?;
    let asked = remote.as_ref().filter(|_| !config.offline);
    let mut seen = Seen { project, remote: asked, tips: HashMap::new() };
    let fallback = seen.default_branch(graph)?;
    let mut bases = BTreeMap::new();
    for workstream in &graph.workstreams {
        // A nested lane has no branch outside of the run; what it begins with is where its outermost parent begins.
        let outermost = outermost(graph, workstream);
        bases.insert(workstream.id.clone(), seen.base_of(graph, outermost, fallback.as_deref())?);
    }
    let root = config.worktrees.clone().unwrap_or_else(|| project.worktrees());
    let folder = if run.0 == 1 { graph.name.to_string() } else { format!("{}.r{run}", graph.name) };
    let plan = plan::build(
        graph,
        &Inputs {
            run,
            uuid: ulid::Ulid::generate().to_string().to_lowercase(),
            path: path.to_owned(),
            author: Identity { name: who.name, email: who.email },
            repo: project.root(),
            record: project.record.run_dir(&graph.name, run),
            board: project.board(&graph.name, run).root().to_owned(),
            worktrees: root.join(folder),
            remote: remote.as_ref().map(|r| RemotePlan {
                name: r.name.clone(),
                push: !config.offline,
                push_target: !config.offline && (r.local_path.is_some() || config.push_target),
            }),
            bases,
            agents: config.agents.clone(),
            attempts: config.attempts.unwrap_or(Inputs::ATTEMPTS),
            timeout: config.timeout.unwrap_or(Inputs::TIMEOUT),
            gate: config.gate.clone(),
            max_parallel: config.max_parallel.or(graph.max_parallel).unwrap_or(Inputs::MAX_PARALLEL),
            handoff: config.handoff.unwrap_or(Handoff::Ready),
            grace: config.grace.unwrap_or(Inputs::GRACE),
            forge: config.forge,
            github: config.github.clone(),
            ports: config.ports.unwrap_or_default(),
            lanes: config.lanes.clone(),
            warm: config.warm,
            share: config.share,
        },
    )?;
    ensure_folders(project, &plan)?;
    Ok(plan)
}

/// Checks that lanes that begin with what is there now find the folders in it that they are to hold. What others begin with may yet
/// come to have them.
fn ensure_folders(project: &Project, plan: &Plan) -> Result<(), RuntimeError> {
    for lane in plan.lanes.iter().filter(|lane| lane.needs.is_empty() && lane.parent.is_none()) {
        let fits = project.repo.ensure_folders(&lane.furnish.sparse, &lane.base_sha);
        fits.map_err(|source| match source {
            GitError::NoSuchFolder { .. } => {
                RuntimeError::NoSuchFolder { lane: lane.id.clone(), source: Box::new(source) }
            }
            source => source.into(),
        })?;
    }
    Ok(())
}

fn outermost<'a>(graph: &'a Graph, workstream: &'a Workstream) -> &'a Workstream {
    let parent = |w: &&'a Workstream| {
        let id = w.parent.as_ref()?;
        graph.workstreams.iter().find(|w| w.id == *id)
    };
    std::iter::successors(Some(workstream), parent).last().unwrap_or(workstream)
}

/// The branches that were looked up, each once.
struct Seen<'a> {
    project: &'a Project,
    remote: Option<&'a Remote>,
    tips: HashMap<String, Option<Sha>>,
}

impl Seen<'_> {
    fn default_branch(&self, graph: &Graph) -> Result<Option<String>, RuntimeError> {
        let named = |w: &Workstream| w.base.is_some() || graph.base.is_some();
        if graph.workstreams.iter().all(named) {
            return Ok(None);
        }
        if let Some(remote) = self.remote
            && let Some(branch) = self.project.repo.remote_default_branch(remote)?
        {
            return Ok(Some(branch));
        }
        Ok(self.project.repo.head_branch()?)
    }

    fn base_of(
        &mut self,
        graph: &Graph,
        workstream: &Workstream,
        fallback: Option<&str>,
    ) -> Result<LaneBase, RuntimeError> {
        let base = workstream.base.as_deref().or(graph.base.as_deref()).or(fallback);
        let base = base.ok_or(RuntimeError::NoBase)?.to_owned();
        let base_sha = self.tip(&workstream.id, &base)?;
        let target = workstream.target.as_deref().or(graph.target.as_deref()).unwrap_or(&base).to_owned();
        self.tip(&workstream.id, &target)?;
        Ok(LaneBase { base, base_sha, target })
    }

    /// Origin's tip where it has the branch, freshly fetched; else the local one.
    fn tip(&mut self, lane: &LaneId, branch: &str) -> Result<Sha, RuntimeError> {
        if !self.tips.contains_key(branch) {
            let repo = &self.project.repo;
            let fetched = match self.remote {
                Some(remote) => repo.fetch_branch(remote, branch)?,
                None => None,
            };
            let tip = match fetched {
                Some(tip) => Some(tip),
                None => repo.branch_tip(branch)?,
            };
            self.tips.insert(branch.to_owned(), tip);
        }
        let found = self.tips.get(branch).cloned().flatten();
        found.ok_or_else(|| RuntimeError::NoBranch {
            lane: lane.clone(),
            branch: branch.to_owned(),
            remote: self.remote.is_some(),
        })
    }
}
