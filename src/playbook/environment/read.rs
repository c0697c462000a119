//! From the text of `cutover.yaml` to environments.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::diagnostic::Diagnostics;
use super::super::shape::{Located, Shape};
use super::super::tree::{self, Node, Place};
use super::written::{Written, WrittenEnvironment};
use super::{Approvals, Config, Environment, System, checks};

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Written>);

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
    checks::check(file, root, out);
    let located = Located::new(root, Place::START);
    let written: Written = SHAPE.decode(file, file, &located, out)?;
    let place = located.key("/environments");
    let environments = written.environments.into_iter().map(|(name, written)| (name.clone(), environment(file, name, written, &located)));
    Some(Config { file: file.to_owned(), environments: environments.collect(), default: written.default, place })
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
        workloads: systems(file, written.workloads, &at("workloads"), "", located),
        database: systems(file, written.database, &at("database"), "/url", located),
        http: systems(file, written.http, &at("http"), "/url", located),
        metrics: systems(file, written.metrics, &at("metrics"), "/url", located),
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
