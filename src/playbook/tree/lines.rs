//! Lines as YAML counts them: they end with a line feed, a carriage return, or both.

/// The line of that number, from 1, and the byte at which it begins.
#[must_use]
pub fn line(text: &str, number: u32) -> Option<(usize, &str)> {
    let mut offset = 0;
    let mut rest = text;
    for _ in 1..number {
        let end = rest.find(['\n', '\r'])?;
        let feed = rest.get(end..).is_some_and(|ending| ending.starts_with("\r\n"));
        let next = end + if feed { 2 } else { 1 };
        offset += next;
        rest = rest.get(next..)?;
    }
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    Some((offset, rest.get(..end)?))
}

/// How many lines there are, and the last of them.
#[must_use]
pub fn last(text: &str) -> (u32, &str) {
    let returns = text.matches('\r').count();
    let feeds = text.matches('\n').count();
    let both = text.matches("\r\n").count();
    let count = u32::try_from(returns + feeds - both + 1).unwrap_or(u32::MAX);
    (count, text.rsplit(['\n', '\r']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_ends_a_line() {
        let text = "a\r\nb\rc\n\nd";
        let lines: Vec<_> = (1..=6).map(|number| line(text, number)).collect();
        assert_eq!(lines, [Some((0, "a")), Some((3, "b")), Some((5, "c")), Some((7, "")), Some((8, "d")), None]);
        assert_eq!(last(text), (5, "d"));
        assert_eq!(last(""), (1, ""));
    }
}
