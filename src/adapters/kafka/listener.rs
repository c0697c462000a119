//! What librdkafka says and asks by itself: log lines go to `tracing`, the last complaint about the connection is kept to explain the
//! next timeout, and tokens are fetched when it wants one.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::fault::{Class, class};
use super::ffi::AdminError;
use super::token::TokenSource;
use crate::ports::PortError;

/// What librdkafka says before the reason why there is no token, which we have heard already, and better sorted.
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token";

/// What OpenSSL says when the other side gave up for a reason.
const ALERT: &str = "SSL alert number";

/// How long a refusal is not covered up by the silence that follows it.
const FRESH: Duration = Duration::from_secs(5);

/// The last complaint of any client of one cluster.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<(AdminError, Instant)>>);

impl Trouble {
    /// The last complaint since the cluster last answered.
    pub fn last(&self) -> Option<AdminError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(error, _)| error.clone())
    }

    /// Whether the connection has been refused since then, so that waiting for an answer is in vain.
    pub fn is_hopeless_since(&self, begin: Instant) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|(error, heard)| *heard >= begin && class(error.code) == Class::Refused)
    }

    /// Forgets the complaint: the cluster answered.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Keeps a complaint about the connection. "All brokers are down" says less than the one before it, so it only fills a gap.
    fn hear(&self, code: RDKafkaErrorCode, reason: &str) {
        use RDKafkaErrorCode::{
            AllBrokersDown, Authentication, BrokerTransportFailure, IllegalSASLState, Resolve, SSL, SaslAuthenticationFailed,
            UnsupportedSASLMechanism,
        };
        // Why: a broker that does not like our certificate says so only after the handshake, and librdkafka takes that for a broken line.
        let code = if code == BrokerTransportFailure && reason.contains(ALERT) { SSL } else { code };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let says_more = match code {
            AllBrokersDown => last.is_none(),
            BrokerTransportFailure
            | Resolve
            | Authentication
            | SSL
            | IllegalSASLState
            | SaslAuthenticationFailed
            | UnsupportedSASLMechanism => true,
            _ => false,
        };
        // Why: a broker that refuses us hangs up, and that is then complained about, too.
        let covers = last.as_ref().is_some_and(|(told, heard)| {
            class(told.code) == Class::Refused && class(code as i32) == Class::Passing && heard.elapsed() < FRESH
        });
        if says_more && !covers && !reason.starts_with(NO_TOKEN) {
            *last = Some((AdminError { code: code as i32, text: reason.to_owned() }, Instant::now()));
        }
    }
}

/// librdkafka's callbacks.
#[derive(Clone)]
pub(super) struct Listener {
    pub trouble: Arc<Trouble>,
    /// Where tokens come from, where the broker wants tokens.
    pub tokens: Option<Arc<TokenSource>>,
    /// Whether this client has asked for a token.
    pub served: Arc<AtomicBool>,
}

impl ClientContext for Listener {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.tokens.as_ref().ok_or("`sasl.token` is missing")?.token();
        self.served.store(true, Ordering::Release);
        match (token, &self.tokens) {
            (Ok(token), Some(source)) => Ok(OAuthToken {
                token: token.value.expose().to_owned(),
                principal_name: source.client.clone(),
                lifetime_ms: token.ends_in_milliseconds(),
            }),
            (Err(error), _) => {
                let code = if error.is_passing() { RDKafkaErrorCode::BrokerTransportFailure } else { RDKafkaErrorCode::Authentication };
                let (PortError::Unreachable { system, detail }
                | PortError::Refused { system, detail }
                | PortError::Conflict { system, detail }
                | PortError::Invalid { system, detail }) = &error;
                self.trouble.hear(code, &format!("no token from {}: {detail}", system.address));
                Err(error.to_string().into())
            }
            (Ok(_), None) => Err("`sasl.token` is missing".into()),
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = error.rdkafka_error_code() {
            self.trouble.hear(code, reason);
        }
    }
}

impl ConsumerContext for Listener {}
