//! From librdkafka's error codes to the four things that a caller can do about a failure.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr as Code;

use super::ffi::{AdminError, INVALID_ARGUMENT, TIMED_OUT};
use crate::ports::{PortError, SystemRef};

/// What a caller can do about an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Try again later.
    Passing,
    /// Get a right, or mend credentials.
    Refused,
    /// Look again: somebody was first.
    Taken,
    /// The thing is not there.
    Absent,
    /// Mend the request.
    Wrong,
}

/// Sorts a code. One that this version of librdkafka does not know is [`Class::Wrong`]: repeating it blindly helps nobody.
pub(super) fn class(code: i32) -> Class {
    use Code::{
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, RD_KAFKA_RESP_ERR__AUTHENTICATION,
        RD_KAFKA_RESP_ERR__DESTROY, RD_KAFKA_RESP_ERR__DESTROY_BROKER, RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__FENCED,
        RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, RD_KAFKA_RESP_ERR__IN_PROGRESS, RD_KAFKA_RESP_ERR__INTR, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
        RD_KAFKA_RESP_ERR__NODE_UPDATE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__QUEUE_FULL,
        RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__UNKNOWN_BROKER,
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__WAIT_CACHE,
        RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
        RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_REBOOTSTRAP_REQUIRED, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_SECURITY_DISABLED, RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH,
        RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH, RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
        RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED,
        RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,
    };
    let Ok(code) = Code::try_from(code) else { return Class::Wrong };
    match code {
        RD_KAFKA_RESP_ERR__TRANSPORT
        | RD_KAFKA_RESP_ERR__RESOLVE
        | RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | RD_KAFKA_RESP_ERR__TIMED_OUT
        | RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
        | RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
        | RD_KAFKA_RESP_ERR__WAIT_COORD
        | RD_KAFKA_RESP_ERR__WAIT_CACHE
        | RD_KAFKA_RESP_ERR__IN_PROGRESS
        | RD_KAFKA_RESP_ERR__RETRY
        | RD_KAFKA_RESP_ERR__QUEUE_FULL
        | RD_KAFKA_RESP_ERR__PURGE_QUEUE
        | RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
        | RD_KAFKA_RESP_ERR__DESTROY
        | RD_KAFKA_RESP_ERR__DESTROY_BROKER
        | RD_KAFKA_RESP_ERR__NODE_UPDATE
        | RD_KAFKA_RESP_ERR__INTR
        | RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST
        | RD_KAFKA_RESP_ERR__FENCED
        | RD_KAFKA_RESP_ERR__FATAL
        | RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE
        | RD_KAFKA_RESP_ERR__UNKNOWN_BROKER
        | RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
        | RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        | RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_NOT_COORDINATOR
        | RD_KAFKA_RESP_ERR_NOT_CONTROLLER
        | RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH
        | RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH
        | RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        | RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        | RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS
        | RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH
        | RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH
        | RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS
        | RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
        | RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS
        | RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
        | RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
        | RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT
        | RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED
        | RD_KAFKA_RESP_ERR_REBOOTSTRAP_REQUIRED => Class::Passing,

        RD_KAFKA_RESP_ERR__AUTHENTICATION
        | RD_KAFKA_RESP_ERR__SSL
        | RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
        | RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM
        | RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE
        | RD_KAFKA_RESP_ERR_SECURITY_DISABLED
        | RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED => Class::Refused,

        RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS => Class::Taken,

        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
        | RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Class::Absent,

        _ => Class::Wrong,
    }
}

/// librdkafka's code for a handshake of TLS that failed.
pub(super) const DISTRUST: i32 = Code::RD_KAFKA_RESP_ERR__SSL as i32;

/// The error that tells more. `trouble` is what the connection last complained about: it explains librdkafka's own timeouts better
/// than they do themselves.
pub(super) fn telling(error: AdminError, trouble: Option<AdminError>) -> AdminError {
    match trouble {
        Some(trouble) if error.code < 0 && class(error.code) == Class::Passing => trouble,
        _ => error,
    }
}

/// How to mend what a broker refuses at the door.
pub(super) fn advice(error: &AdminError) -> Option<&'static str> {
    let code = Code::try_from(error.code).ok()?;
    match code {
        _ if error.text.starts_with("no token from") => None,
        Code::RD_KAFKA_RESP_ERR__AUTHENTICATION | Code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED => {
            Some("see `sasl`: the mechanism, and who we are by it")
        }
        Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM => Some("see `sasl.mechanism`"),
        _ => None,
    }
}

