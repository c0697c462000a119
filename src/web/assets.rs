//! Files that browsers keep: style, script and icon, carried in the program and addressed by their content.

use std::sync::LazyLock;

use axum::extract::{Path, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// One file.
pub(super) struct Asset {
    name: &'static str,
    media: &'static str,
    text: &'static str,
    address: LazyLock<String>,
}

pub(super) static STYLE: Asset = Asset {
    name: "cutover.css",
    media: "text/css; charset=utf-8",
    text: include_str!("../../web/static/cutover.css"),
    address: LazyLock::new(|| STYLE.versioned()),
};

pub(super) static SCRIPT: Asset = Asset {
    name: "live.js",
    media: "text/javascript; charset=utf-8",
    text: include_str!("../../web/static/live.js"),
    address: LazyLock::new(|| SCRIPT.versioned()),
};

pub(super) static ICON: Asset = Asset {
    name: "icon.svg",
    media: "image/svg+xml",
    text: include_str!("../../web/static/icon.svg"),
    address: LazyLock::new(|| ICON.versioned()),
};

impl Asset {
    /// Where pages find it; another content has another address.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn versioned(&self) -> String {
        let hash = Sha256::digest(self.text).iter().take(6).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        format!("/static/{}?v={hash}", self.name)
    }
}

/// `GET /static/{file}`.
pub(super) async fn asset(Path(file): Path<String>, request: Request) -> Result<Response, Problem> {
    let asset = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == file);
    let asset = asset.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let asked = request.uri().path_and_query().map(axum::http::uri::PathAndQuery::as_str);
    let keep = if asked == Some(asset.address()) { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(header::CONTENT_TYPE, asset.media), (header::CACHE_CONTROL, keep)], asset.text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_within_their_budget() {
        assert!(STYLE.text.len() <= 12 * 1024, "{} bytes of style", STYLE.text.len());
        assert!(SCRIPT.text.lines().count() <= 120, "{} lines of script", SCRIPT.text.lines().count());
    }
}
