//! Waiting for a process in one thread: git is called so often that a thread for each call counts.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::time::Timespec;

/// What tells of the end of `child`.
pub(super) fn end_of(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// Reads what `child` says and waits for its `end`. When that takes longer than `patience`, and then twice as long and so on,
/// `look` is called. A child that cannot be heard is ended.
pub(super) fn until(
    mut child: Child,
    end: OwnedFd,
    patience: Duration,
    look: impl Fn(),
) -> io::Result<Output> {
    let out = child.stdout.take().map(|out| File::from(OwnedFd::from(out)));
    let err = child.stderr.take().map(|err| File::from(OwnedFd::from(err)));
    match hear([out, err, Some(File::from(end))], patience, look) {
        Ok([stdout, stderr]) => Ok(Output { status: child.wait()?, stdout, stderr }),
        Err(error) => {
            // Asked to end, git takes its locks away. It is not reaped yet, so the id is its own.
            kill_process(Pid::from_child(&child), Signal::TERM)?;
            child.wait()?;
            Err(error)
        }
    }
}

/// What is said in the first two of `open`, until all have ended.
fn hear(mut open: [Option<File>; 3], mut patience: Duration, look: impl Fn()) -> io::Result<[Vec<u8>; 2]> {
    let mut said = [Vec::new(), Vec::new()];
    let mut deadline = Instant::now() + patience;
    while open.iter().any(Option::is_some) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            look();
            patience *= 2;
            deadline = Instant::now() + patience;
            continue;
        }
        let Some(ready) = ready(&open, left)? else { continue };
        // The end comes last, and says nothing.
        let ended = said.get_mut(ready).map_or(Ok(0), |said| read_some(open[ready].as_ref(), said))? == 0;
        if ended {
            open[ready] = None;
        }
    }
    Ok(said)
}

/// The first of `open` that has something to tell; `None` where none has for as long as `patience`, or a signal came first.
fn ready(open: &[Option<File>; 3], patience: Duration) -> io::Result<Option<usize>> {
    let most = Timespec::try_from(patience).map_err(io::Error::other)?;
    let known = || open.iter().enumerate().filter_map(|(at, file)| Some((at, file.as_ref()?)));
    let mut asked: Vec<PollFd<'_>> = known().map(|(_, file)| PollFd::new(file, PollFlags::IN)).collect();
    match poll(&mut asked, Some(&most)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let told = asked.iter().map(|asked| !asked.revents().is_empty());
    Ok(known().zip(told).find(|(_, told)| *told).map(|((at, _), _)| at))
}

/// Adds what is there to be read; 0 bytes are its end.
fn read_some(from: Option<&File>, to: &mut Vec<u8>) -> io::Result<usize> {
    let Some(mut from) = from else { return Ok(0) };
    let mut some = [0; 8 * 1024];
    loop {
        match from.read(&mut some) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                to.extend_from_slice(&some[..read.as_ref().copied().unwrap_or_default()]);
                return read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start real processes")]

    use std::cell::Cell;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{ChildStdout, Command, Stdio};

    use super::*;

    fn started(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("sh")
    }

    #[test]
    fn all_that_is_said_is_heard_and_how_it_ended() {
        let child = started("head -c 300000 /dev/zero; echo oh >&2; exit 3");
        let end = end_of(&child).expect("a descriptor");
        let output = until(child, end, Duration::from_secs(60), || {}).expect("output");
        assert_eq!((output.stdout.len(), output.stderr.as_slice()), (300_000, b"oh\n".as_slice()));
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn one_that_has_closed_everything_is_looked_after_until_it_ends() {
        let mut child = started("exec >&- 2>&-; read line");
        let end = end_of(&child).expect("a descriptor");
        let stdin = Cell::new(child.stdin.take());
        // It ends when somebody has looked.
        let output = until(child, end, Duration::from_millis(1), || drop(stdin.take())).expect("output");
        assert_eq!(output.status.code(), Some(1));
    }

    #[test]
    fn one_that_never_falls_silent_is_looked_after_too() {
        let talk = "n=0; while [ $n -lt 3000000 ]; do echo x; n=$((n+1)); done";
        let mut child = started(&format!("exec 3<&0; (read line <&3; kill $$) & {talk}"));
        let end = end_of(&child).expect("a descriptor");
        let stdin = Cell::new(child.stdin.take());
        // It is ended when somebody has looked.
        let output = until(child, end, Duration::from_millis(100), || drop(stdin.take())).expect("output");
        assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn one_that_cannot_be_heard_is_ended_and_reaped() {
        let mut child = started("read line");
        let (end, pid) = (end_of(&child).expect("a descriptor"), Pid::from_child(&child));
        let _stays_open = child.stdin.take();
        // A directory always has something to tell, and cannot be read.
        let odd = File::open("/").expect("the root");
        child.stdout = Some(ChildStdout::from(OwnedFd::from(odd)));
        let heard = until(child, end, Duration::from_secs(60), || {});
        assert_eq!(heard.expect_err("it cannot be read").kind(), io::ErrorKind::IsADirectory);
        assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    }
}
