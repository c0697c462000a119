//! Saved plans, ways back and runbooks on real Kafka, registry and Postgres, through the command line as people use it.

mod foreseen;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use cutover::engine::{Entry, JournalEntry, PlanDocument};
use cutover::stack::DataDir;
use cutover::step::ErasedPlan;
use cutover::store::{Store, StoreOptions};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use support::{PROGRAM, Servers, servers};
use uuid::Uuid;

/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_mins(1);

/// A secret that must be in no file.
const SECRET: &str = "correct-horse-battery";

/// A directory with a playbook, a state database of its own, and a server that the first command starts.
struct Bench {
    servers: &'static Servers,
    here: PathBuf,
    database: String,
    store: Store,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    async fn new(name: &str) -> Self {
        let servers = servers().await;
        let here = servers.directory.join(name);
        std::fs::create_dir_all(here.join("schemas")).unwrap();
        let main = Store::connect(&StoreOptions { url: servers.database.clone(), lease: LONG, connections: 1 }).unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(main.pool()).await.unwrap();
        let database = servers.database_named(name);
        let store = Store::connect(&StoreOptions { url: database.clone(), lease: LONG, connections: 2 }).unwrap();
        store.migrate().await.unwrap();
        let config = format!(
            "environments:\n  local:\n    approvals: self\n    kafka:\n      main: {{bootstrap: '{}'}}\n    registry:\n      main: {{url: '{}', basic: {{username: ann, password: 'env:PLANS_SECRET'}}}}\n",
            servers.stack.kafka.bootstrap, servers.stack.registry.url
        );
        std::fs::write(here.join("cutover.yaml"), config).unwrap();
        let own = |text: &str| {
            let text = text.replace("hello.greeting", &format!("hello.{name}")).replace("hello-readers", &format!("readers-{name}"));
            text.replace("hello-greetings", &format!("greetings-{name}"))
        };
        std::fs::write(here.join("hello.yaml"), own(include_str!("../playbooks/hello.yaml"))).unwrap();
        std::fs::write(here.join("services-hello.yaml"), own(include_str!("../playbooks/services-hello.yaml"))).unwrap();
        std::fs::write(here.join("schemas/greeting.v0.json"), include_str!("../playbooks/schemas/greeting.v0.json")).unwrap();
        Self { servers, here, database, store }
    }

    fn cutover(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--no-input", "--data"]).arg(self.here.join("data")).current_dir(&self.here);
        command.env("CUTOVER_DATABASE_URL", &self.database).env("PLANS_SECRET", SECRET).env("CUTOVER_BY", "ann").stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        self.end_server_with_tests();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    fn must(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.cutover(arguments);
        assert_eq!(said.code, code, "{arguments:?} said\n{}\n{}", said.out, said.err);
        said
    }

    fn end_server_with_tests(&self) {
        let data = DataDir::open(&self.here.join("data")).unwrap();
        if let Some(server) = data.read_server().unwrap() {
            self.servers.end_with_tests(&server.identity());
        }
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.here.join(file)).unwrap()
    }

