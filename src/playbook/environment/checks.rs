//! What a schema cannot say about `cutover.yaml`.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document;
use super::super::suggest;
use super::super::tree::{Entry, Node, Value};

/// The keys of an environment under which systems stand by name.
const SYSTEMS: [&str; 7] = ["kafka", "registry", "flags", "workloads", "database", "http", "metrics"];

/// Parts of names of librdkafka settings whose value is a secret.
const SECRETIVE: [&str; 6] = ["password", "secret", "token", "jaas", "key.pem", "credential"];

/// Reports all of it.
pub(super) fn check(file: &str, root: &Node, out: &mut Diagnostics) {
    let environments = inner(root.get("environments").map(|entry| &entry.value));
    default(file, root, environments, out);
    for environment in environments {
        name(file, environment, "an environment", out);
        let kinds = inner(Some(&environment.value));
        for kind in kinds.iter().filter(|kind| SYSTEMS.contains(&kind.key.text.as_str())) {
            if let Some(from) = environment.value.get("from") {
                let message = format!("`{}` takes its systems from the stack and names some itself", environment.key.text);
                out.push(Diagnostic::new(codes::STACK_AND_SYSTEMS, file, from.key.place, message).help("take `from` away, or the systems"));
            }
            for system in inner(Some(&kind.value)) {
                name(file, system, "a system", out);
                passed_through(file, system, out);
                if kind.key.text == "kafka" {
                    entrance(file, system, out);
                }
            }
        }
    }
}

fn inner(node: Option<&Node>) -> &[Entry] {
    node.and_then(Node::as_map).unwrap_or_default()
}

/// What would be left out without a word: keys that the chosen protection or mechanism does not look at, or lacks.
fn entrance(file: &str, system: &Entry, out: &mut Diagnostics) {
    let security = system.value.get("security").and_then(|entry| entry.value.as_text()).unwrap_or("plaintext");
    let mut unused = |key: &str, fits: bool, help: &str| match system.value.get(key) {
        Some(entry) if !fits => {
            let message = match system.value.get("security") {
                Some(_) => format!("`{key}` goes with another `security` than `{security}`"),
                None => format!("`{key}` is not used without `security`"),
            };
            out.push(Diagnostic::new(codes::DOES_NOT_FIT, file, entry.key.place, message).help(help));
        }
        _ => {}
    };
    unused("sasl", security.starts_with("sasl_"), "write `security: sasl_ssl`, or `sasl_plaintext` where nobody can listen");
    unused("tls", security.ends_with("ssl"), "write `security: ssl`, or `sasl_ssl` with `sasl`");
    let Some(sasl) = system.value.get("sasl") else {
        if let Some(entry) = system.value.get("security").filter(|_| security.starts_with("sasl_")) {
            let message = format!("`security: {security}` needs `sasl`");
            let help = "write `sasl: {mechanism: …}` with who we are";
            out.push(Diagnostic::new(codes::MISSING_KEY, file, entry.value.place, message).help(help));
        }
        return;
    };
    let Some(mechanism) = sasl.value.get("mechanism").and_then(|entry| entry.value.as_text()) else { return };
    let (wanted, others): (&[&str], &[&str]) =
        if mechanism == "OAUTHBEARER" { (&["token"], &["username", "password"]) } else { (&["username", "password"], &["token"]) };
    for key in wanted.iter().filter(|key| sasl.value.get(key).is_none()) {
        let message = format!("`{mechanism}` needs `sasl.{key}`");
        out.push(Diagnostic::new(codes::MISSING_KEY, file, sasl.key.place, message));
    }
    for entry in others.iter().filter_map(|key| sasl.value.get(key)) {
        let message = format!("`sasl.{}` does not go with `{mechanism}`", entry.key.text);
        out.push(Diagnostic::new(codes::DOES_NOT_FIT, file, entry.key.place, message).help("take it away"));
    }
}

/// Names that people choose.
fn name(file: &str, entry: &Entry, whose: &str, out: &mut Diagnostics) {
    let text = &entry.key.text;
    if !document::is_name(text) {
        out.push(document::bad_name(file, text, whose, entry.key.place));
    }
}

fn default(file: &str, root: &Node, environments: &[Entry], out: &mut Diagnostics) {
    let names = environments.iter().map(|entry| entry.key.text.as_str());
    if let Some(entry) = root.get("default")
        && let Some(default) = entry.value.as_text()
        && !names.clone().any(|name| name == default)
    {
        let help = suggest::did_you_mean(default, names, "there are");
        let message = format!("there is no environment `{default}`");
        out.push(Diagnostic::new(codes::NO_ENVIRONMENT, file, entry.value.place, message).help(help));
    }
}

/// Settings that are passed through to the client library cannot be references, so a secret there would be plain text.
fn passed_through(file: &str, system: &Entry, out: &mut Diagnostics) {
    for option in inner(system.value.get("options").map(|entry| &entry.value)) {
        let key = option.key.text.to_ascii_lowercase();
        if SECRETIVE.iter().any(|part| key.contains(part)) && !matches!(option.value.value, Value::Null) {
            let message = format!("`{}` would be a secret in plain text", option.key.text);
            let diagnostic = Diagnostic::new(codes::PLAIN_SECRET, file, option.key.place, message);
            out.push(diagnostic.help("secrets stand in `sasl.password`, `sasl.token.secret` and `tls.key`, as `env:NAME` or `file:PATH`"));
        }
    }
}
