//! Carries a run in this process: interrupts in, lines or live lanes out, and the exit code at the end.

use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::session::{Session, say};
use super::ticker::Ticker;
use crate::event::{LaneStatus, RunStatus};
use crate::journal::RunLock;
use crate::plan::Plan;
use crate::runtime::{Drive, Project, drive};
use crate::state::State;
use crate::view::{Outcome, exit_class};

/// The exit code of a program that an interrupt ended at once.
const KILLED_BY_INTERRUPT: i32 = 130;

/// A run that is to be carried.
pub(super) struct Ride {
    /// The repository.
    pub(super) project: Project,
    /// The frozen plan.
    pub(super) plan: Arc<Plan>,
    /// Where the run stands, for the display.
    pub(super) state: State,
    /// The right to carry it.
    pub(super) lock: RunLock,
    /// Whether it is carried on until every pull request is merged.
    pub(super) wait_merged: bool,
}

/// Makes the threads that a run needs.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let workers = thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 4));
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().map_err(|error| {
        CliError::new("threads", Exit::Environment, "no threads can be started").hint(error.to_string())
    })
}

/// Carries the run until it rests, shows it meanwhile, and says what became of it.
pub(super) fn ride(session: &Session, ride: Ride) -> Result<Exit, CliError> {
    let wait_merged = ride.wait_merged;
    let state = runtime()?.block_on(carry(session, ride))?;
    if !session.json() {
        session.answer(&screen::summary(&state))?;
    }
    let exit = exit_of(&state, wait_merged);
    if exit == Exit::Interrupted {
        session.note(&format!("`laneway resume {}` goes on with it", state.plan().graph));
    }
    Ok(exit)
}

async fn carry(session: &Session, ride: Ride) -> Result<State, CliError> {
    let (pressed, interrupts) = mpsc::unbounded_channel();
    let (events, shown) = mpsc::unbounded_channel();
    let [int, term] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let not_heard = |error: std::io::Error| {
        CliError::new("signals", Exit::Environment, "interrupts cannot be received").hint(error.to_string())
    };
    let listener = tokio::spawn(listen(int.map_err(not_heard)?, term.map_err(not_heard)?, pressed));
    let ticker = Ticker::new(session, &ride.project, ride.state);
    let display = tokio::spawn(ticker.show(shown));
    let result = drive(Drive {
        project: ride.project,
        plan: ride.plan,
        lock: ride.lock,
        attempts: true,
        wait_merged: ride.wait_merged,
        events: Some(events),
        interrupts,
        environment: session.environment(),
    })
    .await;
    listener.abort();
    // The run has dropped its sender, so the display ends when it has shown everything.
    if let Err(error) = display.await {
        tracing::warn!(%error, "the display ended early");
    }
    Ok(result?)
}

/// Hands interrupts on: the first lets work finish, the second stops it, the third ends the program.
async fn listen(mut int: Signal, mut term: Signal, pressed: UnboundedSender<()>) {
    for text in [
        "interrupted: nothing new is started, what runs may finish; once more stops it",
        "interrupted again: what runs is stopped; once more leaves at once",
    ] {
        wait(&mut int, &mut term).await;
        say(text);
        // A run that is over needs no interrupt.
        let _ = pressed.send(());
    }
    wait(&mut int, &mut term).await;
    std::process::exit(KILLED_BY_INTERRUPT);
}

async fn wait(int: &mut Signal, term: &mut Signal) {
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
}

/// How the program ends after a run has come to rest in `state`.
pub(super) fn exit_of(state: &State, wait_merged: bool) -> Exit {
    let all_merged = || state.lanes.iter().all(|lane| lane.status == LaneStatus::Merged);
    match state.run.status {
        Some(RunStatus::Running) | None => Exit::Interrupted,
        Some(_) if state.run.interrupts > 0 && wait_merged && !all_merged() => Exit::Interrupted,
        Some(_) if wait_merged && !all_merged() => Exit::Failed,
        Some(_) => match exit_class(state) {
            Outcome::Achieved => Exit::Achieved,
            Outcome::Attention => Exit::Failed,
        },
    }
}
