//! The act on services in a test's own hands: what counts, what is unknown, where it ends, and that it goes on after a crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::DateTime;

use super::*;
use crate::ports::http::{Http, HttpAnswer, HttpRequest};
use crate::ports::{PortError, SystemRef};
use crate::sim::SimDatabase;
use crate::step::Checkpoint;

/// Answers by path; nothing else is there, and `silent` is nobody.
#[derive(Default)]
struct Service {
    answers: Mutex<BTreeMap<String, (u16, String)>>,
    /// Answers that come only once and first.
    first: Mutex<BTreeMap<String, (u16, String)>>,
    asked: Mutex<Vec<String>>,
    silent: bool,
}

#[async_trait]
impl Http for Service {
    async fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, PortError> {
        assert!(matches!(request.method.as_str(), "GET" | "HEAD") && request.body.is_none());
        self.asked.lock().unwrap().push(request.path.clone());
        if self.silent {
            let text = |text: &str| text.to_owned();
            let system = SystemRef { name: text("http x"), address: text("nowhere"), setting: text("here") };
            return Err(PortError::Unreachable { system, detail: text("nobody") });
        }
        let first = self.first.lock().unwrap().remove(&request.path);
        let (status, body) =
            first.or_else(|| self.answers.lock().unwrap().get(&request.path).cloned()).unwrap_or((404, "nothing".to_owned()));
        Ok(HttpAnswer { status, body, cut: false })
    }
}

