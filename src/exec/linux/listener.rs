//! Who listens on a port.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use super::proc::{Seen, Tag, all, tag};
use crate::exec::process::Listener;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The state of a connection that is over and holds nobody up any more.
const TIME_WAIT: &str = "06";

/// Whether a socket that listens or is connected has the TCP port, of whatever process.
///
/// One that is bound and does neither is not shown: only a socket that is bound there too would tell.
///
/// # Errors
/// Where the system does not show its sockets.
pub fn is_port_taken(port: u16) -> io::Result<bool> {
    let v4 = fs::read_to_string("/proc/net/tcp")?;
    let is_held = |state: &str| state != TIME_WAIT;
    Ok([v4, v6()].iter().any(|table| !sockets(table, port, is_held).is_empty()))
}

/// The process that listens on the TCP port; `None` where nobody does, or it is not to be seen (another user's).
pub fn listener(port: u16) -> Option<Listener> {
    let v4 = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let sockets: BTreeSet<String> =
        [v4, v6()].iter().flat_map(|table| sockets(table, port, |state| state == LISTENING)).collect();
    if sockets.is_empty() {
        return None;
    }
    let holder = eldest(all().ok()?.into_iter().filter(|one| holds(one.pid, &sockets)).collect())?;
    let name = fs::read_to_string(format!("/proc/{}/comm", holder.pid)).unwrap_or_default();
    let tag = match tag(holder.pid) {
        Tag::Found(tag) => Some(String::from_utf8_lossy(&tag).into_owned()),
        Tag::Absent | Tag::Unreadable => None,
    };
    Some(Listener { pid: holder.pid, name: name.trim().to_owned(), tag })
}

/// The sockets of IPv6; none on a machine without it.
fn v6() -> String {
    fs::read_to_string("/proc/net/tcp6").unwrap_or_default()
}

/// The names of the sockets on `port` in a state that counts.
fn sockets(table: &str, port: u16, counts: impl Fn(&str) -> bool) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let socket = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_one = words.get(1)?.ends_with(&wanted) && counts(words.get(3)?);
        is_one.then(|| words.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// The holder that the others have the socket from. A process that has only just been forked holds all that its parent
/// does, and the numbers of processes begin anew: neither the first that is found nor the lowest is the one that is meant.
fn eldest(holders: Vec<Seen>) -> Option<Seen> {
    let pids: BTreeSet<u32> = holders.iter().map(|one| one.pid).collect();
    holders.into_iter().min_by_key(|one| (pids.contains(&one.parent), one.start_time, one.pid))
}

fn holds(pid: u32, sockets: &BTreeSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::proc::parse_stat;
    use super::*;

    #[test]
    fn p13_whoever_listens_is_found_by_pid_and_name() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to show for it.
            let Ok(socket) = TcpListener::bind(address) else { continue };
            let port = socket.local_addr().unwrap().port();
            let found = listener(port).unwrap();
            assert_eq!(found.pid, std::process::id());
            assert!(found.name.starts_with("laneway"), "{found:?}");
            drop(socket);
            // A process that another test has just forked may hold it a moment longer.
            while listener(port).is_some() {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn p13_a_port_is_taken_by_whoever_listens_and_by_either_end_of_a_connection() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(is_port_taken(port).unwrap());
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(is_port_taken(client.local_addr().unwrap().port()).unwrap());
    }

    #[test]
    fn p13_the_process_that_others_have_a_port_from_is_named_whatever_their_numbers() {
        let seen = |pid, parent, start_time| {
            let fields = format!("{parent} {pid} {pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start_time} 0 0");
            parse_stat(pid, format!("{pid} (server) S {fields}").as_bytes()).unwrap()
        };
        let of = |holders: Vec<Seen>| eldest(holders).map(|one| one.pid);
        assert_eq!(of(vec![seen(7, 900, 50), seen(900, 1, 50), seen(8, 900, 51)]), Some(900));
        // Its parent is gone: the first of its children.
        assert_eq!(of(vec![seen(12, 1, 9), seen(11, 1, 10)]), Some(12));
        assert_eq!(of(Vec::new()), None);
    }
}
