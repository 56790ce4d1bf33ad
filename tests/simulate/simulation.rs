//! One simulated run: the core between a journal and a world, through crashes, to a good end.

use std::collections::VecDeque;
use std::sync::Arc;

use laneway::engine::{Core, Input};
use laneway::event::{
    AttemptStatus, Control, ControlVerb, Envelope, Event, LaneStatus, RunStatus, TaskStatus, Timestamp,
};
use laneway::id::{LaneId, TaskId};
use laneway::plan::{Index, Plan};
use laneway::state::{Revert, State};

use crate::invariants::{Broken, Verdict, Watch, broken, chain, nothing_was_missed};
use crate::scenario::{Deed, Scenario};
use crate::world::{Happening, World};

/// How closely a run is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Steps after which a run counts as one that never ends.
    pub(crate) most_steps: u64,
    /// Steps between two comparisons of the whole state.
    pub(crate) stride: u64,
    /// Whether contents of commits are followed and every event goes through its wire form.
    pub(crate) thorough: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { most_steps: 6000, stride: 1, thorough: true }
    }
}

/// How a simulated run went.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) steps: u64,
    pub(crate) events: u64,
    pub(crate) crashes: u64,
    /// Virtual milliseconds.
    pub(crate) elapsed: u64,
    /// Bytes of the journal's events.
    pub(crate) bytes: u64,
    pub(crate) wrong: Option<Wrong>,
}

/// What went wrong, with what came before it.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) broken: Broken,
    pub(crate) step: u64,
    pub(crate) last: Vec<String>,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Scenario, look: Look) -> Ended {
    match scenario.plan() {
        Ok(plan) => run_plan(&plan, scenario, look),
        Err(why) => {
            let broken = Broken { law: "a graph has a plan", how: why };
            let wrong = Wrong { broken, step: 0, last: Vec::new() };
            Ended { wrong: Some(wrong), ..Ended::default() }
        }
    }
}

pub(crate) fn run_plan(plan: &Arc<Plan>, scenario: &Scenario, look: Look) -> Ended {
    let mut simulation = Simulation::new(plan, scenario, look);
    let outcome = simulation.play();
    let wrong = outcome.err().map(|broken| Wrong {
        broken,
        step: simulation.steps,
        last: simulation.last.into_iter().collect(),
    });
    Ended {
        steps: simulation.steps,
        events: simulation.events,
        crashes: simulation.crashed,
        elapsed: simulation.world.elapsed(),
        bytes: simulation.bytes,
        wrong,
    }
}

/// Events that a report shows at most.
const SHOWN: usize = 400;

pub(crate) struct Simulation<'a> {
    scenario: &'a Scenario,
    look: Look,
    plan: Arc<Plan>,
    pub(crate) core: Core,
    pub(crate) world: World,
    watch: Watch,
    /// The journal as it would be folded by another: every event, through its wire form.
    shadow: State,
    pub(crate) people: VecDeque<Deed>,
    pub(crate) steps: u64,
    events: u64,
    bytes: u64,
    crashed: u64,
    pub(crate) requests: u64,
    last: VecDeque<String>,
    last_at: Timestamp,
}

impl<'a> Simulation<'a> {
    fn new(plan: &Arc<Plan>, scenario: &'a Scenario, look: Look) -> Self {
        let index = Arc::new(Index::new(plan));
        let mut people = scenario.people.clone();
        people.sort_by_key(|deed| deed.after);
        Self {
            scenario,
            look,
            plan: Arc::clone(plan),
            core: Core::new(Arc::clone(plan)),
            world: World::new(plan, scenario.seed, &scenario.faults, look.thorough),
            watch: Watch::new(plan, look.thorough),
            shadow: State::new(Arc::clone(plan), index),
            people: people.into(),
            steps: 0,
            events: 0,
            bytes: 0,
            crashed: 0,
            requests: 0,
            last: VecDeque::new(),
            last_at: Timestamp::default(),
        }
    }

    fn play(&mut self) -> Verdict {
        self.boot(true)?;
        loop {
            self.until_rest()?;
            if let Some(deed) = self.people.pop_front() {
                // Nobody carries a run that rests: whoever asks something takes it up.
                let key = format!("up/{}", self.steps);
                if self.world.chance.hits(&key, 500) {
                    let attempts = self.world.chance.hits(&format!("{key}/attempts"), 650);
                    self.world.bury(false);
                    self.boot(attempts)?;
                }
                self.act(&deed);
                continue;
            }
            break;
        }
        self.come_to_a_good_end()
    }

