//! A program that runs while the test goes on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use notify::{RecursiveMode, Watcher as _};
use rustix::process::{Pid, Signal, kill_process};

use super::Output;

enum Heard {
    Line(String),
    /// Something happened in a directory that is waited for.
    Changed,
    Ended(ExitStatus, String),
}

/// A program that has been started. Killed when it is dropped before its end was waited for.
#[derive(Debug)]
pub(crate) struct Running {
    command: String,
    pid: Pid,
    tell: Sender<Heard>,
    heard: Receiver<Heard>,
    lines: Vec<String>,
    ended: Option<(ExitStatus, String)>,
}

impl Running {
    pub(super) fn start(mut command: Command, shown: String) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let pid = Pid::from_child(&child);
        let (tell, heard) = channel();
        let mut stderr = child.stderr.take().expect("it is piped");
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is still worth showing.
            _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let teller = tell.clone();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                _ = teller.send(Heard::Line(line));
            }
            let status = child.wait().expect("a child can be waited for");
            let errors = errors.join().expect("reading does not panic");
            _ = teller.send(Heard::Ended(status, errors));
        });
        Self { command: shown, pid, tell, heard, lines: Vec::new(), ended: None }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the process is ours");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Output {
        while self.ended.is_none() {
            self.listen();
        }
        let (status, stderr) = self.ended.clone().expect("the loop has seen it");
        let stdout = self.lines.iter().fold(String::new(), |text, line| text + line + "\n");
        Output::new(self.command.clone(), status, stdout, stderr)
    }

    /// Waits for a line of its standard output, among those that came already too.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for_nth_line(1, wanted)
    }

    /// Waits for the `n`th such line, counted from one.
    #[track_caller]
    pub(crate) fn wait_for_nth_line(&mut self, n: usize, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            if let Some(line) = self.lines.iter().filter(|line| wanted(line)).nth(n - 1) {
                return line.clone();
            }
            self.listen_for("the line");
        }
    }

    /// Waits until `dir` holds all of these.
    #[track_caller]
    pub(crate) fn wait_for_files(&mut self, dir: &Path, names: &[String]) {
        let tell = self.tell.clone();
        let mut watcher = notify::recommended_watcher(move |_| {
            // Nobody listens any more when the test is over.
            _ = tell.send(Heard::Changed);
        })
        .expect("a directory can be watched");
        watcher.watch(dir, RecursiveMode::NonRecursive).expect("the directory is there");
        while !names.iter().all(|name| dir.join(name).exists()) {
            self.listen_for("the files");
        }
    }

    #[track_caller]
    fn listen_for(&mut self, what: &str) {
        if let Some((status, stderr)) = &self.ended {
            let stdout = self.lines.join("\n");
            panic!(
                "`{}` ended with {status} before {what} came\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
                self.command
            );
        }
        self.listen();
    }

    fn listen(&mut self) {
        match self.heard.recv().expect("a sender is kept here") {
            Heard::Line(line) => self.lines.push(line),
            Heard::Changed => {}
            Heard::Ended(status, stderr) => self.ended = Some((status, stderr)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may have ended just now.
            _ = kill_process(self.pid, Signal::KILL);
        }
    }
}
