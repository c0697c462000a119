//! The file as it is written, before defaults. Releases keep the order of the file: each is like the one before it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::names::{Condition, EventRef};
use crate::step::scalar::Span;

/// The services of a team: what each release of each one calls, serves, produces, handles, reads and writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Needs that one service has of another, by name. A call and an event that serve the same need are one link.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Link>,
    /// Events by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, WrittenEvent>,
    /// Flags by name, where a service's behaviour without the flag document matters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, WrittenFlag>,
    /// Services by name.
    #[schemars(extend("minProperties" = 1))]
    pub services: BTreeMap<String, WrittenService>,
}

/// A need of one service that another one fills.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The table that holds the truth, as `service.table`, when the link carries state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The table that holds the copy, as `service.table`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    /// `true` when the link causes something that must happen once.
    #[serde(default)]
    pub effect: bool,
    /// The service that causes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The service in which it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The call that fills the need, for instance `GET /api/v0/exercise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The event that fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The field that grows with every change of the entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<String>,
    /// The fields that tell one effect from another, over the call and the event alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Whether the order of effects matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Which order of effects is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// That of one key.
    PerKey,
    /// The sink waits for what is missing.
    SinkWaits,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenEvent {
    /// The topic that it travels on.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// What its record key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether its topic is compacted, where no `create_topic` says so. A topic of state events is taken for compacted when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted: Option<bool>,
    /// The fields that each version requires, by version: `"1": [title~split, knowledge_area]`; with what a field means where that
    /// differs between versions. Versions that a playbook registers have them from their schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Vec<String>>,
    /// The column of the state's table that a field comes from, where its name differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carries: BTreeMap<String, String>,
}

/// A flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenFlag {
    /// The variant in the services' code, which counts while the flag is disabled or not there.
    #[schemars(length(min = 1))]
    pub default: String,
}

/// A service: its releases in order, the oldest first, and what holds for all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenService {
    /// How long one of its producers may still deliver what it has taken on.
    pub delivery_timeout: Option<Span>,
    /// Its releases in the order of the file.
    pub releases: Vec<(String, WrittenRelease)>,
}

/// A release. A key that is not there is as in the release before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenRelease {
    /// The release that this one is like, when that is not the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// The links whose call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Vec<String>>,
    /// How it fills its own needs: by `call`, or from the `copy` that events feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<BTreeMap<String, Ways>>,
    /// How it causes effects in other services: by `call` or by `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<BTreeMap<String, Ways>>,
    /// The events that it produces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produces: Option<Vec<Produced>>,
    /// The events that it handles, and what it does with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handles: Option<BTreeMap<EventKey, Option<Handling>>>,
    /// Columns that it reads, as `table.column`, or as `table.column~meaning` where it understands that meaning only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<ColumnUse>>,
    /// Columns that it writes, by table; `column~meaning` where what is written changes its meaning between releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<BTreeMap<String, Vec<ColumnUse>>>,
    /// Columns that must not be null when it reads them, as `table.column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<ColumnUse>>,
}

/// What a handler does with an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// Columns that it writes, as `table.column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// The link that it calls to learn more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<String>,
}

/// An event as the key of a map.
pub type EventKey = String;

/// An event that a release produces: `ExerciseChanged@0`, or with the variant under which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The event with its version.
    pub event: EventRef,
    /// The flag variant under which it is produced; always when there is none.
    pub when: Option<Condition>,
}

/// A way of filling a need, or of causing an effect: a word, or with the variant under which it is the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Which way.
    pub by: Way,
    /// The flag variant under which it is the way; always when there is none.
    pub when: Option<Condition>,
}

/// A column that a release reads or writes: its name, or with the variant under which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnUse {
    /// The column, with `~meaning` when one is meant.
    pub column: String,
    /// The flag variant under which it is used; always when there is none.
    pub when: Option<Condition>,
}

/// How a need is filled or an effect caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the call.
    Call,
    /// From the copy that events feed.
    Copy,
    /// By the event.
    Event,
    /// Not now: it waits in the source's own database, in order per key, until another way is chosen, and then goes first. An instance that
    /// knows this way says that it has left one of the others only when nothing is under way on it any more, and that it has left this
    /// one only when nothing is held.
    Hold,
    /// Not at all: from this release on, or under this variant, there is no such need.
    None,
}

