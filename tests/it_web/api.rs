//! The API as the command line uses it.

use cutover::web::documents::{DoctorDocument, EventsDocument, RunsDocument, StatusDocument, WayBackDocument};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ground::{FLAGS, Ground, LOCAL, answer, bundle, bundle_in};

const NOTES: &str =
    "playbook: notes\nlink: COMM-020\nsteps:\n  - id: one\n    note: {text: first}\n  - id: two\n    note: {text: second}\n";
const ASK: &str = "playbook: ask\nsteps:\n  - id: sure\n    approval: {text: is it so}\n  - id: shown\n    confirm: {task: show it, evidence: url}\n  - id: end\n    note: {text: over}\n";

fn flip(variant: &str) -> String {
    format!(
        "playbook: flip\nsteps:\n  - id: produce\n    set_flag: {{flag: exercise-events, to: {variant}}}\n  - id: go\n    approval: {{text: go on}}\n"
    )
}

#[tokio::test]
async fn a_run_is_planned_started_and_followed_to_its_end() {
    let ground = Ground::new().await;
    let bundle = bundle(NOTES);
    let plan = ground.plan(&bundle).await;
    assert_eq!((plan.playbook.as_str(), plan.steps.len(), plan.bundle), ("notes", 2, bundle.hash()));
    let id = ground.start(NOTES).await;
    let mut seen: Vec<(i64, String)> = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/api/runs/{id}/events?after={after}&wait=20");
        let events: EventsDocument = ground.get(&path).send().await.unwrap().json().await.unwrap();
        assert!(events.events.iter().all(|event| event.seq > after));
        seen.extend(events.events.iter().map(|event| (event.seq, event.kind.clone())));
        after = events.seq;
        if events.state.is_end() {
            break;
        }
    }
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=after).collect::<Vec<_>>());
    assert_eq!((seen.first().unwrap().1.as_str(), seen.last().unwrap().1.as_str()), ("run_begun", "run_ended"));
    let run = ground.run(id).await;
    assert_eq!((run.progress(), run.started_by.as_str(), run.link.as_deref()), ((2, 2), "ann@host", Some("COMM-020")));

    let of_one: EventsDocument = ground.get(&format!("/api/runs/{id}/events?step=two")).send().await.unwrap().json().await.unwrap();
    assert!(!of_one.events.is_empty() && of_one.events.iter().all(|event| event.step.as_deref() == Some("two")));
    assert_eq!(of_one.seq, after);
    // The state that the caller knows is another one, so there is something to tell at once.
    let moved: EventsDocument =
        ground.get(&format!("/api/runs/{id}/events?after={after}&wait=30&state=running")).send().await.unwrap().json().await.unwrap();
    assert!(moved.events.is_empty() && moved.state.as_str() == "done");

    let list: RunsDocument = ground.get("/api/runs?state=done&playbook=notes").send().await.unwrap().json().await.unwrap();
    assert_eq!((list.schema.as_str(), list.runs.len(), list.runs[0].id), ("cutover.runs/1", 1, id));
    let none: RunsDocument = ground.get("/api/runs?state=failed").send().await.unwrap().json().await.unwrap();
    assert!(none.runs.is_empty());
    let before = list.runs[0].started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let older: RunsDocument = ground.get(&format!("/api/runs?before={before}")).send().await.unwrap().json().await.unwrap();
    assert!(older.runs.is_empty());
    for bad in ["state=nonsense", "limit=0", "limit=501", "before=yesterday"] {
        assert_eq!(answer(ground.get(&format!("/api/runs?{bad}"))).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let status: StatusDocument = ground.get("/api/status").send().await.unwrap().json().await.unwrap();
    assert_eq!((status.version.as_str(), status.database.as_str(), status.runs.get("done")), ("9.9.9", "ok", Some(&1)));
}

#[tokio::test]
async fn what_cannot_be_planned_says_why() {
    let ground = Ground::without_driver().await;
    let mut broken = serde_json::to_value(bundle(NOTES)).unwrap();
    broken["text"] = json!("playbook: notes\nsteps:\n  - id: one\n    notte: {text: first}\n");
    let (status, body) = answer(ground.post("/api/plan", &broken)).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")));
    assert_eq!(body["diagnostics"][0]["line"], json!(4), "{body}");

    let away = "environments:\n  local:\n    approvals: self\n    registry:\n      main: {url: 'http://127.0.0.1:1'}\n";
    let playbook = "playbook: away\nsteps:\n  - id: level\n    set_compatibility: {subject: orders-value, level: FULL}\n";
    let unreachable = bundle_in(playbook, away);
    let (status, body) = answer(ground.post("/api/plan", &json!(unreachable))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unreachable")), "{body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("registry main") && message.contains("cutover.yaml:5:"), "{message}");
    assert_eq!(body["systems"][0]["system"], json!("registry main"));

    let (status, body) = answer(ground.post("/api/plan", &json!(bundle(playbook)))).await;
    assert_eq!((status, &body["error"]["code"], &body["step"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("refused"), &json!("level")));

    let malformed = ground.get("/api/plan").build().unwrap();
    let request = ground.bare(reqwest::Method::POST, "/api/plan").headers(malformed.headers().clone()).body("{\"schema\": ");
    let (status, body) = answer(request).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("malformed")));
    let (status, body) = answer(ground.post("/api/login-codes", &json!({ "by": "x".repeat(70_000) }))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
}

#[tokio::test]
async fn a_run_that_must_not_start_does_not() {
    let ground = Ground::new().await;
    let (first, other) = (bundle(NOTES), bundle(ASK));
    let plan = ground.plan(&first).await;
    let stale = json!({ "id": Uuid::now_v7(), "bundle": other, "plan": plan, "yes": true });
    let (status, body) = answer(ground.post("/api/runs", &stale)).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("stale")));

    let (answered, _) = ground.try_start(&bundle(&flip("blue"))).await;
    assert_eq!((answered.0, &answered.1["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("impossible")));

    let nameless = json!({ "id": Uuid::now_v7(), "bundle": first, "plan": plan, "yes": true });
    let request = ground.bare(reqwest::Method::POST, "/api/runs").bearer_auth(crate::ground::OPERATE).json(&nameless);
    assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST);

    let holder = ground.start(&flip("on")).await;
    let (answered, _) = ground.try_start(&bundle(&flip("off"))).await;
    assert_eq!((answered.0, &answered.1["error"]["code"]), (StatusCode::CONFLICT, &json!("taken")));
    assert_eq!(answered.1["holders"][0]["run"], json!(holder));
    assert!(answered.1["holders"][0]["resource"].as_str().unwrap().contains("exercise-events"), "{}", answered.1);
    let list: RunsDocument = ground.get("/api/runs").send().await.unwrap().json().await.unwrap();
    assert_eq!(list.runs.len(), 1);
}

#[tokio::test]
async fn orders_are_answered_by_the_run() {
    let ground = Ground::new().await;
    let id = ground.start(ASK).await;
    ground.until(id, "asking").await;
    let (status, body) = ground.order(id, &json!({ "command": "retry", "step": "shown" })).await;
    assert_eq!((status, &body["error"]["code"], &body["answer"]["taken"]), (StatusCode::CONFLICT, &json!("refused"), &json!(false)));
    assert_eq!(body["error"]["message"], body["answer"]["text"]);
    let (status, body) = ground.order(id, &json!({ "command": "approve", "step": "sure", "reason": "seen" })).await;
    assert_eq!((status, &body["taken"], &body["state"]), (StatusCode::OK, &json!(true), &json!("asking")));
    let run = ground.until(id, "asking").await;
    assert_eq!(run.present.as_deref(), Some("shown"));
    let (status, body) = ground.order(id, &json!({ "command": "approve", "evidence": "no address" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["answer"]["text"].as_str().unwrap().contains("http"), "{body}");
    for bad in [
        json!({ "command": "explode" }),
        json!({ "command": "approve", "reason": "x".repeat(2001) }),
        json!({ "command": "approve", "evidence": "x".repeat(2001) }),
        json!({ "command": "approve", "force": true }),
    ] {
        assert_eq!(ground.order(id, &bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let (status, _) = ground.order(id, &json!({ "command": "approve", "evidence": "https://example.org/1" })).await;
    assert_eq!(status, StatusCode::OK);
    ground.until(id, "done").await;
    let (status, _) = ground.order(Uuid::now_v7(), &json!({ "command": "pause" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_that_ended_is_taken_back_while_its_things_are_free() {
    let ground = Ground::new().await;
    let id = ground.start(&flip("on")).await;
    ground.until(id, "asking").await;
    ground.order(id, &json!({ "command": "approve" })).await;
    ground.until(id, "done").await;
    let way: WayBackDocument = ground.get(&format!("/api/runs/{id}/way-back")).send().await.unwrap().json().await.unwrap();
    assert_eq!(way.steps.iter().map(|step| step.of.as_str()).collect::<Vec<_>>(), ["produce"]);

    let holder = ground.start(&flip("off")).await;
    ground.until(holder, "asking").await;
    let (status, body) = ground.order(id, &json!({ "command": "revert" })).await;
    assert_eq!((status, &body["error"]["code"], &body["holders"][0]["run"]), (StatusCode::CONFLICT, &json!("taken"), &json!(holder)));
    ground.order(holder, &json!({ "command": "revert" })).await;
    ground.until(holder, "reverted").await;

    let (status, _) = ground.order(id, &json!({ "command": "revert", "step": "produce" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (status, body) = ground.order(id, &json!({ "command": "revert" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let run = ground.until(id, "reverted").await;
    assert_eq!(run.back.len(), 1);
}

#[tokio::test]
async fn an_order_that_nobody_answers_waits_in_the_inbox() {
    let ground = Ground::without_driver().await;
    let id = ground.start(ASK).await;
    let (status, body) = ground.order(id, &json!({ "command": "pause" })).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(body["inbox"].is_i64(), "{body}");
    let cookie = ground.login("ann@host", "operate").await;
    let (_, page) = ground.page(&format!("/runs/{id}?said={}", body["inbox"]), &cookie).await;
    assert!(page.contains("no controller has answered yet"), "{page}");
}

#[tokio::test]
async fn runs_are_found_by_the_beginning_of_their_ids() {
    let ground = Ground::without_driver().await;
    let (one, other) = (ground.start(NOTES).await, ground.start(NOTES).await);
    let text = one.to_string();
    let short = &text[text.len() - 8..];
    for name in [text.as_str(), &text.to_uppercase(), &text.replace('-', ""), short, &short[..6], &short.to_uppercase(), &text[..35]] {
        let run: Value = ground.get(&format!("/api/runs/{name}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(run["id"], json!(one), "{name}");
    }
    let (status, body) = answer(ground.get(&format!("/api/runs/{}", &text[..6]))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("ambiguous")));
    let listed = body["runs"].as_array().unwrap();
    assert!(listed.len() == 2 && listed.contains(&json!(one)) && listed.contains(&json!(other)), "{body}");
    for missing in ["zzzz", "%25", "ffffffff", "' or 1=1"] {
        assert_eq!(answer(ground.get(&format!("/api/runs/{missing}"))).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn services_read_their_flags_by_revision() {
    let ground = Ground::new().await;
    let read = |known: Option<&str>| {
        let request = ground.bare(reqwest::Method::GET, "/flags/local/main").bearer_auth(FLAGS);
        known.map_or(request.try_clone().unwrap(), |known| request.header("if-none-match", known)).send()
    };
    let empty = read(None).await.unwrap();
    assert_eq!((empty.status(), empty.headers()["etag"].to_str().unwrap()), (StatusCode::OK, "\"r0\""));
    assert_eq!(empty.json::<Value>().await.unwrap()["flags"], json!({}));
    let id = ground.start(&flip("on")).await;
    ground.until(id, "asking").await;
    let changed = read(Some("\"r0\"")).await.unwrap();
    assert_eq!((changed.status(), changed.headers()["cutover-revision"].to_str().unwrap()), (StatusCode::OK, "1"));
    let document: Value = changed.json().await.unwrap();
    assert_eq!(document["flags"]["exercise-events"]["defaultVariant"], json!("on"), "{document}");
    let same = read(Some("\"r0\", \"r1\"")).await.unwrap();
    assert_eq!((same.status(), same.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, "\"r1\""));
    assert_eq!(same.text().await.unwrap(), "");
}

#[tokio::test]
async fn the_doctor_asks_every_system() {
    let ground = Ground::without_driver().await;
    let environments =
        format!("{LOCAL}    kafka:\n      main: {{bootstrap: '127.0.0.1:1'}}\n    registry:\n      main: {{url: 'http://127.0.0.1:1'}}\n");
    let environment = bundle_in(NOTES, &environments).environment;
    let answer: DoctorDocument = ground.post("/api/doctor", &json!(environment)).send().await.unwrap().json().await.unwrap();
    let told: Vec<_> = answer.checks.iter().map(|check| (check.system.as_str(), check.ok)).collect();
    assert_eq!(told, [("kafka main", false), ("registry main", false), ("flags main", true)]);
    assert!(answer.checks[1].setting.as_deref().is_some_and(|setting| setting.contains("cutover.yaml:7:")), "{answer:?}");
    assert_eq!(answer.checks[2].line, "revision 0");
}

#[tokio::test]
async fn services_report_the_revision_that_they_use() {
    let ground = Ground::without_driver().await;
    let say = |body: Value| ground.bare(reqwest::Method::POST, "/api/heartbeats").bearer_auth(FLAGS).json(&body);
    let heartbeat = json!({ "environment": "local", "store": "main", "service": "hiring", "instance": "hiring-1", "release": "1.5",
                            "revision": 0, "oldest": 0, "ending": false });
    let changed = |field: &str, value: Value| {
        let mut heartbeat = heartbeat.clone();
        heartbeat[field] = value;
        heartbeat
    };
    let taken = say(heartbeat.clone()).send().await.unwrap();
    assert_eq!((taken.status(), taken.text().await.unwrap()), (StatusCode::NO_CONTENT, String::new()));
    let listeners = ground.store.listeners("local", "main").await.unwrap();
    let heard: Vec<_> =
        listeners.iter().map(|one| (one.service.as_str(), one.instance.as_str(), one.release.as_str(), one.oldest)).collect();
    assert_eq!(heard, [("hiring", "hiring-1", "1.5", 0)]);
    for (wrong, code) in [
        (changed("pid", json!(7)), "malformed"),
        (changed("store", json!("a/b")), "malformed"),
        (changed("instance", json!("x".repeat(201))), "malformed"),
        (changed("oldest", json!(1)), "malformed"),
        (changed("revision", json!("1")), "malformed"),
        (json!([]), "malformed"),
        (changed("revision", json!(7)), "future"),
    ] {
        let (status, body) = answer(say(wrong.clone())).await;
        assert!(status.is_client_error() && body["error"]["code"] == json!(code), "{wrong}: {status} {body}");
    }
    let (status, body) = answer(say(changed("service", json!("x".repeat(70_000))))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
    assert_eq!(ground.store.listeners("local", "main").await.unwrap().len(), 1);
    say(changed("ending", json!(true))).send().await.unwrap();
    say(heartbeat).send().await.unwrap();
    assert_eq!(ground.store.listeners("local", "main").await.unwrap(), [], "a late report brings nobody back");
}

#[tokio::test]
async fn a_saved_plan_starts_what_was_saved_or_nothing() {
    let ground = Ground::new().await;
    let (status, answer_of_save) = answer(ground.post("/api/plans", &json!(bundle(&flip("on"))))).await;
    assert_eq!(status, StatusCode::CREATED, "{answer_of_save}");
    let saved = answer_of_save["saved"].clone();
    let kept = answer(ground.get(&format!("/api/plans/{}", saved["id"].as_str().unwrap()))).await;
    assert_eq!(kept, (StatusCode::OK, saved.clone()));
    let fresh = answer(ground.post("/api/plans/check", &json!({ "saved": saved }))).await;
    assert_eq!((fresh.0, &fresh.1["steps"]), (StatusCode::OK, &json!([])), "{}", fresh.1);

    let mut changed = saved.clone();
    changed["plan"]["steps"][0]["id"] = json!("other");
    let (status, body) = answer(ground.post("/api/plans/start", &json!({ "id": Uuid::now_v7(), "saved": changed }))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("refused")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("plan, step 1"), "{body}");

    let id = Uuid::now_v7();
    let start = json!({ "id": id, "saved": saved });
    assert_eq!(answer(ground.post("/api/plans/start", &start)).await.0, StatusCode::CREATED);
    ground.until(id, "asking").await;
    // The same id again starts nothing new, and is no stale plan.
    assert_eq!(answer(ground.post("/api/plans/start", &start)).await, (StatusCode::CREATED, json!({ "id": id })));
    let (status, body) = answer(ground.post("/api/plans/start", &json!({ "id": Uuid::now_v7(), "saved": saved }))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("stale")), "{body}");
    let step = &body["stale"]["steps"][0];
    assert_eq!(
        (&step["step"], &step["foreseen"], &step["now"]),
        (&json!("produce"), &json!("flag exercise-events: on"), &json!("already so: it is on"))
    );
    let list: RunsDocument = ground.get("/api/runs").send().await.unwrap().json().await.unwrap();
    assert_eq!(list.runs.len(), 1, "nothing else was started");
}
