//! `sql`: one number, or a boolean, that a query gives.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Guard, GuardKind, limit};
use crate::ports::database::{Asked, Question};
use crate::step::scalar::Span;
use crate::step::{Claim, Operation, Reading, Resource, Right, StepError, World};

/// The one number, or the boolean, that a query gives: one row of one column. It is asked in a transaction that can only read. No row, a
/// null, and a table that is not there are never good; several rows, several columns and a text are a mistake of the query.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// Name of the database in `cutover.yaml`.
    pub database: String,
    /// One `select`, with `$1`, `$2`, … where values of `binds` stand.
    #[schemars(length(min = 1, max = 10000))]
    pub query: String,
    /// The values: texts, numbers, booleans. A column of another type wants a cast, as in `$1::text::uuid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bind>", length(max = 100))]
    pub binds: Vec<Value>,
    /// A number above this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// A number below this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// A boolean other than this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_be: Option<bool>,
    /// How long the query may run, at most 10s.
    #[serde(default = "patience")]
    pub timeout: Span,
}

/// A value that is bound.
#[derive(JsonSchema)]
#[schemars(inline, extend("type" = ["string", "number", "boolean"]))]
#[expect(dead_code, reason = "only its schema is used")]
struct Bind(Value);

fn patience() -> Span {
    Span(Duration::from_secs(5))
}

impl Sql {
    /// See [`GuardKind`].
    pub const KIND: GuardKind = GuardKind {
        name: "sql",
        summary: "a number or a boolean that a query gives",
        example: "sql: {database: hiring, query: 'select count(*) from failed_message where topic = $1', binds: [datarep.exercise], above: 0, then: hold}",
    };

    async fn ask(&self, world: &World) -> Result<Reading, StepError> {
        // Why two: whether there are several is all that is to be known.
        let question = Question { query: self.query.clone(), binds: self.binds.clone(), most: 2, timeout: self.timeout.0 };
        Ok(self.judge(&world.database(&self.database)?.ask(&question).await?))
    }

    fn judge(&self, asked: &Asked) -> Reading {
        let (columns, rows) = match asked {
            Asked::NotThere(what) => return Reading::NoData(what.clone()),
            Asked::Rows { columns, rows } => (columns, rows),
        };
        if columns.len() != 1 {
            return Reading::Failed(format!("the query gives {} columns ({}), and one is wanted", columns.len(), columns.join(", ")));
        }
        match rows.as_slice() {
            [] => Reading::NoData("the query gives no row".to_owned()),
            [row] => row.first().map_or_else(|| Reading::NoData("the query gives no value".to_owned()), |value| self.value(value)),
            _ => Reading::Failed("the query gives several rows, and one is wanted".to_owned()),
        }
    }

    fn value(&self, value: &Value) -> Reading {
        let number = match value {
            Value::Null => return Reading::NoData("the query gives null".to_owned()),
            // Why as texts: JSON has no words for them.
            Value::String(text) if text == "NaN" => return Reading::NoData("the query gives what is not a number".to_owned()),
            Value::String(text) if text == "Infinity" => Some(f64::INFINITY),
            Value::String(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
            value => value.as_f64(),
        };
        match (self.must_be, number, value.as_bool()) {
            (Some(wanted), _, Some(found)) => {
                Reading::Value { value: f64::from(u8::from(found)), good: found == wanted, line: found.to_string() }
            }
            (None, Some(value), _) => {
                Reading::Value { value, good: !limit::is_bad(value, self.above, self.below), line: value.to_string() }
            }
            (Some(_), _, None) => {
                Reading::Failed("the query gives no boolean, which `must_be` wants; compare in the query itself".to_owned())
            }
            (None, None, Some(_)) => Reading::Failed("the query gives a boolean; say `must_be: true` or `must_be: false`".to_owned()),
            (None, None, None) => Reading::Failed("the query gives neither a number nor a boolean".to_owned()),
        }
    }
}

#[async_trait]
impl Guard for Sql {
    fn kind(&self) -> &'static GuardKind {
        &Self::KIND
    }

