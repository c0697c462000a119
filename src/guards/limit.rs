//! The limit that a guard's value must keep, where a playbook gives it as `above` or `below`.

use std::time::Duration;

use crate::step::scalar::Span;

/// The longest time that a guard may wait for one answer; a look as a whole is given up later.
const LONGEST: Duration = Duration::from_secs(10);

/// Whether a value breaks its limit.
pub(super) fn is_bad(value: f64, above: Option<f64>, below: Option<f64>) -> bool {
    above.is_some_and(|above| value > above) || below.is_some_and(|below| value < below)
}

/// The limit in words, if there is one.
pub(super) fn words(above: Option<f64>, below: Option<f64>) -> Option<String> {
    above.map(|above| format!("above {above}")).or_else(|| below.map(|below| format!("below {below}")))
}

/// What is wrong when not exactly one of these keys is given: each key, and whether it is.
pub(super) fn complaints(kind: &str, keys: &[(&str, bool)]) -> Vec<(String, String)> {
    let mut given = keys.iter().filter(|(_, given)| *given).map(|(key, _)| *key);
    match (given.next(), given.next()) {
        (None, _) => {
            let all: Vec<_> = keys.iter().map(|(key, _)| format!("`{key}: …`")).collect();
            let (last, first) = all.split_last().map_or((String::new(), String::new()), |(last, first)| (last.clone(), first.join(", ")));
            vec![(String::new(), format!("`{kind}` needs a limit: add {first} or {last}"))]
        }
        (Some(first), Some(second)) => {
            let message = format!("`{kind}` has two limits: take `{first}` or `{second}` away, or make it two guards");
            vec![(format!("/{second}"), message)]
        }
        (Some(_), None) => Vec::new(),
    }
}

/// What is wrong with the time that one answer may take.
pub(super) fn patience(timeout: Span) -> Vec<(String, String)> {
    let why = if timeout.0.is_zero() {
        "nothing answers within no time".to_owned()
    } else if timeout.0 > LONGEST {
        format!("`timeout` must be at most {}, not {timeout}", Span(LONGEST))
    } else {
        return Vec::new();
    };
    vec![("/timeout".to_owned(), why)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_limit_is_given() {
        let told = |above, below, third| complaints("x", &[("above", above), ("below", below), ("equals", third)]);
        assert_eq!(told(false, true, false), []);
        assert_eq!(told(false, false, false)[0].1, "`x` needs a limit: add `above: …`, `below: …` or `equals: …`");
        assert_eq!(told(true, false, true)[0].0, "/equals");
    }

    #[test]
    fn the_limit_itself_is_good() {
        assert!(!is_bad(1.0, Some(1.0), None) && is_bad(1.1, Some(1.0), None));
        assert!(!is_bad(1.0, None, Some(1.0)) && is_bad(0.9, None, Some(1.0)));
    }

    #[test]
    fn an_answer_has_some_time_and_not_much() {
        let told = |seconds| patience(Span(Duration::from_secs(seconds))).len();
        assert_eq!((told(0), told(1), told(10), told(11)), (1, 0, 0, 1));
    }
}
