//! The traffic: changes of exercises, attempts at them and managers assigned to review, without a pause, while everything around them moves. Each request has one id
//! and is tried with it until it was acknowledged. Owns the file of what was sent and answered; judges nothing.

pub mod file;

mod pursue;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};

use self::file::{Book, Doing, Failure, Line};
use self::pursue::{Request, pursue};
use super::error::SampleError;
use super::runtime;

/// The most requests that are pursued at once.
const AT_ONCE: usize = 256;

/// Of so many exercises, one is never changed after it was made.
const QUIET: u32 = 4;

/// How long the exercises may take to be made before the traffic begins.
const MAKING: Duration = Duration::from_mins(1);

/// What a traffic is to be.
#[derive(Clone, Debug)]
pub struct TrafficOptions {
    /// Where its file is written.
    pub directory: PathBuf,
    /// Base address of exercises.
    pub exercises_url: String,
    /// Base address of hiring.
    pub hiring_url: String,
    /// Requests per second, at least 0.1 and at most 10,000.
    pub rate: f64,
    /// Decides the mixture; ids of requests are always new.
    pub seed: u64,
    /// How many exercises it works on, at least 1.
    pub exercises: u32,
}

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrafficProgress {
    /// Requests, each counted once.
    pub requests: u64,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were given up.
    pub given_up: u64,
    /// Tries of all requests.
    pub tries: u64,
    /// Tries that nobody took.
    pub refused: u64,
    /// Tries without an answer in time.
    pub timed_out: u64,
    /// Tries that broke off.
    pub broken: u64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
}

impl fmt::Display for TrafficProgress {
    /// One line for people, such as `854 requests, 852 acknowledged, 3 tried again, 0 refused connections`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = self.tries.saturating_sub(self.acknowledged);
        let Self { requests, acknowledged, refused, .. } = self;
        write!(f, "{requests} requests, {acknowledged} acknowledged, {again} tried again, {refused} refused connections")
    }
}

impl TrafficProgress {
    fn failed(&mut self, how: Failure) {
        match how {
            Failure::Refused => self.refused += 1,
            Failure::TimedOut => self.timed_out += 1,
            Failure::Broken => self.broken += 1,
        }
    }
}

/// What all requests of a traffic share.
struct Shared {
    options: TrafficOptions,
    http: reqwest::Client,
    book: Book,
    progress: Mutex<TrafficProgress>,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut TrafficProgress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A traffic that runs. When it is dropped it stops at once, and requests under way stay unanswered.
pub struct Traffic {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    making: JoinHandle<JoinSet<()>>,
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.making.abort();
    }
}

/// The id of the exercise with this number, from 1: `exercise-001`.
#[must_use]
pub fn exercise_id(number: u32) -> String {
    format!("exercise-{number:03}")
}

/// The id of the attempt with this number, from 1, to which managers are assigned: `attempt-001`. There are as many as exercises.
#[must_use]
pub fn attempt_id(number: u32) -> String {
    format!("attempt-{number:03}")
}

/// Whether an exercise is left alone once it was made.
#[must_use]
pub fn is_quiet(number: u32) -> bool {
    number.is_multiple_of(QUIET)
}

impl Traffic {
    /// Makes the exercises, waits until each is acknowledged, and then keeps the traffic going until it is stopped.
    ///
    /// # Errors
    /// When the file cannot be written or the exercises cannot be made.
    pub async fn start(options: TrafficOptions) -> Result<Self, SampleError> {
        let book = Book::open(&options.directory)?;
        let TrafficOptions { seed, rate, exercises, .. } = options;
        book.write(&Line::Began { at: Utc::now(), seed, rate, exercises })?;
        let shared = Arc::new(Shared { http: runtime::http()?, book, progress: Mutex::default(), options });
        let mut making = JoinSet::new();
        for number in 1..=exercises.max(1) {
            making.spawn(pursue(Arc::clone(&shared), Request::new(Doing::Change, number, format!("Exercise {number}"))));
        }
        let made = timeout(MAKING, async {
            let mut acknowledged = true;
            while let Some(done) = making.join_next().await {
                acknowledged &= done.unwrap_or(false);
            }
            acknowledged
        });
        if !made.await.unwrap_or(false) {
            return Err(SampleError::NoAnswer { service: "exercises", url: shared.options.exercises_url.clone() });
        }
        let (stop, stopped) = watch::channel(false);
        let making = tokio::spawn(make(Arc::clone(&shared), stopped));
        Ok(Self { shared, stop, making })
    }

    /// What has happened so far.
    #[must_use]
    pub fn progress(&self) -> TrafficProgress {
        self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins nothing new, waits at most `patience` for what is under way, and says what has happened.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn stop(mut self, patience: Duration) -> Result<TrafficProgress, SampleError> {
        self.stop.send_replace(true);
        if let Ok(mut running) = (&mut self.making).await {
            let _ = timeout(patience, async { while running.join_next().await.is_some() {} }).await;
        }
        self.shared.book.write(&Line::Ended { at: Utc::now() })?;
        Ok(self.progress())
    }
}

async fn make(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) -> JoinSet<()> {
    let mut random = StdRng::seed_from_u64(shared.options.seed);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / shared.options.rate.clamp(0.1, 10_000.0)));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut count = 0_u64;
    loop {
        let permit = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return running,
            permit = async {
                ticks.tick().await;
                Arc::clone(&room).acquire_owned().await
            } => permit,
        };
        // Why: nobody closes the semaphore.
        let Ok(permit) = permit else { return running };
        count += 1;
        let request = next(&mut random, shared.options.exercises.max(1), count);
        let shared = Arc::clone(&shared);
        running.spawn(async move {
            pursue(shared, request).await;
            drop(permit);
        });
        while running.try_join_next().is_some() {}
    }
}

/// One change and one assignment to two attempts; quiet exercises are attempted like all others and never changed.
fn next(random: &mut StdRng, exercises: u32, count: u64) -> Request {
    let number = random.random_range(1..=exercises);
    match random.random_range(0..4) {
        0 if !is_quiet(number) => Request::new(Doing::Change, number, format!("Exercise {number}, change {count}")),
        1 => Request::new(Doing::Assign, number, format!("manager-{}", random.random_range(1..=20))),
        _ => Request::new(Doing::Attempt, number, format!("candidate-{}", random.random_range(1..=500))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_mixture_and_quiet_exercises_stay_as_they_are() {
        let mixture = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            (1..=600).map(|count| next(&mut random, 12, count)).map(|request| (request.doing, request.exercise)).collect::<Vec<_>>()
        };
        let first = mixture(7);
        assert_eq!(first, mixture(7));
        assert_ne!(first, mixture(8));
        let quiet: Vec<String> = (1..=12).filter(|number| is_quiet(*number)).map(exercise_id).collect();
        assert_eq!(quiet.len(), 3);
        assert!(first.iter().all(|(doing, exercise)| *doing != Doing::Change || !quiet.contains(exercise)));
        assert!(first.iter().any(|(doing, attempt)| *doing == Doing::Assign && *attempt == attempt_id(1)));
        assert!(first.iter().any(|(doing, exercise)| *doing == Doing::Attempt && quiet.contains(exercise)));
    }
}
