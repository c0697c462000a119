//! Guards in playbooks: what they say when it is right, and every mistake at its place.

use cutover::step::GuardOutcome;
use cutover::step::scalar::Span;

use super::kinds::{complain, read};

fn guarded(guards: &str) -> String {
    format!(
        "playbook: a\nparams:\n  most: {{type: integer, default: 7}}\nsteps:\n  - id: x\n    note: {{text: \"at most ${{most}}\"}}\n    guards:\n{guards}"
    )
}

#[test]
fn guards_are_read_with_their_defaults_and_parameters() {
    let text = guarded(
        "      - lag: {group: g, topic: t, above: \"${most}\", then: hold}\n      - metric: {metrics: other, query: up, below: 0.5, then: freeze, interval: 500ms, failure_limit: 2}\n",
    );
    let (playbook, _) = read(&text, &[], &cutover::playbook::Carried::default()).expect("a playbook");
    let [lag, metric] = playbook.steps[0].guards.as_slice() else { panic!("two guards") };
    assert_eq!((lag.guard.kind().name, lag.guard.query(), lag.guard.limit()), ("lag", "g on t".to_owned(), "above 7".to_owned()));
    assert_eq!(
        (lag.options.then, lag.options.interval, lag.options.consecutive_error_limit),
        (GuardOutcome::Hold, Span(std::time::Duration::from_secs(5)), 4)
    );
    assert_eq!((metric.options.then, metric.options.failure_limit), (GuardOutcome::Freeze, 2));
    let touched: Vec<String> = playbook.steps[0].resources().iter().map(|claim| claim.resource.to_string()).collect();
    assert_eq!(touched, ["kafka:main/topic/t", "kafka:main/group/g", "metrics:other/query/up"]);
    assert_eq!((metric.place.line, metric.place.column), (9, 9));
}