    async fn only_run(&self) -> Uuid {
        let runs = self.store.runs(None, None, None, 10).await.unwrap();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].id
    }

    async fn journal(&self, run: Uuid) -> Vec<JournalEntry> {
        self.store.journal(run, 0, i64::MAX).await.unwrap()
    }

    async fn reach(&self, run: Uuid, state: &str) {
        let begun = Instant::now();
        loop {
            let row = self.store.run(run).await.unwrap().unwrap();
            if row.state == state {
                return;
            }
            assert!(begun.elapsed() < LONG, "the run is {}, not {state}: {:#?}", row.state, self.journal(run).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = Command::new(PROGRAM).args(["serve", "--stop", "--data"]).arg(self.here.join("data")).output();
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn is_read_only(path: &Path) -> bool {
    std::fs::metadata(path).unwrap().permissions().readonly()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_plan_is_applied_as_it_is_or_not_at_all_and_the_way_back_is_the_one_that_was_shown() {
    let bench = Bench::new("plans").await;

    // Saved once, without secrets, and never written over.
    let said = bench.must(0, &["plan", "hello.yaml", "--save", "hello.plan"]);
    assert!(
        said.out.contains("topic hello.plans: 3 partitions") && said.err.contains("next: cutover apply hello.plan"),
        "{}{}",
        said.out,
        said.err
    );
    let text = bench.read("hello.plan");
    assert!(!text.contains(SECRET) && text.contains("env:PLANS_SECRET") && is_read_only(&bench.here.join("hello.plan")));
    let said = bench.must(77, &["plan", "hello.yaml", "--save", "hello.plan"]);
    assert!(said.err.contains("hello.plan is there already"), "{}", said.err);
    let saved: Value = json(&text);
    let kept = bench.store.kept_plan(saved["id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((kept.hash.as_str(), kept.saved_by.as_str(), &kept.body), (saved["hash"].as_str().unwrap(), "ann", &saved));
    let plan: PlanDocument = serde_json::from_value(saved["plan"].clone()).unwrap();

    // Changed anywhere, it is refused with the place; made by a newer program, too.
    let at = text.lines().position(|line| line.contains("\"id\": \"switch\"")).expect("the line behind the one on which the step begins");
    std::fs::write(bench.here.join("changed.plan"), text.replace("\"to\": \"on\"", "\"to\": \"off\"")).unwrap();
    let said = bench.must(77, &["apply", "changed.plan", "--yes"]);
    assert!(said.err.contains(&format!("changed after it was saved: line {at}, plan, step 4")), "{}", said.err);
    std::fs::write(bench.here.join("newer.plan"), text.replace("\"program\": \"0.", "\"program\": \"99.")).unwrap();
    assert!(bench.must(78, &["apply", "newer.plan", "--yes"]).err.contains("use that version or a newer one"));
    assert_eq!(bench.must(64, &["apply", "hello.plan", "--yes", "--var", "topic=x"]).out, "");
    assert!(bench.store.runs(None, None, None, 10).await.unwrap().is_empty());

    // Shown without a warning as long as nothing has moved.
    let said = bench.must(0, &["show", "hello.plan"]);
    assert!(said.out.contains("topic hello.plans: 3 partitions") && !said.err.contains("stale"), "{}{}", said.out, said.err);

    // Applied exactly as it was foreseen.
    bench.must(0, &["apply", "hello.plan", "--yes"]);
    let run = bench.only_run().await;
    let journal = bench.journal(run).await;
    assert_eq!(foreseen::unforeseen(&plan.steps, &journal), Vec::<String>::new());

    // A second time the world is another one: refused before anything is journaled, and still shown.
    let said = bench.must(103, &["apply", "hello.plan", "--yes"]);
    assert!(said.err.contains("topic (create_topic)\n    foreseen: topic hello.plans: 3 partitions"), "{}", said.err);
    assert!(said.err.contains("    now:      already so: 3 partitions"), "{}", said.err);
    let stale: Value = json(&bench.must(103, &["apply", "hello.plan", "--yes", "-o", "json"]).out);
    let steps: Vec<&str> = stale["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!((stale["schema"].as_str(), steps), (Some("cutover.stale/1"), vec!["topic", "schema", "switch"]));
    assert_eq!((bench.only_run().await, bench.journal(run).await.len()), (run, journal.len()));
    let said = bench.must(0, &["show", "hello.plan"]);
    assert!(
        said.out.contains("topic hello.plans: 3 partitions") && said.err.contains("warning: this plan is stale"),
        "{}{}",
        said.out,
        said.err
    );

    // The way back that is shown is the one that is gone.
    let id = run.to_string();
    let back: PlanDocument = json(&bench.must(0, &["plan", "--revert", &id, "-o", "json"]).out);
    assert_eq!(back.reverts, Some(run));
    assert!(back.steps.iter().any(|step| matches!(&step.plan, ErasedPlan::Kept(why) if why.contains("has held 3 records"))), "{back:#?}");
    let said = bench.must(0, &["runs", "revert", &id, "--reason", "a test"]);
    assert!(said.out.contains("the way back of hello in local") && said.out.contains("stay as they are"), "{}", said.out);
    bench.reach(run, "reverted").await;
    let journal = bench.journal(run).await;
    assert_eq!(foreseen::unforeseen_back(&back.steps, &journal), Vec::<String>::new());
    assert!(journal.iter().any(|entry| matches!(entry.entry, Entry::RevertBegun { .. })));
    let said = bench.must(0, &["plan", "--revert", &id]);
    assert!(said.out.contains("nothing to take back") && said.err.contains("the run was taken back"), "{}{}", said.out, said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runbook_tells_the_way_back_by_hand() {
    let bench = Bench::new("runbook").await;
    bench.must(0, &["runbook", "hello.yaml", "--out", "hello.md"]);
    let text = bench.read("hello.md");
    for part in [
        "# The way back of hello in local, by hand",
        "  - [1. topic](#1-topic)",
        "## What this cannot know",
        "- registry main: `env:PLANS_SECRET`",
        "kafka-get-offsets.sh --bootstrap-server \"$KAFKA_MAIN\" --topic hello.runbook",
        "kafka-topics.sh --bootstrap-server \"$KAFKA_MAIN\" --delete --topic hello.runbook",
        "curl -fsS -X DELETE \"$REGISTRY_MAIN/subjects/hello.runbook-value/versions/1\"",
        "curl -fsS -X DELETE \"$REGISTRY_MAIN/config/hello.runbook-value\"",
        "insert into cutover.flag_revision",
        "3 events stay in hello.runbook",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let order: Vec<usize> =
        ["### 6. remark", "### 4. switch", "### 2. schema", "### 1. topic"].iter().map(|part| text.find(part).unwrap()).collect();
    assert!(order.is_sorted() && !text.contains(SECRET), "{text}");

    // The commands that need nothing but the state database do what they say.
    let sql = text
        .split("```sh\n")
        .filter_map(|block| block.split("\n```").next())
        .find(|block| block.contains("insert into cutover.flag_revision"));
    let next = r#"{"flags": {"greetings-runbook": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}"#;
    std::fs::write(bench.here.join("flags.next.json"), next).unwrap();
    let shell = Command::new("bash")
        .arg("-c")
        .arg(sql.expect("a command"))
        .current_dir(&bench.here)
        .env("CUTOVER_DATABASE_URL", &bench.database)
        .env("ENVIRONMENT", "local")
        .output()
        .unwrap();
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    let (revision, document) = bench.store.flag_document("local/main").await.unwrap();
    assert_eq!((revision, document), (1, json::<Value>(next)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_was_changed_by_hand_makes_a_plan_stale_and_an_offset_that_moves_does_not() {
    let bench = Bench::new("moving").await;
    bench.must(0, &["apply", "hello.yaml", "--yes"]);
    let second = "playbook: second
steps:
  - id: topic
    create_topic: {topic: hello.moving, partitions: 3, configs: {retention.ms: 604800000}}
  - id: drained
    drain_topic: {topic: hello.moving, groups: [readers-moving]}
  - id: quiet
    set_flag: {flag: greetings-moving, to: off}
";
    std::fs::write(bench.here.join("second.yaml"), second).unwrap();
    bench.must(0, &["plan", "second.yaml", "--save", "one.plan"]);
    bench.must(0, &["plan", "second.yaml", "--save", "two.plan"]);

    // Events that nobody has read yet: what the drain waits for has moved, and the plan says nothing of where.
    let hello = bench.read("hello.yaml");
    let (head, rest) = hello.split_once("steps:").unwrap();
    let greet = rest[rest.find("  - id: greet").unwrap()..rest.find("      seen_by").unwrap()].to_owned();
    std::fs::write(bench.here.join("more.yaml"), format!("{}steps:\n{greet}", head.replace("playbook: hello", "playbook: more"))).unwrap();
    bench.must(0, &["apply", "more.yaml", "--yes"]);
    let started: Value = json(&bench.must(0, &["apply", "one.plan", "--yes", "--detach", "-o", "json"]).out);
    bench.must(0, &["runs", "abort", started["id"].as_str().unwrap(), "--reason", "nobody reads"]);
    bench.reach(started["id"].as_str().unwrap().parse().unwrap(), "aborted").await;

    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bench.servers.stack.kafka.bootstrap.as_str()).create().unwrap();
    let config = AlterConfig::new(ResourceSpecifier::Topic("hello.moving")).set("retention.ms", "3600000");
    admin.alter_configs(&[config], &AdminOptions::new()).await.unwrap().pop().unwrap().unwrap();
    let said = bench.must(103, &["apply", "two.plan", "--yes"]);
    assert!(said.err.contains("topic (create_topic)") && said.err.contains("3600000"), "{}", said.err);
    let stale: Value = json(&bench.must(103, &["apply", "two.plan", "--yes", "-o", "json"]).out);
    assert_eq!(stale["steps"].as_array().unwrap().len(), 1, "{stale:#}");
}

/// A playbook that turns events on before their topic is there, and what the services declare.
const TOO_EARLY: &str = include_str!("it_check/playbooks/refused.yaml");
const DECLARED: &str = include_str!("it_check/playbooks/services.yaml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_comes_with_its_proof_and_what_would_break_runs_only_when_it_was_accepted_by_name() {
    let bench = Bench::new("proven").await;
    let own = |text: &str| text.replace("domain.candidate_attempt", "attempt.proven").replace("assign", "assign-proven");
    std::fs::write(bench.here.join("services.yaml"), own(DECLARED).replace("assign-proven_manager", "assign_manager")).unwrap();
    std::fs::write(
        bench.here.join("schemas/manager_assigned.v0.json"),
        include_str!("it_check/playbooks/schemas/manager_assigned.v0.json"),
    )
    .unwrap();
    let early = own(TOO_EARLY).replace("manager_assign-proven", "manager_assign");
    std::fs::write(bench.here.join("early.yaml"), &early).unwrap();

    // Shown with what would break, and not begun in any way.
    let said = bench.must(65, &["plan", "early.yaml"]);
    assert!(said.out.contains("proof: not proven, 2 things break") && said.out.contains("  d:attempt.proven  line 6"), "{}", said.out);
    assert!(said.err.contains("next: cutover check early.yaml --mend"), "{}", said.err);
    assert!(bench.must(65, &["apply", "early.yaml", "--yes"]).err.contains("would break 2 things, so nothing was started"));
    let said = bench.must(65, &["plan", "early.yaml", "--save", "early.plan"]);
    assert!(said.err.contains("would break d:attempt.proven, d:ManagerAssigned@0"), "{}", said.err);
    assert!(!bench.here.join("early.plan").exists());
    let plan: PlanDocument = json(&bench.must(65, &["plan", "early.yaml", "-o", "json"]).out);
    let proof = plan.proof.expect("a proof");
    assert!(!proof.proven && proof.violations.len() == 2, "{proof:#?}");
    let report: Value = json(&bench.must(0, &["report", "early.yaml", "-o", "json"]).out);
    assert_eq!(report["proof"]["sentence"], "2 things break on the way");
    assert!(bench.store.runs(None, None, None, 10).await.unwrap().is_empty());

    // Accepted by name with a reason, it runs; the plan, the journal and the report say so.
    let gaps = "accept:
  - {rule: d, subject: attempt.proven, reason: nobody assigns anybody before noon}
  - {rule: d, subject: ManagerAssigned@0, reason: the same}
steps:
";
    std::fs::write(bench.here.join("accepted.yaml"), early.replace("steps:\n", gaps)).unwrap();
    let said = bench.must(0, &["plan", "accepted.yaml", "--save", "accepted.plan"]);
    let told = "accepted: d:attempt.proven, because nobody assigns anybody before noon";
    assert!(said.out.contains("but for 2 gaps that were accepted") && said.out.contains(told), "{}", said.out);
    bench.must(0, &["apply", "accepted.plan", "--yes"]);
    let run = bench.only_run().await;
    let said = bench.must(0, &["log", &run.to_string()]);
    assert!(said.out.contains("d:attempt.proven may break, because nobody assigns anybody before noon"), "{}", said.out);
    let said = bench.must(0, &["report", &run.to_string()]);
    assert!(said.out.contains(told), "{}", said.out);

    // What the way back breaks, because sends may still be under way when their topic goes, is told and does not forbid it.
    let said = bench.must(0, &["plan", "--revert", &run.to_string()]);
    assert!(said.out.contains("proof: ") && !said.out.contains("a way back from every state"), "{}", said.out);
    let ordered = own(include_str!("it_check/playbooks/proven.yaml")).replace("manager_assign-proven", "manager_assign");
    std::fs::write(bench.here.join("ordered.yaml"), ordered).unwrap();
    bench.must(0, &["runs", "revert", &run.to_string(), "--reason", "to do it in order"]);
    bench.reach(run, "reverted").await;
    bench.must(0, &["apply", "ordered.yaml", "--yes"]);
    let ids: Vec<Uuid> = bench.store.runs(None, None, None, 10).await.unwrap().iter().map(|row| row.id).filter(|id| *id != run).collect();
    let back: PlanDocument = json(&bench.must(0, &["plan", "--revert", &ids[0].to_string(), "-o", "json"]).out);
    let proof = back.proof.expect("a proof");
    assert!(proof.violations.iter().any(|one| one.name() == "d:attempt.proven"), "{proof:#?}");

    // Without declarations nothing is proven, and the plan says how to declare them.
    std::fs::write(bench.here.join("bare.yaml"), "playbook: bare\nsteps:\n  - id: said\n    note: {text: nothing is declared}\n").unwrap();
    let said = bench.must(0, &["plan", "bare.yaml"]);
    assert!(said.out.contains("proof: nothing is proven") && said.out.contains("`services: services.yaml`"), "{}", said.out);
}
