//! Whether the events lie in the topic, and whether the group has seen them.

use std::time::Duration;

use serde_json::json;

use super::events::{Sent, counted, find_sent, pick};
use super::{SeenBy, SendEvents};
use crate::ports::kafka::Position;
use crate::step::{ActContext, Evidence, StepError, Verdict};

/// How long one joining of the group may take before it is tried again.
const ONE_TRY: Duration = Duration::from_secs(15);

/// How often a group's commits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn check_seen(step: &SendEvents, context: &ActContext) -> Result<Verdict, StepError> {
    let Some(receipt) = context.receipts.first() else { return Ok(Verdict::Broken("nothing was sent".to_owned())) };
    let sent: Sent = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
    let found = find_sent(context, step, &sent.from).await?;
    if found.len() < step.events.len() {
        return Ok(Verdict::Broken(format!("only {} of {} are in {}", found.len(), counted(step.events.len()), step.topic)));
    }
    let Some(seen_by) = &step.seen_by else {
        let line = format!("{} in {}", counted(found.len()), step.topic);
        return Ok(Verdict::Holds(Evidence::with(line, &json!({ "positions": sent.positions }))));
    };
    let until = passed(&sent.positions);
    let missing = if seen_by.join { join(step, context, seen_by, &until).await? } else { behind(step, context, seen_by, &until).await? };
    let Some(missing) = missing else {
        let line = format!("{} in {}, seen by group {}", counted(found.len()), step.topic, seen_by.group);
        let evidence = json!({ "positions": sent.positions, "group": seen_by.group, "committed": until });
        return Ok(Verdict::Holds(Evidence::with(line, &evidence)));
    };
    let waited = (context.now - context.began).to_std().unwrap_or_default();
    if waited >= seen_by.within.0 {
        return Ok(Verdict::Broken(format!("group {} has not seen the events within {}: {missing}", seen_by.group, seen_by.within)));
    }
    let goal = format!("group {} has seen {}", seen_by.group, counted(step.events.len()));
    Ok(Verdict::NotYet { now: missing, goal, again_in: LOOK_AGAIN })
}

/// Per partition the offset that a group has committed once it has seen everything.
fn passed(positions: &[Position]) -> Vec<Position> {
    let mut until: Vec<Position> = Vec::new();
    for position in positions {
        let end = position.offset + 1;
        match until.iter_mut().find(|until| until.partition == position.partition) {
            Some(until) => until.offset = until.offset.max(end),
            None => until.push(Position { partition: position.partition, offset: end }),
        }
    }
    until.sort_unstable();
    until
}

/// What the group has not committed yet, as a sentence; `None` when it has committed everything.
async fn behind(step: &SendEvents, context: &ActContext, seen_by: &SeenBy, until: &[Position]) -> Result<Option<String>, StepError> {
    let committed = context.world.kafka(&step.cluster)?.committed(&seen_by.group, &step.topic).await?;
    let at = |partition| committed.iter().find(|position| position.partition == partition).map(|position| position.offset);
    let late: Vec<_> = until.iter().filter(|until| at(until.partition).is_none_or(|offset| offset < until.offset)).collect();
    Ok(late.first().map(|first| match at(first.partition) {
        Some(offset) => format!("partition {} is committed up to {offset} of {}", first.partition, first.offset),
        None => format!("partition {} has no commit yet", first.partition),
    }))
}

/// Joins the group and reads; a sentence when not everything was handed to it.
async fn join(step: &SendEvents, context: &ActContext, seen_by: &SeenBy, until: &[Position]) -> Result<Option<String>, StepError> {
    // Why: after a crash the group may have committed already, and then it is handed nothing again.
    if behind(step, context, seen_by, until).await?.is_none() {
        return Ok(None);
    }
    let patience = ONE_TRY.min(seen_by.within.0);
    let records = context.world.kafka(&step.cluster)?.consume(&step.topic, &seen_by.group, until, patience).await?;
    let seen = pick(context, step.events.len(), &records).len();
    if seen < step.events.len() {
        return behind(step, context, seen_by, until).await;
    }
    Ok(None)
}
