//! The step: inputs in, events out, state moved.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::agenda::{Agenda, Deadline, Item, Rank};
use super::{Input, observe, rules};
use crate::event::{
    ConflictCleared, ConflictPredicted, Control, ControlVerb, Draft, Effect, EffectId, EffectIntended,
    Envelope, Event, Now, Probed, SCHEMA, Subject, Timestamp,
};
use crate::plan::{Index, LaneIx, Plan, TaskIx};
use crate::state::{ApplyError, State};

/// Why the core could not go on. Always a defect of Laneway or a damaged journal, never of the work.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// An event does not fit the state.
    #[error("the run's state does not allow what the engine decided or the journal says")]
    Apply(#[from] ApplyError),
    /// The rules never come to rest.
    #[error("the rules did not come to rest after {events} events; last about {last}")]
    Restless {
        /// Events of this step.
        events: usize,
        /// The kind of the last.
        last: String,
    },
}

/// Events that one step may decide for each task and lane there is, before it counts as restless.
const MOST_EVENTS_EACH: usize = 64;

/// Plan, state and what has to be looked at: the whole of a run in memory.
#[derive(Debug)]
pub struct Core {
    pub(super) plan: Arc<Plan>,
    pub(super) index: Arc<Index>,
    pub(super) state: State,
    pub(super) agenda: Agenda,
    pub(super) now: Now,
    pub(super) live: usize,
    /// Since when, by [`Now::mono`], this orchestrator carries the run.
    pub(super) carried_since: u64,
    /// Lanes whose making failed last; whether they are to come back is asked of the state.
    pub(super) unmade: BTreeSet<LaneIx>,
    /// When a lane was taken away last, as far as this orchestrator knows. It may have made room.
    pub(super) removed: Option<Timestamp>,
    decided: Vec<Envelope>,
}

impl Core {
    /// A run before its first event.
    pub fn new(plan: Arc<Plan>) -> Self {
        let index = Arc::new(Index::new(&plan));
        let state = State::new(Arc::clone(&plan), Arc::clone(&index));
        Self {
            plan,
            index,
            state,
            agenda: Agenda::default(),
            now: Now::default(),
            live: 0,
            carried_since: 0,
            unmade: BTreeSet::new(),
            removed: None,
            decided: Vec::new(),
        }
    }

    /// A run that stands at `state`, with everything in it still to be looked at, as after a replay.
    pub fn at(state: State) -> Self {
        let mut core = Self::new(Arc::clone(state.plan()));
        core.state = state;
        core.recount();
        core
    }

