//! `cutover man`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use super::exit::{self, CliError};
use super::session::Session;

/// Write the manual pages, one for each command
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Directory that they are written to; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a page cannot be written.
pub fn run(session: &Session, args: &ManArgs) -> Result<u8, CliError> {
    let pages = pages();
    write(&args.out, &pages)?;
    session.say(format!("Wrote {} pages to {}", pages.len(), args.out.display()));
    if let Some((name, _)) = pages.first() {
        session.next(format!("man {}", args.out.join(name).display()));
    }
    Ok(exit::OK)
}

fn write(out: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), CliError> {
    let wrong = |path: &Path, error: &std::io::Error| CliError::new(exit::USAGE, format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(out).map_err(|error| wrong(out, &error))?;
    for (name, text) in pages {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| wrong(&path, &error))?;
    }
    Ok(())
}

/// Every page with the name of its file, those of hidden commands left out.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut root = Cli::command();
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    // Why: writing to memory does not fail.
    let _ = Man::new(command.clone().name(name.clone())).render(&mut page);
    pages.push((format!("{name}.1"), page));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        collect(inner, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(command: &Command, before: &str, all: &mut Vec<String>) {
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
            let name = format!("{before}-{}", inner.get_name());
            names(inner, &name, all);
            all.push(name);
        }
    }

    #[test]
    fn every_command_has_a_page_that_says_what_it_is_for() {
        let pages = pages();
        let mut commands = vec!["cutover".to_owned()];
        names(&Cli::command(), "cutover", &mut commands);
        assert!(commands.len() > 20, "{commands:?}");
        for command in &commands {
            let page = pages.iter().find(|(name, _)| *name == format!("{command}.1"));
            let text = String::from_utf8(page.unwrap_or_else(|| panic!("{command} has no page")).1.clone()).unwrap();
            for part in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
                assert!(text.contains(part), "{command}: {text}");
            }
        }
        assert_eq!(pages.len(), commands.len(), "and hidden commands have none");
    }

    #[test]
    fn pages_are_written_where_they_are_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("a/man1");
        write(&out, &pages()).unwrap();
        let page = fs::read_to_string(out.join("cutover-stack-up.1")).unwrap();
        assert!(page.contains("cutover\\-stack\\-up"), "{page}");
        let refused = write(&out.join("cutover.1"), &pages()).unwrap_err();
        assert!(refused.to_string().contains("cannot write"), "{refused}");
    }
}
