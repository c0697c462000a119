//! `compare_http`: sends the same requests two ways and counts, field by field, in what the answers differ. It only reads, goes on after a
//! crash where it was, and always comes to an end. Values of answers are never kept.

mod differ;
mod play;
mod requests;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::tally::Tally;
use crate::step::pointer::mistake;
use crate::step::scalar::{Share, Span};
use crate::step::{
    ActContext, ByHand, Change, Claim, Evidence, FileRef, Kind, Length, Nature, OnUnknown, Operation, Plan, Receipt, Resource, Revert,
    Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote, variable,
};

/// Sends the same requests to two places and compares the answers: status, and every field of an answer in JSON. An answer that does not
/// come, that is an error of the server, or that is too long to compare makes the comparison unknown, and unknown never passes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareHttp {
    /// One way.
    pub left: Way,
    /// The other way.
    pub right: Way,
    /// How the requests are sent; `HEAD` compares the status alone.
    #[serde(default, skip_serializing_if = "Method::is_get")]
    pub method: Method,
    /// Paths that are asked for on both ways, when the two ways have no `path` of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10000))]
    pub paths: Vec<String>,
    /// Values of the placeholders, one map for each request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10000))]
    pub each: Vec<BTreeMap<String, Value>>,
    /// A query whose rows give the values of the placeholders, by the names of its columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Query>,
    /// A file of JSON lines, each an object with the values of the placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRef>,
    /// The status of an answer that can be compared; where neither way answers with it, nothing is known.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 499))]
    pub status: u16,
    /// Fields that may differ, as JSON pointers; `*` stands for any one part, and what lies below counts, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// The share of the requests that is sent, drawn anew in each run.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub share: Share,
    /// The most requests that are sent each way.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 100_000))]
    pub most: u32,
    /// The most requests per second, each way.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    pub per_second: u32,
    /// The share of the requests whose answers may differ; none when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Share>,
    /// How often a request is sent before its answers count as different or as missing: what is under way between the two comes to rest.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 20))]
    pub tries: u32,
    /// How long one answer may take.
    #[serde(default = "patience")]
    pub timeout: Span,
    /// How long all of it may take.
    #[serde(default = "ten_minutes")]
    pub within: Span,
    /// Placeholders whose values may be shown in the evidence; the others are told by a hash of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<String>,
}

/// One of the two ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Name of the service under `http` in `cutover.yaml`.
    pub http: String,
    /// Path and query, with placeholders such as `{id}`; left out when `paths` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "url-path"))]
    pub path: Option<String>,
}

/// Where values come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Name of the database in `cutover.yaml`.
    pub database: String,
    /// One `select`, with `$1`, `$2`, … where values of `binds` stand. It runs in a transaction that can only read.
    #[schemars(length(min = 1, max = 10000))]
    pub query: String,
    /// The values: texts, numbers, booleans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub binds: Vec<Value>,
}

/// How requests are sent: only ways that change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Asks for something.
    #[default]
    Get,
    /// Asks for everything but the thing itself.
    Head,
}

impl Method {
    // Why: serde hands a reference to what may be left out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_get(&self) -> bool {
        *self == Self::Get
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

fn ok() -> u16 {
    200
}

fn all() -> Share {
    Share::ALL
}

// Why: serde hands a reference to what may be left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_all(share: &Share) -> bool {
    *share == Share::ALL
}

fn thousand() -> u32 {
    1000
}

fn twenty() -> u32 {
    20
}

fn three() -> u32 {
    3
}

fn patience() -> Span {
    Span(Duration::from_secs(5))
}

fn ten_minutes() -> Span {
    Span(Duration::from_mins(10))
}

/// What is compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    what: String,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compare {
    what: String,
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "compare {}", self.what)
    }
}

impl CompareHttp {
    /// Whether so many differences are let pass.
    fn lets_pass(&self, different: u64, of: u64) -> bool {
        different * u64::from(Share::ALL.parts()) <= u64::from(self.at_most.map_or(0, Share::parts)) * of
    }

    fn limit(&self) -> String {
        self.at_most.map_or_else(|| "none differs".to_owned(), |share| format!("at most {share} differ"))
    }

    /// What the counts say.
    fn judge(&self, tally: &Tally) -> Result<String, String> {
        let (left, right) = (&self.left.http, &self.right.http);
        let Tally { compared, different, unknown, settled, .. } = tally;
        let counted = format!("{compared} of {} requests to {left} and {right} compared", tally.planned);
        if *unknown > 0 {
            return Err(format!("{counted}, and of {unknown} nothing is known: {}", tally.reasons()));
        }
        if let Some(why) = &tally.ended {
            return Err(format!("{counted}, {different} of them different; {why}{}", tally.fields_line()));
        }
        if *compared == 0 {
            return Err(format!("there was no request to compare {left} and {right} by, so nothing is known"));
        }
        let later = if *settled == 0 { String::new() } else { format!(", {settled} of them only when asked again") };
        if self.lets_pass(*different, *compared) {
            Ok(format!("{counted}, {different} different{later}; {}{}", self.limit(), tally.fields_line()))
        } else {
            Err(format!("{counted}, {different} different, where {}{}", self.limit(), tally.fields_line()))
        }
    }
}

