//! Templates of a project's own: they take the place of ours, and their mistakes have a place.

use cutover::report::{Form, OwnTemplate, Written};

use super::ground::{Planned, WHOLE, long};

fn own(text: &str) -> OwnTemplate {
    OwnTemplate { file: "templates/report/text.hbs".to_owned(), text: text.to_owned() }
}

fn said(text: &str) -> String {
    let report = Planned::file("hello.yaml").report();
    let template = own(text);
    match template.check(Written::Text) {
        Ok(()) => report.render(Form::Text, Some(&template)).map_or_else(|mistake| mistake.to_string(), |text| format!("renders: {text}")),
        Err(mistake) => format!("does not read: {mistake}"),
    }
}

#[test]
fn a_template_takes_the_place_of_ours() {
    assert_eq!(said("{{playbook}}: {{#each steps}}{{id}} {{/each}}"), "renders: hello: topic schema greet switch agree remark ");
    let report = Planned::file("hello.yaml").report();
    let code = OwnTemplate { file: "t".to_owned(), text: "{{code schema}}".to_owned() };
    assert_eq!(report.render(Form::Html, Some(&code)).unwrap(), "<code>cutover.report/1</code>");
    assert_eq!(report.render(Form::Markdown, Some(&code)).unwrap(), "<code>cutover.report/1</code>");
}

#[test]
fn a_mistake_in_a_template_has_a_place() {
    insta::assert_snapshot!(
        [
            "a\n{{#each steps}}\n  {{idd}}\n{{/each}}",
            "a\n{{#each stepps}}{{id}}{{/each}}",
            "{{playbook}}\n  {{code nothing}}",
            "{{playbook}}\n {{loud playbook}}",
            "x\n{{> header}}",
            "x\n\n{{#if run}}\n{{/each}}",
            "x\n{{#each steps}}",
            "x {{ ",
        ]
        .map(said)
        .join("\n")
    );
}

#[test]
fn a_template_that_hides_what_was_left_out_does_not_get_away_with_it() {
    let report = long(200).report();
    let template = OwnTemplate {
        file: "markdown.hbs".to_owned(),
        text: "{{#each steps}}{{id}} {{#if details}}{{#each details.guards}}{{options}}{{options}}{{options}}{{options}}{{query}}{{/each}}{{details.on_failure}}{{/if}}\n{{/each}}"
            .to_owned(),
    };
    let text = report.render(Form::Markdown, Some(&template)).unwrap();
    let shown = super::ground::seen(Form::Markdown, &text);
    assert!(shown.contains("Left out for length") && shown.contains(WHOLE), "{}", shown.len());
    let endless = OwnTemplate { file: "markdown.hbs".to_owned(), text: "x".repeat(70_000) };
    let mistake = report.render(Form::Markdown, Some(&endless)).unwrap_err();
    assert!(mistake.to_string().starts_with("markdown.hbs:1:1: the report is longer than"), "{mistake}");
}
