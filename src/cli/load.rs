//! From a playbook on disk to a bundle that travels: the playbook, its files, and the environment with its systems.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit::{self, CliError};
use super::lint::variable;
use super::session::Session;
use crate::playbook::environment::{self, Config, Environment, Origin, System};
use crate::playbook::{self, Bundle, Diagnostics, Directory, Playbook, Source};
use crate::stack::{DataDir, local, supervisor};

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

/// Other names of playbooks: the row that a link is the first of.
const ROWS: [(&str, &str); 2] = [("p1", "comm-020"), ("comm-030", "p3")];

/// The parameters that a playbook declares. One that does not read has none here; reading it as a whole says why.
///
/// # Errors
/// When there is no such playbook.
pub fn parameters(session: &Session, named: &Path) -> Result<Vec<String>, CliError> {
    let path = find(session, named)?;
    let source = std::fs::read(&path).ok().and_then(|bytes| Source::from_bytes(&path.to_string_lossy(), bytes).ok());
    let read = source.and_then(|source| playbook::read(&source, &BTreeMap::new(), &Directory::of(&path)).ok());
    Ok(read.map(|(playbook, _)| playbook.params.into_keys().collect()).unwrap_or_default())
}

/// Reads the playbook and everything that it needs.
///
/// # Errors
/// Exit code 65 with every mistake of the playbook, 78 for the configuration.
pub fn bundle(session: &Session, args: &PlaybookArgs) -> Result<Bundle, CliError> {
    let Loaded { source, vars, playbook } = read(session, args)?;
    let environment = resolve(session)?;
    Ok(Bundle::pack(&source, &vars, &playbook, environment))
}

/// A playbook as it was read from its file.
#[derive(Debug)]
pub struct Loaded {
    /// Its text, named as seen from here.
    pub source: Source,
    /// The values of its parameters that were given.
    pub vars: BTreeMap<String, String>,
    /// The playbook.
    pub playbook: Playbook,
}

/// Reads the playbook and the files that it names, and says its warnings. Needs no environment.
///
/// # Errors
/// Exit code 65 with every mistake of the playbook.
pub fn read(session: &Session, args: &PlaybookArgs) -> Result<Loaded, CliError> {
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
    Ok(Loaded { source, vars, playbook })
}

/// A path as it is, or `playbooks/NAME.yaml` beside cutover.yaml.
///
/// # Errors
/// When there is neither.
pub fn find(session: &Session, named: &Path) -> Result<PathBuf, CliError> {
    let direct = session.here.join(named);
    if direct.is_file() {
        return Ok(direct);
    }
    let home = environment::find(&session.here).and_then(|file| file.parent().map(Path::to_owned));
    let row = ROWS.iter().find(|(row, _)| named.to_str().is_some_and(|named| named.eq_ignore_ascii_case(row)));
    let named_file = row.map_or_else(|| PathBuf::from(named.to_string_lossy().to_lowercase()), |(_, link)| PathBuf::from(link));
    let inside = home.map(|home| home.join("playbooks").join(named_file).with_extension("yaml"));
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
    let mut found = written(session)?;
    if found.from == Some(Origin::Stack) {
        fill_from_stack(session, &mut found)?;
    }
    Ok(found)
}

/// The environment as it is written in the nearest `cutover.yaml`, which a stack that does not run yet is no obstacle to.
///
/// # Errors
/// When there is no such file, or it has mistakes.
pub fn written(session: &Session) -> Result<Environment, CliError> {
    let Some(path) = environment::find(&session.here) else {
        return Err(CliError::new(exit::CONFIG, "there is no cutover.yaml here or above").hint("`cutover init` writes one"));
    };
    let text =
        std::fs::read_to_string(&path).map_err(|error| CliError::new(exit::CONFIG, format!("cannot read {}: {error}", path.display())))?;
    let name = path.strip_prefix(&session.here).unwrap_or(&path).to_string_lossy().into_owned();
    let config = Config::read(&name, &text).map_err(|wrong| mistakes(session, &wrong, exit::CONFIG))?;
    Ok(config.environment(session.global.env.as_deref()).map_err(|wrong| mistakes(session, &wrong, exit::CONFIG))?.clone())
}

/// Reads settings as they would stand in `cutover.yaml`.
fn settings<T: serde::de::DeserializeOwned>(value: serde_json::Value, setting: String) -> Result<System<T>, CliError> {
    let settings = serde_json::from_value(value).map_err(|error| CliError::new(exit::UNEXPECTED, error.to_string()))?;
    Ok(System { settings, setting })
}

fn fill_from_stack(session: &Session, found: &mut Environment) -> Result<(), CliError> {
    let down = || {
        let message = format!("environment {} takes its systems from the local stack, and that was never started", found.name);
        CliError::new(exit::CONFIG, message).hint("cutover stack up")
    };
    let data = DataDir::open_existing(&session.data_path())?.ok_or_else(down)?;
    let addresses = local::addresses(&data)?.ok_or_else(down)?;
    let setting = |what: &str| format!("{}: {what}, from the local stack (`cutover stack up`)", data.stack_file().display());
    let main = || "main".to_owned();
    found.kafka.insert(main(), settings(json!({ "bootstrap": addresses.kafka.bootstrap }), setting("kafka"))?);
    found.registry.insert(main(), settings(json!({ "url": addresses.registry.url }), setting("registry"))?);
    if let Some(prometheus) = &addresses.prometheus {
        found.metrics.insert(main(), settings(json!({ "url": prometheus.url }), setting("prometheus"))?);
    }
    for (service, database) in local::readable(&data)? {
        let password = format!("file:{}", database.password.display());
        let value = json!({ "url": database.url, "password": password });
        found.database.insert(service, settings(value, setting("postgres"))?);
    }
    let supervised = "the local stack's services (`cutover supervise`)";
    found.workloads.insert(main(), settings(json!("supervisor"), supervised.to_owned())?);
    for (service, url) in supervisor::urls(&data)? {
        found.http.insert(service, settings(json!({ "url": url }), supervised.to_owned())?);
    }
    Ok(())
}
