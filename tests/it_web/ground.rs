//! One database and one controller for each test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cutover::adapters::secret::{ProcessSecrets, Redactor, Secret};
use cutover::driver::{Driver, DriverOptions, RealWorlds, Worlds};
use cutover::engine::PlanDocument;
use cutover::playbook::environment::Config;
use cutover::playbook::{Bundle, Carried, Source};
use cutover::report::RunDocument;
use cutover::store::Store;
use cutover::web::documents::{EventsDocument, PlanAnswer};
use cutover::web::{Tokens, WebOptions};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::machine;

pub const OPERATE: &str = "operate-token-of-these-tests";
pub const FLAGS: &str = "flags-token-of-these-tests";
pub const LOCAL: &str = "environments:\n  local:\n    approvals: self\n";

/// A controller with its pages and API.
pub struct Ground {
    pub base: String,
    pub host: String,
    client: Client,
    pub store: Store,
    _driver: Option<Driver>,
}

impl Ground {
    pub async fn new() -> Self {
        let store = database().await;
        let worlds: Arc<dyn Worlds> = worlds(&store);
        let options = DriverOptions { store: store.clone(), worlds: Arc::clone(&worlds), name: "tests".to_owned(), crash: None };
        let driver = Driver::start(options).await.unwrap();
        let (poke, moved) = (driver.poker(), driver.moves());
        Self::serve(store, worlds, poke, moved, Some(driver)).await
    }

    /// Pages and API of a server whose controller does not answer.
    pub async fn without_driver() -> Self {
        let store = database().await;
        let worlds: Arc<dyn Worlds> = worlds(&store);
        Self::serve(store, worlds, Arc::new(Notify::new()), broadcast::channel(16).0, None).await
    }

    async fn serve(
        store: Store,
        worlds: Arc<dyn Worlds>,
        poke: Arc<Notify>,
        moved: broadcast::Sender<Uuid>,
        driver: Option<Driver>,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let tokens = Tokens { operate: Secret::new(OPERATE), flags: Secret::new(FLAGS) };
        let hosts = vec![host.clone()];
        let kept = store.clone();
        let router =
            cutover::web::router(WebOptions { store, worlds, poke, moved, tokens, hosts, version: "9.9.9", environment_banner: None });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { base: format!("http://{host}"), host, client, store: kept, _driver: driver }
    }

    /// A request without any credential.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.bare(Method::GET, path).bearer_auth(OPERATE).header("x-cutover-by", "ann@host")
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.bare(Method::POST, path).bearer_auth(OPERATE).header("x-cutover-by", "ann@host").json(body)
    }

    pub async fn plan(&self, bundle: &Bundle) -> PlanDocument {
        let answer = self.post("/api/plan", &json!(bundle)).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<PlanAnswer>(&text).unwrap().plan
    }

    /// Starts a run of a playbook's text in an environment without any systems, as ann@host.
    pub async fn start(&self, playbook: &str) -> Uuid {
        self.start_in(playbook, LOCAL).await
    }

    pub async fn start_in(&self, playbook: &str, environments: &str) -> Uuid {
        let (answer, id) = self.try_start(&bundle_in(playbook, environments)).await;
        assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.1);
        assert_eq!(answer.1["id"], json!(id));
        id
    }

    pub async fn try_start(&self, bundle: &Bundle) -> ((StatusCode, Value), Uuid) {
        let (plan, id) = (self.plan(bundle).await, Uuid::now_v7());
        (answer(self.post("/api/runs", &json!({ "id": id, "bundle": bundle, "plan": plan, "yes": false }))).await, id)
    }

    pub async fn run(&self, id: Uuid) -> RunDocument {
        self.get(&format!("/api/runs/{id}")).send().await.unwrap().json().await.unwrap()
    }

    /// A run whose step fails: the flag that it changes went away after it was planned.
    pub async fn fail(&self) -> Uuid {
        let flip = |to: &str, variants: &str| {
            format!(
                "playbook: flip\nsteps:\n  - id: first\n    note: {{text: a}}\n  - id: switch\n    set_flag: {{flag: gone, to: {to}{variants}}}\n"
            )
        };
        let before = self.start(&flip("call", ", variants: {call: call, events: events}")).await;
        self.until(before, "done").await;
        let bundle = bundle(&flip("events", ""));
        let (plan, id) = (self.plan(&bundle).await, Uuid::now_v7());
        sqlx::query("delete from flag_revision where flag = 'gone'").execute(self.store.pool()).await.unwrap();
        let (status, body) = answer(self.post("/api/runs", &json!({ "id": id, "bundle": bundle, "plan": plan }))).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        self.until(id, "failed").await;
        id
    }

    /// Follows a run through the API until it is in this state.
    pub async fn until(&self, id: Uuid, state: &str) -> RunDocument {
        let mut events = EventsDocument { events: Vec::new(), state: cutover::engine::RunState::Pending, seq: 0, more: false };
        for _ in 0..200 {
            let path = format!("/api/runs/{id}/events?after={}&wait=20&state={}", events.seq, events.state);
            events = self.get(&path).send().await.unwrap().json().await.unwrap();
            if events.state.as_str() == state {
                return self.run(id).await;
            }
        }
        panic!("run {id} did not become {state}: {:?}", self.run(id).await);
    }

    pub async fn order(&self, id: Uuid, body: &Value) -> (StatusCode, Value) {
        answer(self.post(&format!("/api/runs/{id}/orders"), body)).await
    }

    /// Logs in by a code, as a browser does, and returns the cookie.
    pub async fn login(&self, by: &str, role: &str) -> String {
        let link = self.link(by, role).await;
        let answer = self.bare(Method::GET, &link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        cookie(&answer)
    }

    pub async fn link(&self, by: &str, role: &str) -> String {
        let (status, body) = answer(self.post("/api/login-codes", &json!({ "by": by, "role": role }))).await;
        assert_eq!(status, 200, "{body}");
        body["path"].as_str().unwrap().to_owned()
    }

    /// A page, read with a cookie.
    pub async fn page(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        let answer = self.bare(Method::GET, path).header("cookie", cookie).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
}

pub fn cookie(answer: &Response) -> String {
    answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

async fn database() -> Store {
    machine::store(&machine::ground().database().await, Duration::from_secs(5)).await
}

fn worlds(store: &Store) -> Arc<RealWorlds> {
    Arc::new(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::new(Arc::new(Redactor::default())))))
}

pub fn bundle(playbook: &str) -> Bundle {
    bundle_in(playbook, LOCAL)
}

pub fn bundle_in(playbook: &str, environments: &str) -> Bundle {
    let source = Source::new("play.yaml", playbook);
    let read = cutover::playbook::read(&source, &BTreeMap::new(), &Carried(BTreeMap::new()));
    let (read, _) = read.unwrap_or_else(|diagnostics| panic!("{}", diagnostics.plain()));
    let config = Config::read("cutover.yaml", environments).unwrap();
    Bundle::pack(&source, &BTreeMap::new(), &read, config.environment(None).unwrap().clone())
}
