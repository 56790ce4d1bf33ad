//! What stands where a file of the configuration or a graph should be: it is refused by name, with what to do, and
//! neither waited for nor read to an end that it does not have.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::Scratch;

const GRAPH: &str = "schema = 1\nname = \"given\"\n[[tasks]]\nid = \"t\"\nrun = \"true\"\n";

type Make = fn(&Scratch, &Path);

/// What is made at a path, and a word of what is said of it.
const ODD: [(&str, Make, &str); 5] = [
    ("pipe", |scratch, path| make(scratch, "mkfifo", &[], path), "a named pipe"),
    ("device", |scratch, path| make(scratch, "ln", &["-s", "/dev/zero"], path), "a device"),
    ("folder", |_, path| fs::create_dir(path).expect("made"), "a directory"),
    ("sparse", |_, path| sparse(path), "10737418240 bytes"),
    ("binary", |_, path| fs::write(path, b"a = \xff").expect("made"), "UTF-8"),
];

fn make(scratch: &Scratch, program: &str, before: &[&str], path: &Path) {
    let path = path.to_string_lossy().into_owned();
    let arguments: Vec<&str> = before.iter().copied().chain([path.as_str()]).collect();
    scratch.program(program, &arguments, &[]).success();
}

fn sparse(path: &Path) {
    fs::File::create(path).and_then(|file| file.set_len(10 << 30)).expect("made");
}

/// What the failure says, with its causes; it has to be told with the next step.
fn refused(scratch: &Scratch, arguments: &[&str], has_hint: bool) -> String {
    let error: Value = scratch.laneway(arguments).failure().json()["error"].clone();
    let told = error.to_string();
    assert!(!has_hint || error["hints"].as_array().is_some_and(|hints| !hints.is_empty()), "{told}");
    told
}

fn places(scratch: &Scratch) -> [(PathBuf, &'static str); 3] {
    let user = scratch.home().join(".config/laneway");
    fs::create_dir_all(&user).expect("made");
    [
        (scratch.repo().join("laneway.toml"), "graphs/given.toml"),
        (user.join("config.toml"), "graphs/given.toml"),
        (scratch.repo().join("graphs/odd.toml"), "graphs/odd.toml"),
    ]
}

#[test]
fn p24_what_is_no_file_is_refused_as_configuration_and_as_graph_and_not_waited_for() {
    let scratch = Scratch::new();
    scratch.write("graphs/given.toml", GRAPH);
    for (path, graph) in places(&scratch) {
        for (kind, make, word) in ODD {
            make(&scratch, &path);
            let told = refused(&scratch, &["run", graph, "--json"], kind != "binary");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(told.contains(&name) && told.contains(word), "{kind} at {}: {told}", path.display());
            scratch.laneway(&["run", graph]).code(2);
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).expect("removed");
        }
    }
    scratch.laneway(&["check", "graphs/given.toml"]).success();
}

#[test]
fn p24_where_the_noticeboard_has_no_place_a_run_ends_before_any_attempt_and_says_what_to_move() {
    let scratch = Scratch::new();
    scratch.write("graphs/given.toml", GRAPH);
    let board = scratch.repo().join(".laneway");
    for (place, is_link) in [(board.clone(), true), (board.clone(), false), (board.join("given"), false)] {
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        if is_link {
            std::os::unix::fs::symlink("/nowhere/at/all", &place).expect("a link");
        } else {
            fs::write(&place, "a file").expect("written");
        }
        let refused = scratch.laneway(&["run", "graphs/given.toml"]).code(4);
        let named = format!("{} is not a directory; move it away", place.display());
        assert!(refused.stderr().contains(&named), "{}", refused.text());
        fs::remove_file(&place).expect("removed");
    }
    scratch.laneway(&["run", "graphs/given.toml"]).success();
}

#[test]
fn p24_a_role_that_is_no_file_is_refused_and_so_is_an_odd_file_for_a_signal() {
    let scratch = Scratch::new();
    scratch.write("graphs/given.toml", GRAPH);
    fs::create_dir_all(scratch.repo().join("graphs/roles")).expect("made");
    let role = scratch.repo().join("graphs/roles/odd.md");
    let signals = scratch.home().join("signals");
    fs::create_dir(&signals).expect("made");
    let variables = [("LANEWAY_SIGNALS", signals.to_str().expect("text"))];
    for (kind, make, word) in ODD {
        make(&scratch, &role);
        let told = refused(&scratch, &["run", "graphs/given.toml", "--json"], false);
        assert!(told.contains("odd.md") && told.contains(word), "{kind}: {told}");
        let file = role.to_str().expect("text");
        for of in [["signal", "artifact", file].as_slice(), &["signal", "summary", "--file", file]] {
            let is_taken = kind == "binary" && of[1] == "artifact";
            let answer = scratch.program(env!("CARGO_BIN_EXE_laneway"), of, &variables);
            assert_eq!(answer.succeeded(), is_taken, "{kind} as {}", of[1]);
        }
        fs::remove_file(&role).or_else(|_| fs::remove_dir(&role)).expect("removed");
    }
}

#[test]
fn p24_a_graph_may_still_be_handed_over_by_a_pipe() {
    let scratch = Scratch::new();
    scratch.write("graphs/given.toml", GRAPH);
    scratch.program("sh", &["-c", "cat graphs/given.toml | laneway check /dev/stdin"], &[]).success();
}
