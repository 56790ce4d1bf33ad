//! The lane's pull request: opened, brought up to date, and proven on the merge with its target.

use std::sync::Arc;

use super::{
    Done, blocking, chain, collect, gate, git_failure, keep, origin, permanent, rest, retarget, sync,
};
use crate::event::{
    CHECK_AHEAD, CHECK_MERGEABLE, CheckRecorded, CheckStatus, Draft, Effect, Failure, FailureKind, PrClosed,
    PrMerged, PrOpened, PrRef, PrUpdated, Subject, few,
};
use crate::forge::{self, Forge, ForgeError, NewPr, PrCheck, PrUpdate, Tried};
use crate::git::{GitError, Merge, Worktree};
use crate::id::{LaneId, Sha};
use crate::plan;
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};
use crate::state::{Check, ForgeStep, State};
use crate::view;
use origin::Unpushed;

/// The forge of the run.
pub(super) fn open_forge(context: &Context) -> Result<Forge, Failure> {
    context.forge().map_err(|e| forge_failure("opening the local forge", &e))
}

/// What a failure of a forge means.
pub(super) fn forge_failure(doing: &str, error: &ForgeError) -> Failure {
    Failure {
        class: error.kind(),
        message: format!("{doing}: {}", chain(error)),
        hint: error.hint(),
        retry_at: error.until().map(clock::of_shown),
    }
}

fn check(lane: &LaneId, name: &str, status: CheckStatus, detail: String) -> Draft {
    Draft::world(Subject::lane(lane), CheckRecorded { name: name.to_owned(), status, detail, duration_ms: 0 })
}

/// Pushes the lane and opens its pull request, or finds the one that is there.
pub(super) async fn open(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::OpenPr { lane, tip, base, draft } = &brief.effect else {
        return permanent("no pull request".to_owned()).into();
    };
    let mut facts = Vec::new();
    match try_open(context, brief, (lane, tip), (base, *draft), &mut facts).await {
        Ok(()) => {
            facts.extend(rest::at_tip(context, lane, tip).await);
            Done::well(facts)
        }
        Err(failure) => Done::failed(facts, failure),
    }
}

async fn try_open(
    context: &Arc<Context>,
    brief: &Brief,
    (lane, tip): (&LaneId, &Sha),
    (base, draft): (&str, bool),
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let state = brief.state.clone().ok_or_else(|| permanent("the state is missing".to_owned()))?;
    let known = retarget::known(context, &state, lane);
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let was_closed = state.lanes[ix].pr.as_ref().is_some_and(|pr| pr.closed_by.is_some());
    let tried = match &state.lanes[ix].pr {
        None => brief.tried(&state.lanes[ix], ForgeStep::Open),
        // One that is closed is opened again.
        Some(_) => Tried::Perhaps,
    };
    let (shared, id, at) = (Arc::clone(context), lane.clone(), tip.clone());
    let onto = (base.to_owned(), draft);
    let (found, ready) =
        blocking(move || make_ready(&shared, &state, (&id, &at), onto)).await.map_err(|e| e.told(facts))?;
    facts.extend(found);
    let Some(new) = ready else { return Ok(()) };
    let forge = open_forge(context)?;
    let (at, base_sha) = (new.at.clone(), new.base_sha.clone());
    let update = PrUpdate {
        head_sha: Some(tip.clone()),
        base: Some(base.to_owned()),
        base_sha: Some(base_sha),
        draft: Some(draft),
        ..PrUpdate::default()
    };
    if let Some(updated) = retarget::known_one(&forge, known, &update, &at).await? {
        facts.push(Draft::world(Subject::lane(lane), updated));
        return Ok(());
    }
    let opened = forge.create(new, tried).await.map_err(|e| forge_failure("opening the pull request", &e))?;
    let (new, pull) = (matches!(opened, forge::Opened::New(_)), opened.into_pull());
    let pr = PrRef { number: pull.number, url: pull.url.clone() };
    let subject = Subject::lane(lane);
    let (tip, base) = (tip.clone(), base.to_owned());
    if let Some(merged) = &pull.merged {
        facts.push(Draft::world(subject.clone(), PrOpened { pr, tip: pull.head_sha.clone(), base, draft }));
        let event = PrMerged { commit: merged.sha.clone(), by: merged.by.clone(), head: None };
        facts.push(Draft::world(subject, event));
        return Ok(());
    }
    if pull.state == forge::PrState::Closed && !was_closed {
        return Err(closed_meanwhile(lane, pr, &pull, facts));
    }
    if pull.state == forge::PrState::Closed {
        forge.reopen(pull.number, &at).await.map_err(|e| forge_failure("reopening the pull request", &e))?;
    }
    if new || (pull.head_sha == tip && pull.base == base && pull.draft == draft) {
        facts.push(Draft::world(subject, PrOpened { pr, tip, base, draft }));
    } else {
        let updated = forge.update(pull.number, update, &at).await;
        updated.map_err(|e| forge_failure("updating the pull request", &e))?;
        facts.push(Draft::world(subject, PrUpdated { pr, tip, base, draft }));
    }
    Ok(())
}

