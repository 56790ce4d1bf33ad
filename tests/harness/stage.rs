//! The scripted agent on its own, without a run around it.

use std::fs;
use std::path::PathBuf;

use laneway::agent::{Assignment, Commits, EarlierAttempt, InstructionInput, instructions};
use laneway::id::{GraphName, LaneId, TaskId};
use laneway::signal::Board;

use super::{Output, Scratch};

/// One attempt of a task that the scripted agent is to make in the main worktree.
#[derive(Debug)]
pub(crate) struct Stage<'s> {
    scratch: &'s Scratch,
    board: Board,
    task: TaskId,
}

impl<'s> Stage<'s> {
    /// A stage for a task of this name.
    pub(crate) fn new(scratch: &'s Scratch, task: &str) -> Self {
        Self {
            scratch,
            board: Board::new(scratch.shared().join("board")),
            task: TaskId::new(task).expect("an id"),
        }
    }

    /// The signals of an attempt.
    pub(crate) fn signals(&self, attempt: u32) -> PathBuf {
        self.board.signals_dir(&self.task, attempt)
    }

    /// Has the agent make an attempt at `prompt`, told of `earlier` ones in the words of Laneway.
    #[track_caller]
    pub(crate) fn play(&self, prompt: &str, attempt: u32, earlier: Vec<EarlierAttempt>) -> Output {
        let up = self.board.put_up_attempt(&self.task, attempt);
        assert!(up.expect("a writable directory").in_the_way.is_empty());
        let text = instructions(&InstructionInput {
            graph: GraphName::new("rehearsal").expect("an id"),
            task: self.task.clone(),
            lane: LaneId::new("default").expect("an id"),
            attempt,
            attempts: 2,
            prompt: prompt.to_owned(),
            assignment: Assignment::default(),
            base: self.scratch.git(&["rev-parse", "HEAD"]),
            target: "main".to_owned(),
            writes: Vec::new(),
            gate: None,
            commits: Commits::Laneway,
            iteration: None,
            upstream: Vec::new(),
            earlier,
            conflict: None,
            withheld: None,
        });
        let file = self.board.attempt_dir(&self.task, attempt).join("instructions.md");
        fs::write(&file, text).expect("a writable directory");
        let signals = self.signals(attempt);
        let env = [
            ("LANEWAY_SIGNALS", signals.to_str().expect("a path in UTF-8")),
            ("LANEWAY_ATTEMPT", &attempt.to_string()),
            ("LANEWAY_TASK", self.task.as_str()),
        ];
        let file = file.to_str().expect("a path in UTF-8");
        self.scratch.program("sh", &["agents/scripted.sh", file], &env)
    }
}
