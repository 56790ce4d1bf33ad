//! The ports of lanes. Who has which stands in the record, for all graphs and runs of the repository; what a lane was given
//! stands in its run's journal.
//!
//! The choice is a function of graph, lane and name as far as other lanes and programs let it be, so that people find
//! a lane where it was in the run before.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::net::TcpSocket;

use super::Context;
use crate::event::{CheckRecorded, CheckStatus, Failure, FailureKind};
use crate::exec;
use crate::failpoint::{self, Point};
use crate::git::{GitError, RepoLock};
use crate::id::{GraphName, LaneId};
use crate::plan::PortRange;

/// The ports of a lane, by the names of their variables.
pub(super) type Ports = BTreeMap<String, u16>;

/// The file of the record with the claims.
const FILE: &str = "ports.json";

/// One port that a lane has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    port: u16,
    name: String,
    /// The run's own name.
    run: String,
    graph: GraphName,
    lane: LaneId,
    /// Where the lane is. Once nothing is there, the claim counts no more.
    worktree: PathBuf,
}

/// Why a lane has no ports.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    /// The claims cannot be locked.
    #[error("the ports could not be locked")]
    Lock(#[source] GitError),
    /// The file cannot be read or written.
    #[error("{} could not be {doing}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// All are claimed or taken.
    #[error("no port of {range} is free for {name}")]
    NoneFree {
        /// Where it was looked.
        range: PortRange,
        /// The variable.
        name: String,
    },
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let (class, hint) = match &error {
            PortError::Lock(_) => (FailureKind::Transient, None),
            PortError::NoneFree { .. } => (
                FailureKind::Refused,
                Some(format!(
                    "end lanes that are done, then laneway retry; or widen `ports` of `[lanes]` in laneway.toml and begin anew with {}",
                    super::effects::ANEW
                )),
            ),
            PortError::File { .. } => (FailureKind::Permanent, None),
        };
        let message = super::effects::chain(&error);
        Self { class, message, hint, retry_at: None }
    }
}

/// Gives the lane, which stands at its worktree already, its ports: those that it had before, else free ones.
pub(super) fn claim(context: &Context, lane: &LaneId) -> Result<Ports, PortError> {
    let plan = context.lane(lane);
    if plan.furnish.ports.is_empty() {
        return Ok(Ports::new());
    }
    let book = Book::open(&context.project.repo.record_dir())?;
    let all = book.read()?;
    let mine = |claim: &Claim| claim.run == context.plan.uuid && claim.lane == *lane;
    let (own, mut others): (Vec<Claim>, Vec<Claim>) = all.into_iter().partition(mine);
    others.retain(|claim| claim.worktree.symlink_metadata().is_ok());
    let before = context.known_ports(lane);
    let mut ports = Ports::new();
    for name in &plan.furnish.ports {
        let held = own.iter().find(|claim| claim.name == *name).map(|claim| claim.port);
        let is_taken =
            |port: u16| others.iter().any(|c| c.port == port) || ports.values().any(|p| *p == port);
        // What it holds stays its own also while its own server listens there.
        let kept = held.filter(|port| !is_taken(*port));
        let can_be_given = |port: &u16| !is_taken(*port) && is_free(*port) && can_be_bound(*port);
        let kept = kept.or_else(|| before.get(name).copied().filter(can_be_given));
        let range = context.plan.settings.ports;
        let chosen = kept.or_else(|| {
            let wanted = first_choice(&context.plan.graph, lane, name);
            in_turn(range, wanted).find(can_be_given)
        });
        let port = chosen.ok_or_else(|| PortError::NoneFree { range, name: name.clone() })?;
        ports.insert(name.clone(), port);
    }
    let mine = ports.iter().map(|(name, port)| Claim {
        port: *port,
        name: name.clone(),
        run: context.plan.uuid.clone(),
        graph: context.plan.graph.clone(),
        lane: lane.clone(),
        worktree: plan.worktree.clone(),
    });
    others.extend(mine);
    book.write(&others)?;
    context.set_ports(lane, ports.clone());
    Ok(ports)
}

/// The evidence that ports of the lane are taken by programs that are not of this run; none where all are free or its own.
pub(super) fn taken(context: &Context, lane: &LaneId) -> Option<CheckRecorded> {
    let ports = context.known_ports(lane);
    let said: Vec<String> = ports
        .iter()
        .filter_map(|(name, port)| {
            by_whom(context, *port).map(|who| format!("{name} ({port}) is taken by {who}"))
        })
        .collect();
    (!said.is_empty()).then(|| CheckRecorded {
        name: "ports".to_owned(),
        status: CheckStatus::Warn,
        detail: said.join("; "),
        duration_ms: 0,
    })
}

