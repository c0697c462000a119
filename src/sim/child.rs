//! A bare controller in a process of its own, which the crash tests kill at a chosen journal write. It talks to real systems, and ends
//! by handing over when its standard input is closed.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::secret::{ProcessSecrets, Redactor};
use crate::driver::{CrashPoint, Driver, DriverOptions, RealWorlds};
use crate::store::{Store, StoreOptions};

/// The state database's address.
pub const URL: &str = "CUTOVER_TEST_DATABASE_URL";

/// Where the process ends itself, as in `acted:3`; nowhere when it is not set.
pub const CRASH: &str = "CUTOVER_CRASH";

/// Length of the lease in milliseconds.
pub const LEASE: &str = "CUTOVER_LEASE_MS";

/// Drives runs until standard input ends, or the crash point is reached.
///
/// # Errors
/// What is missing, or why the database cannot be used.
pub async fn run() -> Result<(), String> {
    let url = std::env::var(URL).map_err(|_| format!("{URL} is not set"))?;
    let lease = std::env::var(LEASE).ok().and_then(|millis| millis.parse().ok()).unwrap_or(5000);
    let crash: Option<CrashPoint> = std::env::var(CRASH).ok().map(|point| point.parse()).transpose()?;
    let options = StoreOptions { url, lease: Duration::from_millis(lease), connections: 6 };
    let store = Store::connect(&options).map_err(|error| error.to_string())?;
    let secrets = Arc::new(ProcessSecrets::new(Arc::new(Redactor::default())));
    let worlds = Arc::new(RealWorlds::new(store.clone(), secrets));
    let name = format!("crash-child {}", std::process::id());
    let driver = Driver::start(DriverOptions { store, worlds, name, crash }).await.map_err(|error| error.to_string())?;
    // Why: whoever started this process holds the other end, and its end in any way ends this.
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().lock().read_to_end(&mut Vec::new()));
    let _ = closed.await;
    driver.stop().await;
    Ok(())
}
