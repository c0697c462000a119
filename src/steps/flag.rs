//! What the kinds that change flags share: checks of variants, words for a flag's state, and who has acknowledged a revision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::common::{literal, state_sql};
use crate::flags::acknowledge::{Acknowledgement, Notice, Running, acknowledgement};
use crate::flags::evaluated::{Evaluators, evaluators};
use crate::ports::flags::{FlagState, Listener};
use crate::step::{ActContext, ByHand, Receipt, Revert, StepError, Verdict, World, quote};

/// When to look again whether somebody has acknowledged: most do within a blink, and whoever does not is not asked without end.
fn soon(context: &ActContext) -> Duration {
    let passed = (context.now - context.rests_since).to_std().unwrap_or_default();
    (passed / 4).clamp(Duration::from_millis(60), Duration::from_secs(1))
}

/// What is wrong with variants, and with the fields that name one of them, each with the place of it.
pub(super) fn complaints(variants: &BTreeMap<String, Value>, named: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut complaints = Vec::new();
    let mut types = variants.values().map(type_of);
    if let Some(first) = types.next()
        && types.any(|other| other != first)
    {
        complaints.push(("/variants".to_owned(), "all variants of a flag must be of one type".to_owned()));
    }
    if variants.values().any(|value| matches!(value, Value::Null | Value::Array(_))) {
        complaints.push(("/variants".to_owned(), "a variant is a boolean, a text, a number or an object".to_owned()));
    }
    // Why only then: a flag that is there has variants of its own, which nobody needs to write out again.
    if !variants.is_empty() {
        let stray = named.iter().filter(|(_, variant)| !variants.contains_key(*variant));
        complaints.extend(
            stray.map(|(field, variant)| (format!("/{field}"), format!("`{variant}` is not one of the variants {}", list(variants)))),
        );
    }
    complaints
}

/// The variants of a flag once `named` are added: `on` and `off` for a flag that is not there when nothing is named and `to` is one of
/// them. Says what is missing when `to` is not among them.
pub(super) fn variants(
    flag: &str,
    to: &str,
    before: Option<&FlagState>,
    named: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut variants = before.map(|before| before.variants.clone()).unwrap_or_default();
    if variants.is_empty() && named.is_empty() && matches!(to, "on" | "off") {
        variants = BTreeMap::from([("on".to_owned(), json!(true)), ("off".to_owned(), json!(false))]);
    }
    variants.extend(named.clone());
    if variants.contains_key(to) {
        return Ok(variants);
    }
    Err(if variants.is_empty() {
        format!("flag {flag} is not there yet; name its `variants`, among them `{to}`")
    } else {
        format!("flag {flag} has no variant `{to}`, only {}; add it under `variants`", list(&variants))
    })
}

/// The names, each in backticks.
pub(super) fn list(variants: &BTreeMap<String, Value>) -> String {
    variants.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The sort of value that a variant is; all variants of a flag are of one.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Object(_) => "object",
        Value::Null | Value::Array(_) => "other",
    }
}

/// How a person gives a flag another state: in the flag document, whose newest revision lies in the state database.
pub(super) fn by_hand(
    store: &str,
    flag: &str,
    to: &str,
    enabled: bool,
    named: &BTreeMap<String, Value>,
    targeting: Option<&Value>,
) -> ByHand {
    let state = json!({ "state": if enabled { "ENABLED" } else { "DISABLED" }, "defaultVariant": to });
    let targeting = targeting.map_or_else(|| "del(.targeting)".to_owned(), |rule| format!(".targeting = {rule}"));
    let usual = if named.is_empty() { json!({ "on": true, "off": false }) } else { json!({}) };
    let change = format!(
        ".flags[{}] |= (((. // {{}}) + {state}) | .variants = ((.variants // {usual}) + {named}) | {targeting})",
        json!(flag),
        named = json!(named)
    );
    let what = if enabled {
        format!("set flag {flag} to {to}")
    } else {
        format!("disable flag {flag}, so that services use the default in their code")
    };
    change_by_hand(store, flag, what, &change)
}

/// How a person changes the flag document: `change` is what `jq` makes of it.
pub(super) fn change_by_hand(store: &str, flag: &str, what: String, change: &str) -> ByHand {
    let name = format!(":'environment' || {}", literal(&format!("/{store}")));
    let newest = format!("select document from cutover.flag_revision where store = {name} order by revision desc limit 1");
    let insert = format!(
        "insert into cutover.flag_revision (store, revision, key, flag, document)\n\
         select {name}, coalesce(max(revision), 0) + 1, 'by-hand-' || clock_timestamp(), {}, :'document'::jsonb\n\
         from cutover.flag_revision where store = {name}",
        literal(flag)
    );
    ByHand::new(what)
        .say("Fetch the newest document, change the flag in it, and see that only the flag differs.")
        .run(state_sql(&newest).replacen("psql ", "psql -At ", 1) + "\n")
        .say("Put what it printed into `flags.json` (an empty answer: `{\"flags\": {}}`).")
        .run(format!("jq {} flags.json > flags.next.json && diff <(jq -S . flags.json) <(jq -S . flags.next.json)", quote(change)))
        .say("Write it as the next revision, if the state database is there: any controller serves it from then on.")
        .run(state_sql(&insert).replacen("psql ", "psql -v document=\"$(cat flags.next.json)\" ", 1))
        .say(format!(
            "If no controller can be started, serve `flags.next.json` where the services fetch it, as `GET /flags/$ENVIRONMENT/{store}` with a \
             new `ETag` and a higher number in the header `cutover-revision`. A service that cannot fetch goes on with the last document that \
             it knew, also after a restart."
        ))
}

