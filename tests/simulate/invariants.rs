//! What must hold after every event and whenever a run rests, said without the engine's own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use laneway::engine::Core;
use laneway::event::{
    AttemptStatus, CheckStatus, Effect, Envelope, Event, LaneStatus, Now, Place, RunStatus, TaskStatus,
};
use laneway::graph::{DiffPolicy, Handoff};
use laneway::id::Sha;
use laneway::plan::{Index, LaneIx, Plan, TaskIx};
use laneway::state::{State, Warmth};
use laneway::view;

use crate::world::World;

/// Something that must not be: what is broken, in a few words that the shrinker goes by, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) law: &'static str,
    pub(crate) how: String,
}

pub(crate) type Verdict = Result<(), Broken>;

pub(crate) fn broken(law: &'static str, how: impl Into<String>) -> Verdict {
    Err(Broken { law, how: how.into() })
}

fn hold(law: &'static str, holds: bool, how: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { broken(law, how()) }
}

/// What has been seen of a run, kept apart from its state.
pub(crate) struct Watch {
    plan: std::sync::Arc<Plan>,
    index: Rc<Index>,
    /// The tip that the gates of each lane passed on last.
    proven: Vec<Option<Sha>>,
    /// The tasks whose agents raised a design concern.
    concerns: Vec<BTreeSet<TaskIx>>,
    live: usize,
    live_in: Vec<usize>,
    /// The commit of each task's work that is in its lane.
    pub(crate) landed: Vec<Option<Sha>>,
    /// The status files as they are written, one event after the other.
    published: Vec<BTreeMap<LaneStatus, String>>,
    /// Whether everything is looked at, or only what is cheap.
    thorough: bool,
}

impl Watch {
    pub(crate) fn new(plan: &std::sync::Arc<Plan>, thorough: bool) -> Self {
        let lanes = plan.lanes.len();
        Self {
            plan: std::sync::Arc::clone(plan),
            index: Rc::new(Index::new(plan)),
            proven: vec![None; lanes],
            concerns: vec![BTreeSet::new(); lanes],
            live: 0,
            live_in: vec![0; lanes],
            landed: vec![None; plan.tasks.len()],
            published: vec![BTreeMap::new(); lanes],
            thorough,
        }
    }

