//! What the architecture promises, held against the sources: who may know whom, where IO is, who writes the journal.
//!
//! The sources are read as text. Comments and literals are blanked first, then what only tests compile is taken out,
//! so that what remains is production code, line for line where it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with the layers whose names it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("failpoint", &[]),
    ("plain_file", &[]),
    ("graph", &["id"]),
    ("plan", &["id", "graph"]),
    ("event", &["id", "graph", "plan"]),
    ("state", &["id", "graph", "plan", "event"]),
    ("engine", &["id", "graph", "plan", "event", "state"]),
    ("view", &["id", "graph", "plan", "event", "state"]),
    ("journal", &["id", "failpoint", "graph", "plan", "event"]),
    ("signal", &["id", "failpoint", "plain_file", "graph", "plan", "event"]),
    ("git", &["id", "failpoint", "plain_file", "graph", "plan", "event"]),
    ("exec", &["id", "failpoint", "graph", "plan", "event"]),
    ("forge", &["id", "failpoint", "graph", "plan", "event"]),
    ("agent", &["id", "graph", "plan", "event"]),
    (
        "runtime",
        &[
            "id",
            "failpoint",
            "plain_file",
            "graph",
            "plan",
            "event",
            "state",
            "engine",
            "view",
            "journal",
            "signal",
            "git",
            "exec",
            "forge",
            "agent",
        ],
    ),
    ("render", &["id", "graph", "plan", "event", "state", "view"]),
    (
        "cli",
        &[
            "id",
            "failpoint",
            "plain_file",
            "graph",
            "plan",
            "event",
            "state",
            "engine",
            "view",
            "journal",
            "signal",
            "git",
            "exec",
            "forge",
            "agent",
            "runtime",
            "render",
        ],
    ),
];

/// The layers that touch the outside.
const IO: &[&str] =
    &["failpoint", "plain_file", "journal", "signal", "git", "exec", "forge", "runtime", "cli"];

/// What a layer without IO has no reason to name.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
    "tokio::",
    "git2::",
    "notify::",
    "rustix::",
    "tempfile::",
    "walkdir::",
];

/// Lines of production code that a file may have.
const MOST_LINES: usize = 450;

/// A file of production code, blanked as the module says.
struct SourceFile {
    /// Relative to `src/`, with `/`.
    path: String,
    code: String,
}

impl SourceFile {
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().expect("a path has a part");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules deep the code lies: 1 in `src/id.rs` and `src/git/mod.rs`, 2 in `src/git/refs.rs`.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    /// The top-level modules of the crate that the code names, with the line.
    fn layers_named(&self) -> Vec<(String, usize)> {
        let up = "super::".repeat(self.depth());
        let mut found = Vec::new();
        for root in ["crate::", up.as_str()] {
            for (at, _) in self.code.match_indices(root) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c == ':' || c == '_' || c == '$' || c.is_alphanumeric()) {
                    continue;
                }
                let line = self.line_of(at);
                let names = heads(&self.code[at + root.len()..]);
                found.extend(names.into_iter().map(|name| (name, line)));
            }
        }
        found
    }
}

/// The first names after `crate::`: one, or those of a group.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut depth, mut names, mut start) = (0_usize, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// `text` with comments and the inside of literals made blank; lines stay where they are.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |ix: usize| chars.get(ix).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut ix = 0;
    while ix < chars.len() {
        let end = match (at(ix), at(ix + 1)) {
            ('/', '/') => find(&chars, ix, |i| at(i) == '\n'),
            ('/', '*') => find(&chars, ix + 2, |i| at(i) == '*' && at(i + 1) == '/') + 2,
            ('r', '"' | '#')
                if !at(ix.wrapping_sub(1)).is_alphanumeric() && raw_hashes(&chars, ix).is_some() =>
            {
                let hashes = raw_hashes(&chars, ix).expect("just seen");
                let close = |i: usize| at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#');
                find(&chars, ix + hashes + 2, close) + hashes + 1
            }
            ('"', _) => string_end(&chars, ix),
            ('\'', '\\') => find(&chars, ix + 3, |i| at(i) == '\'') + 1,
            ('\'', _) if at(ix + 2) == '\'' => ix + 3,
            _ => {
                out.push(at(ix));
                ix += 1;
                continue;
            }
        };
        let end = end.min(chars.len());
        out.extend(chars[ix..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        ix = end;
    }
    out
}

fn find(chars: &[char], from: usize, is: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|i| is(*i)).unwrap_or(chars.len())
}