    fn query(&self) -> String {
        format!("{} in {}", self.query.split_whitespace().collect::<Vec<_>>().join(" "), self.database)
    }

    fn limit(&self) -> String {
        let limit = limit::words(self.above, self.below);
        limit.or_else(|| self.must_be.map(|wanted| (!wanted).to_string())).unwrap_or_default()
    }

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::read(Resource::database(&self.database))]
    }

    fn rights(&self) -> Vec<Right> {
        // Why no more: what a query reads only the database itself knows, and a right that is missing is told before the run.
        Right::all(&Resource::database(&self.database), [Operation::Connect])
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let limits = [("above", self.above.is_some()), ("below", self.below.is_some()), ("must_be", self.must_be.is_some())];
        let mut complaints = limit::patience(self.timeout);
        complaints.extend(limit::complaints("sql", &limits));
        complaints
    }

    async fn ready(&self, world: &World) -> Result<(), StepError> {
        match self.ask(world).await? {
            Reading::Failed(why) => Err(StepError::Impossible(format!("guard sql {}: {why}", self.query()))),
            _ => Ok(()),
        }
    }

    async fn look(&self, world: &World) -> Result<Reading, StepError> {
        self.ask(world).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guard(limit: &Value) -> Sql {
        let mut body = json!({ "database": "hiring", "query": "select 1" });
        body.as_object_mut().unwrap().extend(limit.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn said(limit: &Value, rows: &[&[Value]]) -> (Option<bool>, String) {
        let columns = rows.first().map_or(1, |row| row.len());
        let columns = (0..columns).map(|at| format!("c{at}")).collect();
        match guard(limit).judge(&Asked::Rows { columns, rows: rows.iter().map(|row| row.to_vec()).collect() }) {
            Reading::Value { good, line, .. } => (Some(good), line),
            Reading::NoData(line) => (None, line),
            Reading::Failed(line) => (None, format!("failed: {line}")),
        }
    }

    #[test]
    fn one_value_is_held_against_its_limit() {
        let above = json!({ "above": 1 });
        assert_eq!(said(&above, &[&[json!(2)]]), (Some(false), "2".to_owned()));
        assert_eq!(said(&above, &[&[json!(1)]]).0, Some(true));
        assert_eq!(said(&above, &[&[json!("Infinity")]]).0, Some(false));
        assert_eq!(said(&json!({ "below": 1 }), &[&[json!(0.5)]]).0, Some(false));
        assert_eq!(said(&json!({ "must_be": true }), &[&[json!(false)]]), (Some(false), "false".to_owned()));
        assert_eq!(said(&json!({ "must_be": false }), &[&[json!(false)]]).0, Some(true));
    }

    #[test]
    fn what_is_not_known_is_never_good() {
        let above = json!({ "above": 1 });
        assert_eq!(said(&above, &[]), (None, "the query gives no row".to_owned()));
        assert_eq!(said(&above, &[&[Value::Null]]), (None, "the query gives null".to_owned()));
        assert_eq!(said(&above, &[&[json!("NaN")]]).0, None);
        assert!(matches!(guard(&above).judge(&Asked::NotThere("no table".to_owned())), Reading::NoData(_)));
        for wrong in [&[&[json!(0)][..], &[json!(0)]][..], &[&[json!(0), json!(0)]], &[&[json!("0")]], &[&[json!(true)]]] {
            assert!(said(&above, wrong).1.starts_with("failed: "), "{wrong:?}");
        }
        assert!(said(&json!({ "must_be": true }), &[&[json!(1)]]).1.starts_with("failed: "));
    }

    #[test]
    fn it_has_exactly_one_limit() {
        assert_eq!(guard(&json!({ "must_be": true })).complaints(), []);
        assert_eq!(guard(&json!({})).complaints()[0].0, "");
        assert_eq!(guard(&json!({ "above": 1, "must_be": true })).complaints()[0].0, "/must_be");
    }
}