/// One that a person has closed while nobody looked stays closed, until a retry asks for it.
fn closed_meanwhile(lane: &LaneId, pr: PrRef, pull: &forge::PullRequest, facts: &mut Vec<Draft>) -> Failure {
    let by = pull.closed.as_ref().map_or_else(|| "other hands".to_owned(), |closed| closed.by.clone());
    let message = format!("pull request #{} was closed unmerged by {by}", pr.number);
    let (tip, base, draft) = (pull.head_sha.clone(), pull.base.clone(), pull.draft);
    facts.push(Draft::world(Subject::lane(lane), PrOpened { pr, tip, base, draft }));
    facts.push(Draft::world(Subject::lane(lane), PrClosed { by }));
    Failure { class: FailureKind::Refused, message, hint: None, retry_at: None }
}

/// Looks whether there is anything to open, pushes it, and describes it.
fn make_ready(
    context: &Context,
    state: &State,
    (lane, tip): (&LaneId, &Sha),
    (base, draft): (String, bool),
) -> Result<(Vec<Draft>, Option<NewPr>), Unpushed> {
    let plan = context.lane(lane);
    let rounds = state.lanes[context.index.lane(lane).expect("effects name lanes of the plan")].rounds();
    let doing = |e: GitError| git_failure(&format!("opening the pull request of lane `{lane}`"), &e);
    let target = sync::target_tip(context, &plan.target).map_err(doing)?;
    if context.project.repo.is_ancestor(tip, &target).map_err(doing)? {
        let detail = format!("`{}` has all of this lane", plan.target);
        return Ok((vec![check(lane, CHECK_AHEAD, CheckStatus::Skip, detail)], None));
    }
    let mut facts = Vec::new();
    match origin::push(context, lane, tip) {
        Ok(()) => {}
        Err(unpushed) if context.github.is_some() => return Err(unpushed),
        Err(unpushed) => unpushed.remarked(lane, &mut facts),
    }
    let onto = base_tip(context, lane, &base, target).map_err(doing)?;
    let text = text(context, state, lane, &onto, tip).map_err(doing)?;
    let new = NewPr {
        title: text.title,
        body: text.body,
        draft,
        head: plan.branch.clone(),
        base,
        head_sha: tip.clone(),
        base_sha: onto,
        marker: plan::pr_marker(&context.plan, lane, rounds),
        graph: context.plan.graph.clone(),
        run: context.plan.run,
        lane: lane.clone(),
        author: context.author.name.clone(),
        at: clock::wall().to_string(),
        labels: Vec::new(),
        reviewers: Vec::new(),
        checks: Vec::new(),
    };
    Ok((facts, Some(new)))
}

/// Where the branch stands that the pull request goes to: the target, or the lane that this one is stacked on.
fn base_tip(context: &Context, lane: &LaneId, base: &str, target: Sha) -> Result<Sha, GitError> {
    if base == context.lane(lane).target {
        return Ok(target);
    }
    Ok(context.project.repo.branch_tip(base)?.unwrap_or(target))
}

/// The description, with the change that the lane adds to `onto`.
fn text(
    context: &Context,
    state: &State,
    lane: &LaneId,
    onto: &Sha,
    tip: &Sha,
) -> Result<view::PrText, GitError> {
    let repo = &context.project.repo;
    let base = repo.merge_base(onto, tip)?.unwrap_or_else(|| onto.clone());
    let files: Vec<_> = repo.diff(&base, tip)?.iter().map(collect::file).collect();
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    Ok(view::pull_request(&context.plan, state, ix, &files))
}

/// The merge of target and lane as a commit that no ref names, or why there is none.
pub(super) struct Joined {
    pub(super) commit: Sha,
    pub(super) tree: Sha,
    pub(super) worktree: Worktree,
}

/// Gates the merge of target and lane, and shows the result on the pull request.
pub(super) async fn prove(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::Prove { lane, tip } = &brief.effect else {
        return permanent("no proof".to_owned()).into();
    };
    if brief.resumed {
        stop_gates(context, lane).await;
    }
    let mut facts = Vec::new();
    match try_prove(context, brief, lane, tip, &mut facts).await {
        Ok(()) => Done::well(facts),
        Err(failure) => Done::failed(facts, failure),
    }
}