/// One way, or several under several variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways(pub Vec<Use>);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConditionalProduced {
    /// The event with its version.
    event: EventRef,
    /// The flag variant under which it is produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConditionalColumn {
    /// The column.
    column: String,
    /// The flag variant under which it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConditionalUse {
    /// Which way.
    by: Way,
    /// The flag variant under which it is the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
}

impl<'de> Deserialize<'de> for Produced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self { event: text.parse().map_err(D::Error::custom)?, when: None }),
            other => {
                let ConditionalProduced { event, when } = serde_json::from_value(other).map_err(D::Error::custom)?;
                Ok(Self { event, when })
            }
        }
    }
}

impl Serialize for Produced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.when {
            None => self.event.serialize(serializer),
            when => ConditionalProduced { event: self.event.clone(), when: when.clone() }.serialize(serializer),
        }
    }
}

impl JsonSchema for Produced {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Produced".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (plain, conditional) = (generator.subschema_for::<EventRef>(), generator.subschema_for::<ConditionalProduced>());
        json_schema!({ "anyOf": [plain, conditional] })
    }
}

impl<'de> Deserialize<'de> for ColumnUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(column) => Ok(Self { column, when: None }),
            other => {
                let ConditionalColumn { column, when } = serde_json::from_value(other).map_err(D::Error::custom)?;
                Ok(Self { column, when })
            }
        }
    }
}

impl Serialize for ColumnUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.when {
            None => serializer.serialize_str(&self.column),
            when => ConditionalColumn { column: self.column.clone(), when: when.clone() }.serialize(serializer),
        }
    }
}

impl JsonSchema for ColumnUse {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnUse".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (plain, conditional) = (generator.subschema_for::<String>(), generator.subschema_for::<ConditionalColumn>());
        json_schema!({ "anyOf": [plain, conditional] })
    }
}

impl<'de> Deserialize<'de> for Ways {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(items) => {
                let one = |item| serde_json::from_value(item).map(|ConditionalUse { by, when }| Use { by, when });
                items.into_iter().map(one).collect::<Result<_, _>>().map(Self).map_err(D::Error::custom)
            }
            word => Ok(Self(vec![Use { by: serde_json::from_value(word).map_err(D::Error::custom)?, when: None }])),
        }
    }
}

impl Serialize for Ways {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [Use { by, when: None }] => by.serialize(serializer),
            several => serializer.collect_seq(several.iter().map(|one| ConditionalUse { by: one.by, when: one.when.clone() })),
        }
    }
}

impl JsonSchema for Ways {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ways".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (plain, conditional) = (generator.subschema_for::<Way>(), generator.subschema_for::<ConditionalUse>());
        json_schema!({ "anyOf": [plain, { "type": "array", "minItems": 1, "items": conditional }] })
    }
}

/// The key of a service that is no release.
const DELIVERY_TIMEOUT: &str = "delivery_timeout";

impl<'de> Deserialize<'de> for WrittenService {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = WrittenService;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("releases by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<WrittenService, A::Error> {
                let mut service = WrittenService::default();
                while let Some(key) = access.next_key::<String>()? {
                    if key == DELIVERY_TIMEOUT {
                        service.delivery_timeout = access.next_value()?;
                    } else {
                        service.releases.push((key, access.next_value::<Option<WrittenRelease>>()?.unwrap_or_default()));
                    }
                }
                Ok(service)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for WrittenService {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let timeout = self.delivery_timeout.iter().map(|timeout| (DELIVERY_TIMEOUT.to_owned(), serde_json::to_value(timeout)));
        let releases = self.releases.iter().map(|(name, release)| (name.clone(), serde_json::to_value(release)));
        serializer.collect_map(timeout.chain(releases).filter_map(|(key, value)| Some((key, value.ok()?))))
    }
}

impl JsonSchema for WrittenService {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WrittenService".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let release = generator.subschema_for::<Option<WrittenRelease>>();
        let timeout = generator.subschema_for::<Span>();
        json_schema!({
            "type": "object",
            "description": "A service: its releases in order, the oldest first, in quotes",
            "minProperties": 1,
            "properties": { DELIVERY_TIMEOUT: timeout },
            "patternProperties": { "^v?[0-9][0-9A-Za-z.+-]*$": release },
            "additionalProperties": false,
        })
    }
}
