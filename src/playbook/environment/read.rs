//! From the text of `cutover.yaml` to environments.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document;
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{self, Entry, Node, Place};
use super::written::{Written, WrittenEnvironment};
use super::{Approvals, Config, Environment, System};

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Written>);

/// The keys of an environment under which systems stand by name.
const SYSTEMS: [&str; 3] = ["kafka", "registry", "flags"];

/// Reads the whole file.
pub(super) fn read(name: &str, text: &str) -> Result<Config, Diagnostics> {
    let mut out = Diagnostics::default();
    let config = tree::read(name, text, &mut out).and_then(|root| build(name, &root, &mut out));
    match config {
        Some(config) if out.errors() == 0 => Ok(config),
        _ => Err(out),
    }
}

fn build(file: &str, root: &Node, out: &mut Diagnostics) -> Option<Config> {
    names(file, root, out);
    default(file, root, out);
    let located = Located::new(root, Place::START);
    let written: Written = SHAPE.decode(file, file, &located, out)?;
    let place = located.key("/environments");
    let environments = written.environments.into_iter().map(|(name, written)| (name.clone(), environment(file, name, written, &located)));
    Some(Config { file: file.to_owned(), environments: environments.collect(), default: written.default, place })
}

fn default(file: &str, root: &Node, out: &mut Diagnostics) {
    let environments = root.get("environments").and_then(|entry| entry.value.as_map()).unwrap_or_default();
    let names = environments.iter().map(|entry| entry.key.text.as_str());
    if let Some(entry) = root.get("default")
        && let Some(default) = entry.value.as_text()
        && !names.clone().any(|name| name == default)
    {
        let help = suggest::did_you_mean(default, names, "there are");
        out.push(
            Diagnostic::new(codes::NO_ENVIRONMENT, file, entry.value.place, format!("there is no environment `{default}`")).help(help),
        );
    }
    for environment in environments {
        let systems = environment.value.as_map().unwrap_or_default().iter().any(|entry| SYSTEMS.contains(&entry.key.text.as_str()));
        if let (Some(from), true) = (environment.value.get("from"), systems) {
            let message = format!("`{}` takes its systems from the stack and names some itself", environment.key.text);
            out.push(Diagnostic::new(codes::STACK_AND_SYSTEMS, file, from.key.place, message).help("take `from` away, or the systems"));
        }
    }
}

/// The names that people choose: of environments and of systems in them.
fn names(file: &str, root: &Node, out: &mut Diagnostics) {
    fn inner(node: &Node) -> &[Entry] {
        node.as_map().unwrap_or_default()
    }
    let mut check = |entry: &Entry, whose: &str| {
        let text = &entry.key.text;
        if !document::is_name(text) {
            let diagnostic = Diagnostic::new(codes::BAD_NAME, file, entry.key.place, format!("`{text}` cannot name {whose}"));
            out.push(diagnostic.help("use at most 60 of the characters `a`-`z`, `0`-`9` and `-`"));
        }
    };
    for environment in root.get("environments").map(|entry| inner(&entry.value)).unwrap_or_default() {
        check(environment, "an environment");
        for kind in inner(&environment.value).iter().filter(|kind| SYSTEMS.contains(&kind.key.text.as_str())) {
            inner(&kind.value).iter().for_each(|system| check(system, "a system"));
        }
    }
}

fn environment(file: &str, name: String, written: WrittenEnvironment, located: &Located) -> Environment {
    let default = if name == "local" { Approvals::Own } else { Approvals::Other };
    let at = |kind: &str| format!("/environments/{name}/{kind}");
    Environment {
        approvals: written.approvals.unwrap_or(default),
        from: written.from,
        kafka: systems(file, written.kafka, &at("kafka"), "/bootstrap", located),
        registry: systems(file, written.registry, &at("registry"), "/url", located),
        flags: systems(file, written.flags, &at("flags"), "", located),
        name,
    }
}

fn systems<T>(file: &str, written: BTreeMap<String, T>, pointer: &str, address: &str, located: &Located) -> BTreeMap<String, System<T>> {
    let system = |(name, settings): (String, T)| {
        let pointer = format!("{pointer}/{name}{address}");
        let Place { line, column, .. } = located.value(&pointer);
        let path = pointer.trim_start_matches('/').replace('/', ".");
        (name, System { settings, setting: format!("{file}:{line}:{column} {path}") })
    };
    written.into_iter().map(system).collect()
}
