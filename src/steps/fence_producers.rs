//! `fence_producers`: a rule of the cluster itself that keeps principals from writing to a topic. It is the one fence that holds against
//! instances that nobody knows of. It cannot tell releases apart that share a principal, and a transaction that is open already may still
//! commit; `drain_topic` takes its barrier for that behind whatever was written. A `transactional.id` can be fenced, too: its coordinator ends
//! what it has open and lets its present producer write no more, until that one starts anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{kafka_tool, look_at_topic, main_system, topic_there};
use crate::ports::kafka::WriteFence;
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, Kind, Mark, Nature, OnUnknown, Plan, Receipt, Resource, Revert,
    Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote,
};

/// Aspect of the topic in a view: for each principal whether it is fenced; `None` on a cluster on which rules mean nothing.
const FENCES: &str = "fences";

/// Keeps principals from writing to a topic by a rule of the cluster, or takes exactly that rule away; ends what transactional ids have open.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceProducers {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// Whom to keep from writing, as the cluster calls them: `User:exercises-1`, or `User:*` for everybody. Releases that must go on writing
    /// must have another principal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub principals: Vec<String>,
    /// Values of `transactional.id` whose present producers are kept from ever writing again, to this topic or any other. One that starts anew
    /// may write, so its old release must have stopped. There is nothing to take back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub transactional_ids: Vec<String>,
    /// `false` takes the rules away.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub fenced: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_yes(fenced: &bool) -> bool {
    *fenced
}

/// The rules that are not yet as they should be; those that somebody else has made are not among them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fencing {
    rules: Vec<WriteFence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transactional_ids: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceAct {
    /// Add it.
    Add(WriteFence),
    /// Take it away.
    Remove(WriteFence),
    /// Fence the producer of this `transactional.id`.
    End(String),
}

impl fmt::Display for FenceAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(rule) => write!(f, "add the rule: {rule}"),
            Self::Remove(rule) => write!(f, "take the rule away: {rule}"),
            Self::End(id) => write!(f, "end what `{id}` has open, and let its present producer write no more"),
        }
    }
}

impl FenceProducers {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn rules(&self) -> impl Iterator<Item = WriteFence> + '_ {
        self.principals.iter().map(|principal| WriteFence { topic: self.topic.clone(), principal: principal.clone() })
    }

    fn whom(&self) -> String {
        let ids = self.transactional_ids.iter().map(|id| format!("`{id}`"));
        self.principals.iter().cloned().chain(ids).collect::<Vec<_>>().join(", ")
    }
}

/// Which of these rules are there; `None` on a cluster on which rules mean nothing.
pub(super) async fn look_at_fences(
    world: &World,
    cluster: &str,
    rules: impl Iterator<Item = WriteFence>,
) -> Result<Option<BTreeMap<String, bool>>, StepError> {
    let kafka = world.kafka(cluster)?;
    let mut found = BTreeMap::new();
    for rule in rules {
        match kafka.has_fence(&rule).await? {
            Some(there) => found.insert(rule.principal, there),
            None => return Ok(None),
        };
    }
    Ok(Some(found))
}

/// What is wrong with names of principals, by their place.
pub(super) fn wrong_principals(principals: &[String]) -> Vec<(String, String)> {
    let mut known = BTreeSet::new();
    let wrong = |(at, principal): (usize, &String)| {
        let why = if !principal.split_once(':').is_some_and(|(sort, name)| !sort.is_empty() && !name.is_empty()) {
            format!("`{principal}` is no principal; write it as the cluster does, `User:{principal}`")
        } else if !known.insert(principal.clone()) {
            format!("`{principal}` is named twice")
        } else {
            return None;
        };
        Some((format!("/principals/{at}"), why))
    };
    principals.iter().enumerate().filter_map(wrong).collect()
}