    /// What must hold of an event where `state` stands before it.
    pub(crate) fn before(&mut self, state: &State, at: &Envelope, world: &World) -> Verdict {
        match &at.event {
            Event::EffectIntended(event) => {
                hold("an effect is under way once", !state.outstanding.contains_key(&event.id), || {
                    format!("{} is intended while it is outstanding", event.id)
                })?;
                self.intended(state, &event.effect, world)
            }
            Event::WorkflowTransition(event) => {
                let to = event.to.as_str();
                match event.of {
                    laneway::event::Entity::Attempt => self.attempt(state, at, to),
                    laneway::event::Entity::Lane => self.lane(state, at, to, world),
                    laneway::event::Entity::Run => Self::run(state, to),
                    laneway::event::Entity::Task if to == TaskStatus::Running.word() => {
                        self.task_of(at).map_or(Ok(()), |task| self.needs(state, task))
                    }
                    laneway::event::Entity::Task => Ok(()),
                }
            }
            Event::EffectConfirmed(event) => {
                if let Some(Effect::Prove { lane, tip }) = state.outstanding.get(&event.id)
                    && let Some(lane) = self.index.lane(lane)
                {
                    self.proven[lane] = Some(tip.clone());
                }
                Ok(())
            }
            Event::ConcernRecorded(event) if event.class == laneway::event::ConcernClass::Design => {
                if let (Some(lane), Some(task)) = (self.lane_of(at), self.task_of(at)) {
                    self.concerns[lane].insert(task);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What must hold of an event where `state` stands after it.
    pub(crate) fn after(&mut self, state: &State, at: &Envelope, was_live: bool) -> Verdict {
        if let Some(task) = self.task_of(at) {
            let is_live = state.tasks[task].is_live();
            let lane = self.index.lane_of[task];
            if is_live && !was_live {
                self.live += 1;
                self.live_in[lane] += 1;
            } else if was_live && !is_live {
                self.live -= 1;
                self.live_in[lane] -= 1;
            }
            self.places(state, task, is_live && !was_live)?;
            if state.tasks[task].status == TaskStatus::Reset {
                // What was undone is done anew, and is said of anew.
                self.landed[task] = None;
                self.concerns[lane].remove(&task);
            }
            if let Event::MergeRecorded(_) = &at.event {
                self.landed[task] = state.tasks[task].attempt().and_then(|a| a.collected.clone().flatten());
            }
        }
        let shown = match &at.event {
            Event::WorkflowTransition(event) => event.of == laneway::event::Entity::Lane,
            Event::PrOpened(_) | Event::PrUpdated(_) => true,
            _ => false,
        };
        if let Event::WorkflowStart(_) = &at.event {
            for lane in 0..self.published.len() {
                self.publish(state, lane);
            }
        } else if let Some(lane) = self.lane_of(at).filter(|_| shown) {
            self.publish(state, lane);
        }
        Ok(())
    }

    /// Status files are written for the lanes that an event is about, as the loop does it.
    fn publish(&mut self, state: &State, lane: LaneIx) {
        self.published[lane] = view::status_files(&state.lanes[lane], state.run.started_at);
    }

    fn lane_of(&self, at: &Envelope) -> Option<LaneIx> {
        self.index.lane(at.subject.lane.as_ref()?)
    }

    pub(crate) fn task_of(&self, at: &Envelope) -> Option<TaskIx> {
        self.index.task(at.subject.task.as_ref()?)
    }

    fn places(&self, state: &State, task: TaskIx, began: bool) -> Verdict {
        if !began {
            return Ok(());
        }
        let (lane, id) = (self.index.lane_of[task], &self.plan.tasks[task].id);
        let most = usize::try_from(self.plan.settings.max_parallel).unwrap_or(usize::MAX);
        hold("no more attempts than places", self.live <= most, || {
            format!("{} attempts run with the start of {id}; there are {most} places", self.live)
        })?;
        let most = usize::try_from(self.plan.lanes[lane].parallel).unwrap_or(usize::MAX);
        hold("no more attempts in a lane than it takes", self.live_in[lane] <= most, || {
            format!("{} attempts run in the lane of {id}; it takes {most}", self.live_in[lane])
        })?;
        let open = state.tasks[task].attempts.iter().filter(|a| !a.status.is_terminal()).count();
        hold("one attempt at a time per task", open == 1, || format!("{id} has {open} open attempts"))?;
        let scope = &self.index.scopes[task];
        if !self.thorough || !scope.is_declared() {
            return Ok(());
        }
        let clash = (0..state.tasks.len()).find(|&other| {
            other != task && state.tasks[other].is_live() && self.index.scopes[other].overlaps(scope)
        });
        hold("no two tasks write in one place at a time", clash.is_none(), || {
            format!("{id} and task {clash:?} run, and may write the same files")
        })
    }

    fn attempt(&self, state: &State, at: &Envelope, to: &str) -> Verdict {
        let Some(task) = self.task_of(at) else { return Ok(()) };
        if to == AttemptStatus::Queued.word() {
            let open = state.tasks[task].attempts.iter().any(|a| !a.status.is_terminal());
            let id = &self.plan.tasks[task].id;
            return hold("one attempt at a time per task", !open, || {
                format!("an attempt of {id} is chosen while another is not over")
            });
        }
        if to == AttemptStatus::Succeeded.word() {
            let against = state.tasks[task].attempt().and_then(|a| a.failed_checks().next());
            return hold("what succeeds has nothing against it", against.is_none(), || {
                format!("{} succeeds against {against:?}", self.plan.tasks[task].id)
            });
        }
        Ok(())
    }

    fn needs(&self, state: &State, task: TaskIx) -> Verdict {
        let lane = self.index.lane_of[task];
        for &need in &self.index.needs[task] {
            let (needed, up) = (&state.tasks[need], self.index.lane_of[need]);
            let judged = self.index.judged[task].contains(&need);
            if needed.set_aside || judged && needed.status.is_terminal() && !needed.status.is_success() {
                continue;
            }
            let status = state.lanes[up].status;
            let flows = if up == lane || self.index.is_within(lane, up) {
                true
            } else if self.index.is_within(up, lane) || self.plan.settings.handoff == Handoff::Merged {
                status == LaneStatus::Merged
            } else {
                matches!(status, LaneStatus::MergeReady | LaneStatus::PrCreated | LaneStatus::Merged)
            };
            hold("no task runs before its needs", needed.status.is_success() && flows, || {
                let (id, need) = (&self.plan.tasks[task].id, &self.plan.tasks[need].id);
                format!("{id} starts; {need} is {} in a lane that is {status}", needed.status)
            })?;
        }
        hold("no task runs against its condition", state.condition(task) != Some(false), || {
            format!("{} starts although its `when` does not hold", self.plan.tasks[task].id)
        })
    }

    fn intended(&self, state: &State, effect: &Effect, world: &World) -> Verdict {
        let lane = world.lane_of(effect).unwrap_or(0);
        if moves(effect) {
            let other = state.outstanding.values().find(|other| {
                moves(other) && (world.lane_of(other) == Some(lane) || self.takes(other, world) == Some(lane))
            });
            hold("one thing at a time is done to a lane", other.is_none(), || {
                format!("{} while {} is under way", effect.id(), other.map(Effect::id).expect("there is one"))
            })?;
        }
        match effect {
            Effect::Attempt { task, attempt, iteration, start, place } => {
                let ix = self.index.task(task).expect("effects name tasks of the plan");
                self.place(state, ix, *place, world)?;
                if self.thorough && (*attempt, *iteration) == (1, 1) {
                    return self.given(state, ix, start, world);
                }
                Ok(())
            }
            Effect::Warm { lane: id, .. } => {
                let known = &state.lanes[lane];
                let fresh = known.status == LaneStatus::Pending && known.tip.is_none();
                hold("only lanes that have not begun are warmed", fresh, || format!("{id} is warmed"))?;
                let idle = |l: &&laneway::state::Lane| matches!(l.warmth, Warmth::Warming | Warmth::Warm);
                let (idle, most) = (state.lanes.iter().filter(idle).count(), self.plan.settings.warm);
                hold("no more lanes are warm than may be", (idle as u64) < u64::from(most), || {
                    format!("{id} is warmed; {idle} are, of {most} that may be")
                })
            }
            Effect::MergePr { lane: id, tip, request, .. } => {
                self.merges(state, lane, tip, request.is_none(), id.as_str())
            }
            _ => Ok(()),
        }
    }

    /// The lane that an effect on another moves too.
    fn takes(&self, effect: &Effect, world: &World) -> Option<LaneIx> {
        let moved = matches!(effect, Effect::MergePr { .. } | Effect::CheckMerged { .. });
        world.lane_of(effect).filter(|_| moved).and_then(|lane| self.index.parent[lane])
    }

    fn place(&self, state: &State, task: TaskIx, place: Place, world: &World) -> Verdict {
        let reads = |t: TaskIx| self.plan.tasks[t].diff == DiffPolicy::None;
        let lane = self.index.lane_of[task];
        let other = state.live_tasks(lane).find(|&t| {
            let there = state.tasks[t].attempt().is_some_and(|a| a.place == Place::Lane && a.iteration > 0);
            t != task && there && !(reads(t) && reads(task))
        });
        hold("two do not work in one worktree", place != Place::Lane || other.is_none(), || {
            let id = |t: TaskIx| self.plan.tasks[t].id.clone();
            format!("{} begins in the worktree of {:?} at {}", id(task), other.map(id), world.elapsed())
        })
    }

    /// The commit that a task starts from has the work that it needs.
    fn given(&self, state: &State, task: TaskIx, start: &Sha, world: &World) -> Verdict {
        let history = &world.repo.history;
        for &need in &self.index.needs[task] {
            let needed = &state.tasks[need];
            let Some(work) = self.landed[need]
                .as_ref()
                .filter(|_| needed.status == TaskStatus::Merged && !needed.set_aside)
            else {
                continue;
            };
            let missing = history.missing(work, start);
            hold("a task starts with the work that it needs", missing.is_empty(), || {
                let (id, need) = (&self.plan.tasks[task].id, &self.plan.tasks[need].id);
                format!("{id} starts without the work of {need}")
            })?;
        }
        Ok(())
    }

    fn merges(&self, state: &State, lane: LaneIx, tip: &Sha, automatic: bool, id: &str) -> Verdict {
        let known = &state.lanes[lane];
        let shown =
            known.pr.as_ref().is_some_and(|pr| pr.tip == *tip && pr.base == self.plan.lanes[lane].target);
        hold("what is merged is what is shown", shown, || {
            format!("lane {id} is merged at {tip:?}, and its pull request is {:?}", known.pr)
        })?;
        let over = self.index.tasks_of[lane].iter().all(|&t| state.tasks[t].is_over());
        hold("no lane merges before its tasks are over", over, || format!("lane {id} is merged"))?;
        if !automatic {
            return Ok(());
        }
        hold("no lane merges without its checks", self.proven[lane].as_ref() == Some(tip), || {
            format!("lane {id} is merged at {tip:?}, proven was {:?}", self.proven[lane])
        })?;
        let against = known.checks.iter().find(|check| check.status == CheckStatus::Fail);
        hold("no lane merges without its checks", against.is_none(), || format!("lane {id}: {against:?}"))?;
        hold("no lane merges itself over a concern", self.concerns[lane].is_empty(), || format!("lane {id}"))
    }

    fn lane(&self, state: &State, at: &Envelope, to: &str, world: &World) -> Verdict {
        let Some(lane) = self.lane_of(at) else { return Ok(()) };
        let (known, id) = (&state.lanes[lane], &self.plan.lanes[lane].id);
        if to == LaneStatus::MergeReady.word() {
            let over = self.index.tasks_of[lane].iter().all(|&t| state.tasks[t].is_over());
            let children = self.index.children[lane].iter();
            let whole = over
                && children
                    .into_iter()
                    .all(|&c| state.lanes[c].status == LaneStatus::Merged || state.goes_on_without(c));
            return hold("a lane is ready when all of it is in", whole, || format!("lane {id}"));
        }
        if to != LaneStatus::Merged.word() || !self.thorough {
            return Ok(());
        }
        let Some(tip) = &known.tip else { return Ok(()) };
        let history = &world.repo.history;
        let missing = history.missing(tip, &world.target(lane));
        hold("merged means that the content is there", missing.is_empty(), || {
            format!("lane {id} is merged, and its target lacks {missing:?}")
        })
    }

    fn run(state: &State, to: &str) -> Verdict {
        if to == RunStatus::Running.word() {
            return Ok(());
        }
        let live = state.tasks.iter().filter(|t| t.is_live()).count();
        let rests = state.outstanding.is_empty() && live == 0;
        hold("a run rests when nothing goes on", rests, || {
            format!("the run is {to}; outstanding: {:?}; live: {live}", state.outstanding.keys())
        })
    }

    /// What must hold whenever nothing goes on: the files say what the state says.
    pub(crate) fn at_rest(&self, state: &State) -> Verdict {
        let whole = view::lane_files(&self.plan, state);
        for (lane, plan) in self.plan.lanes.iter().enumerate() {
            let none = BTreeMap::new();
            let files = whole.get(&plan.id).unwrap_or(&none);
            hold("status files equal state at rest", *files == self.published[lane], || {
                format!("lane {}: {:?} on disk, {files:?} by the state", plan.id, self.published[lane])
            })?;
            let (newest, status) = (files.keys().next_back(), state.lanes[lane].status);
            hold("status files equal state at rest", newest == Some(&status), || {
                format!("lane {} is {status}; its newest file is {newest:?}", plan.id)
            })?;
            let warmth = state.lanes[lane].warmth;
            hold(
                "no worktree waits for a lane that has ended",
                !status.is_terminal() || warmth == Warmth::Cold,
                || {
                    format!(
                        "lane {} is {status}, and its worktree was made ahead of time: {warmth:?}",
                        plan.id
                    )
                },
            )?;
        }
        Ok(())
    }
}

/// Whether an effect moves a lane, its worktree or its pull request.
fn moves(effect: &Effect) -> bool {
    !matches!(
        effect,
        Effect::Attempt { .. }
            | Effect::Stop { .. }
            | Effect::Collect { .. }
            | Effect::Examine { .. }
            | Effect::Probe { .. }
    )
}

/// Looking at everything anew decides nothing that the step has not decided.
pub(crate) fn nothing_was_missed(core: &Core, now: Now) -> Verdict {
    let mut fresh = core.anew();
    match fresh.step(now, []) {
        Ok(missed) if missed.is_empty() => Ok(()),
        Ok(missed) => {
            let events: Vec<_> =
                missed.iter().take(3).map(|e| format!("{:?} {:?}", e.subject, e.event)).collect();
            broken("a step misses nothing", format!("a fresh look decides {}", events.join("; ")))
        }
        Err(error) => broken("every transition is legal", chain(&error)),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
