//! `cutover serve`.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{self, CliError};
use super::server::{self, VERSION};
use super::session::Session;
use crate::adapters::secret::{ProcessSecrets, Redactor, Secret};
use crate::driver::{CrashPoint, Driver, DriverOptions, RealWorlds, Worlds};
use crate::stack::keeper;
use crate::stack::process::Identity;
use crate::stack::{DataDir, ServerFile, files};
use crate::store::{Store, StoreOptions};
use crate::web::{self, Tokens, WebOptions};

/// The port that is taken when it is free.
const PORT: u16 = 7070;

/// How many ports above it are tried.
const PORTS: u16 = 100;

/// A lease: how long a controller that was killed keeps its runs from others.
const LEASE: Duration = Duration::from_secs(5);

/// Run the controller, the API and the web pages
///
/// Keeps its state in the database of `CUTOVER_DATABASE_URL`, or in a private Postgres inside the data directory. Several servers may
/// share one database: each run is driven by one of them, and when that one dies another goes on.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; 127.0.0.1:7070, or the next free port, when it is left out
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<SocketAddr>,

    /// End the server of this data directory and its private database
    #[arg(long)]
    pub stop: bool,

    /// Started by another command, which says where the server is.
    #[arg(long, hide = true)]
    pub background: bool,

    /// Address of a shared state database.
    #[arg(long, env = "CUTOVER_DATABASE_URL", hide_env_values = true, hide = true)]
    pub database: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be started or ended.
pub async fn run(session: &Session, args: &ServeArgs) -> Result<u8, CliError> {
    if args.stop {
        let Some(data) = DataDir::open_existing(&session.data_path())? else {
            session.say("There is no data directory, so no server runs");
            return Ok(exit::OK);
        };
        let was = server::stop(&data).await?;
        session.say(if was { "Stopped the server; open runs go on when it starts again" } else { "No server was running" });
        return Ok(exit::OK);
    }
    let redactor = Arc::new(Redactor::default());
    log_to_stderr(session, Arc::clone(&redactor));
    let data = session.data()?;
    let listener = listen(args).await?;
    let address = listener.local_addr()?;
    let (store, lease) = state(args, &data).await?;
    let worlds: Arc<dyn Worlds> = Arc::new(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::new(redactor))));
    let (own, host) = (Identity::own(), host());
    expire_the_dead(&store, &host).await?;
    let name = format!("{host} {} {}", own.pid, own.started);
    let options = DriverOptions { store: store.clone(), worlds: Arc::clone(&worlds), name, crash: crash()? };
    let driver = Driver::start(options).await?;
    let url = format!("http://{address}");
    let tokens = Tokens { operate: secret_file(&data.token_file())?, flags: secret_file(&data.flags_token_file())? };
    let router = web::router(WebOptions {
        store: store.clone(),
        worlds,
        poke: driver.poker(),
        moved: driver.moves(),
        tokens,
        hosts: hosts(address),
        version: VERSION,
        environment_banner: None,
    });
    if server::alive(&data)?.is_none() {
        data.write_server(&ServerFile { pid: own.pid, started: own.started.clone(), url: url.clone(), version: VERSION.to_owned() })?;
    }
    if !args.background {
        session.say(format!("Serving {url}"));
        session.next("cutover open");
    }
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let graceful = axum::serve(listener, router).with_graceful_shutdown(async {
            let _ = ended.await;
        });
        graceful.await
    });
    tokio::select! {
        asked = asked_to_end() => asked?,
        () = removed(data.path()) => tracing::warn!("the data directory was removed, so nobody finds this server any more"),
    }
    // Why: runs first, so that another controller has them while this one still finishes its answers.
    driver.stop().await;
    let _ = end.send(());
    let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
    if server::alive(&data)?.is_some_and(|server| server.identity() == own) {
        files::remove(&data.server_file())?;
    }
    store.close().await;
    drop(lease);
    Ok(exit::OK)
}

