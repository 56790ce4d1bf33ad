//! Lanes and their pull requests, by Laneway's hands and by others.

use std::collections::BTreeMap;

use laneway::engine::Input;
use laneway::event::{
    CHECK_AHEAD, CHECK_MERGEABLE, CheckRecorded, CheckStatus, ConflictPredicted, Draft, Event, Failure,
    FailureKind, LaneProvisioned, LaneRemoved, LaneStatus, LaneSynced, PrClosed, PrMerged, PrOpened, PrRef,
    PrUpdated, ReviewAct, ReviewObserved, SignalRejected, Subject, SyncSource,
};
use laneway::id::{LaneId, Sha};
use laneway::plan::{ForgeKind, LaneIx};
use laneway::state::State;

use crate::scenario::{Act, Fault};
use crate::world::{Begun, Done, Happening, Owner, World};

/// A pull request as the forge has it.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) at: PrRef,
    /// Pull requests of its lane before it.
    pub(crate) rounds: u32,
    pub(crate) head: Sha,
    pub(crate) base: String,
    pub(crate) draft: bool,
    pub(crate) merged: Option<(Sha, String)>,
    pub(crate) closed: Option<String>,
}

impl Pull {
    pub(crate) fn is_open(&self) -> bool {
        self.merged.is_none() && self.closed.is_none()
    }
}

fn lane_fact(lane: &LaneId, event: impl Into<Event>) -> Draft {
    Draft::world(Subject::lane(lane), event)
}

fn check(lane: &LaneId, name: &str, status: CheckStatus) -> Draft {
    let event =
        CheckRecorded { name: name.to_owned(), status, detail: "simulated".to_owned(), duration_ms: 0 };
    lane_fact(lane, event)
}

pub(crate) fn wrong(class: FailureKind, message: &str) -> Failure {
    Failure { class, message: message.to_owned(), hint: None, retry_at: None }
}

impl World {
    pub(crate) fn is_hub(&self) -> bool {
        self.plan.settings.forge == ForgeKind::GitHub
    }

    fn ix(&self, lane: &LaneId) -> LaneIx {
        self.index.lane(lane).expect("effects name lanes of the plan")
    }

    /// Where the branch stands that the lane goes to.
    pub(crate) fn target(&self, lane: LaneIx) -> Sha {
        let nested = self.index.parent[lane].map(|parent| self.repo.lanes[parent].clone());
        nested.map_or_else(|| self.repo.main.clone(), |tip| tip.unwrap_or_else(crate::history::root))
    }

    /// The same where the lane is merged.
    fn merge_target(&self, lane: LaneIx) -> Sha {
        let shared = self.index.parent[lane].filter(|_| self.shares());
        let there = shared.and_then(|parent| self.repo.origin[parent].clone());
        there.unwrap_or_else(|| self.target(lane))
    }

    fn set_target(&mut self, lane: LaneIx, to: Sha) {
        match self.index.parent[lane] {
            Some(parent) if self.shares() => self.put_on_origin(parent, to),
            Some(parent) => self.repo.lanes[parent] = Some(to),
            None => self.repo.main = to,
        }
    }

    pub(crate) fn provision(&mut self, begun: &Begun, lane: &LaneId) -> Done {
        let ix = self.ix(lane);
        let cut = || match self.index.parent[ix] {
            Some(parent) => self.repo.lanes[parent].clone(),
            None => Some(self.plan.lanes[ix].base_sha.clone()),
        };
        let tip = self.repo.lanes[ix].clone().or_else(|| begun.tip.clone()).or_else(cut);
        let Some(tip) = tip else {
            self.wrongs.push(format!("lane {lane} is provisioned before the lane that it is nested in"));
            return (Vec::new(), Err(self.failure(Fault::Permanent)));
        };
        self.repo.lanes[ix] = Some(tip.clone());
        let pushed = self.shares() && self.repo.origin[ix].is_none();
        if pushed {
            self.put_on_origin(ix, tip.clone());
        }
        let event = LaneProvisioned {
            worktree: format!("/w/{lane}"),
            tip,
            pushed,
            ports: BTreeMap::new(),
            remark: None,
        };
        let mut facts = vec![lane_fact(lane, event)];
        let parents = self.push_parents(ix);
        self.remarked(ix, parents, &mut facts);
        (facts, Ok(()))
    }

