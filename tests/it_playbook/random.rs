//! Nothing that can be in a file makes reading or formatting panic, and every mistake has a place inside its file.

use cutover::playbook::environment::Config;
use cutover::playbook::{Carried, Diagnostics, Source, fmt, tree};
use proptest::prelude::*;

use super::kinds::read;

const GOOD: &str = r#"# a comment
playbook: move
params:
  topic: {type: string, default: orders, pattern: "[a-z.]+"}
  count: {type: integer, default: 3, enum: [1, 3]}
steps:
  - id: topic   # why
    create_topic: {cluster: main, topic: "${topic}", partitions: "${count}", cleanup: compact}
    retry: {attempts: 3, delay: 5s}
  - id: roll
    roll_out:
      stages:
        - {percent: 0.1, bake: 10m}
        - percent: 100
          bake: 1h30m
      end: {after: {stages: 2}}
    on_failure: revert_step
  - id: say
    note:
      text: >
        folded
        text
"#;

fn holds(text: &str) {
    let check = |diagnostics: &Diagnostics, text: &str| {
        for one in diagnostics.iter() {
            let (_, line) = tree::line(text, one.line).unwrap_or_else(|| panic!("no such line: {one}"));
            assert!(one.column as usize <= line.chars().count() + 1, "no such column: {one} in {line:?}");
            assert!(!one.message.is_empty());
        }
        assert_eq!(diagnostics.graphical(true, 100).is_empty(), diagnostics.is_empty());
    };
    match read(text, &[], &Carried::default()) {
        Ok((_, diagnostics)) | Err(diagnostics) => check(&diagnostics, text),
    }
    if let Err(diagnostics) = Config::read("cutover.yaml", text) {
        check(&diagnostics, text);
    }
    if let Ok(once) = fmt::format(&Source::new("p.yaml", text)) {
        let twice = fmt::format(&Source::new("p.yaml", once.as_str())).unwrap_or_else(|error| panic!("{error}: {once:?}"));
        assert_eq!(once, twice);
    }
}

#[test]
fn the_text_that_is_mutated_is_a_good_one() {
    assert_eq!(read(GOOD, &[], &Carried::default()).expect("a playbook").1.plain(), "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,200}") {
        holds(&text);
    }

    #[test]
    fn any_yaml_like_text(text in "([a-c]{1,3}|[-:?,{}\\[\\]&*!|>'\"%@`#~]|[ \t]|\r?\n|  |: |- |[0-9.]{1,4}|\u{2028}|\u{85}|\u{feff}|é|\\$\\{[ab]?\\}?|<<|\\\\|---\n|true|null){0,60}") {
        holds(&text);
    }

    #[test]
    fn a_good_text_with_slips(slips in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[-:?,{}\\[\\]&*!|>'\"%@`#~ \t\na0é$]{0,3}"), 1..4)) {
        let mut letters: Vec<char> = GOOD.chars().collect();
        for (at, cut, put) in slips {
            let at = at.index(letters.len());
            let end = (at + cut).min(letters.len());
            letters.splice(at..end, put.chars());
            if letters.is_empty() {
                break;
            }
        }
        holds(&letters.into_iter().collect::<String>());
    }
}
