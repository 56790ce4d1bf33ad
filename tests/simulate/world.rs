//! The outside of the engine: a clock, processes, a repository and a forge, none of which is real. It lives on when the
//! orchestrator dies, and what it said to one that is dead reaches nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use laneway::engine::{Deadline, Input, Report};
use laneway::event::{Control, Draft, Effect, EffectId, Failure, FailureKind, Now, Timestamp};
use laneway::id::Sha;
use laneway::plan::{Index, LaneIx, Plan, TaskIx};
use laneway::state::State;

use crate::chance::Chance;
use crate::history::{History, root};
use crate::processes::{Process, ProcessKey};
use crate::pulls::Pull;
use crate::scenario::Fault;
use crate::undoing::Reverting;

/// What has been found and how it ended; how effects answer.
pub(crate) type Done = (Vec<Draft>, Result<(), Failure>);

/// What an effect knows of the state that it was begun in.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) effect: Effect,
    /// Begun by an orchestrator that has not intended it.
    pub(crate) resumed: bool,
    /// How often it has been begun.
    pub(crate) tries: u32,
    /// Where its lane stood.
    pub(crate) tip: Option<Sha>,
    /// The process of the attempt that it is about, and where that began.
    pub(crate) iteration: u32,
    pub(crate) from: Option<Sha>,
    pub(crate) process: Option<laneway::state::Process>,
    /// Pull requests of its lane before the one that counts, and what the lane has taken in.
    pub(crate) rounds: u32,
    pub(crate) held: BTreeMap<LaneIx, Sha>,
    /// Whether its lane's pull request is known to be merged.
    pub(crate) is_merged: bool,
    /// The attempts that are reset, or are to be.
    pub(crate) undone: BTreeSet<(TaskIx, u32)>,
}

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// An effect does what it does, if its orchestrator still lives.
    Act { life: u32, begun: Box<Begun> },
    /// The orchestrator hears something, if it still lives.
    Hear { life: u32, input: Box<Input> },
    /// A request lies on the noticeboard, for whoever lives.
    Request(Box<Control>),
    /// A process ends by itself.
    Exit(ProcessKey),
    /// The forge is looked at.
    Look { life: u32 },
}

/// Whose a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An attempt's.
    Attempt(TaskIx, u32),
    /// That of others, who put it on the lane's branch on origin.
    Person(LaneIx),
}

/// The repository.
pub(crate) struct Repo {
    pub(crate) history: History,
    /// The branch that everything goes to.
    pub(crate) main: Sha,
    /// The integration branches.
    pub(crate) lanes: Vec<Option<Sha>>,
    /// The same on origin, where they are shared.
    pub(crate) origin: Vec<Option<Sha>>,
    /// Whose each piece of work is.
    pub(crate) owners: Vec<Owner>,
    /// Where the lanes have stood as the journal tells it.
    heard: HashSet<(LaneIx, Sha)>,
}

pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) index: Index,
    pub(crate) chance: Chance,
    faults: BTreeMap<Fault, u32>,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// Milliseconds since the beginning.
    now: u64,
    booted: u64,
    pub(crate) life: u32,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    in_flight: HashSet<EffectId>,
    tries: HashMap<EffectId, u32>,
    pub(crate) processes: BTreeMap<ProcessKey, Process>,
    /// Attempts whose processes are to end as soon as there are any.
    pub(crate) halted: BTreeSet<(TaskIx, u32)>,
    pub(crate) collected: HashMap<ProcessKey, Option<Sha>>,
    pub(crate) repo: Repo,
    pub(crate) pulls: Vec<Option<Pull>>,
    pub(crate) reverts: Vec<Option<Reverting>>,
    /// By how much the wall clock is ahead of the time that has passed.
    skew: i64,
    /// What the world saw that must not happen.
    pub(crate) wrongs: Vec<String>,
}

/// The moment at which a simulated run begins.
const EPOCH: i64 = 1_700_000_000_000;