    pub(crate) fn sync(
        &mut self,
        key: &str,
        (lane, n): (&LaneId, u32),
        tip: &Sha,
        from: &[SyncSource],
    ) -> Done {
        let ix = self.ix(lane);
        let mark = format!("sync/{lane}/{n}");
        let upstream: Vec<(LaneId, Sha)> = from.iter().flat_map(SyncSource::lanes).collect();
        let found = self.repo.lanes[ix].clone();
        if let Some(found) = found.filter(|found| found != tip && self.repo.history.mark_of(found) == mark) {
            let mut facts = vec![lane_fact(lane, LaneSynced { upstream, tip: found.clone() })];
            self.share(ix, from, &found, &mut facts);
            return (facts, Ok(()));
        }
        self.restore_branch(ix, tip, &mark);
        let sources: Vec<Sha> = from
            .iter()
            .map(|source| match source {
                SyncSource::Lane { tip, .. } => tip.clone(),
                SyncSource::Landing { landed, .. } => landed.clone(),
                SyncSource::Target { .. } => self.target(ix),
                SyncSource::Origin => self.repo.origin[ix].clone().unwrap_or_else(|| tip.clone()),
            })
            .collect();
        let news: Vec<&Sha> = sources.iter().filter(|s| !self.repo.history.is_ancestor(s, tip)).collect();
        if !news.is_empty() && self.fails(Fault::Conflict, key) {
            let parents: Vec<&Sha> = std::iter::once(tip).chain(news).collect();
            let marked = self.repo.history.commit(&parents, format!("{mark}/marked"));
            let mut event = ConflictPredicted::over("up".to_owned(), vec!["f".to_owned()], String::new());
            event.marked = Some(marked);
            return (vec![lane_fact(lane, event)], Err(self.failure(Fault::Conflict)));
        }
        let to = if news.is_empty() {
            tip.clone()
        } else {
            let parents: Vec<&Sha> = std::iter::once(tip).chain(news).collect();
            self.repo.history.commit(&parents, mark)
        };
        self.repo.lanes[ix] = Some(to.clone());
        let mut facts = vec![lane_fact(lane, LaneSynced { upstream, tip: to.clone() })];
        self.share(ix, from, &to, &mut facts);
        (facts, Ok(()))
    }

    pub(crate) fn teardown(&mut self, begun: &Begun, lane: &LaneId) -> Done {
        let ix = self.ix(lane);
        let tasks = &self.index.tasks_of[ix];
        if tasks.iter().any(|&task| self.processes_of(task).any(|(_, p)| p.is_alive())) {
            self.wrongs.push(format!("the worktree of lane {lane} goes while a process works in it"));
        }
        let branch = &self.plan.lanes[ix].branch;
        let merged = self.pulls[ix].as_ref().is_some_and(|pull| pull.merged.is_some());
        let mut down = self.index.downstream[ix].iter().filter_map(|&down| self.pulls[down].as_ref());
        let stacked = down.find(|pull| pull.is_open() && pull.base == *branch);
        if let Some(stacked) = stacked.filter(|_| merged) {
            let number = stacked.at.number;
            self.wrongs.push(format!("the branch of lane {lane} goes while #{number} is stacked on it"));
        }
        if merged {
            self.gone_from_origin(ix, begun.tip.as_ref());
            self.repo.lanes[ix] = None;
        }
        (vec![lane_fact(lane, LaneRemoved { remarks: Vec::new() })], Ok(()))
    }

