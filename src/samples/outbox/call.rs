//! Carries parcels to other services by HTTP, a few at once.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use reqwest::header::CONTENT_TYPE;

use super::Transport;
use super::relay::{Carrier, Parcel};

/// How many calls are under way at once.
const AT_ONCE: usize = 8;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A caller.
pub struct Call(pub reqwest::Client);

#[async_trait]
impl Carrier for Call {
    fn transport(&self) -> Transport {
        Transport::Call
    }

    async fn carry(&self, parcels: &[Parcel]) -> Vec<Result<(), String>> {
        let calls: Vec<_> = parcels.iter().cloned().map(|parcel| call(self.0.clone(), parcel)).collect();
        stream::iter(calls).buffered(AT_ONCE).collect().await
    }
}

async fn call(http: reqwest::Client, parcel: Parcel) -> Result<(), String> {
    let request = http.post(&parcel.destination).header(CONTENT_TYPE, "application/json").timeout(PATIENCE).body(parcel.body);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("status {} from {}", answer.status(), parcel.destination)) }
}
