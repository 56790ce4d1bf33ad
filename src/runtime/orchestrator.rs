//! The loop.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::brief::Brief;
use super::context::Context;
use super::noticeboard::{self, Look, Projector, SETTLED};
use super::{Project, RuntimeError, clock, effects, store};
use crate::engine::{Core, Input, Report};
use crate::event::{
    Control, ControlVerb, Effect, EffectId, Envelope, Event, RunStatus, SignalKind, Subject,
    WorkflowTransition,
};
use crate::exec;
use crate::id::TaskId;
use crate::journal::{Journal, Mode, RunLock};
use crate::plan::Plan;
use crate::signal::{self, Notice, Settle, WatchKey, Watcher};
use crate::state::State;

/// How often everything is looked at although nothing was heard. Only the backstop; inotify and exits wake the loop.
const BACKSTOP: Duration = Duration::from_secs(60);

/// Everything that carrying a run needs.
pub struct Drive {
    /// The repository and its record.
    pub project: Project,
    /// The frozen plan.
    pub plan: Arc<Plan>,
    /// The right to carry the graph; held until the loop ends.
    pub lock: RunLock,
    /// Whether attempts may be started; without it the loop settles what is there and ends.
    pub attempts: bool,
    /// Whether to stay until every pull request is merged.
    pub wait_merged: bool,
    /// Who is told of every durable event.
    pub events: Option<mpsc::UnboundedSender<Vec<Envelope>>>,
    /// Interrupts of the user, as they come.
    pub interrupts: mpsc::UnboundedReceiver<()>,
    /// The environment that agents inherit from.
    pub environment: Vec<(OsString, OsString)>,
}

/// Ends the process as `kill -9` would, right after this many events are durable; for tests of recovery only.
const CRASH_AFTER: &str = "LANEWAY_TEST_CRASH_AFTER";

/// Carries a run until nothing is under way and nothing more begins by itself. Returns where it stands.
pub async fn drive(drive: Drive) -> Result<State, RuntimeError> {
    let Drive { project, plan, lock, attempts, wait_merged, events, interrupts, environment } = drive;
    let (sender, inputs) = mpsc::unbounded_channel();
    let (heard, notices) = mpsc::unbounded_channel();
    let context = Arc::new(Context::new(project, Arc::clone(&plan), environment, sender)?);
    if let Err(error) = exec::become_subreaper() {
        tracing::warn!(%error, "orphans of agents will not come to us");
    }
    if let Err(error) = exec::harden() {
        tracing::warn!(%error, "the orchestrator could not be made non-dumpable");
    }
    let crash_after = context.environment.iter().find(|(name, _)| name == CRASH_AFTER);
    let crash_after = crash_after.and_then(|(_, value)| value.to_str()?.parse().ok());
    let mut orchestrator = Orchestrator::boot(context, heard)?;
    orchestrator.crash_after = crash_after;
    orchestrator.events = events;
    let result = orchestrator.run(attempts, wait_merged, inputs, notices, interrupts).await;
    drop(lock);
    result
}

/// What a turn decided about an effect.
enum Turned {
    Intended(Effect),
    Answered(EffectId),
}

/// What `envelopes` decide about effects, in order.
fn turned(envelopes: &[Envelope]) -> Vec<Turned> {
    envelopes
        .iter()
        .filter_map(|envelope| match &envelope.event {
            Event::EffectIntended(event) => Some(Turned::Intended(event.effect.clone())),
            Event::EffectConfirmed(event) => Some(Turned::Answered(event.id.clone())),
            Event::EffectFailed(event) => Some(Turned::Answered(event.id.clone())),
            _ => None,
        })
        .collect()
}

struct Orchestrator {
    context: Arc<Context>,
    core: Core,
    journal: Journal,
    watcher: Option<Watcher>,
    projector: Projector,
    /// What is under way; of a process, the attempt whose signals are watched.
    in_flight: HashMap<EffectId, Option<(TaskId, u32)>>,
    tasks: JoinSet<()>,
    events: Option<mpsc::UnboundedSender<Vec<Envelope>>>,
    /// Requests whose files are moved once they are durable.
    taken: HashMap<String, OsString>,
    /// Attempts whose signals are watched.
    watched: BTreeSet<(TaskId, u32)>,
    /// Whether a file may still be being written, so that a look is due soon.
    unsettled: bool,
    waiting: Vec<Input>,
    crash_after: Option<u64>,
}

