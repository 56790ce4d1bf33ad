//! Scenarios by chance.

use crate::chance::Chance;
use crate::scenario::{Act, Crash, Deed, Fault, LaneSketch, Scenario, TaskSketch};

/// The scenario of a seed.
pub(crate) fn scenario(seed: u64) -> Scenario {
    let chance = Chance(seed);
    let lanes = lanes(chance);
    let tasks = tasks(chance, &lanes);
    let github = chance.hits("github", 500);
    let mut scenario = Scenario {
        about: String::new(),
        seed,
        places: number(chance.within("places", 1, 5)),
        warm: if chance.hits("warms", 500) { number(chance.within("warm", 1, 4)) } else { 0 },
        handoff_merged: chance.hits("handoff", 350),
        github,
        origin: github && chance.hits("origin", 500),
        faults: Fault::ALL
            .iter()
            .filter(|fault| chance.hits(&format!("has/{fault:?}"), 450))
            .map(|&fault| (fault, number(chance.within(&format!("of/{fault:?}"), 20, 220))))
            .collect(),
        lanes,
        tasks,
        people: Vec::new(),
        crashes: crashes(chance),
    };
    make_sound(&mut scenario, chance);
    scenario.people = people(chance, &scenario);
    scenario
}

fn number(of: u64) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn lanes(chance: Chance) -> Vec<LaneSketch> {
    let count = chance.within("lanes", 1, 6);
    let nests = chance.hits("nests", 400);
    (0..count)
        .map(|n| {
            let key = |what: &str| format!("lane/{n}/{what}");
            let parent = (n > 0 && nests && chance.hits(&key("nested"), 450))
                .then(|| format!("l{}", chance.within(&key("parent"), 0, n - 1)));
            LaneSketch {
                id: format!("l{n}"),
                parent,
                auto: chance.hits(&key("auto"), 500),
                parallel: chance
                    .hits(&key("parallel"), 350)
                    .then(|| number(chance.within(&key("many"), 2, 4))),
                teardown: match chance.within(&key("teardown"), 0, 9) {
                    0 => Some("always".to_owned()),
                    1 => Some("never".to_owned()),
                    _ => None,
                },
                task_prs: chance.hits(&key("task_prs"), 120),
            }
        })
        .collect()
}

fn tasks(chance: Chance, lanes: &[LaneSketch]) -> Vec<TaskSketch> {
    let count = chance.within("tasks", 1, 14);
    let mut tasks: Vec<TaskSketch> = Vec::new();
    for n in 0..count {
        let key = |what: &str| format!("task/{n}/{what}");
        let Some(lane) = chance.pick(&key("lane"), lanes) else { break };
        let mut task = TaskSketch { id: format!("t{n}"), lane: lane.id.clone(), ..TaskSketch::default() };
        for k in 0..chance.within(&key("needs"), 0, 3) {
            if let Some(need) = chance.pick(&key(&format!("need/{k}")), &tasks)
                && !task.needs.contains(&need.id)
            {
                task.needs.push(need.id.clone());
            }
        }
        dress(chance, &key, &mut task);
        tasks.push(task);
    }
    tasks
}

/// What is special about a task.
fn dress(chance: Chance, key: &impl Fn(&str) -> String, task: &mut TaskSketch) {
    let has = |what: &str, permille| chance.hits(&key(what), permille);
    task.command = has("command", 200);
    task.attempts = has("attempts", 300).then(|| number(chance.within(&key("tries"), 1, 4)));
    task.gate = has("gate", 500);
    task.review = !task.command && has("review", 200);
    task.repeat = (!task.command && has("loops", 150)).then(|| number(chance.within(&key("most"), 1, 5)));
    task.quiet = !task.command && has("quiet", 100);
    task.priority = if has("ranked", 150) { 5 } else { 0 };
    task.retry = has("retry", 150);
    if has("writes", 200) {
        task.writes = vec![format!("d{}/**", chance.within(&key("scope"), 0, 2))];
    }
    if has("diffless", 150) {
        task.diff = Some(if has("none", 500) { "none" } else { "optional" }.to_owned());
    }
    if let Some(need) = chance.pick(&key("judged"), &task.needs).filter(|_| has("when", 180)) {
        let (is, word) = if has("unless", 400) { ("!=", "merged") } else { ("==", "merged") };
        task.when = Some(format!("${{tasks.{need}.outcome}} {is} '{word}'"));
    }
}

