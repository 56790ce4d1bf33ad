//! Inputs become facts. Nothing is decided here; what cannot be true is rejected.

use crate::event::{
    Actor, ArtifactStored, AttemptStatus, CHECK_HEAD, CheckRecorded, CheckStatus, ConcernClass,
    ConcernRecorded, Control, ControlReceived, ControlRejected, ControlVerb, Draft, EffectConfirmed,
    EffectFailed, EffectUnknown, Event, LaneStatus, LossRecorded, ProcessRole, RunStatus, SignalKind,
    SignalObserved, SignalRejected, Source, Subject, SummaryRecorded, WorkflowIteration, WorkflowStart,
};
use crate::id::{LaneId, Sha};
use crate::state::{Lane, PullRequest, REJECTED, State};

use super::{Input, Report};

/// The facts that `input` is worth, given what is known.
pub(super) fn observe(state: &State, input: Input) -> Vec<Draft> {
    match input {
        Input::Start { plan_digest, version } if state.run.status.is_none() => {
            let graph = state.plan().graph.clone();
            vec![Draft::engine(Subject::default(), WorkflowStart { graph, plan_digest, version })]
        }
        Input::Start { .. } | Input::Tick => Vec::new(),
        Input::Control(control) => received(state, control),
        Input::BadControl { name, reason } => {
            vec![Draft::world(Subject::default(), ControlRejected { request: name, reason })]
        }
        Input::Loss { what } => vec![Draft::world(Subject::default(), LossRecorded { what })],
        Input::News { facts, problem } => {
            let mut drafts = news(state, facts);
            drafts.extend(problem.map(|what| Draft::world(Subject::default(), LossRecorded { what })));
            drafts
        }
        Input::Report(report) => reported(state, report),
        Input::StatusTouched { lane, status, text, source } => touched(state, &lane, status, text, source),
    }
}

fn received(state: &State, control: Control) -> Vec<Draft> {
    if state.handled.contains(&control.id) {
        return Vec::new();
    }
    let actor = Actor::Person(control.by.clone());
    let draft = |subject, event: Event| vec![Draft { subject, actor: actor.clone(), source: None, event }];
    let (subject, problem) = judge(state, &control);
    let attaches = matches!(control.verb, ControlVerb::Attach { .. });
    let mut drafts = match problem {
        Some(reason) => draft(subject, ControlRejected { request: control.id, reason }.into()),
        None => draft(subject, ControlReceived { control }.into()),
    };
    if attaches {
        drafts.extend(lost_answers(state));
    }
    drafts
}

/// What an orchestrator that is gone had under way: nobody has heard how it ended, so the world is asked.
fn lost_answers(state: &State) -> impl Iterator<Item = Draft> + '_ {
    state.outstanding.iter().map(|(id, effect)| {
        let (lane, task) = about(state, effect).map_or((None, None), |(lane, task)| (Some(lane), task));
        let subject = Subject { lane, task, ..Subject::default() };
        Draft::engine(subject, EffectUnknown { id: id.clone() })
    })
}

/// What a request is about, and why it cannot be taken.
fn judge(state: &State, control: &Control) -> (Subject, Option<String>) {
    let index = state.index();
    let tasks_known = |tasks: &[crate::id::TaskId]| {
        tasks.iter().find(|t| index.task(t).is_none()).map(|t| format!("there is no task `{t}` in this run"))
    };
    match &control.verb {
        ControlVerb::Cancel { tasks, lanes } => {
            let lane = lanes
                .iter()
                .find(|l| index.lane(l).is_none())
                .map(|l| format!("there is no lane `{l}` in this run"));
            let whole = tasks.is_empty() && lanes.is_empty();
            let over = whole.then(|| cancel_problem(state)).flatten();
            (Subject::default(), tasks_known(tasks).or(lane).or(over))
        }
        ControlVerb::Retry { tasks } => {
            (Subject::default(), tasks_known(tasks).or_else(|| retry_problem(state, tasks)))
        }
        ControlVerb::Skip { tasks } => {
            (Subject::default(), tasks_known(tasks).or_else(|| skip_problem(state, tasks)))
        }
        ControlVerb::Answer { task, .. } => match index.task(task) {
            None => (Subject::default(), Some(format!("there is no task `{task}` in this run"))),
            Some(ix) => {
                let lane = &state.plan().lanes[index.lane_of[ix]].id;
                let asks = state.tasks[ix].attempt().is_some_and(|a| a.question.is_some());
                let problem = (!asks).then(|| format!("task `{task}` does not wait for an answer"));
                (Subject::task(lane, task), problem)
            }
        },
        ControlVerb::Reset { plan } => (Subject::default(), reset_problem(state, plan)),
        ControlVerb::Revert { lane, .. } => match index.lane(lane) {
            None => (Subject::default(), Some(format!("there is no lane `{lane}` in this run"))),
            Some(ix) => (Subject::lane(lane), revert_problem(state, ix)),
        },
        ControlVerb::Merge { lane, .. } | ControlVerb::Review { lane, .. } => match index.lane(lane) {
            None => (Subject::default(), Some(format!("there is no lane `{lane}` in this run"))),
            Some(ix) => (Subject::lane(lane), review_problem(state, ix)),
        },
        _ => (Subject::default(), None),
    }
}

