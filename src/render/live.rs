//! Lines that change in place while a run goes on: one a lane, and one for the run.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::id::LaneId;
use crate::view::plain::one_line;
use crate::view::{LaneLine, Phase, Progress};

use super::style::{Palette, paint};

/// How much of an agent's last line of output is shown, in characters.
const OUTPUT_SHOWN: usize = 120;

/// Lines on a terminal that are redrawn in place.
#[derive(Debug)]
pub struct Live {
    screen: MultiProgress,
    lanes: BTreeMap<LaneId, ProgressBar>,
    run: ProgressBar,
    palette: Palette,
}

impl Live {
    /// Lines on standard error; `None` where that is no terminal.
    pub fn on_terminal(palette: Palette) -> Option<Self> {
        io::stderr().is_terminal().then(|| Self::new(ProgressDrawTarget::stderr(), palette))
    }

    fn new(target: ProgressDrawTarget, palette: Palette) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let run = screen.add(bar());
        Self { screen, lanes: BTreeMap::new(), run, palette }
    }

    /// Shows what goes on now; `output` holds the last line that a lane's agent wrote.
    pub fn update(&mut self, progress: &Progress, output: &BTreeMap<LaneId, String>) {
        let width = progress.lanes.iter().map(|l| l.lane.as_str().len()).max().unwrap_or(0);
        for line in &progress.lanes {
            let text = lane_text(line, width, output.get(&line.lane), &self.palette);
            let (screen, run) = (&self.screen, &self.run);
            let lane =
                self.lanes.entry(line.lane.clone()).or_insert_with(|| screen.insert_before(run, bar()));
            lane.set_message(text);
        }
        self.run.set_message(paint(self.palette.strong, &progress.to_string()));
    }

    /// Writes a line that stays, above those that change.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn println(&self, line: &str) -> io::Result<()> {
        self.screen.println(line)
    }

    /// Takes the changing lines away.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn finish(self) -> io::Result<()> {
        self.screen.clear()
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well formed");
    ProgressBar::new_spinner().with_style(style)
}

fn lane_text(line: &LaneLine, width: usize, output: Option<&String>, palette: &Palette) -> String {
    let style = match line.phase {
        Phase::Waiting | Phase::Pausing | Phase::Undone => palette.dim,
        Phase::Person => palette.warn,
        Phase::Failed => palette.bad,
        Phase::Merged | Phase::PrOpen { .. } => palette.good,
        _ => palette.busy,
    };
    let name = format!("{:width$}", line.lane);
    let mut text = format!("{name}  {}", paint(style, &line.to_string()));
    let last = output.filter(|_| matches!(line.phase, Phase::Agent | Phase::Command));
    if let Some(last) = last.map(|o| one_line(o, OUTPUT_SHOWN)).filter(|o| !o.is_empty()) {
        text.push_str("  ");
        text.push_str(&paint(palette.dim, &last));
    }
    text
}

#[cfg(test)]
mod tests;