impl Orchestrator {
    /// Folds the journal and puts the noticeboard up. What was outstanding is started by the first reconcile.
    fn boot(context: Arc<Context>, heard: mpsc::UnboundedSender<Notice>) -> Result<Self, RuntimeError> {
        let plan = Arc::clone(&context.plan);
        let dir = context.project.record.run_dir(&plan.graph, plan.run);
        let (_, digest) = store::read_plan(&context.project, &plan.graph, plan.run)?;
        let (journal, replay) = Journal::open(&dir, Mode::Append)?;
        let mut core = Core::new(Arc::clone(&plan));
        let mut projector = Projector::default();
        for (position, line) in replay.lines.iter().enumerate() {
            let envelope = store::read_line(position, line)?;
            if position == 0 {
                store::check_digest(&context.project, &plan, Some(&envelope), &digest)?;
            }
            core.replay(&envelope)?;
            if is_lane_news(&envelope) {
                projector.remember(&plan, core.state());
            }
        }
        core.recount();
        let mut waiting = Vec::new();
        if core.state().seq == 0 {
            waiting.push(Input::Start { plan_digest: digest, version: env!("CARGO_PKG_VERSION").to_owned() });
        }
        if let Some(torn) = &replay.torn {
            waiting.push(Input::Loss { what: format!("{} bytes of an unfinished journal line", torn.bytes) });
        }
        let watcher = match Watcher::new(heard) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                waiting.push(Input::Loss {
                    what: format!("the noticeboard cannot be watched, only rescanned: {error}"),
                });
                None
            }
        };
        let mut booted = Self {
            context,
            core,
            journal,
            watcher,
            projector,
            in_flight: HashMap::new(),
            tasks: JoinSet::new(),
            events: None,
            taken: HashMap::new(),
            watched: BTreeSet::new(),
            unsettled: false,
            waiting,
            crash_after: None,
        };
        booted.put_up()?;
        Ok(booted)
    }

    async fn run(
        mut self,
        attempts: bool,
        wait_merged: bool,
        mut inputs: mpsc::UnboundedReceiver<Input>,
        mut notices: mpsc::UnboundedReceiver<Notice>,
        mut interrupts: mpsc::UnboundedReceiver<()>,
    ) -> Result<State, RuntimeError> {
        let mut batch = std::mem::take(&mut self.waiting);
        batch.push(attach(attempts));
        // What the board shows is ours first; then what people wrote on it is heard.
        self.commit(batch, true)?;
        let mut batch = self.rescan(Settle::Ended)?;
        let mut backstop = tokio::time::interval_at(tokio::time::Instant::now() + BACKSTOP, BACKSTOP);
        backstop.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hears_interrupts = true;
        loop {
            while let Ok(input) = inputs.try_recv() {
                batch.push(input);
            }
            if batch.is_empty() {
                if self.is_over(wait_merged) {
                    break;
                }
                tokio::select! {
                    Some(input) = inputs.recv() => batch.push(input),
                    Some(notice) = notices.recv() => batch.extend(self.hear(notice)?),
                    heard = interrupts.recv(), if hears_interrupts => match heard {
                        Some(()) => batch.push(interrupt()),
                        None => hears_interrupts = false,
                    },
                    () = until(self.core.next_deadline(), self.unsettled) => {
                        batch.push(Input::Tick);
                        if std::mem::take(&mut self.unsettled) {
                            batch.extend(self.rescan(live_now(&BTreeSet::new()))?);
                        }
                    }
                    _ = backstop.tick() => batch.extend(self.rescan(live_now(&BTreeSet::new()))?),
                    Some(ended) = self.tasks.join_next() => if let Err(broken) = ended {
                        return Err(RuntimeError::Broken { what: broken.to_string() });
                    },
                }
            }
            if !batch.is_empty() {
                self.commit(std::mem::take(&mut batch), false)?;
            }
        }
        // Requests that came in with the last batch have been moved; the run rests.
        Ok(self.core.state().clone())
    }

    fn is_over(&self, wait_merged: bool) -> bool {
        if !self.core.is_settled() || !self.tasks.is_empty() && !self.in_flight.is_empty() {
            return false;
        }
        let state = self.core.state();
        let open = wait_merged
            && state.run.interrupts == 0
            && matches!(state.run.status, Some(RunStatus::Completed | RunStatus::Blocked))
            && state.lanes.iter().any(|l| l.status == crate::event::LaneStatus::PrCreated);
        !open
    }

    /// One turn: decide, make durable, publish, reconcile.
    fn commit(&mut self, batch: Vec<Input>, resumed: bool) -> Result<(), RuntimeError> {
        let envelopes = self.core.step(clock::now(), batch)?;
        let mut effects = turned(&envelopes);
        if resumed {
            effects.extend(self.core.outstanding().values().cloned().map(Turned::Intended));
        }
        if !envelopes.is_empty() {
            let bodies = envelopes
                .iter()
                .map(Envelope::to_json)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|source| RuntimeError::Wire { line: 0, source })?;
            self.journal.append(&bodies)?;
            self.crash_if_asked();
            self.publish(envelopes)?;
        }
        self.reconcile(effects, resumed);
        Ok(())
    }

    fn crash_if_asked(&self) {
        if self.crash_after.is_some_and(|after| self.core.state().seq >= after) {
            std::process::abort();
        }
    }

    /// Shows what is durable: status files, the listener, answers, requests put aside.
    fn publish(&mut self, envelopes: Vec<Envelope>) -> Result<(), RuntimeError> {
        let mut lanes = BTreeSet::new();
        for envelope in &envelopes {
            if is_lane_news(envelope) {
                lanes.extend(envelope.subject.lane.as_ref().and_then(|l| self.core.state().index().lane(l)));
            }
            match &envelope.event {
                Event::WorkflowStart(_) => lanes.extend(0..self.context.plan.lanes.len()),
                Event::ControlReceived(event) => {
                    self.answer(&event.control);
                    self.put_aside(&event.control.id)?;
                }
                Event::ControlRejected(event) => self.put_aside(&event.request)?,
                Event::SignalObserved(crate::event::SignalObserved {
                    signal: SignalKind::Note { to },
                    ..
                }) => {
                    self.deliver(to);
                }
                Event::SignalObserved(crate::event::SignalObserved {
                    signal: SignalKind::LaneStatus { .. },
                    ..
                })
                | Event::SignalRejected(_) => self.judged(envelope, &mut lanes),
                _ => {}
            }
        }
        for lane in lanes {
            let touched =
                self.projector.show(&self.context.board, self.core.state(), lane, Look::IfChanged)?;
            for input in touched {
                _ = self.context.inputs.send(input);
            }
        }
        let state = self.core.state();
        if state.run.interrupts >= 2 || state.run.cancelled {
            self.context.halt.send_replace(true);
        }
        if let Some(events) = &self.events {
            // A listener that went away wants nothing more.
            _ = events.send(envelopes);
        }
        Ok(())
    }

    /// A status file whose event is durable may be replaced.
    fn judged(&mut self, envelope: &Envelope, lanes: &mut BTreeSet<usize>) {
        let (Some(lane), None, Some(source)) =
            (&envelope.subject.lane, &envelope.subject.task, &envelope.source)
        else {
            return;
        };
        self.projector.judge(lane, &source.digest);
        if let Some(ix) = self.core.state().index().lane(lane) {
            lanes.insert(ix);
            let shown =
                self.projector.show(&self.context.board, self.core.state(), ix, Look::At(Settle::Ended));
            if let Err(error) = shown {
                tracing::warn!(%error, "a status file could not be replaced");
            }
        }
    }

    fn put_aside(&mut self, request: &str) -> Result<(), RuntimeError> {
        if let Some(file) = self.taken.remove(request) {
            signal::take(&self.context.board, &file)?;
        }
        Ok(())
    }

    /// An answer goes to an agent that is still there at once.
    fn answer(&self, control: &Control) {
        let ControlVerb::Answer { task, text, .. } = &control.verb else {
            return;
        };
        let state = self.core.state();
        let Some(attempt) = state.index().task(task).and_then(|ix| state.tasks[ix].attempt()) else {
            return;
        };
        let name = effects::answer_file(attempt.ask.as_deref());
        let path = self.context.board.answers_dir(task, attempt.number).join(name);
        if let Err(error) = self.context.board.write_file(&path, text.as_bytes()) {
            tracing::warn!(%error, %task, "an answer could not be written");
        }
    }

    /// A note reaches an agent that is at work at once; one that comes later finds it in its inbox.
    fn deliver(&self, to: &TaskId) {
        let state = self.core.state();
        let Some(task) = state.index().task(to).map(|ix| &state.tasks[ix]) else { return };
        let Some(attempt) = task.attempt().filter(|_| task.is_live()) else { return };
        for note in &task.notes {
            let path = self.context.board.inbox_dir(to, attempt.number).join(effects::note_file(note));
            if let Err(error) = self.context.board.write_file(&path, note.text.as_bytes()) {
                tracing::warn!(%error, task = %to, "a note could not be delivered");
            }
        }
    }

    /// Starts what was intended and forgets what is over, in the order in which it was decided: an effect that failed
    /// and was intended again in one turn is one that ended and one that begins. Costs what changed, not what lives.
    fn reconcile(&mut self, effects: Vec<Turned>, resumed: bool) {
        while self.tasks.try_join_next().is_some() {}
        for turned in effects {
            match turned {
                Turned::Answered(id) => self.forget(&id),
                Turned::Intended(effect) => self.begin(effect, resumed),
            }
        }
    }

    fn begin(&mut self, effect: Effect, resumed: bool) {
        let id = effect.id();
        if self.in_flight.contains_key(&id) || !self.core.outstanding().contains_key(&id) {
            return;
        }
        let watched = match &effect {
            Effect::Attempt { task, attempt, .. } => {
                self.watch_attempt(task, *attempt);
                Some((task.clone(), *attempt))
            }
            _ => None,
        };
        let brief = Brief::new(self.core.state(), effect, resumed);
        self.tasks.spawn(effects::perform(Arc::clone(&self.context), brief));
        self.in_flight.insert(id, watched);
    }

    fn forget(&mut self, id: &EffectId) {
        let Some(Some((task, attempt))) = self.in_flight.remove(id) else {
            return;
        };
        let watched = self.watched.remove(&(task.clone(), attempt));
        if let Some(watcher) = self.watcher.as_mut().filter(|_| watched) {
            watcher.unwatch(&WatchKey::Signals { task, attempt });
        }
    }

    /// Directories first, then the watch, then a look: nothing falls between.
    fn watch_attempt(&mut self, task: &TaskId, attempt: u32) {
        let is_agent = matches!(self.context.task(task).work, crate::plan::Work::Agent { .. });
        if !is_agent || !self.watched.insert((task.clone(), attempt)) {
            return;
        }
        let made = self.context.board.put_up_attempt(task, attempt).map(drop);
        let Some(watcher) = &mut self.watcher else { return };
        let key = WatchKey::Signals { task: task.clone(), attempt };
        let dir = self.context.board.signals_dir(task, attempt);
        if let Err(error) = watcher.watch(&key, &dir) {
            tracing::warn!(%error, %task, "signals are only rescanned");
        }
        if let Err(error) = made {
            tracing::warn!(%error, %task, "the noticeboard could not be put up");
        }
    }

    /// Puts up what is missing of the noticeboard and watches it.
    fn put_up(&mut self) -> Result<(), RuntimeError> {
        let lanes: Vec<_> = self.context.plan.lanes.iter().map(|l| l.id.clone()).collect();
        let _created = self.context.board.put_up(&lanes)?;
        let Some(watcher) = &mut self.watcher else {
            return Ok(());
        };
        let board = &self.context.board;
        let mut dirs =
            vec![(WatchKey::Control, board.control_dir()), (WatchKey::Board, board.root().to_owned())];
        dirs.extend(lanes.into_iter().map(|l| (WatchKey::Lane(l.clone()), board.lane_dir(&l))));
        for (key, dir) in dirs {
            if let Err(error) = watcher.watch(&key, &dir) {
                tracing::warn!(%error, "part of the noticeboard is only rescanned");
            }
        }
        Ok(())
    }

    /// What a notice of the watcher is worth.
    fn hear(&mut self, notice: Notice) -> Result<Vec<Input>, RuntimeError> {
        match notice {
            Notice::Changed(changed) => {
                let key = changed.key().clone();
                let closed = changed.take();
                self.look(&key, live_now(&closed))
            }
            Notice::Gone { .. } => {
                self.put_up()?;
                for (task, attempt) in std::mem::take(&mut self.watched) {
                    self.watch_attempt(&task, attempt);
                }
                self.rescan(live_now(&BTreeSet::new()))
            }
            Notice::Overflow => {
                let mut inputs = self.rescan(live_now(&BTreeSet::new()))?;
                inputs.push(Input::Loss {
                    what: "the system dropped file events; everything was looked at again".to_owned(),
                });
                Ok(inputs)
            }
            Notice::Error { source } => {
                let mut inputs = self.rescan(live_now(&BTreeSet::new()))?;
                inputs.push(Input::Loss {
                    what: format!("watching failed: {source}; everything was looked at again"),
                });
                Ok(inputs)
            }
        }
    }

    fn look(&mut self, key: &WatchKey, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        match key {
            WatchKey::Board => Ok(Vec::new()),
            WatchKey::Control => self.requests(settle),
            WatchKey::Lane(lane) => {
                let Some(ix) = self.core.state().index().lane(lane) else {
                    return Ok(Vec::new());
                };
                Ok(self.projector.show(&self.context.board, self.core.state(), ix, Look::At(settle))?)
            }
            WatchKey::Signals { task, attempt } => self.signals(task, *attempt, settle),
        }
    }

    fn requests(&mut self, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        let found =
            noticeboard::requests(&self.context.board, &self.context.plan, self.core.state(), settle)?;
        Ok(found
            .into_iter()
            .filter_map(|(file, input)| {
                let id = match &input {
                    Input::Control(control) => control.id.clone(),
                    Input::BadControl { name, .. } => name.clone(),
                    _ => return None,
                };
                if self.core.state().handled.contains(&id) {
                    // Durable before a crash kept it from being put aside.
                    _ = signal::take(&self.context.board, &file);
                    return None;
                }
                self.taken.insert(id, file);
                Some(input)
            })
            .collect())
    }

    fn signals(
        &mut self,
        task: &TaskId,
        attempt: u32,
        settle: Settle<'_>,
    ) -> Result<Vec<Input>, RuntimeError> {
        let found = self.core.outstanding().iter().find_map(|(id, effect)| match effect {
            Effect::Attempt { task: t, attempt: a, iteration, .. } if t == task && *a == attempt => {
                Some((id.clone(), *iteration))
            }
            _ => None,
        });
        let Some((id, iteration)) = found else {
            return Ok(Vec::new());
        };
        let scan = noticeboard::scan_live(&self.context.board, task, attempt, settle)?;
        self.unsettled |= !scan.unsettled.is_empty();
        let lane = &self.context.task(task).lane;
        let subject = Subject { iteration: Some(iteration), ..Subject::attempt(lane, task, attempt) };
        let facts = noticeboard::facts(&subject, task, attempt, &scan);
        if facts.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(vec![Input::Report(Report { id, facts, end: None })])
        }
    }

    /// Looks at everything.
    fn rescan(&mut self, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        self.put_up()?;
        let mut inputs = self.requests(settle)?;
        for lane in 0..self.context.plan.lanes.len() {
            let board = &self.context.board;
            inputs.extend(self.projector.show(board, self.core.state(), lane, Look::At(settle))?);
        }
        let live_settle = match settle {
            Settle::Ended => live_now(&EMPTY),
            live @ Settle::Live { .. } => live,
        };
        for (task, attempt) in self.watched.clone() {
            inputs.extend(self.signals(&task, attempt, live_settle)?);
            let log = self.context.attempt_record(&task, attempt).join("agent.log");
            if let Err(error) = exec::trim_live(&log, &exec::LogLimit::default()) {
                tracing::debug!(%error, "a log could not be trimmed");
            }
        }
        if let Err(error) = exec::collect_orphans() {
            tracing::warn!(%error, "orphans could not be collected");
        }
        Ok(inputs)
    }
}