impl StepKind for FenceProducers {
    const KIND: Kind = Kind {
        name: "fence_producers",
        summary: "keeps principals from writing to a topic by a rule of the cluster, or takes exactly that rule away",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-fence-producers
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: fenced
    fence_producers: {topic: datarep.exercise, principals: [\"User:exercises-1\"]}
",
    };
    type Change = Fencing;
    type Act = FenceAct;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut wrong = wrong_principals(&self.principals);
        if self.principals.is_empty() && self.transactional_ids.is_empty() {
            wrong.push((String::new(), "it names nobody; name `principals`, `transactional_ids` or both".to_owned()));
        }
        if !self.fenced && !self.transactional_ids.is_empty() {
            wrong.push(("/transactional_ids".to_owned(), "a producer that is fenced by its id stays so; take the ids away".to_owned()));
        }
        wrong
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        if !self.principals.is_empty() {
            view.put_aspect(&self.resource(), FENCES, &look_at_fences(world, &self.cluster, self.rules()).await?);
        }
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Fencing> {
        if self.fenced
            && let Err(plan) = topic_there(view, &self.cluster, &self.topic)
        {
            return plan;
        }
        let fences = match view.aspect::<BTreeMap<String, bool>>(&self.resource(), FENCES) {
            _ if self.principals.is_empty() => BTreeMap::new(),
            None => return Plan::CannotPreview(format!("the rules about {} were not looked at", self.topic)),
            Some(None) => {
                let why = "the cluster has no authorizer, so a rule would keep nobody from writing; leave the principals out: \
                           `retire_producers` and `drain_topic` with `quiet` then say for how long nothing old was seen";
                return Plan::Impossible(why.to_owned());
            }
            Some(Some(fences)) => fences,
        };
        let rules: Vec<_> = self.rules().filter(|rule| fences.get(&rule.principal) != Some(&self.fenced)).collect();
        if rules.is_empty() && self.transactional_ids.is_empty() {
            let how = if self.fenced { "is fenced off" } else { "is not fenced off" };
            return Plan::AlreadySo(format!("{} {how} {}", self.whom(), self.topic));
        }
        let effect = |rule: &WriteFence| {
            let what = format!("rule that {rule}");
            let (mark, from, to) = if self.fenced { (Mark::Create, None, Some("deny")) } else { (Mark::Remove, Some("deny"), None) };
            Effect { mark, what, from: from.map(str::to_owned), to: to.map(str::to_owned) }
        };
        let ended = |id: &String| Effect {
            mark: Mark::Change,
            what: format!("present producer of `{id}`"),
            from: None,
            to: Some("writes no more".to_owned()),
        };
        let effects = rules.iter().map(effect).chain(self.transactional_ids.iter().map(ended)).collect();
        let binding = json!({ "rules": rules });
        Plan::Change(Change { change: Fencing { rules, transactional_ids: self.transactional_ids.clone() }, effects, binding })
    }

    fn leave(&self, change: &Fencing, view: &mut View) {
        let mut fences = view.aspect::<BTreeMap<String, bool>>(&self.resource(), FENCES).flatten().unwrap_or_default();
        fences.extend(change.rules.iter().map(|rule| (rule.principal.clone(), self.fenced)));
        view.put_aspect(&self.resource(), FENCES, &Some(fences));
    }

    fn acts(&self, change: &Fencing) -> Vec<FenceAct> {
        let act = if self.fenced { FenceAct::Add } else { FenceAct::Remove };
        let ends = change.transactional_ids.iter().cloned().map(FenceAct::End);
        // Why the rules first: a producer that starts anew after its end must find them there.
        change.rules.iter().cloned().map(act).chain(ends).collect()
    }

    async fn standing(&self, context: &ActContext, _: &Fencing, act: &FenceAct) -> Result<Standing, StepError> {
        let (FenceAct::Add(rule) | FenceAct::Remove(rule)) = act else { return Ok(Standing::Before) };
        let there = context.world.kafka(&self.cluster)?.has_fence(rule).await?;
        Ok(if there == Some(self.fenced) { Standing::After(receipt(act)) } else { Standing::Before })
    }

    async fn act(&self, context: &ActContext, _: &Fencing, act: &FenceAct) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        match act {
            FenceAct::Add(rule) => kafka.add_fence(rule).await?,
            FenceAct::Remove(rule) => kafka.remove_fence(rule).await?,
            FenceAct::End(id) => kafka.fence_transaction(id).await?,
        }
        Ok(receipt(act))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Fencing>) -> Result<Verdict, StepError> {
        if self.principals.is_empty() {
            // No broker tells a fenced producer from one that has started anew since.
            return Ok(Verdict::Holds(Evidence::said(format!("{} was fenced; it is not seen whether it has started anew", self.whom()))));
        }
        let found = look_at_fences(&context.world, &self.cluster, self.rules()).await?;
        let Some(found) = found else { return Ok(Verdict::Broken("the cluster has no authorizer any more".to_owned())) };
        let wrong: Vec<_> = found.iter().filter(|(_, fenced)| **fenced != self.fenced).map(|(principal, _)| principal.as_str()).collect();
        let how = if self.fenced { "fenced off" } else { "let in to" };
        Ok(if wrong.is_empty() {
            Verdict::Holds(Evidence::with(format!("{} is {how} {}", self.whom(), self.topic), &json!({ "rules": found })))
        } else {
            Verdict::Broken(format!("{} is not {how} {}", wrong.join(", "), self.topic))
        })
    }

    fn revert(&self, change: &Fencing, _: &[Receipt]) -> Revert {
        if change.rules.is_empty() {
            return Revert::Kept("a producer that was fenced by its id writes again once it starts anew".to_owned());
        }
        // Why only these: a rule that was there before is somebody else's, and stays.
        let principals: Vec<_> = change.rules.iter().map(|rule| rule.principal.clone()).collect();
        Revert::step(Self::KIND.name, json!(Self { principals, transactional_ids: Vec::new(), fenced: !self.fenced, ..self.clone() }))
    }

    fn by_hand(&self) -> ByHand {
        let tool = kafka_tool("kafka-acls.sh", &self.cluster);
        let how = if self.fenced { "--add" } else { "--remove --force" };
        let told =
            ByHand::new(format!("{} {} from writing to {}", if self.fenced { "keep" } else { "no longer keep" }, self.whom(), self.topic));
        let told = self.principals.iter().fold(told, |told, principal| {
            told.run(format!("{tool} {how} --deny-principal {} --operation Write --topic {}", quote(principal), quote(&self.topic)))
        });
        let ends = self.transactional_ids.iter();
        ends.fold(told, |told, id| {
            told.run(format!("cutover drain {} --cluster {} --end-transaction {}", quote(&self.topic), quote(&self.cluster), quote(id)))
        })
    }

    fn rights(&self) -> Vec<Right> {
        Right::look(&self.resource())
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic))], leaves: Vec::new() }
    }
}

