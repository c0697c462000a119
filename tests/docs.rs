//! Documentation that is printed from the code, and fails here when it is stale. `CUTOVER_BLESS=1` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use cutover::engine::table::{Rule, exit_code, rule};
use cutover::engine::{Command, RunState};

fn same_as_the_page(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/docs/reference").join(page);
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        fs::write(&path, text).expect("a page");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, text, "{} is stale; run the test with CUTOVER_BLESS=1", path.display());
}

#[test]
fn the_page_of_states_is_the_table_in_the_code() {
    let mut text = String::from(
        "# States of a run, and what each command does in them\n\nPrinted from the code. A command that a state refuses changes nothing and says why.\n",
    );
    for state in RunState::ALL {
        let kind = match state {
            state if state.is_end() => "an end",
            state if state.needs_person() => "needs a person",
            _ => "moves by itself",
        };
        writeln!(text, "\n## {state}\n\n{kind}; exit code {}\n\n| command | answer |\n|---|---|", exit_code(*state)).expect("a text");
        for command in Command::ALL {
            match rule(*state, *command) {
                Rule::Taken(what) => writeln!(text, "| **{}** | {what} |", command.as_str()),
                Rule::Refused(why) => writeln!(text, "| {} | refused: {why} |", command.as_str()),
            }
            .expect("a text");
        }
    }
    same_as_the_page("states.md", &text);
}