/// Who of others listens there.
fn by_whom(context: &Context, port: u16) -> Option<String> {
    if is_free(port) {
        return None;
    }
    let Some(found) = exec::listener(port) else {
        return Some("a process that cannot be seen".to_owned());
    };
    let is_ours = found.tag.is_some_and(|tag| tag.starts_with(&format!("{}/", context.plan.uuid)));
    (!is_ours).then(|| format!("{} (process {})", found.name, found.pid))
}

/// Frees the ports of the lane.
pub(super) fn release(context: &Context, lane: &LaneId) -> Result<(), PortError> {
    if context.lane(lane).furnish.ports.is_empty() {
        return Ok(());
    }
    let book = Book::open(&context.project.repo.record_dir())?;
    let mut claims = book.read()?;
    claims.retain(|claim| claim.run != context.plan.uuid || claim.lane != *lane);
    book.write(&claims)
}

/// The claims, locked.
struct Book {
    path: PathBuf,
    _lock: RepoLock,
}

impl Book {
    fn open(record: &Path) -> Result<Self, PortError> {
        let lock = RepoLock::acquire(&record.join("ports.lock")).map_err(PortError::Lock)?;
        Ok(Self { path: record.join(FILE), _lock: lock })
    }

    fn read(&self) -> Result<Vec<Claim>, PortError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed("read", source)),
        };
        serde_json::from_slice(&bytes).map_err(|error| self.failed("read", error.into()))
    }

    fn write(&self, claims: &[Claim]) -> Result<(), PortError> {
        let write = || -> io::Result<()> {
            let dir = self.path.parent().unwrap_or(&self.path);
            failpoint::write(Point::PortsWrite)?;
            let mut temp = tempfile::Builder::new().prefix("ports-").tempfile_in(dir)?;
            serde_json::to_writer_pretty(&mut temp, claims)?;
            temp.as_file().sync_data()?;
            temp.persist(&self.path)?;
            failpoint::pass(Point::PortsWritten);
            Ok(())
        };
        write().map_err(|source| self.failed("written", source))
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> PortError {
        PortError::File { path: self.path.clone(), doing, source }
    }
}

fn first_choice(graph: &GraphName, lane: &LaneId, name: &str) -> u32 {
    let digest = Sha256::digest(format!("{graph}/{lane}/{name}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Every port of `range`, from the one that `wanted` falls on.
fn in_turn(range: PortRange, wanted: u32) -> impl Iterator<Item = u16> {
    let count = range.count();
    let start = wanted % count;
    let at = move |n| u16::try_from(u32::from(range.first) + (start + n) % count);
    (0..count).map(move |n| at(n).expect("it lies in the range"))
}

/// Whether nobody is seen to have the port, on any address.
///
/// Where the system shows its sockets, no socket is made to find out: a process that is forked at that moment would hold
/// it too until it has become its program, and the next look would take it for somebody else's. What is bound and does not
/// listen is not shown, so a port that is to be given away [can be bound](can_be_bound) besides.
pub(super) fn is_free(port: u16) -> bool {
    exec::is_port_taken(port).map_or_else(|_| can_be_bound(port), |is_taken| !is_taken)
}

/// Whether a server could have the port. The socket that finds out does not listen, so that whoever is forked with it is
/// never seen to have the port.
fn can_be_bound(port: u16) -> bool {
    let try_bind = |address: SocketAddr| {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As servers do; else connections that are over would keep it.
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    };
    let local =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    // Any other error is not about who has it: there is no IPv6, say.
    local
        .into_iter()
        .all(|address| try_bind(address).map_or_else(|e| e.kind() != ErrorKind::AddrInUse, |()| true))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn p13_a_port_that_somebody_listens_on_is_not_free() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to show for it.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert!(!is_free(port) && !can_be_bound(port), "{address}");
            drop(listener);
            // A process that another test has just forked may hold it a moment longer.
            while !is_free(port) {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn the_turn_visits_every_port_once() {
        let range = PortRange { first: 60_000, last: 60_009 };
        let seen: Vec<u16> = in_turn(range, 1_234_567).collect();
        assert_eq!(seen.first(), Some(&60_007));
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (60_000..=60_009).collect::<Vec<u16>>());
        assert_eq!(in_turn(PortRange { first: 1024, last: u16::MAX }, u32::MAX).count(), 64_512);
    }
}
