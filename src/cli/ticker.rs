//! What a person or a program sees of a run while it goes on.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

use super::clock::now;
use super::out::Out;
use super::screen;
use super::session::Session;
use crate::event::Envelope;
use crate::exec::last_line;
use crate::id::LaneId;
use crate::journal::Record;
use crate::render::Live;
use crate::runtime::Project;
use crate::state::State;
use crate::view;

/// How often a live display shows the time that has passed.
const TICK: Duration = Duration::from_secs(1);

/// How events are shown.
enum Form {
    /// One JSON envelope a line.
    Json,
    /// One plain line for what matters.
    Lines,
    /// Nothing.
    Silent,
    /// Plain lines above one line a lane that is kept up to date.
    Live(Box<Live>),
}

/// Shows the events of a run.
pub(super) struct Ticker {
    form: Form,
    state: State,
    record: Record,
    out: Out,
}

impl Ticker {
    /// Shows what comes after `state` in the form that the session asks for.
    pub(super) fn new(session: &Session, project: &Project, state: State) -> Self {
        let form = if session.json() {
            Form::Json
        } else if session.global.quiet {
            Form::Silent
        } else {
            let live = session.on_terminal().then(|| Live::on_terminal(screen::palette(session.color())));
            live.flatten().map_or(Form::Lines, |live| Form::Live(Box::new(live)))
        };
        Self { form, state, record: project.record.clone(), out: session.out().clone() }
    }

    /// Shows what comes until the sender is gone.
    pub(super) async fn show(mut self, mut events: UnboundedReceiver<Vec<Envelope>>) {
        if !matches!(self.form, Form::Live(_)) {
            while let Some(batch) = events.recv().await {
                self.take(&batch);
            }
            return;
        }
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                batch = events.recv() => match batch {
                    Some(batch) => self.take(&batch),
                    None => break,
                },
                _ = tick.tick() => self.refresh(),
            }
        }
        self.finish();
    }

    /// Shows a batch. Where nobody reads any more, or what is shown makes no sense, the run goes on unseen: the
    /// journal has it all.
    pub(super) fn take(&mut self, batch: &[Envelope]) {
        for event in batch {
            if let Err(error) = self.state.apply(event) {
                tracing::warn!(%error, seq = event.seq, "an event cannot be shown");
            }
        }
        if let Err(error) = self.print(batch) {
            tracing::debug!(%error, "the display is gone");
            self.form = Form::Silent;
        }
        self.refresh();
    }

    /// Where the run stands by what was shown.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Brings a live display up to date.
    pub(super) fn refresh(&mut self) {
        if let Form::Live(live) = &mut self.form {
            let progress = view::progress(self.state.plan(), &self.state, now());
            live.update(&progress, &last_lines(&self.record, &self.state));
        }
    }

    /// Takes a live display off the screen.
    pub(super) fn finish(&mut self) {
        if let Form::Live(live) = std::mem::replace(&mut self.form, Form::Silent)
            && let Err(error) = live.finish()
        {
            tracing::debug!(%error, "the display is gone");
        }
    }

    fn print(&mut self, batch: &[Envelope]) -> io::Result<()> {
        match &mut self.form {
            Form::Silent => {}
            Form::Live(live) => {
                for event in batch.iter().filter(|event| view::important(event)) {
                    live.println(&view::line(event))?;
                }
            }
            Form::Lines => {
                self.out.with(|out| {
                    for event in batch.iter().filter(|event| view::important(event)) {
                        writeln!(out, "{}", view::line(event))?;
                    }
                    Ok(())
                })?;
            }
            Form::Json => {
                self.out.with(|out| {
                    for event in batch {
                        let line = event.to_json().map_err(io::Error::other)?;
                        writeln!(out, "{line}")?;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// The last line that the agent at work in each lane has written.
fn last_lines(record: &Record, state: &State) -> BTreeMap<LaneId, String> {
    let plan = state.plan();
    let mut lines = BTreeMap::new();
    for (index, task) in plan.tasks.iter().enumerate() {
        let Some(attempt) = state.tasks[index].attempts.last() else {
            continue;
        };
        if attempt.status.is_terminal() {
            continue;
        }
        let log: PathBuf =
            record.attempt_dir(&plan.graph, plan.run, &task.id, attempt.number).join("agent.log");
        // A log that is not there yet, or cannot be read, has nothing to show.
        if let Ok(Some(line)) = last_line(&log) {
            lines.insert(task.lane.clone(), line);
        }
    }
    lines
}
