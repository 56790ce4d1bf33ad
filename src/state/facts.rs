//! What facts leave in the state: everything but transitions, effects and requests.

use super::apply::{ApplyError, Touched};
use super::lane::name;
use super::{
    Attempt, Check, Concern, Conflict, Kept, Outside, Process, PullRequest, ReviewNote, State, Unresolved,
    Warmth,
};
use crate::event::{
    CHECK_HEAD, CHECK_MERGEABLE, CHECK_ORIGIN, CheckStatus, Effect, Envelope, Event, LandedPart, LaneStatus,
    SignalKind, SignalObserved,
};
use crate::plan::LaneIx;

impl State {
    pub(super) fn run_fact(&mut self, at: &Envelope, event: &Event) -> Touched {
        match event {
            Event::WorkflowStart(_) => {
                self.run.status = Some(crate::event::RunStatus::Running);
                self.run.started_at = Some(at.at);
                Touched { all: true, ..Touched::default() }
            }
            Event::LossRecorded(event) => {
                self.run.losses.push(event.what.clone());
                Touched::default()
            }
            _ => Touched::default(),
        }
    }

    /// A note is the other task's to keep, whether that has begun or not.
    fn pass_on(&mut self, at: &Envelope, event: &Event) {
        let Event::SignalObserved(SignalObserved { signal: SignalKind::Note { to }, text }) = event else {
            return;
        };
        let (Some(to), Some(from)) = (self.index.task(to), at.subject.task.clone()) else { return };
        let name = at.source.as_ref().and_then(|s| s.path.rsplit('/').next()).unwrap_or("note").to_owned();
        self.tasks[to].notes.push(super::Note { from, name, text: text.clone() });
    }

