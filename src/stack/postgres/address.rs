//! The address of a database, which holds its password and is therefore not printed by accident.

use std::fmt;

/// A `postgres://` address with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Wraps an address.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self(url)
    }

    /// The address as a driver needs it, password included.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address without its password, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return "postgres://…".to_owned() };
        match rest.rsplit_once('@') {
            Some((credentials, place)) => {
                let user = credentials.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{place}")
            }
            None => self.0.clone(),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_nowhere() {
        let url = DatabaseUrl::new("postgres://cutover:s3cret@127.0.0.1:5432/postgres".to_owned());
        assert_eq!(format!("{url:?}"), "DatabaseUrl(postgres://cutover@127.0.0.1:5432/postgres)");
        assert_eq!(url.expose(), "postgres://cutover:s3cret@127.0.0.1:5432/postgres");
        assert_eq!(DatabaseUrl::new("host=x password=y".to_owned()).shown(), "postgres://…");
    }
}
