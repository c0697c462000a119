//! Promises of a flag store.

use std::collections::BTreeMap;

use cutover::ports::PortError;
use cutover::ports::flags::{FlagChange, FlagState, Flags};
use serde_json::{Value, json};

use super::fresh;

fn boolean(default: &str) -> FlagState {
    let variants = BTreeMap::from([("on".to_owned(), Value::Bool(true)), ("off".to_owned(), Value::Bool(false))]);
    FlagState { enabled: true, variants, default_variant: Some(default.to_owned()), targeting: None }
}

fn change(flag: &str, before: Option<FlagState>, after: FlagState) -> FlagChange {
    FlagChange { key: fresh("change"), flag: flag.to_owned(), before, after }
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
    assert_eq!(flags.flag(&name).await.unwrap(), Some(first.after.clone()));
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
