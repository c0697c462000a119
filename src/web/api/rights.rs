//! `POST /api/rights`: the least rights that a playbook needs, and which of them its environment gives us. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;

use super::super::App;
use super::super::documents::{RightLine, RightsDocument, SystemRights};
use super::super::input::{Body, LARGE};
use super::super::problem::Problem;
use crate::driver::BeginError;
use crate::playbook::Bundle;
use crate::ports::access::{Access, Leave};
use crate::step::{Needed, StepError, SystemKind, World};

/// How long a system may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which system: rights are asked for all at once.
type Place = (SystemKind, String);

/// The rights of a bundle.
pub(in crate::web) async fn rights(State(app): State<App>, Body(bundle): Body<Bundle, LARGE>) -> Result<Json<RightsDocument>, Problem> {
    let (playbook, _) = bundle.open().map_err(BeginError::Invalid)?;
    let world = app.worlds.world(&bundle.environment);
    let mut systems: BTreeMap<Place, Vec<Needed<String>>> = BTreeMap::new();
    let place = |step: &String| playbook.steps.iter().position(|one| one.id == *step);
    for mut needed in playbook.rights() {
        needed.reasons.sort_by_key(|(step, _)| place(step));
        systems.entry((needed.resource.system, needed.resource.name.clone())).or_default().push(needed);
    }
    let asked = systems.into_iter().map(|(place, needed)| system(&world, place, needed));
    Ok(Json(RightsDocument { systems: join_all(asked).await }))
}

async fn system(world: &World, (kind, name): Place, needed: Vec<Needed<String>>) -> SystemRights {
    let access = |needed: &Needed<String>| Access {
        sort: needed.resource.sort.clone(),
        id: needed.resource.id.clone(),
        operation: needed.operation,
    };
    let asked: Vec<Access> = needed.iter().map(access).collect();
    let answer = tokio::time::timeout(PATIENCE, ask(world, kind, &name, &asked)).await;
    let (states, trouble) = match answer {
        Ok(Ok(states)) => (states, None),
        Ok(Err(error)) => (Leave::unknown(&asked, "it could not be asked"), Some(error.to_string())),
        Err(_) => (Leave::unknown(&asked, "it could not be asked"), Some(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let rights = needed.into_iter().zip(states).map(|(needed, state)| line(needed, state)).collect();
    SystemRights { kind, name, trouble, rights }
}

async fn ask(world: &World, kind: SystemKind, name: &str, asked: &[Access]) -> Result<Vec<Leave>, StepError> {
    Ok(match kind {
        SystemKind::Kafka => world.kafka(name)?.allows(asked).await?,
        SystemKind::Database => world.database(name)?.allows(asked).await?,
        _ => Leave::unknown(asked, &format!("a {kind} does not tell who may do what")),
    })
}

fn line(needed: Needed<String>, state: Leave) -> RightLine {
    let way_back = needed.reasons.iter().all(|(_, way_back)| *way_back);
    let mut steps = Vec::new();
    for (step, _) in needed.reasons {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    RightLine { sort: needed.resource.sort, id: needed.resource.id, operation: needed.operation, state, steps, way_back }
}