#[test]
fn mistakes_in_guards_have_their_places() {
    insta::assert_snapshot!(complain(&guarded("      - lagg: {group: g}\n      - http: {url: x}\n      - lag: {group: g, topic: t, above: 10}\n      - lag: {group: g, topic: a/b, above: -1, then: stop}\n      - metric: {query: up, then: hold}\n      - metric: {query: up, above: 1, below: 0, then: hold, interval: 100ms}\n      - metric: {query: up, above: 1, then: hold, releaseafter: 3}\n      - lag: {group: g, topic: t, above: 1, then: hold}\n        metric: {query: up, above: 1, then: hold}\n      - {}\n      - lag\n")), @r"
    p.yaml:8:9: error[C0102]: there is no guard `lagg`
      help: did you mean `lag`?
    p.yaml:9:9: error[C0103]: `http` needs `http`
      help: add `http: …`: name of the service under `http` in `cutover.yaml`
    p.yaml:9:9: error[C0103]: `http` needs `path`
      help: add `path: …`: path and query, beginning with a slash
    p.yaml:9:9: error[C0103]: `http` needs `then`
      help: add `then: …`: what happens when the guard trips
    p.yaml:9:16: error[C0102]: `url` is not a key of `http`
      help: its keys are: `http`, `path`, `status`, `pointer`, `above`, `below`, `equals`, `timeout`, `then`, `interval`, `failure_limit`, `consecutive_error_limit`, `on_error`, `on_no_data`, `release_after`
    p.yaml:10:9: error[C0103]: `lag` needs `then`
      help: add `then: …`: what happens when the guard trips
    p.yaml:11:32: error[C0107]: `topic`: `a/b` cannot be a topic name: `/` is not allowed, only letters, digits, `.`, `_` and `-` are
    p.yaml:11:44: error[C0106]: `above` must be at least 0, not -1
    p.yaml:11:54: error[C0105]: `stop` is not a value of `then`
      help: it can be: `hold`, `revert_step`, `revert_run`, `freeze`
    p.yaml:12:9: error[C0113]: `metric` needs a limit: add `above: …` or `below: …`
    p.yaml:13:46: error[C0113]: `metric` has two limits: take `above` or `below` away, or make it two guards
    p.yaml:13:71: error[C0113]: `interval` must be at least 500ms, not 100ms
    p.yaml:14:51: error[C0102]: `releaseafter` is not a key of `metric`
      help: did you mean `release_after`?
    p.yaml:16:9: error[C0102]: this guard watches `lag` already
      help: make `metric` a guard of its own: begin a line with `- metric: …`
    p.yaml:17:9: error[C0103]: the guard does not say what it watches
      help: add one of `lag`, `metric`, `http`, `sql`
    p.yaml:18:9: error[C0104]: a guard must be a map of keys, not text
      help: write for instance `- lag: {…}`
    ");
}

#[test]
fn mistakes_in_what_guards_ask_have_their_places() {
    insta::assert_snapshot!(complain(&guarded("      - http: {http: h, path: health, then: hold}\n      - http: {http: h, path: /health, above: 1, then: hold}\n      - http: {http: h, path: /health, pointer: $.a.b, above: 1, below: 0, status: 700, then: hold}\n      - http: {http: h, path: /health, pointer: /a, equals: [1], then: hold, timeout: 1m}\n      - http: {http: h, path: /health, pointer: $.a.b, above: 1, below: 0, then: hold, timeout: 1m}\n      - sql: {query: select 1, above: 1, then: hold}\n      - sql: {database: d, query: select 1, then: hold}\n      - sql: {database: d, query: select $1, binds: [{a: 1}], above: 1, then: hold}\n      - sql: {database: d, query: select true, must_be: maybe, then: hold}\n      - sql: {database: d, query: select 1, above: 1, must_be: true, then: hold, timeout: 0s}\n")), @r"
    p.yaml:8:31: error[C0107]: `path`: `health` is not a path; it begins with one slash, as in /api/v0/exercise
    p.yaml:9:47: error[C0113]: `above` compares the value at `pointer`, and there is none: add `pointer: /…`
    p.yaml:10:84: error[C0106]: `status` must be at most 599, not 700
    p.yaml:11:61: error[C0104]: `equals` must be true or false or a number or text, not a list
    p.yaml:12:49: error[C0113]: `$.a.b` is no JSON pointer; write `/a/b`
    p.yaml:12:73: error[C0113]: `http` has two limits: take `above` or `below` away, or make it two guards
    p.yaml:12:97: error[C0113]: `timeout` must be at most 10s, not 1m
    p.yaml:13:9: error[C0103]: `sql` needs `database`
      help: add `database: …`: name of the database in `cutover.yaml`
    p.yaml:14:9: error[C0113]: `sql` needs a limit: add `above: …`, `below: …` or `must_be: …`
    p.yaml:15:54: error[C0104]: `binds[0]` must be true or false or a number or text, not a map of keys
    p.yaml:16:57: error[C0104]: `must_be` must be true or false, not text
    p.yaml:17:64: error[C0113]: `sql` has two limits: take `above` or `must_be` away, or make it two guards
    p.yaml:17:91: error[C0113]: nothing answers within no time
    ");
}

#[test]
fn guards_are_a_list_on_a_step_that_does_something() {
    insta::assert_snapshot!(complain("playbook: a\nsteps:\n  - id: x\n    note: {text: a}\n    guards: {lag: {group: g}}\n  - id: y\n    note: {text: a}\n    guards: []\n  - id: z\n    note: {text: a}\n    guard: []\n"), @r"
    p.yaml:5:13: error[C0104]: `guards` must be a list, not a map of keys
      help: write a list: `- lag: {…}`
    p.yaml:8:5: error[C0106]: `guards` must not be empty
      help: name what is to be watched, or take the key away
    p.yaml:11:5: error[C0102]: `guard` is not a key of a step
      help: did you mean `guards`?
    ");
}
