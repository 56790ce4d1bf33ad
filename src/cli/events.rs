//! `laneway events`.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use super::tail::Tail;
use crate::event::{Envelope, KINDS};
use crate::id::{LaneId, TaskId};
use crate::view;

/// How often it is looked whether anybody still carries the run.
const LOOK: Duration = Duration::from_secs(2);

/// Show the events of a run, in the order in which they were decided
///
/// With --json each event is one line: the envelope as it stands in the journal, without the hash chain.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway events quickstart --kind check.recorded --task types\n  laneway events --follow --json"
)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// Go on with the events that come, until the run comes to rest
    #[arg(long, short)]
    follow: bool,
    /// Only events of this kind, or of a family of kinds such as `pr`
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only events about this task
    #[arg(long, value_name = "TASK")]
    task: Option<TaskId>,
    /// Only events about this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<LaneId>,
    /// Only events after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    since: u64,
}

impl EventsArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let mut tail = Tail::open(&chosen.dir(), &chosen.lock())?;
        let events = tail.take();
        self.known_kinds(&events)?;
        self.print(session, &events)?;
        if self.follow {
            self.follow(session, &mut tail)?;
        }
        Ok(Exit::Achieved)
    }

    /// Refuses what no event can be of. A newer version may have written kinds that this one does not know.
    fn known_kinds(&self, events: &[Envelope]) -> Result<(), CliError> {
        let written = events.iter().map(|event| event.event.kind());
        let mut known: BTreeSet<&str> = KINDS.iter().copied().chain(written).collect();
        known.extend(known.clone().into_iter().filter_map(|kind| Some(kind.split_once('.')?.0)));
        let Some(wrong) = self.kind.iter().find(|kind| !known.contains(kind.as_str())) else {
            return Ok(());
        };
        let hint = super::config::nearest(wrong, known.iter().copied()).map_or_else(
            || format!("the families of kinds are {}", families(&known)),
            |near| format!("did you mean `{near}`?"),
        );
        Err(CliError::usage(format!("there are no events of the kind `{wrong}`")).hint(hint))
    }

    /// Prints what comes, until nobody carries the run any more.
    fn follow(&self, session: &Session, tail: &mut Tail) -> Result<(), CliError> {
        loop {
            let carried = tail.is_carried();
            let batch = if carried {
                tail.next(LOOK)?
            } else {
                tail.look()?;
                tail.take()
            };
            self.print(session, &batch)?;
            if !carried && batch.is_empty() {
                return Ok(());
            }
        }
    }

    fn print(&self, session: &Session, events: &[Envelope]) -> Result<(), CliError> {
        session.out().with(|out| {
            for event in events.iter().filter(|event| self.wants(event)) {
                if session.json() {
                    let line = event.to_json().map_err(io::Error::other)?;
                    writeln!(out, "{line}")?;
                } else {
                    writeln!(out, "{}", view::line(event))?;
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    fn wants(&self, event: &Envelope) -> bool {
        let kind = event.event.kind();
        let family = |wanted: &String| {
            kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        event.seq > self.since
            && (self.kind.is_empty() || self.kind.iter().any(family))
            && (self.task.is_none() || self.task == event.subject.task)
            && (self.lane.is_none() || self.lane == event.subject.lane)
    }
}

fn families(known: &BTreeSet<&str>) -> String {
    let families: Vec<&str> = known.iter().copied().filter(|kind| !kind.contains('.')).collect();
    families.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, SCHEMA, Subject, Timestamp, WorkflowIteration};
    use crate::id::{GraphName, RunNo};
    use clap::Parser;

    #[derive(Parser)]
    struct Call {
        #[command(flatten)]
        events: EventsArgs,
    }

    fn wants(words: &[&str]) -> bool {
        let event = Envelope {
            seq: 7,
            at: Timestamp(0),
            graph: GraphName::new("g").unwrap(),
            run: RunNo(1),
            schema: SCHEMA,
            subject: Subject::task(&LaneId::new("api").unwrap(), &TaskId::new("types").unwrap()),
            actor: Actor::Engine,
            cause: None,
            source: None,
            event: WorkflowIteration { n: 1 }.into(),
        };
        let words = std::iter::once("events").chain(words.iter().copied());
        Call::parse_from(words).events.wants(&event)
    }

    #[test]
    fn ar30_kinds_that_no_event_can_be_of_are_refused_with_the_nearest() {
        let refused = |kind: &str| {
            let call = Call::parse_from(["events", "--kind", "pr", "--kind", kind]);
            call.events.known_kinds(&[]).err().map(|error| format!("{error:?}"))
        };
        assert_eq!((refused("task_pr.opened"), refused("custody")), (None, None));
        let told = refused("pr.opend").unwrap();
        assert!(told.contains("did you mean `pr.opened`?"), "{told}");
        let told = refused("zzzzzz").unwrap();
        assert!(told.contains("check, concern, conflict, control"), "{told}");
    }

    #[test]
    fn ar30_events_are_filtered_by_kind_family_task_lane_and_number() {
        assert!(wants(&[]));
        assert!(wants(&["--kind", "workflow.iteration"]));
        assert!(wants(&["--kind", "workflow"]));
        assert!(!wants(&["--kind", "work"]));
        assert!(wants(&["--kind", "pr", "--kind", "workflow"]));
        assert!(wants(&["--task", "types", "--lane", "api"]));
        assert!(!wants(&["--task", "other"]));
        assert!(!wants(&["--lane", "other"]));
        assert!(wants(&["--since", "6"]));
        assert!(!wants(&["--since", "7"]));
    }
}
