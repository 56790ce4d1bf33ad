//! The smallest scenario that still breaks the same law.

use crate::scenario::{Scenario, TaskSketch};
use crate::simulation::{Look, run};

/// Steps of the engine that are spent on one scenario: seconds, of which the first few take most away.
const MOST_STEPS: u64 = 60_000;

/// Takes away from `scenario` what is not needed for `law` to be broken, as far as that is soon found out.
pub(crate) fn shrink(scenario: &Scenario, law: &str, look: Look) -> Scenario {
    let (mut smallest, mut spent) = (scenario.clone(), 0);
    let (mut at, mut shrunk) = (0, false);
    while spent < MOST_STEPS {
        match smaller(&smallest).into_iter().nth(at) {
            Some(candidate) if breaks(&candidate, law, look, &mut spent) => {
                // What came after the part that went stands in its place now.
                (smallest, shrunk) = (candidate, true);
            }
            Some(_) => at += 1,
            None if shrunk => (at, shrunk) = (0, false),
            None => break,
        }
    }
    smallest
}

fn breaks(candidate: &Scenario, law: &str, look: Look, spent: &mut u64) -> bool {
    if candidate.plan().is_err() {
        return false;
    }
    let ended = run(candidate, look);
    // What breaks at once, and the making of a plan, are not for nothing either.
    *spent += ended.steps + 20;
    ended.wrong.is_some_and(|wrong| wrong.broken.law == law)
}

/// Scenarios with a little less in them, those with the least first.
fn smaller(of: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut less = of.clone();
        change(&mut less);
        less.drop_empty_lanes();
        if less != *of {
            found.push(less);
        }
    };
    with(&|s| s.people.clear());
    with(&|s| s.crashes.clear());
    with(&|s| s.faults.clear());
    for lane in &of.lanes {
        with(&|s| without_lane(s, &lane.id));
    }
    for task in &of.tasks {
        with(&|s| without_task(s, &task.id));
    }
    for n in 0..of.people.len() {
        with(&|s| _ = s.people.remove(n));
    }
    for n in 0..of.crashes.len() {
        with(&|s| _ = s.crashes.remove(n));
        with(&|s| s.crashes[n].reboot = false);
        with(&|s| s.crashes[n].written = 0);
    }
    for fault in of.faults.keys() {
        with(&|s| _ = s.faults.remove(fault));
    }
    with(&|s| (s.github, s.origin) = (false, false));
    with(&|s| s.origin = false);
    with(&|s| s.handoff_merged = false);
    for n in 0..of.lanes.len() {
        with(&|s| s.lanes[n].parent = None);
        with(&|s| s.lanes[n].auto = false);
        with(&|s| s.lanes[n].parallel = None);
        with(&|s| s.lanes[n].teardown = None);
        with(&|s| s.lanes[n].task_prs = false);
    }
    for n in 0..of.tasks.len() {
        simpler(&of.tasks[n], &mut |task| with(&|s| s.tasks[n] = task.clone()));
    }
    for n in 0..of.people.len() {
        for sooner in [of.people[n].after / 2, of.people[n].after.saturating_sub(1)] {
            with(&|s| s.people[n].after = sooner);
        }
    }
    found
}

fn simpler(task: &TaskSketch, found: &mut dyn FnMut(TaskSketch)) {
    let plain = TaskSketch {
        id: task.id.clone(),
        lane: task.lane.clone(),
        needs: task.needs.clone(),
        when: task.when.clone(),
        ..TaskSketch::default()
    };
    found(plain);
    let changes: [fn(&mut TaskSketch); 11] = [
        |t| t.command = false,
        |t| t.attempts = None,
        |t| t.gate = false,
        |t| t.when = None,
        |t| t.review = false,
        |t| t.repeat = None,
        |t| t.writes.clear(),
        |t| t.diff = None,
        |t| t.priority = 0,
        |t| t.retry = false,
        |t| t.quiet = false,
    ];
    for change in changes {
        let mut less = task.clone();
        change(&mut less);
        found(less);
    }
    for n in 0..task.needs.len() {
        let mut less = task.clone();
        let need = less.needs.remove(n);
        less.when = less.when.filter(|when| !when.contains(&format!(".{need}.")));
        found(less);
    }
}

fn without_lane(scenario: &mut Scenario, lane: &str) {
    scenario.lanes.retain(|l| l.id != lane);
    for other in &mut scenario.lanes {
        other.parent = other.parent.take().filter(|parent| parent != lane);
    }
    let gone: Vec<String> = scenario.tasks.iter().filter(|t| t.lane == lane).map(|t| t.id.clone()).collect();
    for task in &gone {
        without_task(scenario, task);
    }
    scenario.people.retain(|deed| deed.lane.as_deref() != Some(lane));
}

fn without_task(scenario: &mut Scenario, task: &str) {
    scenario.tasks.retain(|t| t.id != task);
    for other in &mut scenario.tasks {
        other.needs.retain(|need| need != task);
        other.when = other.when.take().filter(|when| !when.contains(&format!(".{task}.")));
    }
    scenario.people.retain(|deed| deed.task.as_deref() != Some(task));
}
