//! The catalogue of step kinds. A new kind is one file here and one line in `catalogue!`; its YAML key, schema, documentation, crash
//! tests and page come from that file.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::step::DecodeError;
use crate::step::{self, Kind, Step, StepKind};

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
                _ => Err(DecodeError::whole(format!("there is no step kind `{kind}`"))),
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
mod json_schema;
mod producers;
mod subject;

catalogue! {
    create_topic::CreateTopic,
    delete_topic::DeleteTopic,
    drop_topic::DropTopic,
    send_events::SendEvents,
    publish_snapshot::PublishSnapshot,
    catch_up::CatchUp,
    drain_topic::DrainTopic,
    retire_producers::RetireProducers,
    fence_producers::FenceProducers,
    register_schema::RegisterSchema,
    set_compatibility::SetCompatibility,
    delete_schema::DeleteSchema,
    drop_schema::DropSchema,
    set_flag::SetFlag,
    roll_out_flag::RollOutFlag,
    remove_flag::RemoveFlag,
    deploy::Deploy,
    stop_workload::StopWorkload,
    expect_release::ExpectRelease,
    check_http::CheckHttp,
    compare_http::CompareHttp,
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
    Ok(Box::new(step::decode::<K>(body)?))
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
