//! Pages for people: plain HTML that works without a script, and whose parts the live streams send again when they change.

mod board;
mod errors;
mod frame;
mod list;
mod login;
mod orders;
mod parts;
mod report;
mod run;
mod way_back;
mod words;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Html;

use super::problem::Problem;

pub(super) use board::Board;
pub(super) use errors::problem;
pub(super) use list::{ListParts, list};
pub(super) use login::login;
pub(super) use orders::order;
pub(super) use parts::{RunParts, Viewer, journal_row};
pub(super) use report::report;
pub(super) use run::run;
pub(super) use way_back::way_back;

fn page(template: &impl Template) -> Result<Html<String>, Problem> {
    Ok(Html(part(template)?))
}

/// Renders a part of a page.
pub(super) fn part(template: &impl Template) -> Result<String, Problem> {
    template.render().map_err(|error| {
        tracing::error!(%error, "a page does not render");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this page met a defect of cutover")
    })
}
