//! A catch-up that is proposed names the group by which the service reads the topic, wherever the playbook says it.

use std::collections::BTreeMap;
use std::path::Path;

use cutover::check::{book_of, mend, rewrite};
use cutover::playbook::{self, Directory, Source};
use cutover::step::Move;

/// The group of the catch-up that mends the way to events without its snapshot and without these steps, and the playbook with it.
fn proposed(without: &[&str], change: impl Fn(String) -> String) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/comm-020.yaml");
    let text = change(std::fs::read_to_string(&path).expect("a playbook"));
    let (head, steps) = text.split_once("steps:\n").expect("steps");
    let left = |block: &&str| !["snapshot", "caught-up"].iter().chain(without).any(|id| block.contains(&format!("- id: {id}\n")));
    let steps: Vec<&str> = steps.split("\n\n").filter(left).collect();
    let source = Source::new("comm-020.yaml", format!("{head}steps:\n{}", steps.join("\n\n")));
    let read = playbook::read(&source, &BTreeMap::new(), &Directory::of(&path));
    let (playbook, _) = read.unwrap_or_else(|mistakes| panic!("{}", mistakes.plain()));
    let mended = mend(playbook.services.as_deref().expect("its services"), &book_of(&playbook));
    assert!(mended.proven, "{:#?}", mended.changes);
    let groups: Vec<String> = mended
        .steps
        .iter()
        .flat_map(|step| &step.moves)
        .filter_map(|one| if let Move::CatchUp { group, .. } = one { Some(group.clone()) } else { None })
        .collect();
    let [group] = groups.as_slice() else { panic!("{groups:?}") };
    (group.clone(), rewrite(&source.text, &mended))
}

#[test]
fn the_group_that_a_step_names_with_the_topic_is_proposed() {
    let (group, text) = proposed(&["switch"], |text| text);
    assert_eq!(group, "hiring-exercises");
    assert!(text.contains("catch_up: {group: hiring-exercises, of: "), "{text}");
}

#[test]
fn the_group_that_a_guard_names_is_proposed() {
    assert_eq!(proposed(&["probe"], |text| text).0, "hiring-exercises");
}

#[test]
fn the_group_that_a_release_is_expected_with_is_proposed() {
    let expected = |text: String| {
        let text = text.replace(
            "deploy: {service: hiring, release: \"1.5\"}",
            "expect_release: {service: hiring, at_least: \"1.5\", group: \"${group}\"}",
        );
        text.replace("      - lag: {group: \"${group}\", topic: \"${topic}\", above: 10000, then: hold}\n", "")
    };
    assert_eq!(proposed(&["probe"], expected).0, "hiring-exercises");
}

#[test]
fn without_a_group_of_that_topic_the_service_is_named() {
    let other = |text: String| text.replace("lag: {group: \"${group}\", topic: \"${topic}\"", "lag: {group: hiring-tasks, topic: task");
    assert_eq!(proposed(&["probe"], other).0, "hiring");
}
