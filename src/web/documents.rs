//! What the API answers, as values that both sides can use.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::driver::SavedPlan;
use crate::engine::{BackStep, Command, PlanDocument, RunState};
use crate::playbook::{Bundle, Diagnostic};
use crate::ports::access::{Leave, Operation};
use crate::report::EventDocument;
use crate::step::SystemKind;
use crate::store::runs::RunRow;

/// Name of the JSON form of a [`StatusDocument`].
pub const STATUS: &str = "cutover.status/1";

/// Name of the JSON form of a [`RunsDocument`].
pub const RUNS: &str = "cutover.runs/1";

/// Answer of `GET /api/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// [`STATUS`].
    pub schema: String,
    /// Version of the program that answers.
    pub version: String,
    /// How many runs there are in each state; empty when the database does not answer.
    pub runs: BTreeMap<String, i64>,
    /// `ok`, or why the database does not answer.
    pub database: String,
}

/// Body of `POST /api/login-codes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginCodeRequest {
    /// In whose name the browser will act.
    pub by: String,
    /// `operate`, or `view` for a browser that only looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Answer of `POST /api/login-codes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginCode {
    /// Where the browser goes, once and within a minute.
    pub path: String,
}

/// Answer of `POST /api/plan`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanAnswer {
    /// The plan.
    pub plan: PlanDocument,
    /// What is doubtful about the playbook.
    pub warnings: Vec<Diagnostic>,
}

/// Answer of `POST /api/plans`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedAnswer {
    /// The plan as it is to be written into a file.
    pub saved: SavedPlan,
    /// What is doubtful about the playbook.
    pub warnings: Vec<Diagnostic>,
}

/// Body of `POST /api/plans/check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSavedRequest {
    /// The saved plan as its file holds it.
    pub saved: Value,
}

/// Body of `POST /api/plans/start`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartSavedRequest {
    /// Id of the run, made by whoever asks; the same id again starts nothing new.
    pub id: Uuid,
    /// The saved plan as its file holds it.
    pub saved: Value,
    /// Whether approvals are answered in the starter's name.
    #[serde(default)]
    pub yes: bool,
}

/// Body of `POST /api/runs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// Id of the run, made by whoever asks; the same id again starts nothing new.
    pub id: Uuid,
    /// The bundle.
    pub bundle: Bundle,
    /// The plan that was shown.
    pub plan: PlanDocument,
    /// Whether approvals are answered in the starter's name.
    #[serde(default)]
    pub yes: bool,
}

/// Answer of `POST /api/runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Id of the run.
    pub id: Uuid,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// Its id.
    pub id: Uuid,
    /// Name of the playbook.
    pub playbook: String,
    /// Name of the environment.
    pub environment: String,
    /// The playbook's link, if it has one.
    pub link: Option<String>,
    /// Its state, one of [`RunState`]'s words.
    pub state: String,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<RunRow> for RunLine {
    fn from(row: RunRow) -> Self {
        Self {
            id: row.id,
            playbook: row.playbook,
            environment: row.environment,
            link: row.link,
            state: row.state,
            started_by: row.started_by,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

/// Answer of `GET /api/runs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsDocument {
    /// [`RUNS`].
    pub schema: String,
    /// The runs, the newest first.
    pub runs: Vec<RunLine>,
}

/// Answer of `GET /api/runs/{id}/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventsDocument {
    /// Journal entries, in order.
    pub events: Vec<EventDocument>,
    /// The run's state, never newer than the last of the events.
    pub state: RunState,
    /// Number of the last entry that was looked at: what to ask after next.
    pub seq: i64,
    /// Whether there are further entries already.
    pub more: bool,
}

/// Body of `POST /api/runs/{id}/orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The verb.
    pub command: Command,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// The step that is meant; the present one when it is left out.
    #[serde(default)]
    pub step: Option<String>,
    /// What a question asks for besides a yes.
    #[serde(default)]
    pub evidence: Option<String>,
}

/// Answer of `POST /api/runs/{id}/orders` when no controller has answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InInbox {
    /// Number of the row in the inbox.
    pub inbox: i64,
}

/// Answer of `GET /api/runs/{id}/way-back`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayBackDocument {
    /// The lines of the way back if it began now, in order; once it has begun, all that it would have if it began anew.
    pub steps: Vec<BackStep>,
    /// What is left of the way back, planned on the world as it is; `None` when it cannot be planned now.
    #[serde(default)]
    pub plan: Option<PlanDocument>,
    /// Why it cannot be planned now.
    #[serde(default)]
    pub problem: Option<String>,
    /// Whether the run takes the order to revert now.
    #[serde(default)]
    pub taken: bool,
    /// What that order would do, or why it is refused.
    #[serde(default)]
    pub text: String,
}

/// Answer of `POST /api/doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorDocument {
    /// One for each system of the environment.
    pub checks: Vec<Check>,
}

/// What one system answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Kind and name, for instance `kafka main`.
    pub system: String,
    /// Whether it answered and lets us in.
    pub ok: bool,
    /// What it said, or why not.
    pub line: String,
    /// Where its address was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
}

/// Answer of `POST /api/rights`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightsDocument {
    /// One for each system that tells rights apart and that the playbook uses.
    pub systems: Vec<SystemRights>,
}

/// What a playbook must be allowed to do on one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRights {
    /// Kind of system.
    pub kind: SystemKind,
    /// Its name in the environment.
    pub name: String,
    /// Why nothing could be asked, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The least rights.
    pub rights: Vec<RightLine>,
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightLine {
    /// Sort of thing: `topic`, `group`, `subject`, `database`, `schema`, `table`.
    pub sort: String,
    /// Its name; `*` for every group.
    pub id: String,
    /// What is done with it.
    pub operation: Operation,
    /// Whether we may.
    pub state: Leave,
    /// The steps that need it.
    pub steps: Vec<String>,
    /// Whether they need it only for the way back.
    pub way_back: bool,
}