/// Takes away what a graph may not have, such as lanes that wait for each other.
fn make_sound(scenario: &mut Scenario, chance: Chance) {
    for round in 0_u64.. {
        scenario.drop_empty_lanes();
        if scenario.plan().is_ok() {
            return;
        }
        let lane_of = |id: &str, tasks: &[TaskSketch]| {
            tasks.iter().find(|t| t.id == id).map(|t| t.lane.clone()).unwrap_or_default()
        };
        let edges: Vec<(usize, usize)> = scenario
            .tasks
            .iter()
            .enumerate()
            .flat_map(|(t, task)| {
                let across = |need: &String| lane_of(need, &scenario.tasks) != task.lane;
                task.needs
                    .iter()
                    .enumerate()
                    .filter(move |(_, need)| across(need))
                    .map(move |(n, _)| (t, n))
                    .collect::<Vec<_>>()
            })
            .collect();
        if let Some(&(task, need)) = chance.pick(&format!("drop/{round}"), &edges) {
            scenario.tasks[task].needs.remove(need);
            scenario.tasks[task].when = None;
        } else if let Some(task) =
            scenario.tasks.iter_mut().find(|t| t.diff.is_some() || t.review || !t.writes.is_empty())
        {
            task.diff = None;
            task.review = false;
            task.writes.clear();
        } else {
            scenario.lanes.iter_mut().for_each(|lane| lane.parent = None);
        }
        assert!(
            round < 200,
            "no sound graph comes of it: {:?}\n{}",
            scenario.plan().err(),
            scenario.graph_text()
        );
    }
}

fn crashes(chance: Chance) -> Vec<Crash> {
    let count = if chance.hits("crashes", 600) { chance.within("crash count", 1, 5) } else { 0 };
    (0..count)
        .map(|n| Crash {
            after: chance.within(&format!("crash/{n}/after"), 1, 120),
            written: usize::try_from(chance.within(&format!("crash/{n}/written"), 0, 6)).unwrap_or(0),
            reboot: chance.hits(&format!("crash/{n}/reboot"), 250),
        })
        .collect()
}

const ACTS: &[(Act, bool)] = &[
    (Act::Cancel, true),
    (Act::Pause, true),
    (Act::Resume, true),
    (Act::Interrupt, true),
    (Act::Retry, true),
    (Act::Skip, true),
    (Act::Answer, true),
    (Act::Merge, true),
    (Act::Merge, true),
    (Act::Approve, true),
    (Act::RequestChanges, true),
    (Act::Comment, true),
    (Act::Close, true),
    (Act::SayFailed, true),
    (Act::SayMerged, true),
    (Act::MergeOutside, false),
    (Act::MergeOutside, false),
    (Act::CloseOutside, false),
    (Act::ReopenOutside, false),
    (Act::MoveTarget, true),
    (Act::AttachWithoutAttempts, true),
];

fn people(chance: Chance, scenario: &Scenario) -> Vec<Deed> {
    let count = if chance.hits("people", 750) { chance.within("deeds", 1, 14) } else { 0 };
    let may: Vec<Act> =
        ACTS.iter().filter(|(_, anywhere)| *anywhere || scenario.github).map(|(act, _)| *act).collect();
    let mut deeds: Vec<Deed> = (0..count)
        .filter_map(|n| {
            let key = |what: &str| format!("deed/{n}/{what}");
            let act = *chance.pick(&key("act"), &may)?;
            let whole = matches!(act, Act::Cancel | Act::Retry) && chance.hits(&key("whole"), 300);
            let of_task = matches!(act, Act::Skip | Act::Retry | Act::Answer)
                || act == Act::Cancel && chance.hits(&key("task"), 600);
            let of_lane = !of_task
                && !matches!(act, Act::Pause | Act::Resume | Act::Interrupt | Act::AttachWithoutAttempts);
            let task = chance.pick(&key("which"), &scenario.tasks).filter(|_| of_task && !whole);
            let lane = chance.pick(&key("where"), &scenario.lanes).filter(|_| of_lane && !whole);
            let after = chance.within(&key("after"), 1, 140);
            Some(Deed { after, act, task: task.map(|t| t.id.clone()), lane: lane.map(|l| l.id.clone()) })
        })
        .collect();
    deeds.extend(more_deeds(chance, scenario));
    deeds.sort_by_key(|deed| deed.after);
    deeds
}

/// What is drawn apart, so that the rest of a seed stays what it was: resets, and pushes of others.
fn more_deeds(chance: Chance, scenario: &Scenario) -> Vec<Deed> {
    const RESETS: &[Act] =
        &[Act::ResetTask, Act::ResetTask, Act::ResetLane, Act::ResetTo, Act::MergeRevert, Act::CloseRevert];
    const COMES: &[Act] = &[Act::PushToLane];
    const PUSHES: &[Act] = &[Act::MoveLane, Act::MoveLane, Act::PushToPull, Act::MoveTarget];
    let mut deeds = Vec::new();
    let comes = if scenario.origin { 500 } else { 0 };
    for (kind, acts, permille) in [("resets", RESETS, 300), ("pushes", PUSHES, 250), ("comes", COMES, comes)]
    {
        let count =
            if chance.hits(kind, permille) { chance.within(&format!("{kind}/count"), 1, 4) } else { 0 };
        for n in 0..count {
            let key = |what: &str| format!("{kind}/{n}/{what}");
            let Some(&act) = chance.pick(&key("act"), acts) else { continue };
            let of_task = matches!(act, Act::ResetTask | Act::ResetTo);
            let task = chance.pick(&key("which"), &scenario.tasks).filter(|_| of_task);
            let lane = chance.pick(&key("where"), &scenario.lanes).filter(|_| !of_task);
            let after = chance.within(&key("after"), 10, 200);
            deeds.push(Deed {
                after,
                act,
                task: task.map(|t| t.id.clone()),
                lane: lane.map(|l| l.id.clone()),
            });
        }
    }
    deeds
}
