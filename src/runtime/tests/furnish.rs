//! What lanes get beside the files of their commit.

use super::*;
use crate::event::{CheckStatus, LaneStatus, RunStatus};

/// A repository with a lock file, whose `made` and `.env` are ignored.
fn project() -> tempfile::TempDir {
    let dir = repository();
    sh(
        dir.path(),
        "printf '.env\\nmade/\\n' > .gitignore; echo v1 > lock; git add . && git commit -qm more
         echo secret > .env; echo other > .env.other; echo .env.other >> .git/info/exclude",
    );
    dir
}

fn check<'a>(state: &'a State, lane: usize, name: &str) -> &'a crate::state::Check {
    let found = state.lanes[lane].checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name}: {:?}", state.lanes[lane].checks))
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_lane_is_furnished_before_its_first_attempt_and_none_of_it_is_merged() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
copy = [".env", "gone"]
setup = ["mkdir made && cp .env made/first", "cat made/first > made/second; echo $LANEWAY_LANE >> made/second"]
[[tasks]]
id = "t"
workstream = "a"
run = "cat made/second > seen; test ! -e .env.other"
gate = "test -f made/first && test -f .env"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/a/integration:seen"), "secret\na\n");
    assert_eq!(bench.git("ls-tree --name-only -r laneway/g/a/integration"), ".gitignore\nfile\nlock\nseen\n");
    assert_eq!(check(&state, 0, "setup").status, CheckStatus::Pass);
    assert_eq!(check(&state, 0, "setup").detail, "2 setup commands");
    let copy = check(&state, 0, "copy");
    assert!(copy.detail.starts_with("copied 1 file, 7 bytes: .env"), "{}", copy.detail);
    assert_eq!(copy.status, CheckStatus::Warn);
    assert!(copy.detail.contains("nothing untracked is there to copy: gone"), "{}", copy.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_copy_that_is_ignored_no_longer_is_in_no_commit_of_ours_and_fails_an_agents() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
copy = [".env"]
setup = ["mkdir made; echo 1 > made/one"]
[[tasks]]
id = "t"
workstream = "a"
run = "echo x > .gitignore; echo a > a"
[[workstreams]]
id = "b"
copy = [".env"]
[[tasks]]
id = "u"
workstream = "b"
run = "git add -f .env && git commit -qm secret && git rm -q --cached .env && git commit -qm gone && echo b > b"
"#,
        ),
    );
    let state = bench.drive().await;
    let files = bench.git("ls-tree --name-only -r laneway/g/a/integration");
    assert_eq!(files, ".gitignore\na\nfile\nlock\n");
    let brought = |task: usize| {
        let mut checks = state.tasks[task].attempts.last().unwrap().checks.iter();
        let found = checks.rfind(|check| check.name == "brought");
        let found = found.unwrap_or_else(|| panic!("{}", bench.told()));
        (found.status, found.detail.rsplit(": ").next().unwrap().to_owned())
    };
    assert_eq!(brought(0), (CheckStatus::Warn, ".env, made/one".to_owned()));
    assert_eq!(brought(1), (CheckStatus::Fail, ".env".to_owned()));
    assert_eq!(bench.git("log --oneline laneway/g/b/integration -- .env"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_copy_that_came_and_went_on_a_branch_that_was_merged_fails_too() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "side"
copy = [".env"]
[[tasks]]
id = "t"
workstream = "side"
run = """
git switch -qc side && git add -f .env && git commit -qm secret
git rm -q --cached .env && git commit -qm gone && git switch -q --detach HEAD~2
echo b > b && git add b && git commit -qm work && git merge -q --no-edit side && git branch -qD side
"""
[[workstreams]]
id = "rootless"
copy = [".env"]
[[tasks]]
id = "u"
workstream = "rootless"
run = """
tip=$(git rev-parse HEAD)
git switch -q --orphan other && git add -f .env && git commit -qm secret
git rm -q --cached .env && git commit -q --allow-empty -m gone && other=$(git rev-parse HEAD)
git switch -q --detach $tip && git branch -qD other
git merge -q --no-edit --allow-unrelated-histories $other
echo b > b && git add b && git commit -qm work
"""
"#,
        ),
    );
    let state = bench.drive().await;
    for task in &state.tasks {
        let mut checks = task.attempts.last().unwrap().checks.iter();
        let brought = checks.rfind(|check| check.name == "brought");
        let brought = brought.unwrap_or_else(|| panic!("{}", bench.told()));
        assert_eq!(brought.status, CheckStatus::Fail);
        assert!(brought.detail.ends_with(": .env"), "{}", brought.detail);
    }
    assert_eq!(bench.git("log --oneline --branches -- .env"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_setup_whose_input_is_the_same_runs_once_for_all_lanes() {
    let dir = project();
    let count = dir.path().join(".git/count");
    let text = graph(&format!(
        r#"
[[workstreams]]
id = "a"
setup = [{{ run = "echo x >> {count}; mkdir made; cat lock > made/of", reads = ["lock"], makes = ["made"] }}]
[[workstreams]]
id = "b"
setup = [{{ run = "echo x >> {count}; mkdir made; cat lock > made/of", reads = ["lock"], makes = ["made"] }}]
[[workstreams]]
id = "c"
setup = [{{ run = "echo x >> {count}; mkdir made; cat lock > made/of", reads = ["lock", "file"], makes = ["made"] }}]
[[tasks]]
id = "one"
workstream = "a"
run = "cat made/of > seen; echo changed > made/of"
[[tasks]]
id = "two"
workstream = "b"
run = "cat made/of > seen"
[[tasks]]
id = "three"
workstream = "c"
run = "cat made/of > seen"
"#,
        count = count.display()
    ));
    let bench = Bench::on(dir, &text);
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    for lane in ["a", "b", "c"] {
        assert_eq!(bench.git(&format!("show laneway/g/{lane}/integration:seen")), "v1\n");
    }
    // Once for a and b, once for c, which reads more.
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\nx\n");
    let results = setup_results(&bench.project.repo.record_dir()).unwrap();
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(results.iter().all(|r| r.command.is_some()), "{results:?}");
    for result in &results {
        let kept = std::fs::read_to_string(result.path.join("made/made/of")).unwrap();
        assert_eq!(kept, "v1\n", "what a lane changes in its copy stays there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_setup_that_fails_fails_its_lane_with_the_end_of_its_log_and_a_retry_repeats_it() {
    let dir = project();
    let open = dir.path().join(".git/open");
    let text = graph(&format!(
        r#"
[[workstreams]]
id = "a"
setup = ["echo the reason; test -f {}"]
[[tasks]]
id = "t"
workstream = "a"
run = "echo x > x"
[[workstreams]]
id = "b"
[[tasks]]
id = "u"
workstream = "b"
run = "echo y > y"
"#,
        open.display()
    ));
    let bench = Bench::on(dir, &text);
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Failed, "{}", bench.told());
    assert_eq!(state.lanes[1].status, LaneStatus::PrCreated, "{}", bench.told());
    let setup = check(&state, 0, "setup");
    assert_eq!(setup.status, CheckStatus::Fail);
    assert!(setup.detail.contains("exit code 1") && setup.detail.ends_with("the reason"), "{}", setup.detail);
    assert!(state.lanes[0].reason.as_ref().is_some_and(|r| r.contains("setup.log")), "{:?}", state.lanes[0]);
    assert_eq!(bench.git("branch --list 'laneway/g/a/*'"), "", "the branch comes last");

    std::fs::write(&open, "").unwrap();
    bench.ask(crate::signal::Verb::Retry { tasks: vec![], lanes: vec![] }).await;
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    assert_eq!(check(&state, 0, "setup").status, CheckStatus::Pass);
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_result_that_git_does_not_ignore_fails_the_lane_before_any_task() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
setup = [{ run = "mkdir open; echo 1 > open/one", reads = ["lock"], makes = ["open"] }]
[[workstreams]]
id = "b"
setup = [{ run = "mkdir own; echo 1 > own/one; echo '*' > own/.gitignore", reads = ["lock"], makes = ["own"] }]
[[tasks]]
id = "t"
workstream = "a"
run = "cat open/one > seen"
[[tasks]]
id = "u"
workstream = "b"
run = "cat own/one > seen"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].attempts.len(), 0, "{}", bench.told());
    let setup = check(&state, 0, "setup");
    assert_eq!(setup.status, CheckStatus::Fail);
    assert!(setup.detail.contains("git does not ignore open/one"), "{}", setup.detail);
    // One that ignores itself is as good as any.
    assert_eq!(check(&state, 1, "setup").status, CheckStatus::Pass);
    assert_eq!(bench.git("show laneway/g/b/integration:seen"), "1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_what_a_setup_changes_in_the_commits_files_is_put_back_and_said() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
setup = ["echo touched > lock; echo stray > stray; mkdir made"]
[[tasks]]
id = "t"
workstream = "a"
run = "cat lock > seen; test ! -e stray; test -d made"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/a/integration:seen"), "v1\n");
    let clean = check(&state, 0, "setup-clean");
    assert_eq!(clean.status, CheckStatus::Warn);
    assert!(clean.detail.ends_with("lock, stray"), "{}", clean.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_each_worktree_of_a_parallel_lane_is_furnished() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
parallel = 2
copy = [".env"]
setup = ["mkdir made"]
[[tasks]]
id = "one"
workstream = "a"
run = "test -d made && cat .env > one"
gate = { run = "test -d made && test -f .env", fresh = true }
[[tasks]]
id = "two"
workstream = "a"
run = "test -d made && cat .env > two"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/a/integration:one"), "secret\n");
    assert_eq!(bench.git("show laneway/g/a/integration:two"), "secret\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_an_interrupted_setup_is_stopped_and_made_again_by_the_next_orchestrator() {
    let dir = project();
    let pid = dir.path().join(".git/pid");
    let text = graph(&format!(
        r#"
[[workstreams]]
id = "a"
setup = ["mkdir -p made; if test ! -f {0}; then echo $$ > {0}; sleep 600; fi; echo whole > made/it"]
[[tasks]]
id = "t"
workstream = "a"
run = "cat made/it > seen"
"#,
        pid.display()
    ));
    let bench = Bench::on(dir, &text);
    let (interrupt, interrupts) = mpsc::unbounded_channel();
    let (state, ()) = tokio::join!(bench.drive_hearing(None, interrupts), async {
        told_in(&pid).await;
        interrupt.send(()).unwrap();
    });
    assert_eq!(state.lanes[0].status, LaneStatus::Pending, "{}", bench.told());
    assert!(!lives(&told_in(&pid).await), "the command goes on");
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/a/integration:seen"), "whole\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_lanes_have_ports_of_their_own_in_agents_gates_and_setup_and_keep_them() {
    let bench = Bench::on(
        project(),
        &graph(
            r#"
[[workstreams]]
id = "a"
ports = ["HTTP_PORT", "DB_PORT"]
setup = ["mkdir made; echo $HTTP_PORT $DB_PORT > made/ports"]
[[workstreams]]
id = "b"
ports = ["HTTP_PORT"]
[[tasks]]
id = "one"
workstream = "a"
run = "cat made/ports > one; test \"$(cat one)\" = \"$HTTP_PORT $DB_PORT\""
gate = "test \"$(cat one)\" = \"$HTTP_PORT $DB_PORT\""
[[tasks]]
id = "two"
workstream = "b"
run = "echo $HTTP_PORT > two"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let ports = |lane: usize| state.lanes[lane].ports.clone();
    let mut all: Vec<u16> = ports(0).into_values().chain(ports(1).into_values()).collect();
    let shown = format!("{} {}\n", ports(0)["HTTP_PORT"], ports(0)["DB_PORT"]);
    assert_eq!(bench.git("show laneway/g/a/integration:one"), shown);
    assert_eq!(bench.git("show laneway/g/b/integration:two"), format!("{}\n", ports(1)["HTTP_PORT"]));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3, "no port is shared");
    assert!(all.iter().all(|port| (20_000..=29_999).contains(port)), "{all:?}");
    let status = crate::view::status(&bench.plan, &state);
    assert_eq!(status.lanes[0].ports, ports(0));
    // They are the lane's for as long as its worktree stands.
    let book = bench.project.repo.record_dir().join("ports.json");
    let claims: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&book).unwrap()).unwrap();
    assert_eq!(claims.as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_a_port_that_others_take_later_is_named_with_its_owner() {
    let dir = project();
    let fifo = dir.path().join(".git/go");
    sh(dir.path(), "mkfifo .git/go");
    let text = graph(&format!(
        r#"
[[workstreams]]
id = "a"
ports = ["TAKEN_PORT"]
[[tasks]]
id = "one"
workstream = "a"
diff = "none"
run = "read line < {fifo}"
[[tasks]]
id = "two"
workstream = "a"
needs = ["one"]
diff = "none"
run = "true"
"#,
        fifo = fifo.display()
    ));
    let bench = Bench::on(dir, &text);
    let (told, mut events) = mpsc::unbounded_channel();
    let listen = async {
        heard(&mut events, |envelope| is_now(envelope, "one", crate::event::Entity::Attempt, "started"))
            .await;
        let port = bench.envelopes().iter().find_map(|envelope| match &envelope.event {
            crate::event::Event::LaneProvisioned(lane) => lane.ports.get("TAKEN_PORT").copied(),
            _ => None,
        });
        let talk = move || {
            // Opened once the command reads, which is after the ports were looked at for it.
            let mut go = std::fs::File::options().write(true).open(fifo).unwrap();
            let listener = std::net::TcpListener::bind(("127.0.0.1", port.unwrap())).unwrap();
            std::io::Write::write_all(&mut go, b"go\n").unwrap();
            listener
        };
        (tokio::task::spawn_blocking(talk).await.unwrap(), events)
    };
    let (state, (listener, _events)) = tokio::join!(bench.drive_telling(Some(told)), listen);
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let said: Vec<String> = bench
        .envelopes()
        .into_iter()
        .filter_map(|envelope| match envelope.event {
            crate::event::Event::CheckRecorded(check) if check.name == "ports" => Some(check.detail),
            _ => None,
        })
        .collect();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(&format!("TAKEN_PORT ({port}) is taken by ")), "{said:?}");
    #[cfg(target_os = "linux")]
    assert!(said[0].ends_with(&format!("(process {})", std::process::id())), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_a_port_that_another_program_or_lane_has_is_not_given_and_teardown_frees_it() {
    let text = |name: &str| {
        graph(
            r#"
[[workstreams]]
id = "a"
ports = ["PORT"]
teardown = "always"
[[tasks]]
id = "t"
workstream = "a"
diff = "none"
run = "true"
"#,
        )
        .replace("name = \"g\"", &format!("name = \"{name}\""))
    };
    let bench = Bench::on(project(), &text("g"));
    let state = bench.drive().await;
    let first = state.lanes[0].ports["PORT"];
    let book = bench.project.repo.record_dir().join("ports.json");
    assert_eq!(std::fs::read_to_string(&book).unwrap(), "[]", "{}", bench.told());

    // The same graph in another repository would choose the same; now somebody has it, and then listens there.
    let chosen = async || Bench::on(project(), &text("g")).drive().await.lanes[0].ports["PORT"];
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((std::net::Ipv4Addr::LOCALHOST, first).into()).unwrap();
    assert_ne!(chosen().await, first);
    let _listener = socket.listen(1).unwrap();
    assert_ne!(chosen().await, first);
}
