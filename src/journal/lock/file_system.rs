//! What a lock file lies on, and whether a lock there holds against every process that could take it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether `flock` keeps out who works on the same files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// It does, and only this machine has the files.
    Here,
    /// It does, from other machines too.
    Everywhere,
    /// It may not: another machine, or the host of this one, could take the same lock.
    Unsure,
}

/// A file system, as far as locks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// What the system calls it.
    pub name: String,
    /// What its locks are worth.
    pub locks: Locks,
}

/// Tells what `path` lies on.
pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    if !cfg!(target_os = "linux") {
        return Ok(FileSystem { name: "local".to_owned(), locks: Locks::Here });
    }
    // The type of the number differs between platforms, and where it is 32 bits wide it can be negative.
    let magic = i128::from(rustix::fs::statfs(path)?.f_type) & 0xffff_ffff;
    // The list of mounts can be long and is only needed where the number alone does not tell.
    let Some(family) = u64::try_from(magic).ok().and_then(Family::of) else {
        return Ok(FileSystem { name: "local".to_owned(), locks: Locks::Here });
    };
    let device = fs::metadata(path)?.dev();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(family.judge(mount_of(&mounts, device).as_ref()))
}

/// File systems whose files others may have as well, by their numbers in `statfs(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Nfs,
    Lustre,
    /// One in user space, which may be anything.
    Fuse,
    /// One that keeps locks to the machine, or cannot be trusted to do otherwise.
    Unsure(&'static str),
}

/// Programs that show another machine's files, as they stand behind `fuse.` in the list of mounts.
const REMOTE_FUSE: [&str; 10] = [
    "sshfs",
    "rclone",
    "s3fs",
    "gcsfuse",
    "goofys",
    "blobfuse2",
    "curlftpfs",
    "davfs",
    "gvfsd-fuse",
    "vmhgfs-fuse",
];

impl Family {
    const fn of(magic: u64) -> Option<Self> {
        Some(match magic {
            0x6969 => Self::Nfs,
            0x0bd0_0bd0 => Self::Lustre,
            0x6573_5546 => Self::Fuse,
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Self::Unsure("smb"),
            0x0102_1997 => Self::Unsure("9p"),
            0x5346_414f | 0x6b41_4653 => Self::Unsure("afs"),
            0x7375_7245 => Self::Unsure("coda"),
            0x564c => Self::Unsure("ncp"),
            0x786f_4256 => Self::Unsure("vboxsf"),
            _ => return None,
        })
    }

    /// What the options of the mount, where it was found, make of it. Linux hands locks on to an NFS server since
    /// 2.6.12, unless the mount says otherwise; Lustre does only where the mount says so.
    fn judge(self, mount: Option<&Mount<'_>>) -> FileSystem {
        let name = mount.map(|mount| mount.kind.to_owned());
        let has = |option: &str| mount.is_some_and(|mount| mount.options.split(',').any(|o| o == option));
        let (family, locks) = match self {
            Self::Nfs if has("local_lock=none") && !has("nolock") => ("nfs", Locks::Everywhere),
            Self::Nfs => ("nfs", Locks::Unsure),
            Self::Lustre if has("flock") => ("lustre", Locks::Everywhere),
            Self::Lustre => ("lustre", Locks::Unsure),
            Self::Fuse if mount.is_some_and(Mount::is_remote_fuse) => ("fuse", Locks::Unsure),
            Self::Fuse => ("fuse", Locks::Here),
            Self::Unsure(family) => (family, Locks::Unsure),
        };
        FileSystem { name: name.unwrap_or_else(|| family.to_owned()), locks }
    }
}

/// A line of `/proc/self/mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    kind: &'a str,
    /// Those of the mount and those of the file system, separated by commas.
    options: String,
}

impl Mount<'_> {
    fn is_remote_fuse(&self) -> bool {
        self.kind.strip_prefix("fuse.").is_some_and(|program| REMOTE_FUSE.contains(&program))
    }
}

/// The newest mount of a device. After the mount's own options comes a varying number of fields, ended by a dash.
fn mount_of(mounts: &str, device: u64) -> Option<Mount<'_>> {
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    mounts.lines().rev().find_map(|line| {
        let (mount, of_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        if fields.nth(2)? != wanted {
            return None;
        }
        let of_mount = fields.nth(2)?;
        let mut fields = of_system.split(' ');
        let kind = fields.next()?;
        Some(Mount { kind, options: format!("{of_mount},{}", fields.nth(1)?) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a machine with all of them shows them.
    const MOUNTS: &str = "\
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 24 0:50 / /home rw,relatime shared:9 - nfs4 nas:/home rw,vers=4.2,hard,local_lock=none,addr=10.0.0.9
32 24 0:51 / /old rw,relatime - nfs nas:/old rw,vers=3,nolock,local_lock=all,addr=10.0.0.9
33 24 0:52 / /half rw - nfs nas:/half rw,vers=3,local_lock=flock
34 24 0:53 / /share rw - cifs //nas/share rw,vers=3.1.1
35 24 0:54 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs
36 24 0:55 / /scratch rw,flock - lustre mds@tcp:/fs rw,flock,lazystatfs
37 24 0:56 / /scratch2 rw - lustre mds@tcp:/fs2 rw,localflock
38 24 0:57 / /ssh rw - fuse.sshfs host:/x rw,user_id=0
39 24 0:58 / /vault rw - fuse.gocryptfs /x rw,user_id=0
40 24 0:59 / /afs rw shared:3 master:4 - afs none rw
";

    fn judged(magic: u64, minor: u32) -> Option<(String, Locks)> {
        let family = Family::of(magic)?;
        let device = rustix::fs::makedev(0, minor);
        let found = family.judge(mount_of(MOUNTS, device).as_ref());
        Some((found.name, found.locks))
    }

    #[test]
    fn ar26_a_file_system_is_known_by_its_number_and_judged_by_its_mount() {
        let is = |name: &str, locks| Some((name.to_owned(), locks));
        for (magic, minor, expected) in [
            (0xef53, 1, None),
            (0x9123_683e, 1, None),
            (0x6969, 50, is("nfs4", Locks::Everywhere)),
            (0x6969, 51, is("nfs", Locks::Unsure)),
            (0x6969, 52, is("nfs", Locks::Unsure)),
            (0x6969, 99, is("nfs", Locks::Unsure)),
            (0xff53_4d42, 53, is("cifs", Locks::Unsure)),
            (0xfe53_4d42, 53, is("cifs", Locks::Unsure)),
            (0x0102_1997, 54, is("9p", Locks::Unsure)),
            (0x0bd0_0bd0, 55, is("lustre", Locks::Everywhere)),
            (0x0bd0_0bd0, 56, is("lustre", Locks::Unsure)),
            (0x6573_5546, 57, is("fuse.sshfs", Locks::Unsure)),
            (0x6573_5546, 58, is("fuse.gocryptfs", Locks::Here)),
            (0x5346_414f, 59, is("afs", Locks::Unsure)),
            (0x6b41_4653, 99, is("afs", Locks::Unsure)),
        ] {
            assert_eq!(judged(magic, minor), expected, "{magic:x} 0:{minor}");
        }
    }

    #[test]
    fn ar26_the_mount_of_our_own_files_is_found() {
        let device = fs::metadata("/proc").expect("a mount").dev();
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a list");
        assert_eq!(mount_of(&mounts, device).map(|mount| mount.kind), Some("proc"));
        assert_eq!(file_system(Path::new("/proc")).expect("it is there").locks, Locks::Here);
    }
}
