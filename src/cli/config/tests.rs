//! The layers of configuration, on real files.
#![expect(clippy::disallowed_methods, reason = "writes real files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::layer::Layer;
use super::{Layers, Settings, Source};
use crate::cli::error::CliError;
use crate::cli::out::Out;
use crate::cli::session::{Global, Session};
use crate::graph::{self, Furnishing, Handoff, Lfs, Millis, ProjectDefaults};
use crate::id::AgentName;

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("xdg/laneway")).unwrap();
        fs::create_dir_all(dir.path().join("repo")).unwrap();
        Self { dir }
    }

    fn user(&self, text: &str) {
        fs::write(self.dir.path().join("xdg/laneway/config.toml"), text).unwrap();
    }

    fn project(&self, text: &str) {
        fs::write(self.dir.path().join("repo/laneway.toml"), text).unwrap();
    }

    fn read(&self, env: &[(&str, &str)]) -> Result<Layers, CliError> {
        let mut all: BTreeMap<_, _> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        all.insert("XDG_CONFIG_HOME".into(), self.dir.path().join("xdg").into());
        let out = Out::to(std::io::sink());
        let session = Session::new(Global::default(), "/".into(), all, out);
        Layers::read(&session, Some(&self.dir.path().join("repo")))
    }

    #[track_caller]
    fn refused(&self, text: &str) -> String {
        self.project(text);
        let Err(CliError::Told(trouble)) = self.read(&[]) else {
            panic!("{text} was accepted");
        };
        assert_eq!(trouble.code, "config");
        format!("{} {}", trouble.message, trouble.hints.join(" "))
    }
}

fn flag(max_parallel: u32) -> Source {
    let settings = Settings { max_parallel: Some(max_parallel), ..Settings::default() };
    Source::flag("laneway run", settings)
}

#[test]
fn p12_p14_what_lanes_hold_can_be_said_for_all_graphs() {
    let home = Home::new();
    let default = home.read(&[]).unwrap().config().lanes;
    assert_eq!((default.copy, default.submodules, default.lfs), (None, Some(true), Some(Lfs::Auto)));
    home.user("[lanes]\nlfs = \"skip\"\ncopy = [\".npmrc\"]\n");
    home.project("[lanes]\nsubmodules = false\ncopy = [\".env\", \"certs/*.pem\"]\n");
    let lanes = home.read(&[]).unwrap().config().lanes;
    assert_eq!(lanes.copy, Some(vec![".env".to_owned(), "certs/*.pem".to_owned()]));
    assert_eq!((lanes.submodules, lanes.lfs), (Some(false), Some(Lfs::Skip)));
    let own =
        Furnishing { copy: Some(Vec::new()), submodules: Some(true), ..Furnishing::default() }.or(&lanes);
    assert_eq!((own.copy, own.submodules, own.lfs), (Some(Vec::new()), Some(true), Some(Lfs::Skip)));
    assert!(home.refused("[lanes]\ncopy = [\"../x\"]\n").contains("`..`"));
    assert!(home.refused("[lanes]\nlfs = \"maybe\"\n").contains("\"auto\" or \"skip\""));
    assert!(home.refused("[lanes]\nsubmodule = true\n").contains("did you mean `submodules`?"));
}

fn graph(text: &str) -> graph::Graph {
    let source = graph::Source {
        path: "g.toml".to_owned(),
        text: format!("name = \"g\"\n{text}\n[[tasks]]\nid = \"t\"\nrun = \"true\"\n"),
    };
    graph::parse(&source, &ProjectDefaults::default()).unwrap()
}

#[track_caller]
fn max_parallel(layers: &Layers) -> (u32, Layer) {
    let (value, from) = layers.pick(|s| s.max_parallel).unwrap();
    (value, from.layer)
}

#[test]
fn ar32_each_layer_is_stronger_than_the_one_before() {
    let home = Home::new();
    assert_eq!(max_parallel(&home.read(&[]).unwrap()), (4, Layer::Default));
    home.user("max_parallel = 5");
    assert_eq!(max_parallel(&home.read(&[]).unwrap()), (5, Layer::User));
    home.project("max_parallel = 6");
    assert_eq!(max_parallel(&home.read(&[]).unwrap()), (6, Layer::Project));
    let of_graph = Source::graph("g.toml", &graph("max_parallel = 7"));
    let layers = home.read(&[]).unwrap().with(Some(of_graph.clone()));
    assert_eq!(max_parallel(&layers), (7, Layer::Graph));
    let env = [("LANEWAY_MAX_PARALLEL", "8")];
    let layers = home.read(&env).unwrap().with(Some(of_graph));
    assert_eq!(max_parallel(&layers), (8, Layer::Env));
    let layers = layers.with(Some(flag(9)));
    assert_eq!(max_parallel(&layers), (9, Layer::Flag));
}

#[test]
fn ar32_only_what_is_stronger_than_the_graph_changes_it() {
    let home = Home::new();
    home.project("max_parallel = 6\nhandoff = \"merged\"");
    let mut read = graph("max_parallel = 7");
    home.read(&[]).unwrap().override_graph(&mut read);
    assert_eq!((read.max_parallel, read.handoff), (Some(7), None));
    let env = [("LANEWAY_MAX_PARALLEL", "8"), ("LANEWAY_HANDOFF", "ready")];
    home.read(&env).unwrap().override_graph(&mut read);
    assert_eq!((read.max_parallel, read.handoff), (Some(8), Some(Handoff::Ready)));
}

