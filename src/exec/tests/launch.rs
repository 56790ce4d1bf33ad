//! Starting and waiting.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Scene, kill};
use crate::exec::{Exit, Launch, SpawnError, StdinFrom, TAG_VARIABLE, boot_id, monotonic_ms, spawn};

#[tokio::test]
async fn an_exit_is_a_code_or_a_signal() {
    let scene = Scene::new();
    assert_eq!(scene.spawn("exit 7").wait().await, Exit::Code(7));
    assert_eq!(scene.spawn("kill -9 $$").wait().await, Exit::Signal(9));
    let mut running = scene.spawn("exit 0");
    assert_eq!(running.wait().await, Exit::Code(0));
    assert_eq!(running.wait().await, Exit::Code(0), "it can be asked again");
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let scene = Scene::new();
    scene.fifo("go");
    let mut running = scene.spawn("read x < go; exit 3");
    tokio::select! {
        biased;
        _ = running.wait() => panic!("it waits for us"),
        () = std::future::ready(()) => {}
    }
    fs::write(scene.path("go"), "x\n").expect("a fifo");
    assert_eq!(running.wait().await, Exit::Code(3));
}

#[tokio::test]
async fn p15_a_process_leads_a_group_of_its_own_and_has_an_identity() {
    let scene = Scene::new();
    scene.fifo("said");
    let mut running = scene.spawn("echo $$ > said; exec sleep 1000");
    let process = running.process().clone();
    assert_eq!(scene.hear_pid("said"), process.pid);
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    assert_eq!(fields[2], process.pid.to_string());
    assert_eq!(fields[19], process.start_time.to_string());
    assert_eq!(process.boot_id, boot_id());
    let json = serde_json::to_string(&process).expect("JSON");
    assert_eq!(serde_json::from_str::<crate::exec::ProcessRef>(&json).expect("JSON"), process);
    kill(process.pid);
    assert_eq!(running.wait().await, Exit::Signal(9));
}

#[tokio::test]
async fn nothing_but_the_given_environment_reaches_it() {
    let scene = Scene::new();
    let mut launch = scene.launch("");
    launch.argv = vec!["env".into()];
    launch.env.extend([
        ("A".into(), "1".into()),
        (TAG_VARIABLE.into(), "of an outer run".into()),
        ("A".into(), "2".into()),
    ]);
    spawn(&launch).expect("env starts").wait().await;
    let path = launch.env[0].1.to_str().expect("UTF-8");
    let mut lines: Vec<String> = scene.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["A=2".to_owned(), format!("{TAG_VARIABLE}={}", launch.tag), format!("PATH={path}")]);
}

#[tokio::test]
async fn output_is_appended_to_a_private_log() {
    let scene = Scene::new();
    for _ in 0..2 {
        scene.spawn("echo out; echo err >&2; cat").wait().await;
    }
    assert_eq!(scene.read("log"), "out\nerr\nout\nerr\n");
    let mode = fs::metadata(scene.path("log")).expect("a log").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn standard_input_comes_from_a_file() {
    let scene = Scene::new();
    fs::write(scene.path("prompt"), "do it").expect("a file");
    let launch = Launch { stdin: StdinFrom::File(scene.path("prompt")), ..scene.launch("cat") };
    spawn(&launch).expect("a shell starts").wait().await;
    assert_eq!(scene.read("log"), "do it");
}

#[tokio::test]
async fn the_program_sees_the_name_it_was_called_by() {
    let scene = Scene::new();
    let mut launch = scene.launch("");
    launch.argv = vec!["sh".into(), "-c".into(), "cat /proc/$$/cmdline | tr '\\0' '|'; :".into()];
    spawn(&launch).expect("a shell starts").wait().await;
    assert!(scene.read("log").starts_with("sh|-c|"), "{}", scene.read("log"));
}

#[tokio::test]
async fn each_way_not_to_start_has_a_name() {
    let scene = Scene::new();
    let run = |program: &str| {
        spawn(&Launch { argv: vec![program.into()], ..scene.launch("") }).expect_err("no start")
    };
    fs::write(scene.path("plain"), "text").expect("a file");
    fs::write(scene.path("lost"), "#!/no/such/interpreter\n").expect("a file");
    fs::set_permissions(scene.path("lost"), fs::Permissions::from_mode(0o700)).expect("a mode");

    assert!(
        matches!(run("no-such-program"), SpawnError::NotFound { program } if program == "no-such-program")
    );
    assert!(matches!(run("./no-such-program"), SpawnError::NotFound { .. }));
    assert!(matches!(run("./plain"), SpawnError::NotExecutable { source: None, .. }));
    assert!(matches!(run("./lost"), SpawnError::NotExecutable { source: Some(_), .. }));
    let missing = Launch { cwd: scene.path("missing"), ..scene.launch("true") };
    assert!(matches!(spawn(&missing), Err(SpawnError::NoSuchDir { .. })));
    let missing = Launch { stdin: StdinFrom::File(scene.path("missing")), ..scene.launch("true") };
    assert!(matches!(spawn(&missing), Err(SpawnError::Stdin { .. })));
    let missing = Launch { log: scene.path("missing/log"), ..scene.launch("true") };
    assert!(matches!(spawn(&missing), Err(SpawnError::Log { .. })));
    let long = Launch { argv: vec!["true".into(), "x".repeat(1 << 20).into()], ..scene.launch("") };
    assert!(matches!(spawn(&long), Err(SpawnError::Other { .. })));
    assert!(matches!(spawn(&Launch { argv: Vec::new(), ..scene.launch("") }), Err(SpawnError::Empty)));
}

#[tokio::test]
async fn a_log_that_became_a_link_is_refused() {
    let scene = Scene::new();
    fs::write(scene.path("precious"), "kept").expect("a file");
    std::os::unix::fs::symlink(scene.path("precious"), scene.path("log")).expect("a link");
    assert!(matches!(spawn(&scene.launch("echo x")), Err(SpawnError::Log { .. })));
    assert_eq!(scene.read("precious"), "kept");
}

#[test]
fn the_clock_goes_forward() {
    let earlier = monotonic_ms();
    assert!(earlier > 0 && monotonic_ms() >= earlier);
}
