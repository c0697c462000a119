//! Live streams, read as a browser reads them.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::ground::Ground;

const ASK: &str = "playbook: ask\nsteps:\n  - id: one\n    note: {text: first}\n  - id: sure\n    approval: {text: is it so}\n";

struct Events {
    answer: Response,
    read: String,
}

#[derive(Debug, Default)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Events {
    async fn open(ground: &Ground, path: &str, last: Option<&str>) -> Self {
        let request = ground.get(path);
        let answer = last.map_or(request.try_clone().unwrap(), |last| request.header("last-event-id", last)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, read: String::new() }
    }

    /// The next event that is no comment.
    async fn next(&mut self) -> Event {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n").map(|(block, rest)| (block.to_owned(), rest.to_owned())) {
                self.read = rest;
                let mut event = Event::default();
                for line in block.lines() {
                    match line.split_once(": ").unwrap_or((line, "")) {
                        ("event", name) => name.clone_into(&mut event.name),
                        ("id", id) => event.id = Some(id.to_owned()),
                        ("data", data) => event.data = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                if !event.name.is_empty() {
                    return event;
                }
            }
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), self.answer.chunk()).await;
            let chunk = chunk.expect("an event within half a minute").unwrap().expect("an open stream");
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Fragments up to the one that carries this number.
    async fn until(&mut self, seq: i64) -> Vec<(String, String)> {
        let mut fragments = Vec::new();
        loop {
            let event = self.next().await;
            assert_eq!(event.name, "fragment", "{event:?}");
            let text = |key: &str| event.data[key].as_str().unwrap().to_owned();
            fragments.push((text("target"), text("html")));
            if event.id.is_some_and(|id| id.parse::<i64>().unwrap() >= seq) {
                return fragments;
            }
        }
    }
}

fn targets(fragments: &[(String, String)]) -> Vec<&str> {
    fragments.iter().map(|(target, _)| target.as_str()).collect()
}

#[tokio::test]
async fn a_stream_sends_what_a_page_misses_and_nothing_else() {
    let ground = Ground::new().await;
    let id = ground.start(ASK).await;
    let asking = ground.until(id, "asking").await;
    let path = format!("/runs/{id}/live");

    let mut anew = Events::open(&ground, &path, None).await;
    let all = anew.until(asking.seq).await;
    for part in ["title", "sentence", "question", "step-1", "step-2", "back", "verbs"] {
        assert!(targets(&all).contains(&part), "{part} in {:?}", targets(&all));
    }
    assert_eq!(targets(&all).iter().filter(|target| **target == "journal-rows").count(), usize::try_from(asking.seq).unwrap());

    let mut current = Events::open(&ground, &format!("{path}?after={}", asking.seq), None).await;
    ground.order(id, &json!({ "command": "approve" })).await;
    let done = ground.until(id, "done").await;
    let changed = current.until(done.seq).await;
    assert!(!targets(&changed).contains(&"step-1"), "{:?}", targets(&changed));
    let html = |target: &str| &changed.iter().rfind(|(known, _)| known == target).unwrap().1;
    assert!(html("step-2").contains("</span> done</span>") && html("question").contains("hidden"), "{changed:?}");
    let rows = |fragments: &[(String, String)]| -> Vec<String> {
        fragments.iter().filter(|(target, _)| target == "journal-rows").map(|(_, html)| html.clone()).collect()
    };
    assert!(rows(&changed)[0].contains(&format!("id=\"e-{}\"", asking.seq + 1)), "{changed:?}");

    // A browser that comes back says what it has; the number in the address is the old one.
    let mut back = Events::open(&ground, &format!("{path}?after=0"), Some(&asking.seq.to_string())).await;
    let missed = back.until(done.seq).await;
    assert!(!targets(&missed).contains(&"step-1"), "{:?}", targets(&missed));
    assert_eq!(rows(&missed).len(), usize::try_from(done.seq - asking.seq).unwrap());

    let mut lost = Events::open(&ground, &format!("{path}?after=4000"), None).await;
    let event = lost.next().await;
    assert_eq!((event.name.as_str(), event.id.unwrap()), ("resync", done.seq.to_string()));
}

#[tokio::test]
async fn the_list_moves_too() {
    let ground = Ground::new().await;
    let mut list = Events::open(&ground, "/live", None).await;
    let mut first = Vec::new();
    while first.len() < 5 {
        first.push(list.next().await.data["target"].as_str().unwrap().to_owned());
    }
    assert_eq!(first, ["sentence", "empty", "needs", "running", "recent"]);
    let id = ground.start(ASK).await;
    loop {
        let event = list.next().await;
        let html = event.data["html"].as_str().unwrap();
        if event.data["target"] == "needs" && html.contains(&format!("/runs/{id}")) {
            assert!(html.contains("</span> asking</span>") && html.contains("1/2"), "{html}");
            break;
        }
    }
}

#[tokio::test]
async fn too_many_streams_are_told_to_come_back() {
    let ground = Ground::without_driver().await;
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(Events::open(&ground, "/live", None).await);
    }
    let refused = ground.get("/live").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    open.pop();
    for _ in 0..100 {
        if ground.get("/live").send().await.unwrap().status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("a stream that was closed keeps its place");
}
