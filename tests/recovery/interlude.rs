//! What befalls the machine after a run was struck and before the next goes on.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::ground::Ground;

/// Hours by which clocks are set.
const HOURS: i64 = 7;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interlude {
    /// Nothing: what the run has left behind lives on.
    Nothing,
    /// The machine is started again: every process of the run is gone, and their numbers mean nothing.
    Reboot,
    /// Somebody sets the clock back.
    ClockBack,
    /// Somebody sets the clock forward.
    ClockForward,
}

impl Interlude {
    const ALL: [Self; 4] = [Self::Nothing, Self::Reboot, Self::ClockBack, Self::ClockForward];

    /// The one for the n-th blow: they take turns.
    pub(super) fn of(n: usize) -> Self {
        Self::ALL[n % Self::ALL.len()]
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "went on at once",
            Self::Reboot => "rebooted",
            Self::ClockBack => "clock set back",
            Self::ClockForward => "clock set forward",
        }
    }

    /// Has it happen. Returns the variables of the next run.
    #[track_caller]
    pub(super) fn happen(self, ground: &Ground) -> Vec<(&'static str, String)> {
        let step = match self {
            Self::Nothing => return Vec::new(),
            Self::Reboot => {
                power_off(ground);
                return vec![("LANEWAY_TEST_BOOT_ID", "the-next-boot".to_owned())];
            }
            Self::ClockBack => -HOURS * 3_600_000,
            Self::ClockForward => HOURS * 3_600_000,
        };
        let clock = ground.scratch.home().join("clock");
        fs::write(&clock, step.to_string()).expect("a home");
        vec![("LANEWAY_TEST_CLOCK", clock.to_str().expect("a path in UTF-8").to_owned())]
    }
}

/// Ends every process that was started in this ground's home, until there is none.
fn power_off(ground: &Ground) {
    loop {
        let left = processes(ground);
        if left.is_empty() {
            return;
        }
        for pid in left {
            // One that has ended meanwhile is what is wanted.
            _ = kill_process(pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

#[track_caller]
fn processes(ground: &Ground) -> Vec<Pid> {
    let home = format!("HOME={}", ground.scratch.home().display());
    let entries = fs::read_dir("/proc").expect("the list of processes");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        // Of others, and of what has ended, nothing can be read.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    pids.filter(is_ours).filter_map(Pid::from_raw).collect()
}
