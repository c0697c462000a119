//! The data directory's own server, from outside: joining it, starting it in the background, ending it.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::client::Client;
use super::exit::{self, CliError};
use super::session::Session;
use crate::adapters::secret::Secret;
use crate::driver::compare_versions;
use crate::stack::lock::FileLock;
use crate::stack::process::Program;
use crate::stack::{DataDir, ServerFile, files, keeper};

/// How long a server may take to answer: the first start makes a database.
const COME_UP: Duration = Duration::from_mins(1);

/// How long a server may take to hand its runs over.
const GO_DOWN: Duration = Duration::from_secs(20);

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The server that runs, `None` when none does.
///
/// # Errors
/// When the data directory cannot be read.
pub async fn join(session: &Session) -> Result<Option<Client>, CliError> {
    let Some(data) = DataDir::open_existing(&session.data_path())? else { return Ok(None) };
    let Some(server) = alive(&data)? else { return Ok(None) };
    let client = Client::new(&server.url, token(&data)?)?.at_home(&data);
    Ok(if client.answers().await { Some(client) } else { None })
}

/// The server that runs, or a new one in the background. An older one hands its runs over first; a newer one is left alone.
///
/// # Errors
/// When none can be started, or a newer one runs.
pub async fn join_or_start(session: &Session) -> Result<Client, CliError> {
    let data = session.data()?;
    if alive(&data)?.is_some_and(|server| server.version == VERSION)
        && let Some(client) = join(session).await?
    {
        return Ok(client);
    }
    // Why: two commands that find no server must not start two, of which nobody would know the second.
    let _one = lock(&data).await?;
    if let Some(server) = alive(&data)? {
        match compare_versions(&server.version, VERSION) {
            Ordering::Equal => {
                if let Some(client) = answering(&data, &server).await? {
                    return Ok(client);
                }
            }
            Ordering::Less => {
                session.say(format!("Replacing the server of version {} by {VERSION}", server.version));
                server
                    .identity()
                    .stop(Signal::SIGTERM, GO_DOWN)
                    .await
                    .map_err(|error| CliError::new(exit::UNEXPECTED, exit::chain(&error)))?;
            }
            Ordering::Greater => {
                let message = format!("the server of this data directory is version {}, this program is {VERSION}", server.version);
                return Err(
                    CliError::new(exit::CONFIG, message).hint("use the newer program, or end the server with `cutover serve --stop`")
                );
            }
        }
    }
    start(session, &data).await
}

async fn answering(data: &DataDir, server: &ServerFile) -> Result<Option<Client>, CliError> {
    let client = Client::new(&server.url, token(data)?)?.at_home(data);
    let end = Instant::now() + COME_UP;
    while server.identity().is_alive() && Instant::now() < end {
        if client.answers().await {
            return Ok(Some(client));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(None)
}

async fn start(session: &Session, data: &DataDir) -> Result<Client, CliError> {
    let program = std::env::current_exe()?;
    let log = data.log("serve");
    session.say("Starting the server in the background (`cutover serve --stop` ends it)");
    let child = Program::new(&program, &log).inheriting().args(["serve", "--background", "--data"]).arg(data.path()).start();
    let child = child.map_err(|error| CliError::new(exit::UNEXPECTED, exit::chain(&error)))?;
    let end = Instant::now() + COME_UP;
    while Instant::now() < end {
        if let Some(server) = alive(data)? {
            if let Some(client) = answering(data, &server).await? {
                return Ok(client);
            }
        } else if !child.is_alive() {
            let message = format!("the server ended while it started:\n{}", files::tail(&log, 12));
            return Err(CliError::new(exit::CONFIG, message).hint(format!("the whole log is in {}", log.display())));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Err(CliError::new(exit::UNREACHABLE, "the server does not answer").hint(format!("its log is in {}", log.display())))
}

/// Ends the server and its database. Says whether there was one.
///
/// # Errors
/// When a process cannot be ended.
pub async fn stop(data: &DataDir) -> Result<bool, CliError> {
    let _one = lock(data).await?;
    let server = alive(data)?;
    if let Some(server) = &server {
        server.identity().stop(Signal::SIGTERM, GO_DOWN).await.map_err(|error| CliError::new(exit::UNEXPECTED, exit::chain(&error)))?;
    }
    files::remove(&data.server_file())?;
    keeper::stop(data).await?;
    Ok(server.is_some())
}

/// Held by whoever starts or ends the server.
async fn lock(data: &DataDir) -> Result<FileLock, CliError> {
    let taken = FileLock::take(&data.path().join("serve.lock"), || {}).await;
    taken.map_err(|error| CliError::new(exit::CONFIG, exit::chain(&error)))
}

/// The server that the data directory names, if its process lives.
///
/// # Errors
/// When its file cannot be read.
pub fn alive(data: &DataDir) -> Result<Option<ServerFile>, CliError> {
    Ok(data.read_server()?.filter(|server| server.identity().is_alive()))
}

/// The data directory's token.
///
/// # Errors
/// When there is none that can be read.
pub fn token(data: &DataDir) -> Result<Secret, CliError> {
    let path = data.token_file();
    let text =
        std::fs::read_to_string(&path).map_err(|error| CliError::new(exit::CONFIG, format!("cannot read {}: {error}", path.display())))?;
    Ok(Secret::new(text.trim()))
}
