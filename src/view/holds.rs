//! What a lane is going to hold beside, or instead of, all files of its commit.

use serde_json::{Value, json};

use super::plain::{one_line, put};
use crate::graph::{Furnishing, Lfs};

/// How much of a command or a list is shown, in characters.
const WORDS_SHOWN: usize = 200;

/// What of the repository's checkout lanes are furnished from, which the plan does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    /// It has a `.worktreeinclude`, whose files every lane gets a copy of.
    Present,
    /// It has none.
    Absent,
}

/// The lines about it, where it is anything but the default. Names only: of what is copied nothing is read.
pub(super) fn holds_text(out: &mut String, furnish: &Furnishing, include: Include) {
    let names = |names: &[String]| one_line(&names.join(", "), WORDS_SHOWN);
    let copy = furnish.copy.as_deref().unwrap_or_default();
    let copied = match (copy.is_empty(), include) {
        (true, Include::Absent) => None,
        (true, Include::Present) => Some("what .worktreeinclude names".to_owned()),
        (false, Include::Absent) => Some(names(copy)),
        (false, Include::Present) => Some(format!("{} and what .worktreeinclude names", names(copy))),
    };
    if let Some(copied) = copied {
        put(out, format_args!("    gets a copy of {copied}, as far as git ignores it"));
    }
    for setup in &furnish.setup {
        let makes = match setup.makes.as_slice() {
            [] => String::new(),
            makes => format!(", makes {} for all lanes that read the same", names(makes)),
        };
        put(
            out,
            format_args!("    set up by `{}`{makes}", one_line(&setup.command.to_string(), WORDS_SHOWN)),
        );
    }
    if !furnish.ports.is_empty() {
        put(out, format_args!("    has ports of its own in {}", names(&furnish.ports)));
    }
    if !furnish.sparse.is_empty() {
        put(out, format_args!("    holds only {}, and the files on the way there", names(&furnish.sparse)));
    }
    if furnish.submodules == Some(false) {
        put(out, format_args!("    without submodules"));
    }
    if furnish.lfs == Some(Lfs::Skip) {
        put(out, format_args!("    with pointers for files in LFS"));
    }
}

/// The same for programs, defaults included.
pub(super) fn holds_json(furnish: &Furnishing, include: Include) -> Value {
    let setup = furnish.setup.iter().map(
        |setup| json!({ "command": setup.command.to_string(), "reads": setup.reads, "makes": setup.makes }),
    );
    json!({
        "copy": furnish.copy.as_deref().unwrap_or_default(),
        "worktreeinclude": include == Include::Present,
        "setup": setup.collect::<Vec<_>>(),
        "ports": furnish.ports,
        "sparse": furnish.sparse,
        "submodules": furnish.submodules.unwrap_or(true),
        "lfs": furnish.lfs.unwrap_or_default(),
    })
}
