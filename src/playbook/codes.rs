//! Every code that a diagnostic can carry, with its title and its page. A code is never given a second meaning; a code that is no
//! longer used stays in the table's history, not in the table.

use super::diagnostic::Severity;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `C0104`.
    pub name: &'static str,
    /// Whether a playbook with this mistake is refused.
    pub severity: Severity,
    /// A fragment that names the mistake, without the particulars.
    pub title: &'static str,
    /// What it means, an example that triggers it and how to mend it, in Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal, $severity:ident, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $constant: Code = Code {
                name: $name,
                severity: Severity::$severity,
                title: $title,
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/docs/errors/", $name, ".md")),
            };
        )*

        /// The table, in the order of the codes.
        pub const ALL: &[Code] = &[$($constant),*];
    };
}

codes! {
    NOT_YAML = "C0001", Error, "the file is not YAML";
    TOO_LARGE = "C0002", Error, "the file is too large";
    SEVERAL_DOCUMENTS = "C0003", Error, "the file holds several documents";
    DUPLICATE_KEY = "C0004", Error, "a key is given twice";
    KEY_IS_NO_TEXT = "C0005", Error, "a key is not text";
    TOO_MUCH_YAML = "C0006", Error, "the file unfolds into too much";
    TAB = "C0007", Error, "a tab indents a line";
    FOREIGN_YAML = "C0008", Error, "a part of YAML that playbooks do not use";
    NOT_A_PLAYBOOK = "C0101", Error, "the file is not a playbook";
    UNKNOWN_KEY = "C0102", Error, "an unknown key";
    MISSING_KEY = "C0103", Error, "a key is missing";
    WRONG_TYPE = "C0104", Error, "a value of the wrong type";
    NOT_ONE_OF = "C0105", Error, "a value that is not one of the allowed ones";
    OUT_OF_RANGE = "C0106", Error, "a value outside its range";
    WRONG_NOTATION = "C0107", Error, "a text in the wrong notation";
    NOT_YET = "C0108", Error, "a key that this version does not support yet";
    NOT_ONE_KIND = "C0109", Error, "a step without exactly one kind";
    UNKNOWN_KIND = "C0110", Error, "an unknown step kind";
    DUPLICATE_ID = "C0111", Error, "two steps with one id";
    BAD_NAME = "C0112", Error, "a name with characters that are not allowed";
    COMPLAINT = "C0113", Error, "values of a step that do not go together";
    NO_FILE = "C0114", Error, "a file that cannot be read";
    NOT_JSON = "C0115", Error, "a .json file that is not JSON";
    NO_STEPS = "C0116", Error, "a playbook without steps";
    DOES_NOT_FIT = "C0117", Error, "a value that does not fit";
    NO_STEP = "C0118", Error, "a step that names another one that is not there";
    NOT_DECLARED = "C0119", Error, "a name that the file of services does not declare";
    SHARED = "C0120", Error, "steps of a block that touch the same thing";
    UNKNOWN_PARAMETER = "C0201", Error, "an unknown parameter";
    NO_VALUE = "C0202", Error, "a parameter without a value";
    BAD_VALUE = "C0203", Error, "a value that its parameter does not accept";
    BLANK = "C0204", Error, "a blank that was not filled in";
    BAD_PLACEHOLDER = "C0205", Error, "a ${…} that cannot be read";
    NOBODY_ASKED = "C0206", Error, "a value for a parameter that there is not";
    BAD_PARAMETER = "C0207", Error, "a parameter that cannot be declared so";
    PLAIN_SECRET = "C0301", Error, "a secret in plain text";
    NO_ENVIRONMENT = "C0302", Error, "an environment that there is not";
    WHICH_ENVIRONMENT = "C0303", Error, "no environment was chosen";
    STACK_AND_SYSTEMS = "C0304", Error, "an environment from two sources";
    UNUSED_PARAMETER = "C0401", Warning, "an unused parameter";
    LAST_APPROVAL = "C0402", Warning, "an approval that nothing follows";
    NO_WAY_BACK = "C0403", Warning, "a failure policy that cannot work";
    LATE_RETRY = "C0404", Warning, "retries that never come";
    SAME_STEP = "C0405", Warning, "a step that repeats another";
}

/// The row of that code; upper or lower case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_are_in_order_and_unique() {
        let names: Vec<_> = ALL.iter().map(|code| code.name).collect();
        let sorted: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_page_has_a_code_and_says_its_title() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/docs/errors");
        let found: BTreeSet<String> = std::fs::read_dir(pages)
            .expect("the pages")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".md").to_owned())
            .collect();
        assert_eq!(found, ALL.iter().map(|code| code.name.to_owned()).collect());
        for code in ALL {
            let heading = format!("# {}: {}\n", code.name, code.title);
            assert!(code.page.starts_with(&heading), "{} must begin with {heading:?}", code.name);
            assert!(code.page.contains("\n## How to mend it\n"), "{} does not say how to mend it", code.name);
        }
    }
}