/// What a flag serves, in a few words.
pub(super) fn words(state: &FlagState) -> String {
    let variant = state.default_variant.as_deref().unwrap_or("the default in the code");
    match (state.enabled, state.targeting.is_some()) {
        (false, _) => "disabled".to_owned(),
        (true, true) => format!("{variant}, with targeting"),
        (true, false) => variant.to_owned(),
    }
}

/// The revision that an act made, as its receipt says.
pub(super) fn revision(receipt: &Receipt) -> Option<i64> {
    receipt.data.get("revision").and_then(Value::as_i64)
}

/// How far a revision has got.
pub(super) struct Reached {
    /// Who is missing, or who has acknowledged, in one line.
    pub line: String,
    /// Whether somebody is waited for.
    pub missing: bool,
    /// What goes into the evidence.
    pub data: Map<String, Value>,
    /// Since when everybody is known to use it, or to have used it.
    pub since: Option<DateTime<Utc>>,
}

impl Reached {
    /// What is told while somebody is waited for.
    pub(super) fn wait(self, context: &ActContext, revision: i64) -> Verdict {
        Verdict::NotYet { now: self.line, goal: format!("every instance uses revision {revision}"), again_in: soon(context) }
    }
}

/// Looks how far a revision has got, and has it written down when that is everywhere.
pub(super) async fn reached(world: &World, store: &str, revision: i64) -> Result<Reached, StepError> {
    let mut data = Map::from_iter([("revision".to_owned(), json!(revision)), ("acknowledged".to_owned(), json!(false))]);
    let Some(heard) = heard(world, store, revision).await? else {
        let line = "unacknowledged: this store does not know who reads it".to_owned();
        return Ok(Reached { line, missing: false, data, since: None });
    };
    let flags = world.flags(store)?;
    // Why also when they are gone since: that everybody had it does not become untrue.
    let mut since = flags.acknowledged(revision).await?;
    if heard.notice() == Notice::Everybody {
        since = flags.acknowledge(revision).await?;
        data.insert("acknowledged".to_owned(), json!(true));
        data.insert("acknowledged_at".to_owned(), json!(since));
        data.insert("instances".to_owned(), json!(heard.names()));
    }
    if !heard.dropped.is_empty() {
        data.insert("dropped".to_owned(), json!(heard.dropped));
    }
    Ok(Reached { line: heard.line(), missing: heard.notice() == Notice::Missing, data, since })
}

/// Who uses this revision by now, by what services report and what the environment's workloads run. `None` when the store cannot know.
async fn heard(world: &World, store: &str, revision: i64) -> Result<Option<Acknowledgement>, StepError> {
    let reported = reported(world, store).await?;
    Ok(reported.map(|(listeners, running)| acknowledgement(revision, &listeners, &running)))
}

/// Who may still evaluate a flag; see [`heard`].
pub(super) async fn evaluated(world: &World, store: &str, flag: &str) -> Result<Evaluators, StepError> {
    let reported = reported(world, store).await?;
    Ok(reported.map(|(listeners, running)| evaluators(flag, &listeners, &running)).unwrap_or_default())
}

/// What services report, and what runs. `None` when the store cannot know.
async fn reported(world: &World, store: &str) -> Result<Option<(Vec<Listener>, Running)>, StepError> {
    // Why the reports first: an instance that starts in between is then one that runs and has reported nothing, and is waited for.
    let Some(listeners) = world.flags(store)?.listeners().await? else { return Ok(None) };
    let mut running = Running::default();
    let reporting: BTreeSet<_> = listeners.iter().map(|listener| listener.service.clone()).collect();
    for workloads in world.all_workloads() {
        let workloads = workloads?;
        let instances = workloads.instances(None).await?;
        running.services.extend(instances.iter().map(|instance| instance.service.clone()));
        running.instances.extend(instances);
        for service in &reporting {
            if !running.services.contains(service) && workloads.desired(service).await?.is_some() {
                running.services.insert(service.clone());
            }
        }
    }
    Ok(Some((listeners, running)))
}

/// The step that makes a flag what it was, at once. Of a flag that was not there a disabled one is left with these variants, among them
/// `otherwise`, which is served should somebody enable it.
pub(super) fn back(store: &str, flag: &str, before: Option<&FlagState>, otherwise: &str, variants: &BTreeMap<String, Value>) -> Revert {
    let body = match before {
        Some(FlagState { default_variant: Some(to), enabled, targeting, .. }) => {
            json!({ "store": store, "flag": flag, "to": to, "enabled": enabled, "targeting": targeting })
        }
        // Why: a disabled flag makes services use the default in their code, exactly as when it was not there.
        _ => json!({ "store": store, "flag": flag, "to": otherwise, "variants": variants, "enabled": false }),
    };
    Revert::step("set_flag", without_nulls(body))
}

fn without_nulls(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    body
}
