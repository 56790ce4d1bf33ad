//! Runs told event by event, and what is shown of them.

use super::sample::{SHOP, Story, half_way, lane, sha, task};
use super::*;
use crate::event::*;
use crate::id::LaneId;

fn kinds(story: &Story) -> Vec<(&'static str, String)> {
    waiting(&story.plan, &story.state).into_iter().map(|w| (w.kind.word(), w.hint)).collect()
}

fn concern(class: ConcernClass, text: &str) -> ConcernRecorded {
    ConcernRecorded { class, text: text.into() }
}

fn failure(class: FailureKind, message: &str, hint: Option<&str>) -> Failure {
    Failure { class, message: message.into(), hint: hint.map(ToOwned::to_owned), retry_at: None }
}

#[test]
fn ar30_status_has_the_documented_form() {
    let mut story = half_way();
    story.of("routes", concern(ConcernClass::Ops, "needs a migration"));
    let json = serde_json::to_value(status(&story.plan, &story.state)).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for key in ["graph", "run", "state", "lanes", "tasks", "waiting"] {
        assert!(keys(&json).contains(&key.to_owned()), "{key}");
    }
    for key in ["id", "status", "branch", "worktree", "tip", "pr", "error"] {
        assert!(keys(&json["lanes"][0]).contains(&key.to_owned()), "{key}");
    }
    for key in ["id", "lane", "status", "attempts", "checks", "error"] {
        assert!(keys(&json["tasks"][0]).contains(&key.to_owned()), "{key}");
    }
    insta::assert_json_snapshot!(json["lanes"][0], @r#"
    {
      "branch": "laneway/shop/api/integration",
      "checks": [],
      "concerns": [
        {
          "class": "ops",
          "task": "routes",
          "text": "needs a migration"
        }
      ],
      "error": null,
      "id": "api",
      "pr": {
        "number": 1,
        "state": "open",
        "tip": "b000000000000000000000000000000000000000",
        "url": "https://forge.example/shop/pull/1"
      },
      "predicted": [],
      "reason": null,
      "remarks": [],
      "since": "2026-03-14T05:45:35.000Z",
      "status": "pr_created",
      "target": "main",
      "tip": "b000000000000000000000000000000000000000",
      "worktree": "/repo/.worktrees/shop/api"
    }
    "#);
    insta::assert_json_snapshot!(json["tasks"][0], @r#"
    {
      "attempt_status": "succeeded",
      "attempts": 1,
      "attempts_allowed": 2,
      "checks": [
        {
          "detail": "",
          "duration_ms": 4200,
          "name": "claim",
          "status": "pass"
        },
        {
          "detail": "",
          "duration_ms": 4200,
          "name": "gate",
          "status": "pass"
        }
      ],
      "diff": null,
      "ended_at": "2026-03-14T05:43:22.000Z",
      "error": null,
      "id": "types",
      "lane": "api",
      "pr": null,
      "progress": null,
      "question": null,
      "reason": null,
      "started_at": "2026-03-14T05:41:15.000Z",
      "status": "merged",
      "summary": null,
      "usage": []
    }
    "#);
    assert_eq!(json["state"], "running");
    assert_eq!(json["run"], 1);
    assert_eq!(json["lanes"][1]["worktree"], serde_json::Value::Null);
}

#[test]
fn a_failed_task_says_why_and_a_task_between_attempts_does_not_call_it_an_error() {
    let mut story = Story::begun(SHOP);
    story.provision("api");
    let effect = story.start("types");
    let subject = story.subject("types");
    story
        .confirm(subject.clone(), &effect)
        .attempt_to("types", AttemptStatus::Failed, Some("gate failed"))
        .attempt_to("types", AttemptStatus::Queued, None);
    let between = status(&story.plan, &story.state);
    assert_eq!(between.tasks[0].error, None);
    assert_eq!(between.tasks[0].reason.as_deref(), Some("gate failed"));
    assert_eq!(between.tasks[0].attempts, 2);
    story
        .attempt_to("types", AttemptStatus::Started, None)
        .attempt_to("types", AttemptStatus::TimedOut, Some("timed out after 1h"))
        .task_to("types", TaskStatus::Failed, Some("timed out after 1h (2 attempts)"));
    let ended = status(&story.plan, &story.state);
    assert_eq!(ended.tasks[0].error.as_deref(), Some("timed out after 1h (2 attempts)"));
    assert_eq!(ended.tasks[0].reason, None);
}

#[test]
fn a_question_waits_with_the_command_that_answers_it_until_it_is_answered() {
    let mut story = Story::begun(SHOP);
    story.provision("api");
    let effect = story.start("types");
    let subject = story.subject("types");
    let asked = HumanTaskOpened {
        question: "which\u{1b}[2J API?".into(),
        hint: "laneway signal answer types \"...\"".into(),
    };
    story.confirm(subject.clone(), &effect).tell(subject, asked).attempt_to(
        "types",
        AttemptStatus::Waiting,
        Some("which API?"),
    );
    assert_eq!(kinds(&story), [("answer", "laneway signal answer types \"...\"".to_owned())]);
    assert_eq!(waiting(&story.plan, &story.state)[0].question, "which API?");
    story.control(ControlVerb::Answer { task: task("types"), ask: None, text: "v2".into() });
    assert_eq!(kinds(&story), []);
}

#[test]
fn an_agent_that_asks_while_it_works_waits_for_a_person_too() {
    let mut story = Story::begun(SHOP);
    story.provision("api");
    story.start("types");
    let says = |signal: SignalKind, text: &str| SignalObserved { signal, text: text.into() };
    story.of("types", says(SignalKind::Ask { id: "api".into() }, "which API?"));
    assert_eq!(kinds(&story), [("answer", "laneway signal answer types \"...\"".to_owned())]);
    let shown = progress(&story.plan, &story.state, story.now);
    assert_eq!((shown.lanes[0].phase, shown.lanes[0].note.as_deref()), (Phase::Person, Some("which API?")));
    assert_eq!((shown.running, shown.waiting), (0, 1));

    let before = story.state.clone();
    story.of("types", says(SignalKind::Done, "took v2"));
    assert_eq!(kinds(&story), [], "it went on without an answer");

    story.state = before;
    story.control(ControlVerb::Answer { task: task("types"), ask: None, text: "v2".into() });
    assert_eq!(kinds(&story), []);
    assert_eq!(progress(&story.plan, &story.state, story.now).running, 1);
}

#[test]
fn ar18_an_auto_lane_waits_for_a_person_only_when_something_holds_it() {
    let story = half_way();
    assert_eq!(kinds(&story), [], "it is about to merge itself");

    let mut held = half_way();
    held.of("routes", concern(ConcernClass::Ops, "watch the disk"));
    assert_eq!(kinds(&held), [], "an ops concern holds nothing");
    held.of("routes", concern(ConcernClass::Design, "this breaks v1"));
    assert_eq!(kinds(&held), [("concern", "laneway pr merge 1".to_owned())]);

    let mut failed = half_way();
    failed.check(Subject::lane(&lane("api")), "gate", CheckStatus::Fail, "2 tests failed");
    assert_eq!(kinds(&failed), [("attention", "laneway pr merge 1".to_owned())]);
    assert!(waiting(&failed.plan, &failed.state)[0].question.contains("2 tests failed"));

    let mut refused = half_way();
    let merge =
        Effect::MergePr { lane: lane("api"), tip: sha(11), by: "laneway".into(), request: None, only: None };
    let subject = Subject::lane(&lane("api"));
    let why = failure(FailureKind::Refused, "the checkout of main is not clean", Some("git stash"));
    refused.intend(subject.clone(), merge.clone()).fail(subject, &merge, why);
    assert_eq!(kinds(&refused), [("attention", "git stash, then laneway pr merge 1".to_owned())]);
}

#[test]
fn ar17_a_concern_leaves_a_lane_to_a_person_and_a_failed_check_is_a_failure() {
    let mut story = half_way();
    story.of("routes", concern(ConcernClass::Design, "this breaks v1")).run_to(RunStatus::Completed, None);
    assert_eq!(exit_class(&story.state), Outcome::Achieved);
    story.check(Subject::lane(&lane("api")), "gate", CheckStatus::Fail, "2 tests failed");
    assert_eq!(exit_class(&story.state), Outcome::Attention);
}

#[test]
fn a_review_lane_waits_for_its_merge_and_says_what_comes_first() {
    let mut story = half_way();
    let synced = LaneSynced { upstream: vec![(lane("api"), sha(11))], tip: sha(20) };
    story.provision("web").tell(Subject::lane(&lane("web")), synced).land("page", 21).open("web", 2);
    assert_eq!(kinds(&story), [("merge", "laneway pr merge 2".to_owned())]);
    assert!(waiting(&story.plan, &story.state)[0].question.contains("after lane `api`"));
    let merged = PrMerged { commit: sha(99), by: "laneway".into(), head: None };
    story
        .tell(Subject::lane(&lane("api")), merged)
        .lane_to("api", LaneStatus::Merged, None)
        .run_to(RunStatus::Completed, None);
    assert!(!waiting(&story.plan, &story.state)[0].question.contains("after lane"));
    assert_eq!(exit_class(&story.state), Outcome::Achieved, "an open review is an achievement");
}

#[test]
fn ar22_only_the_lane_that_failed_by_itself_is_to_be_retried() {
    let mut story = Story::begun(SHOP);
    story.provision("api");
    let effect = story.start("types");
    story
        .confirm(story.subject("types"), &effect)
        .attempt_to("types", AttemptStatus::Failed, Some("no claim"))
        .task_to("types", TaskStatus::Failed, Some("no claim"))
        .task_to("routes", TaskStatus::Skipped, Some("it needs `types`, which failed"))
        .lane_to("api", LaneStatus::Failed, Some("task `types` failed"))
        .task_to("page", TaskStatus::Skipped, Some("it needs `routes`, which was skipped"))
        .lane_to("web", LaneStatus::Failed, Some("task `page` skipped"))
        .run_to(RunStatus::Failed, Some("lanes `api`, `web` failed"));
    assert_eq!(kinds(&story), [("retry", "laneway retry".to_owned())]);
    assert_eq!(exit_class(&story.state), Outcome::Attention);
    insta::assert_snapshot!(summary(&story.plan, &story.state), @r#"
    graph shop, run 1: failed: lanes `api`, `web` failed
      api  failed: task `types` failed
      web  failed: task `page` skipped

    not done
      types failed: no claim
        laneway logs types
      routes skipped: it needs `types`, which failed
      page skipped: it needs `routes`, which was skipped

    waiting for you
      lane `api` failed: task `types` failed
        laneway retry
    "#);
}

#[test]
fn a_loss_is_said_and_does_not_undo_an_achievement() {
    let mut story = half_way();
    let merged = PrMerged { commit: sha(99), by: "laneway".into(), head: None };
    story.tell(Subject::lane(&lane("api")), merged).lane_to("api", LaneStatus::Merged, None);
    story.tell(Subject::default(), LossRecorded { what: "the watch overflowed".into() });
    story.provision("web").land("page", 21).open("web", 2).run_to(RunStatus::Completed, None);
    let kinds: Vec<_> = kinds(&story).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["merge", "attention"]);
    assert_eq!(exit_class(&story.state), Outcome::Achieved);
}

#[test]
fn ar09_status_files_hold_every_status_passed_and_go_back_with_the_lane() {
    assert!(lane_files(&Story::untold(SHOP).plan, &Story::untold(SHOP).state).is_empty());
    let mut story = half_way();
    let files = lane_files(&story.plan, &story.state);
    insta::assert_debug_snapshot!(files, @r#"
    {
        "api": {
            Pending: "2026-03-14T05:41:07.000Z",
            Active: "2026-03-14T05:41:12.000Z",
            MergeReady: "2026-03-14T05:45:33.000Z",
            PrCreated: "https://forge.example/shop/pull/1",
        },
        "web": {
            Pending: "2026-03-14T05:41:07.000Z",
        },
    }
    "#);
    story.lane_to("api", LaneStatus::Failed, Some("pull request #1 was closed"));
    let failed = &lane_files(&story.plan, &story.state)[&lane("api")];
    assert_eq!(failed[&LaneStatus::Failed], "pull request #1 was closed");
    assert!(failed.contains_key(&LaneStatus::PrCreated));
    story.lane_to("api", LaneStatus::Active, Some("a retry was asked for"));
    let back: Vec<_> = lane_files(&story.plan, &story.state)[&lane("api")].keys().copied().collect();
    assert_eq!(back, [LaneStatus::Pending, LaneStatus::Active]);
}

#[test]
fn a02_status_files_are_a_pure_function_of_the_journal() {
    let story = half_way();
    let mut again = Story::untold(SHOP);
    for envelope in &story.journal {
        let line = envelope.to_json().unwrap();
        again.state.apply(&Envelope::from_json(&line).unwrap()).unwrap();
    }
    assert_eq!(lane_files(&again.plan, &again.state), lane_files(&story.plan, &story.state));
}

fn phase(story: &Story, id: &str) -> (Phase, String) {
    let lines = progress(&story.plan, &story.state, story.now).lanes;
    let line = lines.into_iter().find(|l| l.lane == LaneId::new(id).unwrap()).unwrap();
    (line.phase, line.to_string())
}

#[test]
fn progress_follows_a_lane_through_its_life() {
    let mut story = Story::begun(SHOP);
    let subject = Subject::lane(&lane("api"));
    assert_eq!(phase(&story, "api").0, Phase::Waiting);
    let provision = Effect::Provision { lane: lane("api") };
    story.intend(subject.clone(), provision.clone());
    story.pass(90);
    assert_eq!(phase(&story, "api"), (Phase::Preparing, "preparing  1m 31s  its files".into()));
    let mut lacking = failure(FailureKind::Transient, "takes 2 MiB where 1 MiB is free", Some("laneway gc"));
    lacking.retry_at = Some(story.now.plus(60_000));
    story.fail(subject.clone(), &provision, lacking).pass(5);
    let (paused, said) = phase(&story, "api");
    assert_eq!(paused, Phase::Pausing);
    assert!(said.contains("s  takes 2 MiB where 1 MiB is free"), "{said}");
    let shown = status(&story.plan, &story.state);
    assert_eq!(shown.lanes[0].reason.as_deref(), Some("tried again: takes 2 MiB where 1 MiB is free"));
    assert_eq!(shown.waiting[0].hint, "laneway gc");
    story.intend(subject.clone(), provision.clone());
    let reason = status(&story.plan, &story.state).lanes[0].reason.clone().unwrap();
    assert!(reason.starts_with("being made since ") && reason.ends_with(" UTC: its files"), "{reason}");
    let provisioned = LaneProvisioned {
        worktree: "/w".into(),
        tip: sha(1),
        pushed: false,
        ports: std::collections::BTreeMap::new(),
        remark: None,
    };
    story.tell(subject.clone(), provisioned).confirm(subject.clone(), &provision).lane_to(
        "api",
        LaneStatus::Active,
        None,
    );

    let attempt = story.start("types");
    let of = story.subject("types");
    let said = SignalObserved { signal: SignalKind::Progress, text: "3 of\n5 files".into() };
    story.tell(of.clone(), said).pass(123);
    assert_eq!(phase(&story, "api"), (Phase::Agent, "types 1/2  agent at work  2m 06s  3 of 5 files".into()));
    story.confirm(of.clone(), &attempt);
    let collect = Effect::Collect { task: task("types"), attempt: 1 };
    story.intend(of.clone(), collect.clone());
    assert_eq!(phase(&story, "api").0, Phase::Checking);
    let land = Effect::Land { task: task("types"), attempt: 1, tip: sha(1), commit: Some(sha(5)) };
    story.confirm(of.clone(), &collect).intend(of.clone(), land.clone());
    assert_eq!(phase(&story, "api").0, Phase::Landing);
    story
        .fail(of, &land, failure(FailureKind::Work, "gate failed", None))
        .attempt_to("types", AttemptStatus::Failed, Some("gate failed"))
        .attempt_to("types", AttemptStatus::Queued, None);
    assert_eq!(phase(&story, "api").0, Phase::Pausing);
    assert_eq!(phase(&story, "web").0, Phase::Waiting);

    let mut story = half_way();
    assert_eq!(phase(&story, "api").0, Phase::PrOpen { number: 1 });
    let prove = Effect::Prove { lane: lane("api"), tip: sha(11) };
    story.intend(subject, prove);
    assert_eq!(phase(&story, "api").0, Phase::Proving);
    let progress = progress(&story.plan, &story.state, story.now);
    assert_eq!((progress.done, progress.total, progress.running), (2, 3, 0));
}

#[test]
fn an_interrupted_attempt_does_not_use_up_the_count() {
    let mut story = Story::begun(SHOP);
    story.provision("api");
    let effect = story.start("types");
    story.confirm(story.subject("types"), &effect).attempt_to(
        "types",
        AttemptStatus::Cancelled,
        Some("interrupted"),
    );
    story.start("types");
    let line = &progress(&story.plan, &story.state, story.now).lanes[0];
    let task = line.task.as_ref().unwrap();
    assert_eq!((task.attempt, task.of), (2, 3));
}

#[test]
fn ar11_the_plan_says_lanes_waves_and_what_proves_them() {
    let story = Story::untold(SHOP);
    insta::assert_snapshot!(plan_text(&story.plan, Include::Absent), @r#"
    graph shop, run 1: 2 lanes, 3 tasks, at most 4 at once, handoff ready
      Rework the checkout

    lanes
      api: main at 1000000000 -> main, merged by itself when every check holds
        branch laneway/shop/api/integration
        proven by `make test`
      web: main at 1000000000 -> main, a person merges
        branch laneway/shop/web/integration
        takes in api
        proven by `make ci`

    wave 1
      types in api: agent claude, up to 2 attempts
        gate `make test`

    wave 2
      routes in api: agent claude, up to 2 attempts
        gate `make test`
        needs types

    wave 3
      page in web: run `npm run build`, up to 2 attempts
        gate `make test`
        needs routes
    "#);
    let json = plan_json(&story.plan, Include::Absent);
    assert_eq!(json["waves"], serde_json::json!([["types"], ["routes"], ["page"]]));
    insta::assert_json_snapshot!(json["steps"], @r#"
    [
      "prepare lane api: branch laneway/shop/api/integration from main at 1000000000",
      "start task types in lane api: agent claude",
      "check the work of task types",
      "land task types in lane api: gate `make test`",
      "start task routes in lane api: agent claude",
      "check the work of task routes",
      "land task routes in lane api: gate `make test`",
      "open the pull request of lane api to main",
      "prove the merge of lane api into main: gate `make test`",
      "merge the pull request of lane api into main",
      "remove the worktree of lane api",
      "say on the pull request of lane api what became of it",
      "prepare lane web: branch laneway/shop/web/integration from main at 1000000000",
      "bring lane api into lane web",
      "start task page in lane web: run `npm run build`",
      "check the work of task page",
      "land task page in lane web: gate `make test`",
      "open the pull request of lane web to main",
      "prove the merge of lane web into main: gate `make ci`",
      "leave the pull request of lane web to a person: laneway pr merge"
    ]
    "#);
    insta::assert_json_snapshot!(json["tasks"][2], @r#"
    {
      "agent": null,
      "attempts": 2,
      "command": "npm run build",
      "gate": "make test",
      "id": "page",
      "inputs": [],
      "lane": "web",
      "needs": [
        "routes"
      ],
      "outputs": [],
      "reviewer": null,
      "role": null,
      "takes_turns_with": [],
      "verb": "run",
      "wave": 3,
      "when": null,
      "writes": []
    }
    "#);
}

#[test]
fn ar11_a_journal_records_the_steps_in_the_words_of_the_plan() {
    let mut story = Story::begun(SHOP);
    let subject = Subject::lane(&lane("api"));
    story.provision("api").land("types", 10);
    let prove = Effect::Prove { lane: lane("web"), tip: sha(2) };
    let sync = Effect::Sync {
        lane: lane("web"),
        n: 1,
        tip: sha(1),
        from: vec![SyncSource::Target { landed: vec![(lane("api"), sha(11))] }],
    };
    story.intend(Subject::lane(&lane("web")), sync.clone());
    story.confirm(Subject::lane(&lane("web")), &sync);
    story.intend(Subject::lane(&lane("web")), prove.clone());
    story.confirm(Subject::lane(&lane("web")), &prove);
    story.intend(subject.clone(), Effect::Teardown { lane: lane("api"), n: 1 });
    let planned = steps(&story.plan);
    let told: Vec<String> = story.journal.iter().filter_map(|e| recorded(&story.plan, e)).collect();
    assert_eq!(told.len(), 6);
    for step in &told {
        assert!(planned.contains(step), "{step:?} is not among {planned:#?}");
    }
}

#[test]
fn a_lane_without_any_change_opens_no_pull_request() {
    let text = "schema = 1\nname = \"g\"\n[[tasks]]\nid = \"look\"\nrun = \"make lint\"\ndiff = \"none\"\n";
    let steps = steps(&Story::untold(text).plan);
    assert_eq!(
        steps,
        [
            "prepare lane default: branch laneway/g/default/integration from main at 1000000000",
            "start task look in lane default: run `make lint`",
            "remove the worktree of lane default",
        ]
    );
}

#[test]
fn every_event_is_one_line_and_only_what_changes_something_is_important() {
    let mut story = half_way();
    story.of("routes", concern(ConcernClass::Design, "breaks\r\nv1 \u{202e}"));
    let started = ProcessStarted {
        role: ProcessRole::Agent,
        process: ProcessId { pid: 7, start_time: 1, boot_id: "b".into(), tag: "t".into() },
        command: "claude -p\u{7}\nprompt.md".into(),
        mono: 0,
    };
    story.of("routes", started);
    story.check(story.subject("routes"), "gate", CheckStatus::Fail, "2 tests failed\n\nmore");
    let lines: Vec<String> = story
        .journal
        .iter()
        .map(|e| format!("{} {}", if important(e) { '*' } else { ' ' }, line(e)))
        .collect();
    assert!(lines.iter().all(|l| !l.chars().any(char::is_control)));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    * 05:41:07 run of graph shop begins, plan ddddddddddd…
      05:41:08 ann carries the run, pid 7
      05:41:09 api  next: prepare lane api
      05:41:10 api  lane ready at 1000000000, worktree /repo/.worktrees/shop/api, pushed
      05:41:11 api  done: provision/api
    * 05:41:12 api  lane active
    * 05:41:13 api/types  task running
      05:41:14 api/types#1  attempt queued
    * 05:41:15 api/types#1  attempt started
      05:41:16 api/types#1  next: attempt 1 of task types from 1000000000
      05:43:17 api/types#1  done: attempt/types/1/1
      05:43:18 api/types#1  check claim passed (4.2s)
      05:43:19 api/types#1  check gate passed (4.2s)
    * 05:43:20 api/types#1  merged: laneway/shop/api/integration moved from 9000000000 to a000000000
    * 05:43:21 api/types#1  attempt succeeded
    * 05:43:22 api/types  task merged
    * 05:43:23 api/routes  task running
      05:43:24 api/routes#1  attempt queued
    * 05:43:25 api/routes#1  attempt started
      05:43:26 api/routes#1  next: attempt 1 of task routes from 1000000000
      05:45:27 api/routes#1  done: attempt/routes/1/1
      05:45:28 api/routes#1  check claim passed (4.2s)
      05:45:29 api/routes#1  check gate passed (4.2s)
    * 05:45:30 api/routes#1  merged: laneway/shop/api/integration moved from a000000000 to b000000000
    * 05:45:31 api/routes#1  attempt succeeded
    * 05:45:32 api/routes  task merged
    * 05:45:33 api  lane merge_ready
    * 05:45:34 api  pull request #1 opened at b000000000: https://forge.example/shop/pull/1
    * 05:45:35 api  lane pr_created
    * 05:45:36 api/routes#1  design concern: breaks v1
      05:45:37 api/routes#1  agent started: claude -p prompt.md (pid 7)
    * 05:45:38 api/routes#1  check gate failed (4.2s): 2 tests failed more
    "#);
}

#[test]
fn a14_a_loop_says_which_iteration_it_is_in() {
    let looping = "Write the types.\"\nagent = { use = \"claude\", loop = { max_iterations = 5 } }";
    let mut story = Story::begun(&SHOP.replace("Write the types.\"", looping));
    story.provision("api").start("types");
    assert_eq!(phase(&story, "api").1, "types 1/2  iteration 1/5  agent at work  2.0s");
}

#[test]
fn a21_what_an_attempt_used_adds_up_over_its_processes_and_counts_once() {
    let mut story = Story::begun(SHOP);
    story.provision("api").start("types");
    let of = story.subject("types");
    let used = |n: u64, session: &str| UsageRecorded {
        agent: "claude".into(),
        session: Some(session.into()),
        input_tokens: Some(10 * n),
        cached_tokens: None,
        output_tokens: Some(n),
        cost_micros: Some(500),
        review: None,
    };
    let first = Subject { iteration: Some(1), ..of.clone() };
    let second = Subject { iteration: Some(2), ..of };
    story.tell(first.clone(), used(1, "a")).tell(first, used(1, "a")).tell(second, used(2, "b"));
    let json = serde_json::to_value(status(&story.plan, &story.state)).unwrap();
    let expected = serde_json::json!([{ "attempt": 1, "session": "b", "input_tokens": 30, "cached_tokens": 0,
        "output_tokens": 3, "cost_micros": 1000 }]);
    assert_eq!(json["tasks"][0]["usage"], expected);
}

/// A graph whose lanes hold more and less than their commit.
const FURNISHED: &str = r#"
schema = 1
name = "site"
[[workstreams]]
id = "app"
copy = [".env", "packages/*/.env"]
setup = [{ run = "npm ci", reads = ["package-lock.json"], makes = ["node_modules"] }, "npm run generate"]
ports = ["HTTP_PORT", "DB_PORT"]
sparse = ["app", "libs/core"]
submodules = false
lfs = "skip"
[[workstreams]]
id = "docs"
parallel = 2
[[tasks]]
id = "one"
workstream = "app"
run = "true"
writes = ["app/**"]
[[tasks]]
id = "two"
workstream = "app"
run = "true"
writes = ["app/x/**"]
[[tasks]]
id = "three"
workstream = "docs"
run = "true"
writes = ["app/x/y.md", "docs/**"]
[[tasks]]
id = "four"
workstream = "docs"
run = "true"
needs = ["three"]
writes = ["docs/**"]
"#;

#[test]
fn the_plan_says_what_lanes_hold_and_which_tasks_take_turns() {
    let story = Story::untold(FURNISHED);
    let text = plan_text(&story.plan, Include::Present);
    insta::assert_snapshot!(text, @r"
    graph site, run 1: 2 lanes, 4 tasks, at most 4 at once, handoff ready

    lanes
      app: main at 1000000000 -> main, a person merges
        branch laneway/site/app/integration
        gets a copy of .env, packages/*/.env and what .worktreeinclude names, as far as git ignores it
        set up by `npm ci`, makes node_modules for all lanes that read the same
        set up by `npm run generate`
        has ports of its own in HTTP_PORT, DB_PORT
        holds only app, libs/core, and the files on the way there
        without submodules
        with pointers for files in LFS
      docs: main at 1000000000 -> main, a person merges
        branch laneway/site/docs/integration
        gets a copy of what .worktreeinclude names, as far as git ignores it

    wave 1
      one in app: run `true`, up to 2 attempts
        takes turns with three, as what they write overlaps
      two in app: run `true`, up to 2 attempts
        takes turns with three, as what they write overlaps
      three in docs: run `true`, up to 2 attempts
        takes turns with one, two, as what they write overlaps
      one, two take turns: app runs one at a time

    wave 2
      four in docs: run `true`, up to 2 attempts
        needs three
    ");
    let json = plan_json(&story.plan, Include::Present);
    insta::assert_json_snapshot!(json["lanes"][0]["holds"], @r#"
    {
      "copy": [
        ".env",
        "packages/*/.env"
      ],
      "lfs": "skip",
      "ports": [
        "HTTP_PORT",
        "DB_PORT"
      ],
      "setup": [
        {
          "command": "npm ci",
          "makes": [
            "node_modules"
          ],
          "reads": [
            "package-lock.json"
          ]
        },
        {
          "command": "npm run generate",
          "makes": [],
          "reads": []
        }
      ],
      "sparse": [
        "app",
        "libs/core"
      ],
      "submodules": false,
      "worktreeinclude": true
    }
    "#);
    assert_eq!(json["tasks"][0]["takes_turns_with"], serde_json::json!(["three"]));
    assert_eq!(json["tasks"][3]["takes_turns_with"], serde_json::json!([]));
    assert_eq!(json["lanes"][1]["holds"]["submodules"], true);
    let without = plan_text(&story.plan, Include::Absent);
    assert!(
        !without.contains("worktreeinclude") && without.contains("gets a copy of .env, packages/*/.env, as")
    );
}