async fn try_prove(
    context: &Arc<Context>,
    brief: &Brief,
    lane: &LaneId,
    tip: &Sha,
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let state = brief.state.clone().ok_or_else(|| permanent("the state is missing".to_owned()))?;
    let (shared, id, at) = (Arc::clone(context), lane.clone(), tip.clone());
    let joined = blocking(move || {
        let target = sync::target_tip(&shared, &shared.lane(&id).target)?;
        join(&shared, &id, &at, &target)
    })
    .await
    .map_err(|e| git_failure(&format!("merging lane `{lane}` with its target"), &e))?;
    match joined {
        Err(paths) => {
            let target = &context.lane(lane).target;
            let detail = format!("lane and `{target}` both changed {}", few(&paths, 0));
            facts.push(check(lane, CHECK_MERGEABLE, CheckStatus::Fail, detail));
        }
        Ok(joined) => {
            facts.push(check(lane, CHECK_MERGEABLE, CheckStatus::Pass, String::new()));
            facts.extend(gates(context, &state, lane, tip, &joined).await?);
        }
    }
    show(context, &state, lane, tip, facts).await
}

/// Merges in the object database. The inner error names the paths in conflict.
pub(super) fn join(
    context: &Context,
    lane: &LaneId,
    tip: &Sha,
    target: &Sha,
) -> Result<Result<Joined, Vec<String>>, GitError> {
    let repo = &context.project.repo;
    let plan = context.lane(lane);
    let worktree = super::provision::worktree(context, &plan.id, &plan.worktree, tip)?;
    let message = format!(
        "Merge lane {lane} into {}\n\nLaneway-Run: {}\nLaneway-Merge: {lane}\n",
        plan.target, context.plan.uuid
    );
    let parents = [target.clone(), tip.clone()];
    let joined = repo.unpruned(|| match repo.merge(target, tip)? {
        Merge::Clean { tree, .. } => {
            Ok(Ok((repo.commit_tree(&tree, &parents, &message, &context.author)?, tree)))
        }
        Merge::Conflict { paths, .. } => Ok(Err(paths)),
    })?;
    Ok(joined.map(|(commit, tree)| Joined { commit, tree, worktree }))
}

fn gate_name(gates: usize, n: usize) -> String {
    if gates == 1 { "gate".to_owned() } else { format!("gate-{}", n + 1) }
}

fn gate_tag(context: &Context, lane: &LaneId, name: &str) -> String {
    format!("{}/{lane}/{name}", context.plan.uuid)
}

/// Ends gates of the lane that a killed orchestrator has left at work in its worktree.
pub(super) async fn stop_gates(context: &Context, lane: &LaneId) {
    let gates = context.lane(lane).gates.len();
    for n in 0..gates {
        super::stop::unrecorded(context, gate_tag(context, lane, &gate_name(gates, n))).await;
    }
}

/// Runs the lane's gates on `joined`, but those that its tree has passed.
pub(super) async fn gates(
    context: &Arc<Context>,
    state: &State,
    lane: &LaneId,
    tip: &Sha,
    joined: &Joined,
) -> Result<Vec<Draft>, Failure> {
    let plan = context.lane(lane).clone();
    let known = &state.lanes[context.index.lane(lane).expect("effects name lanes of the plan")].gated;
    let mut facts = Vec::new();
    let mut moved = false;
    for (n, gate) in plan.gates.iter().enumerate() {
        let name = gate_name(plan.gates.len(), n);
        let command = gate.command.to_string();
        if !gate.fresh && known.iter().any(|(tree, passed)| *tree == joined.tree && *passed == command) {
            let detail = format!("`{command}` has passed on this tree");
            facts.push(check(lane, &name, CheckStatus::Pass, detail));
            continue;
        }
        if !moved {
            let reason = format!("what stood in lane {lane} before its merge was gated");
            facts.extend(keep_lane(context, lane, &joined.worktree, &[tip], reason).await?);
            set_to(context, &joined.worktree, &joined.commit).await?;
            moved = true;
        }
        let dir = context.plan.places.record.join("lanes").join(lane.as_str());
        std::fs::create_dir_all(&dir)
            .map_err(|e| permanent(format!("{} could not be made: {e}", dir.display())))?;
        let setting = gate::Setting {
            lane: &joined.worktree.path,
            log: dir.join(format!("{name}.log")),
            attempt: None,
            tag: gate_tag(context, lane, &name),
            given: [
                ("LANEWAY_LANE".into(), lane.as_str().into()),
                ("LANEWAY_GRAPH".into(), context.plan.graph.as_str().into()),
            ]
            .into_iter()
            .chain(context.ports(lane))
            .collect(),
        };
        let mut evidence = gate::run(context, gate, &setting).await?;
        evidence.name = name;
        if evidence.status == CheckStatus::Pass {
            evidence.detail = format!("`{command}` passes on the merge with `{}`", plan.target);
        }
        facts.push(Draft::world(Subject::lane(lane), evidence));
    }
    if moved {
        let reason = format!("what the gates of lane {lane} left");
        facts.extend(keep_lane(context, lane, &joined.worktree, &[tip, &joined.commit], reason).await?);
        set_to(context, &joined.worktree, tip).await?;
    }
    Ok(facts)
}