/// Why there is nothing of the run to call off.
fn cancel_problem(state: &State) -> Option<String> {
    let is_over = state.run.status == Some(RunStatus::Completed) && state.outstanding.is_empty();
    is_over.then(|| {
        "the run is completed: there is nothing to call off; `laneway pr close` gives a pull request up, and `laneway reset` undoes \
         what was done"
            .to_owned()
    })
}

/// Why what a person confirmed is not what would be undone.
fn reset_problem(state: &State, plan: &crate::event::UndoPlan) -> Option<String> {
    match state.undo(&plan.of) {
        Err(refusal) => Some(refusal.to_string()),
        Ok(now) if now != *plan => Some("things have changed since it was planned; look again".to_owned()),
        Ok(_) => None,
    }
}

fn revert_problem(state: &State, lane: crate::plan::LaneIx) -> Option<String> {
    let open = state.lanes[lane].revert.as_ref().is_some_and(crate::state::Revert::is_open);
    let id = &state.plan().lanes[lane].id;
    (!open).then(|| format!("no pull request that takes lane `{id}` back is open"))
}

/// Why the run cannot go on without these tasks.
fn skip_problem(state: &State, tasks: &[crate::id::TaskId]) -> Option<String> {
    if tasks.is_empty() {
        return Some("it says neither a task nor a lane".to_owned());
    }
    let index = state.index();
    tasks.iter().find_map(|id| {
        let task = index.task(id)?;
        let (now, lane) = (&state.tasks[task], &state.lanes[index.lane_of[task]]);
        if now.reset_wanted.is_some() {
            return Some(format!("task `{id}` is being reset; ask again when that is done"));
        }
        match now.status {
            crate::event::TaskStatus::Running => Some(format!("task `{id}` is at work; call it off first")),
            status if status.is_success() && lane.status != LaneStatus::Failed => {
                Some(format!("task `{id}` is {status}; there is nothing to go on without"))
            }
            _ => state.holder_of_closed(index.lane_of[task]).map(|holder| {
                let (holder, lane) = (&state.plan().lanes[holder].id, &state.plan().lanes[index.lane_of[task]].id);
                format!(
                    "the pull request of lane `{lane}` is closed, but lane `{holder}` holds its work and cannot go on without it: `laneway \
                     retry --lane {lane}` opens it again, `laneway reset workstream {lane}` takes the work back from both"
                )
            }),
        }
    })
}

