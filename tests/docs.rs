//! The pages for people, held against the code: a page that is wrong is worse than none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use laneway::event::{AttemptStatus, Entity, KINDS, LaneStatus, RunStatus, Status, TaskStatus, legal};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The `### ` sections of a page, by heading.
fn sections(page: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in page.split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').expect("a section has a text");
        let text = text.split("\n## ").next().expect("a split has a first part");
        let twice = found.insert(heading.trim().to_owned(), text.to_owned());
        assert!(twice.is_none(), "`{heading}` stands twice");
    }
    found
}

/// The cells of the table rows of a section, without its head.
fn rows(section: &str) -> Vec<Vec<String>> {
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells =
        lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect());
    cells.collect()
}

/// The words in backticks of a cell.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The sections of `docs/events.md` that are about a kind; their headings are in backticks.
fn documented_kinds() -> BTreeMap<String, String> {
    let kind = |heading: &str| Some(heading.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let sections = sections(&read("docs/events.md")).into_iter();
    sections.filter_map(|(heading, text)| Some((kind(&heading)?, text))).collect()
}

/// The fields of every kind with whether they may be left out, as the code declares them.
fn declared_fields() -> BTreeMap<String, BTreeMap<String, bool>> {
    let code = read("src/event/kind.rs");
    let (_, declared) = code.split_once("\nevents! {").expect("the kinds are declared there");
    let mut kinds = BTreeMap::<String, BTreeMap<String, bool>>::new();
    let (mut kind, mut optional) = (String::new(), false);
    for line in declared.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if line.starts_with("#[serde(") {
            optional = line.contains("default");
        } else if let Some((_, rest)) = line.split_once(" = \"") {
            rest.split('"').next().expect("a split has a first part").clone_into(&mut kind);
            kinds.entry(kind.clone()).or_default();
        } else if let Some((field, _)) = line.split_once(": ") {
            let fields = kinds.get_mut(&kind).expect("a field belongs to a kind");
            fields.insert(field.to_owned(), std::mem::take(&mut optional));
        }
    }
    kinds
}

#[test]
fn a22_every_kind_is_documented_and_every_documented_kind_exists() {
    let documented: BTreeSet<String> = documented_kinds().into_keys().collect();
    let code: BTreeSet<String> = KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    let missing: Vec<_> = code.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&code).collect();
    assert!(missing.is_empty(), "docs/events.md lacks {missing:?}");
    assert!(invented.is_empty(), "docs/events.md names {invented:?}, which no code writes");
}

#[test]
fn a22_every_field_of_every_kind_is_documented() {
    let declared = declared_fields();
    assert_eq!(declared.len(), KINDS.len(), "the declarations were not read right");
    let documented = documented_kinds();
    for (kind, fields) in declared {
        let table = rows(&documented[&kind]).into_iter().map(|row| {
            let optional = row[0].ends_with('?');
            (row[0].trim_end_matches('?').trim_matches('`').to_owned(), optional)
        });
        assert_eq!(table.collect::<BTreeMap<_, _>>(), fields, "the fields of `{kind}`");
    }
}

fn words<T: Copy>(all: &[T], status: impl Fn(T) -> Status) -> Vec<Status> {
    all.iter().map(|one| status(*one)).collect()
}

#[test]
fn a22_the_page_has_the_one_table_of_transitions() {
    let tables = [
        ("Of a run", words(RunStatus::ALL, Status::Run)),
        ("Of a lane", words(LaneStatus::ALL, Status::Lane)),
        ("Of a task", words(TaskStatus::ALL, Status::Task)),
        ("Of an attempt", words(AttemptStatus::ALL, Status::Attempt)),
    ];
    let sections = sections(&read("docs/events.md"));
    for (heading, all) in tables {
        let page: Vec<_> = rows(&sections[heading])
            .into_iter()
            .map(|row| (row[0].trim_matches('`').to_owned(), quoted(&row[2])))
            .collect();
        let next = |from: Status| all.iter().filter(move |to| legal(Some(from), **to));
        let code: Vec<_> = all
            .iter()
            .map(|from| (from.word().to_owned(), next(*from).map(|to| to.word().to_owned()).collect()))
            .collect();
        assert_eq!(page, code, "{heading}");
    }
    let begins: Vec<_> = words(AttemptStatus::ALL, Status::Attempt)
        .into_iter()
        .filter(|to| to.entity() == Entity::Attempt && legal(None, *to))
        .map(Status::word)
        .collect();
    assert_eq!(begins, ["queued"], "the page says how an attempt begins");
}

/// The pages for people.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/agents.md",
    "docs/events.md",
    "docs/signals.md",
    "docs/diagnostics.md",
    "docs/forges.md",
    "docs/graph.md",
    "docs/reliability.md",
];

