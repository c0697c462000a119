//! Every kind of step on real systems: its example runs in a controller that is killed with SIGKILL at each journal write, before the
//! statement, after it, and after the act that waited for it. Another controller finishes the run, and the world must be the one of
//! the run that nobody disturbed.

mod ground;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover::adapters::flags::document_name;
use cutover::adapters::secret::{ProcessSecrets, Redactor};
use cutover::driver::{Driver, DriverOptions, NewRunRequest, RealWorlds, Worlds, plan_bundle, start_run};
use cutover::engine::{Command, Entry, Order};
use cutover::playbook::environment::{Config, Environment};
use cutover::playbook::{self, Bundle, Carried, Source};
use cutover::sim::child;
use cutover::stack::local::{self, StackAddresses};
use cutover::stack::progress::Silent;
use cutover::step::{Kind, World};
use cutover::steps;
use cutover::store::{Store, StoreOptions};
use ground::{Ground, PROGRAM, ground};
use serde_json::{Value, json};
use uuid::Uuid;

const LEASE: Duration = Duration::from_millis(500);
/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_secs(60);
/// How many kinds are tried at once.
const LANES: usize = 4;
const SIDES: [&str; 3] = ["before", "committed", "acted"];
const SCHEMA: &str = r#"{"type": "object", "properties": {"event_name": {"type": "string"}, "payload": {"type": "object"}}}"#;

/// What came of one kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It was killed there, and another controller finished the run.
    Finished,
    /// There is no such write, or no act behind it.
    NotReached,
}

/// A database with its controllers, one case after the other.
struct Lane {
    url: String,
    store: Store,
    worlds: Arc<RealWorlds>,
    environment: Environment,
}

/// A controller in a process of its own.
struct Controller(Child);

impl Controller {
    fn start(url: &str, crash: Option<&str>) -> Self {
        let mut command = Process::new(PROGRAM);
        command.arg("crash-child").env(child::URL, url).env(child::LEASE, LEASE.as_millis().to_string()).stdin(Stdio::piped());
        command.env_remove(child::CRASH).envs(crash.map(|crash| (child::CRASH, crash)));
        Self(command.spawn().unwrap())
    }

    /// Has it hand everything over, and waits for its end.
    fn dismiss(&mut self) -> Result<ExitStatus, String> {
        drop(self.0.stdin.take());
        self.0.wait().map_err(|error| error.to_string())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One example with names of its own.
struct Case {
    prefix: String,
    bundle: Bundle,
}

impl Case {
    fn new(example: &str, environment: &Environment) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("c{:04}", COUNT.fetch_add(1, Ordering::SeqCst));
        let text = example
            .replace("datarep.", &format!("{prefix}.datarep."))
            .replace("mistaken.", &format!("{prefix}.mistaken."))
            .replace("flag: exercise", &format!("flag: {prefix}.exercise"))
            .replace("group: probe", &format!("group: {prefix}.probe"));
        let files = Carried(BTreeMap::from([("schemas/exercise_changed.v0.json".to_owned(), Arc::from(SCHEMA))]));
        let source = Source::new("example.yaml", text.as_str());
        let (playbook, _) = playbook::read(&source, &BTreeMap::new(), &files).unwrap_or_else(|error| panic!("{}", error.plain()));
        Self { prefix, bundle: Bundle::pack(&source, &BTreeMap::new(), &playbook, environment.clone()) }
    }
}

impl Lane {
    async fn new(ground: &Ground, addresses: &StackAddresses) -> Self {
        let url = ground.database().await;
        let store = ground::store(&url, Duration::from_secs(5)).await;
        let config = format!(
            "environments:\n  local:\n    approvals: self\n    kafka: {{main: {{bootstrap: \"{}\"}}}}\n    registry: {{main: {{url: \"{}\"}}}}\n",
            addresses.kafka.bootstrap, addresses.registry.url
        );
        let config = Config::read("cutover.yaml", &config).unwrap_or_else(|error| panic!("{}", error.plain()));
        let environment = config.environment(None).unwrap_or_else(|error| panic!("{}", error.plain())).clone();
        let secrets = Arc::new(ProcessSecrets::new(Arc::new(Redactor::default())));
        let worlds = Arc::new(RealWorlds::new(store.clone(), secrets));
        Self { url, store, worlds, environment }
    }

