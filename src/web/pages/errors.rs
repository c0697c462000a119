//! The page where something went wrong: names the thing and the next step.

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use super::super::App;
use super::super::problem::Problem;
use super::frame::Frame;
use super::part;
use super::words::{Prose, capital};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: &'static str,
    message: Prose,
    hint: Option<Prose>,
    again: Option<String>,
    back: Option<String>,
}

/// The page of a problem, with its status.
pub(in crate::web) fn problem(app: &App, problem: &Problem, path: &str, asked: Option<&Uri>) -> Response {
    let unknown = problem.status == StatusCode::UNAUTHORIZED;
    let asked = asked.and_then(|asked| asked.path_and_query()).map(|asked| asked.as_str().to_owned());
    let page = ProblemPage {
        frame: Frame::new(app, None, &[]),
        title: title(problem.status),
        message: Prose::new(&capital(&problem.message)),
        hint: problem.hint.as_deref().map(Prose::new),
        // Why: a browser that comes from another site's link leaves the cookie behind; from this page it brings it.
        again: asked.filter(|_| unknown && path != "/login"),
        back: (!unknown).then(|| path.strip_suffix("/orders").unwrap_or("/").to_owned()),
    };
    match part(&page) {
        Ok(html) => (problem.status, Html(html)).into_response(),
        Err(problem) => (problem.status, problem.message).into_response(),
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Log in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => "Refused",
        StatusCode::SERVICE_UNAVAILABLE => "Not available now",
        status if status.is_client_error() => "This request is not one",
        _ => "Something went wrong",
    }
}
