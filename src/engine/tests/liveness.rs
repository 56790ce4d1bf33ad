//! Attempts that show no sign of life, and machines that sleep, on virtual clocks.

use super::*;

const MINUTE: u64 = 60_000;

/// One attempt whose process lives, with the word of its effect still to come.
struct AtWork {
    core: Core,
    now: Now,
    id: EffectId,
    at: Subject,
    log: Vec<Envelope>,
}

impl AtWork {
    fn new(stall: Option<u64>) -> Self {
        let draw = Draw {
            lanes: vec![("a", MergePolicy::Review)],
            tasks: vec![("a1", "a", vec![])],
            handoff: Handoff::Ready,
            attempts: 1,
        };
        let mut plan = Arc::unwrap_or_clone(draw.plan());
        plan.tasks[0].stall = stall.map(Millis);
        plan.tasks[0].timeout = Millis(100 * MINUTE);
        let mut core = Core::new(Arc::new(plan));
        let now = Now { wall: Timestamp(1_000_000), mono: 7 * MINUTE };
        let mut log = core.step(now, begin()).unwrap();
        let provision = core.outstanding().values().next().cloned().unwrap();
        log.extend(core.step(now, [Input::Report(world(&[]).answer(&core, &provision))]).unwrap());
        let (id, effect) = core.outstanding().iter().next().unwrap();
        assert!(matches!(effect, Effect::Attempt { .. }), "{effect:?}");
        let at = Subject { iteration: Some(1), ..World::at(&core, &TaskId::new("a1").unwrap(), 1) };
        let mut work = Self { id: id.clone(), at, core, now, log };
        let process = ProcessId { pid: 7, start_time: 1, boot_id: "b".into(), tag: "t".into() };
        let mono = work.now.mono;
        work.tell(ProcessStarted { role: ProcessRole::Agent, process, command: "a".into(), mono });
        work
    }

    fn step(&mut self, input: Input) {
        self.log.extend(self.core.step(self.now, [input]).unwrap());
    }

    fn report(&mut self, facts: Vec<Draft>, end: Option<Result<(), Failure>>) {
        let id = self.id.clone();
        self.step(Input::Report(Report { id, facts, end }));
    }

    fn tell(&mut self, event: impl Into<Event>) {
        let fact = Draft::world(self.at.clone(), event);
        self.report(vec![fact], None);
    }

    /// The attempt is looked at after having been quiet for so many minutes.
    fn quiet(&mut self, minutes: u64) {
        let ms = minutes * MINUTE;
        let evidence =
            Evidence { cpu_ms: ms, output_ms: ms, files_ms: ms, signal_ms: ms, processes: 1, sockets: 1 };
        self.tell(LivenessRecorded { evidence });
    }

    fn signal(&mut self, signal: SignalKind, digest: &str) {
        let source = Some(Source { path: format!("a1/1/{digest}"), digest: digest.into() });
        let event = SignalObserved { signal, text: "said".into() };
        let fact = Draft { source, ..Draft::world(self.at.clone(), event) };
        self.report(vec![fact], None);
    }

