//! A run's page in headless Chromium: it moves by itself, a keyboard is enough, and it fits a narrow window. With `CUTOVER_SCREENSHOTS`
//! set to a directory, pictures are left there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use cutover::stack::process::Identity;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::machine;

const LONG: Duration = Duration::from_mins(1);
const NEEDS: &str =
    "this test needs Chromium and its driver: `apt-get install chromium chromium-driver`, or `brew install --cask chromium chromedriver`";

const PLAY: &str = "playbook: sync-to-async
link: COMM-020
steps:
  - id: said
    note: {text: the exercise service will send events}
  - id: bake
    wait: {for: 4s}
  - id: sure
    approval: {text: the consumer has caught up and may be switched}
  - id: switch
    set_flag: {flag: exercise-events, to: on}
  - id: clean-up
    confirm: {task: remove the HTTP call from hiring, evidence: url}
";

/// The contrast of every text against what is behind it, those below 4.5 to 1.
const FAINT: &str = "
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = (value) => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!texts || !element.checkVisibility()) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return faint;
";

/// Chromium and its driver. Both end with the driver: the browser listens to it on a pipe.
struct Browser {
    client: Client,
    session: String,
    driver: Child,
    http: reqwest::Client,
}

impl Browser {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .arg("--allowed-ips=127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver = command.spawn().unwrap_or_else(|error| panic!("chromedriver does not start ({error}); {NEEDS}"));
        machine::ground().end_with_tests(&Identity::of(driver.id()).unwrap());
        let profile = tempfile::Builder::new().prefix("cutover-it-").tempdir().unwrap().keep();
        machine::ground().remove_with_tests(&profile);
        let mut options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--hide-scrollbars",
            format!("--user-data-dir={}", profile.display()),
        ] });
        if let Some(binary) = chromium() {
            options["binary"] = json!(binary);
        }
        let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let capabilities = capabilities.as_object().unwrap().clone();
        let address = format!("http://127.0.0.1:{port}");
        let begun = std::time::Instant::now();
        let client = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(capabilities.clone()).connect(&address).await {
                Ok(client) => break client,
                Err(error) => assert!(begun.elapsed() < LONG, "Chromium does not start ({error}); {NEEDS}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let session = format!("{address}/session/{}", client.session_id().await.unwrap().unwrap());
        Self { client, session, driver, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].take()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.ask("goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    async fn see_as(&self, width: u32, scheme: &str) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false }),
        )
        .await;
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
    }

    async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("CUTOVER_SCREENSHOTS").map(PathBuf::from) else { return };
        let picture = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        std::fs::write(directory.join(format!("{name}.png")), decoded(&picture)).unwrap();
    }

    /// What fits into the window, as a PNG.
    async fn seen(&self) -> Vec<u8> {
        decoded(&self.devtools("Page.captureScreenshot", json!({})).await)
    }

    /// Looks at the present page at both widths and in both schemes.
    async fn inspect(&self, name: &str) {
        for (width, scheme) in [(1200, "light"), (1200, "dark"), (320, "light"), (320, "dark")] {
            self.see_as(width, scheme).await;
            self.picture(&format!("{name}-{width}-{scheme}")).await;
            let wide = self.js("return [document.documentElement.scrollWidth, innerWidth]").await;
            assert_eq!(wide[0], wide[1], "{name} is wider than {width} px");
            assert_eq!(self.js(FAINT).await, json!([]), "{name} at {width} px, {scheme}");
        }
        self.see_as(1200, "light").await;
    }

    async fn js(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until an expression is true.
    async fn until(&self, expression: &str) {
        let begun = std::time::Instant::now();
        while self.js(&format!("return !!({expression})")).await != json!(true) {
            assert!(begun.elapsed() < LONG, "not so after a minute: {expression}\n{}", self.client.source().await.unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab until this element has the focus.
    async fn tab_to(&self, id: &str) {
        for _ in 0..60 {
            if self.js("return document.activeElement.id").await == json!(id) {
                return;
            }
            self.press(&char::from(Key::Tab).to_string()).await;
        }
        panic!("Tab does not lead to {id}");
    }

    async fn close(mut self) {
        // Why: whatever the browser says, its driver is ended, and the browser with it.
        let _ = self.client.close().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn decoded(picture: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut directories = std::env::split_paths(&path);
    directories.find_map(|directory| {
        ["chromium", "chromium-browser"].into_iter().map(|name| directory.join(name)).find(|candidate| candidate.is_file())
    })
}

#[tokio::test]
async fn a_page_moves_and_is_worked_by_keyboard() {
    let ground = Ground::new().await;
    let browser = std::sync::Arc::new(Browser::open().await);
    let walked = tokio::spawn(walk(ground, std::sync::Arc::clone(&browser))).await;
    if let Ok(browser) = std::sync::Arc::try_unwrap(browser).map_err(|_| ()) {
        browser.close().await;
    }
    if let Err(error) = walked {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn walk(ground: Ground, browser: std::sync::Arc<Browser>) {
    let go = async |path: &str| browser.client.goto(&format!("{}{path}", ground.base)).await.unwrap();
    browser.see_as(1200, "light").await;
    go("/runs/00000000").await;
    browser.until("document.querySelector('h1').textContent === 'Log in'").await;
    browser.inspect("login").await;
    go(&ground.link("ann@host", "operate").await).await;
    browser.until("document.body.textContent.includes('There is no run yet')").await;
    browser.inspect("empty").await;

    let id = ground.start(PLAY).await;
    browser.until("document.querySelector('#running tbody tr, #needs tbody tr') && document.getElementById('empty').hidden").await;
    go(&format!("/runs/{id}")).await;
    browser.js("window.loaded = 'once'").await;
    browser.until("document.querySelector('#step-2 .mark.done')").await;
    browser.until("document.querySelector('#question form')").await;
    assert_eq!(browser.js("return [window.loaded, document.getElementById('live').textContent]").await, json!(["once", "live"]));
    browser.until("document.title.includes('asking')").await;
    browser.inspect("asking").await;

    browser.js("document.activeElement.blur(); scrollTo(0, 0)").await;
    browser.tab_to("approve-reason").await;
    browser.press("looked at the lag").await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser.until("document.querySelector('.said.taken')").await;
    browser.until("document.getElementById('approve-evidence')").await;
    assert_eq!(browser.js("return location.search").await, json!(""));

    // What is typed and where the focus is outlives a part that is replaced under the fingers.
    browser.js("window.loaded = 'once'").await;
    browser.tab_to("abort-reason").await;
    browser.press("half a sent").await;
    browser.client.find(Locator::Css("#step-4-more summary")).await.unwrap().click().await.unwrap();
    browser.tab_to("abort-reason").await;
    let (status, _) = ground.order(id, &json!({ "command": "pause", "reason": "lunch" })).await;
    assert_eq!(status, 200);
    browser.until("document.querySelector('#sentence').textContent.includes('paused')").await;
    browser.until("document.querySelector('#verbs input[value=resume]')").await;
    // Tab has marked the whole text, and a mark outlives the change as well.
    browser.press(&format!("{}ence", char::from(Key::End))).await;
    let kept =
        browser.js("const e = document.activeElement; return [e.id, e.value, document.querySelector('#step-4-more').open, window.loaded]");
    assert_eq!(kept.await, json!(["abort-reason", "half a sentence", true, "once"]));
    browser.inspect("paused").await;

    ground.order(id, &json!({ "command": "resume" })).await;
    browser.until("document.getElementById('approve-evidence')").await;
    browser.tab_to("approve-evidence").await;
    browser.press("https://example.org/merged/12").await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser
        .until("document.querySelector('#sentence .mark.done') && document.querySelector('#sentence').textContent.includes('took')")
        .await;
    browser.until("document.querySelector('#journal-rows').textContent.includes('all steps are done')").await;
    browser.inspect("done").await;

    go(&format!("/runs/{id}/way-back")).await;
    browser.inspect("way-back").await;
    let order = browser.client.find(Locator::Css("input[type=checkbox]")).await.unwrap();
    order.click().await.unwrap();
    browser.client.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
    browser.until("document.querySelector('#sentence .mark.reverted') && document.querySelector('#back-1 .mark.done') && document.querySelector('#sentence').textContent.includes('took')").await;
    browser.inspect("reverted").await;
    let failed = ground.fail().await;
    go(&format!("/runs/{failed}")).await;
    browser.until("document.querySelector('#trouble').checkVisibility()").await;
    browser.inspect("failed").await;
    ground.start(PLAY).await;
    go("/").await;
    browser.until("document.querySelector('#needs tbody tr')").await;
    browser.inspect("list").await;
    let said = browser.ask("se/log", &json!({ "type": "browser" })).await;
    let said: Vec<_> = said.as_array().unwrap().iter().filter(|entry| !entry["message"].as_str().unwrap().contains("401")).collect();
    assert!(said.is_empty(), "{said:?}");
}

const WORDY: &str = "playbook: wordy-and-long-and-of-many-parts
link: COMM-020
description: an_unbroken_word_that_is_much_wider_than_a_narrow_window_is_and_goes_on_and_on_and_on_and_on_and_on_and_on_and_on
steps:
  - id: said-in-a-step-with-a-name-of-sixty-letters-as-long-as-it-is
    note: {text: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'}
    timeout: 1h30m
    retry: {attempts: 7, delay: 2s}
  - id: switch
    set_flag: {flag: a-flag.with_a_name.that-goes-on.and-on.and-on.and-on.and-on.and-on.and-on.and-on, to: on}
    approval: 'is <b class=x>everything</b > there'
    on_failure: revert_step
  - id: sure
    confirm: {task: look, evidence: url}
";

#[tokio::test]
async fn a_report_is_one_file_that_fits_and_can_be_read() {
    let ground = Ground::new().await;
    let id = ground.start(WORDY).await;
    ground.until(id, "asking").await;
    ground.order(id, &json!({ "command": "approve" })).await;
    ground.until(id, "asking").await;
    let browser = Browser::open().await;
    let go = async |path: &str| browser.client.goto(path).await.unwrap();
    browser.see_as(1200, "light").await;
    go(&format!("{}{}", ground.base, ground.link("ann@host", "view").await)).await;
    go(&format!("{}/runs/{id}", ground.base)).await;
    browser.client.find(Locator::LinkText("one page")).await.unwrap().click().await.unwrap();
    browser.until("document.querySelector('body.report article.step')").await;
    // The policy of the page lets its own style in.
    let width = "return getComputedStyle(document.querySelector('main')).maxWidth";
    assert_eq!(browser.js(width).await, json!("1216px"));
    browser.inspect("report").await;

    let html = ground.get(&format!("/runs/{id}/report?format=html")).send().await.unwrap().text().await.unwrap();
    let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().unwrap();
    let file = directory.path().join("report.html");
    std::fs::write(&file, &html).unwrap();
    go(&format!("file://{}", file.display())).await;
    assert_eq!(browser.js("return performance.getEntriesByType('resource').length").await, json!(0));
    browser.inspect("report-file").await;
    // A keyboard comes from the overview to a step, and a screen reader knows every part by its name.
    browser.js("document.querySelector('th a[href=\"#step-switch\"]').focus()").await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser
        .until("location.hash === '#step-switch' && document.querySelector('#step-switch').getBoundingClientRect().top < innerHeight")
        .await;
    let nameless = "return [...document.querySelectorAll('section, article')].filter((part) => {
        const title = document.getElementById(part.getAttribute('aria-labelledby'));
        return !title || !title.textContent.trim();
    }).length + [...document.querySelectorAll('th')].filter((cell) => !cell.scope).length";
    assert_eq!(browser.js(nameless).await, json!(0));
    // On paper everything is there, and black on white.
    browser.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
    let hidden = "return [...document.querySelectorAll('main dd')].filter((part) => !part.checkVisibility()).length";
    assert_eq!(browser.js(hidden).await, json!(0));
    assert_eq!(browser.js("return getComputedStyle(document.body).backgroundColor").await, json!("rgb(255, 255, 255)"));
    // The picture in the docs is of a report of which every word is a snapshot.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshot = std::fs::read_to_string(root.join("tests/it_report/snapshots/it_report__forms__comm-020.html.snap")).unwrap();
    let style = &html[html.find("<style>").unwrap()..html.find("</style>").unwrap()];
    std::fs::write(&file, snapshot[snapshot.find("<!doctype html>").unwrap()..].replace("<style>…", style)).unwrap();
    browser.devtools("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
    browser.see_as(1200, "light").await;
    go(&format!("file://{}", file.display())).await;
    let picture = root.join("web/docs/pictures/report.png");
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        std::fs::write(&picture, browser.seen().await).unwrap();
    }
    assert!(picture.is_file(), "{} is not there; run the test with CUTOVER_BLESS=1", picture.display());
    let said = browser.ask("se/log", &json!({ "type": "browser" })).await;
    assert_eq!(said, json!([]), "a file that needs nothing complains of nothing");
    browser.close().await;
}