/// Why there is nothing to try again.
fn retry_problem(state: &State, tasks: &[crate::id::TaskId]) -> Option<String> {
    let undone = |t: &crate::state::Task| t.status == crate::event::TaskStatus::Reset;
    let failed = |ix: usize| state.is_retriable(ix);
    let lane_failed = |lane: usize| state.lanes[lane].status == LaneStatus::Failed && !state.is_closed(lane);
    let lane_stands = |lane: usize| lane_failed(lane) || state.lanes[lane].failed_step().is_some();
    let refused = |t: &crate::state::Task| {
        t.attempt().is_some_and(|a| a.status == AttemptStatus::Waiting && a.refusal().is_some())
    };
    if tasks.is_empty() {
        let any = (0..state.tasks.len()).any(failed) || (0..state.lanes.len()).any(lane_stands);
        let any = any || state.tasks.iter().any(refused);
        let hint =
            if state.tasks.iter().any(undone) { "; name what was undone to have it done again" } else { "" };
        return (!any && !state.run.cancelled).then(|| format!("nothing has failed{hint}"));
    }
    let status_of = |id: &crate::id::TaskId| state.index().task(id).map(|ix| (ix, state.tasks[ix].status));
    let fit = |(ix, _): (usize, _)| {
        refused(&state.tasks[ix])
            || failed(ix)
            || undone(&state.tasks[ix])
            || lane_stands(state.index().lane_of[ix])
    };
    tasks.iter().find_map(|id| {
        let (ix, status) = status_of(id)?;
        if state.tasks[ix].reset_wanted.is_some() {
            return Some(format!("task `{id}` is being reset; ask again when that is done"));
        }
        if fit((ix, status)) {
            return None;
        }
        let closed = state.closed_around(state.index().lane_of[ix]).filter(|_| state.tasks[ix].ended_badly());
        Some(match closed {
            Some(closed) => {
                let lane = &state.plan().lanes[closed].id;
                format!(
                    "task `{id}` is {status}, and lane `{lane}`, which its work would go into, is merged; laneway reset \
                     workstream {lane} takes that back so that all of it can be done again, or leave it to another run"
                )
            }
            None if status == crate::event::TaskStatus::Merged => format!(
                "task `{id}` is {status}; there is nothing to try again; `laneway reset task {id}` undoes it, and then it can be"
            ),
            None => format!("task `{id}` is {status}; there is nothing to try again"),
        })
    })
}

fn review_problem(state: &State, lane: crate::plan::LaneIx) -> Option<String> {
    let id = &state.plan().lanes[lane].id;
    match (&state.lanes[lane].pr, state.lanes[lane].status) {
        (Some(_), LaneStatus::PrCreated) => None,
        (Some(pr), status) => {
            Some(format!("pull request #{} is not open; lane `{id}` is {status}", pr.at.number))
        }
        (None, status) => Some(format!("lane `{id}` has no pull request; it is {status}")),
    }
}

fn reported(state: &State, report: Report) -> Vec<Draft> {
    let Some(effect) = state.outstanding.get(&report.id) else {
        return Vec::new();
    };
    let mut drafts = Vec::with_capacity(report.facts.len() + 1);
    let mut subject = Subject::default();
    for fact in report.facts {
        subject = fact.subject.clone();
        match read(state, &drafts, &fact) {
            Reading::New => expand(&mut drafts, fact),
            Reading::Known => {}
            Reading::TooMany(reason) => {
                let name = fact.source.as_ref().map(|s| s.path.clone()).unwrap_or_default();
                drafts.push(Draft { event: SignalRejected { name, reason }.into(), ..fact });
            }
        }
    }
    if let Some(end) = report.end {
        if let Some((lane, task)) = about(state, effect) {
            subject = Subject { lane: Some(lane), task, ..subject };
        } else {
            // It is about several lanes.
            subject = Subject::default();
        }
        let id = report.id;
        drafts.push(Draft::world(
            subject,
            match end {
                Ok(()) => Event::from(EffectConfirmed { id }),
                Err(failure) => EffectFailed { id, failure }.into(),
            },
        ));
    }
    drafts
}

fn about(state: &State, effect: &crate::event::Effect) -> Option<(LaneId, Option<crate::id::TaskId>)> {
    use crate::event::Effect as E;
    match effect {
        E::Attempt { task, .. }
        | E::Stop { task, .. }
        | E::Collect { task, .. }
        | E::Examine { task, .. }
        | E::Land { task, .. } => {
            let ix = state.index().task(task)?;
            Some((state.plan().tasks[ix].lane.clone(), Some(task.clone())))
        }
        E::Provision { lane }
        | E::Warm { lane, .. }
        | E::Sync { lane, .. }
        | E::OpenPr { lane, .. }
        | E::Prove { lane, .. }
        | E::MergePr { lane, .. }
        | E::CheckMerged { lane, .. }
        | E::Teardown { lane, .. }
        | E::Conclude { lane }
        | E::Undo { lane, .. }
        | E::Review { lane, .. } => Some((lane.clone(), None)),
        E::Probe { .. } => None,
    }
}

