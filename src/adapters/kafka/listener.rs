//! What librdkafka says by itself: log lines go to `tracing`, and the last complaint about the connection is kept to explain the
//! next timeout.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::fault::{Class, class};
use super::ffi::AdminError;

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
        if says_more {
            *last = Some((AdminError { code: code as i32, text: reason.to_owned() }, Instant::now()));
        }
    }
}

/// librdkafka's callbacks.
#[derive(Clone, Debug)]
pub(super) struct Listener(pub Arc<Trouble>);

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = error.rdkafka_error_code() {
            self.0.hear(code, reason);
        }
    }
}

impl ConsumerContext for Listener {}
