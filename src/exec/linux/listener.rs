//! Who listens on a port.

use std::collections::BTreeSet;
use std::fs;

use super::proc::{Tag, all, tag};
use crate::exec::process::Listener;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The process that listens on the TCP port; `None` where nobody does, or it is not to be seen (another user's).
pub fn listener(port: u16) -> Option<Listener> {
    let sockets: BTreeSet<String> =
        ["tcp", "tcp6"].iter().flat_map(|table| listening(&read(table), port)).collect();
    if sockets.is_empty() {
        return None;
    }
    let holder = all().ok()?.into_iter().find(|one| holds(one.pid, &sockets))?;
    let name = fs::read_to_string(format!("/proc/{}/comm", holder.pid)).unwrap_or_default();
    let tag = match tag(holder.pid) {
        Tag::Found(tag) => Some(String::from_utf8_lossy(&tag).into_owned()),
        Tag::Absent | Tag::Unreadable => None,
    };
    Some(Listener { pid: holder.pid, name: name.trim().to_owned(), tag })
}

fn read(table: &str) -> String {
    // A machine without IPv6 has no such table.
    fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default()
}

/// The names of the sockets that listen on `port`.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let socket = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_one = words.get(1)?.ends_with(&wanted) && *words.get(3)? == LISTENING;
        is_one.then(|| words.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    };
    table.lines().skip(1).filter_map(socket).collect()
}

fn holds(pid: u32, sockets: &BTreeSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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
            assert_eq!(listener(port), None);
        }
    }
}
