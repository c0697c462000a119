//! The services file, `workloads.yaml`: how an instance of each service is started. Owns its form; which release runs is not in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::stack::error::StackError;
use crate::stack::files::FileError;

/// The file's usual name, beside `cutover.yaml`.
pub const FILE: &str = "workloads.yaml";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The services by name.
    pub services: BTreeMap<String, Service>,
    /// Where it was read from; relative paths in it begin there.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// How an instance of one service is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Program and arguments. `{release}`, `{service}` and `{instance}` are filled in, and `{cutover}` is the path of this program.
    pub command: Vec<String>,
    /// Further variables of its environment, with the same blanks.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Port on 127.0.0.1; 0 is chosen once and kept.
    #[serde(default)]
    pub port: u16,
    /// How many instances run when nobody says it.
    #[serde(default = "one")]
    pub instances: u32,
}

fn one() -> u32 {
    1
}

/// What stands in the blanks of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blanks<'a> {
    pub service: &'a str,
    pub release: &'a str,
    pub instance: &'a str,
    pub program: &'a str,
}

impl Blanks<'_> {
    fn fill(&self, text: &str) -> String {
        let blanks = [("service", self.service), ("release", self.release), ("instance", self.instance), ("cutover", self.program)];
        blanks.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

impl Services {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or has a mistake.
    pub fn read(path: &Path) -> Result<Self, StackError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StackError::NoServices { file: path.to_owned() },
            _ => FileError::new("read", path, error).into(),
        })?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&text, directory).map_err(|mistake| StackError::Services { file: path.to_owned(), mistake })
    }

    /// The services with the number of instances that is meant when nobody says one.
    #[must_use]
    pub fn defaults(&self) -> BTreeMap<String, u32> {
        self.services.iter().map(|(name, service)| (name.clone(), service.instances)).collect()
    }

    fn parse(text: &str, directory: PathBuf) -> Result<Self, String> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let mut services: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
        services.directory = directory;
        let mut ports = BTreeMap::new();
        for (name, service) in &services.services {
            let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
            if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
                return Err(format!("`{name}` cannot be a service's name: use 1 to 64 letters, digits, `-` and `_`"));
            }
            if service.command.first().is_none_or(String::is_empty) {
                return Err(format!("service `{name}`: `command` must begin with a program, for instance [\"./hiring\", \"{{release}}\"]"));
            }
            if service.port != 0
                && let Some(other) = ports.insert(service.port, name)
            {
                return Err(format!("the services `{other}` and `{name}` have the same port {}", service.port));
            }
        }
        Ok(services)
    }
}

impl Service {
    /// Program and arguments with the blanks filled in.
    pub(super) fn command(&self, blanks: &Blanks<'_>) -> Vec<String> {
        self.command.iter().map(|word| blanks.fill(word)).collect()
    }

    /// Its own variables with the blanks filled in.
    pub(super) fn variables(&self, blanks: &Blanks<'_>) -> Vec<(String, String)> {
        self.env.iter().map(|(name, value)| (name.clone(), blanks.fill(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Services, String> {
        Services::parse(text, PathBuf::from("/project"))
    }

    #[test]
    fn a_command_has_its_blanks_filled_in() {
        let services =
            parse("services:\n  hiring:\n    command: [\"{cutover}\", sample, \"{service}\", \"--release={release}\"]\n    env: {NAME: \"{instance}\"}\n").unwrap();
        let blanks = Blanks { service: "hiring", release: "1.5", instance: "hiring-1.5-ab12cd", program: "/bin/cutover" };
        let hiring = &services.services["hiring"];
        assert_eq!(hiring.command(&blanks), ["/bin/cutover", "sample", "hiring", "--release=1.5"]);
        assert_eq!(hiring.variables(&blanks), [("NAME".to_owned(), "hiring-1.5-ab12cd".to_owned())]);
        assert_eq!((hiring.port, services.defaults()["hiring"]), (0, 1));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            ("services:\n  hiring: {comand: [x]}\n", "comand"),
            ("services:\n  \"hi ring\": {command: [x]}\n", "`hi ring` cannot be a service's name"),
            ("services:\n  hiring: {command: []}\n", "`command` must begin with a program"),
            (
                "services:\n  a: {command: [x], port: 7000}\n  b: {command: [x], port: 7000}\n",
                "the services `a` and `b` have the same port 7000",
            ),
        ] {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.contains(said), "{mistake}");
        }
    }
}
