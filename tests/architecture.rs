//! Holds the house together: rooms import in one direction only, and no file grows beyond what a person reads in one go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from left to right. A room may import from rooms to its left, and nothing else of ours.
const ROOMS: &[&str] = &[
    "ports", "step", "flags", "schemas", "guards", "services", "drain", "steps", "playbook", "check", "engine", "store", "adapters",
    "driver", "report", "ui", "stack", "samples", "sim", "web", "cli",
];

/// Imports that are narrower than the order of the rooms: what a room must not know although it lies to its left.
const NARROWER: &[(&str, &[&str])] = &[
    ("engine", &["step"]),
    ("steps", &["ports", "step", "flags", "schemas", "services", "drain"]),
    ("flags", &["ports"]),
    ("schemas", &["ports"]),
    ("services", &["step"]),
    ("check", &["ports", "step", "services", "steps", "playbook"]),
    ("drain", &["ports"]),
    ("guards", &["ports", "step"]),
    ("stack", &["ports", "store", "ui"]),
    ("adapters", &["ports", "step", "flags", "store"]),
];

/// Longest file of code, in lines.
const LONGEST: usize = 700;

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a file"))).collect()
}

fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("a file in src");
    let first = inside.components().next()?.as_os_str().to_string_lossy().into_owned();
    let first = first.trim_end_matches(".rs").to_owned();
    (!matches!(first.as_str(), "lib" | "main")).then_some(first)
}

/// Rooms that a text names after `crate::`, code in tests left out: a room's own tests may use its neighbours.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for line in lines {
        for rest in line.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            found.push(name);
        }
    }
    found
}

#[test]
fn rooms_import_in_one_direction_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        // Why: a room's own tests may use its neighbours.
        if path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
            continue;
        }
        let Some(from) = room(&path) else { continue };
        let Some(own) = ROOMS.iter().position(|room| *room == from) else {
            wrong.push(format!("{}: the room {from} is in no order", path.display()));
            continue;
        };
        for to in imports(&text) {
            let Some(other) = ROOMS.iter().position(|room| *room == to) else { continue };
            let narrower = NARROWER.iter().find(|(room, _)| *room == from).map(|(_, allowed)| *allowed);
            let allowed = other <= own && (from == to || narrower.is_none_or(|allowed| allowed.contains(&to.as_str())));
            if !allowed {
                wrong.push(format!("{}: {from} must not import {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_to_the_right_would_be_found() {
    assert_eq!(imports("use crate::cli::exit;\n"), ["cli"]);
    assert!(ROOMS.iter().position(|room| *room == "cli") > ROOMS.iter().position(|room| *room == "engine"));
}

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let mut lengths: BTreeMap<usize, PathBuf> = BTreeMap::new();
    let mut all: Vec<usize> = Vec::new();
    for (path, text) in sources() {
        all.push(text.lines().count());
        lengths.insert(text.lines().count(), path);
    }
    all.sort_unstable();
    let (longest, path) = lengths.last_key_value().expect("a file");
    println!("{} files, median {} lines, longest {longest}", all.len(), all[all.len() / 2]);
    assert!(*longest <= LONGEST, "{} has {longest} lines, more than {LONGEST}", path.display());
    assert!(all[all.len() / 2] <= 150, "the median file has {} lines", all[all.len() / 2]);
}

#[test]
fn unsafe_code_is_in_one_file() {
    for (path, text) in sources() {
        let unsafe_block =
            text.lines().any(|line| !line.trim_start().starts_with("//") && (line.contains("unsafe {") || line.contains("unsafe fn")));
        assert!(!unsafe_block || path.ends_with("adapters/kafka/ffi.rs"), "{} has unsafe code", path.display());
    }
}
