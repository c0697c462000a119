//! JSON pointers: how a name stands in one, so that a complaint finds its place in a body whatever the names in it are.

use serde_path_to_error::{Path, Segment};

/// A name as a part of a pointer.
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What is wrong with a text that should be a JSON pointer, with the pointer that was probably meant: paths are often written with dots.
#[must_use]
pub fn mistake(text: &str) -> Option<String> {
    let fine = text.is_empty() || text.starts_with('/');
    (!fine).then(|| format!("`{text}` is no JSON pointer; write `/{}`", text.trim_start_matches(['$', '.']).replace('.', "/")))
}

/// The name that stands in a part of a pointer.
#[must_use]
pub fn unescape(part: &str) -> String {
    // Why in this order: `~01` is the name `~1`, not a slash.
    part.replace("~1", "/").replace("~0", "~")
}

/// The pointer of where reading ended. Why not what the path prints: that has a dot between two names, and names have dots, too.
#[must_use]
pub fn of_path(path: &Path) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escape(key)),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back() {
        for name in ["plain", "a/b", "a~b", "~1", "~01", "/~0/"] {
            assert_eq!(unescape(&escape(name)), name);
            assert!(!escape(name).contains('/'), "{name}");
        }
    }
}
