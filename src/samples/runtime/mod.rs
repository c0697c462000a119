//! The life of a service's process: sockets, environment, flags, its own parts, and an end that loses nothing.

mod metrics;
mod serve;
mod sockets;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rand::Rng;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub use metrics::Metrics;

use self::serve::Desk;
use self::sockets::Sockets;
use super::error::SampleError;
use super::flags::{Controller, Flags, Heartbeat, beat};
use super::gate;
use super::release::{Fault, Release};
use super::surroundings::{Service, Surroundings};
use super::{bonuses, exercises, hiring};

/// How long this process waits between two looks, and for what only reads its figures.
const GRACE: Duration = Duration::from_millis(250);

/// How long what is under way may take once the end was asked for.
const FINISHING: Duration = Duration::from_secs(4);

/// How long relays and consumers may take to put down what they hold.
const PUTTING_DOWN: Duration = Duration::from_secs(4);

/// How long the database may take to answer at the start.
const COMING_UP: Duration = Duration::from_secs(15);

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not serving yet.
    Starting,
    /// Serving.
    Serving,
    /// Finishing what is under way.
    Ending,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Ending => "ending",
        }
    }
}

/// What every service has.
pub struct Base {
    /// Where and what it is.
    pub surroundings: Surroundings,
    /// Connections to its own database.
    pub pool: PgPool,
    /// The flags.
    pub flags: Flags,
    /// What it counts.
    pub metrics: Metrics,
    /// For calls to other services.
    pub http: reqwest::Client,
}

/// What a service adds.
pub struct Parts {
    /// Its routes.
    pub router: Router,
    /// What runs beside the requests. Each ends by itself when its [`Ending`] says so.
    pub work: JoinSet<()>,
}

/// Tells work beside the requests that it is to end.
#[derive(Clone)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Whether it was said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub async fn said(&mut self) {
        // Why: when nobody is left to say it, it is the end, too.
        let _ = self.0.wait_for(|said| *said).await;
    }

    /// Waits for `pause`; `false` when the end came first.
    pub async fn pause(&mut self, pause: Duration) -> bool {
        tokio::select! {
            () = self.said() => false,
            () = sleep(pause) => true,
        }
    }
}

/// What somebody who runs a service by hand says instead of handing sockets over.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByHand {
    /// Address to listen on.
    pub listen: Option<SocketAddr>,
}