/// The error for a caller.
pub(super) fn port_error(system: &SystemRef, doing: &str, error: AdminError, advice: Option<String>) -> PortError {
    let system = system.clone();
    let text = if error.text.is_empty() { name(error.code) } else { error.text };
    let detail = match advice {
        // Why: what librdkafka says of certificates names its own options, which nobody has written.
        Some(advice) if error.code == DISTRUST => format!("{doing}: {advice}"),
        Some(advice) => format!("{doing}: {text}; {advice}"),
        None => format!("{doing}: {text}"),
    };
    match class(error.code) {
        Class::Passing => PortError::Unreachable { system, detail },
        Class::Refused => PortError::Refused { system, detail },
        Class::Taken => PortError::Conflict { system, detail },
        Class::Absent | Class::Wrong => PortError::Invalid { system, detail },
    }
}

fn name(code: i32) -> String {
    Code::try_from(code).map_or_else(|_| format!("error {code}"), |code| format!("{:?}", rdkafka::types::RDKafkaErrorCode::from(code)))
}

/// Makes one kind of error of the two that librdkafka's layers give.
pub(super) fn flatten(error: &KafkaError) -> AdminError {
    match error {
        KafkaError::Canceled | KafkaError::NoMessageReceived => AdminError { code: TIMED_OUT, text: error.to_string() },
        // Why: the full text repeats the value, and the value may be a key.
        KafkaError::ClientConfig(_, text, key, _) => AdminError { code: INVALID_ARGUMENT, text: format!("option `{key}`: {text}") },
        other => match other.rdkafka_error_code() {
            Some(code) => AdminError { code: code as i32, text: code.to_string() },
            None => AdminError { code: INVALID_ARGUMENT, text: other.to_string() },
        },
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaErrorCode;

    use super::*;

    fn system() -> SystemRef {
        SystemRef { name: "kafka main".to_owned(), address: "broker:9092".to_owned(), setting: "cutover.yaml: kafka.main".to_owned() }
    }

    fn error(code: Code) -> AdminError {
        AdminError { code: code as i32, text: "told".to_owned() }
    }

    #[test]
    fn codes_are_sorted_by_what_helps() {
        assert_eq!(class(Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN as i32), Class::Passing);
        assert_eq!(class(Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32), Class::Refused);
        assert_eq!(class(Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS as i32), Class::Taken);
        assert_eq!(class(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32), Class::Absent);
        assert_eq!(class(Code::RD_KAFKA_RESP_ERR_INVALID_CONFIG as i32), Class::Wrong);
        assert_eq!(class(9_999), Class::Wrong, "a code of a newer broker");
    }

    #[test]
    fn the_two_enums_agree_on_numbers() {
        assert_eq!(RDKafkaErrorCode::OperationTimedOut as i32, TIMED_OUT);
        assert_eq!(Code::RD_KAFKA_RESP_ERR__TIMED_OUT as i32, TIMED_OUT);
        assert_eq!(Code::RD_KAFKA_RESP_ERR__INVALID_ARG as i32, INVALID_ARGUMENT);
        assert_eq!(RDKafkaErrorCode::TopicAuthorizationFailed as i32, Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32);
    }

    #[test]
    fn trouble_explains_a_timeout_and_nothing_else() {
        let refused = AdminError { code: Code::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32, text: "wrong password".to_owned() };
        let told = telling(error(Code::RD_KAFKA_RESP_ERR__TIMED_OUT), Some(refused.clone()));
        let told = port_error(&system(), "asking", told, Some("see `sasl`".to_owned()));
        assert!(matches!(&told, PortError::Refused { detail, .. } if detail == "asking: wrong password; see `sasl`"), "{told:?}");
        let told = telling(error(Code::RD_KAFKA_RESP_ERR_INVALID_CONFIG), Some(refused));
        let told = port_error(&system(), "asking", told, None);
        assert!(matches!(&told, PortError::Invalid { detail, .. } if detail == "asking: told"), "{told:?}");
    }

    #[test]
    fn a_bad_option_is_named_without_its_value() {
        let mut config = rdkafka::ClientConfig::new();
        config.set("no.such.option", "visible-value");
        let Err(error) = config.create_native_config() else { panic!("librdkafka took an unknown option") };
        let error = flatten(&error);
        assert!(error.text.contains("no.such.option") && !error.text.contains("visible-value"), "{}", error.text);
    }
}
