//! The real coding agents, each through a graph of one task, against a model server that plays a script.
//!
//! They are looked for in `$LANEWAY_AGENTS/node_modules/.bin`, `$LANEWAY_AGENTS/venv/bin` and `PATH`. A test whose agent is
//! not there says so and proves nothing.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Scratch, Status};
use crate::model_server::{Asked, ModelServer, Step};

/// What the agents are asked to add.
const ADDS_MUL: &str = "echo 'echo $(($1 * $2))' > ops/mul.sh; echo '6 mul 7 = 42' > checks/mul.txt";
const CLAIMS: &str = "echo 'added mul' > \"$LANEWAY_SIGNALS/done\"";

/// `PATH` with the directory of an agent's program first; `None`, and a line that says so, where it is not installed.
fn path_with(agent: &str) -> Option<String> {
    let inherited = std::env::var_os("PATH").expect("tests are run with a PATH");
    let mut places: Vec<PathBuf> = std::env::split_paths(&inherited).collect();
    if let Some(dir) = std::env::var_os("LANEWAY_AGENTS") {
        let dir = Path::new(&dir);
        places.splice(0..0, [dir.join("node_modules/.bin"), dir.join("venv/bin")]);
    }
    if !places.iter().any(|place| place.join(agent).is_file()) {
        let told =
            format!("skipped: `{agent}` is not installed (LANEWAY_AGENTS or PATH; see docs/agents.md)\n");
        // Unlike what the macros print, this is seen in a run that passes too.
        _ = std::io::stderr().write_all(told.as_bytes());
        return None;
    }
    let joined: OsString = std::env::join_paths(places).expect("they came from such a list");
    Some(joined.into_string().expect("a PATH in UTF-8"))
}

