//! What an instance is told through its environment: who it is, where its systems are, and where cutover is now.

use std::collections::BTreeMap;

use super::paths::Paths;
use crate::stack::error::StackError;
use crate::stack::{DataDir, local};

/// The variables of one instance.
pub(super) struct Variables {
    pub all: Vec<(String, String)>,
    /// Values among them that must not appear in any message.
    pub secrets: Vec<String>,
}

/// Who the instance is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub environment: &'a str,
    pub service: &'a str,
    pub release: &'a str,
    pub instance: &'a str,
}

impl Variables {
    /// The variables of an instance; systems of the local stack are among them when it was ever started.
    pub(super) fn of(data: &DataDir, who: Who<'_>, ports: &BTreeMap<String, u16>) -> Result<Self, StackError> {
        let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let mut all: Vec<(String, String)> = [
            ("CUTOVER_SERVICE", who.service.to_owned()),
            ("CUTOVER_RELEASE", who.release.to_owned()),
            ("CUTOVER_INSTANCE", who.instance.to_owned()),
            ("CUTOVER_ENVIRONMENT", who.environment.to_owned()),
            ("CUTOVER_SERVER_FILE", path(data.server_file())),
            ("CUTOVER_TOKEN_FILE", path(data.flags_token_file())),
            ("CUTOVER_STATE", path(Paths::new(data).state(who.service))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        all.extend(ports.iter().map(|(service, port)| (format!("{}_URL", variable(service)), local_url(*port))));
        let mut secrets = Vec::new();
        if let Some(stack) = local::addresses(data)? {
            all.push(("KAFKA_BOOTSTRAP".to_owned(), stack.kafka.bootstrap));
            all.push(("REGISTRY_URL".to_owned(), stack.registry.url));
        }
        if let Some(database) = local::database(data, who.service)? {
            all.push(("DATABASE_URL".to_owned(), database.url().expose().to_owned()));
            secrets.push(database.password);
        }
        Ok(Self { all, secrets })
    }
}

/// Where a service answers.
pub(super) fn local_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A service's name as a part of a variable's.
fn variable(service: &str) -> String {
    service.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
}
