//! All routes.

use super::Role::{Flags, Operate, Public, View};
use super::routes::Method::{Get, Post};
use super::routes::Routes;
use super::{api, assets, live, pages};

pub(super) fn table() -> Routes {
    Routes::new()
        .route(Get, "/healthz", Public, api::health)
        .route(Get, "/static/{file}", Public, assets::asset)
        .route(Get, "/login", Public, pages::login)
        .route(Get, "/flags/{environment}/{store}", Flags, api::flags)
        .route(Post, "/api/heartbeats", Flags, api::heartbeat)
        .route(Get, "/api/status", View, api::status)
        .route(Get, "/api/runs", View, api::list)
        .route(Get, "/api/runs/{id}", View, api::show)
        .route(Get, "/api/runs/{id}/events", View, api::events)
        .route(Get, "/api/runs/{id}/way-back", View, api::way_back)
        .route(Post, "/api/login-codes", Operate, api::login_code)
        .route(Post, "/api/plan", Operate, api::plan)
        .route(Post, "/api/plans", Operate, api::plans::save)
        .route(Get, "/api/plans/{id}", View, api::plans::kept)
        .route(Post, "/api/plans/check", Operate, api::plans::check)
        .route(Post, "/api/plans/start", Operate, api::plans::start)
        .route(Post, "/api/runs", Operate, api::start)
        .route(Post, "/api/runs/{id}/orders", Operate, api::order)
        .route(Post, "/api/doctor", Operate, api::doctor)
        .route(Post, "/api/rights", Operate, api::rights)
        .route(Get, "/", View, pages::list)
        .route(Get, "/live", View, live::list)
        .route(Get, "/runs/{id}", View, pages::run)
        .route(Get, "/runs/{id}/live", View, live::run)
        .route(Get, "/runs/{id}/report", View, pages::report)
        .route(Get, "/runs/{id}/way-back", View, pages::way_back)
        .route(Post, "/runs/{id}/orders", Operate, pages::order)
}
