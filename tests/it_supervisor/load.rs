//! Requests at a steady rate, each on a connection of its own, and what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many answers each release gave.
    pub answered: BTreeMap<String, usize>,
    /// What went wrong with the others.
    pub failed: Vec<String>,
}

/// A load that goes on until it is ended.
pub struct Load {
    ended: Arc<AtomicBool>,
    sending: tokio::task::JoinHandle<Outcome>,
}

impl Load {
    /// So many requests a second to `/version` at this address.
    pub fn start(url: &str, a_second: u32) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(30)).build().unwrap();
        let (ended, url) = (Arc::new(AtomicBool::new(false)), format!("{url}/version"));
        let until = Arc::clone(&ended);
        let sending = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_secs(1) / a_second);
            let mut requests = JoinSet::new();
            while !until.load(Ordering::Relaxed) {
                beat.tick().await;
                let request = client.get(&url);
                requests.spawn(async move { request.send().await?.error_for_status()?.json::<Value>().await });
            }
            let mut outcome = Outcome::default();
            for answer in requests.join_all().await {
                match answer {
                    Ok(answer) => *outcome.answered.entry(answer["version"].as_str().unwrap_or_default().to_owned()).or_default() += 1,
                    Err(error) => outcome.failed.push(format!("{error:?}")),
                }
            }
            outcome
        });
        Self { ended, sending }
    }

    pub async fn end(self) -> Outcome {
        self.ended.store(true, Ordering::Relaxed);
        self.sending.await.unwrap()
    }
}
