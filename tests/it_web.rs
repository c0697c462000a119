//! The pages and the API on a real Postgres with a real controller behind them, asked over HTTP and through a browser.

#[path = "it_web/access.rs"]
mod access;
#[path = "it_web/api.rs"]
mod api;
#[path = "it_web/browser.rs"]
mod browser;
#[path = "it_web/command.rs"]
mod command;
#[path = "it_web/ground.rs"]
mod ground;
#[path = "it_web/live.rs"]
mod live;
#[path = "ground/mod.rs"]
mod machine;
#[path = "it_web/pages.rs"]
mod pages;
