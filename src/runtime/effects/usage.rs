//! What a process of an agent used, read from its log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::attempt::Job;
use crate::agent::{UsageReader, Used};
use crate::event::{Draft, UsageRecorded};
use crate::graph::{AgentDef, OutputRules};
use crate::id::AgentName;
use crate::plan::{ReviewPlan, Work};
use crate::runtime::Context;

/// How long a line may be to be looked at, in bytes.
const MOST_LINE: u64 = 4 << 20;

/// Notes where the log of a new process begins, for whoever reads it, also after a crash.
pub(super) fn begin(record: &Path, iteration: u32) {
    let length = std::fs::metadata(record.join("agent.log")).map_or(0, |meta| meta.len());
    if let Err(error) = std::fs::write(place(record, iteration), length.to_string()) {
        tracing::warn!(%error, "what an agent used may be counted with an earlier process");
    }
}

/// Reads the log of a process that has ended. A log that cannot be read is no reason to fail an attempt.
pub(super) fn read(context: &Context, job: &Job<'_>) -> Option<Draft> {
    let Work::Agent { by, def, .. } = &job.task.work else { return None };
    let record = context.attempt_record(&job.task.id, job.number);
    let from = std::fs::read_to_string(place(&record, job.iteration)).ok();
    let from = from.and_then(|text| text.parse().ok()).unwrap_or(0);
    let event = told(&record.join("agent.log"), from, def, &by.agent, None)?;
    Some(Draft::world(job.subject.clone(), event))
}

/// Reads the log of a reviewer, also one whose answer was sealed before a crash.
pub(super) fn read_review(log: &Path, plan: &ReviewPlan, round: u32) -> Option<UsageRecorded> {
    told(log, 0, &plan.def, &plan.agent, Some(round))
}

fn told(
    log: &Path,
    from: u64,
    def: &AgentDef,
    agent: &AgentName,
    review: Option<u32>,
) -> Option<UsageRecorded> {
    let used = match used(log, from, def.output.as_ref()?) {
        Ok(used) => used?,
        // A reviewer that was never started has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound && review.is_some() => return None,
        Err(error) => {
            tracing::warn!(%error, log = %log.display(), "what the agent used could not be read");
            return None;
        }
    };
    Some(UsageRecorded {
        agent: agent.to_string(),
        session: used.session,
        input_tokens: used.input_tokens,
        cached_tokens: used.cached_tokens,
        output_tokens: used.output_tokens,
        cost_micros: used.cost_micros,
        review,
    })
}

fn place(record: &Path, iteration: u32) -> PathBuf {
    record.join(format!("log-start-{iteration}"))
}

fn used(log: &Path, from: u64, rules: &OutputRules) -> io::Result<Option<Used>> {
    let mut file = File::open(log)?;
    // One that is shorter now has been cut since; its end is still that of this process.
    let from = if file.metadata()?.len() < from { 0 } else { from };
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::new(file);
    let mut reader = UsageReader::new(rules);
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = (&mut lines).take(MOST_LINE).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(reader.finish());
        }
        if taken as u64 == MOST_LINE && !line.ends_with(b"\n") {
            lines.skip_until(b'\n')?;
            continue;
        }
        reader.line(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> OutputRules {
        OutputRules::JsonLines { session: Some("/id".to_owned()), usage: None }
    }

    #[test]
    fn a21_only_the_lines_of_this_process_count_and_long_ones_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("agent.log");
        std::fs::write(&log, "{\"id\":\"first\"}\n").unwrap();
        begin(dir.path(), 2);
        let start = std::fs::read_to_string(place(dir.path(), 2)).unwrap().parse().unwrap();
        let session = |from| used(&log, from, &rules()).unwrap().and_then(|used| used.session);
        assert_eq!(session(0).as_deref(), Some("first"));
        assert_eq!(session(start), None);
        let endless = format!("{{\"x\":\"{}\",\"id\":\"long\"}}\n", "y".repeat(5 << 20));
        std::fs::write(&log, format!("{{\"id\":\"first\"}}\n{{\"id\":\"second\"}}\n{endless}\u{fffd}\n"))
            .unwrap();
        assert_eq!(session(start).as_deref(), Some("second"));
        assert_eq!(session(u64::MAX).as_deref(), Some("second"), "a log that was cut is read whole");
    }
}
