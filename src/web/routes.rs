//! The builder through which every route goes. There is no way to add one without the role that it needs, and the guard stands before
//! the handler, so a handler that forgets to check is still checked.

use axum::Router;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, on};
use tower_http::catch_panic::CatchPanicLayer;

use super::problem::Problem;
use super::{App, Role, dress, guard};

/// A route as it was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What a caller must be.
    pub role: Role,
}

/// The methods that are in use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Method {
    Get,
    Post,
}

/// The table while it is written.
pub(super) struct Routes {
    router: Router<App>,
    declared: Vec<Declared>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), declared: Vec::new() }
    }

    /// Adds a route.
    pub(super) fn route<H, T>(mut self, method: Method, path: &'static str, role: Role, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let (filter, word) = match method {
            Method::Get => (MethodFilter::GET, "GET"),
            Method::Post => (MethodFilter::POST, "POST"),
        };
        let admit = from_fn(move |request, next| guard::admit(role, request, next));
        self.router = self.router.route(path, on(filter, handler).route_layer(admit));
        self.declared.push(Declared { method: word, path, role });
        self
    }

    pub(super) fn into_declared(self) -> Vec<Declared> {
        self.declared
    }

    pub(super) fn into_router(self, app: App) -> Router {
        self.router
            .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address"))
            .method_not_allowed_fallback(async || {
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this address does not take that method")
            })
            .with_state(App::clone(&app))
            .layer(CatchPanicLayer::custom(dress::panicked))
            .layer(from_fn_with_state(app, dress::dress))
    }
}