/// What of the things that the forge shows is not known yet.
pub fn news(state: &State, facts: Vec<Draft>) -> Vec<Draft> {
    facts.into_iter().flat_map(|fact| news_of(state, fact)).collect()
}

fn news_of(state: &State, mut fact: Draft) -> Vec<Draft> {
    let lane = fact.subject.lane.as_ref().and_then(|lane| state.index().lane(lane));
    let Some(lane) = lane.map(|lane| &state.lanes[lane]) else { return Vec::new() };
    if let Event::RevertMerged(_) | Event::RevertClosed(_) = &fact.event {
        let open = lane.revert.as_ref().is_some_and(crate::state::Revert::is_open);
        return if open { vec![fact] } else { Vec::new() };
    }
    let Some(pr) = lane.pr.as_ref().filter(|pr| pr.merged.is_none()) else { return Vec::new() };
    let is_news = match &mut fact.event {
        // A late word of one that was merged with a part of the lane is none of the next.
        Event::PrMerged(event) => !lane.parts.iter().any(|part| part.landed == event.commit),
        Event::PrClosed(_) => pr.closed_by.is_none(),
        Event::PrUpdated(event) if pr.at == event.pr => {
            let shown = std::mem::replace(&mut event.tip, pr.tip.clone());
            let head = head(lane, pr, &shown).map(|event| Draft::world(fact.subject.clone(), event));
            // It is open; that is news of one that was closed.
            let reopened = pr.closed_by.is_some().then_some(fact);
            return head.into_iter().chain(reopened).collect();
        }
        Event::ReviewObserved(event) => !lane.reviews.iter().any(|known| match (known.id, event.id) {
            (Some(known), Some(event)) => known == event,
            _ => {
                (known.act, &known.by, &known.text, &known.tip)
                    == (event.act, &event.by, &event.text, &event.tip)
            }
        }),
        Event::ReviewDismissed(event) => lane.reviews.iter().any(|known| known.is(event)),
        Event::CheckRecorded(event) => is_other(lane, event),
        _ => false,
    };
    if is_news { vec![fact] } else { Vec::new() }
}

fn is_other(lane: &Lane, event: &CheckRecorded) -> bool {
    let known = lane.checks.iter().find(|known| known.name == event.name);
    known.is_none_or(|known| (known.status, &known.detail) != (event.status, &event.detail))
}

/// What it means that the pull request shows `shown`, as far as that is news. The run may be about to move it, and a
/// forge may be late in showing that it was moved: neither is the work of other hands.
fn head(lane: &Lane, pr: &PullRequest, shown: &Sha) -> Option<CheckRecorded> {
    let (status, detail) = if *shown == pr.tip {
        (CheckStatus::Pass, String::new())
    } else if lane.tip.as_ref() == Some(shown) || pr.earlier.contains(shown) {
        return None;
    } else {
        let (shown, ours) = (shown.short(), pr.tip.short());
        (CheckStatus::Fail, format!("it was moved to {shown} by other hands; what was proven is {ours}"))
    };
    let event = CheckRecorded { name: CHECK_HEAD.to_owned(), status, detail, duration_ms: 0 };
    let never_moved = status == CheckStatus::Pass && lane.checks.iter().all(|known| known.name != CHECK_HEAD);
    (!never_moved && is_other(lane, &event)).then_some(event)
}

/// Files of one attempt that are rejected with a reason each; more are dropped.
const MOST_REJECTED: u32 = 256;

/// What becomes of a fact that was read from a file.
enum Reading {
    /// It is news.
    New,
    /// It is dropped: taken before, or one too many that was complained of already.
    Known,
    /// It is one too many of its kind, for this reason.
    TooMany(String),
}

