//! Finds a Java that Kafka and the registry run on.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::stack::error::{JAVA, StackError};

/// Kafka's brokers need it.
const OLDEST: u32 = 17;

/// The first `java` that is new enough: `JAVA_HOME`'s, then the search path's, then Homebrew's, which are on no search path.
pub(super) async fn find() -> Result<PathBuf, StackError> {
    let mut too_old = None;
    for candidate in candidates() {
        match version(&candidate).await {
            Some(major) if major >= OLDEST => return Ok(candidate),
            Some(major) => too_old = too_old.or_else(|| Some(format!("Java {major} at {}", candidate.display()))),
            None => (),
        }
    }
    Err(StackError::missing(JAVA, too_old))
}

fn candidates() -> Vec<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("java"));
    let brew = ["/opt/homebrew/opt", "/usr/local/opt"]
        .into_iter()
        .flat_map(|root| ["openjdk@17", "openjdk@21", "openjdk"].map(|formula| Path::new(root).join(formula).join("bin/java")));
    home.into_iter().chain(on_path).chain(brew).filter(|candidate| candidate.is_file()).collect()
}

async fn version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().await.ok()?;
    major(&String::from_utf8_lossy(&output.stderr))
}

/// Reads `openjdk version "17.0.15" 2025-04-15`; up to 8 it was `"1.8.0_402"`.
fn major(said: &str) -> Option<u32> {
    let mut numbers = said.split('"').nth(1)?.split(|digit: char| !digit.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment"), Some(17));
        assert_eq!(major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(major("The operation couldn't be completed. Unable to locate a Java Runtime."), None);
    }
}