    pub(super) fn attempt_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let task_ix = self.task_of(at)?;
        let lane_ix = self.index.lane_of[task_ix];
        let number = at.subject.attempt.unwrap_or(0);
        self.pass_on(at, event);
        let task = &mut self.tasks[task_ix];
        let attempt = task.attempt_mut(number).ok_or(ApplyError::NoAttempt { seq: at.seq, number })?;
        let lane = &mut self.lanes[lane_ix];
        match event {
            Event::SignalObserved(event) => signal(attempt, at, event),
            Event::SignalRejected(event) => {
                mark_seen(attempt, at);
                *attempt.taken.entry(super::REJECTED).or_default() += 1;
                attempt.rejected.push((event.name.clone(), event.reason.clone()));
            }
            Event::ProcessStarted(event) if event.role.does_the_work() => {
                attempt.quiet = None;
                attempt.process =
                    Some(Process { id: event.process.clone(), mono: event.mono, at: at.at, exit: None });
            }
            Event::ProcessExited(event) if event.role.does_the_work() => {
                if let Some(process) = &mut attempt.process {
                    process.exit = Some(event.exit);
                }
            }
            Event::LivenessRecorded(event) => attempt.quiet = quiet(attempt, event.evidence),
            Event::UsageRecorded(event) => used(attempt, at, event),
            Event::CheckRecorded(event) => record(&mut attempt.checks, event),
            Event::TaskPrOpened(event) => task.pr = Some(shown(event)),
            Event::TaskPrMerged(event) => {
                if let Some(pr) = task.pr.as_mut().filter(|pr| pr.at == event.pr) {
                    pr.merged = Some(event.commit.clone());
                }
            }
            Event::TaskPrClosed(event) => {
                if let Some(pr) = task.pr.as_mut().filter(|pr| pr.at == event.pr) {
                    pr.closed_by = Some(name(&at.actor).to_owned());
                }
            }
            Event::WorkCollected(event) => attempt.collected = Some(event.commit.clone()),
            Event::OutputsRecorded(event) => attempt.outputs = event.outputs.clone(),
            Event::DiffRecorded(event) => attempt.diff = Some(event.stat),
            Event::MergeRecorded(event) => {
                lane.tip = Some(event.to.clone());
                attempt.landed = true;
                let (from, commit) = (event.from.clone(), event.to.clone());
                attempt.landing = Some(super::Landing { from, commit, seq: at.seq });
                if let Some(gate) = &self.plan.tasks[task_ix].gate {
                    lane.gated.push((event.tree.clone(), gate.command.to_string()));
                    if lane.gated.len() > 8 {
                        lane.gated.remove(0);
                    }
                }
                if let Some(resolved) = attempt.resolves.clone() {
                    lane.unresolved = None;
                    lane.step = None;
                    self.take_in(lane_ix, resolved.brings, &resolved.lands);
                }
            }
            Event::ConflictPredicted(event) => {
                attempt.conflict = Some(Conflict::from(event));
            }
            Event::ConcernRecorded(event) => {
                let concern = Concern::new(event.class, at.subject.task.clone(), event.text.clone());
                if !lane.concerns.contains(&concern) {
                    lane.concerns.push(concern);
                }
            }
            Event::CustodyKept(event) => keep(lane, event),
            Event::SummaryRecorded(event) => task.summary = Some(event.text.clone()),
            Event::HumanTaskOpened(event) => attempt.question = Some(event.question.clone()),
            Event::HumanTaskResolved(_) => {
                attempt.question = None;
                if attempt.refusal().is_some() {
                    // It goes on with the step that was refused; nobody's words are for its agent.
                    attempt.step = None;
                    attempt.answer = None;
                }
            }
            _ => {}
        }
        Ok(self.touched_task(task_ix))
    }

    /// A lane has the content of these upstream lanes now, and the landings of those that came with them.
    fn take_in(&mut self, lane: LaneIx, brings: Vec<(LaneIx, crate::id::Sha)>, lands: &[LaneIx]) {
        self.lanes[lane].behind = false;
        // Where more has come to origin meanwhile, the next push finds it.
        self.lanes[lane].checks.retain(|check| check.name != CHECK_ORIGIN);
        self.lanes[lane].landed.extend(lands);
        for (up, tip) in brings {
            self.lanes[lane].stale.remove(&up);
            self.lanes[lane].contains.insert(up, tip);
        }
    }

    pub(super) fn lane_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let lane_ix = self.lane_of(at)?;
        let index = std::sync::Arc::clone(&self.index);
        let lane = &mut self.lanes[lane_ix];
        let mut landings = 0;
        if let Event::PrMerged(event) = event {
            lane.was_shown(event.head.as_ref());
            landings = lane.landings().len();
        }
        match event {
            Event::LaneProvisioned(event) => {
                if let Some(parent) = index.parent[lane_ix] {
                    lane.contains.entry(parent).or_insert_with(|| event.tip.clone());
                }
                lane.worktree = Some(event.worktree.clone());
                lane.warmth = Warmth::Cold;
                lane.tip = Some(event.tip.clone());
                lane.ports.clone_from(&event.ports);
                lane.remarks.extend(event.remark.clone());
            }
            Event::LaneSynced(event) => {
                lane.tip = Some(event.tip.clone());
                let known =
                    |(lane, tip): &(crate::id::LaneId, _)| Some((index.lane(lane)?, Clone::clone(tip)));
                let brings = event.upstream.iter().filter_map(known).collect();
                let lands = lands(lane, &index);
                self.take_in(lane_ix, brings, &lands);
            }
            Event::ConflictPredicted(event) => match &event.probed {
                Some(probed) => self.predict(lane_ix, event, probed),
                None => unresolved(lane, &index, event),
            },
            Event::ConflictCleared(event) => self.clear(lane_ix, event),
            Event::ControlRejected(event) => lane.requests.retain(|r| r.id != event.request),
            Event::LaneRemoved(event) => {
                lane.worktree = None;
                lane.warmth = Warmth::Cold;
                lane.remarks.extend(event.remarks.iter().cloned());
            }
            Event::PrOpened(crate::event::PrOpened { pr, tip, base, draft })
            | Event::PrUpdated(crate::event::PrUpdated { pr, tip, base, draft }) => {
                // One that was closed and is shown again was opened again.
                let known = lane.pr.as_ref().filter(|known| known.at == *pr);
                let (merged, merged_by) =
                    known.map(|k| (k.merged.clone(), k.merged_by.clone())).unwrap_or_default();
                if known.is_some_and(|k| k.closed_by.is_some()) && lane.status == LaneStatus::Failed {
                    // What it failed of is gone, unless its work failed too.
                    let tasks = &self.index.tasks_of[lane_ix];
                    lane.retry_wanted |= tasks.iter().all(|&t| self.tasks[t].status.is_success());
                }
                let mut earlier = known.map(|known| known.earlier.clone()).unwrap_or_default();
                if let Some(moved) = known.filter(|known| known.tip != *tip) {
                    earlier.insert(moved.tip.clone());
                    // Whoever had moved it before: it was just moved from where the run knew it to be.
                    lane.checks.retain(|check| check.name != CHECK_HEAD);
                }
                earlier.remove(tip);
                lane.pr = Some(PullRequest {
                    at: pr.clone(),
                    tip: tip.clone(),
                    earlier,
                    base: base.clone(),
                    draft: *draft,
                    merged,
                    merged_by,
                    closed_by: None,
                    merged_head: None,
                });
            }
            Event::PrMerged(event) if merged_elsewhere(lane, &self.plan.lanes[lane_ix].target) => {
                if let Some(pr) = &mut lane.pr {
                    pr.closed_by = Some(format!("{}, who merged it into `{}` instead", event.by, pr.base));
                }
            }
            // A nested lane is merged by Laneway alone, exactly as it stands, unless it is merged on GitHub.
            Event::PrMerged(event)
                if (index.parent[lane_ix].is_none() || self.plan.settings.github.is_some())
                    && lane.shows_a_part() =>
            {
                // It may be told twice, by who looked and by who was told.
                lane.parts.retain(|part| part.landed != event.commit);
                let (number, head) = match lane.pr.take() {
                    Some(pr) => (pr.at.number, pr.tip),
                    None => (0, event.commit.clone()),
                };
                lane.parts.push(LandedPart { landed: event.commit.clone(), head });
                let what = "the rest of the lane goes into another";
                lane.remarks
                    .push(format!("pull request #{number} was merged by {} as it stood; {what}", event.by));
                lane.has_landed(landings);
            }
            Event::PrMerged(event) => {
                lane.parts.retain(|part| part.landed != event.commit);
                lane.merged_seq = Some(at.seq);
                if let Some(pr) = &mut lane.pr {
                    pr.merged = Some(event.commit.clone());
                    pr.merged_by = Some(event.by.clone());
                    // The local forge alone says what it merged; what GitHub did need not be here.
                    pr.merged_head = event.head.clone().filter(|_| self.plan.settings.github.is_none());
                }
                lane.has_landed(landings);
                // GitHub has merged it on origin; the parent's own branch takes it in by a sync.
                let moved = self.plan.settings.github.is_none();
                if let (Some(parent), Some(tip)) = (index.parent[lane_ix].filter(|_| moved), lane.tip.clone())
                {
                    self.lanes[parent].tip = Some(event.commit.clone());
                    self.lanes[parent].contains.insert(lane_ix, tip);
                }
            }
            Event::PrClosed(event) => {
                if let Some(pr) = &mut lane.pr {
                    pr.closed_by = Some(event.by.clone());
                }
            }
            Event::CheckRecorded(event) => {
                lane.behind |= event.name == CHECK_MERGEABLE && event.status == CheckStatus::Fail;
                record(&mut lane.checks, event);
            }
            Event::CustodyKept(event) => keep(lane, event),
            Event::LaneUndone(event) => self.undone(lane_ix, event),
            Event::UndoRefused(event) => {
                self.undo_refused(&event.request, &event.reason, lane_ix);
                return Ok(Touched { all: true, ..Touched::default() });
            }
            Event::RevertOpened(event) => {
                lane.revert = Some(super::Revert::opened(event, lane.taking_back()));
            }
            Event::RevertMerged(event) => lane.taken_out(&event.commit),
            Event::RevertClosed(event) => {
                if let Some(revert) = &mut lane.revert {
                    revert.closed_by = Some(event.by.clone());
                }
                if let Some(undo) = &lane.undo {
                    // What it stands on goes no more than it does.
                    let request = undo.request.clone();
                    let number = lane.revert.as_ref().map_or(0, |revert| revert.at.number);
                    let reason =
                        format!("pull request #{number}, which takes it back, was closed by {}", event.by);
                    self.undo_refused(&request, &reason, lane_ix);
                }
                return Ok(Touched { all: true, ..Touched::default() });
            }
            Event::ReviewObserved(event) => lane.reviews.push(ReviewNote {
                act: event.act,
                by: event.by.clone(),
                text: event.text.clone(),
                tip: event.tip.clone(),
                id: event.id,
            }),
            Event::ReviewDismissed(event) => {
                lane.reviews.retain(|note| !note.is(event));
            }
            Event::SignalObserved(SignalObserved { signal: SignalKind::LaneStatus { status }, text }) => {
                match status {
                    LaneStatus::Failed => {
                        let why = if text.trim().is_empty() { "said to have failed" } else { text.trim() };
                        lane.outside = Some(Outside::Failed(format!(
                            "{why} (status file written by {})",
                            name(&at.actor)
                        )));
                    }
                    LaneStatus::Merged => lane.outside = Some(Outside::Merged),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(Touched::lane(lane_ix))
    }
}

/// Whether what is merged on the forge went into another branch than the lane's target, as a stacked pull request can.
fn merged_elsewhere(lane: &super::Lane, target: &str) -> bool {
    let by_the_forge = !matches!(lane.step.as_ref().map(|s| &s.effect), Some(Effect::CheckMerged { .. }));
    by_the_forge && lane.pr.as_ref().is_some_and(|pr| pr.base != *target)
}

/// The lanes whose landing, not only their work, the sync under way brings.
fn lands(lane: &super::Lane, index: &crate::plan::Index) -> Vec<LaneIx> {
    let Some(Effect::Sync { from, .. }) = lane.step.as_ref().map(|s| &s.effect) else { return Vec::new() };
    let landed = from.iter().filter(|source| !matches!(source, crate::event::SyncSource::Lane { .. }));
    landed.flat_map(crate::event::SyncSource::lanes).filter_map(|(lane, _)| index.lane(&lane)).collect()
}

/// Upstream work that does not merge: what the sync under way was to bring, and where it stands with its conflicts marked.
fn unresolved(lane: &mut super::Lane, index: &crate::plan::Index, event: &crate::event::ConflictPredicted) {
    let (Some(marked), Some(Effect::Sync { tip, from, .. })) =
        (&event.marked, lane.step.as_ref().map(|s| &s.effect))
    else {
        return;
    };
    let conflict = Conflict::from(event);
    if let Some(known) = &mut lane.unresolved {
        known.marked = marked.clone();
        known.conflict.with = format!("{} and {}", known.conflict.with, conflict.with);
        known.conflict.paths.extend(conflict.paths);
        known.conflict.more += conflict.more;
        known.conflict.detail.push_str(&conflict.detail);
        return;
    }
    let brings = from.iter().flat_map(crate::event::SyncSource::lanes);
    let brings = brings.filter_map(|(lane, tip)| Some((index.lane(&lane)?, tip))).collect();
    let (tip, marked) = (tip.clone(), marked.clone());
    let lands = lands(lane, index);
    lane.unresolved = Some(Unresolved { tip, brings, lands, marked, conflict });
}

/// A task's own pull request that is open.
fn shown(event: &crate::event::TaskPrOpened) -> PullRequest {
    PullRequest {
        at: event.pr.clone(),
        tip: event.tip.clone(),
        base: event.base.clone(),
        draft: false,
        earlier: std::collections::BTreeSet::new(),
        merged: None,
        merged_by: None,
        closed_by: None,
        merged_head: None,
    }
}

/// What was kept once more after a crash lies under the same ref.
fn keep(lane: &mut super::Lane, event: &crate::event::CustodyKept) {
    let kept = Kept { reference: event.reference.clone(), reason: event.reason.clone() };
    if !lane.kept.contains(&kept) {
        lane.kept.push(kept);
    }
}

fn mark_seen(attempt: &mut Attempt, at: &Envelope) {
    if let Some(source) = &at.source {
        attempt.seen.insert((source.path.clone(), source.digest.clone()));
    }
}

/// Any sign of life ends its being quiet.
fn quiet(attempt: &Attempt, evidence: crate::event::Evidence) -> Option<super::Quiet> {
    let before = attempt.quiet.map_or(0, |quiet| quiet.times);
    (evidence.quiet_ms() > 0).then_some(super::Quiet { evidence, times: before + 1 })
}

fn signal(attempt: &mut Attempt, at: &Envelope, event: &SignalObserved) {
    mark_seen(attempt, at);
    attempt.quiet = None;
    *attempt.taken.entry(event.signal.word()).or_default() += 1;
    let said = Some((at.at, event.text.clone()));
    match &event.signal {
        SignalKind::Done => attempt.claims.done = said,
        SignalKind::Failed => attempt.claims.failed = said,
        SignalKind::Blocked => attempt.claims.blocked = said,
        SignalKind::Progress => attempt.progress = Some(event.text.clone()),
        SignalKind::Ask { id } => {
            attempt.question = Some(event.text.clone());
            attempt.ask = Some(id.clone());
        }
        _ => {}
    }
}

fn used(attempt: &mut Attempt, at: &Envelope, event: &crate::event::UsageRecorded) {
    let usage = super::Usage {
        input_tokens: event.input_tokens.unwrap_or(0),
        cached_tokens: event.cached_tokens.unwrap_or(0),
        output_tokens: event.output_tokens.unwrap_or(0),
        cost_micros: event.cost_micros.unwrap_or(0),
    };
    // What was read once more after a crash counts once.
    if let Some(round) = event.review {
        attempt.review_usage.insert(round, usage);
        return;
    }
    if let Some(session) = &event.session {
        attempt.session = Some((session.clone(), attempt.place));
    }
    attempt.usage.insert(at.subject.iteration.unwrap_or(attempt.iteration), usage);
}

/// The newest word on a check counts.
fn record(checks: &mut Vec<Check>, event: &crate::event::CheckRecorded) {
    checks.retain(|c| c.name != event.name);
    checks.push(Check {
        name: event.name.clone(),
        status: event.status,
        detail: event.detail.clone(),
        duration_ms: event.duration_ms,
    });
}
