//! The bounds that a Rust integer has and that its schema only names in `format`.

use serde_json::Value;

/// Adds `minimum` and `maximum` wherever a schema says the width of an integer.
pub(super) fn add(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let format = object.get("format").and_then(Value::as_str).and_then(bounds);
            if let (Some((least, most)), true) = (format, object.get("type").is_some()) {
                object.entry("minimum").or_insert_with(|| least.into());
                object.entry("maximum").or_insert_with(|| most.into());
            }
            object.values_mut().for_each(add);
        }
        Value::Array(items) => items.iter_mut().for_each(add),
        _ => {}
    }
}

fn bounds(format: &str) -> Option<(i64, u64)> {
    Some(match format {
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" | "uint" => (0, u64::MAX),
        "int8" => (i8::MIN.into(), 127),
        "int16" => (i16::MIN.into(), 32_767),
        "int32" => (i32::MIN.into(), 2_147_483_647),
        "int64" | "int" => (i64::MIN, 9_223_372_036_854_775_807),
        _ => return None,
    })
}
