//! `cutover.yaml`.

use cutover::playbook::environment::{Approvals, Config, FlagStore, Origin, find};

const GOOD: &str = r#"default: local
environments:
  local: {from: stack}
  prod:
    kafka:
      main:
        bootstrap: kafka:9093
        security: sasl_ssl
        sasl: {mechanism: SCRAM-SHA-512, username: cutover, password: "env:KAFKA_PASSWORD"}
    registry: {main: {url: "https://registry:8081", basic: {username: a, password: "file:/run/secrets/registry"}}}
    flags: {main: builtin}
  staging: {approvals: none}
"#;

#[test]
fn a_good_file() {
    let config = Config::read("cutover.yaml", GOOD).expect("a file");
    let local = config.environment(None).expect("the default");
    assert_eq!((local.name.as_str(), local.approvals, local.from), ("local", Approvals::Own, Some(Origin::Stack)));
    assert_eq!(config.environment(Some("staging")).expect("one").approvals, Approvals::None);
    let prod = config.environment(Some("prod")).expect("one");
    assert_eq!((prod.approvals, prod.from), (Approvals::Other, None));
    assert_eq!(prod.kafka["main"].setting, "cutover.yaml:7:20 environments.prod.kafka.main.bootstrap");
    assert_eq!(prod.registry["main"].setting, "cutover.yaml:10:28 environments.prod.registry.main.url");
    assert_eq!(
        (prod.flags["main"].settings, prod.flags["main"].setting.as_str()),
        (FlagStore::Builtin, "cutover.yaml:11:19 environments.prod.flags.main")
    );
    let json = serde_json::to_value(prod).expect("JSON");
    assert_eq!(json["kafka"]["main"]["settings"]["sasl"]["password"], "env:KAFKA_PASSWORD");
    assert_eq!(serde_json::from_value::<cutover::playbook::environment::Environment>(json).expect("back"), *prod);
}

