//! The templates of reports: our own, and those that a project puts in their place. A template sees the report's JSON form and
//! nothing else, and a name that is not there is a mistake with a place.

use std::borrow::Cow;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderError, RenderErrorReason, TemplateError};
use serde_json::Value;

use super::escape;

/// The look of the HTML form: that of the pages, and what only a report has.
const STYLE: &str = concat!(include_str!("../../web/static/cutover.css"), include_str!("../../templates/report/report.css"));

/// The forms that come from templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Lines for people and pipes.
    Text,
    /// For pull requests.
    Markdown,
    /// One file for a browser.
    Html,
}

impl Written {
    /// Name of the form's template, ours and a project's: `text.hbs`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Text => "text.hbs",
            Self::Markdown => "markdown.hbs",
            Self::Html => "html.hbs",
        }
    }

    fn own(self) -> &'static str {
        match self {
            Self::Text => include_str!("../../templates/report/text.hbs"),
            Self::Markdown => include_str!("../../templates/report/markdown.hbs"),
            Self::Html => include_str!("../../templates/report/html.hbs"),
        }
    }

    fn escape(self) -> fn(&str) -> String {
        match self {
            Self::Text => escape::text,
            Self::Markdown => escape::markdown,
            Self::Html => escape::html,
        }
    }

    fn code(self, text: &str) -> String {
        match self {
            Self::Text => escape::text(text),
            Self::Markdown => escape::markdown_code(text),
            Self::Html => format!("<code>{}</code>", escape::html(text)),
        }
    }
}

/// A project's own template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTemplate {
    /// Name of its file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl OwnTemplate {
    /// Reads the template and renders nothing.
    ///
    /// # Errors
    /// When it is no template. A name that a report does not have shows only when it is rendered.
    pub fn check(&self, form: Written) -> Result<(), TemplateMistake> {
        Template::read(form, Some(self)).map(|_| ())
    }
}

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct TemplateMistake {
    /// Its file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, and how to mend it.
    pub message: String,
}

/// A template that was read.
pub(super) struct Template {
    /// Name of its file, for messages.
    pub(super) file: String,
    handlebars: Handlebars<'static>,
}

impl Template {
    /// Reads a project's template, or ours.
    pub(super) fn read(form: Written, own: Option<&OwnTemplate>) -> Result<Self, TemplateMistake> {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.register_escape_fn(form.escape());
        handlebars.register_helper("code", Box::new(Code(form)));
        let (file, text) = match own {
            Some(own) => (Cow::Borrowed(own.file.as_str()), own.text.as_str()),
            None => (Cow::Owned(format!("templates/report/{}", form.file())), form.own()),
        };
        let unread = |error: TemplateError| unread(&file, &error);
        handlebars.register_partial("style", STYLE).map_err(unread)?;
        handlebars.register_template_string(&file, text).map_err(unread)?;
        Ok(Self { file: file.into_owned(), handlebars })
    }

    pub(super) fn render(&self, report: &Value) -> Result<String, TemplateMistake> {
        self.handlebars.render(&self.file, report).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RenderError) -> TemplateMistake {
        let message = match error.reason() {
            RenderErrorReason::MissingVariable(path) => {
                let name = path.as_deref().unwrap_or("this name");
                format!("a report has no `{name}` here; its JSON form (--format json) shows every name")
            }
            RenderErrorReason::HelperNotFound(name) => {
                format!("there is no helper `{name}`; besides those of handlebars there is `code`")
            }
            RenderErrorReason::PartialNotFound(name) => format!("there is no partial `{name}`; there is `style`, for HTML"),
            RenderErrorReason::TemplateError(error) => return unread(&self.file, error),
            reason => reason.to_string(),
        };
        TemplateMistake { file: self.file.clone(), line: error.line_no.unwrap_or(1), column: error.column_no.unwrap_or(1), message }
    }
}

fn unread(file: &str, error: &TemplateError) -> TemplateMistake {
    let (line, column) = error.pos().unwrap_or((1, 1));
    let reason = error.reason().to_string();
    let message = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    TemplateMistake { file: file.to_owned(), line, column, message }
}

/// `{{code x}}`: a value as it would be typed.
struct Code(Written);

impl handlebars::HelperDef for Code {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("code", 0))?;
        if param.is_value_missing() {
            return Err(RenderErrorReason::MissingVariable(param.relative_path().cloned()).into());
        }
        let text = param.value().as_str().map_or_else(|| Cow::Owned(param.value().to_string()), Cow::Borrowed);
        out.write(&self.0.code(&text))?;
        Ok(())
    }
}
