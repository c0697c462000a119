//! Where a value stands in a text of JSON.

/// The line, from 1, of the value at this JSON pointer; of its key when it is in an object. `None` when it is not there.
pub(super) fn line_of(text: &str, pointer: &str) -> Option<usize> {
    let mut at = skip_space(text, 0);
    let mut told = at;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        (told, at) = inside(text, at, &part)?;
    }
    Some(text.get(..told)?.matches('\n').count() + 1)
}

/// Where the member of that name, or the item of that number, is told and where its value begins.
fn inside(text: &str, at: usize, part: &str) -> Option<(usize, usize)> {
    let is_object = match byte(text, at)? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let mut next = skip_space(text, at + 1);
    for number in 0.. {
        if matches!(byte(text, next)?, b'}' | b']') {
            return None;
        }
        let told = next;
        let fits = if is_object {
            let end = skip_value(text, next)?;
            let key: String = serde_json::from_str(text.get(next..end)?).ok()?;
            next = skip_space(text, end);
            next = skip_space(text, next + 1);
            key == part
        } else {
            part.parse() == Ok(number)
        };
        if fits {
            return Some((told, next));
        }
        next = skip_space(text, skip_value(text, next)?);
        if byte(text, next)? == b',' {
            next = skip_space(text, next + 1);
        }
    }
    None
}

fn byte(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

fn skip_space(text: &str, mut at: usize) -> usize {
    while byte(text, at).is_some_and(|byte| byte.is_ascii_whitespace()) {
        at += 1;
    }
    at
}

/// The place behind a value.
fn skip_value(text: &str, mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        let whole = match byte(text, at)? {
            b'"' => {
                at += 1;
                while byte(text, at)? != b'"' {
                    at += if byte(text, at)? == b'\\' { 2 } else { 1 };
                }
                true
            }
            b'{' | b'[' => {
                depth += 1;
                false
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                true
            }
            b',' | b':' | b'}' | b']' if depth == 0 => return Some(at),
            byte if byte.is_ascii_whitespace() && depth == 0 => return Some(at),
            _ => false,
        };
        at += 1;
        if whole && depth == 0 {
            return Some(at);
        }
    }
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