#[test]
fn mistakes_have_their_places_and_never_repeat_a_secret() {
    let text = r#"environments:
  Prod: {approvals: everybody}
  prod:
    kafka:
      main:
        bootstrap: ""
        securty: ssl
        sasl: {mechanism: SCRAM, username: cutover, password: hunter2}
      second: {bootstrap: 5, options: {sasl.password: hunter2, client.id: cutover}}
    registry:
      main: {url: "registry:8081", basic: {username: a, password: 12345678}}
      other: {url: "https://user:hunter2@registry"}
      third: {url: "user:hunter2@registry"}
    flags: {main: unleash}
    guards: []
  local:
    from: docker
default: prdo
"#;
    let diagnostics = Config::read("cutover.yaml", text).expect_err("mistakes");
    insta::assert_snapshot!(diagnostics.plain(), @r"
    cutover.yaml:2:3: error[C0112]: `Prod` cannot name an environment
      help: use at most 60 of the characters `a`-`z`, `0`-`9` and `-`, for instance `prod`
    cutover.yaml:2:21: error[C0105]: `everybody` is not a value of `environments.Prod.approvals`
      help: it can be: `none`, `self`, `other`
    cutover.yaml:6:20: error[C0106]: `environments.prod.kafka.main.bootstrap` must not be empty
    cutover.yaml:7:9: error[C0102]: `securty` is not a key of `environments.prod.kafka.main`
      help: did you mean `security`?
    cutover.yaml:8:9: error[C0117]: `sasl` is not used without `security`
      help: write `security: sasl_ssl`, or `sasl_plaintext` where nobody can listen
    cutover.yaml:8:27: error[C0105]: `SCRAM` is not a value of `environments.prod.kafka.main.sasl.mechanism`
      help: did you mean `SCRAM-SHA-256`?
    cutover.yaml:8:63: error[C0301]: `environments.prod.kafka.main.sasl.password`: a secret is written as a reference: `env:NAME` or `file:PATH`, never as plain text
    cutover.yaml:9:27: error[C0104]: `environments.prod.kafka.second.bootstrap` must be text, not a number
      help: put it in quotes
    cutover.yaml:9:40: error[C0301]: `sasl.password` would be a secret in plain text
      help: secrets stand in `sasl.password`, `sasl.token.secret` and `tls.key`, as `env:NAME` or `file:PATH`
    cutover.yaml:11:19: error[C0107]: `environments.prod.registry.main.url`: `registry:8081` is not an address that begins with http:// or https://
    cutover.yaml:11:67: error[C0104]: `environments.prod.registry.main.basic.password` must be text, not a number
      help: write `env:NAME` or `file:PATH`
    cutover.yaml:12:20: error[C0107]: `environments.prod.registry.other.url`: an address begins with http:// or https:// and carries no user name or password
    cutover.yaml:13:20: error[C0107]: `environments.prod.registry.third.url`: an address begins with http:// or https:// and carries no user name or password
    cutover.yaml:14:19: error[C0105]: `unleash` is not a value of `environments.prod.flags.main`
      help: it can be: `builtin`
    cutover.yaml:15:5: error[C0102]: `guards` is not a key of `environments.prod`
      help: its keys are: `from`, `approvals`, `kafka`, `registry`, `flags`, `workloads`, `database`, `http`, `metrics`
    cutover.yaml:17:11: error[C0105]: `docker` is not a value of `environments.local.from`
      help: it can be: `stack`
    cutover.yaml:18:10: error[C0302]: there is no environment `prdo`
      help: did you mean `prod`?
    ");
    for form in [diagnostics.plain(), diagnostics.graphical(true, 100), serde_json::to_string(&diagnostics).expect("JSON")] {
        assert!(!form.contains("hunter2") && !form.contains("12345678"), "{form}");
    }
}

/// Keys that nobody would look at are mistakes: a password that is not sent, a certificate that is not shown.
#[test]
fn what_the_protection_does_not_look_at() {
    let text = r#"environments:
  prod:
    kafka:
      one: {bootstrap: "a:1", sasl: {mechanism: PLAIN, username: u}}
      two: {bootstrap: "a:1", security: sasl_plaintext, tls: {ca: ca.pem}}
      three:
        bootstrap: "a:1"
        security: sasl_ssl
        sasl: {mechanism: OAUTHBEARER, username: u}
      four:
        bootstrap: "a:1"
        security: sasl_ssl
        tls: {ca: ca.pem}
        sasl: {mechanism: OAUTHBEARER, token: {url: "https://id/token", client: c, secret: "env:S", scope: kafka}}
"#;
    let diagnostics = Config::read("cutover.yaml", text).expect_err("mistakes");
    insta::assert_snapshot!(diagnostics.plain(), @r"
    cutover.yaml:4:31: error[C0117]: `sasl` is not used without `security`
      help: write `security: sasl_ssl`, or `sasl_plaintext` where nobody can listen
    cutover.yaml:4:31: error[C0103]: `PLAIN` needs `sasl.password`
    cutover.yaml:5:41: error[C0103]: `security: sasl_plaintext` needs `sasl`
      help: write `sasl: {mechanism: …}` with who we are
    cutover.yaml:5:57: error[C0117]: `tls` goes with another `security` than `sasl_plaintext`
      help: write `security: ssl`, or `sasl_ssl` with `sasl`
    cutover.yaml:9:9: error[C0103]: `OAUTHBEARER` needs `sasl.token`
    cutover.yaml:9:40: error[C0117]: `sasl.username` does not go with `OAUTHBEARER`
      help: take it away
    ");
}

#[test]
fn choosing_an_environment() {
    let said = |text: &str, name: Option<&str>| {
        Config::read("cutover.yaml", text)
            .and_then(|config| config.environment(name).map(|found| found.name.clone()))
            .unwrap_or_else(|diagnostics| diagnostics.plain())
    };
    let two = "environments:\n  one: {}\n  two: {}\n";
    assert_eq!(said("environments: {only: {}}\n", None), "only");
    assert_eq!(said(two, Some("two")), "two");
    insta::assert_snapshot!(said(two, None), @r"
    cutover.yaml:1:1: error[C0303]: it is not said which environment is meant
      help: name one of `one`, `two` with `--env`, or write `default: NAME`
    ");
    insta::assert_snapshot!(said(two, Some("tow")), @r"
    cutover.yaml:1:1: error[C0302]: there is no environment `tow`
      help: did you mean `two`?
    ");
    insta::assert_snapshot!(said("environments: {}\n", None), @"cutover.yaml:1:15: error[C0106]: `environments` must not be empty");
    insta::assert_snapshot!(said("environment: {}\n", None), @r"
    cutover.yaml:1:1: error[C0102]: `environment` is not a key of `cutover.yaml`
      help: did you mean `environments`?
    ");
    insta::assert_snapshot!(said("", None), @r"
    cutover.yaml:1:1: error[C0104]: `cutover.yaml` must be a map of keys, not nothing
      help: it needs `environments`
    ");
    insta::assert_snapshot!(said("environments: {one: {from: stack, flags: {main: builtin}}}\n", None), @r"
    cutover.yaml:1:22: error[C0304]: `one` takes its systems from the stack and names some itself
      help: take `from` away, or the systems
    ");
}

#[test]
fn the_nearest_file_upward_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().canonicalize().expect("a path");
    let deep = root.join("a/b/c");
    std::fs::create_dir_all(&deep).expect("directories");
    std::fs::write(root.join("cutover.yaml"), GOOD).expect("a file");
    assert_eq!(find(&deep), Some(root.join("cutover.yaml")));
    std::fs::write(root.join("a/b/cutover.yaml"), GOOD).expect("a file");
    assert_eq!(find(&deep), Some(root.join("a/b/cutover.yaml")));
}

/// The page for people shows every way to connect; what it shows is read as it stands there.
#[test]
fn the_examples_of_the_page_on_connections_are_good() {
    let page = include_str!("../../web/docs/connections.md");
    let examples: Vec<_> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        if let Err(diagnostics) = Config::read("cutover.yaml", example) {
            panic!("{}\n{example}", diagnostics.plain());
        }
    }
}