#[test]
fn ar32_a_file_sets_everything_that_is_documented() {
    let home = Home::new();
    home.project(
        "max_parallel = 3\nhandoff = \"merged\"\ngrace = \"1m30s\"\nworktrees = \"../lanes\"\noffline = true\n\
         [defaults]\nattempts = 5\ntimeout = \"2h\"\ngate = { run = \"make test\", attempts = 2 }\n\
         [forge]\nkind = \"local\"\n[forge.local]\npush_target = true\n\
         [agents.mine]\ncommand = [\"./agent.sh\", \"{prompt_file}\"]\n",
    );
    let layers = home.read(&[]).unwrap();
    let config = layers.config();
    assert_eq!(config.max_parallel, Some(3));
    assert_eq!(config.handoff, Some(Handoff::Merged));
    assert_eq!(config.grace, Some(Millis(90_000)));
    assert_eq!(config.worktrees, Some(home.dir.path().join("repo").join("../lanes")));
    assert!(config.offline && config.push_target);
    assert_eq!((config.attempts, config.timeout), (Some(5), Some(Millis(7_200_000))));
    assert_eq!(config.gate.map(|gate| gate.attempts), Some(2));
    let mine = AgentName::new("mine").unwrap();
    let (def, from) = layers.agents()[&mine];
    assert_eq!(def.command[0], "./agent.sh");
    assert_eq!(from.layer, Layer::Project);
    assert!(Path::new(&from.place).ends_with("laneway.toml"));
}

#[test]
fn s26_each_file_adds_to_the_agents_of_those_before_it_field_by_field() {
    let home = Home::new();
    home.user("[agents.claude]\nmodel = \"small\"\nenv = { A = \"user\", B = \"user\" }\n");
    home.project(
        "[agents.claude.env]\nB = \"project\"\n[agents.fast]\nlike = \"claude\"\nmodel = \"tiny\"\n",
    );
    let layers = home.read(&[]).unwrap();
    let known = layers.project_defaults().agents;
    let of = |name: &str| &known[&AgentName::new(name).unwrap()];
    let built_in = &crate::agent::built_in()[&AgentName::new("claude").unwrap()];
    assert_eq!(of("claude").command, built_in.command);
    assert_eq!(of("claude").model.as_deref(), Some("small"));
    let env: Vec<_> = of("claude").env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(env, [("A", "user"), ("B", "project")]);
    assert_eq!((of("fast").model.as_deref(), &of("fast").env), (Some("tiny"), &of("claude").env.clone()));
    let from = |name: &str| layers.agents()[&AgentName::new(name).unwrap()].1.layer;
    assert_eq!((from("claude"), from("codex")), (Layer::Project, Layer::Default));
    // A graph adds to all of them.
    let source = graph::Source {
        path: "g.toml".to_owned(),
        text: "name = \"g\"\nagent = \"claude\"\ntasks = [{ id = \"t\", prompt = \"p\" }]\n\
               [agents.claude.env]\nA = \"graph\"\n"
            .to_owned(),
    };
    let graph = graph::parse(&source, &layers.project_defaults()).unwrap();
    let def = &graph.agents[&AgentName::new("claude").unwrap()];
    assert_eq!((def.env["A"].as_str(), def.env["B"].as_str()), ("graph", "project"));
    assert_eq!((def.model.as_deref(), &def.output), (Some("small"), &built_in.output));
}

#[test]
fn ar32_what_a_file_cannot_mean_is_refused_by_name() {
    let home = Home::new();
    for (text, part) in [
        ("max_paralel = 3", "did you mean `max_parallel`?"),
        ("[forge]\nknd = \"local\"", "did you mean `kind`?"),
        ("[forge]\nkind = \"lab\"", "`kind` takes \"auto\", \"local\" or \"github\""),
        ("[forge.github]\nrepositry = \"a/b\"", "did you mean `repository`?"),
        ("[forge.github]\nrepository = \"toy\"", "`repository` takes \"owner/name\""),
        ("[forge.github]\napi = \"http://git.example.org\"", "`api` takes an address"),
        ("forge = 3", "`forge` takes a table"),
        ("grace = \"10\"", "`grace` takes a duration"),
        ("offline = \"yes\"", "`offline` takes true or false"),
        ("max_parallel = 0", "max_parallel"),
        ("[defaults]\natempts = 3", "attempts"),
        ("[agents.mine]\nprompt = \"file\"", "command"),
        ("[agents.\"My Agent\"]\ncommand = [\"x\"]", "cannot be the name of an agent"),
        ("[defaults]\ngate = \"make ${graph.name}\"", "only graph files know"),
        ("name = \"x\"", "`name` is not a key"),
        ("= 3", "is not TOML"),
    ] {
        let told = home.refused(text);
        assert!(told.contains(part), "{text}: {told}");
    }
}

#[test]
fn ar32_a_variable_that_makes_no_sense_is_refused_by_name() {
    let home = Home::new();
    for (name, value) in [
        ("LANEWAY_MAX_PARALLEL", "0"),
        ("LANEWAY_MAX_PARALLEL", "many"),
        ("LANEWAY_GRACE", "10"),
        ("LANEWAY_OFFLINE", "perhaps"),
        ("LANEWAY_FORGE", "lab"),
        ("LANEWAY_GITHUB_API", "git.example.org"),
        ("LANEWAY_GITHUB_REPOSITORY", "toy"),
        ("LANEWAY_HANDOFF", "never"),
    ] {
        let Err(CliError::Told(trouble)) = home.read(&[(name, value)]) else {
            panic!("{name}={value} was accepted");
        };
        assert!(trouble.message.contains(name), "{}", trouble.message);
    }
    let layers = home.read(&[("LANEWAY_OFFLINE", "1"), ("LANEWAY_GRACE", "5s")]).unwrap();
    assert!(layers.config().offline);
    assert_eq!(layers.config().grace, Some(Millis(5_000)));
}