impl Service {
    fn with(paths: impl IntoIterator<Item = (String, Value)>) -> Self {
        let answers = paths.into_iter().map(|(path, body)| (path, (200, body.to_string()))).collect();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    fn rows(count: u32, body: impl Fn(u32) -> Value) -> Self {
        Self::with((0..count).map(|at| (format!("/x/{at}"), body(at))))
    }
}

/// Keeps what is saved; refuses to save more often than it may, as a controller that has died.
struct Kept(Mutex<Vec<Value>>, usize);

#[async_trait]
impl Checkpoint for Kept {
    async fn save(&self, cursor: Value) -> Result<(), StepError> {
        let mut saved = self.0.lock().unwrap();
        if saved.len() >= self.1 {
            return Err(StepError::Fenced);
        }
        saved.push(cursor);
        Ok(())
    }
}

fn context(left: &Arc<Service>, right: &Arc<Service>, database: Option<Arc<SimDatabase>>) -> ActContext {
    let mut world = World::builder("test").http("left", Ok(Arc::clone(left) as _)).http("right", Ok(Arc::clone(right) as _));
    if let Some(database) = database {
        world = world.database("main", Ok(database));
    }
    let now = DateTime::UNIX_EPOCH;
    ActContext {
        world: world.build(),
        key: "run/step".to_owned(),
        began: now,
        rests_since: now,
        now,
        cursor: None,
        receipts: Vec::new(),
        earlier: Arc::default(),
        checkpoint: Arc::new(Kept(Mutex::default(), usize::MAX)),
    }
}

fn step(more: &Value) -> CompareHttp {
    let each: Vec<_> = (0..10).map(|id| json!({ "id": id })).collect();
    let mut body = json!({
        "left": { "http": "left", "path": "/x/{id}" }, "right": { "http": "right", "path": "/x/{id}" },
        "each": each, "per_second": 1000, "tries": 1,
    });
    let fields = body.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    crate::step::decode(&body).unwrap()
}

async fn played(step: &CompareHttp, left: Service, right: Service) -> (Tally, Result<String, String>) {
    let tally = step.play(&context(&Arc::new(left), &Arc::new(right), None)).await.unwrap();
    let said = step.judge(&tally);
    (tally, said)
}

#[tokio::test]
async fn differences_are_counted_by_field_and_a_share_is_let_pass() {
    let right = |at| json!({ "id": at, "name": if at == 3 { "Grace" } else { "Ada" }, "at": at * 7 });
    let sides = || (Service::rows(10, |at| json!({ "id": at, "name": "Ada", "at": at })), Service::rows(10, right));
    let (left, right) = sides();
    let strict = step(&json!({ "ignore": ["/at"], "show": ["id"] }));
    let (tally, said) = played(&strict, left, right).await;
    assert_eq!((tally.planned, tally.compared, tally.different, tally.unknown), (10, 10, 1, 0));
    assert_eq!(
        serde_json::to_value(&tally.fields).unwrap(),
        json!({ "/name": { "count": 1, "examples": [
        { "request": { "id": 3 }, "left": "a text of 3", "right": "a text of 5" }
    ] } })
    );
    let said = said.unwrap_err();
    assert!(said.contains("1 different, where none differs; /name in 1, for instance a text of 3 / a text of 5"), "{said}");
    let (left, right) = sides();
    let (tally, said) = played(&step(&json!({ "ignore": ["/at"], "at_most": "10%" })), left, right).await;
    assert!(said.is_ok(), "{said:?}");
    let text = serde_json::to_string(&tally).unwrap();
    assert!(!text.contains("Grace") && !text.contains("\"id\""), "neither a value nor an id that nobody asked to see: {text}");
    let (left, right) = sides();
    assert!(played(&step(&json!({ "ignore": ["/at"], "at_most": "9.999%" })), left, right).await.1.is_err());
}

#[tokio::test]
async fn what_is_not_answered_never_passes_and_ends_soon() {
    let fine = || Service::rows(10, |at| json!({ "id": at }));
    let silent = Service { silent: true, ..Service::default() };
    let (tally, said) = played(&step(&json!({ "at_most": "100%" })), fine(), silent).await;
    assert_eq!((tally.unknown, tally.compared), (5, 0), "it does not go on asking nobody");
    assert!(said.unwrap_err().contains("of 5 nothing is known: right does not answer (5)"));
    let (_, said) = played(&step(&json!({ "at_most": "100%" })), fine(), Service::default()).await;
    assert!(said.is_ok(), "a status that differs is a difference, and all may differ here: {said:?}");
    let (_, said) = played(&step(&json!({ "at_most": "100%" })), Service::default(), Service::default()).await;
    assert!(said.unwrap_err().contains("both answer 404, not 200"));
    let failing = Service::default();
    failing.answers.lock().unwrap().insert("/x/0".to_owned(), (503, String::new()));
    let (_, said) = played(&step(&json!({ "each": [{ "id": 0 }] })), fine(), failing).await;
    assert!(said.unwrap_err().contains("right answers 503"));
    let (_, said) = played(&step(&json!({ "within": "1ms" })), fine(), fine()).await;
    assert!(said.is_err(), "{said:?}");
}

#[tokio::test]
async fn what_comes_to_rest_when_asked_again_is_the_same() {
    let right = Service::rows(10, |at| json!({ "id": at }));
    right.first.lock().unwrap().insert("/x/4".to_owned(), (200, json!({ "id": "old" }).to_string()));
    right.first.lock().unwrap().insert("/x/5".to_owned(), (503, String::new()));
    let (tally, said) = played(&step(&json!({ "tries": 2 })), Service::rows(10, |at| json!({ "id": at })), right).await;
    assert_eq!((tally.compared, tally.settled, tally.different, tally.unknown), (10, 2, 0, 0), "{said:?}");
}

#[tokio::test]
async fn nothing_to_compare_is_not_known() {
    let database = Arc::new(SimDatabase::new("main"));
    database.create("exercise", &[("id", "text", false)], &["id"]);
    let (left, right) = (Arc::new(Service::rows(3, |at| json!(at))), Arc::new(Service::rows(3, |at| json!(at))));
    let from = step(&json!({ "each": null, "from": { "database": "main", "query": "select id from exercise" } }));
    let context = context(&left, &right, Some(Arc::clone(&database)));
    let tally = from.play(&context).await.unwrap();
    assert!(from.judge(&tally).unwrap_err().contains("there was no request"));
    for id in 0..3 {
        database.put("exercise", json!({ "id": id.to_string() }).as_object().unwrap().clone());
    }
    let tally = from.play(&context).await.unwrap();
    assert_eq!((tally.planned, tally.compared), (3, 3));
    let other = step(&json!({ "each": null, "from": { "database": "main", "query": "select title from exercise" } }));
    assert!(other.play(&context).await.unwrap_err().to_string().contains("does not exist"));
    let wrong = step(&json!({ "each": null, "from": { "database": "main", "query": "select count(*) from exercise" } }));
    assert!(wrong.play(&context).await.unwrap_err().to_string().contains("there is no value for {id}"));
}

#[tokio::test]
async fn a_part_is_drawn_and_a_crash_changes_nothing() {
    let sides = || (Arc::new(Service::rows(400, |at| json!(at))), Arc::new(Service::rows(400, |at| json!(at % 390))));
    let each: Vec<_> = (0..400).map(|id| json!({ "id": id })).collect();
    let half = step(&json!({ "each": each, "share": "50%", "most": 150, "at_most": "100%" }));
    let (left, right) = sides();
    let whole = half.play(&context(&left, &right, None)).await.unwrap();
    assert_eq!((whole.planned, whole.compared), (150, 150));
    let asked = left.asked.lock().unwrap().clone();
    assert_eq!(asked, *right.asked.lock().unwrap(), "the same requests each way");

    // The controller dies: the next one goes on from what was saved, and each request is counted once.
    let (left, right) = sides();
    let before = context(&left, &right, None);
    let place = super::requests::requests(&half, &before).await.unwrap()[59].place;
    let first = CompareHttp { most: 60, ..half.clone() };
    let tally = first.play(&before).await.unwrap();
    let cursor = json!({ "after": format!("{place:x}"), "tally": tally });
    let (left, right) = sides();
    let resumed = ActContext { cursor: Some(cursor), ..context(&left, &right, None) };
    let again = half.play(&resumed).await.unwrap();
    assert_eq!(again, whole);
    assert_eq!(left.asked.lock().unwrap().len(), 90, "what is over is not asked again");

    let fenced = ActContext { checkpoint: Arc::new(Kept(Mutex::default(), 0)), ..context(&left, &right, None) };
    assert_eq!(half.play(&fenced).await.unwrap_err(), StepError::Fenced);
}

#[tokio::test]
async fn it_ends_when_too_many_differ() {
    let each: Vec<_> = (0..1000).map(|id| json!({ "id": id })).collect();
    let step = step(&json!({ "each": each }));
    let (tally, said) = played(&step, Service::rows(1000, |_| json!(1)), Service::rows(1000, |_| json!(2))).await;
    assert_eq!(tally.different, 21);
    assert!(said.unwrap_err().contains("too many differ already"));
}

#[test]
fn mistakes_have_their_places() {
    let places = |more: &Value| step(more).complaints().into_iter().map(|(place, _)| place).collect::<Vec<_>>();
    assert_eq!(places(&json!({})), Vec::<String>::new());
    let plain = json!({ "http": "left" });
    assert_eq!(places(&json!({ "left": plain, "right": plain, "each": null, "paths": ["/a"] })), Vec::<String>::new());
    assert_eq!(
        places(&json!({ "left": plain, "right": plain, "each": null, "paths": ["/a", "b", "//c", "/d e"] })),
        ["/paths/1", "/paths/2", "/paths/3"]
    );
    assert_eq!(places(&json!({ "paths": ["/a"] })), ["/each", "/left/path", "/right/path"]);
    assert_eq!(places(&json!({ "left": plain })), ["/left"]);
    assert_eq!(places(&json!({ "each": null })), ["/left/path"]);
    assert_eq!(places(&json!({ "left": { "http": "left", "path": "/{i d}" } })), ["/left/path"]);
    assert_eq!(places(&json!({ "each": [{ "id": 1 }, { "name": 2 }] })), ["/each/1"]);
    assert_eq!(places(&json!({ "each": [{ "id": null }] })), ["/each/0"]);
    assert_eq!(places(&json!({ "ignore": ["$.a.b"], "show": ["name"], "within": "0s" })), ["/show/0", "/ignore/0", "/within"]);
    let fixed = json!({ "http": "left", "path": "/a" });
    assert_eq!(places(&json!({ "left": fixed, "right": fixed })), ["/each"]);
    assert_eq!(places(&json!({ "left": fixed, "right": fixed, "each": null })), Vec::<String>::new(), "one request needs no values");
}

#[test]
fn a_file_of_lines_is_read_and_a_wrong_line_is_named() {
    let of = |text: &str| {
        let mut step = step(&json!({ "each": null, "file": "requests.jsonl" }));
        step.file.as_mut().unwrap().text = Arc::from(text);
        step.plan(&View::default())
    };
    assert!(matches!(of("{\"id\": 1}\n\n{\"id\": \"b\"}\n"), Plan::Change(_)));
    assert!(matches!(of("{\"id\": 1}\n[2]\n"), Plan::Impossible(why) if why.starts_with("requests.jsonl, line 2: it is no JSON object")));
    assert!(matches!(of("{\"name\": 1}\n"), Plan::Impossible(why) if why == "requests.jsonl, line 1: there is no value for {id}"));
}
