//! The state database on a real Postgres: what two connections may do to each other. Each race is shown in its naive form too, which
//! must fail, so that the test is known to force the interleaving.

mod ground;

use std::time::Duration;

use chrono::Utc;
use cutover::engine::command::Answer;
use cutover::engine::{Approvals, Command, Entry, Order, RunState};
use cutover::flags::Heartbeat;
use cutover::ports::flags::{FlagChange, FlagState};
use cutover::step::{Claim, Resource};
use cutover::store::flags::FlagWrite;
use cutover::store::heartbeats::Report;
use cutover::store::journal::{Batch, Hold, Moved, NewEntry, Wake};
use cutover::store::runs::NewRun;
use cutover::store::{Store, StoreError, StoreOptions, shard_of};
use ground::ground;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(5);
/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_mins(1);

/// A run on a fresh database, and the controller that holds its shard.
struct Bench {
    url: String,
    store: Store,
    owner: Uuid,
    run: Uuid,
    hold: Hold,
}

impl Bench {
    async fn new(lease: Duration) -> Self {
        let url = ground().database().await;
        let store = ground::store(&url, lease).await;
        let (owner, run) = (Uuid::now_v7(), Uuid::now_v7());
        store.enter(owner, "first").await.unwrap();
        let holds = store.claim(owner, &[], 256).await.unwrap();
        let hold = *holds.iter().find(|hold| hold.shard == shard_of(run)).unwrap();
        assert_eq!(store.start(&new_run(run, Vec::new())).await.unwrap(), []);
        Self { url, store, owner, run, hold }
    }

    /// A connection without any of the limits of the pool.
    async fn connection(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql("set search_path = cutover").execute(&mut connection).await.unwrap();
        connection
    }

    fn entry(&self, seq: i64) -> NewEntry {
        let (kind, body) = Entry::Paused { by: "ada".to_owned(), reason: None }.write().unwrap();
        NewEntry { run: self.run, hold: self.hold, seq, kind, body, at: Utc::now() }
    }

    async fn length(&self) -> usize {
        self.store.journal(self.run, 0, 1000).await.unwrap().len()
    }

