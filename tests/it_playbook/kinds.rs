//! Step kinds for these tests alone: they only have bodies, so that reading can be tested with every sort of field.

use std::collections::BTreeMap;

use cutover::playbook::{self, Catalogue, Diagnostics, Files, Playbook, Source};
use cutover::step::scalar::Span;
use cutover::step::{
    ActContext, Claim, Facts, FileRef, Kind, Nature, Never, OnUnknown, Plan, Receipt, Revert, Risk, Standing, Step, StepError, StepKind,
    Verdict, View, World,
};
use cutover::steps::DecodeError;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How old records go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// By age.
    Delete,
    /// By key.
    Compact,
}

/// Creates a topic.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// Number of partitions.
    #[schemars(range(min = 1))]
    pub partitions: u16,
    /// How old records go away.
    #[serde(default)]
    pub cleanup: Option<Cleanup>,
    /// Further settings of the topic.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// Registers a schema.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterSchema {
    /// Name of the registry.
    pub registry: String,
    /// The subject.
    pub subject: String,
    /// The file with the schema.
    pub file: FileRef,
}

/// A share of the traffic; its schema does not say what its reader does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64")]
pub struct Percent(f64);

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..=100.0).contains(&value) { Ok(Self(value)) } else { Err(format!("{value} percent is more than everything")) }
    }
}

/// One stage of a roll-out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Percent of the traffic.
    pub percent: Percent,
    /// How long it stays.
    pub bake: Span,
}

/// What ends a roll-out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// Nothing.
    Never,
    /// After so many stages.
    After {
        /// The number.
        stages: u32,
    },
}

/// Rolls a flag out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOut {
    /// The stages.
    #[schemars(length(min = 1))]
    pub stages: Vec<Stage>,
    /// Whether somebody is told.
    #[serde(default)]
    pub tell: Option<bool>,
    /// What ends it.
    #[serde(default)]
    pub end: Option<End>,
}

/// Asks somebody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is to be approved.
    pub text: String,
}

/// Deletes a topic.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTopic {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
}

macro_rules! kinds {
    ($($name:ident $ty:ident $nature:ident $risk:ident { $($extra:item)* })*) => {
        $(impl StepKind for $ty {
            const KIND: Kind = Kind {
                name: stringify!($name),
                summary: "for tests",
                nature: Nature::$nature,
                risk: Risk::$risk,
                needs: &[],
                on_unknown: OnUnknown::Ask,
                example: "",
            };
            type Change = Never;
            type Act = Never;
            fn resources(&self) -> Vec<Claim> {
                Vec::new()
            }
            async fn inspect(&self, _: &World) -> Result<View, StepError> {
                Ok(View::default())
            }
            fn plan(&self, _: &View) -> Plan<Never> {
                Plan::AlreadySo("so".to_owned())
            }
            fn leave(&self, _: &Never, _: &mut View) {}
            fn acts(&self, change: &Never) -> Vec<Never> {
                match *change {}
            }
            async fn standing(&self, _: &ActContext, change: &Never, _: &Never) -> Result<Standing, StepError> {
                match *change {}
            }
            async fn act(&self, _: &ActContext, change: &Never, _: &Never) -> Result<Receipt, StepError> {
                match *change {}
            }
            async fn verify(&self, _: &ActContext, _: Option<&Never>) -> Result<Verdict, StepError> {
                Ok(Verdict::Broken("never".to_owned()))
            }
            fn revert(&self, change: &Never, _: &[Receipt]) -> Revert {
                match *change {}
            }
            fn facts(&self) -> Facts {
                Facts::default()
            }
            $($extra)*
        })*

        const KINDS: &[Kind] = &[<cutover::steps::note::Note as StepKind>::KIND, $(<$ty as StepKind>::KIND),*];

        fn decode(kind: &str, body: &Value) -> Result<Box<dyn Step>, DecodeError> {
            match kind {
                $(stringify!($name) => match serde_path_to_error::deserialize::<_, $ty>(body) {
                    Ok(step) => Ok(Box::new(step)),
                    Err(error) => {
                        let pointer = error.path().to_string().replace(['.', '['], "/").replace(']', "");
                        Err(DecodeError { pointer: format!("/{pointer}"), message: error.inner().to_string() })
                    }
                },)*
                _ => cutover::steps::decode(kind, body),
            }
        }

        fn schema(kind: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
            match kind {
                $(stringify!($name) => Some($ty::json_schema(generator)),)*
                _ => cutover::steps::schema(kind, generator),
            }
        }
    };
}

kinds! {
    create_topic CreateTopic State Reversible {
        fn complaints(&self) -> Vec<(String, String)> {
            let compact = self.cleanup == Some(Cleanup::Compact) || self.config.get("cleanup.policy").is_some_and(|policy| policy == "compact");
            if compact && self.config.contains_key("retention.ms") {
                vec![("/config/retention.ms".to_owned(), "a compacted topic keeps the last record of every key; take `retention.ms` away".to_owned())]
            } else {
                Vec::new()
            }
        }
    }
    register_schema RegisterSchema State Reversible {
        fn files(&mut self) -> Vec<&mut FileRef> {
            vec![&mut self.file]
        }
    }
    roll_out RollOut State Reversible {}
    approval Approval Once Safe {}
    delete_topic DeleteTopic State PointOfNoReturn {}
}

/// `note` and the kinds of this file.
pub const CATALOGUE: Catalogue = Catalogue { kinds: KINDS, schema, decode };

/// Reads a playbook called `p.yaml`.
pub fn read(text: &str, vars: &[(&str, &str)], files: &dyn Files) -> Result<(Playbook, Diagnostics), Diagnostics> {
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    playbook::read_with(&Source::new("p.yaml", text), &vars, files, &CATALOGUE)
}

/// Reads a playbook that carries no files and says what is wrong, in the plain form.
pub fn complain(text: &str) -> String {
    match read(text, &[], &playbook::Carried::default()) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics.plain(),
    }
}
