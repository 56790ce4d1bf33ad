//! Limits of the system, and what of it could keep agents apart.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags};
use rustix::fs::{Access, access};
use rustix::process::{Resource, getrlimit};

use super::{Finding, Needs};

/// Directories that are watched for an attempt: its signals and those in them.
const OF_ATTEMPT: u64 = 8;
/// Files that are open whatever runs: the journal, logs, git, and directories of lanes that are being written.
const OPEN_ANYWAY: u64 = 512;
/// Files that are open for an attempt: its log, its process, its standard streams.
const OPEN_FOR_ATTEMPT: u64 = 16;

/// What the system allows, against what runs need. `path` is the value of `PATH`.
pub fn limits(needs: &Needs, path: &std::ffi::OsStr) -> Vec<Finding> {
    let mut findings = vec![open_files(needs)];
    if cfg!(target_os = "linux") {
        findings.extend([watches(needs), cgroup(), landlock()]);
    }
    let bubblewrap = crate::exec::find_program("bwrap".as_ref(), path, Path::new("/"));
    findings.push(Finding::ok(
        "bubblewrap",
        match bubblewrap {
            Ok(at) => format!("{}; agents are not confined yet", at.display()),
            Err(_) => "absent; agents are not confined yet".to_owned(),
        },
    ));
    findings
}

/// Whether signals reach a run the moment that they are written, or only when it looks again.
fn watches(needs: &Needs) -> Finding {
    let attempts = u64::from(needs.max_parallel) * OF_ATTEMPT;
    let needed = attempts + needs.lanes as u64 + 2;
    let raise = |key: &str, to: u64| format!("sysctl fs.inotify.{key}={to}");
    if let Err(error) = inotify::init(CreateFlags::CLOEXEC) {
        let limit = setting("max_user_instances");
        let of = limit.map_or_else(String::new, |limit| format!(" (all {limit} may be in use)"));
        return Finding::warn(
            "watches",
            format!("nothing can be watched{of}: {error}; runs then only look again now and then"),
            raise("max_user_instances", 1024),
        );
    }
    match setting("max_user_watches") {
        Some(limit) if limit < needed => Finding::warn(
            "watches",
            format!("{limit} directories can be watched, and a run needs {needed}"),
            raise("max_user_watches", (needed * 4).max(8192)),
        ),
        Some(limit) => Finding::ok("watches", format!("{limit} directories, a run needs {needed}")),
        None => Finding::ok("watches", "signals are noticed at once"),
    }
}

fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
}

fn open_files(needs: &Needs) -> Finding {
    let needed = OPEN_ANYWAY + u64::from(needs.max_parallel) * OPEN_FOR_ATTEMPT;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Finding::warn(
            "open_files",
            format!("{limit} at once, and a run may need {needed}"),
            format!("ulimit -n {}", needed.next_power_of_two()),
        ),
        Some(limit) => Finding::ok("open_files", format!("{limit} at once, a run needs {needed} at most")),
        None => Finding::ok("open_files", "as many as wanted"),
    }
}

/// Whether groups of processes can be made here, which is how an attempt could be stopped for certain.
fn cgroup() -> Finding {
    let own = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        Some(PathBuf::from("/sys/fs/cgroup").join(line))
    });
    let found = match own {
        Some(own) if own.join("cgroup.controllers").exists() => {
            let ours = access(&own, Access::WRITE_OK).is_ok()
                && access(own.join("cgroup.procs"), Access::WRITE_OK).is_ok();
            if ours { "delegated to you" } else { "not delegated to you" }
        }
        _ => "absent",
    };
    Finding::ok("cgroup", format!("{found}; processes are told by their environment, group and parents"))
}

fn landlock() -> Finding {
    let found = match fs::read_to_string("/sys/kernel/security/lsm") {
        Ok(modules) if modules.trim().split(',').any(|module| module == "landlock") => "present",
        Ok(_) => "absent",
        Err(_) => "cannot be told",
    };
    Finding::ok("landlock", format!("{found}; agents are not confined yet"))
}
