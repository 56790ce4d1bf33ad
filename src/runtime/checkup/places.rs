//! Where things lie: what the record and the worktrees lie on, how lanes are made there, and how many there is room for.

use std::path::Path;

use super::{Finding, Needs};
use crate::git::{LaneFiles, LeftToGit, NotShared, Survey, Writer};
use crate::journal::{FileSystem, LockError, Locks, file_system};
use crate::plan::Share;
use crate::runtime::collection::collect_stale;
use crate::runtime::effects::chain;
use crate::runtime::{Project, claims, clock};
use crate::view::size;

/// The disks under `project`, and its lanes.
pub fn places(project: &Project, needs: &Needs) -> Vec<Finding> {
    let worktrees = standing(&needs.worktrees);
    let mut findings = vec![record(project), below_worktrees(&needs.worktrees, worktrees)];
    // What is wrong with it is said where the repository was looked at.
    let Ok(Some(head)) = project.repo.head_commit() else { return findings };
    match project.repo.survey(&head) {
        Ok(survey) => {
            let shared = sharing(project, &survey, worktrees, needs.share);
            findings.extend([lanes(&survey, &shared), room(project, &survey, shared.is_ok(), needs)]);
        }
        Err(error) => findings.push(Finding::fail("lanes", chain(&error), "git fsck".to_owned())),
    }
    findings
}

/// The part of a path that is there.
fn standing(path: &Path) -> &Path {
    path.ancestors().find(|part| part.exists()).unwrap_or(Path::new("/"))
}

fn record(project: &Project) -> Finding {
    let root = project.record.root();
    let shown = root.display();
    match file_system(standing(root)) {
        Ok(FileSystem { name, locks: Locks::Unsure }) => {
            let refused = LockError::NotShared { path: root.to_owned(), name };
            Finding::fail("record", refused.to_string(), refused.hint())
        }
        Ok(FileSystem { locks: Locks::Everywhere, name }) => {
            Finding::ok("record", format!("{shown} on {name}, whose locks hold between machines"))
        }
        Ok(FileSystem { locks: Locks::Here, .. }) => {
            Finding::ok("record", format!("{shown} on {}", kind_of(standing(root))))
        }
        Err(error) => Finding::fail("record", format!("{shown}: {error}"), None),
    }
}

fn below_worktrees(wanted: &Path, standing: &Path) -> Finding {
    let shown = wanted.display();
    if !standing.is_dir() {
        let found = format!("{} is a file, and lanes need a folder there", standing.display());
        let next = format!("move {} away, or set `worktrees` in laneway.toml", standing.display());
        return Finding::fail("worktrees", found, next);
    }
    match file_system(standing) {
        Ok(FileSystem { name, locks: Locks::Unsure | Locks::Everywhere }) => Finding::warn(
            "worktrees",
            format!("{shown} lies on a network file system ({name}), where lanes are slow"),
            "set `worktrees` in laneway.toml to a folder of a local disk".to_owned(),
        ),
        Ok(_) => Finding::ok("worktrees", format!("{shown} on {}", kind_of(standing))),
        Err(error) => Finding::fail("worktrees", format!("{shown}: {error}"), None),
    }
}

/// What a local file system is called.
fn kind_of(path: &Path) -> String {
    let Ok(found) = rustix::fs::statfs(path) else { return "something unknown".to_owned() };
    // The type of the number differs between platforms.
    let magic = i128::from(found.f_type) & 0xffff_ffff;
    let known = match magic {
        0xef53 => "ext4",
        0x9123_683e => "btrfs",
        0x5846_5342 => "xfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlayfs",
        0x2fc1_2fc1 => "zfs",
        0xca45_1a4e => "bcachefs",
        0xf2f5_2010 => "f2fs",
        0x6573_5546 => "fuse",
        _ => "a local disk",
    };
    known.to_owned()
}

