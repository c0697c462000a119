//! From sqlx's errors to the four things that a caller can do about a failure.

use crate::ports::{PortError, SystemRef};

/// The error for a caller. What a statement was bound to is never repeated: it may be personal data.
pub(super) fn port_error(system: &SystemRef, doing: &str, error: &sqlx::Error) -> PortError {
    let system = system.clone();
    let detail = format!("{doing}: {}", words(error));
    match error {
        sqlx::Error::Database(told) => match told.code().as_deref() {
            // Why: 28 is a wrong user or password, 42501 a right that is missing; a database that is not there is a wrong setting.
            Some("42501") => PortError::Refused { system, detail },
            Some(code) if code.starts_with("28") => PortError::Refused { system, detail },
            Some(code) if is_passing(code) => PortError::Unreachable { system, detail },
            _ => PortError::Invalid { system, detail },
        },
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => PortError::Unreachable { system, detail },
        sqlx::Error::Tls(_) => PortError::Refused { system, detail },
        _ => PortError::Invalid { system, detail },
    }
}

/// 08 connection, 40 serialisation and deadlock, 53 resources, 57 shutdown and statement timeout, 55P03 lock timeout.
fn is_passing(code: &str) -> bool {
    ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || matches!(code, "55P03" | "25P03")
}

fn words(error: &sqlx::Error) -> String {
    match error {
        // Why: the message names things, and only the detail that is left out here names values.
        sqlx::Error::Database(told) if told.code().is_some_and(|code| code.starts_with("22")) => {
            "a value does not fit the type of its column".to_owned()
        }
        sqlx::Error::Database(told) => told.message().to_owned(),
        sqlx::Error::PoolTimedOut => "no connection within 5 s".to_owned(),
        other => other.to_string(),
    }
}
