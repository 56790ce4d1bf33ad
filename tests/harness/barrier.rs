//! A place where processes wait for each other, and the test for them all.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use super::{Running, Scratch};

/// A barrier for processes with names. Each reaches it by running [`Barrier::command`] and is held there.
#[derive(Debug)]
pub(crate) struct Barrier {
    dir: PathBuf,
    names: Vec<String>,
    gates: Vec<File>,
}

impl Barrier {
    /// A barrier for processes with these names.
    pub(crate) fn new(scratch: &Scratch, barrier: &str, names: &[String]) -> Self {
        let dir = scratch.shared().join(barrier);
        fs::create_dir(&dir).expect("a new directory");
        let gate = |name: &String| {
            let path = dir.join(format!("go-{name}"));
            scratch.mkfifo(&path);
            // Open at both ends from the start: then nobody is held by an open, and the test never is.
            OpenOptions::new().read(true).write(true).open(path).expect("the fifo is there")
        };
        let gates = names.iter().map(gate).collect();
        Self { names: names.to_vec(), gates, dir }
    }

    /// A shell command that says that `name` is here and waits until the barrier opens.
    pub(crate) fn command(&self, name: &str) -> String {
        let dir = self.dir.display();
        format!(": > '{dir}/at-{name}' && read -r word < '{dir}/go-{name}'")
    }

    /// Waits until everybody is here at the same time. Fails when `running` ends first.
    #[track_caller]
    pub(crate) fn gather(&self, running: &mut Running) {
        let here: Vec<String> = self.names.iter().map(|name| format!("at-{name}")).collect();
        running.wait_for_files(&self.dir, &here);
    }

    /// Lets everybody go on.
    pub(crate) fn open(&mut self) {
        for gate in &mut self.gates {
            gate.write_all(b"go\n").expect("the fifo is open");
        }
    }
}
