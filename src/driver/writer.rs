//! Writes batches and does not give up before the lease does.

use std::time::{Duration, Instant};

use super::crash::CrashPoint;
use crate::store::journal::{Batch, Written};
use crate::store::{Store, StoreError};

/// Writes a batch, again and again until it is durable or `until` has passed.
pub(super) async fn write(store: &Store, batch: &Batch, until: Instant, crash: Option<&CrashPoint>) -> Result<Written, StoreError> {
    let crash = crash.filter(|crash| crash.counts(batch));
    if let Some(crash) = crash {
        crash.before_write();
    }
    let mut pause = Duration::from_millis(20);
    loop {
        match store.answered(store.write(batch)).await {
            Ok(written) => {
                if let Some(crash) = crash {
                    crash.after_write();
                }
                return Ok(written);
            }
            Err(error) if error.is_passing() && Instant::now() + pause < until => {
                tracing::warn!(%error, "the journal cannot be written; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            Err(error) => return Err(error),
        }
    }
}