/// Points an agent at the server, by its environment and by files in a home of its own, and names its model.
fn point(scratch: &Scratch, agent: &str, url: &str) -> (Vec<(&'static str, String)>, &'static str) {
    let home = scratch.home();
    let write = |path: &str, text: String| {
        let path = home.join(path);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a writable home");
        fs::write(&path, text).expect("a writable home");
        path.display().to_string()
    };
    let dummy = || "dummy".to_owned();
    match agent {
        "claude" => (
            vec![
                ("ANTHROPIC_BASE_URL", url.to_owned()),
                ("ANTHROPIC_API_KEY", dummy()),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ],
            "claude-scripted",
        ),
        "codex" => {
            let config = format!(
                "model_provider = \"scripted\"\n[model_providers.scripted]\nname = \"scripted\"\n\
                 base_url = \"{url}/v1\"\nenv_key = \"SCRIPTED_KEY\"\nwire_api = \"responses\"\n"
            );
            write(".codex/config.toml", config);
            (vec![("SCRIPTED_KEY", dummy())], "scripted")
        }
        "gemini" => {
            let settings = r#"{"security":{"auth":{"selectedType":"gemini-api-key"}}}"#;
            write(".gemini/settings.json", settings.to_owned());
            (vec![("GEMINI_API_KEY", dummy()), ("GOOGLE_GEMINI_BASE_URL", url.to_owned())], "gemini-2.5-pro")
        }
        "opencode" => {
            let config = serde_json::json!({ "provider": { "scripted": {
                "npm": "@ai-sdk/openai-compatible",
                "options": { "baseURL": format!("{url}/v1"), "apiKey": "dummy" },
                "models": { "m": {} },
            } } });
            let path = write("opencode.json", config.to_string());
            (vec![("OPENCODE_CONFIG", path)], "scripted/m")
        }
        "aider" => {
            (vec![("OPENAI_API_BASE", format!("{url}/v1")), ("OPENAI_API_KEY", dummy())], "openai/scripted")
        }
        other => panic!("nobody knows how to point {other} at a server"),
    }
}

/// Runs one agent through a graph of one task. What it did can be read from the repository and the server.
#[track_caller]
fn run(agent: &str, choice: &str, steps: Vec<Step>) -> Option<(Scratch, ModelServer, Status)> {
    let path = path_with(agent)?;
    let scratch = Scratch::new();
    let server = ModelServer::start(steps);
    let (env, model) = point(&scratch, agent, &server.url());
    let env: Vec<String> = std::iter::once(("PATH", path))
        .chain(env)
        .map(|(name, value)| format!("{name} = {}\n", Value::from(value)))
        .collect();
    scratch.write(
        "real.toml",
        &format!(
            "name = \"real\"\n[agents.{agent}.env]\n{}\n[[tasks]]\nid = \"mul\"\ngate = \"sh check.sh\"\n\
             timeout = \"4m\"\nretry = {{ backoff = \"10ms\" }}\nprompt = \"Add the operation mul.\"\n\
             agent = {{ use = \"{agent}\", model = \"{model}\"{choice} }}\n",
            env.concat()
        ),
    );
    let achieved = scratch.laneway(&["run", "real.toml"]).succeeded();
    let status = scratch.status("real");
    if !achieved {
        let log = scratch.laneway(&["logs", "mul"]).success();
        panic!("{agent} did not do it: {:#}\n--- its log\n{}", status.value(), log.stdout());
    }
    status.expect("completed", &[("default", "pr_created")], &[("mul", "merged")]);
    Some((scratch, server, status))
}

/// Expects the lane to hold the operation and nothing that the agent left beside its work.
#[track_caller]
fn expect_mul(scratch: &Scratch, status: &Status, more: &[&str]) {
    let tip = status.tip("default");
    let changed = scratch.git(&["diff", "--name-only", "main", tip]);
    let mut expected = vec!["checks/mul.txt", "ops/mul.sh"];
    expected.extend(more);
    expected.sort_unstable();
    assert_eq!(changed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(scratch.file_at(scratch.repo(), tip, "ops/mul.sh").as_deref(), Some("echo $(($1 * $2))"));
}

/// What the agent of an attempt used, as the status says.
#[track_caller]
fn usage(status: &Status, attempt: usize) -> Value {
    let all = status.task("mul")["usage"].clone();
    assert!(all[attempt - 1]["output_tokens"].as_u64().is_some_and(|n| n > 0), "{all}");
    assert!(all[attempt - 1]["input_tokens"].as_u64().is_some_and(|n| n > 0), "{all}");
    all[attempt - 1].clone()
}

/// The agent works by its shell tool and claims by a signal file.
#[track_caller]
fn works_by_its_shell(agent: &str, endpoint: &str) {
    let steps =
        vec![Step::Shell(ADDS_MUL.into()), Step::Shell(CLAIMS.into()), Step::Say("It is done.".into())];
    let Some((scratch, server, status)) = run(agent, "", steps) else { return };
    assert_eq!(server.left(), 0, "the agent did not hear the script out");
    assert_eq!(status.attempts("mul"), 1);
    expect_mul(&scratch, &status, &[]);
    let used = usage(&status, 1);
    assert!(used["session"].is_string(), "{used}");
    let prompted =
        |a: &Asked| a.path.ends_with(endpoint) && a.body.to_string().contains("Add the operation mul.");
    assert!(server.asked().iter().any(prompted), "it was not prompted");
    let recorded = scratch.events("real").into_iter().find(|event| event["kind"] == "usage.recorded");
    assert_eq!(recorded.expect("usage was recorded")["payload"]["agent"], agent);
}

/// The agent forgets to claim; the second attempt goes on with its session, and the model is shown what it did.
#[track_caller]
fn goes_on_with_its_session(agent: &str) {
    const MARK: &str = "mark-of-the-first-attempt";
    let steps = vec![
        Step::Shell(format!("echo {MARK} > first.txt")),
        Step::Say("I forgot to claim.".into()),
        Step::Shell(ADDS_MUL.into()),
        Step::Shell(CLAIMS.into()),
        Step::Say("It is done.".into()),
    ];
    let Some((scratch, server, status)) = run(agent, ", session = \"continue\"", steps) else { return };
    assert_eq!(status.attempts("mul"), 2);
    expect_mul(&scratch, &status, &["first.txt"]);
    let first = usage(&status, 1)["session"].clone();
    let started = scratch.events("real").into_iter().filter(|event| event["kind"] == "process.started");
    let commands: Vec<String> = started
        .filter(|event| event["payload"]["role"] == "agent")
        .map(|event| event["payload"]["command"].to_string())
        .collect();
    let session = first.as_str().expect("the first attempt told its session");
    assert_eq!(
        commands.iter().map(|c| c.contains(session)).collect::<Vec<_>>(),
        [false, true],
        "{commands:?}"
    );
    let last = server.asked().last().expect("it was asked").body.to_string();
    assert!(last.contains(MARK), "the session was not continued: {last}");
}

/// Asks the server as an agent would, and returns the body of its answer.
#[track_caller]
fn ask(server: &ModelServer, path: &str, body: &Value) -> String {
    let url = server.url();
    let address = url.strip_prefix("http://").expect("the server speaks HTTP");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let body = body.to_string();
    write!(stream, "POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

#[test]
fn the_model_server_plays_its_script_in_every_protocol() {
    let tools = serde_json::json!([
        { "name": "Bash", "function": { "name": "bash" }, "functionDeclarations": [{ "name": "run_shell_command" }] }
    ]);
    for (path, tool) in [
        ("/v1/messages", "Bash"),
        ("/v1/responses", "Bash"),
        ("/v1/chat/completions", "Bash"),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", "run_shell_command"),
    ] {
        let server = ModelServer::start([Step::Shell("echo hi".into()), Step::Say("the end".into())]);
        let aside = ask(&server, path, &serde_json::json!({ "stream": true }));
        assert!(aside.contains("Fine.") && server.left() == 2, "{path}: {aside}");
        let body = serde_json::json!({ "stream": true, "model": "m", "tools": tools });
        let call = ask(&server, path, &body);
        assert!(call.contains("echo hi") && call.contains(tool) && call.contains("data: "), "{path}: {call}");
        let text = ask(&server, path, &body);
        assert!(text.contains("the end") && server.left() == 0, "{path}: {text}");
        assert!(server.asked().iter().all(|asked| path.starts_with(&asked.path)));
    }
}

#[test]
fn s26_claude_works_in_a_lane() {
    works_by_its_shell("claude", "/v1/messages");
}

#[test]
fn s26_codex_works_in_a_lane() {
    works_by_its_shell("codex", "/v1/responses");
}

#[test]
fn s26_gemini_works_in_a_lane() {
    works_by_its_shell("gemini", ":streamGenerateContent");
}

#[test]
fn s26_opencode_works_in_a_lane() {
    works_by_its_shell("opencode", "/v1/chat/completions");
}

#[test]
fn s26_aider_works_in_a_lane_and_claims_by_its_exit() {
    let said = "Here it is.\n\nops/mul.sh\n```\necho $(($1 * $2))\n```\n\n\
                checks/mul.txt\n```\n6 mul 7 = 42\n```\n";
    let Some((scratch, server, status)) = run("aider", "", vec![Step::Say(said.into())]) else { return };
    assert_eq!(server.left(), 0);
    assert_eq!(status.attempts("mul"), 1);
    expect_mul(&scratch, &status, &[]);
    usage(&status, 1);
    assert!(!scratch.board("real", "tasks/mul/1/signals/done").exists(), "aider knows nothing of signals");
}

#[test]
fn a21_claude_goes_on_with_its_session() {
    goes_on_with_its_session("claude");
}

#[test]
fn a21_codex_goes_on_with_its_session() {
    goes_on_with_its_session("codex");
}

#[test]
fn a21_gemini_goes_on_with_its_session() {
    goes_on_with_its_session("gemini");
}

#[test]
fn a21_opencode_goes_on_with_its_session() {
    goes_on_with_its_session("opencode");
}
