//! `cutover report`.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::client::Client;
use super::exit::{self, CliError};
use super::lint::variable;
use super::load::{self, PlaybookArgs};
use super::session::Session;
use super::{plan, runs};
use crate::playbook::environment;
use crate::report::{Form, OwnTemplate, ReportDocument, ReportSource};
use crate::step::quote;

/// Write a report on a plan or on a run, for people who were not there
///
/// A playbook is planned as `cutover plan` does and nothing is changed; a run is reported as it stands. Every form says the same: changes,
/// acts, waits, questions, guards, what is touched and locked, how long it takes as far as the steps say, who may approve what, the line
/// of no return, and what is proven. A file text.hbs, markdown.hbs or html.hbs in templates/report/ beside cutover.yaml takes the
/// place of the form's own template.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Playbook file, the name of one in playbooks/, or a run: its id, or the last eight characters of it
    #[arg(value_name = "PLAYBOOK|RUN")]
    pub subject: PathBuf,

    /// Value of a parameter of the playbook; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,

    /// Form of the report; text when it is left out, json with `--output json`
    #[arg(long, value_enum)]
    pub format: Option<Form>,

    /// File that is written instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Template that takes the place of the form's own one
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
}

impl ValueEnum for Form {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Text => "Lines for people and pipes",
            Self::Json => "For programs; has everything, by name",
            Self::Markdown => "For pull requests; under 65,000 characters, and says what it left out",
            Self::Html => "One file for a browser, without anything from outside",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no such playbook or run, a system does not answer, or a template has a mistake.
pub async fn run(session: &Session, args: &ReportArgs) -> Result<u8, CliError> {
    let form = args.format.unwrap_or(if session.is_json() { Form::Json } else { Form::Text });
    // Why: a mistake in a template is said before any system is asked.
    let own = template(session, args, form)?;
    let report = if load::find(session, &args.subject).is_ok() { of_plan(session, args).await? } else { of_run(session, args).await? };
    let text = report.render(form, own.as_ref()).map_err(|mistake| CliError::new(exit::CONFIG, mistake.to_string()))?;
    match &args.out {
        Some(out) => {
            let failed = |error| CliError::new(exit::UNEXPECTED, format!("cannot write {}: {error}", out.display()));
            std::fs::write(session.here.join(out), text).map_err(failed)?;
            session.say(format!("Wrote {}", out.display()));
        }
        None => session.terminal.write(&text)?,
    }
    Ok(exit::OK)
}

async fn of_plan(session: &Session, args: &ReportArgs) -> Result<ReportDocument, CliError> {
    let bundle = load::bundle(session, &PlaybookArgs { playbook: args.subject.clone(), vars: args.vars.clone() })?;
    let client = Client::connect(session).await?;
    let plan = plan::ask(&client, &bundle).await?;
    let (playbook, _) = bundle.open().map_err(|wrong| load::mistakes(session, &wrong, exit::INVALID))?;
    let vars = bundle.vars.iter().fold(String::new(), |vars, (name, value)| vars + " --var " + &quote(&format!("{name}={value}")));
    let whole = format!("cutover report {} --env {}{vars} --format html", quote(&bundle.file), quote(&plan.environment));
    let source = ReportSource { plan: &plan, playbook: &playbook, file: Some(&bundle.file), run: None, whole: &whole };
    Ok(ReportDocument::new(&source))
}

async fn of_run(session: &Session, args: &ReportArgs) -> Result<ReportDocument, CliError> {
    let named = args.subject.to_string_lossy();
    if named.is_empty() || !named.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-') {
        return Err(CliError::new(exit::USAGE, format!("`{named}` is neither a playbook nor the id of a run"))
            .hint("give the path of a .yaml file, the name of one in playbooks/, or a run from `cutover runs`"));
    }
    if !args.vars.is_empty() {
        return Err(CliError::new(exit::USAGE, "--var is for playbooks; a run has the values with which it was started"));
    }
    let client = Client::connect(session).await?;
    let id = runs::resolve(&client, Some(&named)).await?;
    client.get(&format!("/runs/{id}/report?format=json")).await
}

/// The template that takes the place of ours: the named one, or the project's.
fn template(session: &Session, args: &ReportArgs, form: Form) -> Result<Option<OwnTemplate>, CliError> {
    let Some(written) = form.written() else {
        return match args.template {
            Some(_) => Err(CliError::new(exit::USAGE, "the JSON form has no template").hint("--format text, markdown or html")),
            None => Ok(None),
        };
    };
    let projects = || {
        let home = environment::find(&session.here)?;
        Some(home.parent()?.join("templates/report").join(written.file())).filter(|file| file.is_file())
    };
    let Some(path) = args.template.as_ref().map(|named| session.here.join(named)).or_else(projects) else { return Ok(None) };
    let file = path.strip_prefix(&session.here).unwrap_or(&path).to_string_lossy().into_owned();
    let own = OwnTemplate { text: read(&path, &file)?, file };
    own.check(written).map_err(|mistake| CliError::new(exit::CONFIG, mistake.to_string()))?;
    Ok(Some(own))
}

fn read(path: &Path, file: &str) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::new(exit::CONFIG, format!("cannot read the template {file}: {error}")))
}
