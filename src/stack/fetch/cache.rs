//! Where what was fetched is kept: once per user, for all data directories, or where `CUTOVER_CACHE` says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `CUTOVER_CACHE`, else `cutover` in the user's cache directory, else in the system's temporary directory.
pub(super) fn directory() -> PathBuf {
    let chosen = choose(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
    std::path::absolute(&chosen).unwrap_or(chosen)
}

fn choose(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    if let Some(named) = variable("CUTOVER_CACHE") {
        return named.into();
    }
    // Why: the directory convention has relative paths ignored.
    if let Some(cache) = variable("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()) {
        return Path::new(&cache).join("cutover");
    }
    match variable("HOME") {
        Some(home) => Path::new(&home).join(".cache/cutover"),
        None => std::env::temp_dir().join("cutover-cache"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_comes_first_and_a_relative_cache_home_counts_for_nothing() {
        let with = |set: &[(&str, &str)]| choose(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()));
        assert_eq!(with(&[("CUTOVER_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Path::new("/c"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Path::new("/x/cutover"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")]), Path::new("/h/.cache/cutover"));
    }
}