    /// With nothing going wrong any more and people who answer, everything gets done.
    fn come_to_a_good_end(&mut self) -> Verdict {
        self.world.calm = true;
        self.world.take_pushes_back(self.core.state());
        for _ in 0..(12 + 4 * self.plan.lanes.len()) {
            if self.is_done() {
                return self.nothing_was_lost();
            }
            self.world.bury(false);
            self.boot(true)?;
            self.until_rest()?;
            if self.is_done() {
                return self.nothing_was_lost();
            }
            self.request(ControlVerb::Resume);
            self.ask_about_tasks();
            self.until_rest()?;
            self.ask_about_lanes();
            self.until_rest()?;
        }
        let state = self.core.state();
        let tasks: Vec<String> =
            self.plan.tasks.iter().zip(&state.tasks).map(|(p, t)| format!("{} {}", p.id, t.status)).collect();
        let lanes: Vec<String> = self
            .plan
            .lanes
            .iter()
            .zip(&state.lanes)
            .map(|(p, l)| format!("{} {} ({})", p.id, l.status, l.reason.as_deref().unwrap_or("-")))
            .collect();
        broken(
            "all gets done when people help",
            format!("run {:?}; {}; {}", state.run.status, lanes.join(", "), tasks.join(", ")),
        )
    }

    fn is_done(&self) -> bool {
        let state = self.core.state();
        state.run.status == Some(RunStatus::Completed)
            && state.lanes.iter().enumerate().all(|(ix, lane)| {
                // One that the lane around it was merged without stays where it is.
                lane.status == LaneStatus::Merged || state.is_closed(ix) && state.goes_on_without(ix)
            })
    }

    fn ask_about_tasks(&mut self) {
        let waits: Vec<TaskId> = self
            .plan
            .tasks
            .iter()
            .zip(&self.core.state().tasks)
            .filter(|(_, task)| task.attempt().is_some_and(|a| a.status == AttemptStatus::Waiting))
            .map(|(plan, _)| plan.id.clone())
            .collect();
        for task in waits {
            self.request(ControlVerb::Answer { task, ask: None, text: "yes".to_owned() });
        }
        self.request(ControlVerb::Retry { tasks: Vec::new() });
        let tasks = self.plan.tasks.iter().zip(&self.core.state().tasks);
        let undone = tasks.filter(|(_, task)| task.status == TaskStatus::Reset);
        let tasks: Vec<TaskId> = undone.map(|(plan, _)| plan.id.clone()).collect();
        if !tasks.is_empty() {
            self.request(ControlVerb::Retry { tasks });
        }
    }

    fn ask_about_lanes(&mut self) {
        let open: Vec<LaneId> = self
            .plan
            .lanes
            .iter()
            .zip(&self.core.state().lanes)
            .filter(|(_, lane)| lane.status == LaneStatus::PrCreated)
            .map(|(plan, _)| plan.id.clone())
            .collect();
        for lane in open {
            self.request(ControlVerb::Merge { lane, sha: None });
        }
        let lanes = self.plan.lanes.iter().zip(&self.core.state().lanes);
        let reverting = lanes.filter(|(_, lane)| lane.revert.as_ref().is_some_and(Revert::is_open));
        for lane in reverting.map(|(plan, _)| plan.id.clone()).collect::<Vec<_>>() {
            let merge = self.world.chance.hits(&format!("reverts/{lane}"), 500);
            self.request(ControlVerb::Revert { lane, merge });
        }
    }

    /// What is merged is in the target, whatever has happened on the way.
    fn nothing_was_lost(&self) -> Verdict {
        let history = &self.world.repo.history;
        if !history.tracks() {
            return Ok(());
        }
        let main = &self.world.repo.main;
        for (task, work) in self.watch.landed.iter().enumerate() {
            let state = &self.core.state().tasks[task];
            // What a person chose to go on without stays where it is, landed or not.
            let counts = state.status.is_success() && !state.set_aside;
            let Some(work) = work.as_ref().filter(|_| counts) else { continue };
            let lost = history.missing(work, main);
            if !lost.is_empty() {
                let id = &self.plan.tasks[task].id;
                return broken("nothing that landed is lost", format!("the target lacks {lost:?} of {id}"));
            }
        }
        match self.world.lost_of_others(self.core.state()) {
            Some(work) => broken("nothing that landed is lost", format!("the target lacks {work} of others")),
            None => Ok(()),
        }
    }

    /// An orchestrator begins: what is there is folded, and whatever is outstanding begun again.
    fn boot(&mut self, attempts: bool) -> Verdict {
        self.core = Core::at(self.shadow.clone());
        let life = self.world.life;
        let attach = ControlVerb::Attach { pid: life, boot_id: self.world.boot_id(), attempts };
        let mut inputs = Vec::new();
        if self.shadow.seq == 0 {
            inputs.push(Input::Start { plan_digest: "d".to_owned(), version: "0".to_owned() });
        }
        let id = format!("attach-{life}-{}", self.steps);
        inputs.push(Input::Control(Control { id, by: "laneway".to_owned(), verb: attach }));
        self.turn(inputs, true)
    }

    fn until_rest(&mut self) -> Verdict {
        loop {
            self.deeds();
            let settled = self.core.is_settled() && self.world.is_quiet();
            let heard =
                if settled { None } else { self.world.wait(self.core.next_deadline(), self.core.state()) };
            let Some(first) = heard else { return self.rests() };
            let mut inputs = vec![first];
            while self.world.chance.hits(&format!("batch/{}/{}", self.steps, inputs.len()), 400) {
                match self.world.also(self.core.state()) {
                    Some(more) => inputs.push(more),
                    None => break,
                }
            }
            self.turn(inputs, false)?;
        }
    }

