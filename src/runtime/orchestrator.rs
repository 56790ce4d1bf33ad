//! The loop.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::brief::Brief;
use super::context::{Context, Live};
use super::listen::live_now;
use super::liveness::Liveness;
use super::noticeboard::{Projector, SETTLED};
use super::poller::{self, Watched};
use super::publish::is_lane_news;
use super::{Project, RuntimeError, clock, effects, forge, store};
use crate::engine::{Core, Input};
use crate::event::{Control, ControlVerb, Effect, EffectId, Envelope, Event, RunStatus, Timestamp};
use crate::exec;
use crate::failpoint::{self, Point};
use crate::id::TaskId;
use crate::journal::{Journal, Mode, RunLock};
use crate::plan::Plan;
use crate::signal::{Notice, Settle, WatchKey, Watcher};
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

/// How often everything is looked at, in milliseconds; for tests of what is seen then only.
const BACKSTOP_MS: &str = "LANEWAY_TEST_BACKSTOP_MS";

/// Carries a run until nothing is under way and nothing more begins by itself. Returns where it stands.
pub async fn drive(drive: Drive) -> Result<State, RuntimeError> {
    let Drive { project, plan, lock, attempts, wait_merged, events, interrupts, environment } = drive;
    project.ensure_home(&plan)?;
    let (sender, inputs) = mpsc::unbounded_channel();
    let (heard, notices) = mpsc::unbounded_channel();
    let github = forge::github(&project, &plan, &environment).await?;
    let context = Arc::new(Context::new(project, Arc::clone(&plan), environment, github, sender)?);
    if let Err(error) = exec::become_subreaper() {
        tracing::warn!(%error, "orphans of agents will not come to us");
    }
    if let Err(error) = exec::harden() {
        tracing::warn!(%error, "the orchestrator could not be made non-dumpable");
    }
    let number = |wanted: &str| -> Option<u64> {
        let found = context.environment.iter().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| value.to_str()?.parse().ok())
    };
    let (crash_after, backstop) = (number(CRASH_AFTER), number(BACKSTOP_MS));
    let mut orchestrator = Orchestrator::boot(context, heard)?;
    orchestrator.crash_after = crash_after;
    orchestrator.backstop = backstop.map_or(BACKSTOP, Duration::from_millis);
    orchestrator.ask_the_forge();
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