    /// Runs an example, with a kill if one is asked for. What it left, and whether the kill came.
    async fn run(&self, example: &str, crash: Option<&str>) -> Result<(Value, Ending), String> {
        let case = Case::new(example, &self.environment);
        let (plan, _) = plan_bundle(&self.store, self.worlds.as_ref(), &case.bundle).await.map_err(|error| error.to_string())?;
        let request = NewRunRequest { id: Uuid::now_v7(), bundle: case.bundle.clone(), plan, by: "ada".to_owned(), yes: false };
        let run = start_run(&self.store, request).await.map_err(|error| error.to_string())?;
        let mut controller = Controller::start(&self.url, crash);
        let status = match self.watch(run, || controller.ended()).await? {
            Some(status) => status,
            // Why: the last write is seen here before the one who wrote it comes to its end, which may be the one that was asked for.
            None => controller.dismiss()?,
        };
        let ending = match status.signal() {
            None if status.success() => Ending::NotReached,
            Some(9) if crash.is_some() => Ending::Finished,
            _ => return Err(format!("the controller ended with {status}")),
        };
        if ending == Ending::Finished {
            let options = StoreOptions { url: self.url.clone(), lease: LEASE, connections: 6 };
            let store = Store::connect(&options).map_err(|error| error.to_string())?;
            let worlds: Arc<dyn Worlds> = Arc::clone(&self.worlds) as Arc<dyn Worlds>;
            let driver = Driver::start(DriverOptions { store, worlds, name: "survivor".to_owned(), crash: None }).await;
            let driver = driver.map_err(|error| error.to_string())?;
            let finished = self.watch(run, || None).await;
            driver.stop().await;
            finished?;
        }
        Ok((self.left(run, &case).await?, ending))
    }