fn receipt(act: &FenceAct) -> Receipt {
    Receipt::said(match act {
        FenceAct::Add(rule) => format!("added the rule: {rule}"),
        FenceAct::Remove(rule) => format!("took the rule away: {rule}"),
        FenceAct::End(id) => format!("ended what `{id}` had open; its producer writes no more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::kafka::TopicState;

    fn planned(body: serde_json::Value, fences: Option<&[(&str, bool)]>) -> Plan<Fencing> {
        let step: FenceProducers = serde_json::from_value(body).expect("a step");
        let mut view = View::default();
        let there = TopicState { id: None, partitions: 1, replication: 1, configs: BTreeMap::new() };
        view.put(&step.resource(), &there);
        let fences = fences.map(|all| all.iter().map(|(principal, fenced)| ((*principal).to_owned(), *fenced)).collect::<BTreeMap<_, _>>());
        view.put_aspect(&step.resource(), FENCES, &fences);
        step.plan(&view)
    }

    #[test]
    fn a_rule_needs_an_authorizer_and_a_transactional_id_does_not() {
        let principals = json!({ "topic": "t", "principals": ["User:old"] });
        assert!(matches!(planned(principals.clone(), None), Plan::Impossible(why) if why.contains("authorizer")));
        assert!(matches!(planned(principals.clone(), Some(&[("User:old", true)])), Plan::AlreadySo(_)));
        assert!(matches!(planned(principals, Some(&[("User:old", false)])), Plan::Change(change) if change.change.rules.len() == 1));
        let ids = json!({ "topic": "t", "transactional_ids": ["outbox-1"] });
        assert!(matches!(planned(ids, None), Plan::Change(change) if change.change.rules.is_empty() && change.effects.len() == 1));
    }

    #[test]
    fn a_step_names_somebody() {
        let wrong = |body: serde_json::Value| serde_json::from_value::<FenceProducers>(body).expect("a step").complaints();
        assert!(wrong(json!({ "topic": "t" }))[0].1.contains("names nobody"));
        assert_eq!(wrong(json!({ "topic": "t", "transactional_ids": ["a"], "fenced": false }))[0].0, "/transactional_ids");
        assert_eq!(wrong(json!({ "topic": "t", "principals": ["User:old"] })), []);
    }
}
