//! Roles: what an agent is told of the part that it plays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parse::digest;
use crate::id::RoleName;

/// An instruction template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// What the agent is told, in Markdown.
    pub text: String,
    /// SHA-256 of the text, in hex.
    pub digest: String,
    /// Where it comes from.
    pub source: RoleSource,
}

/// Where a role comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleSource {
    /// The program.
    BuiltIn,
    /// A file of the user's, as shown to people.
    File(String),
}

impl Role {
    /// A role that says `text`.
    pub fn new(text: String, source: RoleSource) -> Self {
        Self { digest: digest(&text), text, source }
    }
}

/// The role of tasks that name none.
pub(super) const GENERIC: &str = "generic";

/// The role of those who review an attempt's work.
pub const REVIEWER: &str = "reviewer";

/// The roles that every graph may name.
const BUILT_IN: [(&str, &str); 6] = [
    (GENERIC, include_str!("roles/generic.md")),
    ("implementer", include_str!("roles/implementer.md")),
    (REVIEWER, include_str!("roles/reviewer.md")),
    ("spec_writer", include_str!("roles/spec_writer.md")),
    ("test_reviewer", include_str!("roles/test_reviewer.md")),
    ("test_writer", include_str!("roles/test_writer.md")),
];

/// The built-in roles, with `own` beside them or instead of them.
pub(super) fn known(own: &BTreeMap<RoleName, Role>) -> BTreeMap<RoleName, Role> {
    let built_in = BUILT_IN.iter().map(|(name, text)| {
        let name = RoleName::new(name).expect("the built-in names are ids");
        (name, Role::new((*text).to_owned(), RoleSource::BuiltIn))
    });
    built_in.chain(own.iter().map(|(name, role)| (name.clone(), role.clone()))).collect()
}
