//! Where a value stands in a text of JSON. Why not through the tree of `playbook`: that reads no file over 1 MiB, which a plan with its
//! files may be.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::step::pointer::unescape;

/// The line, from 1, on which the value at this JSON pointer begins. `None` when it is not there.
pub(super) fn line_of(text: &str, pointer: &str) -> Option<usize> {
    let whole: &RawValue = serde_json::from_str(text).ok()?;
    let value = pointer.split('/').skip(1).try_fold(whole, |value, part| inside(value, &unescape(part)))?;
    let begin = value.get().as_ptr().addr() - text.as_ptr().addr();
    Some(text.get(..begin)?.matches('\n').count() + 1)
}

/// The member of that name, or the item of that number.
fn inside<'a>(value: &'a RawValue, part: &str) -> Option<&'a RawValue> {
    if let Ok(mut members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()) {
        return members.remove(part);
    }
    let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    items.get(part.parse::<usize>().ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_pointer() {
        let text = "{\n  \"a\": 1,\n  \"b/c\": {\"x\": \"}\\\"\",\n   \"y\": [true,\n  {\"z\": null}]},\n  \"d\": -1.5e3\n}\n";
        for (pointer, line) in [
            ("", 1),
            ("/a", 2),
            ("/b~1c", 3),
            ("/b~1c/x", 3),
            ("/b~1c/y", 4),
            ("/b~1c/y/0", 4),
            ("/b~1c/y/1", 5),
            ("/b~1c/y/1/z", 5),
            ("/d", 6),
        ] {
            assert_eq!(line_of(text, pointer), Some(line), "{pointer}");
        }
        for missing in ["/e", "/b~1c/y/2", "/a/b", "/b~1c/q"] {
            assert_eq!(line_of(text, missing), None, "{missing}");
        }
        assert_eq!(line_of("{", "/a"), None);
    }
}