    fn stopped(&self) -> Option<StopReason> {
        let stop = self.core.outstanding().values().find_map(|effect| match effect {
            Effect::Stop { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(stop, self.attempt().stop);
        stop
    }

    fn attempt(&self) -> &crate::state::Attempt {
        self.core.state().tasks[0].attempt().unwrap()
    }

    fn told(&self) -> Option<u64> {
        self.attempt().quiet.map(|quiet| quiet.evidence.quiet_ms() / MINUTE)
    }
}

#[test]
fn p06_an_attempt_is_told_to_be_quiet_and_never_ended_for_it_unless_the_graph_says() {
    let mut work = AtWork::new(None);
    for minutes in [10, 20, 40, 80] {
        work.quiet(minutes);
        assert_eq!((work.told(), work.stopped()), (Some(minutes), None));
    }
    work.quiet(0);
    assert_eq!(work.told(), None, "it shows signs of life again");
}

#[test]
fn p06_a_stall_ends_it_with_the_evidence_and_not_before_it_was_reported() {
    let mut work = AtWork::new(Some(20 * MINUTE));
    work.quiet(25);
    assert_eq!(work.stopped(), None, "nobody had been told");
    work.quiet(26);
    assert_eq!(work.stopped(), Some(StopReason::Stalled));
    let kinds: Vec<_> = work.log.iter().rev().take(2).map(|e| e.event.kind().to_owned()).collect();
    assert_eq!(kinds, ["effect.intended", "timer.fired"]);
    let exit = ExitStatus::Signal(15);
    let (leftovers, escaped) = (vec![], vec![]);
    let exited = ProcessExited { role: ProcessRole::Agent, exit, duration_ms: 1, leftovers, escaped };
    let stop = work.core.outstanding().keys().find(|id| **id != work.id).unwrap().clone();
    work.step(Input::Report(Report { id: stop, facts: vec![], end: Some(Ok(())) }));
    let fact = Draft::world(work.at.clone(), exited);
    work.report(vec![fact], Some(Ok(())));
    drive(&mut work.core, &mut world(&[]), vec![Input::Tick], &mut work.log);
    assert_eq!(work.attempt().status, AttemptStatus::TimedOut);
    let reason = work.attempt().reason.clone().unwrap();
    assert!(reason.starts_with("stalled: quiet for 26 min: no CPU time"), "{reason}");
}

#[test]
fn p06_less_than_the_stall_is_patience_and_a_sign_of_life_begins_it_anew() {
    let mut work = AtWork::new(Some(20 * MINUTE));
    for minutes in [10, 19] {
        work.quiet(minutes);
    }
    work.signal(SignalKind::Progress, "progress");
    assert_eq!(work.told(), None);
    work.quiet(25);
    assert_eq!(work.stopped(), None, "the reports of before do not count any more");
    work.quiet(0);
    work.quiet(30);
    assert_eq!(work.stopped(), None);
}

#[test]
fn p06_who_waits_for_a_person_is_never_stalled() {
    let mut work = AtWork::new(Some(MINUTE));
    work.signal(SignalKind::Ask { id: "q".into() }, "ask");
    for minutes in 5..10 {
        work.quiet(minutes);
        assert_eq!(work.stopped(), None);
    }
    let mut work = AtWork::new(Some(MINUTE));
    work.quiet(5);
    work.signal(SignalKind::Blocked, "blocked");
    work.quiet(6);
    work.quiet(7);
    assert_eq!(work.stopped(), None, "it has its grace, and then it waits");
}

#[test]
fn p23_a_timeout_does_not_count_the_time_that_the_machine_slept() {
    let mut work = AtWork::new(None);
    let deadline = work.now.mono + 100 * MINUTE;
    assert_eq!(work.core.next_deadline().mono, Some(deadline));
    // A weekend with the lid closed, then a clock that was set back by a day.
    for jump in [60 * 60 * MINUTE, 0] {
        work.now.wall = Timestamp(1_000_000).plus(jump);
        work.now.mono += 10 * MINUTE;
        work.step(Input::Tick);
        assert_eq!(work.stopped(), None);
        assert_eq!(work.core.next_deadline().mono, Some(deadline));
    }
    work.now.mono = deadline - 1;
    work.step(Input::Tick);
    assert_eq!(work.stopped(), None);
    work.now.mono = deadline;
    work.step(Input::Tick);
    assert_eq!(work.stopped(), Some(StopReason::TimedOut));
}

#[test]
fn p06_what_was_quiet_is_so_again_after_a_replay() {
    let mut work = AtWork::new(Some(20 * MINUTE));
    work.quiet(12);
    let mut again = Core::new(Arc::clone(work.core.plan()));
    for envelope in &work.log {
        again.replay(&Envelope::from_json(&envelope.to_json().unwrap()).unwrap()).unwrap();
    }
    assert_eq!(again.state().tasks[0].attempt().unwrap().quiet, work.attempt().quiet);
}
