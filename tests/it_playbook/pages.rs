//! The pages about codes: the example of each triggers its code and says what the page says.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::playbook::environment::Config;
use cutover::playbook::{Carried, Catalogue, Diagnostics, Source, codes, read_with};

use super::kinds::CATALOGUE;

/// A fenced block: what stands behind the three back-quotes, and the text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((info, format!("{}\n", text.join("\n"))));
        }
    }
    blocks
}

fn environment(text: &str) -> Diagnostics {
    match Config::read("cutover.yaml", text).and_then(|config| config.environment(None).cloned()) {
        Ok(_) => Diagnostics::default(),
        Err(diagnostics) => diagnostics,
    }
}

fn playbook(text: &str, vars: &BTreeMap<String, String>, files: &Carried, catalogue: &Catalogue) -> Diagnostics {
    match read_with(&Source::new("playbook.yaml", text), vars, files, catalogue) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics,
    }
}

fn has(diagnostics: &Diagnostics, code: &str) -> bool {
    diagnostics.iter().any(|one| one.code == code)
}

fn try_example(page: &str, code: &str) -> Diagnostics {
    let blocks = blocks(page);
    let (info, text) = blocks.iter().find(|(info, _)| info.starts_with("yaml")).expect("an example");
    if info.contains("cutover.yaml") {
        return environment(text);
    }
    if info.contains("services.yaml") {
        return cutover::playbook::services::read(&Source::new("services.yaml", text.as_str())).err().unwrap_or_default();
    }
    let files = blocks.iter().filter_map(|(info, text)| Some((info.strip_prefix("json ")?.to_owned(), Arc::from(text.as_str()))));
    let files = Carried(files.collect());
    let vars = info
        .split("--var ")
        .skip(1)
        .filter_map(|var| var.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut text = text.clone();
    if let Some(times) = info.split("repeat=").nth(1).and_then(|times| times.trim().parse::<usize>().ok()) {
        let last = text.lines().last().expect("a line").to_owned();
        text.push_str(&format!("{last}\n").repeat(times - 1));
    }
    let built_in = playbook(&text, &vars, &files, &Catalogue::BUILT_IN);
    if has(&built_in, code) { built_in } else { playbook(&text, &vars, &files, &CATALOGUE) }
}

#[test]
fn the_example_on_every_page_triggers_its_code_and_says_what_the_page_says() {
    let mut wrong = BTreeMap::new();
    for code in codes::ALL {
        let found = try_example(code.page, code.name);
        assert!(has(&found, code.name), "the example of {} says:\n{}", code.name, found.plain());
        let said = blocks(code.page).into_iter().find(|(info, _)| *info == "text").expect("what it says").1;
        if said != found.plain() {
            wrong.insert(code.name, found.plain());
        }
    }
    let json = serde_json::to_string(&wrong).expect("JSON");
    assert!(wrong.is_empty(), "these pages should say:\n{json}");
}
