//! The catalogue of step kinds. A new kind is one file here and one line in `catalogue!`; its YAML key, schema, documentation, crash
//! tests and page come from that file.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::step::{Kind, Step, StepKind};

/// A body that does not fit its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// JSON pointer into the body.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

macro_rules! catalogue {
    ($($module:ident :: $ty:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every kind, in the order in which people read about them.
        pub const KINDS: &[Kind] = &[$(<$module::$ty as StepKind>::KIND),*];

        /// Reads the body under a kind's key.
        ///
        /// # Errors
        /// When there is no such kind or the body does not fit it.
        pub fn decode(kind: &str, body: &Value) -> Result<Box<dyn Step>, DecodeError> {
            match kind {
                $(stringify!($module) => read::<$module::$ty>(body),)*
                _ => Err(DecodeError { pointer: String::new(), message: format!("there is no step kind `{kind}`") }),
            }
        }

        /// The JSON Schema of a kind's body.
        pub fn schema(kind: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
            match kind {
                $(stringify!($module) => Some(<$module::$ty as JsonSchema>::json_schema(generator)),)*
                _ => None,
            }
        }
    };
}

mod common;
mod flag;
mod producers;
mod subject;

catalogue! {
    create_topic::CreateTopic,
    delete_topic::DeleteTopic,
    send_events::SendEvents,
    publish_snapshot::PublishSnapshot,
    catch_up::CatchUp,
    drain_topic::DrainTopic,
    retire_producers::RetireProducers,
    register_schema::RegisterSchema,
    set_compatibility::SetCompatibility,
    delete_schema::DeleteSchema,
    set_flag::SetFlag,
    roll_out_flag::RollOutFlag,
    deploy::Deploy,
    stop_workload::StopWorkload,
    expect_release::ExpectRelease,
    check_http::CheckHttp,
    approval::Approval,
    confirm::Confirm,
    wait::Wait,
    note::Note,
}

/// The kind of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

fn read<K: StepKind + DeserializeOwned>(body: &Value) -> Result<Box<dyn Step>, DecodeError> {
    match serde_path_to_error::deserialize::<_, K>(body) {
        Ok(step) => Ok(Box::new(step)),
        Err(error) => Err(DecodeError { pointer: pointer(error.path()), message: error.inner().to_string() }),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_like_its_module() {
        for kind in KINDS {
            let schema = schema(kind.name, &mut SchemaGenerator::default());
            assert!(schema.is_some(), "{} is not the name of its module", kind.name);
            assert!(!kind.summary.ends_with('.'), "{}: a summary is a fragment", kind.name);
        }
    }
}