fn raw_hashes(chars: &[char], r: usize) -> Option<usize> {
    let hashes = chars[r + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(r + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn string_end(chars: &[char], open: usize) -> usize {
    let mut ix = open + 1;
    while ix < chars.len() && chars[ix] != '"' {
        ix += if chars[ix] == '\\' { 2 } else { 1 };
    }
    ix + 1
}

/// Takes out what follows each `#[cfg(test)]` and returns the names of the modules among it that are files.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut files, mut rest) = (String::new(), Vec::new(), code);
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let end = item_end(item);
        let words: Vec<&str> = item[..end].split_whitespace().collect();
        if let Some(name) = words.last().and_then(|last| last.strip_suffix(';'))
            && words.contains(&"mod")
        {
            files.push(name.to_owned());
        }
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    (out, files)
}

/// Where the item at the start of `code` ends: at its `;`, or where its braces close.
fn item_end(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
}

/// Every file of production code.
fn production() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    rust_files(&root(), &mut paths);
    paths.sort();
    let mut test_only = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source file is text");
        let (code, modules) = without_tests(&blanked(&text));
        let is_root = path.ends_with("mod.rs") || path.ends_with("lib.rs") || path.ends_with("main.rs");
        let children =
            if is_root { path.parent().expect("it lies in src").to_owned() } else { path.with_extension("") };
        test_only.extend(modules.into_iter().map(|name| children.join(name)));
        files.push((path, code));
    }
    files.retain(|(path, _)| {
        let module = if path.ends_with("mod.rs") {
            path.parent().expect("it lies in src").to_owned()
        } else {
            path.with_extension("")
        };
        !module.ancestors().any(|above| test_only.contains(above))
    });
    let files = files.into_iter().map(|(path, code)| {
        let path = path.strip_prefix(root()).expect("below src");
        let path = path.to_str().expect("our own names").to_owned();
        SourceFile { path, code }
    });
    files.collect()
}

/// The production code of the layers, without the crate's own root files.
fn layers() -> Vec<SourceFile> {
    let mut files = production();
    files.retain(|file| !["lib.rs", "main.rs"].contains(&file.path.as_str()));
    files
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}\n", found.join("\n  "));
}

#[test]
fn every_layer_stands_in_the_table() {
    let found: BTreeSet<String> = layers().iter().map(|file| file.layer().to_owned()).collect();
    let table: BTreeSet<String> = MAY_USE.iter().map(|(layer, _)| (*layer).to_owned()).collect();
    assert_eq!(found, table, "src/ and the table of this test differ");
}

#[test]
fn layers_know_only_what_lies_below_them() {
    let mut found = Vec::new();
    for file in layers() {
        let layer = file.layer().to_owned();
        let (_, allowed) = MAY_USE.iter().find(|(name, _)| *name == layer).expect("in the table");
        for (name, line) in file.layers_named() {
            let is_layer = MAY_USE.iter().any(|(other, _)| *other == name);
            if is_layer && name != layer && !allowed.contains(&name.as_str()) {
                found.push(format!("src/{}:{line}: {layer} must not know {name}", file.path));
            }
        }
    }
    assert_none("a layer knows one that it must not know", &found);
}

#[test]
fn the_clippy_fence_is_lifted_only_in_io_modules() {
    let mut found = Vec::new();
    for file in production() {
        if !IO.contains(&file.layer()) && file.code.contains("clippy::disallowed_methods") {
            found.push(format!("src/{}", file.path));
        }
    }
    assert_none("a module without IO lifts the fence", &found);
}

#[test]
fn modules_without_io_do_not_name_the_outside() {
    let mut found = Vec::new();
    for file in layers() {
        if IO.contains(&file.layer()) {
            continue;
        }
        for word in OUTSIDE {
            for (at, _) in file.code.match_indices(word) {
                let before = file.code[..at].chars().next_back();
                let after = file.code[at + word.len()..].chars().next();
                let part = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
                if !part(before) && (word.ends_with(':') || !part(after)) {
                    found.push(format!("src/{}:{}: {word}", file.path, file.line_of(at)));
                }
            }
        }
    }
    assert_none("a module without IO names the outside", &found);
}

/// Where production code outside `journal/` calls `.append(`; files opened with `.append(true)` and collections
/// joined with `.append(&mut ...)` are something else.
fn journal_appends(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.layer() != "journal") {
        for (at, call) in file.code.match_indices(".append(") {
            let argument = &file.code[at + call.len()..];
            if !argument.starts_with("true)") && !argument.starts_with("&mut ") {
                found.push(file.path.clone());
            }
        }
    }
    found
}

