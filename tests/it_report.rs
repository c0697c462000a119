//! Reports: one content, found whole in every form, whatever the texts in it try; and templates of a project's own.

#[path = "it_report/forms.rs"]
mod forms;
#[path = "it_report/ground.rs"]
mod ground;
#[path = "it_report/markdown.rs"]
mod markdown;
#[path = "it_report/templates.rs"]
mod templates;
