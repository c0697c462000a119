//! Pages as they come without a script.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::ground::Ground;

const ASK: &str = "playbook: ask
steps:
  - id: one
    note: {text: \"x<script>alert('x')</script> & more\"}
  - id: sure
    approval: {text: is it<b>so</b>}
  - id: shown
    confirm: {task: show it, evidence: url}
";

#[tokio::test]
async fn the_list_says_what_needs_somebody() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let (_, empty) = ground.page("/", &cookie).await;
    assert!(empty.contains("There is no run yet") && empty.contains("cutover apply"), "{empty}");
    let asking = ground.start(ASK).await;
    ground.until(asking, "asking").await;
    let done = ground.start("playbook: short\nsteps:\n  - id: one\n    note: {text: a}\n").await;
    ground.until(done, "done").await;
    let (status, page) = ground.page("/", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    let (needs, rest) = page.split_once("id=\"running\"").unwrap();
    assert!(needs.contains(&format!("href=\"/runs/{asking}\"")) && needs.contains("1/3") && needs.contains("<b>sure</b>"), "{needs}");
    assert!(needs.contains("1 run needs you") && !needs.contains("There is no run yet"), "{needs}");
    assert!(rest.contains(&format!("href=\"/runs/{done}\"")), "{rest}");
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"));
    assert!(page.contains("environment</span> local"), "{page}");
    let (_, older) = ground.page("/?before=2020-01-01T00:00:00Z", &cookie).await;
    assert!(older.contains("Back to the newest") && !older.contains("needs-title"), "{older}");
}

#[tokio::test]
async fn a_run_is_shown_whole_and_escaped() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let id = ground.start(ASK).await;
    ground.until(id, "asking").await;
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;alert"), "{page}");
    assert!(!page.contains("<b>so</b>") && page.contains("is it&#60;b&#62;so"), "{page}");
    for part in [
        "<b>ask</b> in local:",
        "1 of 3 steps",
        "<th scope=\"row\">sure</th>",
        "<code>approval</code>",
        "aria-current=\"step\"",
        "A question is answered with approve, not skipped",
        "A person is asked; use approve",
        "<tr id=\"e-1\">",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let short = &id.to_string()[28..];
    assert!(page.contains(&format!("cutover runs approve {short}")) && page.contains(&format!("cutover runs revert {short}")), "{page}");
    assert!(!page.contains("style=") && !page.contains("<script>") && !page.contains("onclick"), "{page}");
    let scripts: Vec<_> = page.match_indices("<script").collect();
    assert_eq!(scripts.len(), 1, "{page}");

    let (status, missing) = ground.page("/runs/zzz", &cookie).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(missing.contains("There is no run <code>zzz</code>") && missing.contains("<code>cutover runs list</code>"), "{missing}");
}

#[tokio::test]
async fn a_guard_that_holds_the_run_is_shown_with_its_samples() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = async || r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"code":"<5>"},"value":[1,"9"]}]}}"#;
    let router = axum::Router::new().route("/api/v1/query", axum::routing::any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let guarded =
        "playbook: guarded\nsteps:\n  - id: one\n    note: {text: a}\n    guards:\n      - metric: {query: errors, above: 1, then: hold}\n";
    let environments = format!("environments:\n  local:\n    metrics: {{main: {{url: 'http://{address}'}}}}\n");
    let id = ground.start_in(guarded, &environments).await;
    let run = ground.until(id, "held").await;
    let guard = &run.steps[0].guards[0];
    assert_eq!((guard.query.as_str(), guard.limit.as_str(), guard.line.as_str()), ("errors", "above 1", "9 for code=\"<5>\""));
    assert!(guard.held.as_ref().unwrap().starts_with("metric errors is 9 for code=\"<5>\" at "), "{guard:?}");
    assert_eq!(guard.samples[0].value, Some(9.0));
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(!page.contains("<5>"), "{page}");
    for part in ["A guard holds the run", "must not be above 1 (then hold): bad, holds the run", "<ol class=\"quiet\">", "Resume"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (status, told) = ground.order(id, &serde_json::json!({ "command": "resume", "reason": "known" })).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    ground.until(id, "held").await;
    let (_, events) = crate::ground::answer(ground.get(&format!("/api/runs/{id}/events?after=0"))).await;
    let lines: Vec<&str> = events["events"].as_array().unwrap().iter().filter_map(|event| event["line"].as_str()).collect();
    assert!(lines.contains(&"metric errors is 9 for code=\"<5>\" (bad)"), "{lines:?}");
    assert!(lines.contains(&"released by ann@host: known"), "{lines:?}");
}

#[tokio::test]
async fn the_verbs_work_without_a_script() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let id = ground.start(ASK).await;
    ground.until(id, "asking").await;
    let send = |form: &[(&str, &str)]| {
        let request = ground.bare(Method::POST, &format!("/runs/{id}/orders")).header("cookie", &cookie);
        // What a browser sends with a form of a page whose policy is no-referrer.
        let body = form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect::<Vec<_>>().join("&");
        let request = request.header("origin", "null").header("sec-fetch-site", "same-origin");
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send()
    };
    let answered = send(&[("command", "approve"), ("step", "sure"), ("reason", " "), ("evidence", "")]).await.unwrap();
    assert_eq!(answered.status(), StatusCode::SEE_OTHER);
    let place = answered.headers()["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with(&format!("/runs/{id}?said=")), "{place}");
    let (_, page) = ground.page(&place, &cookie).await;
    assert!(page.contains("<b>Taken:</b> answers yes"), "{page}");

    let again = send(&[("command", "approve"), ("step", "sure")]).await.unwrap();
    let (_, page) = ground.page(again.headers()["location"].to_str().unwrap(), &cookie).await;
    assert!(page.contains("<b>Refused:</b>"), "{page}");
    let (_, page) = ground.page(&format!("/runs/{id}?said=999999"), &cookie).await;
    assert!(!page.contains("<b>Taken:</b>") && !page.contains("<b>Refused:</b>"), "{page}");

    let unconfirmed = send(&[("command", "abort")]).await.unwrap();
    assert_eq!(unconfirmed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unconfirmed.text().await.unwrap().contains("Abort wants the box beside it ticked"));
    let (_, preview) = ground.page(&format!("/runs/{id}/way-back"), &cookie).await;
    assert!(preview.contains("there is nothing to take back") && preview.contains("Yes, revert this run"), "{preview}");
    let confirmed = send(&[("command", "abort"), ("confirm", "yes"), ("reason", "enough")]).await.unwrap();
    assert_eq!(confirmed.status(), StatusCode::SEE_OTHER);
    let run = ground.until(id, "aborted").await;
    assert_eq!(run.state.as_str(), "aborted");
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(page.contains("enough") && page.contains("took "), "{page}");
}

#[tokio::test]
async fn a_failed_step_says_why_and_what_comes_next() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let id = ground.fail().await;
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    let (_, trouble) = page.split_once("id=\"trouble\"").unwrap();
    let (trouble, rest) = trouble.split_once("</div>").unwrap();
    assert!(trouble.contains("<b>Step switch failed</b>") && trouble.contains("flag gone is not there yet"), "{trouble}");
    assert!(trouble.contains("Mend it and retry"), "{trouble}");
    assert!(rest.contains("name=\"step\" value=\"switch\"") && rest.contains("cutover runs skip"), "{rest}");
    let skip = rest.split("id=\"skip-reason\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(skip.contains("required"), "{skip}");
    let (status, body) = ground.order(id, &json!({ "command": "skip", "step": "switch" })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let (status, body) = ground.order(id, &json!({ "command": "skip", "step": "switch", "reason": "not needed" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    ground.until(id, "done").await;
}

#[tokio::test]
async fn a_way_back_is_shown_once_there_is_one() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let playbook = "playbook: flip\nsteps:\n  - id: produce\n    set_flag: {flag: exercise-events, to: on}\n";
    let id = ground.start(playbook).await;
    ground.until(id, "done").await;
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(page.contains("<section id=\"back\" hidden>") && page.contains("flag exercise-events"), "{page}");
    let (_, preview) = ground.page(&format!("/runs/{id}/way-back"), &cookie).await;
    assert!(preview.contains("<th scope=\"row\">produce</th>"), "{preview}");
    ground.order(id, &json!({ "command": "revert", "reason": "too early" })).await;
    ground.until(id, "reverted").await;
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(page.contains("id=\"back-1\"") && page.contains("of the way back"), "{page}");
}

#[tokio::test]
async fn a_long_journal_shows_its_end_first() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "operate").await;
    let steps: Vec<_> = (0..130).map(|step| format!("  - id: s{step}\n    note: {{text: note {step}}}\n")).collect();
    let id = ground.start(&format!("playbook: long\nsteps:\n{}", steps.concat())).await;
    let run = ground.until(id, "done").await;
    let rows = |page: &str| page.matches("<tr id=\"e-").count();
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert_eq!(rows(&page), 200);
    assert!(page.contains("Show all") && page.contains("entries before are not shown"), "{page}");
    let (_, page) = ground.page(&format!("/runs/{id}?journal=all"), &cookie).await;
    assert_eq!(rows(&page), usize::try_from(run.seq).unwrap());
    assert!(!page.contains("Show all"));
}

#[tokio::test]
async fn files_are_kept_by_their_content() {
    let ground = Ground::without_driver().await;
    let cookie = ground.login("ann@host", "operate").await;
    let (_, page) = ground.page("/", &cookie).await;
    let place = page.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let style = ground.bare(Method::GET, place).send().await.unwrap();
    assert_eq!(style.status(), StatusCode::OK);
    assert!(style.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let plain = ground.bare(Method::GET, "/static/cutover.css").send().await.unwrap();
    assert_eq!(plain.headers()["cache-control"], "no-cache");
    assert_eq!(ground.bare(Method::GET, "/static/..%2Fbase.html").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_is_reported_in_every_form() {
    let ground = Ground::new().await;
    let cookie = ground.login("ann@host", "view").await;
    let id = ground.start(ASK).await;
    ground.until(id, "asking").await;
    let (_, page) = ground.page(&format!("/runs/{id}"), &cookie).await;
    assert!(page.contains("Proof: nothing is proven"), "{page}");
    for (form, media) in [("html", "text/html"), ("markdown", "text/markdown"), ("text", "text/plain"), ("json", "application/json")] {
        let path = format!("/runs/{id}/report?format={form}");
        assert!(form == "html" || page.contains(&format!("href=\"{path}\"")), "{form}: {page}");
        let answer = ground.bare(Method::GET, &path).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(media) && header("content-disposition").contains("ask-"), "{form}");
        let wanted = if form == "html" { "default-src 'none'; style-src 'sha256-" } else { "default-src 'self';" };
        assert!(header("content-security-policy").starts_with(wanted), "{}", header("content-security-policy"));
        let text = answer.text().await.unwrap();
        assert!(text.contains("no services are declared") && text.contains("cutover report"), "{text}");
        assert_eq!(text.contains("<script"), matches!(form, "text" | "json"), "{text}");
        if form == "json" {
            let report: cutover::report::ReportDocument = serde_json::from_str(&text).unwrap();
            assert_eq!((report.schema.as_str(), report.run.unwrap().state.as_str()), ("cutover.report/1", "asking"));
        }
    }
    let (status, wrong) = ground.page(&format!("/runs/{id}/report?format=pdf"), &cookie).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(wrong.contains("there are text, json, markdown and html"), "{wrong}");
}