/// What the links of a page point to, without those to the network and within the page.
fn linked(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    inside.map(|target| target.split('#').next().expect("a split has a first part").to_owned()).collect()
}

/// Words in backticks that are paths of this repository: those that begin with one of its folders, `.ci` included.
fn named_paths(page: &str) -> Vec<String> {
    const FOLDERS: &[&str] = &["src/", "tests/", "docs/", "graphs/", "fixtures/", "benches/", ".ci/"];
    let prose: String = page.split("```").step_by(2).collect();
    let paths = prose.split('`').skip(1).step_by(2).filter(|word| {
        let ours = FOLDERS.iter().any(|folder| word.starts_with(folder));
        ours && !word.contains(['*', '<', ' ', '{'])
    });
    paths.map(str::to_owned).collect()
}

#[test]
fn every_link_and_path_of_the_pages_is_there() {
    let mut missing = Vec::new();
    for page in PAGES {
        let text = read(page);
        let folder: PathBuf = root().join(page).parent().expect("a page lies in a folder").to_owned();
        let links = linked(&text).into_iter().filter(|target| !folder.join(target).exists());
        missing.extend(links.map(|target| format!("{page}: link to {target}")));
        if *page == "README.md" || *page == "ARCHITECTURE.md" || *page == "CONTRIBUTING.md" {
            let paths = named_paths(&text).into_iter().filter(|path| !root().join(path).exists());
            missing.extend(paths.map(|path| format!("{page}: `{path}`")));
        }
    }
    assert!(missing.is_empty(), "these are not there:\n  {}", missing.join("\n  "));
}

#[test]
fn every_page_of_the_docs_is_looked_at_and_can_be_found() {
    let readme = read("README.md");
    for entry in fs::read_dir(root().join("docs")).expect("there are pages") {
        let name = entry.expect("an entry").file_name().into_string().expect("our own names");
        let page = format!("docs/{name}");
        if Path::new(&name).extension().is_some_and(|ext| ext == "md") {
            assert!(readme.contains(&page), "README.md does not lead to {page}");
        }
    }
}

/// Expects a graph, where the agents that are built in are known.
#[track_caller]
fn expect_graph(path: &str, text: &str) {
    let source = laneway::graph::Source { path: path.to_owned(), text: text.to_owned() };
    let agents = laneway::agent::built_in().clone();
    let known = laneway::graph::ProjectDefaults { agents, ..Default::default() };
    if let Err(problems) = laneway::graph::parse(&source, &known) {
        panic!("{}", problems.render(&source, false));
    }
}

/// The blocks of TOML of a page.
fn toml_blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().expect("a split has a first part")).collect()
}

#[test]
fn the_example_graph_of_the_readme_is_one() {
    let readme = read("README.md");
    let blocks = toml_blocks(&readme);
    expect_graph("README.md", blocks.first().expect("README.md shows a graph"));
}

#[test]
fn the_example_graphs_of_the_reference_are_graphs() {
    let page = read("docs/graph.md");
    let blocks = toml_blocks(&page);
    assert!(blocks.len() >= 2, "the page shows graphs");
    for block in blocks {
        expect_graph("docs/graph.md", block);
    }
}

#[test]
fn s26_the_page_of_agents_says_what_their_data_files_say() {
    let page = read("docs/agents.md");
    for (name, def) in laneway::agent::built_in() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/agents.md has no row for {name}"));
        let install = def.install.as_ref().expect("a test of the data files says so");
        assert!(row.contains(&format!("`{install}`")), "{row}");
        let by_exit = def.claim == laneway::graph::ClaimBy::Exit;
        assert_eq!(row.contains("exit code 0"), by_exit, "{row}");
        assert_eq!(row.contains("| yes |"), def.continues(), "{row}");
        let version =
            row.split(" | ").nth(1).and_then(|cell| cell.split(' ').next_back()).expect("a version");
        let file = read(&format!("src/agent/adapters/{name}.toml"));
        assert!(file.contains(version), "{name}: the data file names another version than {version}");
    }
    // Each block is a graph, a part of one, or a key of a task.
    let task = "[[tasks]]\nid = \"t\"\nprompt = \"p\"\n";
    for block in toml_blocks(&page) {
        let text = match block {
            whole if whole.contains("[[tasks]]") => whole.to_owned(),
            key if key.starts_with("agent = ") => format!("name = \"g\"\n{task}{key}"),
            tables => format!("name = \"g\"\nagent = \"mine\"\n{task}{tables}"),
        };
        expect_graph("docs/agents.md", &text);
    }
}