fn read(state: &State, drafts: &[Draft], fact: &Draft) -> Reading {
    let Some(source) = &fact.source else { return Reading::New };
    let pending = || drafts.iter().filter(|d| d.subject == fact.subject);
    if pending().any(|d| d.source.as_ref() == Some(source)) {
        return Reading::Known;
    }
    let Some(attempt) = attempt_of(state, &fact.subject) else { return Reading::New };
    if attempt.seen.contains(&(source.path.clone(), source.digest.clone())) {
        return Reading::Known;
    }
    let (kind, most) = match &fact.event {
        Event::SignalObserved(event) => (event.signal.word(), event.signal.most()),
        Event::SignalRejected(_) => (REJECTED, MOST_REJECTED),
        _ => return Reading::New,
    };
    let same = |d: &&Draft| match &d.event {
        Event::SignalObserved(event) => event.signal.word() == kind,
        Event::SignalRejected(_) => kind == REJECTED,
        _ => false,
    };
    let taken = attempt.taken.get(kind).copied().unwrap_or(0);
    let count = taken.saturating_add(u32::try_from(pending().filter(same).count()).unwrap_or(u32::MAX));
    if count < most {
        return Reading::New;
    }
    let reason = format!("one attempt may say `{kind}` {most} times; nothing more of it is taken");
    let said = attempt.rejected.iter().any(|(_, why)| *why == reason)
        || pending().any(|d| matches!(&d.event, Event::SignalRejected(e) if e.reason == reason));
    if said || kind == REJECTED { Reading::Known } else { Reading::TooMany(reason) }
}

fn attempt_of<'a>(state: &'a State, subject: &Subject) -> Option<&'a crate::state::Attempt> {
    let task = state.index().task(subject.task.as_ref()?)?;
    let number = usize::try_from(subject.attempt?).ok()?;
    state.tasks[task].attempts.get(number.checked_sub(1)?)
}

/// Adds a fact, and what it means in the record's own words.
fn expand(drafts: &mut Vec<Draft>, fact: Draft) {
    let follow = match &fact.event {
        Event::SignalObserved(SignalObserved { signal, text }) => match signal {
            SignalKind::Concern => {
                Some(ConcernRecorded { class: ConcernClass::Design, text: text.clone() }.into())
            }
            SignalKind::OpsConcern => {
                Some(ConcernRecorded { class: ConcernClass::Ops, text: text.clone() }.into())
            }
            SignalKind::Summary => Some(SummaryRecorded { text: text.clone() }.into()),
            SignalKind::Artifact { name } => {
                let digest = fact.source.as_ref().map(|s| s.digest.clone()).unwrap_or_default();
                let bytes = text.parse().unwrap_or(0);
                Some(Event::from(ArtifactStored { name: name.clone(), digest, bytes }))
            }
            _ => None,
        },
        Event::ProcessStarted(started) if started.role == ProcessRole::Agent => {
            Some(WorkflowIteration { n: fact.subject.iteration.unwrap_or(1) }.into())
        }
        _ => None,
    };
    let mut second = follow.map(|event| Draft { event, source: None, ..fact.clone() });
    drafts.push(fact);
    drafts.extend(second.take());
}

fn touched(state: &State, lane: &LaneId, status: LaneStatus, text: String, source: Source) -> Vec<Draft> {
    let Some(ix) = state.index().lane(lane) else {
        return Vec::new();
    };
    let now = state.lanes[ix].status;
    let reason = match status {
        LaneStatus::Failed if !now.is_terminal() => None,
        LaneStatus::Merged if matches!(now, LaneStatus::PrCreated | LaneStatus::MergeReady) => None,
        LaneStatus::Failed | LaneStatus::Merged => Some(format!("the lane is {now}")),
        LaneStatus::PrCreated => Some("the forge does not know such a pull request".to_owned()),
        LaneStatus::Pending | LaneStatus::Active | LaneStatus::MergeReady | LaneStatus::Reset => Some(
            "this status is Laneway's to say; only `failed` and `merged` are taken from outside".to_owned(),
        ),
    };
    let subject = Subject::lane(lane);
    let event = match reason {
        None => Event::from(SignalObserved { signal: SignalKind::LaneStatus { status }, text }),
        Some(reason) => SignalRejected { name: source.path.clone(), reason }.into(),
    };
    vec![Draft { subject, actor: Actor::Person("status file".to_owned()), source: Some(source), event }]
}