    pub(crate) fn open(&mut self, rounds: u32, lane: &LaneId, tip: &Sha, base: &str, draft: bool) -> Done {
        let ix = self.ix(lane);
        if self.repo.history.is_ancestor(tip, &self.target(ix)) {
            return (vec![check(lane, CHECK_AHEAD, CheckStatus::Skip)], Ok(()));
        }
        if let Err(unpushed) = self.push(ix, tip) {
            let mut facts = Vec::new();
            let failure = self.told(unpushed, &mut facts);
            return (facts, Err(failure));
        }
        self.pulls[ix].take_if(|pull| pull.rounds < rounds);
        let number = 1 + ix as u64 + 100 * u64::from(rounds);
        let at = PrRef { number, url: format!("local:{number}") };
        let (tip, base) = (tip.clone(), base.to_owned());
        match &mut self.pulls[ix] {
            Some(Pull { merged: Some((commit, by)), head, .. }) => {
                let opened = PrOpened { pr: at, tip: head.clone(), base, draft };
                let merged = PrMerged { commit: commit.clone(), by: by.clone(), head: None };
                (vec![lane_fact(lane, opened), lane_fact(lane, merged)], Ok(()))
            }
            Some(pull) => {
                pull.closed = None;
                let same = pull.head == tip && pull.base == base && pull.draft == draft;
                (pull.head, pull.base, pull.draft) = (tip.clone(), base.clone(), draft);
                let event = if same {
                    Event::from(PrOpened { pr: at, tip, base, draft })
                } else {
                    PrUpdated { pr: at, tip, base, draft }.into()
                };
                (vec![lane_fact(lane, event)], Ok(()))
            }
            none => {
                *none = Some(Pull {
                    at: at.clone(),
                    rounds,
                    head: tip.clone(),
                    base: base.clone(),
                    draft,
                    merged: None,
                    closed: None,
                });
                (vec![lane_fact(lane, PrOpened { pr: at, tip, base, draft })], Ok(()))
            }
        }
    }

    pub(crate) fn prove(&mut self, key: &str, lane: &LaneId, tip: &Sha) -> Done {
        let ix = self.ix(lane);
        let clean = self.repo.history.is_ancestor(&self.target(ix), tip);
        if !clean && self.fails(Fault::Conflict, key) {
            return (vec![check(lane, CHECK_MERGEABLE, CheckStatus::Fail)], Ok(()));
        }
        let mut facts = vec![check(lane, CHECK_MERGEABLE, CheckStatus::Pass)];
        if !self.plan.lanes[ix].gates.is_empty() {
            let fails = self.fails(Fault::Gate, key);
            facts.push(check(lane, "gate", if fails { CheckStatus::Fail } else { CheckStatus::Pass }));
        }
        (facts, Ok(()))
    }

    /// Merges, and looks whether anything comes along that is not the lane's.
    pub(crate) fn merge(
        &mut self,
        key: &str,
        lane: &LaneId,
        tip: &Sha,
        (by, automatic): (&str, bool),
    ) -> Done {
        let ix = self.ix(lane);
        let Some(pull) = self.pulls[ix].clone() else {
            self.wrongs.push(format!("lane {lane} is merged without a pull request"));
            return (Vec::new(), Err(self.failure(Fault::Permanent)));
        };
        let pull = self.merged_here(ix, pull);
        let by_hand = pull.merged.clone().filter(|_| self.is_hub());
        if let Some((commit, who)) = by_hand {
            return (vec![lane_fact(lane, PrMerged { commit, by: who, head: None })], Ok(()));
        }
        let mut facts = Vec::new();
        if let Err(unpushed) = self.push_parents(ix) {
            let failure = self.told(unpushed, &mut facts);
            return (facts, Err(failure));
        }
        let target = self.merge_target(ix);
        let there = self.repo.history.is_ancestor(tip, &target);
        if self.is_hub() && (!pull.is_open() || pull.head != *tip) {
            return (Vec::new(), Err(wrong(FailureKind::Refused, "it is not open, or shows another head")));
        }
        if !there && !self.repo.history.is_ancestor(&target, tip) && self.fails(Fault::Conflict, key) {
            return (Vec::new(), Err(self.failure(Fault::Conflict)));
        }
        if automatic && !there && !self.plan.lanes[ix].gates.is_empty() {
            let fails = self.fails(Fault::Gate, key);
            facts.push(check(lane, "gate", if fails { CheckStatus::Fail } else { CheckStatus::Pass }));
            if fails {
                return (facts, Err(wrong(FailureKind::Refused, "the gate of the merge failed")));
            }
        }
        self.comes_along(ix, tip, &target, by);
        if automatic && pull.draft {
            self.wrongs.push(format!("the draft of lane {lane} is merged"));
        }
        let commit = if there {
            target
        } else if self.is_hub() && self.chance.hits(&format!("squashed/{lane}"), 500) {
            self.repo.history.squash(&target, tip)
        } else {
            self.repo.history.commit(&[&target, tip], format!("merge/{lane}"))
        };
        self.set_target(ix, commit.clone());
        let who = by.to_owned();
        if let Some(pull) = &mut self.pulls[ix] {
            pull.merged = Some((commit.clone(), who.clone()));
        }
        facts.push(lane_fact(lane, PrMerged { commit, by: who, head: None }));
        (facts, Ok(()))
    }

