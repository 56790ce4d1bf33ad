//! Bodies of real states, and hostile words in every place that an agent can reach.

use proptest::prelude::*;

use super::*;
use crate::event::*;
use crate::view::sample::{Story, half_way, lane, sha};

/// What a hostile text is made of.
const TRICKS: &[&str] = &[
    "@ann",
    "@org/team",
    "\\@ann",
    "&commat;ann",
    "&#64;ann",
    "@\u{200b}ann",
    "closes #1",
    "Fixes org/x#12",
    "resolves GH-7",
    "fixes gh\\-7",
    "closes https://github.com/o/r/issues/3",
    "www.evil.example",
    "mailto:ann@example.org",
    "<img src=x>",
    "![x](https://evil.example/p.png)",
    "![x][y]",
    "[y]: //evil.example",
    "[a](//evil.example)",
    "</details>",
    "</summary>",
    "<!-- ",
    "-->",
    "<script>",
    "```",
    "~~~~",
    "`",
    "|",
    "\\|",
    "\n",
    "\r",
    "\n\n",
    "\u{2028}",
    "\u{202e}",
    "\u{1b}[31m",
    "\0",
    "# head",
    "> ",
    "- [ ] x",
    "    ",
    "\t",
    "&lt;b",
    "\n---\n",
    "$x$",
    "ann",
    "1",
    " ",
    "\\",
    "#",
    "&",
    "<",
    "[x]",
    ":",
    "//",
    "-",
    "é",
];

fn hostile() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(TRICKS), 0..14).prop_map(|parts| parts.concat())
}

