//! Words, numbers and characters of texts that are no JSON, and what they are in JSON.

/// What a bare word is in JSON, if it is anything.
pub(super) fn literal(word: &str) -> Option<&'static str> {
    Some(match word {
        "true" | "True" | "TRUE" => "true",
        "false" | "False" | "FALSE" => "false",
        "null" | "None" | "NULL" | "Null" | "nil" | "undefined" => "null",
        _ => return None,
    })
}

/// A number as JSON writes it; `None` when the word is no number.
pub(super) fn number(word: &str) -> Option<String> {
    if serde_json::from_str::<serde_json::Number>(word).is_ok() {
        return Some(word.to_owned());
    }
    let plain = word.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|value| format!("{sign}{value}"));
    }
    let trimmed = digits.trim_start_matches('0');
    let whole = if trimmed.is_empty() || trimmed.starts_with(['.', 'e', 'E']) { format!("0{trimmed}") } else { trimmed.to_owned() };
    let whole = whole.strip_suffix('.').unwrap_or(&whole);
    let number = format!("{sign}{whole}");
    let has_digit = digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.')
        && digits.contains(|letter: char| letter.is_ascii_digit());
    (has_digit && serde_json::from_str::<serde_json::Number>(&number).is_ok()).then_some(number)
}

/// The marks that may end a text that begins with this one; `None` when it begins no text.
pub(super) fn closing(quote: char) -> Option<&'static [char]> {
    Some(match quote {
        '"' => &['"'],
        '\'' => &['\''],
        '`' => &['`'],
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ff02}' => &['\u{201d}', '\u{201c}', '\u{201e}', '\u{ff02}', '"'],
        '\u{2018}' | '\u{2019}' | '\u{201a}' => &['\u{2019}', '\u{2018}', '\u{201a}', '\''],
        '\u{ab}' => &['\u{bb}'],
        _ => return None,
    })
}

/// Whether a character may be part of a bare word.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-' | '.' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_languages_are_numbers() {
        for (word, json) in [
            ("1", Some("1")),
            ("+1", Some("1")),
            (".5", Some("0.5")),
            ("5.", Some("5")),
            ("007", Some("7")),
            ("1_000", Some("1000")),
            ("0x1F", Some("31")),
            ("-.5e3", Some("-0.5e3")),
            ("abc", None),
            ("e5", None),
            (".", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(number(word).as_deref(), json, "{word}");
        }
    }
}
