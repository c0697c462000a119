//! Temporary.
use crate::adapters::secret::Secret;
use crate::driver::Worlds;
use crate::store::Store;
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;
pub struct WebOptions {
    pub store: Store,
    pub worlds: Arc<dyn Worlds>,
    pub poke: Arc<Notify>,
    pub moved: broadcast::Sender<Uuid>,
    pub tokens: Tokens,
    pub hosts: Vec<String>,
    pub version: &'static str,
    pub environment_banner: Option<String>,
}
pub struct Tokens {
    pub operate: Secret,
    pub flags: Secret,
}
pub fn router(_options: WebOptions) -> axum::Router {
    axum::Router::new()
}
