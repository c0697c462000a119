//! Clients between two uses. A client serves one call at a time, so a call that goes wrong can throw its client away.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most clients that are kept of one kind.
const KEPT: usize = 4;

/// How long a client is kept without being used.
const IDLE: Duration = Duration::from_mins(1);

/// Clients of one kind that nobody uses at the moment, each with what it is good for.
pub(super) struct Pool<K, C: Send + 'static>(Mutex<Vec<Kept<K, C>>>);

struct Kept<K, C> {
    key: K,
    client: C,
    since: Instant,
}

impl<K, C: Send + 'static> Default for Pool<K, C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Send + 'static, C: Send + 'static> Pool<K, C> {
    /// Takes a client out, if there is one for this.
    pub fn take(&self, key: &K) -> Option<C> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|one| one.key == *key)?;
        Some(kept.swap_remove(found).client)
    }

    /// Keeps a client that did its work well, and ends those that nobody has needed for a while.
    pub fn keep(&self, key: K, client: C) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Kept { key, client, since: Instant::now() });
        kept.sort_by_key(|one| one.since);
        let stale = kept.iter().filter(|one| one.since.elapsed() > IDLE).count();
        let surplus = kept.len().saturating_sub(KEPT);
        let ended = kept.drain(..stale.max(surplus)).map(|one| one.client).collect::<Vec<_>>();
        drop(kept);
        if !ended.is_empty() {
            retire(ended);
        }
    }

    /// All clients, for the end.
    pub fn empty(&mut self) -> Vec<C> {
        std::mem::take(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).into_iter().map(|one| one.client).collect()
    }
}

/// Ends clients on a thread of their own: librdkafka waits for its threads, and an async worker must not.
pub(super) fn retire<T: Send + 'static>(clients: T) {
    // Why: without another thread there is nothing better than to wait here, which dropping the closure does.
    let _ = thread::Builder::new().name("kafka-retire".to_owned()).spawn(move || drop(clients));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_serves_one_call_at_a_time_and_only_what_it_is_for() {
        let pool = Pool::default();
        pool.keep("a", 1);
        assert_eq!(pool.take(&"b"), None);
        assert_eq!(pool.take(&"a"), Some(1));
        assert_eq!(pool.take(&"a"), None, "it is in use");
    }

    #[test]
    fn the_ones_that_were_kept_longest_end_first() {
        let mut pool = Pool::default();
        for client in 0..6 {
            pool.keep(client, client);
        }
        assert_eq!(pool.empty(), [2, 3, 4, 5]);
    }
}
