//! Names of people, as journals keep them.

use super::problem::Problem;

/// Longest name in characters.
const LONGEST: usize = 100;

/// A name that may stand in a journal: short, printable, not blank.
pub(super) fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(Problem::malformed(format!("a name has 1 to {LONGEST} printable characters")));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(name(" ann@host ").unwrap(), "ann@host");
        for bad in ["", "  ", "a\nb", "a\u{7f}", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
