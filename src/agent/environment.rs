//! The environment of an agent, a `run` task or a gate.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Tokens that are Laneway's to use, not an agent's: pull requests are opened by Laneway.
const SECRETS: &[&str] = &["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// What would lead an agent's git to another repository, index or object store than the lane's, as when Laneway is
/// started from a hook or by `git -c ...`. How the user likes git to behave (`GIT_SSH_COMMAND`, `GIT_EDITOR`,
/// `GIT_AUTHOR_NAME`, `GIT_CONFIG_GLOBAL`, ...) is kept.
const GIT_PLUMBING: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_OPTIONAL_LOCKS",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

const CEILING: &str = "GIT_CEILING_DIRECTORIES";

/// Makes the complete environment of a process in `lane` from the user's (`base`), without what is meant for Laneway
/// or for another repository, and with `given` (the `LANEWAY_*` variables, those of the task). What is given wins, and
/// the last of two with the same name does. `lane` is absolute and free of symbolic links.
pub fn environment(
    base: &[(OsString, OsString)],
    lane: &Path,
    given: &[(OsString, OsString)],
) -> Vec<(OsString, OsString)> {
    let mut environment: BTreeMap<OsString, OsString> =
        base.iter().filter(|(name, _)| is_kept(name)).cloned().collect();
    if let Some(parent) = lane.parent() {
        let ceiling = environment.entry(CEILING.into()).or_default();
        let mut joined = parent.as_os_str().to_owned();
        if !ceiling.is_empty() {
            joined.push(":");
            joined.push(&*ceiling);
        }
        *ceiling = joined;
    }
    // Many programs believe `PWD` without a look.
    environment.insert("PWD".into(), lane.into());
    environment.extend(given.iter().cloned());
    environment.into_iter().collect()
}

fn is_kept(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return true };
    !(name.starts_with("LANEWAY_")
        || name == "OLDPWD"
        || SECRETS.contains(&name)
        || GIT_PLUMBING.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn an_agent_gets_the_users_environment_but_no_token_and_no_other_repository() {
        let base = pairs(&[
            ("PATH", "/bin"),
            ("CARGO_HOME", "/c"),
            ("GIT_SSH_COMMAND", "ssh -v"),
            ("GH_TOKEN", "t"),
            ("GITHUB_TOKEN", "t"),
            ("GIT_DIR", "/other"),
            ("GIT_WORK_TREE", "/other"),
            ("GIT_INDEX_FILE", "/other/index"),
            ("GIT_CONFIG_PARAMETERS", "'a.b=c'"),
            ("LANEWAY_TASK", "outer"),
            ("PWD", "/home"),
            ("OLDPWD", "/"),
        ]);
        let made = environment(&base, Path::new("/r/.worktrees/g/api"), &pairs(&[("LANEWAY_TASK", "inner")]));
        let expected = pairs(&[
            ("CARGO_HOME", "/c"),
            ("GIT_CEILING_DIRECTORIES", "/r/.worktrees/g"),
            ("GIT_SSH_COMMAND", "ssh -v"),
            ("LANEWAY_TASK", "inner"),
            ("PATH", "/bin"),
            ("PWD", "/r/.worktrees/g/api"),
        ]);
        assert_eq!(made, expected);
    }

    #[test]
    fn what_is_given_wins_and_the_users_ceiling_stays() {
        let base = pairs(&[(CEILING, "/home"), ("A", "base")]);
        let given = pairs(&[("A", "task"), ("GH_TOKEN", "on purpose"), ("A", "last")]);
        let made = environment(&base, Path::new("/w/lane"), &given);
        assert!(made.contains(&("A".into(), "last".into())));
        assert!(made.contains(&("GH_TOKEN".into(), "on purpose".into())));
        assert!(made.contains(&(CEILING.into(), "/w:/home".into())));
    }
}
