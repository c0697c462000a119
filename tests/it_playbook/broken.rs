//! Broken playbooks: every mistake, its exact place, and all of them at once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use cutover::playbook::Carried;

use super::kinds::{complain, read};

#[test]
fn not_yaml() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - id: x\n    note: {text: \"never closed}\n"), @r"
    p.yaml:4:18: error[C0001]: a quote is opened and never closed
      help: close it, or double it inside single quotes: `''`
    ");
}

#[test]
fn an_unknown_kind() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - id: x\n    creat_topic: {cluster: main, topic: x, partitions: 3}\n"), @r"
    p.yaml:4:5: error[C0110]: there is no step kind `creat_topic`
      help: did you mean `create_topic`?
    ");
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - id: x\n    create_topic:\n      cluster: main\n      topic: x\n      partitions: many\n"), @"p.yaml:7:19: error[C0104]: `partitions` must be a whole number, not text");
}

#[test]
fn a_missing_parameter() {
    insta::assert_snapshot!(complain("playbook: a\nparams:\n  topic: {type: string}\nsteps:\n  - id: x\n    note: {text: \"${topic} and ${topik}\"}\n"), @r"
    p.yaml:3:3: error[C0202]: `topic` has no value
      help: pass `--var topic=…` or give it a `default`
    p.yaml:6:18: error[C0201]: there is no parameter `topik`
      help: did you mean `${topic}`?
    ");
}

#[test]
fn a_duplicate_id() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - id: x\n    note: {text: a}\n  - id: x\n    note: {text: b}\n"), @r"
    p.yaml:5:9: error[C0111]: another step is called `x`
      help: the first one is in line 3; give this one a name of its own
    ");
}

#[test]
fn an_alias_bomb() {
    let mut text = "playbook: a\nl0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let below = level - 1;
        let items = vec![format!("*l{below}"); 10].join(", ");
        writeln!(text, "l{level}: &l{level} [{items}]").expect("text");
    }
    insta::assert_snapshot!(complain(&text), @r"
    p.yaml:5:45: error[C0006]: the aliases of this file unfold into more than a playbook can hold
      help: write the values out instead of using `&` and `*`
    ");
}

