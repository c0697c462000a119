//! From a playbook on disk to a bundle that travels: the playbook, its files, and the environment with its systems.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{self, CliError};
use super::lint::variable;
use super::session::Session;
use crate::playbook::environment::{self, Config, Environment, Origin, System};
use crate::playbook::{self, Bundle, Diagnostics, Directory, Source};
use crate::ports::settings::{KafkaSettings, RegistrySettings};
use crate::stack::{DataDir, local};

/// Which playbook, with which values.
#[derive(Clone, Debug, Args)]
pub struct PlaybookArgs {
    /// Playbook file, or the name of one in playbooks/
    #[arg(value_name = "PLAYBOOK")]
    pub playbook: PathBuf,

    /// Value of a parameter; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
}

/// Reads the playbook and everything that it needs.
///
/// # Errors
/// Exit code 65 with every mistake of the playbook, 78 for the configuration.
pub fn bundle(session: &Session, args: &PlaybookArgs) -> Result<Bundle, CliError> {
    let path = find(session, &args.playbook)?;
    let bytes = std::fs::read(&path).map_err(|error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", path.display())))?;
    let name = path.strip_prefix(&session.here).unwrap_or(&path).to_string_lossy().into_owned();
    let source = Source::from_bytes(&name, bytes).map_err(|wrong| mistakes(session, &wrong, exit::INVALID))?;
    let vars: BTreeMap<String, String> = args.vars.iter().cloned().collect();
    let (playbook, warnings) =
        playbook::read(&source, &vars, &Directory::of(&path)).map_err(|wrong| mistakes(session, &wrong, exit::INVALID))?;
    if !warnings.is_empty() {
        session.say(warnings.plain().trim_end());
    }
    let environment = resolve(session)?;
    Ok(Bundle::pack(&source, &vars, &playbook, environment))
}

/// A path as it is, or `playbooks/NAME.yaml` beside cutover.yaml.
pub(super) fn find(session: &Session, named: &Path) -> Result<PathBuf, CliError> {
    let direct = session.here.join(named);
    if direct.is_file() {
        return Ok(direct);
    }
    let home = environment::find(&session.here).and_then(|file| file.parent().map(Path::to_owned));
    let inside = home.map(|home| home.join("playbooks").join(named).with_extension("yaml"));
    inside.filter(|path| path.is_file()).ok_or_else(|| {
        CliError::new(exit::USAGE, format!("there is no playbook {}", named.display()))
            .hint("give the path of a .yaml file, or the name of one in playbooks/")
    })
}

/// Mistakes as an error: every one on standard error, or as JSON on standard output.
#[must_use]
pub fn mistakes(session: &Session, wrong: &Diagnostics, code: u8) -> CliError {
    if session.is_json() {
        // Why: programs read the answer on standard output; the error itself is then just the exit code.
        let _ = session.json(wrong);
        return CliError::new(code, "");
    }
    let text = if session.terminal.err { wrong.graphical(true, usize::from(session.terminal.width())) } else { wrong.plain() };
    CliError::new(code, text.trim_end().to_owned()).hint("`cutover explain CODE` says more about a code")
}

/// The environment that is meant, with its systems.
///
/// # Errors
/// When there is no configuration, it has mistakes, or its stack is not up.
pub fn resolve(session: &Session) -> Result<Environment, CliError> {
    let Some(path) = environment::find(&session.here) else {
        return Err(CliError::new(exit::CONFIG, "there is no cutover.yaml here or above").hint("`cutover init` writes one"));
    };
    let text =
        std::fs::read_to_string(&path).map_err(|error| CliError::new(exit::CONFIG, format!("cannot read {}: {error}", path.display())))?;
    let name = path.strip_prefix(&session.here).unwrap_or(&path).to_string_lossy().into_owned();
    let config = Config::read(&name, &text).map_err(|wrong| mistakes(session, &wrong, exit::CONFIG))?;
    let mut found = config.environment(session.global.env.as_deref()).map_err(|wrong| mistakes(session, &wrong, exit::CONFIG))?.clone();
    if found.from == Some(Origin::Stack) {
        fill_from_stack(session, &mut found)?;
    }
    Ok(found)
}

fn fill_from_stack(session: &Session, found: &mut Environment) -> Result<(), CliError> {
    let down = || {
        let message = format!("environment {} takes its systems from the local stack, and that was never started", found.name);
        CliError::new(exit::CONFIG, message).hint("cutover stack up")
    };
    let data = DataDir::open_existing(&session.data_path())?.ok_or_else(down)?;
    let addresses = local::addresses(&data)?.ok_or_else(down)?;
    let setting = |what: &str| format!("{}: {what}, from the local stack (`cutover stack up`)", data.stack_file().display());
    let kafka = serde_json::json!({ "bootstrap": addresses.kafka.bootstrap });
    let registry = serde_json::json!({ "url": addresses.registry.url });
    let broken = |error: serde_json::Error| CliError::new(exit::UNEXPECTED, error.to_string());
    let kafka: KafkaSettings = serde_json::from_value(kafka).map_err(broken)?;
    let registry: RegistrySettings = serde_json::from_value(registry).map_err(broken)?;
    found.kafka.insert("main".to_owned(), System { settings: kafka, setting: setting("kafka") });
    found.registry.insert("main".to_owned(), System { settings: registry, setting: setting("registry") });
    Ok(())
}