    /// Nested lanes are merged in this repository, whatever the forge has heard: one whose merge was set back with the
    /// outer lane, because nobody had heard of it, is merged once more.
    fn merged_here(&mut self, ix: LaneIx, mut pull: Pull) -> Pull {
        let target = self.target(ix);
        let there = |(commit, _): &(Sha, String)| self.repo.history.is_ancestor(commit, &target);
        if self.index.parent[ix].is_some() && !self.shares() && !pull.merged.as_ref().is_some_and(there) {
            pull.merged = None;
            self.pulls[ix] = Some(pull.clone());
        }
        pull
    }

    /// A lane brings its own work and that of the lanes nested in it, and nobody else's.
    fn comes_along(&mut self, lane: LaneIx, tip: &Sha, target: &Sha, by: &str) {
        let history = &self.repo.history;
        let brought = history.missing(tip, target);
        let outer = std::iter::successors(self.index.parent[lane], |&lane| self.index.parent[lane]);
        let outer = outer.filter_map(|lane| self.repo.lanes[lane].as_ref());
        let landed: Vec<_> = outer.chain([&self.repo.main]).map(|tip| history.works_of(tip)).collect();
        for work in brought.into_iter().filter(|work| !landed.iter().any(|there| there.holds(*work))) {
            let (from, whose) = match self.repo.owners[work] {
                Owner::Attempt(task, _) => (self.index.lane_of[task], self.plan.tasks[task].id.as_str()),
                Owner::Person(lane) => (lane, "of others"),
            };
            // What an outer lane has comes back to where it is.
            if from != lane && !self.index.is_within(from, lane) && !self.index.is_within(lane, from) {
                let into = &self.plan.lanes[lane].id;
                let wrong = format!("the merge of lane {into} by {by} brings unmerged work of task {whose}");
                self.wrongs.push(wrong);
                return;
            }
        }
    }

    pub(crate) fn check_merged(&mut self, lane: &LaneId, tip: &Sha) -> Done {
        let ix = self.ix(lane);
        let target = self.target(ix);
        if !self.repo.history.adds_nothing(tip, &target) {
            let event = SignalRejected { name: "merged".to_owned(), reason: "it is not there".to_owned() };
            return (vec![lane_fact(lane, event)], Ok(()));
        }
        let by = "other hands".to_owned();
        match &mut self.pulls[ix] {
            None => (vec![check(lane, CHECK_AHEAD, CheckStatus::Skip)], Ok(())),
            Some(pull) => {
                pull.merged.get_or_insert((target.clone(), by.clone()));
                (vec![lane_fact(lane, PrMerged { commit: target, by, head: None })], Ok(()))
            }
        }
    }

    pub(crate) fn review(&mut self, lane: &LaneId, act: ReviewAct, by: &str, text: &str) -> Done {
        let ix = self.ix(lane);
        let Some(pull) = self.pulls[ix].as_mut() else {
            self.wrongs.push(format!("lane {lane} is reviewed without a pull request"));
            return (Vec::new(), Err(self.failure(Fault::Permanent)));
        };
        if act == ReviewAct::Close {
            if pull.merged.is_some() {
                return (Vec::new(), Err(wrong(FailureKind::Permanent, "it is merged")));
            }
            pull.closed = Some(by.to_owned());
            return (vec![lane_fact(lane, PrClosed { by: by.to_owned() })], Ok(()));
        }
        let tip = pull.head.clone();
        let event = ReviewObserved { act, by: by.to_owned(), text: text.to_owned(), tip, id: None };
        (vec![lane_fact(lane, event)], Ok(()))
    }

