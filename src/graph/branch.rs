//! The names that git accepts for a branch, with the reason where it does not.

/// Why a text cannot name a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BranchError {
    /// Spaces, control characters, and those that git's revision syntax uses.
    #[error("{found:?} cannot stand in a branch name")]
    Character { found: char },
    /// `..`, `@{` or `//`.
    #[error("`{sequence}` cannot stand in a branch name")]
    Sequence { sequence: &'static str },
    /// `-`, `/` or a dot in front.
    #[error("a part of a branch name cannot begin with `{with}`")]
    Begins { with: char },
    /// `/`, `.lock` or a dot at the end.
    #[error("a part of a branch name cannot end with `{with}`")]
    Ends { with: &'static str },
    /// `@` or `HEAD`.
    #[error("git keeps this name for itself")]
    Reserved,
    /// `refs/...`.
    #[error("this is the full name of a ref, not a branch name")]
    Full,
}

/// Checks `name` by the rules of `git check-ref-format --branch`; it is not blank.
pub(super) fn check(name: &str) -> Result<(), BranchError> {
    if name == "@" || name == "HEAD" {
        return Err(BranchError::Reserved);
    }
    if name.starts_with("refs/") {
        return Err(BranchError::Full);
    }
    if let Some(found) = name.chars().find(|c| c.is_ascii_control() || " ~^:?*[\\".contains(*c)) {
        return Err(BranchError::Character { found });
    }
    if let Some(sequence) = ["..", "@{", "//"].into_iter().find(|sequence| name.contains(sequence)) {
        return Err(BranchError::Sequence { sequence });
    }
    if let Some(with) = ['-', '/'].into_iter().find(|c| name.starts_with(*c)) {
        return Err(BranchError::Begins { with });
    }
    if let Some(with) = ["/", "."].into_iter().find(|end| name.ends_with(end)) {
        return Err(BranchError::Ends { with });
    }
    for part in name.split('/') {
        if part.starts_with('.') {
            return Err(BranchError::Begins { with: '.' });
        }
        if part.strip_suffix(".lock").is_some() {
            return Err(BranchError::Ends { with: ".lock" });
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "asks git itself")]
mod tests {
    use super::*;

    /// What the git program says of the name of a branch.
    fn git_takes(name: &str) -> bool {
        let git = std::process::Command::new("git")
            .args(["check-ref-format", &format!("refs/heads/{name}")])
            .status();
        git.expect("git can be run").success() && !name.starts_with('-') && name != "HEAD"
    }

    #[test]
    fn usual_names_are_accepted() {
        for name in ["main", "release/1.x", "user@host", "feature/ä", "a-b_c.d"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_rule_has_its_reason() {
        assert_eq!(check("a b"), Err(BranchError::Character { found: ' ' }));
        assert_eq!(check("a..b"), Err(BranchError::Sequence { sequence: ".." }));
        assert_eq!(check("a//b"), Err(BranchError::Sequence { sequence: "//" }));
        assert_eq!(check("-a"), Err(BranchError::Begins { with: '-' }));
        assert_eq!(check("a/.b"), Err(BranchError::Begins { with: '.' }));
        assert_eq!(check("a.lock/b"), Err(BranchError::Ends { with: ".lock" }));
        assert_eq!(check("HEAD"), Err(BranchError::Reserved));
        assert_eq!(check("refs/heads/main"), Err(BranchError::Full));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

        #[test]
        fn ar02_the_rules_are_those_of_the_git_program(
            name in "[a-c@{}/. ~^:?*\\[\\\\\u{7f}\u{1}lockHEADé\u{a0}-]{1,10}",
            tail in proptest::sample::select(vec!["", ".lock", "/", ".", "@{", "..", "//x", "/.x", "HEAD"]),
        ) {
            let name = format!("{name}{tail}");
            let ours = name == "@" || name.starts_with("refs/");
            proptest::prop_assert_eq!(check(&name).is_ok(), git_takes(&name) && !ours, "{:?}", name);
        }

        #[test]
        fn the_rules_are_git_s_own(name in "[a-c@{}/. ~^:?*\\[\\\\\u{7f}\u{1}lock-]{1,12}") {
            let git = git2::Branch::name_is_valid(&name).expect("the name holds no NUL");
            let full = name.starts_with("refs/");
            proptest::prop_assert_eq!(check(&name).is_ok(), git && !full && name != "@", "{:?}", name);
        }
    }
}