/// A person may have worked in the lane since its tasks were over.
async fn keep_lane(
    context: &Arc<Context>,
    lane: &LaneId,
    worktree: &Worktree,
    known: &[&Sha],
    reason: String,
) -> Result<Option<Draft>, Failure> {
    let (context, lane, worktree) = (Arc::clone(context), lane.clone(), worktree.clone());
    let known: Vec<Sha> = known.iter().map(|known| (*known).clone()).collect();
    blocking(move || {
        let what = format!("lane-gate/{lane}");
        let kept = keep::worktree(&context, &worktree, &what, &reason, &known)?;
        Ok(kept.map(|kept| Draft::world(Subject::lane(&lane), kept)))
    })
    .await
    .map_err(|e: GitError| git_failure("keeping what stands in the lane", &e))
}

async fn set_to(context: &Arc<Context>, worktree: &Worktree, at: &Sha) -> Result<(), Failure> {
    let (context, worktree, at) = (Arc::clone(context), worktree.clone(), at.clone());
    blocking(move || context.project.repo.set_to(&worktree, &at))
        .await
        .map_err(|e| git_failure("setting the lane to the merge", &e))
}

/// Brings text and checks of the pull request up to date.
async fn show(
    context: &Arc<Context>,
    state: &Arc<State>,
    lane: &LaneId,
    tip: &Sha,
    facts: &[Draft],
) -> Result<(), Failure> {
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let Some(pr) = &state.lanes[ix].pr else {
        return Ok(());
    };
    let (shared, known, id) = (Arc::clone(context), Arc::clone(state), lane.clone());
    let (at, facts) = (tip.clone(), facts.to_vec());
    let update = blocking(move || shown(&shared, &known, &id, &at, &facts))
        .await
        .map_err(|e| git_failure("describing the pull request", &e))?;
    let forge = open_forge(context)?;
    match forge.update(pr.at.number, update, &clock::wall().to_string()).await {
        Ok(_) | Err(ForgeError::WrongState { .. }) => Ok(()),
        Err(error) => Err(forge_failure("updating the pull request", &error)),
    }
}

/// What the pull request is to say, with the evidence in `facts`.
fn shown(
    context: &Context,
    state: &State,
    lane: &LaneId,
    tip: &Sha,
    facts: &[Draft],
) -> Result<PrUpdate, GitError> {
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let mut shown = state.clone();
    for fact in facts {
        if let crate::event::Event::CheckRecorded(event) = &fact.event {
            shown.lanes[ix].checks.retain(|c| c.name != event.name);
            shown.lanes[ix].checks.push(Check {
                name: event.name.clone(),
                status: event.status,
                detail: event.detail.clone(),
                duration_ms: event.duration_ms,
            });
        }
    }
    let target = &context.lane(lane).target;
    let base = state.lanes[ix].pr.as_ref().map_or(target, |pr| &pr.base);
    let onto = base_tip(context, lane, base, sync::target_tip(context, target)?)?;
    let text = text(context, &shown, lane, &onto, tip)?;
    let checks = shown.lanes[ix].checks.iter().map(|c| PrCheck {
        name: c.name.clone(),
        status: status_of(c.status),
        detail: c.detail.lines().next().unwrap_or_default().to_owned(),
    });
    Ok(PrUpdate { body: Some(text.body), checks: Some(checks.collect()), ..PrUpdate::default() })
}

pub(super) fn status_of(status: CheckStatus) -> forge::CheckStatus {
    match status {
        CheckStatus::Pass => forge::CheckStatus::Pass,
        CheckStatus::Warn => forge::CheckStatus::Warn,
        CheckStatus::Fail => forge::CheckStatus::Fail,
        CheckStatus::Skip => forge::CheckStatus::Skip,
    }
}

/// A conflict with the target, for whoever has to resolve it.
pub(super) fn conflict(lane: &LaneId, target: &str, paths: &[String]) -> Failure {
    Failure {
        class: FailureKind::Conflict,
        message: format!("lane `{lane}` and `{target}` both changed {}", few(paths, 0)),
        hint: Some(format!(
            "see `laneway waiting`, bring `{target}` up to what the lane expects, or close the pull request"
        )),
        retry_at: None,
    }
}
