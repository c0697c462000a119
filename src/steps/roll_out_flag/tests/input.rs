//! Mistakes in the playbook, each found before anything runs and told where it stands.

use std::collections::BTreeMap;

use crate::playbook::{self, Carried, Source};

/// What the linter says of a body, without the places' columns.
fn told(body: &str) -> Vec<String> {
    let text = format!("playbook: p\nsteps:\n  - id: switch\n    roll_out_flag: {body}\n");
    match playbook::read(&Source::new("p.yaml", text.as_str()), &BTreeMap::new(), &Carried::default()) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => diagnostics.plain().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn what_is_right_passes() {
    assert_eq!(told("{flag: f, to: on, shares: [0.001%, 0.1%, 1%, 33.333%, 100%], bake: 10m}"), [""; 0]);
    assert_eq!(told("{flag: f, to: on, from: off, shares: [5%], partial: true, bake: 0s, key: exerciseId}"), [""; 0]);
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let cases = [
        ("shares: [1%, 10%, 10%, 100%]", "shares must grow, and 10% comes after 10%"),
        ("shares: [10%, 1%, 100%]", "shares must grow, and 1% comes after 10%"),
        ("shares: [0%, 100%]", "`0%` is nobody; the least share is 0.001%"),
        ("shares: [0.0001%, 100%]", "`0.0001%` is finer than 0.001%"),
        ("shares: [10%, 100.1%]", "`100.1%` is more than everybody"),
        ("shares: [10, 100%]", "`10` is not a share; write a percentage such as 0.1%, 10% or 100%"),
        ("shares: []", "`shares`"),
        ("shares: [1%, 10%]", "the last share is 10%; end with 100%, or say `partial: true` if it is to stay there"),
        ("shares: [100%], partial: true", "`partial` says that the last share is below 100%, and it is not"),
        ("shares: [100%], from: on", "`from` and `to` are both `on`"),
        ("shares: [100%], variants: {on: true, off: 0}", "all variants of a flag must be of one type"),
        ("shares: [100%], variants: {off: false}", "`on` is not one of the variants `off`"),
        ("shares: [100%], from: of, variants: {on: true, off: false}", "`of` is not one of the variants `off`, `on`"),
        ("shares: [100%], key: ''", "`key`"),
        ("share: [100%]", "`share` is not a key of `roll_out_flag`"),
    ];
    for (fields, expected) in cases {
        let told = told(&format!("{{flag: f, to: on, bake: 1m, {fields}}}")).join("\n");
        assert!(told.contains(expected) && told.contains("p.yaml:4:"), "{fields}: {told}");
    }
}
