//! Who, when, where and in what order: the envelope, and its JSON line.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Event, Timestamp};
use crate::id::{GraphName, LaneId, RunNo, TaskId};

/// The version of the wire format that this version writes.
pub const SCHEMA: u16 = 1;

/// Who made something happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Laneway itself.
    Engine,
    /// An agent, by a signal file.
    Agent,
    /// A person or a tool, by a request.
    Person(String),
    /// The outside: a process, git, a forge.
    World,
}

/// What an event is about; as much of it as applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The lane.
    pub lane: Option<LaneId>,
    /// The task.
    pub task: Option<TaskId>,
    /// The attempt, from 1.
    pub attempt: Option<u32>,
    /// The process of the attempt, from 1.
    pub iteration: Option<u32>,
}

/// The file that an event was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Relative to the noticeboard.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// An event before it has its place in the sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it is about.
    pub subject: Subject,
    /// Who made it happen.
    pub actor: Actor,
    /// Where it was read.
    pub source: Option<Source>,
    /// What happened.
    pub event: Event,
}

/// An event in its place. The journal adds `prev`, the hash of the line before.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Position in the journal, from 1 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The graph of the run.
    pub graph: GraphName,
    /// The run.
    pub run: RunNo,
    /// The wire format's version.
    pub schema: u16,
    /// What it is about.
    pub subject: Subject,
    /// Who made it happen.
    pub actor: Actor,
    /// The event that it follows from.
    pub cause: Option<u64>,
    /// Where it was read.
    pub source: Option<Source>,
    /// What happened.
    pub event: Event,
}

/// A line that is no envelope.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not the JSON of an envelope.
    #[error("the line is not an event: {source}")]
    Json {
        /// What the JSON reader says.
        #[from]
        source: serde_json::Error,
    },
    /// A newer version wrote it.
    #[error("the event has schema {found}, this version of laneway reads up to {SCHEMA}")]
    Newer {
        /// Its schema.
        found: u16,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    seq: u64,
    at: Timestamp,
    graph: GraphName,
    run: RunNo,
    schema: u16,
    kind: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lane: Option<LaneId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iteration: Option<u32>,
    actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(borrow)]
    payload: std::borrow::Cow<'a, RawValue>,
}

impl Envelope {
    /// The JSON object of this event, without `prev`.
    pub fn to_json(&self) -> Result<String, WireError> {
        let payload = RawValue::from_string(self.event.payload()?)?;
        Ok(serde_json::to_string(&Wire {
            seq: self.seq,
            at: self.at,
            graph: self.graph.clone(),
            run: self.run,
            schema: self.schema,
            kind: self.event.kind().into(),
            lane: self.subject.lane.clone(),
            task: self.subject.task.clone(),
            attempt: self.subject.attempt,
            iteration: self.subject.iteration,
            actor: self.actor.clone(),
            cause: self.cause,
            source: self.source.clone(),
            payload: std::borrow::Cow::Owned(payload),
        })?)
    }

    /// Reads one line of a journal; keys it does not know (`prev` among them) are left alone.
    pub fn from_json(line: &str) -> Result<Self, WireError> {
        let wire: Wire<'_> = serde_json::from_str(line)?;
        if wire.schema > SCHEMA {
            return Err(WireError::Newer { found: wire.schema });
        }
        Ok(Self {
            event: Event::read(&wire.kind, &wire.payload)?,
            seq: wire.seq,
            at: wire.at,
            graph: wire.graph,
            run: wire.run,
            schema: wire.schema,
            subject: Subject {
                lane: wire.lane,
                task: wire.task,
                attempt: wire.attempt,
                iteration: wire.iteration,
            },
            actor: wire.actor,
            cause: wire.cause,
            source: wire.source,
        })
    }
}

impl Subject {
    /// About a lane.
    pub fn lane(lane: &LaneId) -> Self {
        Self { lane: Some(lane.clone()), ..Self::default() }
    }

    /// About a task of a lane.
    pub fn task(lane: &LaneId, task: &TaskId) -> Self {
        Self { lane: Some(lane.clone()), task: Some(task.clone()), ..Self::default() }
    }

    /// About an attempt.
    pub fn attempt(lane: &LaneId, task: &TaskId, attempt: u32) -> Self {
        Self { attempt: Some(attempt), ..Self::task(lane, task) }
    }
}

impl Draft {
    /// An event that Laneway itself decided.
    pub fn engine(subject: Subject, event: impl Into<Event>) -> Self {
        Self { subject, actor: Actor::Engine, source: None, event: event.into() }
    }

    /// An event that the outside reported.
    pub fn world(subject: Subject, event: impl Into<Event>) -> Self {
        Self { subject, actor: Actor::World, source: None, event: event.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::kind::{Unknown, WorkflowIteration};

    fn envelope(event: Event) -> Envelope {
        Envelope {
            seq: 7,
            at: Timestamp(1_700_000_000_123),
            graph: GraphName::new("demo").unwrap(),
            run: RunNo(1),
            schema: SCHEMA,
            subject: Subject::default(),
            actor: Actor::Person("ann".into()),
            cause: Some(3),
            source: None,
            event,
        }
    }

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let written = envelope(WorkflowIteration { n: 2 }.into());
        let line = written.to_json().unwrap();
        assert_eq!(Envelope::from_json(&line).unwrap(), written);
        assert!(line.contains(r#""at":"2023-11-14T22:13:20.123Z""#), "{line}");
    }

    #[test]
    fn a16_an_unknown_kind_survives_and_a_newer_schema_is_refused() {
        let payload = RawValue::from_string(r#"{"new":1}"#.into()).unwrap();
        let unknown = envelope(Event::Unknown(Unknown { kind: "later.kind".into(), payload }));
        let line = unknown.to_json().unwrap();
        assert_eq!(Envelope::from_json(&line).unwrap(), unknown);
        let newer = line.replace(r#""schema":1"#, r#""schema":9"#);
        assert!(matches!(Envelope::from_json(&newer), Err(WireError::Newer { found: 9 })));
    }
}
