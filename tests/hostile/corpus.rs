//! Every input that the fuzzers are given to start with or once found, through the same code that they run.

use std::path::Path;

use crate::fuzz_targets::{TARGETS, replay};

#[test]
fn every_input_of_the_corpora_keeps_the_promises_of_its_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, run) in TARGETS {
        let files = std::fs::read_dir(corpora.join(name)).expect("each target has a corpus");
        let mut count = 0;
        for file in files {
            let path = file.expect("a readable folder").path();
            let input = std::fs::read(&path).expect("a readable file");
            let kept = std::panic::catch_unwind(|| run(&input));
            assert!(kept.is_ok(), "{} breaks a promise", path.display());
            count += 1;
        }
        assert!(count > 2, "the corpus of {name} is empty");
    }
    let folders = std::fs::read_dir(&corpora).expect("the corpora").count();
    assert_eq!(folders, TARGETS.len(), "a corpus without a target");
}

#[test]
fn the_recorded_run_that_the_fuzzer_starts_from_is_taken_to_its_end() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/replay/run");
    let text = std::fs::read_to_string(path).expect("a recorded run");
    assert_eq!(replay::taken(&text), text.lines().count());
}
