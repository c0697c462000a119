//! The supervisor itself: takes over what an earlier one left, then keeps processes to what should run until it is told to end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use tokio::signal::unix::SignalKind;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::address;
use super::decide::{Deed, decide};
use super::exchange::Exchange;
use super::health::Health;
use super::paths::Paths;
use super::process::{self, Launch, Running};
use super::record::{Record, Started};
use super::services::{Blanks, Services};
use super::slot::{PATIENCE, Slot};
use super::variables::{Variables, Who};
use super::{Failure, Order, logs, targets};
use crate::ports::workloads::{Desired, Instance, InstanceState};
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::files::{self, FileError};
use crate::stack::lock::FileLock;
use crate::stack::process::Identity;
use crate::store::workloads::InstanceRow;

/// How often processes are looked at that nobody tells us about.
const LOOK: Duration = Duration::from_millis(250);

/// How often logs and the services file are looked at.
const TIDY: Duration = Duration::from_secs(2);

// Why: an earlier supervisor that is ending its instances needs up to that long.
const SUCCESSION: Duration = Duration::from_secs(15);

/// Keeps the services of the data directory until a signal tells it to end; then it ends every instance. What goes wrong at the start
/// is also written down for the process that waits for it.
///
/// # Errors
/// When another supervisor keeps the same services, the services file has a mistake, or the data directory cannot be written.
pub async fn run(data: &DataDir, order: Order) -> Result<(), StackError> {
    let kept = keep(data, order).await;
    if let Err(error) = &kept {
        let failure = Failure { supervisor: std::process::id(), sentence: error.to_string(), hint: error.hint() };
        // Why: when not even this can be written, the log has it.
        let _ = files::write_json(&Paths::new(data).failure(), &failure);
    }
    kept
}

