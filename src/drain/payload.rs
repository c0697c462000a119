//! One value out of a payload of JSON, without building the rest of it: a scan looks at every record of a topic.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a pointer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing, or `null`.
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number; `1.0` is one, too.
    Number(i128),
    /// Something else: an object, a list, a fraction, true or false.
    Other,
}

/// Follows a pointer, which is given as its parts. Where a name stands twice, the last one counts, as with most readers.
///
/// # Errors
/// When the payload is no JSON. All of it is read, so a payload that breaks off is one.
pub fn find<'a>(payload: &'a [u8], pointer: &[String]) -> Result<Found<'a>, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let found = Seek { pointer }.deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(found)
}

#[derive(Clone, Copy)]
struct Seek<'p> {
    pointer: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seek<'_> {
    /// A value that has nothing inside: it is what was sought only at the end of the pointer.
    fn leaf(self, found: Found<'_>) -> Found<'_> {
        if self.pointer.is_empty() { found } else { Found::Absent }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Found<'de>, E> {
        Ok(Found::Absent)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found<'de>, E> {
        Ok(self.leaf(Found::Other))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Found<'de>, E> {
        Ok(self.leaf(Found::Number(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Found<'de>, E> {
        Ok(self.leaf(Found::Number(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Found<'de>, E> {
        // Why text: a fraction is written without `.0` only when it is none, and no cast can then go wrong.
        let whole = value.fract() == 0.0;
        Ok(self.leaf(if whole { format!("{value:.0}").parse().map_or(Found::Other, Found::Number) } else { Found::Other }))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Found<'de>, E> {
        Ok(self.leaf(Found::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Found<'de>, E> {
        Ok(self.leaf(Found::Text(Cow::Borrowed(value))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let Some((head, rest)) = self.pointer.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Found::Other);
        };
        let mut found = Found::Absent;
        while let Some(meant) = map.next_key_seed(Is(head))? {
            if meant {
                found = map.next_value_seed(Seek { pointer: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found<'de>, A::Error> {
        let Some((head, rest)) = self.pointer.split_first() else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Found::Other);
        };
        let mut found = Found::Absent;
        let mut at = 0_usize;
        let wanted = head.parse().ok();
        loop {
            if wanted == Some(at) {
                let Some(inside) = list.next_element_seed(Seek { pointer: rest })? else { break };
                found = inside;
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
            at += 1;
        }
        Ok(found)
    }
}

/// Whether a name in an object is this one.
struct Is<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<bool, E> {
        Ok(value == self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn parts(pointer: &str) -> Vec<String> {
        pointer.split('/').skip(1).map(str::to_owned).collect()
    }

    fn at<'a>(payload: &'a str, pointer: &str) -> Result<Found<'a>, String> {
        find(payload.as_bytes(), &parts(pointer))
    }

    #[test]
    fn a_pointer_leads_to_what_lies_there() {
        let text = |text: &'static str| Ok(Found::Text(Cow::Borrowed(text)));
        assert_eq!(at(r#"{"a": {"b": "x"}, "c": 1}"#, "/a/b"), text("x"));
        assert_eq!(at(r#"{"a": {"b": "x"}, "c": 1}"#, "/c"), Ok(Found::Number(1)));
        assert_eq!(at(r#"{"a": [0, {"b": "y"}]}"#, "/a/1/b"), text("y"));
        assert_eq!(at(r#"{"v": 2.0}"#, "/v"), Ok(Found::Number(2)), "a producer that counts in fractions");
        assert_eq!(at(r#"{"v": 2.5}"#, "/v"), Ok(Found::Other));
        assert!(at(r#"{"v": 1e400}"#, "/v").is_err());
        for absent in [r#"{"a": 1}"#, r#"{"v": null}"#, "7", "[]", "null", r#"{"a": {"v": 1}}"#] {
            assert_eq!(at(absent, "/v"), Ok(Found::Absent), "{absent}");
        }
        assert_eq!(at(r#"{"v": 0, "x": 9, "v": 1}"#, "/v"), Ok(Found::Number(1)), "the last one counts");
        assert_eq!(at(r#"{"v": {}}"#, "/v"), Ok(Found::Other));
    }

    #[test]
    fn what_is_no_json_is_an_error_wherever_the_mistake_lies() {
        for broken in ["", "{", r#"{"v": 0"#, r#"{"v": 0} x"#, r#"{"v": 0, "w": tru}"#, "\u{0}"] {
            assert!(at(broken, "/v").is_err(), "{broken:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(at(&deep, "/v").is_err());
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(bytes: Vec<u8>) {
            let _ = find(&bytes, &parts("/event_version"));
        }

        #[test]
        fn it_is_what_a_whole_reading_finds(version: i64, name in "[ -~]{0,12}", rest in "[a-z]{1,5}") {
            let value: Value = serde_json::json!({ rest: [1, {"event_version": 9}], "event_name": name, "event_version": version });
            let text = value.to_string();
            prop_assert_eq!(at(&text, "/event_version"), Ok(Found::Number(version.into())));
            let found = at(&text, "/event_name");
            prop_assert!(matches!(&found, Ok(Found::Text(text)) if *text == name), "{:?}", found);
        }
    }
}
