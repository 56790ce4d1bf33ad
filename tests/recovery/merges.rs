//! Several lanes that merge themselves, killed while one of them moves the target.

use std::fmt::Write as _;

use crate::harness::Scratch;

#[test]
fn a19_merges_that_a_kill_left_half_way_in_a_checkout_are_all_made_again() {
    let mut text = "schema = 1\nname = \"half\"\nmax_parallel = 3\n".to_owned();
    for lane in ["a", "b", "c"] {
        let task = format!("id = \"{lane}1\"\nworkstream = \"{lane}\"\nrun = \"echo {lane} > {lane}.txt\"");
        writeln!(text, "[[workstreams]]\nid = \"{lane}\"\nmerge = \"auto\"\n[[tasks]]\n{task}")
            .expect("a string takes every text");
    }
    // Which of them goes first is for the machine to say.
    for passing in [1, 1, 2, 2] {
        let scratch = Scratch::new();
        scratch.write("graphs/half.toml", &text);
        let at = format!("ref.files:{passing}");
        let run = ["run", "graphs/half.toml"];
        assert!(scratch.program("laneway", &run, &[("LANEWAY_TEST_CRASH_AT", &at)]).crashed());
        scratch.laneway(&run).success();
        let merged = ["a", "b", "c"].map(|lane| (lane, "merged"));
        scratch.status("half").expect("completed", &merged, &["a1", "b1", "c1"].map(|task| (task, "merged")));
    }
}