    fn rests(&mut self) -> Verdict {
        // A run that a person has paused is held until somebody lets it go on.
        if !self.core.is_settled() && !self.core.state().run.paused {
            let state = self.core.state();
            return broken(
                "nothing waits for ever",
                format!("run {:?}, outstanding {:?}", state.run.status, state.outstanding.keys()),
            );
        }
        nothing_was_missed(&self.core, self.world.now())?;
        self.watch.at_rest(self.core.state())
    }

    /// One turn of the loop: decide, make durable, look, begin.
    fn turn(&mut self, inputs: Vec<Input>, resumed: bool) -> Verdict {
        self.steps += 1;
        if self.steps > self.look.most_steps {
            let state = self.core.state();
            return broken(
                "a run comes to rest",
                format!("after {} steps: outstanding {:?}", self.steps, state.outstanding.keys()),
            );
        }
        let asked: Vec<Control> = inputs.iter().filter_map(request).cloned().collect();
        let mut events = match self.core.step(self.world.now(), inputs) {
            Ok(events) => events,
            Err(error) => return broken("every transition is legal", chain(&error)),
        };
        let crash = self.scenario.crashes.iter().find(|c| c.after == self.steps && !self.world.calm).cloned();
        if let Some(crash) = &crash {
            events.truncate(crash.written);
        }
        for event in &events {
            self.record(event)?;
        }
        if let Some(crash) = crash {
            self.crashed += 1;
            self.world.bury(crash.reboot);
            for control in asked {
                if !self.shadow.handled.contains(&control.id) {
                    self.world.later(1, Happening::Request(Box::new(control)));
                }
            }
            return self.boot(true);
        }
        if let Some(wrong) = self.world.wrongs.pop() {
            return broken("the world is not harmed", wrong);
        }
        if self.steps.is_multiple_of(self.look.stride) {
            if self.shadow != *self.core.state() {
                return broken("fold equals incremental", difference(&self.shadow, self.core.state()));
            }
            nothing_was_missed(&self.core, self.world.now())?;
        }
        self.reconcile(&events, resumed);
        Ok(())
    }

    /// Writes an event, reads it back, folds it, and looks at it.
    fn record(&mut self, event: &Envelope) -> Verdict {
        self.events += 1;
        if self.look.thorough {
            let line =
                event.to_json().map_err(|e| Broken { law: "events are written", how: e.to_string() })?;
            self.bytes += line.len() as u64;
            match Envelope::from_json(&line) {
                Ok(read) if read == *event => {}
                other => return broken("events read back", format!("{line} reads as {other:?}")),
            }
            if self.last.len() == SHOWN {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
        let is_older = event.at < self.last_at;
        self.last_at = event.at;
        if is_older {
            return broken("no event is older than the one before it", format!("event {}", event.seq));
        }
        let verdict = self.watch.before(&self.shadow, event, &self.world);
        let was_live = self.watch.task_of(event).is_some_and(|task| self.shadow.tasks[task].is_live());
        if let Err(error) = self.shadow.apply(event) {
            return broken("every transition is legal", chain(&error));
        }
        if let Some(lane) = event.subject.lane.as_ref().and_then(|lane| self.world.index.lane(lane)) {
            for moved in [Some(lane), self.world.index.parent[lane]].into_iter().flatten() {
                self.world.heard(moved, self.shadow.lanes[moved].tip.as_ref());
            }
        }
        verdict?;
        self.watch.after(&self.shadow, event, was_live)
    }

    fn reconcile(&mut self, events: &[Envelope], resumed: bool) {
        for event in events {
            match &event.event {
                Event::EffectIntended(event) => {
                    self.world.begin(event.effect.clone(), false, self.core.state());
                }
                Event::EffectConfirmed(event) => self.world.forget(&event.id),
                Event::EffectFailed(event) => self.world.forget(&event.id),
                _ => {}
            }
        }
        if resumed {
            for effect in self.core.state().outstanding.values().cloned().collect::<Vec<_>>() {
                self.world.begin(effect, true, self.core.state());
            }
        }
    }
}

/// The request of a person among the inputs.
fn request(input: &Input) -> Option<&Control> {
    match input {
        Input::Control(control) if !matches!(control.verb, ControlVerb::Attach { .. }) => Some(control),
        _ => None,
    }
}

fn difference(folded: &State, stepped: &State) -> String {
    let lane = (0..folded.lanes.len()).find(|&ix| folded.lanes[ix] != stepped.lanes[ix]);
    let task = (0..folded.tasks.len()).find(|&ix| folded.tasks[ix] != stepped.tasks[ix]);
    format!("event {} and {}: they differ in lane {lane:?}, task {task:?}", folded.seq, stepped.seq)
}