    /// Waits until a statement of that connection waits for a lock.
    async fn blocked(&self, pid: i32) {
        let mut watcher = self.connection().await;
        let wait = async {
            loop {
                let waits: Option<bool> = sqlx::query_scalar("select wait_event_type = 'Lock' from pg_stat_activity where pid = $1")
                    .bind(pid)
                    .fetch_optional(&mut watcher)
                    .await
                    .unwrap()
                    .flatten();
                if waits == Some(true) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("nothing waits for a lock");
    }

    /// Waits until so many statements on this database wait for a lock.
    async fn waiting(&self, count: i64) {
        let mut watcher = self.connection().await;
        let wait = async {
            let ask = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            while sqlx::query_scalar::<_, i64>(ask).fetch_one(&mut watcher).await.unwrap() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("nothing waits for a lock");
    }
}

fn new_run(id: Uuid, claims: Vec<Claim>) -> NewRun {
    NewRun {
        id,
        playbook: "p".to_owned(),
        environment: "e".to_owned(),
        link: None,
        bundle_hash: "hash".to_owned(),
        bundle: json!({}),
        plan: json!({}),
        claims,
        by: "ada".to_owned(),
        entry: Entry::RunBegun { by: "ada".to_owned(), approvals: Approvals::Own, yes: false, accepted: Vec::new() },
    }
}

async fn pid(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(connection).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

fn insert(bench: &Bench, seq: i64, fence: &str) -> String {
    let Hold { shard, epoch } = bench.hold;
    format!(
        "with fence as materialized (select id, epoch from shard where id = {shard} and epoch = {epoch} {fence})
         insert into entry (run, seq, shard, epoch, kind, version, body, at)
         select '{}', {seq}, id, epoch, 'paused', 1, '{{\"by\": \"zombie\"}}', clock_timestamp() from fence",
        bench.run
    )
}

fn take_over(bench: &Bench) -> String {
    format!("update shard set epoch = epoch + 1, owner = '{}' where id = {}", Uuid::now_v7(), bench.hold.shard)
}

#[tokio::test]
async fn a_zombie_that_only_reads_the_epoch_writes_after_the_takeover_and_ours_does_not() {
    // Naive: the fence reads. The zombie's statement has passed, the takeover commits and reads the journal, then the zombie commits.
    let bench = Bench::new(LEASE).await;
    let (mut zombie, mut successor) = (bench.connection().await, bench.connection().await);
    execute(&mut zombie, format!("begin; {}", insert(&bench, 2, ""))).await;
    execute(&mut successor, take_over(&bench)).await;
    assert_eq!(bench.length().await, 1, "the successor goes on from here");
    execute(&mut zombie, "commit".to_owned()).await;
    assert_eq!(bench.length().await, 2, "the naive form does not show the race any more");

    // Ours, the zombie first: the takeover waits and sees its row.
    let bench = Bench::new(LEASE).await;
    let (mut zombie, mut successor) = (bench.connection().await, bench.connection().await);
    execute(&mut zombie, format!("begin; {}", insert(&bench, 2, "for key share"))).await;
    let (waiting, sql) = (pid(&mut successor).await, take_over(&bench));
    let takeover = tokio::spawn(async move { execute(&mut successor, sql).await });
    bench.blocked(waiting).await;
    let other = Uuid::now_v7();
    bench.store.enter(other, "second").await.unwrap();
    bench.store.leave(bench.owner).await.unwrap();
    let claimed = bench.store.claim(other, &[], 256).await.unwrap();
    assert!(claimed.len() == 255 && claimed.iter().all(|hold| hold.shard != bench.hold.shard), "a claim passes over it and does not wait");
    execute(&mut zombie, "commit".to_owned()).await;
    takeover.await.unwrap();
    assert_eq!(bench.length().await, 2);

    // Ours, the takeover first: the zombie waits and writes nothing.
    let bench = Bench::new(LEASE).await;
    let mut successor = bench.connection().await;
    execute(&mut successor, format!("begin; {}", take_over(&bench))).await;
    let (store, entry) = (bench.store.clone(), bench.entry(2));
    let zombie = tokio::spawn(async move { store.write(&Batch { entries: vec![entry], ..Batch::default() }).await });
    let mut watcher = bench.connection().await;
    let writer = async {
        loop {
            let found: Option<i32> =
                sqlx::query_scalar("select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%with fence%'")
                    .fetch_optional(&mut watcher)
                    .await
                    .unwrap();
            if found.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, writer).await.expect("the zombie does not wait");
    execute(&mut successor, "commit".to_owned()).await;
    assert_eq!(zombie.await.unwrap().unwrap().lost, [bench.hold.shard]);
    assert_eq!(bench.length().await, 1);
}

#[tokio::test]
async fn a_command_that_updates_the_run_directly_is_overtaken_and_one_in_the_inbox_is_not() {
    // Naive: the journal insert checks the run's state, an abort changes it and is acknowledged, then the insert commits.
    let bench = Bench::new(LEASE).await;
    let (mut holder, mut person) = (bench.connection().await, bench.connection().await);
    let guarded = format!(
        "begin; with r as (select id from run where id = '{}' and state <> 'aborted' for key share)
         insert into entry (run, seq, shard, epoch, kind, version, body, at)
         select id, 2, {}, {}, 'paused', 1, '{{\"by\": \"holder\"}}', clock_timestamp() from r",
        bench.run, bench.hold.shard, bench.hold.epoch
    );
    execute(&mut holder, guarded).await;
    execute(&mut person, format!("update run set state = 'aborted' where id = '{}'", bench.run)).await;
    assert_eq!(bench.length().await, 1, "the abort is acknowledged");
    execute(&mut holder, "commit".to_owned()).await;
    assert_eq!(bench.length().await, 2, "the naive form does not show the race any more");

    // Ours: the order lies in the inbox; who holds the shard journals what follows from it and the answer in one statement.
    let bench = Bench::new(LEASE).await;
    let order = Order { command: Command::Abort, by: "bob".to_owned(), reason: None, step: None, evidence: None };
    let said = bench.store.say(bench.run, &order).await.unwrap();
    bench.store.write(&Batch { entries: vec![bench.entry(2)], ..Batch::default() }).await.unwrap();
    assert_eq!(bench.store.answer(said).await.unwrap(), None, "nothing is acknowledged before it is in the journal");
    let polled = bench.store.poll(bench.owner, &[bench.hold.shard], &[], 10).await.unwrap();
    assert_eq!(polled.orders.len(), 1);
    assert_eq!(polled.orders[0].3.as_ref().unwrap(), &order);
    let answer = Answer { taken: true, text: "stops".to_owned(), state: RunState::Running };
    let obeyed = |hold| Batch {
        entries: vec![NewEntry { hold, ..bench.entry(3) }],
        moved: vec![Moved { run: bench.run, hold, state: RunState::Aborted, wake: Wake::Over }],
        answers: vec![(said, hold, answer.clone())],
    };
    let stale = Hold { epoch: bench.hold.epoch - 1, ..bench.hold };
    assert_eq!(bench.store.write(&obeyed(stale)).await.unwrap().lost, [bench.hold.shard]);
    assert_eq!((bench.length().await, bench.store.answer(said).await.unwrap()), (2, None), "all or nothing");
    assert_eq!(bench.store.run(bench.run).await.unwrap().unwrap().state, "pending");
    assert_eq!(bench.store.write(&obeyed(bench.hold)).await.unwrap().lost, Vec::<i16>::new());
    assert_eq!((bench.length().await, bench.store.answer(said).await.unwrap()), (3, Some(answer)));
    let row = bench.store.run(bench.run).await.unwrap().unwrap();
    assert!(row.state == "aborted" && row.ended_at.is_some());
}

#[tokio::test]
async fn an_open_transaction_holds_a_takeover_up_and_the_pools_limits_end_it() {
    // Naive: begin, fenced insert, and then nothing: the takeover waits as long as that transaction likes.
    let bench = Bench::new(LEASE).await;
    let (mut stalled, mut successor) = (bench.connection().await, bench.connection().await);
    execute(&mut stalled, format!("begin; {}", insert(&bench, 2, "for key share"))).await;
    let (waiting, sql) = (pid(&mut successor).await, take_over(&bench));
    let takeover = tokio::spawn(async move { execute(&mut successor, sql).await });
    bench.blocked(waiting).await;
    assert!(!takeover.is_finished());
    drop(stalled);
    takeover.await.unwrap();

    // Ours: the same on a connection of the pool. The server ends it, and nobody has to do anything for the takeover to go on.
    let bench = Bench::new(Duration::from_secs(1)).await;
    let mut stalled = bench.store.pool().acquire().await.unwrap();
    execute(&mut stalled, format!("begin; {}", insert(&bench, 2, "for key share"))).await;
    let mut successor = bench.connection().await;
    let sql = take_over(&bench);
    tokio::time::timeout(LONG, execute(&mut successor, sql)).await.expect("the takeover is held up");
    assert_eq!(bench.length().await, 1, "what was not committed is not there");
    assert!(sqlx::query("commit").execute(&mut *stalled).await.is_err(), "the connection lives");
    for setting in ["statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout", "tcp_user_timeout"] {
        let sql = format!("select setting::bigint from pg_settings where name = '{setting}'");
        let millis: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(bench.store.pool()).await.unwrap();
        assert!(millis > 0 && millis < 1000, "{setting} is {millis} ms, the lease 1000");
    }
}

#[tokio::test]
async fn a_batch_that_is_written_twice_is_there_once() {
    let bench = Bench::new(LEASE).await;
    let said = bench.store.say(bench.run, &pause()).await.unwrap();
    let answer = Answer { taken: true, text: "once".to_owned(), state: RunState::Running };
    let batch =
        Batch { entries: vec![bench.entry(2), bench.entry(3)], moved: Vec::new(), answers: vec![(said, bench.hold, answer.clone())] };
    for _ in 0..2 {
        assert_eq!(bench.store.write(&batch).await.unwrap().lost, Vec::<i16>::new());
    }
    let other = Answer { text: "twice".to_owned(), ..answer.clone() };
    bench.store.write(&Batch { answers: vec![(said, bench.hold, other)], ..Batch::default() }).await.unwrap();
    assert_eq!((bench.length().await, bench.store.answer(said).await.unwrap()), (3, Some(answer)));
}

#[tokio::test]
async fn a_lost_shard_is_told_and_the_others_are_written() {
    let bench = Bench::new(LEASE).await;
    let mut other = Uuid::now_v7();
    while shard_of(other) == bench.hold.shard {
        other = Uuid::now_v7();
    }
    bench.store.start(&new_run(other, Vec::new())).await.unwrap();
    let kept = Hold { shard: shard_of(other), epoch: bench.hold.epoch };
    let mut successor = bench.connection().await;
    execute(&mut successor, take_over(&bench)).await;
    let batch = Batch { entries: vec![bench.entry(2), NewEntry { run: other, hold: kept, ..bench.entry(2) }], ..Batch::default() };
    assert_eq!(bench.store.write(&batch).await.unwrap().lost, [bench.hold.shard]);
    assert_eq!((bench.length().await, bench.store.journal(other, 0, 9).await.unwrap().len()), (1, 2));
}

fn pause() -> Order {
    Order { command: Command::Pause, by: "bob".to_owned(), reason: None, step: None, evidence: None }
}

#[tokio::test]
async fn leases_end_and_shards_have_one_owner() {
    let bench = Bench::new(LEASE).await;
    assert!(bench.store.renew(bench.owner).await.unwrap().is_some());
    let other = Uuid::now_v7();
    bench.store.enter(other, "second").await.unwrap();
    assert_eq!(bench.store.claim(other, &[], 256).await.unwrap(), [], "the owner lives");
    assert_eq!(bench.store.renew(bench.owner).await.unwrap().unwrap().controllers, 2);
    let mut connection = bench.connection().await;
    execute(&mut connection, format!("update controller set lease_until = clock_timestamp() where id = '{}'", bench.owner)).await;
    assert_eq!(bench.store.renew(bench.owner).await.unwrap(), None, "a lease that has run out is not renewed");

    // Again and again, for two claims must meet in the middle of each other.
    for round in 1..=20 {
        let claims = (0..8).map(|_| {
            let store = bench.store.clone();
            async move {
                let id = Uuid::now_v7();
                store.enter(id, "one of many").await.unwrap();
                store.claim(id, &[], 64).await.unwrap()
            }
        });
        let claims = futures_util::future::join_all(claims).await;
        let mut taken: Vec<i16> = claims.iter().flatten().map(|hold| hold.shard).collect();
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count, "two controllers hold the same shard");
        assert!(claims.iter().all(|holds| holds.len() <= 64) && count > 0, "{count} of 256 were claimed");
        assert!(claims.iter().flatten().all(|hold| hold.epoch <= bench.hold.epoch + round));
        execute(&mut connection, "update controller set lease_until = clock_timestamp()".to_owned()).await;
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_made_again() {
    let bench = Bench::new(LEASE).await;
    let (known, lost) = (bench.hold.shard, (bench.hold.shard + 1) % 256);
    let held: Vec<i16> = (0..256).filter(|shard| *shard != lost).collect();
    assert!(bench.store.poll(bench.owner, &held, &[], 1).await.unwrap().claimable);
    let again = bench.store.claim(bench.owner, &held, 256).await.unwrap();
    assert_eq!(again, [Hold { shard: lost, epoch: bench.hold.epoch + 1 }]);
    // What is given back late, after it was claimed again, stays.
    bench.store.release(bench.owner, &[Hold { shard: lost, epoch: bench.hold.epoch }]).await.unwrap();
    let all: Vec<i16> = (0..256).collect();
    assert!(!bench.store.poll(bench.owner, &all, &[], 1).await.unwrap().claimable);
    bench.store.release(bench.owner, &[Hold { shard: known, epoch: bench.hold.epoch }]).await.unwrap();
    assert!(bench.store.poll(bench.owner, &all, &[], 1).await.unwrap().claimable);
}

#[tokio::test]
async fn giving_back_and_leaving_at_once_do_not_wait_for_each_other_in_a_ring() {
    let bench = Bench::new(LEASE).await;
    let (mut gate, mut up, mut down) = (bench.connection().await, bench.connection().await, bench.connection().await);
    let shut = "begin; select from shard where id = 128 for no key update".to_owned();
    // Two that take the same rows from both ends meet in the middle.
    execute(&mut gate, shut.clone()).await;
    let naive = |order: &str| {
        format!(
            "with mine as materialized (select id from shard order by id {order} for no key update)
             update shard s set owner = owner from mine where s.id = mine.id"
        )
    };
    let [one, two] = ["asc", "desc"].map(naive).map(sqlx::AssertSqlSafe);
    let (one, two, ()) = tokio::join!(sqlx::raw_sql(one).execute(&mut up), sqlx::raw_sql(two).execute(&mut down), async {
        bench.waiting(2).await;
        execute(&mut gate, "commit".to_owned()).await;
    });
    assert!(one.is_err() != two.is_err(), "the naive form must fail: {one:?}, {two:?}");

    execute(&mut gate, shut).await;
    let backwards: Vec<Hold> = (0..256).rev().map(|shard| Hold { shard, ..bench.hold }).collect();
    let (left, given, ()) = tokio::join!(bench.store.leave(bench.owner), bench.store.release(bench.owner, &backwards), async {
        bench.waiting(2).await;
        execute(&mut gate, "commit".to_owned()).await;
    });
    left.unwrap();
    given.unwrap();
    let owned: i64 = sqlx::query_scalar("select count(*) from shard where owner is not null").fetch_one(&mut gate).await.unwrap();
    assert_eq!(owned, 0);
}

#[tokio::test]
async fn claims_are_taken_all_or_none_and_freed_at_the_end() {
    let bench = Bench::new(LEASE).await;
    let topic = |name: &str| Resource::topic("main", name);
    let start = |claims: Vec<Claim>| {
        let store = bench.store.clone();
        async move {
            let id = Uuid::now_v7();
            (id, store.start(&new_run(id, claims)).await.unwrap())
        }
    };
    let (first, taken) = start(vec![Claim::write(topic("a")), Claim::read(topic("b"))]).await;
    assert_eq!(taken, []);
    let (second, taken) = start(vec![Claim::read(topic("b")), Claim::write(topic("c"))]).await;
    assert_eq!(taken, [], "many may read");
    let (third, taken) = start(vec![Claim::write(topic("z")), Claim::write(topic("c")), Claim::read(topic("a"))]).await;
    assert_eq!(taken.iter().map(|taken| taken.run).collect::<Vec<_>>(), [first, second], "{taken:?}");
    assert!(bench.store.run(third).await.unwrap().is_none() && bench.store.held_by(third).await.unwrap().is_empty());
    let hold = Hold { shard: shard_of(first), epoch: bench.hold.epoch };
    let over = Moved { run: first, hold, state: RunState::Done, wake: Wake::Over };
    bench.store.write(&Batch { moved: vec![over], ..Batch::default() }).await.unwrap();
    assert!(bench.store.held_by(first).await.unwrap().is_empty());
    assert_eq!(start(vec![Claim::write(topic("a"))]).await.1, []);
    assert_eq!(bench.store.claim_again(first, "e", &[Claim::write(topic("a"))]).await.unwrap().len(), 1);

    // Crossing sets at once: exactly one gets both, whatever the order in which they are named.
    for round in 0..10 {
        let (x, y) = (topic(&format!("x{round}")), topic(&format!("y{round}")));
        let (one, other) =
            tokio::join!(start(vec![Claim::write(x.clone()), Claim::write(y.clone())]), start(vec![Claim::write(y), Claim::write(x)]));
        assert_eq!(usize::from(one.1.is_empty()) + usize::from(other.1.is_empty()), 1, "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn a_run_is_started_once_per_id() {
    let bench = Bench::new(LEASE).await;
    let id = Uuid::now_v7();
    let run = new_run(id, vec![Claim::write(Resource::topic("main", "once"))]);
    let (one, other) = tokio::join!(bench.store.start(&run), bench.store.start(&run));
    assert_eq!((one.unwrap(), other.unwrap(), bench.store.start(&run).await.unwrap()), (vec![], vec![], vec![]));
    assert_eq!(bench.store.journal(id, 0, 9).await.unwrap().len(), 1);
    assert_eq!(bench.store.held_by(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn flags_change_once_per_key_and_only_from_what_was_planned_on() {
    let bench = Bench::new(LEASE).await;
    let state = |variant: &str| FlagState {
        enabled: true,
        variants: [("on".to_owned(), json!(true)), ("off".to_owned(), json!(false))].into(),
        default_variant: Some(variant.to_owned()),
        targeting: None,
    };
    let change = |key: &str, flag: &str, before: Option<&str>, after: &str| FlagChange {
        key: key.to_owned(),
        flag: flag.to_owned(),
        before: before.map(state),
        after: Some(state(after)),
    };
    let first = change("run/a", "f", None, "on");
    let (one, other) = tokio::join!(bench.store.write_flag("s", &first), bench.store.write_flag("s", &first));
    assert_eq!((one.unwrap(), other.unwrap()), (FlagWrite::Made(1), FlagWrite::Made(1)));
    for round in 2..30 {
        let change = change(&format!("run/{round}"), &format!("g{round}"), None, "on");
        let (one, other) = tokio::join!(bench.store.write_flag("s", &change), bench.store.write_flag("s", &change));
        assert_eq!((one.unwrap(), other.unwrap()), (FlagWrite::Made(round), FlagWrite::Made(round)));
    }
    assert_eq!(bench.store.flag_revision_of("s", "run/a").await.unwrap(), Some(1));
    let refused = bench.store.write_flag("s", &change("run/b", "f", None, "off")).await.unwrap();
    assert_eq!(refused, FlagWrite::Differs(Box::new(Some(state("on")))));
    let writes = (0..12).map(|at| {
        let (store, change) = (bench.store.clone(), change(&format!("k{at}"), &format!("f{at}"), None, "on"));
        async move { store.write_flag("s", &change).await.unwrap() }
    });
    let mut made: Vec<i64> = futures_util::future::join_all(writes)
        .await
        .into_iter()
        .map(|write| if let FlagWrite::Made(revision) = write { revision } else { panic!("{write:?}") })
        .collect();
    made.sort_unstable();
    assert_eq!(made, (30..=41).collect::<Vec<_>>());
    assert_eq!(bench.store.flag_document("s").await.unwrap().1["flags"].as_object().unwrap().len(), 41);
}

#[tokio::test]
async fn the_schema_is_made_from_nothing_and_a_newer_one_is_refused() {
    let url = ground().database().await;
    let connect = || Store::connect(&StoreOptions { url: url.clone(), lease: LEASE, connections: 4 }).unwrap();
    let (one, other) = (connect(), connect());
    assert_eq!(one.schema().await.unwrap().found, 0);
    assert!(matches!(one.require_schema().await, Err(StoreError::Older { found: 0, .. })));
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    for _ in 0..5 {
        sqlx::raw_sql("drop schema cutover cascade").execute(one.pool()).await.unwrap();
        let (first, second) = tokio::join!(one.migrate(), other.migrate());
        first.unwrap();
        second.unwrap();
    }
    one.require_schema().await.unwrap();
    one.migrate().await.unwrap();
    let sql = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '', 0)";
    sqlx::query(sql).execute(one.pool()).await.unwrap();
    assert!(matches!(one.migrate().await, Err(StoreError::Newer { found: 9999, .. })));
    assert!(matches!(one.require_schema().await, Err(StoreError::Newer { found: 9999, .. })));
}

#[tokio::test]
async fn what_does_not_read_back_harms_nobody_else() {
    let bench = Bench::new(LEASE).await;
    let other = Uuid::now_v7();
    bench.store.start(&new_run(other, Vec::new())).await.unwrap();
    let mut connection = bench.connection().await;
    execute(&mut connection, format!("update entry set version = version + 1 where run = '{}'", bench.run)).await;
    let error = bench.store.journal(bench.run, 0, 9).await.unwrap_err().to_string();
    assert!(error.contains("newer cutover (version 2)"), "{error}");
    let journals = bench.store.journals(&[bench.run, other]).await.unwrap();
    let good: Vec<_> = journals.iter().filter(|(_, entry)| entry.is_ok()).map(|(run, _)| *run).collect();
    assert_eq!((journals.len(), good), (2, vec![other]));

    bench.store.say(bench.run, &pause()).await.unwrap();
    execute(&mut connection, "update inbox set body = '{\"command\": \"dance\", \"by\": \"bob\"}'".to_owned()).await;
    bench.store.say(other, &pause()).await.unwrap();
    let all: Vec<i16> = (0..256).collect();
    let polled = bench.store.poll(bench.owner, &all, &[], 10).await.unwrap();
    assert_eq!(polled.due.len(), 2);
    assert!(polled.orders[0].3.as_ref().is_err_and(|why| why.contains("dance")), "{:?}", polled.orders);
    assert_eq!(polled.orders[1].3.as_ref().unwrap(), &pause());
}

#[tokio::test]
async fn a_report_ages_by_the_databases_clock_and_is_forgotten_after_a_day() {
    let bench = Bench::new(LEASE).await;
    let heartbeat = |instance: &str| Heartbeat {
        environment: "local".to_owned(),
        store: "main".to_owned(),
        service: "hiring".to_owned(),
        instance: instance.to_owned(),
        release: "1.5".to_owned(),
        revision: 0,
        oldest: 0,
        flags: None,
        ending: false,
    };
    let age = async |instance: &str, interval: &str| {
        let sql = "update cutover.heartbeat set at = clock_timestamp() - $2::interval where instance = $1";
        sqlx::query(sql).bind(instance).bind(interval).execute(bench.store.pool()).await.unwrap();
    };
    let kept = async || sqlx::query_scalar::<_, i64>("select count(*) from heartbeat").fetch_one(bench.store.pool()).await.unwrap();
    for instance in ["minute", "hours", "days"] {
        assert_eq!(bench.store.keep_heartbeat("local/main", &heartbeat(instance)).await.unwrap(), Report::Kept);
    }
    for (instance, interval) in [("minute", "1 minute"), ("hours", "23 hours"), ("days", "25 hours")] {
        age(instance, interval).await;
    }
    let listeners = bench.store.listeners("local", "main").await.unwrap();
    let ages: Vec<_> = listeners.iter().map(|one| (one.instance.as_str(), one.age >= Duration::from_mins(1))).collect();
    assert_eq!(ages, [("hours", true), ("minute", true)]);
    assert!(listeners[0].age >= Duration::from_hours(23) && listeners[1].age < Duration::from_hours(1), "{listeners:?}");
    assert_eq!(bench.store.listeners("local", "other").await.unwrap(), []);
    assert_eq!(kept().await, 3);
    bench.store.keep_heartbeat("local/main", &heartbeat("hours")).await.unwrap();
    assert_eq!(kept().await, 3, "nobody new came");
    bench.store.keep_heartbeat("local/main", &heartbeat("fresh")).await.unwrap();
    assert_eq!(kept().await, 3, "the one of yesterday is gone");
    let future = Heartbeat { revision: 1, ..heartbeat("fresh") };
    assert_eq!(bench.store.keep_heartbeat("local/main", &future).await.unwrap(), Report::FromTheFuture(0));
}
