//! What speaks for the life of an attempt that does not end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How long each sign of life has been missing. An age is in milliseconds of time that the machine was awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// Since its processes last used CPU time worth the name.
    pub cpu_ms: u64,
    /// Since its output last grew.
    pub output_ms: u64,
    /// Since a file in its worktree last changed.
    pub files_ms: u64,
    /// Since it last wrote a signal file.
    pub signal_ms: u64,
    /// Its processes that live.
    pub processes: u32,
    /// Sockets that they have open: what waits for an answer from afar has one.
    pub sockets: u32,
}

impl Evidence {
    /// How long there has been no sign of life at all, in milliseconds.
    pub fn quiet_ms(&self) -> u64 {
        self.cpu_ms.min(self.output_ms).min(self.files_ms).min(self.signal_ms)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "quiet for {}: no CPU time, no output, no file, no signal; ", span(self.quiet_ms()))?;
        let process = if self.processes == 1 { "process" } else { "processes" };
        write!(f, "{} {process}, ", self.processes)?;
        match self.sockets {
            0 => f.write_str("no socket open"),
            1 => f.write_str("1 socket open"),
            n => write!(f, "{n} sockets open"),
        }
    }
}

fn span(ms: u64) -> String {
    let (seconds, minutes) = (ms / 1000, ms / 60_000);
    match minutes {
        0 => format!("{seconds} s"),
        1..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p06_it_is_as_quiet_as_its_newest_sign_of_life_and_says_so_in_a_line() {
        let minute = 60_000;
        let signs = Evidence {
            cpu_ms: 30 * minute,
            output_ms: 12 * minute,
            files_ms: 13 * minute,
            signal_ms: 200 * minute,
            processes: 2,
            sockets: 1,
        };
        assert_eq!(signs.quiet_ms(), 12 * minute);
        let text = "quiet for 12 min: no CPU time, no output, no file, no signal; 2 processes, 1 socket open";
        assert_eq!(signs.to_string(), text);
        assert_eq!((span(59_999), span(7_500_000)), ("59 s".to_owned(), "2 h 5 min".to_owned()));
    }
}