impl StepKind for CompareHttp {
    const KIND: Kind = Kind {
        name: "compare_http",
        summary: "sends the same requests two ways and counts in which fields the answers differ",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[SystemKind::Http],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-compare-http
steps:
  - id: run
    deploy: {service: hiring, release: \"1.5\"}
  - id: same
    compare_http:
      left: {http: hiring, path: \"/{page}\"}
      right: {http: hiring, path: \"/{page}\"}
      each: [{page: version}]
      ignore: [/checked_at]
      at_most: 0.1%
      within: 30s
",
    };
    type Change = Comparison;
    type Act = Compare;

    fn resources(&self) -> Vec<Claim> {
        let way = |way: &Way| Claim::read(Resource::path(&way.http, way.path.as_deref().unwrap_or("/")));
        let mut claims = vec![way(&self.left), way(&self.right)];
        claims.extend(self.from.iter().map(|from| Claim::read(Resource::database(&from.database))));
        claims.dedup();
        claims
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut complaints = requests::complaints(self);
        complaints.extend(self.ignore.iter().enumerate().filter_map(|(at, text)| Some((format!("/ignore/{at}"), mistake(text)?))));
        let spans = [("/timeout", self.timeout), ("/within", self.within)];
        let none = spans.into_iter().filter(|(_, span)| span.0.is_zero());
        complaints.extend(none.map(|(place, _)| (place.to_owned(), "nothing answers within no time".to_owned())));
        complaints
    }

    fn files(&mut self) -> Vec<&mut FileRef> {
        self.file.iter_mut().collect()
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        // Why: that there are such systems is known before the run; what they answer is the step's own business.
        world.http(&self.left.http)?;
        world.http(&self.right.http)?;
        if let Some(from) = &self.from {
            world.database(&from.database)?;
        }
        Ok(View::default())
    }

    fn plan(&self, _: &View) -> Plan<Comparison> {
        if let Err(why) = requests::written(self) {
            return Plan::Impossible(why);
        }
        let (left, right) = (&self.left.http, &self.right.http);
        let share = if self.share == Share::ALL { String::new() } else { format!("{} of them, ", self.share) };
        let to = format!("{share}at most {}, {} a second each way; {}", self.most, self.per_second, self.limit());
        let what = format!("the answers of {left} and {right} to {} requests", self.method.as_str());
        // Why no effect: nothing is changed, and the act is there so that the place is kept.
        Plan::Change(Change { change: Comparison { what: format!("{what}: {to}") }, effects: Vec::new(), binding: Value::Null })
    }

    fn lengths(&self, _: Option<&Comparison>) -> Vec<Length> {
        vec![Length::at_most("all requests are answered", self.within)]
    }

    fn leave(&self, _: &Comparison, _: &mut View) {}

    fn acts(&self, change: &Comparison) -> Vec<Compare> {
        vec![Compare { what: change.what.clone() }]
    }

    async fn standing(&self, _: &ActContext, _: &Comparison, _: &Compare) -> Result<Standing, StepError> {
        // Why: it changes nothing, and goes on from its cursor.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, _: &Comparison, _: &Compare) -> Result<Receipt, StepError> {
        let tally = self.play(context).await?;
        let line = match self.judge(&tally) {
            Ok(line) | Err(line) => line,
        };
        Ok(Receipt::with(line, &tally))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Comparison>) -> Result<Verdict, StepError> {
        let Some(receipt) = context.receipts.first() else { return Ok(Verdict::Broken("nothing was compared".to_owned())) };
        let tally: Tally = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
        Ok(match self.judge(&tally) {
            Ok(line) => Verdict::Holds(Evidence::with(line, &tally)),
            Err(why) => Verdict::Broken(why),
        })
    }

    fn revert(&self, _: &Comparison, _: &[Receipt]) -> Revert {
        Revert::Nothing
    }

    fn by_hand(&self) -> ByHand {
        let ask = |way: &Way| {
            let url = format!("\"${}\"", variable(SystemKind::Http, &way.http));
            format!("curl -sS {url}{} | jq -S .", quote(way.path.as_deref().unwrap_or("/PATH")))
        };
        ByHand::new(format!("compare what {} and {} answer", self.left.http, self.right.http))
            .say("For some of the requests, with a value in place of each name in braces:")
            .run(format!("diff <({}) <({})", ask(&self.left), ask(&self.right)))
    }

    fn rights(&self) -> Vec<Right> {
        let connect = |from: &Query| Right::all(&Resource::database(&from.database), [Operation::Connect]);
        self.from.as_ref().map(connect).unwrap_or_default()
    }
}

/// What a person sees of the request that an example is about.
fn told(values: &BTreeMap<String, Value>, show: &[String], mark: &str) -> Value {
    let shown: BTreeMap<_, _> = values.iter().filter(|(name, _)| show.contains(name)).collect();
    if shown.is_empty() { json!(mark) } else { json!(shown) }
}
