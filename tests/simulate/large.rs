//! A graph as large as anybody will write one: how long it takes to plan and to simulate, and in how much memory.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::chance::Chance;
use crate::scenario::{Fault, LaneSketch, Scenario, TaskSketch};
use crate::simulation::{Look, run_plan};

/// What a large graph took.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Figures {
    pub(crate) tasks: usize,
    pub(crate) lanes: usize,
    pub(crate) graph_bytes: usize,
    pub(crate) plan_seconds: f64,
    pub(crate) simulate_seconds: f64,
    pub(crate) steps: u64,
    pub(crate) events: u64,
    pub(crate) events_per_second: f64,
    pub(crate) peak_mib: u64,
    pub(crate) wrong: Option<String>,
}

/// Lanes in ranks: the first task of a lane needs the last of one in an earlier rank, the others the one before.
pub(crate) fn scenario(tasks: usize, lanes: usize) -> Scenario {
    let chance = Chance(1);
    let each = (tasks / lanes.max(1)).max(1);
    let rank = (lanes / 20).max(1);
    let lane = |l: usize| format!("l{l}");
    let task = |l: usize, n: usize| format!("t{l}-{n}");
    let mut all = Vec::with_capacity(tasks);
    for l in 0..lanes {
        let up = l.checked_sub(rank).map(|most| {
            let most = u64::try_from(most).unwrap_or(u64::MAX);
            usize::try_from(chance.within(&format!("up/{l}"), most.saturating_sub(rank as u64), most))
                .unwrap_or(0)
        });
        for n in 0..each {
            let needs = match n.checked_sub(1) {
                Some(before) => vec![task(l, before)],
                None => up.map(|up| task(up, each - 1)).into_iter().collect(),
            };
            all.push(TaskSketch {
                id: task(l, n),
                lane: lane(l),
                needs,
                gate: true,
                ..TaskSketch::default()
            });
        }
    }
    Scenario {
        seed: 1,
        places: 256,
        faults: BTreeMap::from([(Fault::Transient, 20), (Fault::Gate, 20), (Fault::Silent, 20)]),
        lanes: (0..lanes).map(|l| LaneSketch { id: lane(l), auto: true, ..LaneSketch::default() }).collect(),
        tasks: all,
        ..Scenario::default()
    }
}

/// Plans and simulates a graph of so many tasks in so many lanes.
pub(crate) fn measure(tasks: usize, lanes: usize) -> Figures {
    let scenario = scenario(tasks, lanes);
    let graph_bytes = scenario.graph_text().len();
    let began = Instant::now();
    let plan = scenario.plan();
    let plan_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let look = Look { most_steps: u64::MAX, stride: u64::MAX, thorough: false };
    let ended = plan.map(|plan| run_plan(&plan, &scenario, look));
    let simulate_seconds = began.elapsed().as_secs_f64();
    let (steps, events, wrong) = match ended {
        Ok(ended) => {
            let wrong = ended.wrong.map(|wrong| format!("{}: {}", wrong.broken.law, wrong.broken.how));
            (ended.steps, ended.events, wrong)
        }
        Err(why) => (0, 0, Some(why)),
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than it shows")]
    let events_per_second = events as f64 / simulate_seconds;
    Figures {
        tasks: scenario.tasks.len(),
        lanes,
        graph_bytes,
        plan_seconds,
        simulate_seconds,
        steps,
        events,
        events_per_second,
        peak_mib: peak_mib(),
        wrong,
    }
}

/// The most memory that this process has had, in MiB; 0 where the system does not say.
pub(crate) fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
