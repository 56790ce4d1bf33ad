//! Declared write scopes: whether two may run at once, and whether a path lies in one.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// The paths that a task may write. Empty means anything, and says nothing about overlaps.
#[derive(Debug, Clone)]
pub struct Scope {
    globs: GlobSet,
    prefixes: Vec<String>,
}

impl Scope {
    /// Reads globs that have been checked before; a glob that does not compile matches nothing.
    pub fn new(writes: &[String]) -> Self {
        let mut builder = GlobSetBuilder::new();
        for text in writes {
            if let Ok(glob) = Glob::new(text) {
                builder.add(glob);
            }
        }
        Self {
            globs: builder.build().unwrap_or_else(|_| GlobSet::empty()),
            prefixes: writes.iter().map(|w| literal_prefix(w)).collect(),
        }
    }

    /// Whether anything was declared.
    pub fn is_declared(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Whether `path` may be written.
    pub fn holds(&self, path: &str) -> bool {
        !self.is_declared() || self.globs.is_match(path)
    }

    /// Whether two declared scopes may touch the same path. Errs on the side of yes: it compares what stands before
    /// the first wildcard.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.prefixes
            .iter()
            .any(|a| other.prefixes.iter().any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str())))
    }
}

fn literal_prefix(glob: &str) -> String {
    glob.chars().take_while(|c| !matches!(c, '*' | '?' | '[' | '{' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(writes: &[&str]) -> Scope {
        Scope::new(&writes.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn disjoint_folders_do_not_overlap_and_nested_ones_do() {
        assert!(!scope(&["src/a/**"]).overlaps(&scope(&["src/b/**", "docs/*.md"])));
        assert!(scope(&["src/**"]).overlaps(&scope(&["src/b/**"])));
        assert!(scope(&["**"]).overlaps(&scope(&["x"])));
        assert!(!scope(&[]).overlaps(&scope(&["**"])));
    }

    #[test]
    fn a_path_outside_is_not_held() {
        let s = scope(&["src/api/**", "tests/*.rs"]);
        assert!(s.holds("src/api/x/y.rs") && s.holds("tests/a.rs"));
        assert!(!s.holds("src/main.rs"));
        assert!(scope(&[]).holds("anything"));
    }
}
