//! Which schema of a registry a record was written with, as its bytes say: Confluent's wire format, in front of the value or in a header.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ports::kafka::RecordRef;

/// The header in which newer clients name the schema of a value, instead of in front of it.
const HEADER: &str = "__value_schema_id";

/// First byte where a number of four bytes follows.
const NUMBERED: u8 = 0;

/// First byte where sixteen bytes follow.
const GLOBAL: u8 = 1;

/// A schema as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaKey {
    /// By its number in the registry.
    Id(u32),
    /// By its global name.
    Guid(u128),
}

impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Guid(guid) => write!(f, "{}", uuid::Uuid::from_u128(*guid)),
        }
    }
}

/// The schema that a record names, and nothing when it names none.
#[must_use]
pub fn schema(record: &RecordRef<'_>) -> Option<SchemaKey> {
    let told = record.header(HEADER).and_then(split).filter(|(_, rest)| rest.is_empty());
    told.or_else(|| record.value.and_then(split)).map(|(key, _)| key)
}

/// The value without what stands in front of it.
#[must_use]
pub fn content(value: &[u8]) -> &[u8] {
    split(value).map_or(value, |(_, rest)| rest)
}

fn split(bytes: &[u8]) -> Option<(SchemaKey, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        NUMBERED => rest.split_first_chunk().map(|(id, rest)| (SchemaKey::Id(u32::from_be_bytes(*id)), rest)),
        GLOBAL => rest.split_first_chunk().map(|(guid, rest)| (SchemaKey::Guid(u128::from_be_bytes(*guid)), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::kafka::{Position, StoredRecord};

    fn record(value: &[u8], header: Option<&[u8]>) -> StoredRecord {
        let headers = header.map(|header| (HEADER.to_owned(), header.to_vec())).into_iter().collect();
        StoredRecord { at: Position { partition: 0, offset: 0 }, key: None, value: Some(value.to_vec()), headers }
    }

    #[test]
    fn a_schema_is_named_in_front_of_the_value_or_in_a_header() {
        let guid = [[GLOBAL].as_slice(), &7_u128.to_be_bytes()].concat();
        for (value, header, expected) in [
            (&b"\x00\x00\x00\x01\x02{}"[..], None, Some(SchemaKey::Id(258))),
            (b"\x00\x00\x00\x01", None, None),
            (b"{}", None, None),
            (b"", None, None),
            (b"{}", Some(&guid[..]), Some(SchemaKey::Guid(7))),
            (b"\x00\x00\x00\x00\x05{}", Some(&guid[..]), Some(SchemaKey::Guid(7))),
            (b"\x00\x00\x00\x00\x05{}", Some(&b"\x01short"[..]), Some(SchemaKey::Id(5))),
        ] {
            let stored = record(value, header);
            assert_eq!(schema(&stored.borrowed()), expected, "{value:?} {header:?}");
        }
        assert_eq!(content(b"\x00\x00\x00\x01\x02{}"), b"{}");
        assert_eq!(content(b"{}"), b"{}");
    }
}