    /// The same run in the same hands, nothing of which has been looked at yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { carried_since: self.carried_since, ..Self::at(self.state.clone()) }
    }

    /// Takes in an event of the journal. Decides nothing.
    pub fn replay(&mut self, envelope: &Envelope) -> Result<(), EngineError> {
        self.state.apply(envelope)?;
        Ok(())
    }

    /// Where the run stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What has to be done, or is being done, in the world.
    pub fn outstanding(&self) -> &std::collections::BTreeMap<EffectId, Effect> {
        &self.state.outstanding
    }

    /// Whether nothing is under way and nothing more can begin by itself.
    pub fn is_settled(&self) -> bool {
        let run = &self.state.run;
        let open = run.status == Some(crate::event::RunStatus::Running);
        let held = run.interrupts > 0 || !run.attempts_allowed;
        self.state.outstanding.is_empty() && self.live == 0 && (!open || held)
    }

    /// When to come back with [`Input::Tick`] if nothing else happens.
    pub fn next_deadline(&self) -> Deadline {
        self.agenda.next_deadline()
    }

    /// Takes in everything that was heard and returns what was decided. Nothing of it may be acted on or shown before
    /// it is durable.
    pub fn step(
        &mut self,
        now: Now,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<Vec<Envelope>, EngineError> {
        self.now = now;
        for input in inputs {
            if let Input::Control(Control { verb: ControlVerb::Attach { .. }, .. }) = &input {
                self.carried_since = now.mono;
            }
            for draft in observe::observe(&self.state, input) {
                self.commit(draft)?;
            }
        }
        self.agenda.wake(now);
        self.settle()?;
        Ok(std::mem::take(&mut self.decided))
    }

    fn settle(&mut self) -> Result<(), EngineError> {
        // What was observed is bounded elsewhere; only what the rules add to it tells whether they come to rest.
        let observed = self.decided.len();
        let most = observed + MOST_EVENTS_EACH * (self.plan.tasks.len() + self.plan.lanes.len() + 1);
        loop {
            while let Some(item) = self.agenda.pop() {
                match item {
                    Item::Task(task) => rules::task(self, task)?,
                    Item::Lane(lane) => rules::lane(self, lane)?,
                }
                if self.decided.len() > most {
                    let last = self.decided.last().map(|e| e.event.kind().to_owned()).unwrap_or_default();
                    return Err(EngineError::Restless { events: self.decided.len(), last });
                }
            }
            if std::mem::take(&mut self.agenda.schedule) {
                rules::schedule(self)?;
            } else if std::mem::take(&mut self.agenda.probe) {
                rules::probe(self)?;
            } else if std::mem::take(&mut self.agenda.run) {
                rules::run(self)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Seals a decision, moves the state and notes what to look at.
    pub(super) fn commit(&mut self, draft: Draft) -> Result<(), EngineError> {
        let envelope = Envelope {
            seq: self.state.seq + 1,
            at: self.now.wall,
            graph: self.plan.graph.clone(),
            run: self.plan.run,
            schema: SCHEMA,
            subject: draft.subject,
            actor: draft.actor,
            cause: None,
            source: draft.source,
            event: draft.event,
        };
        let before = self.live_of(&envelope);
        let touched = self.state.apply(&envelope)?;
        let after = self.live_of(&envelope);
        self.live = self.live + usize::from(after) - usize::from(before);
        self.agenda.touch(touched, &self.plan, &self.index);
        if let Some(lane) = touched.lane {
            match &envelope.event {
                Event::EffectFailed(_) => _ = self.unmade.insert(lane),
                Event::LaneRemoved(_) => self.removed = Some(self.now.wall),
                _ => {}
            }
        }
        if let (
            Event::PrOpened(_)
            | Event::PrUpdated(_)
            | Event::PrClosed(_)
            | Event::EffectFailed(_)
            | Event::EffectConfirmed(_)
            | Event::WorkflowTransition(_),
            Some(lane),
        ) = (&envelope.event, touched.lane)
        {
            // An upstream lane waits with its teardown until nothing is stacked on its branch.
            self.agenda.touch_lanes(self.state.lanes[lane].contains.keys().copied());
            // A nested lane waits with its merge until its parent's turn is free.
            self.agenda.touch_lanes(self.index.children[lane].iter().copied());
        }
        if let Event::ConflictPredicted(ConflictPredicted {
            probed: Some(Probed { lane: Some(other), .. }),
            ..
        })
        | Event::ConflictCleared(ConflictCleared { lane: Some(other), .. }) = &envelope.event
        {
            // The pull requests of both say so.
            self.agenda.touch_lanes(self.index.lane(other).into_iter());
        }
        self.agenda.probe |= rules::moves_lanes(&envelope);
        if let (Event::EffectFailed(_) | Event::EffectConfirmed(_), Some(lane)) =
            (&envelope.event, touched.lane)
        {
            // Nested lanes take turns in being merged into the one that holds them, with that one's own tasks.
            let beside = self.index.parent[lane].iter().flat_map(|&parent| &self.index.children[parent]);
            self.agenda.touch_lanes(beside.chain(&self.index.children[lane]).copied());
        }
        self.decided.push(envelope);
        Ok(())
    }

    /// Counts the places taken, from scratch; after a replay.
    pub fn recount(&mut self) {
        self.live = self.state.tasks.iter().filter(|t| t.is_live()).count();
        self.unmade = (0..self.state.lanes.len()).collect();
        let plan = Arc::clone(&self.plan);
        self.agenda.everything(&plan);
    }

    fn live_of(&self, envelope: &Envelope) -> bool {
        if !matches!(envelope.event, Event::WorkflowTransition(_)) {
            return false;
        }
        let task = envelope.subject.task.as_ref().and_then(|id| self.index.task(id));
        task.is_some_and(|t| self.state.tasks[t].is_live())
    }

    pub(super) fn decide(&mut self, subject: Subject, event: impl Into<Event>) -> Result<(), EngineError> {
        self.commit(Draft::engine(subject, event))
    }

    pub(super) fn intend(&mut self, subject: Subject, effect: Effect) -> Result<(), EngineError> {
        self.decide(subject, EffectIntended { id: effect.id(), effect })
    }

    pub(super) fn rank(&self, task: TaskIx) -> Rank {
        let plan = &self.plan.tasks[task];
        (std::cmp::Reverse(plan.priority), std::cmp::Reverse(plan.depth_below), task)
    }
}
