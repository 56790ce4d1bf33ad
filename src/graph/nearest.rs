//! "Did you mean": the nearest of the known names.

/// Comparisons for one file. Suggestions in a file with very many wrong names would otherwise take quadratic time.
const BUDGET: usize = 2_000_000;

/// Finds the nearest known name, until its budget of comparisons is used up.
#[derive(Debug)]
pub(super) struct Nearest {
    left: usize,
}

impl Default for Nearest {
    fn default() -> Self {
        Self { left: BUDGET }
    }
}

impl Nearest {
    /// Returns the known name that is like `word`, if any is.
    pub(super) fn find<'a>(
        &mut self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let word = word.to_lowercase().replace('-', "_");
        let allowed = (word.chars().count() / 3).max(1);
        let mut best: Option<(usize, &'a str)> = None;
        for name in known {
            self.left = self.left.checked_sub(1)?;
            if name.len().abs_diff(word.len()) > allowed * 4 {
                continue;
            }
            let distance = strsim::osa_distance(&word, &name.to_lowercase().replace('-', "_"));
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, name));
            }
        }
        best.map(|(_, name)| name)
    }
}

/// Returns `did you mean ...?` for the nearest name.
pub(super) fn did_you_mean(name: Option<&str>) -> Option<String> {
    name.map(|name| format!("did you mean `{name}`?"))
}
