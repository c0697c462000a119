//! A small service for tests that run services: this very test program, started again with other arguments. It takes its sockets as
//! the supervisor hands them over. What it does is decided by its release, and by files that a test puts into its state directory:
//! `hold` makes it deaf to SIGTERM as long as it is there, `unwell` keeps it from serving.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use cutover::samples::gate;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The release that dies as soon as it is started.
pub const BROKEN: &str = "0.3";

/// The command that starts it, for a services file.
#[must_use]
pub fn command() -> Vec<String> {
    let own = std::env::current_exe().unwrap();
    let rest = ["service::serve", "--exact", "--ignored", "--nocapture"].map(str::to_owned);
    std::iter::once(own.to_string_lossy().into_owned()).chain(rest).collect()
}

/// A services file with these services.
#[must_use]
pub fn file(services: &[&str]) -> String {
    let each = services.iter().map(|name| ((*name).to_owned(), json!({ "command": command() })));
    json!({ "services": each.collect::<serde_json::Map<String, Value>>() }).to_string()
}

#[test]
#[ignore = "a program that other tests start"]
fn serve() {
    let Ok(release) = std::env::var("CUTOVER_RELEASE") else { return };
    if release == BROKEN {
        println!("cannot open the ledger");
        std::process::exit(3);
    }
    let mut sockets = listenfd::ListenFd::from_env();
    let mut socket = |at| {
        let socket = sockets.take_tcp_listener(at).unwrap().expect("a socket that was handed over");
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let (service, administration) = (socket(0), socket(1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async move {
        let ready = Arc::new(AtomicBool::new(true));
        let state = PathBuf::from(std::env::var("CUTOVER_STATE").unwrap());
        let mut term = signal(SignalKind::terminate()).unwrap();
        let health = {
            let (ready, unwell) = (Arc::clone(&ready), state.join("unwell"));
            async move || {
                let well = ready.load(Ordering::Relaxed) && !unwell.exists();
                if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
            }
        };
        let inside = axum::Router::new().route("/health", get(health)).route("/metrics", get(async || "up_for_tests 1\n"));
        tokio::spawn(async move { axum::serve(TcpListener::from_std(administration).unwrap(), inside).await.unwrap() });
        let own = std::env::var("CUTOVER_INSTANCE").unwrap();
        let version = {
            move || {
                let answer = Json(json!({ "version": release }));
                async move { answer }
            }
        };
        let outside = axum::Router::new()
            .route("/version", get(version))
            .route("/instance", get(move || async move { own.clone() }))
            .route("/echo", post(async |Json(body): Json<Value>| Json(body)));
        let ended = async move {
            term.recv().await;
            while state.join("hold").exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            ready.store(false, Ordering::Relaxed);
        };
        gate::serve(TcpListener::from_std(service).unwrap(), outside, ended).await;
    });
    std::process::exit(0);
}
