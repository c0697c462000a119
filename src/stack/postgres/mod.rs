//! One Postgres server of ours: its directory, port and password, made once, started and found again. Owns what `postgres` is told
//! on its command line; knows not what the databases hold.

mod address;
mod binaries;
mod directory;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use tokio::time::{Instant, sleep};

pub use address::DatabaseUrl;
pub use binaries::Binaries;
pub(super) use directory::root_directory;

use super::error::StackError;
use super::files::{self, FileError, tail};
use super::port;
use super::process::{Account, Identity, Program};

// Why: crash recovery of a large database takes its time; a server that lives is still asked.
const START: Duration = Duration::from_mins(2);
const STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
// Why: a socket's path may have 107 bytes on Linux and 103 on macOS, with the name that Postgres appends.
const SOCKET_PATH: usize = 80;
const UNFINISHED: &str = "unfinished-";

/// What one server needs to remember between its starts.
#[derive(Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// The directory that holds it: `data`, and `socket` beside it.
    pub directory: PathBuf,
    /// Port on 127.0.0.1, kept over restarts.
    pub port: u16,
    /// The superuser.
    pub user: String,
    /// The superuser's password.
    pub password: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("directory", &self.directory).field("port", &self.port).finish_non_exhaustive()
    }
}

/// What differs between the servers that cutover runs.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How messages call it.
    pub part: &'static str,
    /// Settings for `postgres -c`.
    pub settings: &'static [(&'static str, &'static str)],
    /// Whether a crash of the machine may lose it.
    pub throwaway: bool,
    /// Its log.
    pub log: PathBuf,
}

