//! Who runs, and which of them can produce the event. Whatever cannot be told counts as "can".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::flags::{FlagState, Flags, Listener};
use crate::services::{Condition, EventRef, Producer, Services};
use crate::step::{StepError, World};

/// An instance that is in no list of what runs, and that has been silent for this long, was killed before it could say that it ends.
const SILENT: Duration = Duration::from_secs(30);

/// How many instances a sentence names.
const MOST_NAMED: usize = 3;

/// A look at all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Those that can produce the event.
    pub(super) left: Vec<Instance>,
    /// Those that cannot, each with the reason.
    pub(super) others: Vec<Instance>,
    /// Whether something that runs the services was asked, and not only their own reports.
    pub(super) by_workloads: bool,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) release: String,
    /// The oldest revision of the flags that it may still use; `None` when it has not said.
    pub(super) oldest: Option<i64>,
    /// Why it can, or cannot, produce the event.
    pub(super) why: String,
}

impl Seen {
    /// `2 instances can produce it: hiring 1.5 (a1): always produces ExerciseChanged@0`.
    pub(super) fn words(&self) -> String {
        let named: Vec<_> = self.left.iter().take(MOST_NAMED).map(Instance::words).collect();
        let more = self.left.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let verb = if self.left.len() == 1 { "instance can" } else { "instances can" };
        format!("{} {verb} produce it: {}{more}", self.left.len(), named.join("; "))
    }

    /// What else the evidence must say.
    pub(super) fn also(&self) -> String {
        let running = match self.others.len() {
            0 => "; no declared instance runs".to_owned(),
            1 => "; 1 instance runs and cannot".to_owned(),
            count => format!("; {count} instances run and cannot"),
        };
        let by = if self.by_workloads { "" } else { ", by what services say of themselves alone" };
        format!("{running}{by}")
    }
}

impl Instance {
    fn words(&self) -> String {
        format!("{} {} ({}) {}", self.service, self.release, self.name, self.why)
    }
}

/// Looks at everything that runs, and everything that says that it does.
pub(super) async fn look(world: &World, store: &str, services: &Services, event: &EventRef, revision: i64) -> Result<Seen, StepError> {
    let flags = world.flags(store)?;
    let listeners = flags.listeners().await?;
    let mut all: BTreeMap<(String, String), (String, Option<Listener>)> = BTreeMap::new();
    let mut vouched: BTreeSet<String> = BTreeSet::new();
    let mut by_workloads = false;
    for workloads in world.all_workloads() {
        let workloads = workloads?;
        by_workloads = true;
        for found in workloads.instances(None).await? {
            vouched.insert(found.service.clone());
            all.insert((found.service, found.instance), (found.release, None));
        }
        for service in services.services.keys() {
            if workloads.desired(service).await?.is_some() {
                vouched.insert(service.clone());
            }
        }
    }
    if !by_workloads && listeners.is_none() {
        let why = "nobody can tell which instances run: the environment has no `workloads`, and no service reports to its flag store";
        return Err(StepError::Impossible(why.to_owned()));
    }
    for listener in listeners.into_iter().flatten() {
        let key = (listener.service.clone(), listener.instance.clone());
        if let Some((_, told)) = all.get_mut(&key) {
            *told = Some(listener);
        // Why: what runs a service knows its processes; one that it does not know and that is silent is gone.
        } else if !(vouched.contains(&listener.service) && listener.age >= SILENT) {
            all.insert(key, (listener.release.clone(), Some(listener)));
        }
    }
    let producers = services.producers(event);
    let states = states(flags.as_ref(), &producers).await?;
    let mut seen = Seen { by_workloads, ..Seen::default() };
    for ((service, instance), (release, told)) in all {
        let oldest = told.map(|told| told.oldest);
        let (can, why) = judge(services, &producers, &states, (&service, &release), oldest, revision);
        let list = if can { &mut seen.left } else { &mut seen.others };
        list.push(Instance { service, name: instance, release, oldest, why });
    }
    Ok(seen)
}

/// The flags that conditions name, as the document has them.
async fn states(flags: &dyn Flags, producers: &[Producer]) -> Result<BTreeMap<String, Option<FlagState>>, StepError> {
    let mut states = BTreeMap::new();
    for when in producers.iter().filter_map(|producer| producer.when.as_ref()) {
        if !states.contains_key(&when.flag) {
            states.insert(when.flag.clone(), flags.flag(&when.flag).await?);
        }
    }
    Ok(states)
}

