//! Much at once: lanes made together beside a user at work, more file events than the system keeps.

mod beside_git;
mod overflow;

/// How often, or how much: a small form for every day, the whole with `LANEWAY_STRESS=1`.
pub(crate) fn scale(small: usize, whole: usize) -> usize {
    if std::env::var_os("LANEWAY_STRESS").is_some() { whole } else { small }
}