impl Cluster {
    /// A cluster to be made in `directory`, or beside it when something is there that nobody has the password of, with a new password and a free port that is not in `taken`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(directory: &Path, user: &str, taken: &mut BTreeSet<u16>) -> Result<Self, StackError> {
        let port = port::choose(taken).ok_or(StackError::NoPort)?;
        let mut directory = directory.to_owned();
        let mut number = 1;
        while directory.exists() {
            number += 1;
            directory.set_extension(number.to_string());
        }
        Ok(Self { directory, port, user: user.to_owned(), password: files::password() })
    }

    /// The address with the password.
    #[must_use]
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::new(format!("postgres://{}:{}@127.0.0.1:{}/postgres", self.user, self.password, self.port))
    }

    /// The server's own directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Makes the database if it is not there yet. A making that was cut short is begun anew.
    ///
    /// # Errors
    /// When Postgres is not installed, not in the version that made the database, or cannot make one here.
    pub async fn made(&self, manner: &Manner) -> Result<Binaries, StackError> {
        let (cluster, manner) = (self.clone(), manner.clone());
        let made = tokio::task::spawn_blocking(move || cluster.make(&manner)).await.map_err(io::Error::from);
        made.map_err(|error| FileError::new("make", &self.directory, error))?
    }

    fn make(&self, manner: &Manner) -> Result<Binaries, StackError> {
        let data = self.data();
        let binaries = Binaries::choose(&Binaries::installed(), &data)?;
        let account = self.account()?;
        if data.exists() {
            return Ok(binaries);
        }
        directory::make(&self.directory, account.as_ref())?;
        self.clear_leavings();
        let fresh = self.directory.join(format!("{UNFINISHED}data-{}", std::process::id()));
        let password = self.directory.join(format!("{UNFINISHED}password-{}", std::process::id()));
        files::write_private(&password, self.password.as_bytes())?;
        directory::give(&password, account.as_ref())?;
        let mut initdb = Command::new(binaries.program("initdb"));
        initdb.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", LOCALE).env("TZ", "UTC").current_dir("/");
        initdb.arg("-D").arg(&fresh).arg(format!("--pwfile={}", password.display())).args(["-U", &self.user]);
        initdb.args(["-A", "scram-sha-256", "-E", "UTF8", &format!("--locale={LOCALE}")]);
        if manner.throwaway {
            initdb.arg("--no-sync");
        }
        run_as(&mut initdb, account.as_ref());
        let output = initdb.output().map_err(|error| FileError::new("run", &binaries.program("initdb"), error))?;
        files::remove(&password)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            files::remove(&fresh)?;
            if said.contains("No space left on device") {
                return Err(StackError::DiskFull { part: manner.part, directory: self.directory.clone() });
            }
            return Err(StackError::PostgresTool { program: "initdb".to_owned(), output: said });
        }
        std::fs::rename(&fresh, &data).map_err(|error| FileError::new("create", &data, error))?;
        Ok(binaries)
    }

    /// The server that runs on this database now, whoever started it; `None` when there is none.
    #[must_use]
    pub fn running(&self) -> Option<Identity> {
        directory::server_of(&self.data())
    }

    /// Starts the server, or finds the one that runs, and waits until it answers. Its port changes only when somebody else has
    /// taken it. `started` hears of the process before it answers, so that it can be written down.
    ///
    /// # Errors
    /// When it ends or does not answer; its log is in the error.
    pub async fn start(
        &mut self,
        manner: &Manner,
        mut started: impl FnMut(&Self, &Identity) -> Result<(), StackError>,
    ) -> Result<Identity, StackError> {
        let binaries = self.made(manner).await?;
        let deadline = Instant::now() + START;
        loop {
            if !directory::clear_stale_lock(&self.data())? && Instant::now() < deadline {
                sleep(POLL).await;
                continue;
            }
            let running = self.running();
            let found = running.is_some();
            let identity = match running {
                Some(identity) => identity,
                None => self.launch(&binaries, manner)?,
            };
            started(self, &identity)?;
            let last = match self.answers(&identity, deadline).await {
                Ok(()) => return Ok(identity),
                Err(last) => last,
            };
            if identity.is_alive() {
                let address = format!("127.0.0.1:{}", self.port);
                return Err(StackError::no_answer(manner.part, address, START.as_secs(), last, &manner.log));
            }
            // Why: a server that was found may have been on its way out; the helpers of one that was killed need a moment to notice,
            // and hold its shared memory until then; and a port may be taken between our look and the server's.
            let haunted = tail(&manner.log, 5).contains("pre-existing shared memory block");
            let again = found || haunted || !port::is_free(self.port);
            if !again || Instant::now() >= deadline {
                return Err(StackError::died(manner.part, &manner.log, &self.directory));
            }
            sleep(POLL * 5).await;
        }
    }

    /// Stops the server: sessions are ended, what is committed is on disk. That it does not run is fine.
    ///
    /// # Errors
    /// When it may not be signalled.
    pub async fn stop(&self) -> Result<(), StackError> {
        if let Some(identity) = self.running() {
            identity.stop(Signal::SIGINT, STOP).await?;
        }
        Ok(())
    }

    /// Whether the server lets us in; the last refusal when it does not.
    ///
    /// # Errors
    /// What the driver said.
    pub async fn knock(&self) -> Result<(), sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port).database("postgres");
        let options = options.username(&self.user).password(&self.password).ssl_mode(PgSslMode::Disable);
        PgConnection::connect_with(&options).await?.close().await
    }

    fn clear_leavings(&self) {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            // Why: an orphan of the making that was cut short may still write there; its place is not ours, so it does no harm.
            let _ = files::remove(&entry.path());
        }
    }

    async fn answers(&self, identity: &Identity, deadline: Instant) -> Result<(), String> {
        loop {
            let refusal = match tokio::time::timeout(Duration::from_secs(5), self.knock()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took the connection and said nothing".to_owned(),
            };
            if !identity.is_alive() || Instant::now() >= deadline {
                return Err(refusal);
            }
            sleep(POLL).await;
        }
    }

    fn launch(&mut self, binaries: &Binaries, manner: &Manner) -> Result<Identity, StackError> {
        if !port::is_free(self.port) {
            self.port = port::choose(&mut BTreeSet::from([self.port])).ok_or(StackError::NoPort)?;
        }
        let account = self.account()?;
        let socket = self.directory.join("socket");
        let socket_setting = if socket.as_os_str().len() <= SOCKET_PATH { socket.to_string_lossy().into_owned() } else { String::new() };
        if !socket_setting.is_empty() {
            // Why: a lock on the socket is a number too, which may be what is left of a dead server; no server runs here now.
            files::remove(&socket)?;
            files::create_private_dir(&socket)?;
            directory::give(&socket, account.as_ref())?;
        }
        let mut program = Program::new(binaries.program("postgres"), &manner.log).account(account).env("LC_ALL", LOCALE);
        program = program.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        let fixed =
            [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", &socket_setting), ("log_timezone", "UTC"), ("timezone", "UTC")];
        for (name, value) in fixed.iter().chain(manner.settings) {
            program = program.arg("-c").arg(format!("{name}={value}"));
        }
        Ok(program.start()?)
    }

    /// Whom the server runs as: root's servers run as their directory's owner, for a new one that is `postgres`.
    fn account(&self) -> Result<Option<Account>, StackError> {
        use std::os::unix::fs::MetadataExt;
        let owner = std::fs::metadata(self.data()).ok().map(|metadata| Account { uid: metadata.uid(), gid: metadata.gid() });
        if Account::is_root() {
            let account = owner.filter(|owner| owner.uid != 0).or_else(|| Account::named("postgres"));
            return account.map(Some).ok_or(StackError::NoPostgresUser);
        }
        match owner {
            Some(owner) if owner.uid != nix::unistd::Uid::effective().as_raw() => {
                Err(StackError::ForeignDatabase { directory: self.directory.clone() })
            }
            _ => Ok(None),
        }
    }
}

/// The one locale that needs nothing installed and sorts by code point.
const LOCALE: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };

fn run_as(command: &mut Command, account: Option<&Account>) {
    use std::os::unix::process::CommandExt;
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
}
