//! Promises of a flag store.

use std::collections::BTreeMap;

use cutover::flags::Heartbeat;
use cutover::ports::PortError;
use cutover::ports::flags::{FlagChange, FlagState, Flags};
use serde_json::{Value, json};

use super::fresh;

fn boolean(default: &str) -> FlagState {
    let variants = BTreeMap::from([("on".to_owned(), Value::Bool(true)), ("off".to_owned(), Value::Bool(false))]);
    FlagState { enabled: true, variants, default_variant: Some(default.to_owned()), targeting: None }
}

fn change(flag: &str, before: Option<FlagState>, after: FlagState) -> FlagChange {
    FlagChange { key: fresh("change"), flag: flag.to_owned(), before, after: Some(after) }
}

pub async fn a_change_makes_a_revision_and_is_seen(flags: &dyn Flags) {
    let name = fresh("flag");
    assert_eq!(flags.flag(&name).await.unwrap(), None);
    let start = flags.revision().await.unwrap();
    let targeting = Some(json!({ "if": [{ "in": ["@example.org", { "var": "email" }] }, "on"] }));
    let first = change(&name, None, FlagState { targeting, ..boolean("off") });
    let revision = flags.change(&first).await.unwrap();
    assert!(revision > start, "{revision} after {start}");
    assert_eq!(flags.revision().await.unwrap(), revision);
    assert_eq!(flags.flag(&name).await.unwrap(), first.after);
    assert_eq!(flags.revision_of(&first.key).await.unwrap(), Some(revision));
    assert_eq!(flags.revision_of("no such change").await.unwrap(), None);
}

pub async fn the_same_key_changes_once(flags: &dyn Flags) {
    let name = fresh("flag");
    let first = change(&name, None, boolean("off"));
    let revision = flags.change(&first).await.unwrap();
    let second = change(&name, Some(boolean("off")), boolean("on"));
    let later = flags.change(&second).await.unwrap();
    assert!(later > revision);
    assert_eq!(flags.change(&first).await.unwrap(), revision, "asked again, after somebody else's change");
    assert_eq!(flags.revision().await.unwrap(), later);
    assert_eq!(flags.flag(&name).await.unwrap(), Some(boolean("on")));
}

pub async fn a_change_on_something_else_than_was_seen_is_a_conflict(flags: &dyn Flags) {
    let name = fresh("flag");
    flags.change(&change(&name, None, boolean("off"))).await.unwrap();
    let revision = flags.revision().await.unwrap();
    for before in [None, Some(boolean("on"))] {
        let stale = change(&name, before, boolean("on"));
        let error = flags.change(&stale).await.unwrap_err();
        assert!(matches!(error, PortError::Conflict { .. }), "{error:?}");
        assert_eq!(flags.revision_of(&stale.key).await.unwrap(), None);
    }
    let gone = change(&fresh("flag"), Some(boolean("off")), boolean("on"));
    assert!(matches!(flags.change(&gone).await.unwrap_err(), PortError::Conflict { .. }));
    assert_eq!((flags.revision().await.unwrap(), flags.flag(&name).await.unwrap()), (revision, Some(boolean("off"))));
}

pub async fn targeting_that_cannot_be_evaluated_is_invalid(flags: &dyn Flags) {
    let name = fresh("flag");
    let start = flags.revision().await.unwrap();
    let targeting = Some(json!({ "fractionall": [["on", 1], ["off", 99]] }));
    let error = flags.change(&change(&name, None, FlagState { targeting, ..boolean("off") })).await.unwrap_err();
    assert!(matches!(&error, PortError::Invalid { detail, .. } if detail.contains("fractionall")), "{error:?}");
    assert_eq!((flags.revision().await.unwrap(), flags.flag(&name).await.unwrap()), (start, None));
}

pub async fn an_acknowledgement_is_written_down_once(flags: &dyn Flags) {
    let name = fresh("flag");
    let revision = flags.change(&change(&name, None, boolean("off"))).await.unwrap();
    assert_eq!(flags.acknowledged(revision).await.unwrap(), None);
    let since = flags.acknowledge(revision).await.unwrap();
    assert!(since.is_some());
    assert_eq!(flags.acknowledge(revision).await.unwrap(), since, "the first time counts");
    assert_eq!(flags.acknowledged(revision).await.unwrap(), since);
    assert_eq!(flags.acknowledge(revision + 1_000_000).await.unwrap(), None, "there is no such revision");
}