async fn keep(data: &DataDir, order: Order) -> Result<(), StackError> {
    let (mut term, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut child = listen(SignalKind::child())?;
    let paths = Paths::new(data);
    files::create_private_dir(paths.root())?;
    let _lock = succeed(&paths).await?;
    files::remove(&paths.failure())?;
    let services = Services::read(&order.services)?;
    let exchange = Exchange { data: data.clone(), database: order.database.clone(), workloads: order.workloads.clone(), name: name(data) };
    let store = exchange.begin(&services.defaults()).await?;
    let (defaults, known) = watch::channel(services.defaults());
    let (heard, mut desired) = watch::channel(None);
    let (rows, said) = watch::channel(Vec::new());
    let mut supervisor = Supervisor::new(data, order, services, defaults, rows).await?;
    supervisor.adopt()?;
    let exchanging = tokio::spawn(exchange.clone().go_on(store, known, heard, said));
    loop {
        let next = supervisor.turn(desired.borrow_and_update().clone()).await?;
        tokio::select! {
            () = supervisor.moved.notified() => {}
            changed = desired.changed() => if changed.is_err() { break },
            _ = child.recv() => {}
            () = sleep_until(next) => {}
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
        }
        // Why: without its directory nobody can find these processes any more.
        if !paths.root().exists() {
            break;
        }
    }
    exchanging.abort();
    supervisor.end().await?;
    exchange.end().await;
    Ok(())
}

/// The supervisor's lock, after an earlier one has ended.
async fn succeed(paths: &Paths) -> Result<FileLock, StackError> {
    let deadline = Instant::now() + SUCCESSION;
    loop {
        if let Some(lock) = FileLock::try_take(&paths.lock())? {
            return Ok(lock);
        }
        let holder = Record::read(paths)?.and_then(|record| record.alive().map(|identity| identity.pid));
        if Instant::now() >= deadline || holder.is_some() {
            return Err(StackError::Supervised { pid: holder.unwrap_or_default() });
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Machine and data directory: the same for every supervisor of one data directory, and for no other.
fn name(data: &DataDir) -> String {
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    format!("{}:{}", host.unwrap_or_else(|_| "unknown".to_owned()), data.path().display())
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, StackError> {
    Ok(tokio::signal::unix::signal(kind).map_err(|error| FileError::new("listen for signals in", "the supervisor".as_ref(), error))?)
}

struct Supervisor {
    data: DataDir,
    paths: Paths,
    order: Order,
    program: String,
    services: Services,
    /// When the services file was last changed, as far as it was read.
    read: Option<SystemTime>,
    defaults: watch::Sender<BTreeMap<String, u32>>,
    ports: BTreeMap<String, u16>,
    sockets: BTreeMap<String, OwnedFd>,
    slots: Vec<Slot>,
    desired: BTreeMap<String, Desired>,
    rows: watch::Sender<Vec<InstanceRow>>,
    moved: Arc<Notify>,
    written: Option<Record>,
    targets: Option<serde_json::Value>,
    tidied: Instant,
}

impl Supervisor {
    async fn new(
        data: &DataDir,
        order: Order,
        services: Services,
        defaults: watch::Sender<BTreeMap<String, u32>>,
        rows: watch::Sender<Vec<InstanceRow>>,
    ) -> Result<Self, StackError> {
        let ports = address::keep(data, &address::wanted(&services)).await?;
        let program = std::env::current_exe().map_or_else(|_| "cutover".to_owned(), |path| path.to_string_lossy().into_owned());
        Ok(Self {
            data: data.clone(),
            paths: Paths::new(data),
            read: modified(&order.services),
            order,
            program,
            services,
            defaults,
            ports,
            sockets: BTreeMap::new(),
            slots: Vec::new(),
            desired: BTreeMap::new(),
            rows,
            moved: Arc::default(),
            written: None,
            targets: None,
            tidied: Instant::now(),
        })
    }

    /// Takes over the processes that an earlier supervisor left, and what it knew.
    fn adopt(&mut self) -> Result<(), StackError> {
        let Some(record) = Record::read(&self.paths)?.filter(|record| record.workloads == self.order.workloads) else { return Ok(()) };
        let now = Instant::now();
        for started in &record.instances {
            if let Some(process) = started.alive(&self.paths) {
                tracing::info!(instance = started.instance, pid = process.pid, "taken over from an earlier supervisor");
                let health = Health::watch(started.port, true, Arc::clone(&self.moved));
                self.slots.push(Slot::adopted(started, process, health, now));
            }
        }
        self.desired = record.desired;
        Ok(())
    }

    /// Looks, decides and acts until there is nothing to be done now. Answers when there will be something again.
    async fn turn(&mut self, heard: Option<BTreeMap<String, Desired>>) -> Result<Instant, StackError> {
        if let Some(desired) = heard {
            self.desired = desired;
        }
        if self.tidied.elapsed() >= TIDY {
            self.tidy().await;
        }
        self.look_for_the_dead();
        let names: BTreeSet<String> = self.desired.keys().cloned().chain(self.slots.iter().map(|slot| slot.service.clone())).collect();
        for service in names {
            while self.serve(&service).await? {}
        }
        self.write_down()?;
        self.say();
        let now = Instant::now();
        Ok(self.slots.iter().filter_map(Slot::next).min().unwrap_or(now + LOOK).clamp(now, now + LOOK))
    }

    /// Notes which processes have ended.
    fn look_for_the_dead(&mut self) {
        let now = Instant::now();
        for slot in &mut self.slots {
            if slot.running.as_ref().is_none_or(Running::is_alive) {
                continue;
            }
            let Some(running) = slot.running.take() else { continue };
            let how = running.clear();
            // Why: it is gone; who looks for its number by this file would find somebody else.
            let _ = files::remove(&self.paths.pid(&slot.instance));
            if slot.told.is_some() {
                tracing::info!(instance = slot.instance, "{how}");
                slot.health = None;
                continue;
            }
            let who = Who { environment: "", service: &slot.service, release: &slot.release, instance: &slot.instance };
            let secrets = Variables::of(&self.data, who, &self.ports).map(|variables| variables.secrets).unwrap_or_default();
            let why = process::told(&how, &self.paths.log(&slot.service, &slot.instance), &secrets);
            tracing::warn!(instance = slot.instance, "{why}");
            slot.died(&why, now);
        }
    }

    /// One round of decisions on a service. Says whether there may be more to do.
    async fn serve(&mut self, service: &str) -> Result<bool, StackError> {
        let nothing = || Desired { release: String::new(), instances: 0 };
        let desired = self.desired.get(service).cloned().unwrap_or_else(nothing);
        if !self.services.services.contains_key(service) && self.of(service).next().is_none() {
            return Ok(false);
        }
        let places: Vec<usize> = self.of(service).map(|(at, _)| at).collect();
        let deeds = decide(&desired, &self.of(service).map(|(_, slot)| slot).collect::<Vec<_>>(), Instant::now());
        let place = |at: &usize| places.get(*at).copied().unwrap_or(usize::MAX);
        let mut forgotten = Vec::new();
        let mut again = false;
        for deed in &deeds {
            match deed {
                Deed::Add => {
                    if self.services.services.contains_key(service) {
                        self.slots.push(Slot::new(service, &desired.release, Instant::now()));
                        again = true;
                    }
                }
                Deed::Start(at) => self.start(place(at)).await?,
                Deed::End(at) => self.tell_to_end(place(at)),
                Deed::Kill(at) => self.kill(place(at)),
                Deed::Forget(at) => forgotten.push(place(at)),
            }
        }
        forgotten.sort_unstable();
        for at in forgotten.into_iter().rev().filter(|at| *at < self.slots.len()).collect::<Vec<_>>() {
            self.slots.remove(at);
        }
        if desired.instances == 0 && self.of(service).next().is_none() {
            // Why: a service that is stopped refuses connections instead of letting them wait for ever.
            self.sockets.remove(service);
        }
        Ok(again)
    }

    fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = (usize, &'a Slot)> {
        self.slots.iter().enumerate().filter(move |(_, slot)| slot.service == service)
    }

    /// Starts the instance in this place. That it cannot be started counts as its death.
    async fn start(&mut self, at: usize) -> Result<(), StackError> {
        let now = Instant::now();
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        slot.begin(now);
        let service = slot.service.clone();
        let begun = match self.socket(&service).await {
            Ok(socket) => match address::listen(0) {
                Ok((administration, port)) => Ok((socket, administration, port)),
                Err(error) => Err(format!("no socket for its administration: {error}")),
            },
            Err(why) => Err(why),
        };
        let launched = match begun {
            Ok((socket, administration, port)) => {
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.port = port;
                }
                // Why: before the process exists, so that a supervisor that dies in between is succeeded by one that looks for it.
                self.write_down()?;
                self.launch(at, socket, administration).map_err(|error| crate::stack::error::chain(&error))
            }
            Err(why) => Err(why),
        };
        let moved = Arc::clone(&self.moved);
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        match launched {
            Ok(running) => {
                tracing::info!(instance = slot.instance, pid = running.identity.pid, "started");
                slot.health = Some(Health::watch(slot.port, false, moved));
                slot.running = Some(running);
            }
            Err(why) => {
                tracing::warn!(instance = slot.instance, "{why}");
                slot.died(&why, now);
            }
        }
        self.write_down()
    }

    fn launch(&self, at: usize, service: OwnedFd, administration: OwnedFd) -> Result<Running, StackError> {
        let (Some(slot), Some(spec)) = (self.slots.get(at), self.slots.get(at).and_then(|slot| self.services.services.get(&slot.service)))
        else {
            return Err(StackError::Services {
                file: self.order.services.clone(),
                mistake: "the service is not in it any more".to_owned(),
            });
        };
        let blanks = Blanks { service: &slot.service, release: &slot.release, instance: &slot.instance, program: &self.program };
        let environment = &self.order.environment;
        let who = Who { environment, service: &slot.service, release: &slot.release, instance: &slot.instance };
        let mut variables = Variables::of(&self.data, who, &self.ports)?.all;
        variables.extend(spec.variables(&blanks));
        files::create_private_dir(&self.paths.state(&slot.service))?;
        let pid = self.paths.pid(&slot.instance);
        let launch = Launch {
            command: &spec.command(&blanks),
            environment: &variables,
            directory: &self.services.directory,
            log: logs::open(&self.paths.log(&slot.service, &slot.instance))?,
            pid: &pid,
            service,
            administration,
        };
        Ok(launch.start()?)
    }

    /// The service's listening socket, for one more instance.
    async fn socket(&mut self, service: &str) -> Result<OwnedFd, String> {
        if !self.sockets.contains_key(service) {
            let port = self.ports.get(service).copied().unwrap_or_default();
            let chosen = self.services.services.get(service).is_some_and(|spec| spec.port == 0);
            let listening = match address::listen(port) {
                Err(error) if error.kind() == ErrorKind::AddrInUse && chosen => {
                    let port = address::move_away(&self.data, service).await.map_err(|error| error.to_string())?;
                    self.ports.insert(service.to_owned(), port);
                    address::listen(port)
                }
                other => other,
            };
            let (socket, _) = listening.map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
            self.sockets.insert(service.to_owned(), socket);
        }
        let socket = self.sockets.get(service).ok_or_else(|| "the service has no socket".to_owned())?;
        socket.try_clone().map_err(|error| format!("the socket cannot be handed over: {error}"))
    }

    fn tell_to_end(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.told = Some(Instant::now());
        if let Some(Err(error)) = slot.running.as_ref().map(Running::tell_to_end) {
            tracing::error!(instance = slot.instance, error = %error, "it cannot be told to end");
        }
    }

    fn kill(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        tracing::warn!(instance = slot.instance, "did not end within {} s and is killed", PATIENCE.as_secs());
        slot.killed = true;
        if let Some(running) = &slot.running {
            running.kill();
        }
    }

    /// Writes down what the next supervisor must know, and what Prometheus is to scrape, when it has changed.
    fn write_down(&mut self) -> Result<(), StackError> {
        let record = Record {
            supervisor: Some(Identity::own()),
            up: true,
            workloads: self.order.workloads.clone(),
            services: self.order.services.clone(),
            desired: self.desired.clone(),
            instances: self.slots.iter().map(Slot::started).filter(|started| started.port != 0).collect(),
        };
        let targets = targets::document(record.instances.iter().filter(|started| started.process.is_some()));
        if self.written.as_ref() != Some(&record) {
            record.write(&self.paths)?;
            self.written = Some(record);
        }
        if self.targets.as_ref() != Some(&targets) {
            files::write_json(&self.paths.targets(), &targets)?;
            self.targets = Some(targets);
        }
        Ok(())
    }

    /// Says what runs.
    fn say(&self) {
        let mut rows: Vec<InstanceRow> = self.slots.iter().map(Slot::row).collect();
        let unknown = self.desired.iter().filter(|(name, desired)| desired.instances > 0 && !self.services.services.contains_key(*name));
        rows.extend(unknown.map(|(service, desired)| {
            let known = self.services.services.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let reason = format!("{} has no service `{service}`, only {known}", self.order.services.display());
            let (instance, release) = (format!("{service}-unknown"), desired.release.clone());
            let instance = Instance { service: service.clone(), instance, release, state: InstanceState::Failing, reason };
            InstanceRow { instance, pid: None, started: None, port: None }
        }));
        self.rows.send_if_modified(|last| {
            let differs = *last != rows;
            if differs {
                *last = rows;
            }
            differs
        });
    }

    /// Looks after logs, and reads the services file again when it was changed.
    async fn tidy(&mut self) {
        self.tidied = Instant::now();
        let living: BTreeSet<String> = self.slots.iter().map(|slot| slot.instance.clone()).collect();
        for slot in &self.slots {
            logs::bound(&self.paths.log(&slot.service, &slot.instance));
        }
        for service in self.services.services.keys() {
            logs::clear(&self.paths.logs(service), &living);
        }
        let changed = modified(&self.order.services);
        if changed == self.read {
            return;
        }
        self.read = changed;
        match Services::read(&self.order.services) {
            Ok(services) => {
                match address::keep(&self.data, &address::wanted(&services)).await {
                    Ok(ports) => self.ports = ports,
                    Err(error) => tracing::warn!(error = %error, "the ports of the services file cannot be kept"),
                }
                self.defaults.send_replace(services.defaults());
                self.services = services;
                tracing::info!("read the services file again; it holds for instances that start from now on");
            }
            Err(error) => tracing::warn!(error = %error, "the services file stays as it was read before"),
        }
    }

    /// Ends every instance, those that do not end within their time by force.
    async fn end(mut self) -> Result<(), StackError> {
        let ended = join_all(self.slots.iter().filter_map(|slot| slot.running.as_ref()).map(|running| end(&running.identity))).await;
        for slot in std::mem::take(&mut self.slots) {
            if let Some(running) = slot.running {
                running.clear();
            }
        }
        if self.paths.root().exists() {
            self.write_down()?;
            let record = self.written.take().unwrap_or_default();
            Record { supervisor: None, up: false, ..record }.write(&self.paths)?;
            files::remove(&self.paths.root().join("pids"))?;
        }
        ended.into_iter().collect()
    }
}

/// Ends a process as an instance is to be ended.
pub(super) async fn end(process: &Identity) -> Result<(), StackError> {
    Ok(process.stop(Signal::SIGTERM, PATIENCE).await?)
}

/// Ends the processes of these instances.
pub(super) async fn end_all(paths: &Paths, instances: &[Started], at_once: bool) -> Result<(), StackError> {
    let living: Vec<Identity> = instances.iter().filter_map(|started| started.alive(paths)).collect();
    let ended = join_all(living.iter().map(async |process| if at_once { Ok(process.kill().await?) } else { end(process).await })).await;
    ended.into_iter().collect()
}

fn modified(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