/// Runs a sample service until it is asked to end.
///
/// # Errors
/// When it cannot start, or its fault is to crash.
pub async fn run(service: Service, release: Release, by_hand: ByHand) -> Result<(), SampleError> {
    log();
    let sockets = Sockets::take(by_hand.listen)?;
    let surroundings = Surroundings::read(service, release, |name| std::env::var(name).ok())?;
    crate::stack::files::create_private_dir(&surroundings.state)?;
    let release = surroundings.release.clone();
    let http = http()?;
    let controller = Arc::new(Controller::new(
        surroundings.server_file.clone(),
        surroundings.token_file.clone(),
        surroundings.environment.clone(),
        http.clone(),
    ));
    let flags = Flags::start(Arc::clone(&controller), surroundings.state.join("flags.json")).await?;
    let metrics = Metrics::new(&surroundings)?;
    let pool = connect(&surroundings.database).await?;
    let base = Arc::new(Base { surroundings, pool, flags, metrics, http });

    let (phase, phases) = watch::channel(Phase::Starting);
    let desk = Desk { base: Arc::clone(&base), phase: phases };
    // Why: asked for before anything is served, so that no signal falls between.
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (end_of_admin, admin_ended) = watch::channel(false);
    let admin = sockets.instance.map(|socket| tokio::spawn(gate::serve(socket, serve::common(desk.clone()), told(admin_ended))));

    let (end_of_work, work_ended) = watch::channel(false);
    let mut parts = match service {
        Service::Exercises => exercises::prepare(&base, &Ending(work_ended)).await?,
        Service::Hiring => hiring::prepare(&base, &Ending(work_ended)).await?,
        Service::Bonuses => bonuses::prepare(&base, &Ending(work_ended)).await?,
    };
    let (end_of_beat, beat_ended) = watch::channel(false);
    let beating = (controller.is_known() && !release.has(Fault::Mute)).then(|| {
        let (base, controller) = (Arc::clone(&base), Arc::clone(&controller));
        tokio::spawn(async move { beat(base.flags.clone(), controller, heartbeat(&base.surroundings), beat_ended).await })
    });
    let router = serve::business(desk.clone(), parts.router).merge(serve::common(desk));
    let (close, closed) = watch::channel(false);
    let serving = tokio::spawn(gate::serve(sockets.service, router, told(closed)));
    phase.send_replace(Phase::Serving);
    tracing::info!(service = service.as_str(), release = %release, instance = base.surroundings.instance, "serving");

    if release.has(Fault::Crash) {
        sleep(GRACE).await;
        return Err(SampleError::Defect("this release crashes soon after its start".to_owned()));
    }
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    if release.has(Fault::Stays) {
        let let_go = base.surroundings.state.join("let-go");
        while !let_go.exists() {
            sleep(GRACE).await;
        }
    }

    tracing::info!("ending");
    phase.send_replace(Phase::Ending);
    close.send_replace(true);
    let end = Instant::now() + FINISHING;
    let _ = tokio::time::timeout_at(end, serving).await;
    while base.flags.running() > 0 && Instant::now() < end {
        sleep(Duration::from_millis(10)).await;
    }
    end_of_work.send_replace(true);
    if timeout(PUTTING_DOWN, async { while parts.work.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("work is left undone; another instance goes on with it");
    }
    end_of_beat.send_replace(true);
    if let Some(beating) = beating {
        let _ = timeout(Duration::from_secs(1), beating).await;
    }
    end_of_admin.send_replace(true);
    if let Some(admin) = admin {
        let _ = timeout(GRACE, admin).await;
    }
    tracing::info!("ended");
    Ok(())
}

fn heartbeat(surroundings: &Surroundings) -> Heartbeat<'_> {
    Heartbeat {
        environment: &surroundings.environment,
        store: Heartbeat::STORE,
        service: surroundings.service.as_str(),
        instance: &surroundings.instance,
        release: surroundings.release.says(),
        revision: 0,
        oldest: 0,
        flags: surroundings.release.flags(surroundings.service),
        ending: false,
    }
}

/// The moment when this is told.
async fn told(mut told: watch::Receiver<bool>) {
    let _ = told.wait_for(|told| *told).await;
}

/// The client for calls to others on this machine: keeps connections, follows nothing.
pub fn http() -> Result<reqwest::Client, SampleError> {
    // Why: an error here only says that a provider was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true);
    Ok(client.build()?)
}

async fn connect(url: &str) -> Result<PgPool, SampleError> {
    let end = Instant::now() + COMING_UP;
    loop {
        let options = PgPoolOptions::new().max_connections(12).acquire_timeout(Duration::from_secs(3)).test_before_acquire(false);
        match options.connect(url).await {
            Ok(pool) => return Ok(pool),
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(rand::rng().random_range(50..250))).await,
        }
    }
}

/// Makes a service's tables. Several instances may start at once.
pub async fn make_tables(pool: &PgPool, statements: &[&'static str]) -> Result<(), SampleError> {
    let mut transaction = pool.begin().await?;
    // Why: `if not exists` alone fails when two instances look at the same moment.
    sqlx::query("select pg_advisory_xact_lock(hashtext('sample tables'))").execute(&mut *transaction).await?;
    for statement in statements {
        sqlx::raw_sql(*statement).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CUTOVER_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("cutover=info,warn"));
    // Why: a subscriber that is there already, as in tests, is as good.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
