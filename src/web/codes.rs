//! Login codes: a terminal that holds the token makes one, a browser spends it once within a minute. Kept in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::session::Session;

/// How long a code can be spent.
const LIFE: Duration = Duration::from_mins(1);

/// Most codes that wait to be spent.
const MOST: usize = 256;

/// Codes by their hash, so that how long a look-up takes says nothing about a code.
#[derive(Default)]
pub(super) struct LoginCodes {
    open: Mutex<HashMap<[u8; 32], (Session, Instant)>>,
}

impl LoginCodes {
    /// A code that opens this session; `None` when too many wait.
    pub(super) fn make(&self, session: Session, now: Instant) -> Option<String> {
        let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (_, until)| *until > now);
        if open.len() >= MOST {
            return None;
        }
        open.insert(Sha256::digest(&code).into(), (session, now + LIFE));
        Some(code)
    }

    /// Spends a code.
    pub(super) fn spend(&self, code: &str, now: Instant) -> Option<Session> {
        let hash: [u8; 32] = Sha256::digest(code).into();
        let spent = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        spent.filter(|(_, until)| *until > now).map(|(session, _)| session)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    #[test]
    fn a_code_opens_once_and_within_a_minute() {
        let codes = LoginCodes::default();
        let (session, now) = (Session { role: Role::Operate, by: "ann".to_owned() }, Instant::now());
        let code = codes.make(session.clone(), now).unwrap();
        assert_eq!(codes.spend("another", now), None);
        assert_eq!(codes.spend(&code, now), Some(session.clone()));
        assert_eq!(codes.spend(&code, now), None);
        let late = codes.make(session, now).unwrap();
        assert_eq!(codes.spend(&late, now + LIFE), None);
    }
}
