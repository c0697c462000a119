//! Browser sessions: a cookie that carries its own truth, signed with a key that only the operate token gives.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::Role;
use crate::adapters::secret::Secret;

/// How long a session lasts.
const HOURS: i64 = 12;

/// Who a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) role: Role,
    pub(super) by: String,
}

/// Makes and reads cookies. A new operate token ends every session.
pub(super) struct Sessions {
    key: [u8; 32],
    name: String,
}

impl Sessions {
    pub(super) fn new(operate: &Secret) -> Self {
        let key: [u8; 32] = mac(operate.expose().as_bytes(), b"cutover session 1").finalize().into_bytes().into();
        // Why: cookies do not know ports, so two servers on one host would overwrite each other's under one name.
        let name = Sha256::digest(key).iter().take(4).fold("cutover_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        Self { key, name }
    }

    /// The `Set-Cookie` value of a new session.
    pub(super) fn cookie(&self, session: &Session, now: DateTime<Utc>) -> String {
        let until = (now + Duration::hours(HOURS)).timestamp();
        let claim = format!("{}.{until}.{}", session.role.as_str(), URL_SAFE_NO_PAD.encode(&session.by));
        let sign = URL_SAFE_NO_PAD.encode(self.sign(&claim).finalize().into_bytes());
        format!("{}={claim}.{sign}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", self.name, HOURS * 3600)
    }

    /// The session of a `Cookie` header, if one of its cookies is ours, unchanged and not over.
    pub(super) fn read(&self, header: &str, now: DateTime<Utc>) -> Option<Session> {
        header.split(';').filter_map(|one| one.trim().split_once('=')).filter(|(name, _)| *name == self.name).find_map(|(_, value)| {
            let (claim, sign) = value.rsplit_once('.')?;
            let sign = URL_SAFE_NO_PAD.decode(sign).ok()?;
            self.sign(claim).verify_slice(&sign).ok()?;
            let mut parts = claim.splitn(3, '.');
            let (role, until, by) = (parts.next()?, parts.next()?, parts.next()?);
            let by = String::from_utf8(URL_SAFE_NO_PAD.decode(by).ok()?).ok()?;
            let session = Session { role: Role::of_session(role)?, by };
            (now.timestamp() < until.parse().ok()?).then_some(session)
        })
    }

    fn sign(&self, claim: &str) -> Hmac<Sha256> {
        mac(&self.key, claim.as_bytes())
    }
}

fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("invariant: HMAC takes keys of any length");
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(cookie: &str) -> &str {
        cookie.split(';').next().unwrap()
    }

    #[test]
    fn a_cookie_is_read_back_until_it_is_over_changed_or_of_another_key() {
        let sessions = Sessions::new(&Secret::new("operate token"));
        let (session, now) = (Session { role: Role::View, by: "änn.x@host".to_owned() }, Utc::now());
        let cookie = sessions.cookie(&session, now);
        assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
        let header = format!("other=1; {}", value(&cookie));
        assert_eq!(sessions.read(&header, now), Some(session));
        assert_eq!(sessions.read(&header, now + Duration::hours(12)), None);
        assert_eq!(sessions.read(&header.replace("view.", "operate."), now), None);
        let other = Sessions::new(&Secret::new("another token"));
        let renamed = header.replace(&sessions.name, &other.name);
        assert_eq!(other.read(&renamed, now), None);
    }
}
