//! A principal with the printed rights and no others runs a playbook and takes it back; without any one of them the doctor names it first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cutover::stack::keeper;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::acls::Acl;
use crate::ground::{Ground, LIMITED, PASSWORD, ground};
use crate::provider::SECRET;
use crate::reaped::PROGRAM;

/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_mins(2);

const DATABASE: &str = "rights_exercises";

const PLAYBOOK: &str = r#"playbook: rights
steps:
  - id: topic
    create_topic: {topic: rights.exercise, partitions: 1, configs: {cleanup.policy: compact}}
  - id: schema
    register_schema: {subject: rights.exercise-value, file: state.json, compatibility: BACKWARD}
  - id: snapshot
    publish_snapshot: {from: exercises.exercise, topic: rights.exercise, schema: schema}
  - id: events
    send_events:
      topic: rights.exercise
      events:
        - key: "1"
          value: {event_name: ExerciseChanged, event_version: 0, payload: {id: 1, title: one, version: 9}}
      stamp: {event_id: /event_id, produced_at: /produced_at}
      schema: {subject: rights.exercise-value}
      seen_by: {group: rights-readers, join: true}
  - id: caught-up
    catch_up: {group: rights-readers, of: snapshot}
    guards:
      - lag: {group: rights-readers, topic: rights.exercise, above: 1000, then: hold}
  - id: drained
    drain_topic: {topic: rights.exercise, groups: [rights-readers]}
  - id: mistaken
    create_topic: {topic: rights.mistaken, partitions: 1}
  - id: gone
    delete_topic: {topic: rights.mistaken}
  - id: unused
    create_topic: {topic: rights.unused, partitions: 1}
  - id: unused-schema
    register_schema: {subject: rights.unused-value, file: state.json}
  - id: level
    set_compatibility: {subject: rights.unused-value, level: FULL}
  - id: existing
    create_topic: {topic: rights.existing, partitions: 2, allow: grow, configs: {retention.ms: 86400000}}
"#;

