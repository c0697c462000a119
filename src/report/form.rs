//! The forms of a report. Each shows the whole content; Markdown, which platforms cut off, is shortened and says so.

use serde_json::Value;

use super::document::ReportDocument;
use super::shorten;
use super::template::{OwnTemplate, Template, TemplateMistake, Written};

/// A form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Lines for people and pipes.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
    /// One file for a browser.
    Html,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Markdown, Self::Html];

    /// Its word on the command line and in addresses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// The form that comes from a template, if it does.
    #[must_use]
    pub fn written(self) -> Option<Written> {
        match self {
            Self::Text => Some(Written::Text),
            Self::Json => None,
            Self::Markdown => Some(Written::Markdown),
            Self::Html => Some(Written::Html),
        }
    }
}

impl std::str::FromStr for Form {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = || format!("`{word}` is not a form of a report; there are text, json, markdown and html");
        Self::ALL.into_iter().find(|form| form.as_str() == word).ok_or_else(known)
    }
}

impl ReportDocument {
    /// The report in a form. `own` takes the place of our template; JSON has none.
    ///
    /// # Errors
    /// When the template has a mistake, or leaves a Markdown form too long whatever is left out.
    pub fn render(&self, form: Form, own: Option<&OwnTemplate>) -> Result<String, TemplateMistake> {
        let Some(written) = form.written() else { return Ok(format!("{:#}\n", value(self))) };
        let template = Template::read(written, own)?;
        match written {
            Written::Markdown => shorten::markdown(self, &template, own),
            Written::Text | Written::Html => template.render(&value(self)),
        }
    }
}

/// The JSON form as a value.
pub(super) fn value(report: &ReportDocument) -> Value {
    // Why: a report is words and whole numbers; nothing in it can fail to become JSON.
    serde_json::to_value(report).unwrap_or_default()
}