pub async fn a_flag_goes_and_comes_back_as_it_was(flags: &dyn Flags) {
    let name = fresh("flag");
    let targeting = Some(json!({ "fractional": [{ "cat": ["f@3:", { "var": "targetingKey" }] }, ["on", 1000], ["off", 99000]] }));
    let state = FlagState { targeting, ..boolean("off") };
    flags.change(&change(&name, None, state.clone())).await.unwrap();
    let gone = FlagChange { after: None, ..change(&name, Some(state.clone()), state.clone()) };
    let overtaken = FlagChange { key: fresh("change"), before: Some(boolean("on")), ..gone.clone() };
    assert!(matches!(flags.change(&overtaken).await.unwrap_err(), PortError::Conflict { .. }));
    let revision = flags.change(&gone).await.unwrap();
    assert_eq!((flags.flag(&name).await.unwrap(), flags.revision().await.unwrap()), (None, revision));
    assert_eq!(flags.change(&gone).await.unwrap(), revision, "once for ever");
    flags.change(&change(&name, None, state.clone())).await.unwrap();
    assert_eq!(flags.flag(&name).await.unwrap(), Some(state));
}

/// A report on a document that has at least two revisions.
fn heartbeat(instance: &str, revision: i64, oldest: i64) -> Heartbeat {
    let text = |text: &str| text.to_owned();
    Heartbeat {
        environment: text("test"),
        store: text("main"),
        service: text("hiring"),
        instance: text(instance),
        release: text("1.5"),
        revision,
        oldest,
        flags: None,
        ending: false,
    }
}

async fn heard(flags: &dyn Flags) -> Vec<(String, i64, i64)> {
    let listeners = flags.listeners().await.unwrap().expect("this store knows who listens");
    listeners.into_iter().map(|one| (one.instance, one.revision, one.oldest)).collect()
}

async fn two_revisions(flags: &dyn Flags) {
    let name = fresh("flag");
    flags.change(&change(&name, None, boolean("off"))).await.unwrap();
    flags.change(&change(&name, Some(boolean("off")), boolean("on"))).await.unwrap();
}

pub async fn the_last_report_of_an_instance_counts(flags: &dyn Flags, say: impl AsyncFn(Heartbeat)) {
    two_revisions(flags).await;
    assert_eq!(heard(flags).await, []);
    say(heartbeat("b", 1, 0)).await;
    say(heartbeat("a", 1, 1)).await;
    say(heartbeat("b", 2, 1)).await;
    assert_eq!(heard(flags).await, [("a".to_owned(), 1, 1), ("b".to_owned(), 2, 1)]);
    let listeners = flags.listeners().await.unwrap().unwrap();
    assert!(listeners.iter().all(|one| one.service == "hiring" && one.release == "1.5"), "{listeners:?}");
    assert!(listeners.iter().all(|one| one.flags.is_none()), "nobody said which flags it may evaluate: {listeners:?}");
    let may = Some(std::collections::BTreeSet::from(["exercise-read".to_owned()]));
    say(Heartbeat { flags: may.clone(), ..heartbeat("b", 2, 2) }).await;
    let listeners = flags.listeners().await.unwrap().unwrap();
    assert_eq!(listeners.iter().map(|one| one.flags.clone()).collect::<Vec<_>>(), [None, may]);
    assert!(listeners.iter().all(|one| one.age < std::time::Duration::from_hours(1)), "{listeners:?}");
}

pub async fn a_report_that_is_late_takes_nothing_back(flags: &dyn Flags, say: impl AsyncFn(Heartbeat)) {
    two_revisions(flags).await;
    say(heartbeat("a", 2, 2)).await;
    say(heartbeat("a", 2, 1)).await;
    assert_eq!(heard(flags).await, [("a".to_owned(), 2, 2)]);
    say(Heartbeat { ending: true, ..heartbeat("a", 2, 2) }).await;
    assert_eq!(heard(flags).await, []);
    say(heartbeat("a", 2, 2)).await;
    assert_eq!(heard(flags).await, [], "what has ended does not come back");
}
