//! Promises of a service's database.

use std::time::Duration;

use async_trait::async_trait;
use cutover::ports::PortError;
use cutover::ports::database::{Asked, Database, Question, Row};
use cutover::sim::SimDatabase;
use serde_json::{Value, json};

use super::fresh;

/// A database in which a test may make tables.
#[async_trait]
pub trait Tables: Database {
    /// Makes a table of these columns: (name, type, may be null), with this key.
    async fn create(&self, table: &str, columns: &[(&str, &str, bool)], key: &[&str]);

    /// Writes a row, over the one with the same key.
    async fn write(&self, table: &str, row: Value);
}

#[async_trait]
impl Tables for SimDatabase {
    async fn create(&self, table: &str, columns: &[(&str, &str, bool)], key: &[&str]) {
        SimDatabase::create(self, table, columns, key);
    }

    async fn write(&self, table: &str, row: Value) {
        self.put(table, row.as_object().unwrap().clone());
    }
}

const COLUMNS: [(&str, &str, bool); 4] =
    [("id", "bigint", false), ("title", "text", false), ("note", "text", true), ("version", "integer", false)];

async fn filled(database: &dyn Tables, count: i64) -> String {
    let table = fresh("exercise");
    database.create(&table, &COLUMNS, &["id"]).await;
    for id in (1..=count).rev() {
        database.write(&table, json!({ "id": id, "title": format!("Exercise {id}"), "note": null, "version": 1 })).await;
    }
    table
}