impl World {
    pub(crate) fn new(plan: &Arc<Plan>, seed: u64, faults: &BTreeMap<Fault, u32>, tracks: bool) -> Self {
        Self {
            plan: Arc::clone(plan),
            index: Index::new(plan),
            chance: Chance(seed),
            faults: faults.clone(),
            calm: false,
            now: 0,
            booted: 0,
            life: 0,
            queue: BTreeMap::new(),
            order: 0,
            in_flight: HashSet::new(),
            tries: HashMap::new(),
            processes: BTreeMap::new(),
            halted: BTreeSet::new(),
            collected: HashMap::new(),
            repo: Repo {
                history: History::new(tracks),
                main: root(),
                lanes: vec![None; plan.lanes.len()],
                origin: vec![None; plan.lanes.len()],
                owners: Vec::new(),
                heard: HashSet::new(),
            },
            pulls: plan.lanes.iter().map(|_| None).collect(),
            reverts: plan.lanes.iter().map(|_| None).collect(),
            skew: 0,
            wrongs: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let passed = i64::try_from(self.now).unwrap_or(i64::MAX);
        let wall = EPOCH.saturating_add(passed).saturating_add(self.skew);
        Now { wall: Timestamp(wall), mono: self.now - self.booted }
    }

    /// Somebody sets the clock while nobody carries the run. An orchestrator goes on from the last event at least, as the
    /// program does.
    fn set_clock(&mut self, last: Timestamp) {
        let key = format!("{}", self.life);
        if self.fails(Fault::Clock, &key) {
            let hours = self.chance.within(&format!("clock/{key}"), 0, 4);
            let step = i64::try_from(hours * 3_600_000).unwrap_or(0) - 2 * 3_600_000;
            self.skew += step - 1;
        }
        let behind = last.since(self.now().wall);
        self.skew += i64::try_from(behind).unwrap_or(0);
    }

    /// Virtual milliseconds so far.
    pub(crate) fn elapsed(&self) -> u64 {
        self.now
    }

    pub(crate) fn boot_id(&self) -> String {
        format!("boot-{}", self.booted)
    }

    /// Whether a thing goes wrong here.
    pub(crate) fn fails(&self, fault: Fault, key: &str) -> bool {
        let permille = self.faults.get(&fault).copied().unwrap_or(0);
        !self.calm && self.chance.hits(&format!("{fault:?}/{key}"), permille)
    }

    pub(crate) fn later(&mut self, delay: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), happening);
    }

    pub(crate) fn tell(&mut self, delay: u64, input: Input) {
        self.later(delay, Happening::Hear { life: self.life, input: Box::new(input) });
    }

    pub(crate) fn delay(&self, key: &str) -> u64 {
        self.chance.within(&format!("delay/{key}"), 1, 900)
    }

    /// Whether something is going to happen by itself.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
    }

    /// The orchestrator has died; what is begun from now on is another's.
    pub(crate) fn bury(&mut self, reboot: bool) {
        self.life += 1;
        self.in_flight.clear();
        self.halted.clear();
        self.queue.retain(|_, happening| matches!(happening, Happening::Exit(_) | Happening::Request(_)));
        let last = self.now().wall;
        self.now += self.chance.within(&format!("down/{}", self.life), 10, 40_000);
        self.set_clock(last);
        if reboot {
            self.booted = self.now;
            self.processes.values_mut().for_each(Process::die);
            self.queue.retain(|_, happening| matches!(happening, Happening::Request(_)));
        }
        let life = self.life;
        if self.is_hub() {
            self.later(5, Happening::Look { life });
        }
    }

    /// Lets time pass until the orchestrator hears something; `None` when nothing is going to happen any more.
    pub(crate) fn wait(&mut self, deadline: Deadline, state: &State) -> Option<Input> {
        loop {
            let wall = deadline.wall.map(|at| self.now + at.since(self.now().wall));
            let mono = deadline.mono.map(|at| at + self.booted);
            let due = [wall, mono].into_iter().flatten().min();
            let next = self.queue.first_key_value().map(|(&(at, _), _)| at);
            match (next, due) {
                (None, None) => return None,
                (Some(at), due) if due.is_none_or(|due| at <= due) => {
                    let (_, happening) = self.queue.pop_first()?;
                    self.now = self.now.max(at);
                    if let Some(input) = self.happen(happening, state) {
                        return Some(input);
                    }
                }
                (_, Some(due)) => {
                    self.now = self.now.max(due);
                    return Some(Input::Tick);
                }
                (Some(_), None) => unreachable!("without a deadline the next happening is taken"),
            }
        }
    }

    /// What else the orchestrator hears in the same moment.
    pub(crate) fn also(&mut self, state: &State) -> Option<Input> {
        let (&(at, _), _) = self.queue.first_key_value()?;
        if at > self.now + 20 {
            return None;
        }
        let (_, happening) = self.queue.pop_first()?;
        self.now = self.now.max(at);
        self.happen(happening, state)
    }

    fn happen(&mut self, happening: Happening, state: &State) -> Option<Input> {
        match happening {
            Happening::Hear { life, input } => (life == self.life).then_some(*input),
            Happening::Request(control) => Some(Input::Control(*control)),
            Happening::Exit(key) => {
                self.exit(key);
                None
            }
            Happening::Act { life, begun } => {
                if life == self.life {
                    self.act(&begun);
                }
                None
            }
            Happening::Look { life } => (life == self.life).then(|| self.news(state)),
        }
    }

    /// Begins an effect, unless it is under way.
    pub(crate) fn begin(&mut self, effect: Effect, resumed: bool, state: &State) {
        let id = effect.id();
        if !state.outstanding.contains_key(&id) || !self.in_flight.insert(id.clone()) {
            return;
        }
        let tries = self.tries.entry(id.clone()).or_default();
        *tries += 1;
        let begun = Begun { resumed, tries: *tries, ..self.known(effect, state) };
        let delay = self.delay(&format!("{id}/{}", begun.tries));
        if matches!(begun.effect, Effect::Attempt { .. }) {
            return self.begin_attempt(begun, delay);
        }
        if let Effect::Examine { task, attempt, .. } = &begun.effect
            && let Some(task) = self.index.task(task)
        {
            self.halted.remove(&(task, *attempt));
        }
        self.later(delay, Happening::Act { life: self.life, begun: Box::new(begun) });
    }

    fn known(&self, effect: Effect, state: &State) -> Begun {
        let attempt = match &effect {
            Effect::Attempt { task, attempt, .. }
            | Effect::Collect { task, attempt }
            | Effect::Examine { task, attempt, .. }
            | Effect::Land { task, attempt, .. } => {
                let task = self.index.task(task);
                let position = usize::try_from(*attempt).unwrap_or(0).saturating_sub(1);
                task.and_then(|task| Some((task, state.tasks[task].attempts.get(position)?)))
            }
            _ => None,
        };
        let lane = attempt.map(|(task, _)| self.index.lane_of[task]).or_else(|| self.lane_of(&effect));
        let undoes = matches!(effect, Effect::Undo { .. });
        let attempts = state.tasks.iter().enumerate().filter(|_| undoes).flat_map(|(task, of)| {
            let gone = of.attempts.iter().filter(|a| a.undone || of.reset_wanted.is_some());
            gone.map(move |attempt| (task, attempt.number))
        });
        let undone = attempts.collect();
        Begun {
            effect,
            resumed: false,
            tries: 0,
            tip: lane.and_then(|lane| state.lanes[lane].tip.clone()),
            iteration: attempt.map_or(0, |(_, attempt)| attempt.iteration),
            from: attempt.and_then(|(_, a)| a.from.clone().or_else(|| a.start.clone())),
            process: attempt.and_then(|(_, attempt)| attempt.process.clone()),
            rounds: lane.map_or(0, |lane| state.lanes[lane].rounds()),
            held: lane.map(|lane| state.lanes[lane].contains.clone()).unwrap_or_default(),
            is_merged: lane
                .is_some_and(|lane| state.lanes[lane].pr.as_ref().is_some_and(|pr| pr.merged.is_some())),
            undone,
        }
    }

    /// The journal tells where a lane stands.
    pub(crate) fn heard(&mut self, lane: LaneIx, tip: Option<&Sha>) {
        if let Some(tip) = tip.filter(|_| self.repo.history.tracks()) {
            self.repo.heard.insert((lane, tip.clone()));
        }
    }

    /// Whether the journal tells of the lane at a commit that holds this work.
    pub(crate) fn stood_with(&self, lane: LaneIx, work: usize) -> bool {
        let mut stood = self.repo.heard.iter().filter(|(of, _)| *of == lane);
        stood.any(|(_, tip)| self.repo.history.works_of(tip).holds(work))
    }

    /// A branch that stands elsewhere than the journal tells, by other hands or because the answer that would tell it was
    /// lost, is set back before Laneway moves it on. The engine has mistaken itself where it knew that the lane stood there.
    pub(crate) fn restore_branch(&mut self, lane: LaneIx, tip: &Sha, mark: &str) {
        let found = self.repo.lanes[lane].replace(tip.clone());
        if found.as_ref().is_none_or(|found| found != tip && self.repo.heard.contains(&(lane, found.clone())))
        {
            self.wrongs.push(format!("{mark} is made on {tip:?}, and the branch stands at {found:?}"));
        }
    }

    /// The answer is known: its effect may be begun again.
    pub(crate) fn forget(&mut self, id: &EffectId) {
        self.in_flight.remove(id);
    }

    fn act(&mut self, begun: &Begun) {
        let id = begun.effect.id();
        let key = format!("{id}/{}", begun.tries);
        if matches!(begun.effect, Effect::Attempt { .. }) {
            return self.start_process(begun);
        }
        let done = self.in_trouble(begun, &key).unwrap_or_else(|| self.perform(begun, &key));
        let done = self.lose(begun, &key, done);
        self.answer(id, &key, done);
    }

    /// Sends an answer, perhaps twice.
    pub(crate) fn answer(&mut self, id: EffectId, key: &str, (facts, end): Done) {
        let report = Report { id, facts, end: Some(end) };
        let delay = self.delay(&format!("{key}/answer"));
        // An effect that failed may be under way again when the echo comes, and only one task answers for it.
        if report.end == Some(Ok(())) && self.fails(Fault::Repeated, key) {
            self.tell(delay + self.delay(&format!("{key}/echo")), Input::Report(report.clone()));
        }
        self.tell(delay, Input::Report(report));
    }

    /// A failure before anything was done.
    pub(crate) fn in_trouble(&self, begun: &Begun, key: &str) -> Option<Done> {
        let sort = match &begun.effect {
            Effect::Stop { .. } => return None,
            Effect::Teardown { .. } => &[][..],
            Effect::Collect { .. } | Effect::Examine { .. } | Effect::Conclude { .. } => {
                &[Fault::Transient, Fault::Permanent][..]
            }
            Effect::Land { .. } | Effect::Sync { .. } | Effect::MergePr { .. } => {
                &[Fault::Transient, Fault::Moved, Fault::Refused, Fault::Permanent][..]
            }
            _ => &[Fault::Transient, Fault::Later, Fault::Refused, Fault::Permanent][..],
        };
        let fault = sort.iter().find(|fault| self.fails(**fault, key))?;
        // What is final is rare, or nothing would ever get far.
        let rare = matches!(fault, Fault::Permanent | Fault::Refused);
        (!rare || self.chance.hits(&format!("rare/{key}"), 400))
            .then(|| (Vec::new(), Err(self.failure(*fault))))
    }

    pub(crate) fn failure(&self, fault: Fault) -> Failure {
        let class = match fault {
            Fault::Transient | Fault::Later | Fault::Ambiguous => FailureKind::Transient,
            Fault::Moved => FailureKind::Moved,
            Fault::Refused => FailureKind::Refused,
            Fault::Conflict => FailureKind::Conflict,
            Fault::Gate => FailureKind::Work,
            _ => FailureKind::Permanent,
        };
        let retry_at = (fault == Fault::Later).then(|| self.now().wall.plus(45_000));
        Failure { class, message: format!("simulated: {fault:?}"), hint: None, retry_at }
    }

    /// The forge did as it was asked, and its answer did not come through.
    fn lose(&self, begun: &Begun, key: &str, done: Done) -> Done {
        let asks = matches!(
            begun.effect,
            Effect::OpenPr { .. } | Effect::MergePr { .. } | Effect::Review { .. } | Effect::Conclude { .. }
        );
        if asks && done.1.is_ok() && self.fails(Fault::Ambiguous, key) {
            return (Vec::new(), Err(self.failure(Fault::Ambiguous)));
        }
        done
    }

    fn perform(&mut self, begun: &Begun, key: &str) -> Done {
        match &begun.effect {
            Effect::Attempt { .. } => unreachable!("processes are begun before"),
            Effect::Undo { lane, n, step, .. } => self.undo(begun, key, (lane, *n), step),
            Effect::Stop { task, attempt, .. } => self.stop(task, *attempt),
            Effect::Collect { task, attempt } => self.collect(begun, task, *attempt),
            Effect::Examine { task, attempt, .. } => self.examine(key, task, *attempt),
            Effect::Land { task, attempt, tip, commit } => {
                self.land(key, (task, *attempt), tip, commit.as_ref())
            }
            Effect::Provision { lane } => self.provision(begun, lane),
            Effect::Sync { lane, n, tip, from } => self.sync(key, (lane, *n), tip, from),
            Effect::Teardown { lane, .. } => self.teardown(begun, lane),
            Effect::OpenPr { lane, tip, base, draft } => self.open(begun.rounds, lane, tip, base, *draft),
            Effect::Prove { lane, tip } => self.prove(key, lane, tip),
            Effect::MergePr { lane, tip, by, request, .. } => {
                self.merge(key, lane, tip, (by, request.is_none()))
            }
            Effect::CheckMerged { lane, tip } => self.check_merged(lane, tip),
            // Words; what is told of conflicts to come moves nothing either.
            Effect::Conclude { .. } | Effect::Probe { .. } | Effect::Warm { .. } => (Vec::new(), Ok(())),
            Effect::Review { lane, act, by, text, .. } => self.review(lane, *act, by, text),
        }
    }

    pub(crate) fn lane_of(&self, effect: &Effect) -> Option<LaneIx> {
        match effect {
            Effect::Probe { .. } => None,
            Effect::Provision { lane }
            | Effect::Warm { lane, .. }
            | Effect::Sync { lane, .. }
            | Effect::OpenPr { lane, .. }
            | Effect::Prove { lane, .. }
            | Effect::MergePr { lane, .. }
            | Effect::CheckMerged { lane, .. }
            | Effect::Teardown { lane, .. }
            | Effect::Conclude { lane }
            | Effect::Undo { lane, .. }
            | Effect::Review { lane, .. } => self.index.lane(lane),
            Effect::Attempt { task, .. }
            | Effect::Stop { task, .. }
            | Effect::Collect { task, .. }
            | Effect::Examine { task, .. }
            | Effect::Land { task, .. } => self.index.task(task).map(|task| self.index.lane_of[task]),
        }
    }
}