pub(super) struct Orchestrator {
    pub(super) context: Arc<Context>,
    pub(super) core: Core,
    pub(super) journal: Journal,
    pub(super) watcher: Option<Watcher>,
    pub(super) projector: Projector,
    /// What is under way; of a process, the attempt whose signals are watched.
    pub(super) in_flight: HashMap<EffectId, Option<(TaskId, u32)>>,
    pub(super) tasks: JoinSet<()>,
    pub(super) events: Option<mpsc::UnboundedSender<Vec<Envelope>>>,
    /// Requests whose files are moved once they are durable.
    pub(super) taken: HashMap<String, OsString>,
    /// Attempts whose signals are watched.
    pub(super) watched: BTreeSet<(TaskId, u32)>,
    /// Whether a file may still be being written, so that a look is due soon.
    pub(super) unsettled: bool,
    /// What stands in the way on the noticeboard, so far as that was told.
    pub(super) in_the_way: BTreeSet<PathBuf>,
    pub(super) waiting: Vec<Input>,
    /// What the last lane needs that there is no room for, until it is clear whether anything else goes on.
    pub(super) short: Option<String>,
    pub(super) crash_after: Option<u64>,
    /// How often everything is looked at.
    pub(super) backstop: Duration,
    pub(super) liveness: Arc<Mutex<Liveness>>,
    /// The lanes that wait for news of the forge, for who asks it.
    pub(super) awaited: Option<watch::Sender<Vec<Watched>>>,
    /// Whether the forge's first word is still to come.
    pub(super) unasked: bool,
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
        let mut last = Timestamp::default();
        for (position, line) in replay.lines.iter().enumerate() {
            let envelope = store::read_line(position, line)?;
            if position == 0 {
                store::check_digest(&context.project, &plan, Some(&envelope), &digest)?;
            }
            core.replay(&envelope)?;
            last = envelope.at;
            if is_lane_news(&envelope) {
                match envelope.subject.lane.as_ref().and_then(|l| core.state().index().lane(l)) {
                    Some(lane) => projector.remember(core.state(), lane),
                    None => (0..plan.lanes.len()).for_each(|lane| projector.remember(core.state(), lane)),
                }
            }
        }
        core.recount();
        context.claims.set_places(core.state());
        for (lane, state) in plan.lanes.iter().zip(&core.state().lanes) {
            context.set_ports(&lane.id, state.ports.clone());
        }
        clock::go_on_from(last);
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
            in_the_way: BTreeSet::new(),
            waiting,
            short: None,
            crash_after: None,
            backstop: BACKSTOP,
            liveness: Arc::default(),
            awaited: None,
            unasked: false,
        };
        booted.put_up_first()?;
        Ok(booted)
    }

    /// Starts who asks GitHub for news, and waits for its first word where anything is awaited.
    fn ask_the_forge(&mut self) {
        let Some(github) = self.context.github.clone() else { return };
        let awaited = poller::watched(self.core.state());
        self.unasked = !awaited.is_empty();
        let (sender, lanes) = watch::channel(awaited);
        self.awaited = Some(sender);
        // It ends with the channel, and with the process.
        tokio::spawn(poller::poll(github, lanes, self.context.inputs.clone()));
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
        let mut backstop =
            tokio::time::interval_at(tokio::time::Instant::now() + self.backstop, self.backstop);
        backstop.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hears_interrupts = true;
        let mut full = self.context.full.subscribe();
        let mut wanting = self.context.wanting.subscribe();
        loop {
            while let Ok(input) = inputs.try_recv() {
                batch.push(input);
            }
            if batch.is_empty() {
                batch.extend(self.answer_wanting());
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
                    _ = backstop.tick() => {
                        self.look_for_life();
                        batch.extend(self.rescan(live_now(&BTreeSet::new()))?);
                    }
                    // The sender lives in the context, which this holds.
                    _ = full.changed() => {}
                    _ = wanting.changed() => {}
                    Some(ended) = self.tasks.join_next() => if let Err(broken) = ended {
                        return Err(RuntimeError::Broken { what: broken.to_string() });
                    },
                }
            }
            if !batch.is_empty() {
                self.commit(std::mem::take(&mut batch), false)?;
            }
            self.stop_without_room()?;
        }
        if self.core.state().outstanding.is_empty() {
            self.context.project.repo.let_all_go();
        }
        // Requests that came in with the last batch have been moved; the run rests.
        Ok(self.core.state().clone())
    }

    fn is_over(&self, wait_merged: bool) -> bool {
        let unheard = self.unasked && self.core.state().run.interrupts == 0;
        if unheard || !self.core.is_settled() || !self.tasks.is_empty() && !self.in_flight.is_empty() {
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
        self.unasked &= !batch.iter().any(|input| matches!(input, Input::News { .. }));
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
            failpoint::pass(Point::Published);
            if let Some(awaited) = &self.awaited {
                let now = poller::watched(self.core.state());
                awaited.send_if_modified(|known| (*known != now).then(|| *known = now).is_some());
            }
        }
        self.reconcile(effects, resumed);
        Ok(())
    }

    fn crash_if_asked(&self) {
        if self.crash_after.is_some_and(|after| self.core.state().seq >= after) {
            std::process::abort();
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
                // Before anything else can run: a stop that comes first has to find it.
                self.context.live().insert((task.clone(), *attempt), Live::Preparing);
                Some((task.clone(), *attempt))
            }
            Effect::Examine { task, attempt, .. } => {
                self.context.live().insert((task.clone(), *attempt), Live::Preparing);
                None
            }
            _ => None,
        };
        let brief = Box::new(Brief::new(self.core.state(), effect, resumed));
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