/// What a forge would act on in this line, if anything. Written without a look at how texts are made inert.
fn active(line: &str) -> Option<&'static str> {
    let chars: Vec<char> = line.chars().collect();
    let at = |ix: usize| chars.get(ix).copied().unwrap_or(' ');
    let lower = line.to_lowercase();
    for (ix, &c) in chars.iter().enumerate() {
        let next = at(ix + 1);
        match c {
            '@' if next.is_alphanumeric() || next == '_' => return Some("mention"),
            '#' if next.is_ascii_digit() => return Some("reference"),
            '<' if next.is_ascii_alphabetic() || "/!?".contains(next) => return Some("html"),
            '&' if next == '#' || next.is_ascii_alphanumeric() => return Some("entity"),
            '!' if next == '[' => return Some("image"),
            ']' if next == '(' || next == ':' || next == '[' => return Some("link"),
            ':' if next == '/' && at(ix + 2) == '/' => return Some("address"),
            '\\' if next.is_ascii_punctuation() && next != '|' => return Some("escape"),
            c if c.is_control() => return Some("control"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' => return Some("direction"),
            _ => {}
        }
    }
    let digit_after = |word: &str| {
        lower
            .match_indices(word)
            .any(|(ix, _)| lower[ix + word.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    if digit_after("gh-") {
        return Some("reference");
    }
    lower.contains("www.").then_some("address")
}

/// The lines of a body that are Laneway's own words and may be active.
fn own(line: &str) -> bool {
    line.starts_with("<details><summary>") || line == "</details>" || line.starts_with("<!-- laneway:")
}

/// The lines that stand in no block of code.
fn outside_of_fences(body: &str) -> Vec<&str> {
    let mut fence: Option<&str> = None;
    let mut outside = Vec::new();
    for line in body.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => outside.push(line),
        }
    }
    assert_eq!(fence, None, "a fence was left open");
    outside
}

fn told(text: &str) -> Story {
    let mut story = half_way();
    for class in [ConcernClass::Ops, ConcernClass::Design] {
        let text = text.to_owned();
        story.of("routes", ConcernRecorded { class, text });
    }
    let summary = |text: &str| SummaryRecorded { text: text.to_owned() };
    story.of("types", summary("plain words")).of("routes", summary(text));
    story.check(story.subject("types"), text, CheckStatus::Warn, text);
    story.check(Subject::lane(&lane("api")), text, CheckStatus::Fail, text);
    story
}

fn file(path: &str) -> DiffFile {
    DiffFile {
        path: path.to_owned(),
        change: "renamed".into(),
        additions: 3,
        deletions: 1,
        binary: false,
        old_path: Some(path.to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn ar10_hostile_words_stay_inert_wherever_an_agent_can_put_them(text in hostile()) {
        let story = told(&text);
        let PrText { title, body } = pull_request(&story.plan, &story.state, 0, &[file(&text)]);
        prop_assert_eq!(active(&title), None);
        let mut code = false;
        for line in body.split('\n') {
            if line.starts_with("```") {
                code = !code;
            }
            if !own(line) && !code {
                prop_assert_eq!(active(line), None, "{:?}", line);
            }
        }
        prop_assert!(!code, "a fence was left open");
        let count = |what: &str| body.lines().filter(|l| l.starts_with(what)).count();
        prop_assert_eq!(count("<details>"), count("</details>"));
        prop_assert_eq!(count("```"), 4, "only the picture and the commands are fenced");
        for row in body.lines().filter(|l| l.starts_with("| `")) {
            prop_assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{:?}", row);
        }
    }

    #[test]
    fn ar10_hostile_paths_and_names_stay_inert_where_conflicts_are_told(text in hostile(), is_ahead in any::<bool>()) {
        let mut story = half_way();
        let api = Subject::lane(&lane("api"));
        let mut conflict = ConflictPredicted::over(text.clone(), vec![text.clone(), text.clone()], text.clone());
        if is_ahead {
            let tip = story.state.lanes[0].tip.clone().expect("it has a tip");
            conflict.probed = Some(Probed { lane: None, ours: tip, theirs: sha(41) });
        } else {
            conflict.marked = Some(sha(40));
            let from = vec![SyncSource::Target { landed: vec![] }];
            story.intend(api.clone(), Effect::Sync { lane: lane("api"), n: 1, tip: sha(11), from });
        }
        story.tell(api.clone(), conflict);
        story.check(api, CHECK_MERGEABLE, CheckStatus::Fail, &text);
        let body = pull_request(&story.plan, &story.state, 0, &[]).body;
        let trouble = body.split_once("## Trouble ahead\n\n").map(|(_, rest)| rest).expect("told");
        let trouble = trouble.split("\n## ").next().unwrap_or_default();
        prop_assert_eq!(trouble.trim().lines().count(), 2, "{:?}", trouble);
        prop_assert!(trouble.trim().lines().all(|line| line.starts_with("- It ")), "{:?}", trouble);
        prop_assert_eq!(trouble.lines().find_map(active), None, "{:?}", trouble);
    }

    #[test]
    fn ar10_hostile_prompts_and_claims_stay_inert(text in hostile()) {
        let mut story = half_way();
        story.of("types", SignalObserved { signal: SignalKind::Done, text: text.clone() });
        let mut plan = (*story.plan).clone();
        for task in &mut plan.tasks {
            task.description = None;
            if let crate::plan::Work::Agent { prompt, .. } = &mut task.work {
                prompt.clone_from(&text);
            }
        }
        let body = pull_request(&plan, &story.state, 0, &[]).body;
        for line in outside_of_fences(&body).into_iter().filter(|line| !own(line)) {
            prop_assert_eq!(active(line), None, "{:?}", line);
        }
        for row in body.lines().filter(|l| l.starts_with("| `")) {
            prop_assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{:?}", row);
        }
    }

    #[test]
    fn ar10_hostile_branches_and_descriptions_stay_inert_where_lanes_are_told(text in hostile()) {
        let mut stacked = half_way();
        let synced = LaneSynced { upstream: vec![(lane("api"), sha(11))], tip: sha(20) };
        stacked.provision("web").tell(Subject::lane(&lane("web")), synced).land("page", 21).open("web", 2);
        let mut nested = Story::begun(NESTED);
        nested.provision("part").land("piece", 31);
        for (story, lane, told) in [(&stacked, 1, "- stacked: "), (&nested, 1, "- nested in lane ")] {
            let mut plan = (*story.plan).clone();
            plan.description = Some(text.clone());
            for lane in &mut plan.lanes {
                lane.target = text.clone();
            }
            let PrText { title, body } = pull_request(&plan, &story.state, lane, &[file(&text)]);
            prop_assert_eq!(active(&title), None);
            prop_assert!(body.contains(told), "{}", body);
            let found = outside_of_fences(&body).into_iter();
            let found: Vec<&str> = found.filter(|line| !own(line) && active(line).is_some()).collect();
            // Numbers of Laneway's own pull requests are links on purpose.
            prop_assert!(found.iter().all(|line| line.replace(" (#1)", "").replace(" (#2)", "") != **line), "{:?}", found);
        }
    }

    #[test]
    fn ar33_hostile_words_stay_inert_in_the_pull_request_of_a_task(text in hostile()) {
        let story = told(&text);
        let (mut task, state) = (story.plan.tasks[0].clone(), &story.state.tasks[0]);
        task.description = Some(text.clone());
        let attempt = state.attempt().expect("it has begun");
        let PrText { title, body } = task_pull_request(&story.plan.graph, &task, attempt, Some(&text));
        prop_assert_eq!(active(&title), None);
        for line in body.lines().chain(task_pr_closed(&text).lines()) {
            prop_assert_eq!(active(line), None, "{:?}", line);
        }
    }

    #[test]
    fn ar10_words_lose_nothing_but_what_cannot_be_seen(text in "[ -~]{0,80}") {
        let gap = '\u{200b}';
        let quoted = neutral::quote(&text, 1000).text.replace(gap, "");
        // A text may look like a quotation itself; only our own mark comes off.
        prop_assert_eq!(quoted.strip_prefix("> ").unwrap_or(&quoted).trim_end(), text.trim());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn ar10_no_body_is_longer_than_a_forge_takes(
        text in hostile(), times in 1usize..20_000, files in 0usize..3000,
    ) {
        let story = told(&text.repeat(times / text.len().max(1) + 1));
        let diff: Vec<DiffFile> = (0..files).map(|n| file(&format!("{text}{n}"))).collect();
        let body = pull_request(&story.plan, &story.state, 0, &diff).body;
        prop_assert!(body.chars().count() <= MOST_CHARACTERS);
        prop_assert!(body.ends_with("<!-- laneway:shop:0f6d:api -->\n"), "the marker is never cut");
    }
}

#[test]
fn the_checker_of_these_tests_sees_what_is_active() {
    for bad in [
        "hi @ann",
        "closes #1",
        "GH-7",
        "<b>",
        "</details>",
        "<!-- x",
        "&commat;",
        "![x]",
        "[a](b)",
        "http://x",
        "www.x",
    ] {
        assert!(active(bad).is_some(), "{bad}");
    }
    assert_eq!(active("a < b && c # d @ e | f"), None);
}

#[test]
fn ar10_a_body_shows_concerns_first_then_what_was_done_and_how_to_check_it() {
    let mut story = half_way();
    let summary = "Adds the types.\n\n- `Cart`\n- closes #4, thanks @bob\n".to_owned();
    story.of("types", SummaryRecorded { text: summary });
    for (class, text) in
        [(ConcernClass::Ops, "run the migration first"), (ConcernClass::Design, "`v1` clients break")]
    {
        let text = text.to_owned();
        story.of("routes", ConcernRecorded { class, text });
    }
    let stat = DiffStat { files: 2, additions: 40, deletions: 3 };
    let diff = DiffRecorded { base: sha(1), head: sha(2), stat, files: vec![] };
    story.of("types", diff);
    story.check(Subject::lane(&lane("api")), "make test", CheckStatus::Pass, "");
    let files = [file("src/api.rs")];
    let text = pull_request(&story.plan, &story.state, 0, &files);
    assert_eq!(text, pull_request(&story.plan, &story.state, 0, &files), "the same bytes");
    assert_eq!(text.title, "shop/api: Server side");
    insta::assert_snapshot!(text.body.replace('\u{200b}', "~"), @r#"
    Server side

    ## Concerns

    ### Design: not merged without a person

    Task `routes`:

    > `v1` clients break

    ### Ops, for whoever runs it

    Task `routes`:

    > run the migration first

    ## Tasks

    | task | outcome | attempts | time | checks | change |
    |---|---|---|---|---|---|
    | `types` API types | merged | 1 of 2 | 2m 06s | pass: claim, gate | 2 files +40 -3 |
    | `routes` Write the routes. | merged | 1 of 2 | 2m 06s | pass: claim, gate |  |

    ```mermaid
    flowchart LR
      subgraph lane0["api"]
        t0["types"]
        t1["routes"]
      end
      subgraph lane1["web"]
        t2["page"]
      end
      t0 --> t1
      t1 --> t2
      style lane1 stroke-dasharray: 4 4
    ```

    <details><summary>Change: 1 file +3 -1</summary>

    - `src/api.rs` renamed from `src/api.rs`, +3 -1

    </details>

    ## Checks on the merge with `main`

    | check | result | time | detail |
    |---|---|---|---|
    | make test | pass | 4.2s |  |

    ## Other lanes

    - lane `web` builds on this one

    ## What the agents say

    <details><summary><code>types</code></summary>

    > Adds the types.
    >
    > - `Cart`
    > - closes #~4, thanks @~bob

    </details>

    ## Try it

    ```sh
    git fetch origin laneway/shop/api/integration main
    git worktree add --detach ../shop-api b000000000000000000000000000000000000000
    cd ../shop-api
    # the gates ran on the merge with the target; leave this out to try the branch alone
    git merge --no-edit origin/main
    make test
    ```

    Made by Laneway: graph `shop`, run 1, lane `api` at `b000000000`, cut from `main` at `1000000000`.

    <!-- laneway:shop:0f6d:api -->
    "#);
}

#[test]
fn ar10_a_lane_that_holds_another_says_what_is_merged_first() {
    let mut story = half_way();
    let synced = LaneSynced { upstream: vec![(lane("api"), sha(11))], tip: sha(20) };
    story.provision("web").tell(Subject::lane(&lane("web")), synced).land("page", 21).open("web", 2);
    let body = pull_request(&story.plan, &story.state, 1, &[]).body;
    assert!(body.contains("- holds lane `api` (#1) at `b000000000`: to be merged first\n"), "{body}");
    assert!(body.contains("- stacked: it goes to `laneway/shop/api/integration` until"), "{body}");
    assert!(!body.contains("## Concerns"));
}

#[test]
fn ar10_a_body_stays_as_it_is_while_others_work() {
    let mut story = half_way();
    let body = |story: &Story| pull_request(&story.plan, &story.state, 0, &[]);
    let before = body(&story);
    story.pass(3600).provision("web").land("page", 21);
    assert_eq!(body(&story), before);
    story.open("web", 2);
    assert!(body(&story).body.contains("- lane `web` (#2) builds on this one\n"));
}

#[test]
fn ar10_a_body_says_what_is_known_to_go_wrong() {
    let mut story = half_way();
    let api = Subject::lane(&lane("api"));
    let body = |story: &Story| pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(!body(&story).contains("Trouble"));
    story.check(api.clone(), CHECK_MERGEABLE, CheckStatus::Fail, "lane and `main` both changed src/@api.rs");
    let text = body(&story);
    let trouble =
        "## Trouble ahead\n\n- It does not merge: lane and 'main' both changed src/@\u{200b}api.rs.\n";
    assert!(text.contains(trouble), "{text}");
    assert!(text.find(trouble) < text.find("## Tasks"), "{text}");
    story.check(api.clone(), CHECK_MERGEABLE, CheckStatus::Pass, "");
    assert!(body(&story).contains("- main has moved since, in a way that conflicts with it.\n"));
    let from = vec![SyncSource::Target { landed: vec![] }];
    let mut conflict = ConflictPredicted::over("`main`".into(), vec!["src/api.rs".into()], String::new());
    conflict.marked = Some(sha(40));
    let sync = Effect::Sync { lane: lane("api"), n: 1, tip: sha(11), from };
    story.intend(api.clone(), sync).tell(api, conflict);
    let text = body(&story);
    assert!(text.contains("- It does not merge with 'main': both changed src/api.rs.\n"), "{text}");
}

#[test]
fn ar10_a_body_says_what_the_agents_used() {
    let mut story = half_way();
    assert!(!pull_request(&story.plan, &story.state, 0, &[]).body.contains("Used"));
    for (task, cost_micros) in [("types", Some(1_230_001)), ("routes", None)] {
        let used = UsageRecorded {
            agent: "claude".into(),
            session: None,
            input_tokens: Some(600_100),
            cached_tokens: Some(1_000),
            output_tokens: Some(42),
            cost_micros,
            review: None,
        };
        story.of(task, used);
    }
    let body = pull_request(&story.plan, &story.state, 0, &[]).body;
    let used = "Used, as far as the agents say: 1,200,200 input tokens (2,000 of them cached), 84 output tokens, $1.24.";
    assert!(body.contains(used), "{body}");
}

const NESTED: &str = r#"
name = "shop"
[[workstreams]]
id = "core"
[[workstreams]]
id = "part"
parent = "core"
[[tasks]]
id = "whole"
workstream = "core"
run = "make"
[[tasks]]
id = "piece"
workstream = "part"
run = "make"
"#;

#[test]
fn ar10_a_nested_lane_and_its_parent_name_each_other() {
    let mut story = Story::begun(NESTED);
    story.provision("core").provision("part").land("piece", 30).open("part", 1);
    let part = pull_request(&story.plan, &story.state, 1, &[]).body;
    assert!(
        part.contains("- nested in lane `core`: it is merged into that one, and reaches `main` with it\n"),
        "{part}"
    );
    assert!(!part.contains("merged first") && !part.contains("mermaid"), "{part}");
    let core = pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(core.contains("- without nested lane `part` (#1): pr_created\n"), "{core}");
    let merged = PrMerged { commit: sha(31), by: "ann".into(), head: None };
    story.tell(Subject::lane(&lane("part")), merged).lane_to("part", LaneStatus::Merged, None);
    let core = pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(
        core.contains("- holds nested lane `part` (#1) at `1e00000000`: merged into this one\n"),
        "{core}"
    );
}

#[test]
fn ar10_a_picture_that_nobody_could_read_is_left_out_and_said() {
    use std::fmt::Write as _;
    let mut text = String::from("name = \"g\"\n");
    for n in 0..70 {
        let needs = if n == 0 { String::new() } else { format!("needs = [\"t{}\"]\n", n - 1) };
        write!(text, "[[tasks]]\nid = \"t{n}\"\nrun = \"x\"\n{needs}").unwrap();
    }
    let story = Story::begun(&text);
    let body = pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(!body.contains("mermaid") && body.contains("A picture of these 70 tasks"), "{body}");
}

/// The sample's first lane, merged, with something left behind.
fn merged() -> Story {
    let mut story = half_way();
    let api = Subject::lane(&lane("api"));
    story.of("types", ConcernRecorded { class: ConcernClass::Ops, text: "migrate".into() });
    let merged = PrMerged { commit: sha(50), by: "ann".into(), head: None };
    let kept = CustodyKept {
        reference: "refs/laneway/custody/shop/1/teardown/api".into(),
        commit: sha(51),
        reason: "what lane api held when it was removed".into(),
    };
    let remarks = vec!["/repo/.worktrees/shop/api stays: @ann is in it".into()];
    story
        .tell(api.clone(), merged)
        .lane_to("api", LaneStatus::Merged, None)
        .tell(api.clone(), kept)
        .tell(api, LaneRemoved { remarks });
    story
}

#[test]
fn ar10_the_last_word_says_what_became_of_a_merged_lane() {
    let mut story = half_way();
    assert_eq!(last_word(&story.plan, &story.state, 0), "", "it is not merged");
    story = merged();
    let text = last_word(&story.plan, &story.state, 0);
    assert_eq!(text, last_word(&story.plan, &story.state.about(0), 0), "a lane's part says as much");
    insta::assert_snapshot!(text.replace('\u{200b}', "~"), @r"
    **Merged** into `main` by `ann`, as 3200000000000000000000000000000000000000.

    - 2 tasks in 2 attempts, 4m 12s of work
    - 4m 23s from the first attempt to the merge
    - 1 ops concern went in with it; see the description

    Lanes that build on it:

    - `web`: nothing else is in its way

    Remarks:

    - .worktrees/shop/api stays: @~ann is in it

    Kept on the machine of the run; `git branch NAME REF` brings one back:

    - `refs/laneway/custody/shop/1/teardown/api`: what lane api held when it was removed
    ");
}

#[test]
fn ar10_the_last_word_names_what_a_lane_still_waits_for() {
    let lane_of = |lane: &str, needs: &str| {
        format!(
            "[[workstreams]]\nid = \"{lane}\"\n[[tasks]]\nid = \"{lane}1\"\nworkstream = \"{lane}\"\nrun = \"x\"\n{needs}\n"
        )
    };
    let lanes = [lane_of("a", ""), lane_of("b", ""), lane_of("c", "needs = [\"a1\", \"b1\"]")];
    let text = format!("name = \"g\"\n{}", lanes.concat());
    let mut story = Story::begun(&text);
    for (ix, id) in [(0, "a"), (1, "b")] {
        let tip = 20 + ix;
        story.provision(id).land(&format!("{id}1"), tip).open(id, tip);
        let merged = PrMerged { commit: sha(50), by: "ann".into(), head: None };
        story.tell(Subject::lane(&lane(id)), merged).lane_to(id, LaneStatus::Merged, None);
        let last = |state: &crate::state::State| last_word(&story.plan, state, usize::try_from(ix).unwrap());
        let way =
            if id == "a" { "- `c`: builds on `b` too\n" } else { "- `c`: nothing else is in its way\n" };
        assert!(last(&story.state).contains(way), "{}", last(&story.state));
        assert_eq!(last(&story.state), last(&story.state.about(usize::try_from(ix).unwrap())));
    }
}

#[test]
fn ar10_summaries_are_cut_first_and_the_cut_is_said() {
    let mut story = half_way();
    let long = "word ".repeat(40_000);
    story
        .of("types", SummaryRecorded { text: long })
        .of("routes", SummaryRecorded { text: "short and whole".into() });
    story.of("routes", ConcernRecorded { class: ConcernClass::Design, text: "kept whole".into() });
    let body = pull_request(&story.plan, &story.state, 0, &[]).body;
    let size = body.chars().count();
    assert!((60_000..=MOST_CHARACTERS).contains(&size), "{size}");
    assert!(body.contains("> kept whole\n") && body.contains("> short and whole\n"));
    assert_eq!(body.matches("The rest is cut off here").count(), 1);
}

#[test]
fn ar10_files_that_do_not_fit_are_named_by_a_command_that_has_them() {
    let story = half_way();
    let files: Vec<DiffFile> = (0..2000).map(|n| file(&format!("src/file-{n}"))).collect();
    let body = pull_request(&story.plan, &story.state, 0, &files).body;
    assert!(body.contains(" left out here; `laneway pr diff` with this number has them all."), "{body}");
    let mut plan = (*story.plan).clone();
    plan.settings.forge = crate::plan::ForgeKind::GitHub;
    let body = pull_request(&plan, &story.state, 0, &files).body;
    let whole = format!("`git diff --stat origin/main...{}`", sha(11).short());
    assert!(body.contains(&format!(" left out here; {whole} has them all.")), "{body}");
}

#[test]
fn ar10_status_has_all_of_a_claim_that_a_body_cuts() {
    let mut story = half_way();
    let long = "claim ".repeat(40_000);
    story.of("types", SignalObserved { signal: SignalKind::Done, text: long.clone() });
    let body = pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(body.contains("The rest is cut off here; `laneway status --json` has all of it."), "{body}");
    let status = crate::view::status(&story.plan, &story.state);
    assert_eq!(status.tasks[0].summary.as_ref(), Some(&long));
}

#[test]
fn a_gate_with_a_fence_in_it_stays_in_its_block() {
    let text = "schema = 1\nname = \"g\"\n[[tasks]]\nid = \"t\"\nrun = \"x\"\ngate = \"printf '```\\n'; echo `date`\"\n";
    let story = Story::begun(text);
    let body = pull_request(&story.plan, &story.state, 0, &[]).body;
    assert!(body.contains("\n````sh\n") && body.contains("\n````\n"), "{body}");
}

#[test]
fn ar10_a_body_says_what_was_asked_and_what_the_agent_claimed_where_nothing_better_is_said() {
    let mut story = half_way();
    story.of("types", SignalObserved { signal: SignalKind::Done, text: "drew the types".to_owned() });
    let mut plan = (*story.plan).clone();
    for task in &mut plan.tasks {
        task.description = None;
        if let crate::plan::Work::Agent { prompt, .. } = &mut task.work {
            "\n  Draw the types.\nAll of them.\n".clone_into(prompt);
        }
    }
    let body = pull_request(&plan, &story.state, 0, &[]).body;
    assert!(body.contains("| `types` Draw the types. |"), "{body}");
    assert!(body.contains("> drew the types\n"), "{body}");
    story.of("types", SummaryRecorded { text: "the summary".to_owned() });
    let body = pull_request(&plan, &story.state, 0, &[]).body;
    assert!(body.contains("> the summary\n") && !body.contains("drew the types"), "{body}");
}

#[test]
fn what_was_to_be_expected_goes_from_a_body_and_nothing_else() {
    let body = "about\n\n## Trouble ahead\n\n- It will conflict.\n\n## Tasks\n\n> ## Trouble ahead\n";
    let without = without_trouble(body).expect("it tells of trouble");
    assert_eq!(without, "about\n\n## Tasks\n\n> ## Trouble ahead\n");
    assert_eq!(without_trouble(&without), None);
}