/// The state database: a shared one must have our schema, a private one is given it.
async fn state(args: &ServeArgs, data: &DataDir) -> Result<(Store, Option<keeper::Lease>), CliError> {
    let (url, lease) = match &args.database {
        Some(url) => (url.clone(), None),
        None => (keeper::ensure(data).await?.expose().to_owned(), Some(keeper::register(data)?)),
    };
    let store = Store::connect(&StoreOptions { url, lease: lease_length()?, connections: 16 })?;
    if lease.is_some() {
        store.migrate().await?;
    } else {
        store.require_schema().await?;
    }
    Ok((store, lease))
}

/// Ends the leases of controllers of this machine whose processes are gone, so that their runs go on at once.
async fn expire_the_dead(store: &Store, host: &str) -> Result<(), CliError> {
    let boot = |started: &str| started.split(':').next().map(str::to_owned);
    let here = boot(&Identity::own().started);
    for (id, name) in store.controllers().await? {
        let parts: Vec<&str> = name.splitn(3, ' ').collect();
        let [on, pid, started] = parts.as_slice() else { continue };
        let Ok(pid) = pid.parse() else { continue };
        let process = Identity { pid, started: (*started).to_owned() };
        // Why: after a reboot the boot is another one, and every process of the one before is gone; the lease has run out by then.
        if *on == host && boot(started) == here && !process.is_alive() {
            store.expire(id).await?;
        }
    }
    Ok(())
}

/// Name of this machine.
fn host() -> String {
    let name = nix::unistd::gethostname().map(|name| name.to_string_lossy().replace(' ', "_"));
    name.unwrap_or_else(|_| "unknown".to_owned())
}

async fn listen(args: &ServeArgs) -> Result<TcpListener, CliError> {
    if let Some(address) = args.listen {
        return TcpListener::bind(address).await.map_err(|error| {
            CliError::new(exit::CONFIG, format!("cannot listen on {address}: {error}"))
                .hint("choose another --listen, or leave it out to take a free port")
        });
    }
    for port in PORT..PORT + PORTS {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    let message = format!("no port from {PORT} to {} is free on 127.0.0.1", PORT + PORTS - 1);
    Err(CliError::new(exit::CONFIG, message).hint("name one with --listen"))
}

/// The Host headers under which this server answers: a page of another name cannot talk to it through the browser.
fn hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut hosts = vec![format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}"), address.to_string()];
    hosts.dedup();
    hosts
}

/// The secret in a file that only the user can read, made when it is not there.
fn secret_file(path: &std::path::Path) -> Result<Secret, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        _ => {
            let token = format!("cut_{}", files::password());
            files::write_private(path, token.as_bytes())?;
            Ok(Secret::new(&token))
        }
    }
}

async fn asked_to_end() -> Result<(), CliError> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// Answers once the directory is gone.
async fn removed(directory: &Path) {
    while directory.exists() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Where the crash tests want this process to end.
fn crash() -> Result<Option<CrashPoint>, CliError> {
    match std::env::var("CUTOVER_CRASH") {
        Ok(text) if !text.is_empty() => text.parse().map(Some).map_err(|why: String| CliError::new(exit::CONFIG, why)),
        _ => Ok(None),
    }
}

fn lease_length() -> Result<Duration, CliError> {
    match std::env::var("CUTOVER_LEASE_MS") {
        Ok(text) if !text.is_empty() => {
            let millis: u64 = text.parse().map_err(|_| CliError::new(exit::CONFIG, "CUTOVER_LEASE_MS is not a number of milliseconds"))?;
            Ok(Duration::from_millis(millis.clamp(200, 600_000)))
        }
        _ => Ok(LEASE),
    }
}

/// What goes on is logged to standard error from now on.
pub fn log_to_stderr(session: &Session, redactor: Arc<Redactor>) {
    let level = match session.global.verbose {
        0 => "cutover=info,warn",
        1 => "cutover=debug,info",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CUTOVER_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // Why: a subscriber that is there already, as in tests, is as good.
    let writer = move || Scrubbed(Arc::clone(&redactor));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(session.terminal.err).try_init();
}

/// Standard error, with secrets taken out of what is written to it. A line of the log comes in one piece.
struct Scrubbed(Arc<Redactor>);

impl Write for Scrubbed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(self.0.scrub(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
