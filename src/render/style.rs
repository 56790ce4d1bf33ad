//! The few styles that there are, by what they mean.

use anstyle::{AnsiColor, Style};

use crate::event::{CheckStatus, LaneStatus, RunStatus, TaskStatus};

/// How each meaning looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// It holds, it is done.
    pub good: Style,
    /// It failed.
    pub bad: Style,
    /// A person should look.
    pub warn: Style,
    /// It goes on.
    pub busy: Style,
    /// Less important than what is around it.
    pub dim: Style,
    /// More important than what is around it.
    pub strong: Style,
}

impl Palette {
    /// No style at all, for pipes and files.
    pub const fn plain() -> Self {
        Self {
            good: Style::new(),
            bad: Style::new(),
            warn: Style::new(),
            busy: Style::new(),
            dim: Style::new(),
            strong: Style::new(),
        }
    }

    /// The terminal's own eight colours, so that its theme decides.
    pub const fn coloured() -> Self {
        Self {
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            warn: AnsiColor::Yellow.on_default(),
            busy: AnsiColor::Cyan.on_default(),
            dim: Style::new().dimmed(),
            strong: Style::new().bold(),
        }
    }

    /// How a run's status looks.
    pub const fn run(&self, status: RunStatus) -> Style {
        match status {
            RunStatus::Running => self.busy,
            RunStatus::Completed => self.good,
            RunStatus::Blocked | RunStatus::Cancelled => self.warn,
            RunStatus::Failed => self.bad,
        }
    }

    /// How a lane's status looks.
    pub const fn lane(&self, status: LaneStatus) -> Style {
        match status {
            LaneStatus::Pending | LaneStatus::Reset => self.dim,
            LaneStatus::Active | LaneStatus::MergeReady => self.busy,
            LaneStatus::PrCreated | LaneStatus::Merged => self.good,
            LaneStatus::Failed => self.bad,
        }
    }

    /// How a task's status looks.
    pub const fn task(&self, status: TaskStatus) -> Style {
        match status {
            TaskStatus::Pending => self.dim,
            TaskStatus::Running => self.busy,
            TaskStatus::Merged | TaskStatus::Completed => self.good,
            TaskStatus::Failed => self.bad,
            TaskStatus::Skipped | TaskStatus::Cancelled | TaskStatus::Reset => self.warn,
        }
    }

    /// How a check's result looks.
    pub const fn check(&self, status: CheckStatus) -> Style {
        match status {
            CheckStatus::Pass => self.good,
            CheckStatus::Warn => self.warn,
            CheckStatus::Fail => self.bad,
            CheckStatus::Skip => self.dim,
        }
    }
}

/// `text` in `style`; just `text` where the style is plain.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_palette_adds_nothing_and_a_coloured_one_ends_what_it_begins() {
        assert_eq!(paint(Palette::plain().bad, "x"), "x");
        assert_eq!(paint(Palette::coloured().bad, "x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
    }
}