#[test]
fn a_file_of_ten_megabytes() {
    insta::assert_snapshot!(complain(&format!("playbook: a\n{}", "# filler\n".repeat(1_200_000))), @r"
    p.yaml:1:1: error[C0002]: the file has 10800012 bytes, and at most 1048576 (1 MiB) are read
      help: split the playbook, and keep large texts in files of their own that steps name
    ");
}

#[test]
fn a_blank_that_was_left() {
    insta::assert_snapshot!(complain("playbook: <name>\ndescription: TODO\nsteps:\n  - id: x\n    create_topic: {cluster: main, topic: \"{{ topic }}\", partitions: 3}\n"), @r"
    p.yaml:1:11: error[C0204]: `<name>` is a blank that was not filled in
      help: write what belongs there, or make it a parameter: `${name}`
    p.yaml:2:14: error[C0204]: `TODO` is a blank that was not filled in
      help: write what belongs there, or make it a parameter: `${name}`
    p.yaml:5:42: error[C0204]: `{{ topic }}` is a blank that was not filled in
      help: write what belongs there, or make it a parameter: `${name}`
    ");
}

#[test]
fn a_schema_file_that_is_not_json() {
    let text = "playbook: a\nsteps:\n  - id: x\n    register_schema: {registry: main, subject: a, file: schemas/a.json}\n";
    let said = |json: &str| {
        let files = Carried(BTreeMap::from([("schemas/a.json".to_owned(), Arc::from(json))]));
        read(text, &[], &files).expect_err("a mistake").plain()
    };
    insta::assert_snapshot!(said("{\n  \"type\": \"object\",\n  'properties': {}\n}\n"), @r"
    schemas/a.json:3:3: error[C0115]: this is not JSON: a key in double quotes is expected here
      help: JSON has double quotes; single ones come from a Python dictionary
    ");
    insta::assert_snapshot!(said("{\n  \"type\": \"object\",\n}\n"), @r"
    schemas/a.json:3:1: error[C0115]: this is not JSON: a key in double quotes is expected here
      help: take the comma before it away
    ");
    insta::assert_snapshot!(said("{\n  \"ä\": None\n}\n"), @r"
    schemas/a.json:2:8: error[C0115]: this is not JSON: a value is expected here
      help: JSON writes `true`, `false` and `null`
    ");
    insta::assert_snapshot!(said("{\n  \"type\": \"object\"\n"), @"schemas/a.json:3:1: error[C0115]: this is not JSON: it ends too early");
    insta::assert_snapshot!(said(""), @"schemas/a.json:1:1: error[C0115]: this is not JSON: it ends too early");
}

#[test]
fn a_file_that_is_not_there() {
    let text = "playbook: a\nsteps:\n  - id: x\n    register_schema: {registry: main, subject: a, file: schemas/exercise.json}\n";
    let files = Carried(BTreeMap::from([("schemas/excercise.json".to_owned(), Arc::from("{}"))]));
    insta::assert_snapshot!(read(text, &[], &files).expect_err("a mistake").plain(), @r"
    p.yaml:4:57: error[C0114]: there is no file `schemas/exercise.json`
      help: did you mean `schemas/excercise.json`?
    ");
}

const MANY: &str = r#"playbook: move
lnik: x
guards: []
params:
  topic: {type: string, default: orders}
  count: {type: integer, default: many}
  kind: {type: strng}
steps:
  - id: Topic_1
    create_topic: {cluster: main, topic: "${topic}", partitons: 3, cleanup: compct}
  - id: topic
    create_topic:
      cluster: 5
      topic: a/b
      partitions: "3"
      config: {retention.ms: 5}
  - id: topic
    create_topic: {cluster: main, topic: x, partitions: 0}
  - id: big
    create_topic: {cluster: main, topic: x, partitions: 99999}
  - id: typed
    create_topic: {cluster: main, topic: x, partitions: "${count}"}
  - id: share
    roll_out:
      stages: [{percent: 5, bake: 5}, {percent: a, bake: 5y, x: 1}]
      tell: on
      end: nevr
  - id: empty
    roll_out: {stages: [], end: {after: {stages: x}}}
  - id: forms
    roll_out: {stages: 5, end: 7}
  - id: common
    note: {text: a}
    retry: {attempts: 0, delay: x}
    on_failure: hodl
    timout: 5s
    approval: {text: b}
  - id: none
  - note: {text: ""}
  - just text
  - id: two
    note: {text: a}
    delete_topic: {cluster: main, topic: a}
  - id: outside
    register_schema: {registry: main, subject: a, file: /etc/passwd}
  - id: rule
    create_topic: {cluster: main, topic: x, partitions: 1, cleanup: compact, config: {retention.ms: "5"}}
  - id: nothing
    create_topic:
  - id: placeholder
    note: {text: "${not a name} $${fine}"}
"#;

#[test]
fn several_mistakes_are_found_at_once() {
    insta::assert_snapshot!(complain(MANY), @r"
    p.yaml:2:1: error[C0102]: `lnik` is not a key of a playbook
      help: did you mean `link`?
    p.yaml:3:1: error[C0108]: `guards` is not supported yet
      help: take it out; a later version brings it, and until then it would do nothing
    p.yaml:6:35: error[C0203]: the default of `count` must be a whole number, not text
    p.yaml:7:16: error[C0105]: `strng` is not a value of `type`
      help: did you mean `string`?
    p.yaml:9:9: error[C0112]: `Topic_1` cannot name a step
      help: use at most 60 of the characters `a`-`z`, `0`-`9` and `-`, for instance `topic-1`
    p.yaml:10:54: error[C0102]: `partitons` is not a key of `create_topic`
      help: did you mean `partitions`?
    p.yaml:10:77: error[C0105]: `compct` is not a value of `cleanup`
      help: did you mean `compact`?
    p.yaml:13:16: error[C0104]: `cluster` must be text, not a number
      help: put it in quotes
    p.yaml:14:14: error[C0107]: `topic`: `a/b` cannot be a topic name: `/` is not allowed, only letters, digits, `.`, `_` and `-` are
    p.yaml:15:19: error[C0104]: `partitions` must be a whole number, not text
      help: take the quotes away
    p.yaml:16:30: error[C0104]: `config.retention.ms` must be text, not a number
      help: put it in quotes
    p.yaml:17:9: error[C0111]: another step is called `topic`
      help: the first one is in line 11; give this one a name of its own
    p.yaml:18:57: error[C0106]: `partitions` must be at least 1, not 0
    p.yaml:20:57: error[C0106]: `partitions` must be at most 65535, not 99999
    p.yaml:25:35: error[C0104]: `stages[0].bake` must be text, not a number
      help: `5` is not a length of time; write for instance 300ms, 10s, 5m, 2h or 1h30m
    p.yaml:25:49: error[C0104]: `stages[1].percent` must be a number, not text
    p.yaml:25:58: error[C0107]: `stages[1].bake`: `5y` is not a length of time; write for instance 300ms, 10s, 5m, 2h or 1h30m
    p.yaml:25:62: error[C0102]: `x` is not a key of `stages[1]`
      help: its keys are: `percent`, `bake`
    p.yaml:26:13: error[C0104]: `tell` must be true or false, not text
      help: write `true`
    p.yaml:27:12: error[C0105]: `nevr` is not a value of `end`
      help: did you mean `never`?
    p.yaml:29:24: error[C0106]: `stages` must not be empty
    p.yaml:29:50: error[C0104]: `end.after.stages` must be a whole number, not text
    p.yaml:31:24: error[C0104]: `stages` must be a list, not a number
      help: put it in brackets: `[…]`
    p.yaml:31:32: error[C0104]: `end` must be text or a map of keys, not a number
    p.yaml:34:23: error[C0106]: `retry.attempts` must be at least 1, not 0
    p.yaml:34:33: error[C0107]: `retry.delay`: `x` is not a length of time; write for instance 300ms, 10s, 5m, 2h or 1h30m
    p.yaml:35:17: error[C0105]: `hodl` is not a value of `on_failure`
      help: did you mean `hold`?
    p.yaml:36:5: error[C0102]: `timout` is not a key of a step
      help: did you mean `timeout`?
    p.yaml:37:15: error[C0104]: `approval` must be text, not a map of keys
    p.yaml:38:5: error[C0109]: step `none` does not say what it does
      help: add one key that names a kind, for instance `note: {text: …}`; `cutover steps list` shows them
    p.yaml:39:5: error[C0103]: a step needs an `id`
      help: add `id: …`, a name that no other step has
    p.yaml:39:18: error[C0106]: `text` must not be empty
    p.yaml:40:5: error[C0104]: a step must be a map of keys, not text
      help: write `- id: …` and the kind below it
    p.yaml:43:5: error[C0109]: step `two` has a second kind, `delete_topic`
      help: keep `note` here and make this a step of its own
    p.yaml:45:57: error[C0107]: `file`: `/etc/passwd` must lie beside the playbook: no leading `/`, no `..`, no `\`
    p.yaml:47:101: error[C0113]: a compacted topic keeps the last record of every key; take `retention.ms` away
    p.yaml:49:17: error[C0104]: `create_topic` must be a map of keys, not nothing
      help: it needs `cluster`, `topic`, `partitions`
    p.yaml:51:18: error[C0205]: `${not a name}` does not name a parameter
      help: between the braces stands a parameter's name and nothing else; `$${` is the text `${`
    ");
}

#[test]
fn the_json_form() {
    let text = "playbook: a\nsteps:\n  - id: x\n    note: {txt: hello}\n";
    let diagnostics = read(text, &[], &Carried::default()).expect_err("a mistake");
    insta::assert_snapshot!(serde_json::to_string_pretty(&diagnostics).expect("JSON"), @r#"
    {
      "diagnostics": [
        {
          "code": "C0102",
          "severity": "error",
          "file": "p.yaml",
          "line": 4,
          "column": 12,
          "message": "`txt` is not a key of `note`",
          "help": "did you mean `text`?"
        }
      ]
    }
    "#);
}

#[test]
fn the_form_for_a_terminal() {
    let text = "playbook: a\nsteps:\n  - id: übung\n    note: {txt: \"grüße\", text: 5}\n";
    let diagnostics = read(text, &[], &Carried::default()).expect_err("a mistake");
    insta::assert_snapshot!(diagnostics.graphical(false, 80), @r#"
     × error[C0112]: `übung` cannot name a step
      ╭─[p.yaml:3:9]
    2 │ steps:
    3 │   - id: übung
      ·         ─────
    4 │     note: {txt: "grüße", text: 5}
      ╰────
     help: use at most 60 of the characters `a`-`z`, `0`-`9` and `-`

     × error[C0102]: `txt` is not a key of `note`
      ╭─[p.yaml:4:12]
    3 │   - id: übung
    4 │     note: {txt: "grüße", text: 5}
      ·            ───
      ╰────
     help: did you mean `text`?

     × error[C0104]: `text` must be text, not a number
      ╭─[p.yaml:4:34]
    3 │   - id: übung
    4 │     note: {txt: "grüße", text: 5}
      ·                                ─
      ╰────
     help: put it in quotes
    "#);
}

#[test]
fn a_file_full_of_mistakes_is_read_to_its_end() {
    let mut text = "playbook: a\nsteps:\n".to_owned();
    for _ in 0..15_000 {
        text.push_str("  - id: x\n    note: {text: 5, txet: a}\n");
    }
    let diagnostics = read(&text, &[], &Carried::default()).expect_err("mistakes");
    assert_eq!(diagnostics.len(), 15_000 * 3 - 1);
    assert!(diagnostics.graphical(true, 80).lines().count() > diagnostics.len());
    let long = format!("playbook: a\n? {}\n: b\n", "x".repeat(1_000_000));
    assert_eq!(read(&long, &[], &Carried::default()).expect_err("mistakes").len(), 2);
}
