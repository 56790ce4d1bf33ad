//! Finding programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Scene;
use crate::exec::{ProgramError, find_program};

#[test]
fn a_name_is_found_in_the_path_and_a_path_from_the_directory() {
    let scene = Scene::new();
    for directory in ["a", "b"] {
        fs::create_dir(scene.path(directory)).expect("a directory");
        fs::write(scene.path(directory).join("tool"), "#!/bin/sh\n").expect("a file");
    }
    fs::create_dir(scene.path("a/folder")).expect("a directory");
    fs::set_permissions(scene.path("b/tool"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let find =
        |program: &str, path: &str| find_program(OsStr::new(program), OsStr::new(path), &scene.path(""));

    assert_eq!(
        find("tool", "missing:a:b").expect("found"),
        scene.path("b/tool"),
        "what cannot run is passed over"
    );
    assert_eq!(find("./b/tool", "").expect("found"), scene.path("./b/tool"));
    assert_eq!(find(scene.path("b/tool").to_str().expect("UTF-8"), "").expect("found"), scene.path("b/tool"));
    for refused in ["./a/tool", "a/folder", "./a/folder/"] {
        assert!(matches!(find(refused, "a"), Err(ProgramError::NotExecutable { .. })), "{refused}");
    }
    assert!(
        matches!(find("tool", "a"), Err(ProgramError::NotExecutable { path }) if path == scene.path("a/tool"))
    );
    for missing in ["", "nothing", "./nothing", "a/tool/below"] {
        assert!(matches!(find(missing, "a:b"), Err(ProgramError::NotFound { .. })), "{missing}");
    }
}
