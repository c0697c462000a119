//! `parallel` blocks: what may stand in one, and how its steps are read.

use cutover::playbook::Carried;

use super::kinds::{complain, read};

const BLOCK: &str = "playbook: a
steps:
  - id: first
    note: {text: a}
  - parallel:
      - id: left
        note: {text: b}
      - id: right
        note: {text: c}
  - id: last
    note: {text: d}
";

#[test]
fn the_steps_of_a_block_are_beside_the_first_one_of_it() {
    let (playbook, _) = read(BLOCK, &[], &Carried::default()).expect("a playbook");
    let beside: Vec<_> = playbook.steps.iter().map(|step| (step.id.clone(), step.beside)).collect();
    let expected = [("first", false), ("left", false), ("right", true), ("last", false)];
    assert_eq!(beside, expected.map(|(id, beside)| (id.to_owned(), beside)));
}

#[test]
fn a_block_has_no_keys_of_its_own() {
    let text = BLOCK.replace("  - parallel:\n", "  - id: both\n    timeout: 5m\n    parallel:\n");
    insta::assert_snapshot!(complain(&text), @r"
    p.yaml:5:5: error[C0102]: `id` cannot stand beside `parallel`
      help: a block has no keys of its own; put them into its steps
    p.yaml:6:5: error[C0102]: `timeout` cannot stand beside `parallel`
      help: a block has no keys of its own; put them into its steps
    ");
}

#[test]
fn a_block_is_a_list_of_two_to_four() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - parallel: {id: x, note: {text: a}}\n"), @r"
    p.yaml:3:15: error[C0104]: `parallel` must be a list of steps, not a map of keys
      help: begin every step with `- id: …`, below the key
    ");
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - parallel:\n      - id: x\n        note: {text: a}\n"), @r"
    p.yaml:3:5: error[C0106]: a `parallel` block has 2 to 4 steps, and this one has 1
      help: without the block the steps follow one another; take the key away
    ");
    let five: String = ["a", "b", "c", "d", "e"].map(|id| format!("      - id: {id}\n        note: {{text: {id}}}\n")).concat();
    insta::assert_snapshot!(complain(&format!("playbook: a\nsteps:\n  - parallel:\n{five}")), @r"
    p.yaml:3:5: error[C0106]: a `parallel` block has 2 to 4 steps, and this one has 5
      help: split the block: each block begins when the one above it is done
    ");
}

#[test]
fn a_block_stands_in_no_other_one() {
    let text = "playbook: a
steps:
  - parallel:
      - id: x
        note: {text: a}
      - parallel:
          - id: y
            note: {text: b}
          - id: z
            note: {text: c}
";
    insta::assert_snapshot!(complain(text), @r"
    p.yaml:6:9: error[C0109]: a `parallel` block inside another one
      help: put its steps into the outer block, or behind it
    ");
}

#[test]
fn a_mistake_in_a_step_of_a_block_is_found_like_any_other() {
    insta::assert_snapshot!(complain(&BLOCK.replace("id: right", "id: first").replace("text: b", "texd: b")), @r"
    p.yaml:7:16: error[C0102]: `texd` is not a key of `note`
      help: did you mean `text`?
    p.yaml:8:13: error[C0111]: another step is called `first`
      help: the first one is in line 3; give this one a name of its own
    ");
}