fn ids(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn is_invalid<T: std::fmt::Debug>(outcome: &Result<T, PortError>) {
    assert!(matches!(outcome, Err(PortError::Invalid { .. })), "{outcome:?}");
}

pub async fn a_table_is_shown_with_its_columns_and_key(database: &dyn Tables) {
    database.ping().await.unwrap();
    let table = filled(database, 0).await;
    let state = database.table(&table).await.unwrap().expect("the table");
    let columns: Vec<_> = state.columns.iter().map(|one| (one.name.as_str(), one.sql_type.as_str(), one.nullable)).collect();
    assert_eq!(columns, COLUMNS);
    assert_eq!(state.key, ["id"]);
    assert_eq!(database.table(&fresh("exercise")).await.unwrap(), None);
}

pub async fn rows_come_in_the_order_of_the_key_and_go_on_behind_it(database: &dyn Tables) {
    let table = filled(database, 12).await;
    assert_eq!(database.estimate(&table).await.unwrap(), 12);
    let first = database.rows(&table, None, 5).await.unwrap();
    assert_eq!(ids(&first), [1, 2, 3, 4, 5]);
    assert_eq!(Value::Object(first[0].clone()), json!({ "id": 1, "title": "Exercise 1", "note": null, "version": 1 }));
    assert_eq!(ids(&database.rows(&table, Some(&[json!(5)]), 100).await.unwrap()), [6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(database.rows(&table, Some(&[json!(12)]), 5).await.unwrap(), Vec::<Row>::new());
    database.write(&table, json!({ "id": 3, "title": "New", "note": "n", "version": 2 })).await;
    assert_eq!(database.rows(&table, Some(&[json!(2)]), 1).await.unwrap()[0]["version"], json!(2));
}

pub async fn rows_are_found_by_their_keys_as_they_are_now(database: &dyn Tables) {
    let table = filled(database, 5).await;
    let keys = [vec![json!(4)], vec![json!(2)], vec![json!(77)], vec![json!(4)]];
    assert_eq!(ids(&database.rows_of(&table, &keys).await.unwrap()), [2, 4], "in order, each once, and without what is not there");
    assert_eq!(database.rows_of(&table, &[]).await.unwrap(), Vec::<Row>::new());
}

pub async fn rows_are_counted_by_what_they_hold(database: &dyn Tables) {
    let table = filled(database, 5).await;
    let row = |text: Value| text.as_object().cloned().unwrap();
    assert_eq!(database.matching(&table, &row(json!({}))).await.unwrap(), 5);
    let some = database.rows(&table, None, 1).await.unwrap().remove(0);
    assert_eq!(database.matching(&table, &some).await.unwrap(), 1);
    assert_eq!(database.matching(&table, &row(json!({ "title": "nobody has it" }))).await.unwrap(), 0);
    is_invalid(&database.matching(&table, &row(json!({ "no_such_column": 1 }))).await);
    is_invalid(&database.matching(&fresh("exercise"), &some).await);
}

pub async fn a_key_may_have_several_columns(database: &dyn Tables) {
    let table = fresh("assignment");
    database
        .create(&table, &[("attempt", "integer", false), ("role", "text", false), ("version", "bigint", false)], &["attempt", "role"])
        .await;
    for (attempt, role) in [(2, "a"), (1, "b"), (1, "a"), (10, "a")] {
        database.write(&table, json!({ "attempt": attempt, "role": role, "version": 1 })).await;
    }
    let named = |rows: Vec<Row>| rows.iter().map(|row| format!("{}{}", row["attempt"], row["role"].as_str().unwrap())).collect::<Vec<_>>();
    assert_eq!(named(database.rows(&table, None, 10).await.unwrap()), ["1a", "1b", "2a", "10a"]);
    assert_eq!(named(database.rows(&table, Some(&[json!(1), json!("a")]), 2).await.unwrap()), ["1b", "2a"]);
    let keys = [vec![json!(10), json!("a")], vec![json!(1), json!("b")], vec![json!(2), json!("b")]];
    assert_eq!(named(database.rows_of(&table, &keys).await.unwrap()), ["1b", "10a"], "both columns count");
    assert_eq!(database.table(&table).await.unwrap().unwrap().key, ["attempt", "role"]);
    is_invalid(&database.rows(&table, Some(&[json!(1)]), 2).await);
    is_invalid(&database.rows_of(&table, &[vec![json!(1)]]).await);
}

pub async fn what_is_not_there_or_has_no_key_is_invalid(database: &dyn Tables) {
    let missing = fresh("exercise");
    is_invalid(&database.rows(&missing, None, 1).await);
    is_invalid(&database.rows_of(&missing, &[vec![json!(1)]]).await);
    is_invalid(&database.estimate(&missing).await);
    let heap = fresh("heap");
    database.create(&heap, &[("line", "text", true)], &[]).await;
    is_invalid(&database.rows(&heap, None, 1).await);
    assert_eq!(database.table(&heap).await.unwrap().unwrap().key, Vec::<String>::new());
}

fn question(query: String, binds: &[Value]) -> Question {
    Question { query, binds: binds.to_vec(), most: 3, timeout: Duration::from_secs(10) }
}

pub async fn a_query_gives_rows_by_binds_and_not_more_than_asked_for(database: &dyn Tables) {
    let table = filled(database, 5).await;
    let ask = async |query: String, binds: &[Value]| match database.ask(&question(query, binds)).await.unwrap() {
        Asked::Rows { columns, rows } => (columns.join(" "), rows),
        Asked::NotThere(what) => panic!("{what}"),
    };
    let (columns, rows) = ask(format!("select id, note, title from \"{table}\""), &[]).await;
    assert_eq!((columns.as_str(), rows.len()), ("id note title", 3), "no more than was asked for");
    assert!(rows.iter().all(|row| row[1] == Value::Null && row[2] == json!(format!("Exercise {}", row[0]))), "{rows:?}");
    let (_, rows) = ask(format!("select count(*) from \"{table}\""), &[]).await;
    assert_eq!(rows, [vec![json!(5)]]);
    assert_eq!(ask(format!("select title from \"{table}\" where id = $1"), &[json!(4)]).await.1, [vec![json!("Exercise 4")]]);
    assert_eq!(ask(format!("select id from \"{table}\" where title = $1"), &[json!("' or true --")]).await.1, Vec::<Vec<Value>>::new());
}

pub async fn what_a_query_names_may_not_be_there_yet(database: &dyn Tables) {
    let table = filled(database, 1).await;
    for query in [format!("select id from \"{}\"", fresh("nothing")), format!("select nothing from \"{table}\"")] {
        let asked = database.ask(&question(query, &[])).await.unwrap();
        assert!(matches!(&asked, Asked::NotThere(what) if what.contains("does not exist")), "{asked:?}");
    }
}

pub async fn what_is_no_query_is_invalid_and_changes_nothing(database: &dyn Tables) {
    let table = filled(database, 2).await;
    for query in [
        "selec 1".to_owned(),
        String::new(),
        format!("delete from \"{table}\""),
        format!("delete from \"{table}\" returning id"),
        format!("select id from \"{table}\"; delete from \"{table}\""),
        format!("select 1) as x; delete from \"{table}\"; --"),
    ] {
        is_invalid(&database.ask(&question(query, &[])).await);
    }
    assert_eq!(database.rows(&table, None, 10).await.unwrap().len(), 2);
}