    /// Somebody does something past Laneway.
    pub(crate) fn outside(&mut self, act: Act, lane: Option<LaneIx>) {
        if act == Act::MoveTarget {
            let onto = lane.and_then(|lane| self.index.parent[lane]);
            if onto.is_none() {
                let main = self.repo.main.clone();
                self.repo.main = self.repo.history.commit(&[&main], "by a person".to_owned());
            }
            return;
        }
        if act == Act::MoveLane {
            // Nobody works on a branch that is not there.
            if let Some((lane, tip)) = lane.and_then(|lane| Some((lane, self.repo.lanes[lane].clone()?))) {
                self.repo.lanes[lane] = Some(self.repo.history.commit(&[&tip], "by a person".to_owned()));
            }
            return;
        }
        if let (Act::PushToLane, Some(lane)) = (act, lane) {
            self.comes_to_origin(lane);
        }
        let Some((lane, pull)) = lane.and_then(|lane| Some((lane, self.pulls[lane].clone()?))) else {
            return;
        };
        let by = "ann".to_owned();
        match act {
            Act::PushToPull if pull.is_open() && self.shares() => self.comes_to_origin(lane),
            Act::PushToPull if pull.is_open() => {
                let head = self.repo.history.commit(&[&pull.head], "by a person".to_owned());
                if let Some(pull) = &mut self.pulls[lane] {
                    pull.head = head;
                }
            }
            Act::MergeOutside
                // One that goes to a branch of ours is not what people merge, unless it is nested there.
                if pull.is_open()
                    && (self.index.parent[lane].is_none() || self.shares())
                    && pull.base == self.plan.lanes[lane].target
                    && !pull.draft =>
            {
                let main = self.merge_target(lane);
                let commit = if self.chance.hits(&format!("style/{lane}"), 500) {
                    self.repo.history.squash(&main, &pull.head)
                } else {
                    self.repo.history.commit(&[&main, &pull.head], "by a person".to_owned())
                };
                self.set_target(lane, commit.clone());
                if let Some(pull) = &mut self.pulls[lane] {
                    pull.merged = Some((commit, by));
                }
            }
            Act::CloseOutside if pull.is_open() => {
                if let Some(pull) = &mut self.pulls[lane] {
                    pull.closed = Some(by);
                }
            }
            Act::PushToLane => {}
            // GitHub opens none again whose branch is gone.
            Act::ReopenOutside
                if pull.merged.is_none() && (!self.shares() || self.repo.origin[lane].is_some()) =>
            {
                if let Some(pull) = &mut self.pulls[lane] {
                    pull.closed = None;
                }
            }
            _ => return,
        }
        let delay = self.delay(&format!("news/{}/{lane}", self.elapsed()));
        let life = self.life;
        self.later(delay, Happening::Look { life });
        if self.fails(Fault::Repeated, &format!("news/{}", self.elapsed())) {
            self.later(delay * 3, Happening::Look { life });
        }
    }

    /// Whoever pushed to a pull request of Laneway's takes that back.
    pub(crate) fn take_pushes_back(&mut self, state: &State) {
        if self.shares() {
            return self.clear_origin(state);
        }
        for (pull, lane) in self.pulls.iter_mut().zip(&state.lanes) {
            if let (Some(pull), Some(known)) = (pull.as_mut().filter(|pull| pull.is_open()), &lane.pr) {
                pull.head = known.tip.clone();
            }
        }
    }

    /// What the forge shows of the pull requests that the run waits for.
    pub(crate) fn news(&self, state: &State) -> Input {
        let mut facts = Vec::new();
        for (ix, lane) in state.lanes.iter().enumerate() {
            let Some(known) = lane.pr.as_ref().filter(|pr| pr.merged.is_none()) else { continue };
            let watched = lane.status == LaneStatus::PrCreated
                || lane.status == LaneStatus::Failed && known.closed_by.is_some();
            let Some(pull) = self.pulls[ix].as_ref().filter(|_| watched) else { continue };
            let id = &self.plan.lanes[ix].id;
            if pull.merged.is_some() && self.index.parent[ix].is_some() && !self.shares() {
                continue;
            }
            facts.push(match (&pull.merged, &pull.closed) {
                (Some((commit, by)), _) => {
                    lane_fact(id, PrMerged { commit: commit.clone(), by: by.clone(), head: None })
                }
                (None, Some(by)) => lane_fact(id, PrClosed { by: by.clone() }),
                (None, None) => {
                    let (pr, tip, base) = (pull.at.clone(), pull.head.clone(), pull.base.clone());
                    lane_fact(id, PrUpdated { pr, tip, base, draft: pull.draft })
                }
            });
        }
        Input::News { facts, problem: None }
    }
}