/// Whether an instance of that release can produce the event, and why.
fn judge(
    services: &Services,
    producers: &[Producer],
    states: &BTreeMap<String, Option<FlagState>>,
    (service, release): (&str, &str),
    oldest: Option<i64>,
    revision: i64,
) -> (bool, String) {
    if !services.declares(service, release) {
        return (true, "is a release that nobody declared".to_owned());
    }
    let mut off = Vec::new();
    for producer in producers.iter().filter(|producer| producer.service == service && producer.release == release) {
        let Some(when) = &producer.when else { return (true, format!("always produces {}", producer.event)) };
        let state = states.get(&when.flag).and_then(Option::as_ref);
        if may_serve(state, when, services.defaults.get(&when.flag).map(String::as_str)) {
            return (true, format!("produces {} while {when}, and that is still possible", producer.event));
        }
        match oldest {
            Some(oldest) if oldest >= revision => {
                off.push(format!("{when} is off since revision {revision} or earlier, and it uses {oldest}"));
            }
            Some(oldest) => return (true, format!("still uses revision {oldest} of the flags, not {revision}")),
            None => {
                return (true, format!("has not said which revision of the flags it uses, and produces {} while {when}", producer.event));
            }
        }
    }
    if off.is_empty() { (false, "does not produce it".to_owned()) } else { (false, off.join("; ")) }
}

/// Whether the document may serve the variant to somebody. `default` is the variant in the services' code, where it was declared.
fn may_serve(state: Option<&FlagState>, when: &Condition, default: Option<&str>) -> bool {
    let by_code = default.is_none_or(|default| default == when.variant);
    match state {
        None => by_code,
        Some(state) if !state.enabled => by_code,
        Some(state) => {
            let by_default = state.default_variant.as_ref().map_or(by_code, |variant| *variant == when.variant);
            by_default || state.targeting.as_ref().is_some_and(|targeting| may_answer(targeting, &when.variant))
        }
    }
}

/// Whether a rule holds the variant's name anywhere, or something that is not a plain name.
fn may_answer(rule: &Value, variant: &str) -> bool {
    match rule {
        Value::String(text) => text == variant,
        Value::Array(items) => items.iter().any(|item| may_answer(item, variant)),
        // Why: a rule that answers with a value of the request may answer with any variant.
        Value::Object(fields) => fields.len() == 1 && fields.contains_key("var") || fields.values().any(|item| may_answer(item, variant)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn services() -> Services {
        let text = "
events: {Changed: {topic: t}}
flags: {f: {default: \"off\"}}
services:
  maker:
    \"1\": {}
    \"2\": {produces: [{event: Changed@0, when: f=on}]}
    \"3\": {produces: [Changed@0]}
";
        Services::parse(text).expect("services")
    }

    fn flag(default: &str, targeting: Option<Value>) -> FlagState {
        FlagState { enabled: true, variants: BTreeMap::new(), default_variant: Some(default.to_owned()), targeting }
    }

    fn can(release: &str, state: Option<FlagState>, oldest: Option<i64>) -> (bool, String) {
        let services = services();
        let producers = services.producers(&"Changed".parse().expect("an event"));
        let states = BTreeMap::from([("f".to_owned(), state)]);
        judge(&services, &producers, &states, ("maker", release), oldest, 7)
    }

    #[test]
    fn a_flag_that_is_off_counts_only_once_the_instance_has_said_so() {
        assert!(!can("2", Some(flag("off", None)), Some(7)).0);
        assert!(can("2", Some(flag("off", None)), Some(6)).0, "a request under way may still use the old revision");
        assert!(can("2", Some(flag("off", None)), None).0, "silence is no acknowledgement");
        assert!(can("2", Some(flag("on", None)), Some(7)).0);
        let targeting = json!({ "fractional": [{ "var": "id" }, ["on", 1], ["off", 99]] });
        assert!(can("2", Some(flag("off", Some(targeting))), Some(7)).0, "some still get it");
    }

    #[test]
    fn a_flag_that_is_not_there_is_what_the_code_says() {
        assert!(!can("2", None, Some(7)).0);
        assert!(!can("2", Some(FlagState { enabled: false, ..flag("on", None) }), Some(7)).0);
        let open = Condition { flag: "f".to_owned(), variant: "on".to_owned() };
        assert!(may_serve(None, &open, None), "nobody said what the code does");
    }

    #[test]
    fn what_nobody_declared_may_do_anything() {
        assert!(!can("1", None, None).0);
        let (yes, why) = can("9", None, Some(99));
        assert!(yes && why.contains("nobody declared"), "{why}");
        assert!(can("3", Some(flag("off", None)), Some(99)).1.contains("always produces Changed@0"));
    }
}