#[test]
fn a01_one_place_appends_to_the_journal() {
    assert_eq!(journal_appends(&layers()), ["runtime/orchestrator.rs"]);
}

#[test]
fn a01_one_place_opens_a_journal_for_writing() {
    let mut found = Vec::new();
    for file in layers() {
        let opens = file.code.matches("Mode::Append").count() + file.code.matches("GroupWriter::").count();
        if file.layer() != "journal" {
            found.extend(std::iter::repeat_n(file.path, opens));
        }
    }
    assert_eq!(found, ["runtime/orchestrator.rs"]);
}

/// A file may be longer where its module doc has a line that begins with this and says why.
const LONG: &str = "//! Long because ";

/// Files that are too long today. The list only gets shorter.
const TO_SPLIT: &[&str] = &[];

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let (mut found, mut to_split) = (Vec::new(), Vec::new());
    for file in production() {
        // Blanked tests keep their line ends, so that places stay right; they are not counted.
        let text = fs::read_to_string(root().join(&file.path)).expect("it was read before");
        let last = file.code.trim_end().matches('\n').count() + 1;
        let lines = text.lines().take(last).filter(|line| !line.trim().is_empty()).count();
        if lines <= MOST_LINES || text.lines().any(|line| line.starts_with(LONG)) {
            continue;
        }
        if TO_SPLIT.contains(&file.path.as_str()) {
            to_split.push(file.path);
        } else {
            found.push(format!("src/{}: {lines} lines", file.path));
        }
    }
    assert_none("split it, or say in its module doc `Long because ...`", &found);
    assert_eq!(to_split, TO_SPLIT, "a file is short enough now: take it off the list");
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let mut found = Vec::new();
    for file in production() {
        for word in ["todo!", "unimplemented!", "dbg!"] {
            for (at, _) in file.code.match_indices(word) {
                found.push(format!("src/{}:{}: {word}", file.path, file.line_of(at)));
            }
        }
    }
    assert_none("something is left behind", &found);
}

fn file(path: &str, text: &str) -> SourceFile {
    let (code, _) = without_tests(&blanked(text));
    SourceFile { path: path.to_owned(), code }
}

fn named(path: &str, text: &str) -> Vec<String> {
    let names = file(path, text).layers_named();
    names.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_guard_sees_every_way_to_name_a_layer() {
    assert_eq!(named("view/x.rs", "use crate::engine::Core;"), ["engine"]);
    assert_eq!(named("view/x.rs", "use crate::{id::Sha, git::{Repo, Tree}, cli};"), ["id", "git", "cli"]);
    assert_eq!(named("view/x.rs", "fn f() -> crate::git::Repo {}"), ["git"]);
    assert_eq!(named("view/x.rs", "use super::super::engine::Core;"), ["engine"]);
    assert_eq!(named("view/mod.rs", "use super::engine::Core;"), ["engine"]);
    assert_eq!(named("view/x.rs", "use super::status::Row;"), Vec::<String>::new());
    assert_eq!(named("view/a/b.rs", "use super::super::status::Row;"), Vec::<String>::new());
}

#[test]
fn the_guard_passes_over_comments_literals_and_tests() {
    let text = r##"
        // crate::engine::Core
        /// `crate::engine`
        const A: &str = "crate::git \" crate::exec";
        const B: &str = r#"crate::forge " "#;
        const C: (char, char) = ('"', '\'');
        #[cfg(test)]
        use crate::exec::X;
        #[cfg(test)]
        mod tests { use crate::engine::Core; fn f() { let c = '}'; } }
        use crate::id::Sha;
    "##;
    let file = file("view/x.rs", text);
    assert_eq!(file.layers_named(), [("id".to_owned(), 11)]);
    let (_, files) = without_tests("#[cfg(test)]\nmod sample;\n#[cfg(test)]\nmod inline { }");
    assert_eq!(files, ["sample"]);
}

#[test]
fn the_guard_tells_a_journal_from_other_things_that_append() {
    let sources = [
        file("runtime/a.rs", "self.journal.append(&bodies)?;"),
        file("runtime/b.rs", "all.append(&mut more); options.append(true);"),
        file("journal/c.rs", "journal.append(&bodies)?;"),
    ];
    assert_eq!(journal_appends(&sources), ["runtime/a.rs"]);
}