    /// Waits until the run is done or its controller has ended, and answers what is asked meanwhile.
    async fn watch(&self, run: Uuid, mut ended: impl FnMut() -> Option<ExitStatus>) -> Result<Option<ExitStatus>, String> {
        let mut asked = BTreeSet::new();
        let wait = async {
            loop {
                let row = self.store.run(run).await.map_err(|error| error.to_string())?.ok_or("the run is gone")?;
                match row.state.as_str() {
                    "done" => return Ok(None),
                    "asking" => {
                        let journal = self.store.journal(run, 0, 1000).await.map_err(|error| error.to_string())?;
                        let last = journal.last().map_or(0, |entry| entry.seq);
                        if journal.last().is_some_and(|last| matches!(last.entry, Entry::Asked { .. })) && asked.insert(last) {
                            let evidence = Some("https://example.org/evidence".to_owned());
                            let order = Order { command: Command::Approve, by: "bob".to_owned(), reason: None, step: None, evidence };
                            self.store.say(run, &order).await.map_err(|error| error.to_string())?;
                        }
                    }
                    "pending" | "running" | "waiting" => {}
                    other => {
                        let journal = self.store.journal(run, 0, 1000).await.map_err(|error| error.to_string())?;
                        return Err(format!("the run is {other}: {:?}", journal.iter().rev().take(3).collect::<Vec<_>>()));
                    }
                }
                if let Some(status) = ended() {
                    return Ok(Some(status));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.map_err(|_| "the run does not come to an end".to_owned())?
    }

    /// Everything that the run left, without the names and ids that differ between cases.
    async fn left(&self, run: Uuid, case: &Case) -> Result<Value, String> {
        let world = self.worlds.world(&self.environment);
        let mut tries = 0;
        let left = loop {
            match look(&world, &self.store, &case.prefix).await {
                Ok(left) => break left,
                // Why: a coordinator that has just begun is not ready for every question.
                Err(_) if tries < 20 => tries += 1,
                Err(error) => return Err(error.to_string()),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let journal = self.store.journal(run, 0, 1000).await.map_err(|error| error.to_string())?;
        let done = journal.iter().filter(|entry| matches!(entry.entry, Entry::StepDone { .. })).count();
        let acts = journal.iter().filter(|entry| matches!(entry.entry, Entry::ActDone { .. })).count();
        let text = json!({ "world": left, "steps": done, "acts": acts }).to_string();
        let text = text.replace(&case.prefix, "c").replace(&run.to_string(), "run");
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

async fn look(world: &World, store: &Store, prefix: &str) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let (kafka, registry) = (world.kafka("main")?, world.registry("main")?);
    let mut topics = BTreeMap::new();
    for name in kafka.topics().await?.into_iter().filter(|name| name.starts_with(prefix)) {
        let Some(topic) = kafka.topic(&name).await? else { continue };
        let ends = kafka.ends(&name).await?;
        let ranges: Vec<_> =
            ends.iter().map(|ends| (cutover::ports::kafka::Position { partition: ends.partition, offset: ends.start }, ends.end)).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let records = kafka.read(&name, &ranges, Duration::from_secs(20)).await?;
        let records: Vec<_> = records
            .iter()
            .map(|record| {
                let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.clone(), text(value))).collect();
                json!({ "at": record.at, "key": record.key.as_deref().map(text), "headers": headers })
            })
            .collect();
        let committed = match records.as_slice() {
            [] => Vec::new(),
            _ => kafka.committed(&format!("{prefix}.probe"), &name).await?,
        };
        topics
            .insert(name, json!({ "partitions": topic.partitions, "configs": topic.configs, "records": records, "committed": committed }));
    }
    let mut subjects = BTreeMap::new();
    for name in registry.subjects().await?.into_iter().filter(|name| name.starts_with(prefix)) {
        let latest = registry.latest(&name).await?;
        let latest = latest.map(|latest| json!({ "version": latest.version, "text": latest.text }));
        subjects.insert(name.clone(), json!({ "latest": latest, "level": registry.level(&name).await? }));
    }
    let (_, document) = store.flag_document(&document_name("local", "main")).await?;
    let flags: BTreeMap<_, _> = document["flags"].as_object().into_iter().flatten().filter(|(name, _)| name.starts_with(prefix)).collect();
    let revisions: i64 =
        sqlx::query_scalar("select count(*) from flag_revision where starts_with(flag, $1)").bind(prefix).fetch_one(store.pool()).await?;
    Ok(json!({ "topics": topics, "subjects": subjects, "flags": flags, "revisions": revisions }))
}

/// One line of the table.
struct Line {
    kind: &'static str,
    write: u32,
    side: &'static str,
    outcome: Result<Ending, String>,
}

/// Kills a kind's example at every write, until there are no more.
async fn kill_everywhere(lane: &Lane, kind: &'static Kind, table: &Mutex<Vec<Line>>) {
    let tell = |write, side, outcome| table.lock().unwrap().push(Line { kind: kind.name, write, side, outcome });
    let golden = match lane.run(kind.example, None).await {
        Ok((golden, _)) => golden,
        Err(why) => {
            tell(0, "undisturbed", Err(why));
            return;
        }
    };
    for write in 1..=40 {
        for side in SIDES {
            // Why: two entries may share a statement or not, as time has it, so the number of writes varies a little.
            let mut outcome = Ok(Ending::NotReached);
            for _ in 0..if side == "acted" { 1 } else { 3 } {
                outcome = match lane.run(kind.example, Some(&format!("{side}:{write}"))).await {
                    Ok((left, ending)) if left == golden => Ok(ending),
                    Ok((left, _)) => Err(format!("the world is another one: {left} instead of {golden}")),
                    Err(why) => Err(why),
                };
                if outcome != Ok(Ending::NotReached) {
                    break;
                }
            }
            if side == "before" && outcome == Ok(Ending::NotReached) {
                return;
            }
            tell(write, side, outcome);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_may_be_killed_at_every_write() {
    let ground = ground();
    let addresses = match local::up(ground.data(), &mut Silent).await {
        Ok(addresses) => addresses,
        Err(error) => panic!("{error}"),
    };
    let only = std::env::var("CUTOVER_CRASH_KIND").ok();
    let kinds: VecDeque<_> = steps::KINDS.iter().filter(|kind| only.as_ref().is_none_or(|only| only == kind.name)).collect();
    let (queue, table) = (Mutex::new(kinds.clone()), Mutex::new(Vec::new()));
    let lanes = (0..LANES).map(|_| async {
        let lane = Lane::new(ground, &addresses).await;
        loop {
            let Some(kind) = queue.lock().unwrap().pop_front() else { return };
            kill_everywhere(&lane, kind, &table).await;
        }
    });
    futures_util::future::join_all(lanes).await;

    let table = table.into_inner().unwrap();
    let mut bad = Vec::new();
    for kind in kinds {
        let lines: Vec<_> = table.iter().filter(|line| line.kind == kind.name).collect();
        for line in &lines {
            let outcome = match &line.outcome {
                Ok(Ending::Finished) => "killed, finished by another, same world".to_owned(),
                Ok(Ending::NotReached) if line.side == "acted" => "no act waits for it".to_owned(),
                Ok(Ending::NotReached) => "not written apart from others this time".to_owned(),
                Err(why) => format!("BROKEN {why}"),
            };
            println!("{:<18} {:>2} {:<10} {outcome}", line.kind, line.write, line.side);
            let last = !lines.iter().any(|other| other.write > line.write);
            let missed = line.outcome == Ok(Ending::NotReached) && line.side == "committed" && !last;
            if line.outcome.is_err() || missed {
                bad.push(format!("{} {} {}: {outcome}", line.kind, line.write, line.side));
            }
        }
        if !lines.iter().any(|line| line.outcome == Ok(Ending::Finished)) {
            bad.push(format!("{} was never killed", kind.name));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
