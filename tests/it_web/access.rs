//! Who may ask, and from where.

use cutover::web::{Role, routes};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::ground::{FLAGS, Ground, answer, cookie};

fn concrete(path: &str) -> String {
    path.replace("{id}", &Uuid::now_v7().to_string())
        .replace("{file}", "cutover.css")
        .replace("{environment}", "local")
        .replace("{store}", "main")
}

#[tokio::test]
async fn every_route_wants_its_role_and_carries_the_headers() {
    let ground = Ground::new().await;
    let open: Vec<_> = routes().into_iter().filter(|route| route.role == Role::Public).map(|route| route.path).collect();
    assert_eq!(open, ["/healthz", "/static/{file}", "/login"]);
    assert!(routes().len() >= 20);
    for route in routes() {
        let ask = || ground.bare(Method::from_bytes(route.method.as_bytes()).unwrap(), &concrete(route.path));
        let (bare, wrong, flags) = tokio::join!(
            ask().send(),
            ask().bearer_auth("nothing").send(),
            ask().bearer_auth(FLAGS).header("content-type", "application/json").body("{}").send()
        );
        let (bare, wrong, flags) = (bare.unwrap(), wrong.unwrap(), flags.unwrap());
        for answer in [&bare, &wrong, &flags] {
            let header = |name: &str| answer.headers()[name].to_str().unwrap();
            assert!(header("content-security-policy").starts_with("default-src 'self'; frame-ancestors 'none'"));
            assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff", "no-referrer"));
            assert!(answer.headers().get("access-control-allow-origin").is_none());
            let kept = matches!(route.path, "/static/{file}" | "/flags/{environment}/{store}");
            assert!(kept || header("cache-control") == "no-store", "{}", route.path);
        }
        let got = [bare.status(), wrong.status(), flags.status()];
        let wanted = match (route.role, route.path) {
            (Role::Public, "/login") => [StatusCode::UNAUTHORIZED; 3],
            (Role::Public, _) => [StatusCode::OK; 3],
            (Role::Flags, "/api/heartbeats") => [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST],
            (Role::Flags, _) => [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, StatusCode::OK],
            _ => [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN],
        };
        assert_eq!(got, wanted, "{} {}", route.method, route.path);
    }
    let health = ground.bare(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(health.text().await.unwrap(), "ok");
}

#[tokio::test]
async fn a_name_that_is_not_ours_gets_nothing() {
    let ground = Ground::without_driver().await;
    for (path, host) in [("/healthz", "evil.example"), ("/api/runs", "localhost"), ("/login", "127.0.0.1"), ("/nothing", "evil.example:80")]
    {
        let refused = ground.get(path).header("host", host).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST, "{path} {host}");
    }
    let port = ground.host.rsplit(':').next().unwrap();
    let evil = ground.get("/healthz").header("host", format!("evil.example:{port}")).send().await.unwrap();
    assert_eq!(evil.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn what_is_not_there_or_not_meant_is_said_in_the_right_form() {
    let ground = Ground::without_driver().await;
    let (status, body) = answer(ground.get("/api/nothing")).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, body) = answer(ground.get("/api/plan")).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method")));
    let page = ground.bare(Method::GET, "/nothing").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    let page = page.text().await.unwrap();
    assert!(page.contains("<h1>Not found</h1>") && page.contains("There is nothing at this address"), "{page}");
}

#[tokio::test]
async fn a_login_code_opens_one_session_once() {
    let ground = Ground::new().await;
    let link = ground.link("ann@host", "operate").await;
    let preview = ground.bare(Method::HEAD, &link).send().await.unwrap();
    assert_eq!(preview.status(), StatusCode::UNAUTHORIZED);
    let first = ground.bare(Method::GET, &format!("{link}&next=/runs/1%3Fjournal=all")).send().await.unwrap();
    assert_eq!((first.status(), first.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/runs/1?journal=all"));
    let set = first.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Max-Age=43200"), "{set}");
    let second = ground.bare(Method::GET, &link).send().await.unwrap();
    assert_eq!(second.status(), StatusCode::UNAUTHORIZED);
    assert!(second.headers().get("set-cookie").is_none());
    let page = second.text().await.unwrap();
    assert!(page.contains("used before") && page.contains("<code>cutover open</code> prints a new one"), "{page}");

    let cookie = set.split(';').next().unwrap();
    let (status, page) = ground.page("/", cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("ann@host"), "{page}");
    let (status, _) = ground.page("/", &cookie.replace(".ey", ".ez").replace("operate", "view")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_login_leads_to_our_own_pages_only_and_survives_a_link_from_elsewhere() {
    let ground = Ground::without_driver().await;
    let link = ground.link("ann@host", "operate").await;
    let out = ground.bare(Method::GET, &format!("{link}&next=//evil.example")).send().await.unwrap();
    assert_eq!(out.headers()["location"].to_str().unwrap(), "/");
    // A redirect that began on another site would leave the strict cookie behind; a page of ours does not.
    let link = ground.link("ann@host", "operate").await;
    let elsewhere = ground.bare(Method::GET, &link).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::OK);
    assert!(!cookie(&elsewhere).is_empty());
    let page = elsewhere.text().await.unwrap();
    assert!(page.contains(r#"<meta http-equiv="refresh" content="0; url=/">"#), "{page}");
}

#[tokio::test]
async fn a_change_by_cookie_comes_from_our_own_pages_and_from_a_role_that_may() {
    let ground = Ground::new().await;
    let id = ground.start("playbook: ask\nsteps:\n  - id: go\n    approval: {text: go on}\n").await;
    ground.until(id, "asking").await;
    let operates = ground.login("ann@host", "operate").await;
    let looks = ground.login("bob@host", "view").await;
    let path = format!("/api/runs/{id}/orders");
    let order = |cookie: &str, origin: Option<&str>| {
        let request = ground.bare(Method::POST, &path).header("cookie", cookie).json(&json!({ "command": "approve" }));
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    };
    let (status, body) = answer(order(&operates, None)).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!("origin")));
    let (status, _) = answer(order(&operates, Some("http://evil.example"))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = answer(order(&looks, Some(&ground.base))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!("role")));
    let (_, page) = ground.page(&format!("/runs/{id}"), &looks).await;
    assert!(page.contains("Your session may only look.") && !page.contains("<button class=\"main\">"), "{page}");
    let (status, body) = answer(order(&operates, Some(&ground.base))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let done = ground.until(id, "done").await;
    assert!(done.steps[0].line.contains("ann@host"), "{:?}", done.steps);
}
