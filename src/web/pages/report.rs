//! `GET /runs/{id}/report`: a run as a report, in the form that the address asks for.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use base64::Engine;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::App;
use super::super::input::{Found, Params};
use super::super::look::look;
use super::super::problem::Problem;
use crate::report::words::short_id;
use crate::report::{Form, ReportDocument, ReportSource, RunDocument};

/// In which form.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    format: Option<String>,
}

/// The report.
pub(in crate::web) async fn report(
    State(app): State<App>,
    Found(row): Found,
    Params(wanted): Params<Wanted>,
) -> Result<(HeaderMap, String), Problem> {
    let form: Form = wanted.format.as_deref().unwrap_or(Form::Html.as_str()).parse().map_err(Problem::malformed)?;
    let seen = look(&app, &row).await?;
    let unread = || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "the plan of this run does not read back");
    let plan = seen.plan.as_ref().ok_or_else(unread)?;
    let run = RunDocument::new(&seen.row, &seen.run, Some(plan));
    let whole = format!("cutover report {} --format html", short_id(row.id));
    let source = ReportSource { plan, playbook: &seen.opened.playbook, file: None, run: Some(&run), whole: &whole };
    let text = ReportDocument::new(&source).render(form, None).map_err(|mistake| {
        tracing::error!(%mistake, "a report does not render");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this report met a defect of cutover")
    })?;
    Ok((headers(form, &text, &format!("{}-{}", row.playbook, short_id(row.id)))?, text))
}

fn headers(form: Form, text: &str, name: &str) -> Result<HeaderMap, Problem> {
    let (media, ending) = match form {
        Form::Text => ("text/plain; charset=utf-8", "txt"),
        Form::Json => ("application/json", "json"),
        Form::Markdown => ("text/markdown; charset=utf-8", "md"),
        Form::Html => ("text/html; charset=utf-8", "html"),
    };
    let broken = |error: header::InvalidHeaderValue| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let named = format!("inline; filename=\"{name}.{ending}\"");
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&named).map_err(broken)?);
    if form == Form::Html {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy(text)).map_err(broken)?);
    }
    Ok(headers)
}

/// Why a policy of its own: the file carries its style inside, and nothing else may be inside or be fetched.
fn policy(html: &str) -> String {
    let style = html.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).map(|(style, _)| style).unwrap_or_default();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}
