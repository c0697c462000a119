//! `cutover supervise`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{self, CliError};
use super::serve;
use super::session::Session;
use crate::adapters::workloads::workloads_name;
use crate::playbook::environment::{self, Config};
use crate::stack::local::Ending;
use crate::stack::process::Identity;
use crate::stack::supervisor::{self, Order};

/// Keep the processes of services to what should run
///
/// Reads from workloads.yaml how an instance of each service is started, and from the state database which release should run. It
/// hands the services' sockets from release to release, so that no connection is refused, and starts again what dies. One per data
/// directory; Ctrl-C ends it and every instance, and instances of one that was killed are taken over by the next.
#[derive(Clone, Debug, Args)]
pub struct SuperviseArgs {
    /// How services are started; workloads.yaml beside cutover.yaml when it is left out
    #[arg(long, value_name = "FILE")]
    pub services: Option<PathBuf>,

    /// Start it and come back
    #[arg(long, conflicts_with = "stop")]
    pub background: bool,

    /// End the supervisor of this data directory and every instance
    #[arg(long)]
    pub stop: bool,

    /// Started by another command, in a session of its own.
    #[arg(long, hide = true)]
    pub in_session: bool,

    /// Under which name the state database keeps the workloads.
    #[arg(long, hide = true, value_name = "NAME")]
    pub keep_as: Option<String>,

    /// Address of a shared state database.
    #[arg(long, env = "CUTOVER_DATABASE_URL", hide_env_values = true, hide = true)]
    pub database: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the supervisor cannot be started or ended.
pub async fn run(session: &Session, args: &SuperviseArgs) -> Result<u8, CliError> {
    if args.stop {
        let was = match crate::stack::DataDir::open_existing(&session.data_path())? {
            Some(data) => supervisor::stop(&data, Ending::Clean).await?,
            None => false,
        };
        session.say(if was { "Stopped the supervisor and its services" } else { "No supervisor was running" });
        return Ok(exit::OK);
    }
    if args.in_session {
        // Why: a closed terminal, or its Ctrl-C, must not reach services that other commands rely on. One that leads a group already
        // has nothing to fear from either.
        let _ = nix::unistd::setsid();
    }
    let data = session.data()?;
    let order = order(session, args)?;
    if args.background {
        let process = supervisor::ensure_with(&data, &std::env::current_exe()?, &order).await?;
        session.say(format!("A supervisor keeps {} (process {})", order.workloads, process.pid));
        return Ok(exit::OK);
    }
    serve::log_to_stderr(session, std::sync::Arc::default());
    if !args.in_session {
        session.say(format!("Keeping {} as {} says", order.workloads, order.services.display()));
    }
    supervisor::run(&data, order).await?;
    Ok(exit::OK)
}

/// Makes sure that a supervisor keeps the services of workloads.yaml, and answers which process it is.
///
/// # Errors
/// When the supervisor cannot be started, or one runs that keeps something else.
pub async fn ensure(session: &Session) -> Result<Identity, CliError> {
    let database = std::env::var("CUTOVER_DATABASE_URL").ok().filter(|url| !url.is_empty());
    let args = SuperviseArgs { services: None, background: true, stop: false, in_session: false, keep_as: None, database };
    Ok(supervisor::ensure_with(&session.data()?, &std::env::current_exe()?, &order(session, &args)?).await?)
}

fn order(session: &Session, args: &SuperviseArgs) -> Result<Order, CliError> {
    let environment = environment_name(session)?;
    let services = match &args.services {
        Some(named) => session.here.join(named),
        None => services_file(&session.here)?,
    };
    // Why: a link or another present directory must not make it another file.
    let services = services.canonicalize().unwrap_or(services);
    let workloads = args.keep_as.clone().unwrap_or_else(|| workloads_name(&environment, "main"));
    Ok(Order { environment, workloads, services, database: args.database.clone() })
}

/// The services file that is meant when none is named.
///
/// # Errors
/// When there is no cutover.yaml that it could lie beside.
pub fn services_file(here: &Path) -> Result<PathBuf, CliError> {
    let home = environment::find(here).and_then(|file| file.parent().map(Path::to_owned));
    let home =
        home.ok_or_else(|| CliError::new(exit::CONFIG, "there is no cutover.yaml here or above").hint("`cutover init` writes one"))?;
    Ok(home.join(supervisor::FILE))
}

/// The environment that is meant, by its name alone: its systems need not be there yet.
fn environment_name(session: &Session) -> Result<String, CliError> {
    if let Some(name) = &session.global.env {
        return Ok(name.clone());
    }
    let Some(path) = environment::find(&session.here) else { return Ok("local".to_owned()) };
    let text =
        std::fs::read_to_string(&path).map_err(|error| CliError::new(exit::CONFIG, format!("cannot read {}: {error}", path.display())))?;
    let wrong = |mistakes: crate::playbook::Diagnostics| super::load::mistakes(session, &mistakes, exit::CONFIG);
    let config = Config::read(&path.to_string_lossy(), &text).map_err(wrong)?;
    Ok(config.environment(None).map_err(wrong)?.name.clone())
}