static EMPTY: BTreeSet<String> = BTreeSet::new();

fn live_now(closed: &BTreeSet<String>) -> Settle<'_> {
    Settle::Live { closed, now: SystemTime::now(), quiet: SETTLED }
}

fn is_lane_news(envelope: &Envelope) -> bool {
    match &envelope.event {
        Event::WorkflowTransition(WorkflowTransition { of, .. }) => *of == crate::event::Entity::Lane,
        Event::WorkflowStart(_) | Event::PrOpened(_) | Event::PrUpdated(_) => true,
        _ => false,
    }
}

fn request_of(verb: ControlVerb, what: &str) -> Input {
    let id = format!("{what}-{}", ulid::Ulid::generate().to_string().to_lowercase());
    Input::Control(Control { id, by: "laneway".to_owned(), verb })
}

fn attach(attempts: bool) -> Input {
    let verb = ControlVerb::Attach { pid: std::process::id(), boot_id: exec::boot_id(), attempts };
    request_of(verb, "attach")
}

fn interrupt() -> Input {
    request_of(ControlVerb::Interrupt, "interrupt")
}

/// Waits for the next deadline of the core, or for unsettled files to have settled.
async fn until(deadline: crate::engine::Deadline, unsettled: bool) {
    let now = clock::now();
    let wall = deadline.wall.map(|at| at.since(now.wall));
    let mono = deadline.mono.map(|at| at.saturating_sub(now.mono));
    let settle = unsettled.then(|| u64::try_from(SETTLED.as_millis()).unwrap_or(u64::MAX));
    match [wall, mono, settle].into_iter().flatten().min() {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}