struct Bench {
    ground: &'static Ground,
    here: PathBuf,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    async fn new() -> Self {
        let ground = ground();
        let here = ground.directory.join("rights");
        fs::create_dir_all(&here).unwrap();
        let bench = Self { ground, here };
        let password = bench.file("password", PASSWORD);
        let place = ground.stack.postgres.url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let authority = ground.authority.file.display();
        let config = format!(
            "environments:
  prod:
    approvals: none
    kafka:
      main:
        bootstrap: '127.0.0.1:{}'
        security: sasl_ssl
        sasl: {{mechanism: SCRAM-SHA-512, username: {LIMITED}, password: 'file:{password}'}}
        tls: {{ca: '{authority}'}}
    registry:
      main: {{url: '{}', basic: {{username: cutover, password: 'file:{password}'}}, tls: {{ca: '{authority}'}}}}
    database:
      exercises: {{url: 'postgres://{LIMITED}@{place}/{DATABASE}', password: 'file:{password}'}}
",
            ground.ports.scram, ground.registry_url
        );
        bench.file("cutover.yaml", &config);
        bench.file("rights.yaml", PLAYBOOK);
        bench.file("state.json", include_str!("../../playbooks/schemas/exercise_state.v0.json"));
        bench.sql(&ground.stack.postgres.url, &format!("create database {DATABASE}")).await;
        bench.sql(&ground.stack.postgres.url, &format!("revoke all on database {DATABASE} from public")).await;
        bench.own("create role limited login password '{PASSWORD}'").await;
        bench.own("revoke all on schema public from public").await;
        bench.own("create table exercise (id bigint primary key, title text not null, version bigint not null default 1)").await;
        bench.own("insert into exercise values (1, 'one', 1), (2, 'two', 1)").await;
        bench
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.here.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    async fn sql(&self, url: &str, statement: &str) {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// As whoever administers the database.
    async fn own(&self, statement: &str) {
        let (base, _) = self.ground.stack.postgres.url.rsplit_once('/').unwrap();
        self.sql(&format!("{base}/{DATABASE}"), &statement.replace("{PASSWORD}", PASSWORD)).await;
    }

    fn cutover(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--no-input", "--data"]).arg(self.ground.data.path()).current_dir(&self.here);
        let output = command.env("CUTOVER_BY", "ann").stdin(Stdio::null()).output().unwrap();
        if let Some(server) = self.ground.data.read_server().unwrap() {
            self.ground.end_with_tests(&server.identity());
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said = Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        for secret in [PASSWORD, SECRET] {
            assert!(!said.out.contains(secret) && !said.err.contains(secret), "{arguments:?} said a secret: {}{}", said.out, said.err);
        }
        said
    }

    fn must(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.cutover(arguments);
        assert_eq!(said.code, code, "{arguments:?} said\n{}\n{}", said.out, said.err);
        said.out
    }

    /// Asks the doctor until the rights that are missing are these, for a broker hears of a change a moment later.
    fn until_missing(&self, wanted: &[String]) {
        let begin = Instant::now();
        loop {
            let said = self.cutover(&["doctor", "--rights", "rights.yaml", "--output", "json"]);
            let found: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}\n{}", said.out, said.err));
            let missing: Vec<String> = rights(&found).filter(|right| right["state"] == "missing").map(name).collect();
            // Why: a broker that makes its first group cannot be asked for a moment.
            if missing == wanted && said.code != 69 {
                assert_eq!(said.code, if wanted.is_empty() { 0 } else { 77 }, "{}", said.err);
                assert_eq!(found["ok"], wanted.is_empty());
                return;
            }
            assert!(begin.elapsed() < LONG, "missing are {missing:?} and not {wanted:?}: {found:#}");
        }
    }
}

fn rights(document: &Value) -> impl Iterator<Item = &Value> {
    document["systems"].as_array().unwrap().iter().flat_map(|system| system["rights"].as_array().unwrap())
}

fn name(right: &Value) -> String {
    format!("{} {} {}", right["sort"].as_str().unwrap(), right["id"].as_str().unwrap(), right["operation"].as_str().unwrap())
}

fn commands(document: &Value, kind: &str) -> Vec<String> {
    let system = document["systems"].as_array().unwrap().iter().find(|system| system["kind"] == kind).unwrap();
    system["commands"].as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect()
}

/// Runs the printed commands as they are, with Kafka's own tool behind the name that they have.
fn run_as_printed(ground: &Ground, here: &Path, commands: &[String]) {
    let (java, classes) = ground.java();
    let tools = here.join("bin");
    fs::create_dir_all(&tools).unwrap();
    let tool = tools.join("kafka-acls.sh");
    let text = format!("#!/bin/sh\nexec '{java}' -XX:TieredStopAtLevel=1 -cp '{classes}' org.apache.kafka.tools.AclCommand \"$@\"\n");
    fs::write(&tool, text).unwrap();
    std::os::unix::fs::PermissionsExt::set_mode(&mut fs::metadata(&tool).unwrap().permissions(), 0o755);
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let script = format!("set -e\n{}\n", commands.join("\n"));
    let mut shell = Command::new("/bin/sh");
    let output = shell.args(["-c", &script]).env("PATH", path).env("KAFKA_MAIN", &ground.stack.kafka.bootstrap).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_rights_are_enough_and_each_one_that_is_missing_is_named() {
    let bench = Bench::new().await;
    let ground = bench.ground;
    let administrator = crate::ground::connect(&ground.scram());
    let existing = cutover::ports::kafka::NewTopic {
        name: "rights.existing".to_owned(),
        partitions: 1,
        replication: None,
        configs: [("retention.ms".to_owned(), "3600000".to_owned())].into(),
    };
    cutover::ports::kafka::Kafka::create_topic(administrator.as_ref(), &existing).await.unwrap();

    // Without any right the doctor says so, before a run does.
    let said = bench.cutover(&["doctor", "--rights", "rights.yaml", "--output", "json"]);
    assert_eq!(said.code, 77, "{}{}", said.out, said.err);
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert!(rights(&printed).any(|right| right["state"] == "missing"), "{printed:#}");
    let text = bench.must(77, &["doctor", "--rights", "rights.yaml"]);
    assert!(text.contains("kafka main, as User:limited") && text.contains("MISSING"), "{text}");

    run_as_printed(ground, &bench.here, &commands(&printed, "kafka"));
    for statement in commands(&printed, "database") {
        bench.own(&statement).await;
    }
    bench.until_missing(&[]);
    let text = bench.must(0, &["doctor", "--rights", "rights.yaml"]);
    assert!(!text.contains("MISSING"), "{text}");
    insta::assert_snapshot!("least_rights", text.replace(&ground.stack.kafka.bootstrap, "HOST"));

    // Each one is missed.
    for right in rights(&printed) {
        let (sort, id) = (right["sort"].as_str().unwrap(), right["id"].as_str().unwrap());
        let operation = right["operation"].as_str().unwrap();
        let (revoke, grant) = match sort {
            "topic" | "group" => {
                let acl = Acl { sort, name: id, principal: "User:limited", operation };
                acl.remove(&ground.stack.kafka.bootstrap);
                bench.until_missing(&[name(right)]);
                acl.add(&ground.stack.kafka.bootstrap);
                bench.until_missing(&[]);
                continue;
            }
            "database" => {
                (format!("revoke connect on database {DATABASE} from limited"), format!("grant connect on database {DATABASE} to limited"))
            }
            "schema" => ("revoke usage on schema public from limited".to_owned(), "grant usage on schema public to limited".to_owned()),
            "table" => ("revoke select on exercise from limited".to_owned(), "grant select on exercise to limited".to_owned()),
            // A registry tells nobody's rights.
            _ => {
                assert!(right["state"]["unknown"].is_string(), "{right}");
                continue;
            }
        };
        bench.own(&revoke).await;
        bench.until_missing(&[name(right)]);
        bench.own(&grant).await;
        bench.until_missing(&[]);
    }

    // And all of them are enough, for both ways.
    bench.must(0, &["plan", "rights.yaml"]);
    bench.must(0, &["apply", "rights.yaml", "--yes"]);
    let runs: Value = serde_json::from_str(&bench.must(0, &["runs", "--output", "json"])).unwrap();
    let id = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    let back = bench.must(0, &["plan", "--revert", &id]);
    assert!(back.contains("delete"), "{back}");
    bench.cutover(&["runs", "revert", &id, "--yes"]);
    let begin = Instant::now();
    loop {
        let run: Value = serde_json::from_str(&bench.must(0, &["runs", "show", &id, "--output", "json"])).unwrap();
        match run["state"].as_str() {
            Some("reverted") => break,
            Some("reverting" | "done") => assert!(begin.elapsed() < LONG, "{run:#}"),
            _ => panic!("{run:#}"),
        }
    }
    let kafka = |name: &'static str| cutover::ports::kafka::Kafka::topic(administrator.as_ref(), name);
    assert_eq!(kafka("rights.unused").await.unwrap(), None, "taken back");
    let existing = kafka("rights.existing").await.unwrap().unwrap();
    assert_eq!(existing.configs.get("retention.ms").map(String::as_str), Some("3600000"), "as it was before");

    nothing_holds_a_secret(&bench).await;
}

/// Neither the state database nor what the server says holds a password.
async fn nothing_holds_a_secret(bench: &Bench) {
    let data = &bench.ground.data;
    let url = keeper::ensure_with(data, Path::new(PROGRAM)).await.unwrap().expose().to_owned();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'cutover'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert!(tables.len() > 5, "{tables:?}");
    let mut rows = 0;
    for table in tables {
        let sql = format!("select t::text from {table} t");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        rows += found.len();
        assert!(!found.iter().any(|row| row.contains(PASSWORD) || row.contains(SECRET)), "a row of {table} holds a secret");
    }
    assert!(rows > 20, "{rows} rows");
    let mut logs = 0;
    // Why not the stack's own file: there the tests' broker is told the passwords that it knows.
    let entries = fs::read_dir(data.path()).unwrap().flatten().filter(|entry| entry.path() != data.stack_file());
    for entry in entries.filter(|entry| entry.path().is_file()) {
        let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
        logs += usize::from(entry.path().extension().is_some_and(|extension| extension == "log"));
        assert!(!text.contains(PASSWORD) && !text.contains(SECRET), "{} holds a secret", entry.path().display());
    }
    assert!(logs > 0, "the server's log is there");
}
