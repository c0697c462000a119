//! What a sample service is told by its environment. Nothing else reads the environment; nothing here is logged, for addresses of
//! databases hold passwords.

use std::path::PathBuf;
use std::str::FromStr;

use super::error::SampleError;
use super::release::Release;

/// The three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Owns exercises and tells of their changes.
    Exercises,
    /// Takes attempts at exercises.
    Hiring,
    /// Credits candidates for attempts.
    Bonuses,
}

impl Service {
    /// Its name everywhere: command line, database, flag listeners, metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exercises => "exercises",
            Self::Hiring => "hiring",
            Self::Bonuses => "bonuses",
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Exercises, Self::Hiring, Self::Bonuses]
            .into_iter()
            .find(|service| service.as_str() == name)
            .ok_or_else(|| format!("there is no sample service `{name}`; there are exercises, hiring and bonuses"))
    }
}

/// Where a service is and what it is to be.
#[derive(Clone)]
pub struct Surroundings {
    /// Which service.
    pub service: Service,
    /// Which release of it.
    pub release: Release,
    /// Names the process for ever.
    pub instance: String,
    /// The environment whose flags it evaluates.
    pub environment: String,
    /// The file that says where the controller is now; `None` when it runs by hand without one.
    pub server_file: Option<PathBuf>,
    /// The file with the token for the controller.
    pub token_file: Option<PathBuf>,
    /// A directory of this service, shared by its instances.
    pub state: PathBuf,
    /// Its own database, with the password.
    pub database: String,
    /// Brokers.
    pub bootstrap: String,
    /// Base address of exercises, for hiring.
    pub exercises: Option<String>,
    /// Base address of bonuses, for hiring.
    pub bonuses: Option<String>,
    /// Base address of hiring, for exercises.
    pub hiring: Option<String>,
}

impl Surroundings {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// The first variable that is missing, with what it should hold.
    pub fn read(service: Service, release: Release, get: impl Fn(&str) -> Option<String>) -> Result<Self, SampleError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let need = |variable: &'static str, what: &'static str| get(variable).ok_or(SampleError::Missing { variable, what });
        let base = |variable: &'static str| get(variable).map(|url| url.trim_end_matches('/').to_owned());
        let (exercises, hiring, bonuses) = (base("EXERCISES_URL"), base("HIRING_URL"), base("BONUSES_URL"));
        let called: &[(&'static str, &'static str, bool)] = match service {
            Service::Exercises => &[("HIRING_URL", "base address of the service hiring", hiring.is_some())],
            Service::Hiring => &[
                ("EXERCISES_URL", "base address of the service exercises", exercises.is_some()),
                ("BONUSES_URL", "base address of the service bonuses", bonuses.is_some()),
            ],
            Service::Bonuses => &[],
        };
        if let Some((variable, what, _)) = called.iter().find(|(_, _, there)| !there) {
            return Err(SampleError::Missing { variable, what });
        }
        Ok(Self {
            service,
            release,
            instance: get("CUTOVER_INSTANCE").unwrap_or_else(|| format!("{}-by-hand-{}", service.as_str(), std::process::id())),
            environment: get("CUTOVER_ENVIRONMENT").unwrap_or_else(|| "local".to_owned()),
            server_file: get("CUTOVER_SERVER_FILE").map(PathBuf::from),
            token_file: get("CUTOVER_TOKEN_FILE").map(PathBuf::from),
            state: need("CUTOVER_STATE", "a directory of this service for the last known flags")?.into(),
            database: need("DATABASE_URL", "address of the service's Postgres database")?,
            bootstrap: need("KAFKA_BOOTSTRAP", "host:port of a broker")?,
            exercises,
            bonuses,
            hiring,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(service: Service, pairs: &[(&str, &str)]) -> Result<Surroundings, SampleError> {
        let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
        Surroundings::read(service, "1.5".parse().unwrap(), |name| pairs.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = [("CUTOVER_STATE", "/s"), ("DATABASE_URL", "postgres://x"), ("KAFKA_BOOTSTRAP", "b:1"), ("EXERCISES_URL", "http://e/")];
        assert!(read(Service::Bonuses, &all).is_ok());
        let told = read(Service::Exercises, &all).err().unwrap().to_string();
        assert!(told.contains("HIRING_URL"), "{told}");
        let told = read(Service::Hiring, &all).err().unwrap().to_string();
        assert!(told.contains("BONUSES_URL"), "{told}");
        let told = read(Service::Bonuses, all.get(..2).unwrap()).err().unwrap().to_string();
        assert!(told.contains("KAFKA_BOOTSTRAP"), "{told}");
    }
}
