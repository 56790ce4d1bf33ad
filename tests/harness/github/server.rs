//! The server, and what tests do with it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method as HttpMethod, Response, Uri};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::faults::{Armed, Fault};
use super::routes;
use super::world::{self, Logged, Method, World};

/// A GitHub with one repository, `acme/toy`. It ends when it is dropped.
pub(crate) struct FakeGitHub {
    world: Arc<Mutex<World>>,
    url: String,
    _runtime: Runtime,
}

impl FakeGitHub {
    /// Serves the bare repository at `bare`.
    pub(crate) fn start(bare: &Path) -> Self {
        let world = Arc::new(Mutex::new(World::new(bare)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port of the loopback device");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::clone(&world);
        let app = Router::new().fallback(move |method, uri, headers, body| {
            answer(Arc::clone(&shared), method, uri, headers, body)
        });
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { world, url, _runtime: runtime }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no holder panics")
    }

    /// The address of its interface.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The one token that it knows.
    pub(crate) fn token(&self) -> String {
        self.world().token.clone()
    }

    /// What was asked so far.
    pub(crate) fn log(&self) -> Vec<Logged> {
        self.world().log.clone()
    }

    /// How many requests of this kind came.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.log().iter().filter(|one| one.method == method && one.path.contains(path)).count()
    }

    /// Requests that cost quota.
    pub(crate) fn spent(&self) -> i64 {
        5000 - self.world().left
    }

    /// Lets the next `times` requests of this kind fail; empty words stand for any.
    pub(crate) fn fail(&self, fault: Fault, times: u32, method: &'static str, path: &str) {
        let armed = Armed { fault, method, path: path.to_owned(), left: times };
        self.world().armed.push(armed);
    }

    /// Whether it answers nothing but 503.
    pub(crate) fn set_down(&self, down: bool) {
        self.world().down = down;
    }

    /// Leaves open what a push has brought into its base.
    pub(crate) fn overlook_pushes(&self) {
        self.world().sees_pushes = false;
    }

    /// Whether the token may write.
    pub(crate) fn set_scope(&self, may_write: bool) {
        self.world().may_write = may_write;
    }

    /// What branch protection says to merges.
    pub(crate) fn protect(&self, message: Option<&str>) {
        self.world().protection = message.map(str::to_owned);
    }

    /// The most pull requests that may be open.
    pub(crate) fn limit(&self, most: Option<usize>) {
        self.world().most_open = most;
    }

    /// Gives the repository another name; the old one sends on.
    pub(crate) fn rename(&self, slug: &str) {
        let mut world = self.world();
        let old = std::mem::replace(&mut world.slug, slug.to_owned());
        world.old_slug = Some(old);
    }

    /// Sends everybody on to another server.
    pub(crate) fn send_away(&self, url: &str) {
        self.world().away = Some(url.to_owned());
    }

    /// Merges as `by` in the browser; returns the commit that landed.
    pub(crate) fn merge(&self, number: u64, method: Method, by: &str) -> String {
        self.world().merge(number, method, by, "Merge pull request").expect("it merges")
    }

    /// Writes another body in the browser.
    pub(crate) fn edit(&self, number: u64, body: &str) {
        self.world().change(number, |pull| pull.body = Some(body.to_owned()));
    }

    /// Merges as `by` in the browser, as one commit where GitHub will not merge it as it was asked to.
    pub(crate) fn merge_somehow(&self, number: u64, method: Method, by: &str) -> String {
        let mut world = self.world();
        let merged = world.merge(number, method, by, "Merge pull request");
        merged.or_else(|_| world.merge(number, Method::Squash, by, "")).expect("it merges")
    }

    /// Closes as `by` in the browser.
    pub(crate) fn close(&self, number: u64, by: &str) {
        self.world().close(number, by);
    }

    /// Opens again in the browser.
    pub(crate) fn reopen(&self, number: u64) {
        self.world().change(number, |pull| {
            pull.open = true;
            pull.closed = None;
        });
    }

    /// Reviews as `by` in the browser; `state` as GitHub names it.
    pub(crate) fn review(&self, number: u64, by: &str, state: &str, body: &str) {
        let mut world = self.world();
        world.look();
        world.review(number, by, state, body);
    }

    /// Takes back in the browser the newest review of `by`.
    pub(crate) fn dismiss(&self, number: u64, by: &str) {
        self.world().change(number, |pull| {
            let theirs = pull.reviews.iter_mut().rev().find(|one| one["user"]["login"] == by);
            theirs.expect("they have reviewed it")["state"] = "DISMISSED".into();
        });
    }

    /// Sets a check run on the head of a pull request; `None` while it runs.
    pub(crate) fn check(&self, number: u64, name: &str, conclusion: Option<&str>) {
        let mut world = self.world();
        world.look();
        let head = world.pulls[&number].head_sha.clone();
        let runs = world.runs.entry(head).or_default();
        runs.retain(|(known, _)| known != name);
        runs.push((name.to_owned(), conclusion.map(str::to_owned)));
    }

    /// Moves a branch of the repository, as somebody's forced push does.
    pub(crate) fn force(&self, branch: &str, commit: &str) {
        let world = self.world();
        let reference = format!("refs/heads/{branch}");
        world::git(&world.bare, &["update-ref", &reference, commit]).expect("a branch can be moved");
    }

    /// A pull request as GitHub shows it.
    pub(crate) fn pull(&self, number: u64) -> Value {
        let mut world = self.world();
        world.look();
        super::objects::pull(&world, &world.pulls[&number])
    }

    /// The numbers of all pull requests.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.world().pulls.keys().copied().collect()
    }

    /// The comments on the whole of a pull request.
    pub(crate) fn comments(&self, number: u64) -> Vec<Value> {
        self.world().pulls[&number].comments.clone()
    }
}

async fn answer(
    world: Arc<Mutex<World>>,
    method: HttpMethod,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (fault, response) = {
        let mut world = world.lock().expect("no holder panics");
        routes::handle(&mut world, &method, &uri, &headers, &body)
    };
    if fault == Some(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    response
}
