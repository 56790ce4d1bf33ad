//! Names that are proofs: every value of a type in here has been checked once and holds for good.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest id, in bytes. Ids are ASCII, so bytes and characters are the same.
pub const MAX_ID_LEN: usize = 64;

/// Names that Windows and macOS file systems, or git, treat specially when they stand alone in a path.
const RESERVED: &[&str] = &[
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "head",
];

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or only white space.
    #[error("an id cannot be empty")]
    Empty,
    /// More than [`MAX_ID_LEN`] bytes.
    #[error("an id has at most {MAX_ID_LEN} characters, this one has {len}")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// A character outside `[a-z0-9_-]`, or `_`/`-` in front.
    #[error("an id matches [a-z0-9][a-z0-9_-]*, but {found:?} stands at position {at}")]
    Character {
        /// The first character that does not fit.
        found: char,
        /// Its 1-based position.
        at: usize,
    },
    /// A word that a file system or git keeps for itself.
    #[error("`{word}` is a reserved name on some file systems or in git")]
    Reserved {
        /// The word.
        word: String,
    },
}

/// Checks `text` against the rule for ids: `[a-z0-9][a-z0-9_-]{0,63}` and no reserved word.
pub fn check(text: &str) -> Result<(), IdError> {
    if text.trim().is_empty() {
        return Err(IdError::Empty);
    }
    for (index, found) in text.chars().enumerate() {
        let fits = found.is_ascii_lowercase()
            || found.is_ascii_digit()
            || (index > 0 && (found == '-' || found == '_'));
        if !fits {
            return Err(IdError::Character { found, at: index + 1 });
        }
    }
    if text.len() > MAX_ID_LEN {
        return Err(IdError::TooLong { len: text.len() });
    }
    if RESERVED.contains(&text) {
        return Err(IdError::Reserved { word: text.to_owned() });
    }
    Ok(())
}

/// Returns the nearest valid id to `text`, for a hint; `None` where nothing usable is left.
pub fn suggest(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.trim().chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let cut: String = out.trim_matches(['-', '_']).chars().take(MAX_ID_LEN - 2).collect();
    let mut cut = cut.trim_end_matches(['-', '_']).to_owned();
    if RESERVED.contains(&cut.as_str()) {
        cut.push_str("-1");
    }
    check(&cut).is_ok().then_some(cut)
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it an id.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(
    /// The name of a graph: its folder in the record and on the noticeboard, and the prefix of its branches.
    GraphName
);
id_type!(
    /// The id of a workstream, and of the lane it becomes.
    LaneId
);
id_type!(
    /// The id of a task, unique in its graph.
    TaskId
);
id_type!(
    /// The name of an agent in `[agents]`.
    AgentName
);
id_type!(
    /// The name of a role: an instruction template for agents.
    RoleName
);
id_type!(
    /// The name of a group of paths or outputs, such as `stubs`.
    Category
);

/// The number of a run of one graph, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNo(pub u32);

impl fmt::Display for RunNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A git object id in lower-case hex (40 characters for SHA-1, 64 for SHA-256).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha(Arc<str>);

/// A text is not a git object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a git object id")]
pub struct ShaError {
    /// The text.
    pub text: String,
}

impl Sha {
    /// Checks `text` and makes it an object id.
    pub fn new(text: &str) -> Result<Self, ShaError> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && (text.len() == 40 || text.len() == 64) {
            Ok(Self(text.into()))
        } else {
            Err(ShaError { text: text.to_owned() })
        }
    }

    /// The full id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten characters, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }

    /// Whether this is the all-zero id, which git uses for "no object".
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl FromStr for Sha {
    type Err = ShaError;
    fn from_str(text: &str) -> Result<Self, ShaError> {
        Self::new(text)
    }
}

impl Serialize for Sha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ar02_ids_that_git_or_a_file_system_cannot_hold_are_refused() {
        for bad in
            ["", " ", "../../x", "a b", "A", "a.lock", "-a", "_a", "a/b", "con", "head", "é", "a\n", "a\0"]
        {
            assert!(check(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(check(&"a".repeat(64)).is_ok());
        assert_eq!(check(&"a".repeat(65)), Err(IdError::TooLong { len: 65 }));
    }

    #[test]
    fn ar02_the_suggestion_is_itself_valid() {
        for (bad, good) in [("My Task", "my-task"), ("../../x", "x"), ("con", "con-1"), ("a.lock", "a-lock")]
        {
            assert_eq!(suggest(bad).as_deref(), Some(good));
        }
        assert_eq!(suggest("///"), None);
    }

    proptest::proptest! {
        #[test]
        fn ar02_every_accepted_id_makes_valid_refs_and_paths(text in "[ -~]{0,70}") {
            if check(&text).is_ok() {
                let name = format!("refs/heads/laneway/{text}/{text}/task/{text}/1");
                proptest::prop_assert!(git2::Reference::is_valid_name(&name));
                proptest::prop_assert_eq!(std::path::Path::new(&text).components().count(), 1);
            }
        }
    }
}
