//! Declared write scopes: globs of paths inside the repository.

use globset::GlobBuilder;

/// Why a pattern cannot match a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScopeError {
    /// `/...` or `~...`.
    #[error("`{pattern}` is not a path inside the repository")]
    Absolute { pattern: String },
    /// A `..` or `.`.
    #[error("`{pattern}` has the part `{part}`, which matches no file")]
    Part { pattern: String, part: String },
    /// `//`.
    #[error("`{pattern}` has an empty part, which matches no file")]
    Empty { pattern: String },
    /// `/` at the end.
    #[error("`{pattern}` names a folder, and only files are matched")]
    Folder { pattern: String },
    /// Not a glob.
    #[error("`{pattern}` is not a glob")]
    Glob {
        pattern: String,
        #[source]
        source: globset::Error,
    },
}

/// Checks one pattern of `writes`, which is not blank.
pub(super) fn check(pattern: &str) -> Result<(), ScopeError> {
    let whole = || pattern.to_owned();
    if pattern.starts_with(['/', '~']) {
        return Err(ScopeError::Absolute { pattern: whole() });
    }
    if pattern.ends_with('/') {
        return Err(ScopeError::Folder { pattern: whole() });
    }
    if let Some(part) = pattern.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        let part = part.to_owned();
        return Err(match part.as_str() {
            "" => ScopeError::Empty { pattern: whole() },
            _ => ScopeError::Part { pattern: whole(), part },
        });
    }
    match GlobBuilder::new(pattern).literal_separator(true).build() {
        Ok(_) => Ok(()),
        Err(source) => Err(ScopeError::Glob { pattern: whole(), source }),
    }
}

impl ScopeError {
    /// What to write instead.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Absolute { .. } => {
                "write the path from the root of the repository, such as `src/api/**`".to_owned()
            }
            Self::Part { pattern, .. } | Self::Empty { pattern } => {
                let parts: Vec<&str> =
                    pattern.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
                format!("write `{}`, as seen from the root of the repository", parts.join("/"))
            }
            Self::Folder { pattern } => format!("write `{pattern}**` for all that is in it"),
            Self::Glob { source, .. } => source.kind().to_string(),
        }
    }
}
