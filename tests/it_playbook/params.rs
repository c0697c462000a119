//! Parameters: types, values, and `${name}` in steps.

use cutover::playbook::Carried;
use serde_json::json;

use super::kinds::read;

const TYPED: &str = r#"playbook: typed
params:
  name: {type: string, default: orders, pattern: "[a-z.]+"}
  count: {type: integer, default: 3, enum: [1, 3, 12]}
  share: {type: number, default: 1}
  tell: {type: boolean, default: false}
steps:
  - id: topic
    create_topic: {cluster: main, topic: "${name}.v${count}", partitions: "${count}", config: {a: "$${name} ${tell}"}}
  - id: roll
    roll_out:
      stages: [{percent: '${share}', bake: "${count}m"}]
      tell: ${tell}
    retry: {attempts: "${count}", delay: 5s}
"#;

fn bodies(vars: &[(&str, &str)]) -> Result<Vec<serde_json::Value>, String> {
    match read(TYPED, vars, &Carried::default()) {
        Ok((playbook, _)) => Ok(playbook.steps.iter().map(|step| step.step.body()).collect()),
        Err(diagnostics) => Err(diagnostics.plain()),
    }
}

#[test]
fn a_scalar_that_is_a_placeholder_takes_the_type_and_a_text_takes_the_words() {
    let bodies = bodies(&[("count", "12"), ("share", "0.5"), ("tell", "true")]).expect("a playbook");
    assert_eq!(
        bodies,
        [
            json!({"cluster": "main", "topic": "orders.v12", "partitions": 12, "cleanup": null, "config": {"a": "${name} true"}}),
            json!({"stages": [{"percent": 0.5, "bake": "12m"}], "tell": true, "end": null}),
        ]
    );
}

#[test]
fn the_playbook_knows_its_values() {
    let (playbook, _) = read(TYPED, &[("share", "2")], &Carried::default()).expect("a playbook");
    assert_eq!(serde_json::to_value(&playbook.params).expect("JSON"), json!({"count": 3, "name": "orders", "share": 2, "tell": false}));
    let retry = playbook.steps.last().and_then(|step| step.options.retry).expect("a retry");
    assert_eq!((retry.attempts, retry.delay.to_string()), (3, "5s".to_owned()));
}

#[test]
fn a_value_must_fit() {
    let said = |vars: &[(&str, &str)]| bodies(vars).expect_err("a mistake");
    insta::assert_snapshot!(said(&[("name", "Orders"), ("count", "many"), ("share", "NaN"), ("tell", "yes")]), @r"
    p.yaml:3:3: error[C0203]: the value that was given for `name` does not fit the pattern `[a-z.]+`
      help: give it one that fits: `--var name=…`
    p.yaml:4:3: error[C0203]: the value that was given for `count` is `many` and must be a whole number
      help: give it one that fits: `--var count=…`
    p.yaml:5:3: error[C0203]: the value that was given for `share` is `NaN` and must be a number
      help: give it one that fits: `--var share=…`
    p.yaml:6:3: error[C0203]: the value that was given for `tell` is `yes` and must be true or false
      help: give it one that fits: `--var tell=…`
    ");
    insta::assert_snapshot!(said(&[("count", "2"), ("name", "a<b"), ("nmae", "x")]), @r"
    p.yaml:2:1: error[C0206]: a value was given for `nmae`, which is not a parameter
      help: did you mean `name`?
    p.yaml:3:3: error[C0203]: the value that was given for `name` does not fit the pattern `[a-z.]+`
      help: give it one that fits: `--var name=…`
    p.yaml:4:3: error[C0203]: the value that was given for `count` is not one of `1`, `3`, `12`
      help: give it one that fits: `--var count=…`
    ");
    insta::assert_snapshot!(said(&[("name", "TODO")]), @r"
    p.yaml:3:3: error[C0203]: the value that was given for `name` does not fit the pattern `[a-z.]+`
      help: give it one that fits: `--var name=…`
    ");
}

#[test]
fn a_declaration_must_make_sense() {
    let text = r#"playbook: a
params:
  5x: {type: string}
  count: {type: integer, pattern: "[0-9]"}
  text: {type: string, pattern: "(", default: a}
  some: {type: string, enum: [a, 1], default: b}
  none: {type: string, enum: [], default: b}
  list: [a]
  short: string
  version: {type: string, default: 1.10}
  extra: {type: string, default: a, requird: true}
steps:
  - id: x
    note: {text: "${count} ${text} ${some}"}
"#;
    insta::assert_snapshot!(read(text, &[], &Carried::default()).expect_err("mistakes").plain(), @r"
    p.yaml:3:3: error[C0207]: `5x` cannot name a parameter
      help: begin with a letter and go on with letters, digits, `_` and `-`
    p.yaml:4:35: error[C0207]: `count` has a pattern, which only text can fit
      help: take the pattern away or make it `type: string`
    p.yaml:5:33: error[C0207]: the pattern of `text` is not a regular expression: unclosed group
    p.yaml:6:34: error[C0203]: an allowed value of `some` must be text, not a whole number; put it in quotes
    p.yaml:7:30: error[C0106]: `enum` must not be empty
    p.yaml:8:9: error[C0104]: `list` must be a map of keys, not a list
    p.yaml:9:10: error[C0104]: `short` must be a map of keys, not text
    p.yaml:10:3: warning[C0401]: no step uses the parameter `version`
      help: take it away, or write `${version}` where it belongs
    p.yaml:10:36: error[C0203]: the default of `version` must be text, not a number; put it in quotes
    p.yaml:11:37: error[C0102]: `requird` is not a key of `extra`
      help: its keys are: `type`, `description`, `default`, `enum`, `pattern`
    ");
}

#[test]
fn a_parameter_without_a_value_hides_no_other_mistake() {
    let text = r#"playbook: a
params:
  count: {type: integer}
steps:
  - id: x
    create_topic: {cluster: main, topic: a/b, partitions: "${count}"}
  - id: y
    create_topic: "${count}"
"#;
    insta::assert_snapshot!(read(text, &[], &Carried::default()).expect_err("mistakes").plain(), @r"
    p.yaml:3:3: error[C0202]: `count` has no value
      help: pass `--var count=…` or give it a `default`
    p.yaml:6:42: error[C0107]: `topic`: `a/b` cannot be a topic name: `/` is not allowed, only letters, digits, `.`, `_` and `-` are
    ");
}