/// How lanes are made, and why.
fn lanes(survey: &Survey, shared: &Result<(), String>) -> Finding {
    let way = match survey.writer {
        Writer::Plain => "written by laneway, each blob once for all lanes that wait".to_owned(),
        Writer::Mixed { of_git } => {
            format!("written by laneway, but for {of_git} files that git converts (filters, line ends)")
        }
        Writer::Git { why } => format!("written by git: {why}"),
    };
    let submodules = match survey.lane {
        Some(LaneFiles { submodules: count @ 1.., .. }) => {
            format!("; {count} submodules, unless `submodules = false`")
        }
        _ => String::new(),
    };
    let sharing = match shared {
        Ok(()) => "their files are shared: each is a snapshot of what is written once".to_owned(),
        Err(why) => format!("their files are not shared: {why}"),
    };
    let found = format!("{way}; {sharing}{submodules}");
    match survey.writer {
        Writer::Git { why: LeftToGit::Setting { key } } => {
            Finding::warn("lanes", found, format!("git config --show-origin --get-all {key}"))
        }
        _ => Finding::ok("lanes", found),
    }
}

/// Whether lanes share what they have in common, or why not.
fn sharing(project: &Project, survey: &Survey, standing: &Path, share: Share) -> Result<(), String> {
    Err(match (share, survey.writer, project.repo.can_share(standing)) {
        (Share::Never, ..) => "`share` is \"never\"".to_owned(),
        (_, _, Err(NotShared::FileSystem)) => match kind_of(standing).as_str() {
            "xfs" | "bcachefs" => "reflinks of small files gain little".to_owned(),
            kind => format!("{kind} cannot, and an overlay would have to be mounted for each"),
        },
        (_, _, Err(error)) => chain(&error),
        (_, Writer::Plain, Ok(())) => return Ok(()),
        (_, _, Ok(())) => "git has to write some of them".to_owned(),
    })
}

/// Whether the lanes fit. What is built in them comes on top.
fn room(project: &Project, survey: &Survey, shared: bool, needs: &Needs) -> Finding {
    let standing = standing(&needs.worktrees);
    let Some(lane) = survey.lane else {
        return match rustix::fs::statvfs(standing) {
            Ok(disk) => {
                Finding::ok("room", format!("{} free", size(disk.f_bavail.saturating_mul(disk.f_frsize))))
            }
            Err(error) => Finding::fail("room", format!("{}: {error}", standing.display()), None),
        };
    };
    let Some((free, fit)) = claims::fits(standing, lane) else {
        return Finding::fail("room", format!("{}: nobody can say what is free", standing.display()), None);
    };
    let (free, files, bytes) = (size(free), lane.files, size(lane.bytes));
    if shared {
        let found = format!(
            "{free} free; {files} files, about {bytes}, are written once and shared: a lane takes what is changed in it"
        );
        let written = || {
            let head = project.repo.head_commit().ok().flatten();
            head.is_some_and(|head| project.repo.is_written_once(&head).unwrap_or(false))
        };
        return match fit {
            0 if !written() => Finding::fail("room", found, what_helps(project)),
            _ => Finding::ok("room", found),
        };
    }
    let found = format!("{free} free, {files} files, about {bytes} a lane: {}", many(fit));
    let wanted = needs.lanes.max(1) as u64;
    match fit {
        0 => Finding::fail("room", found, what_helps(project)),
        _ if fit < wanted.saturating_mul(2) => {
            let found = format!("{found}, and the largest graph has {wanted}");
            Finding::warn("room", found, what_helps(project))
        }
        _ => Finding::ok("room", found),
    }
}

/// What makes room: what nobody needs, where there is anything of the kind.
fn what_helps(project: &Project) -> String {
    // What cannot be looked through is told where it is looked through for itself.
    let items = collect_stale(project, clock::now().wall).unwrap_or_default();
    let given: u64 = items.iter().filter(|item| item.spared.is_none()).map(|item| item.bytes).sum();
    if given > 0 {
        return format!("laneway gc --older-than 0d, which would give {}", size(given));
    }
    "laneway gc has nothing to give: make room on that disk, merge or cancel the runs whose lanes lie there (laneway list), or set \
     `worktrees` in laneway.toml to a folder of a larger disk"
        .to_owned()
}

fn many(fit: u64) -> String {
    match fit {
        0 => "room for none".to_owned(),
        1..1000 => format!("room for {fit}"),
        _ => "room for more than a thousand".to_owned(),
    }
}
