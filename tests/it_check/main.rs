//! The whole-plan proof: the migrations that must work, and an independent simulator that tries to break what was proven.

mod books;
mod command;
mod mutants;
mod simulator;

use cutover::check::prove;

#[test]
fn every_provable_order_is_proven_with_its_line() {
    for migration in books::all() {
        let proof = prove(&migration.services(), &migration.provable, &[]);
        assert!(proof.proven, "{}: {:#?}", migration.name, proof.violations);
        assert_eq!(proof.line, migration.line, "{}", migration.name);
        assert!(proof.start_violations.is_empty(), "{}: {:#?}", migration.name, proof.start_violations);
        println!("{}: {} states", migration.name, proof.states);
    }
}

#[test]
fn every_written_order_is_refused_for_what_it_breaks_and_nothing_else() {
    for migration in books::all() {
        let proof = prove(&migration.services(), &migration.written, &[]);
        let mut names: Vec<_> = proof.violations.iter().map(cutover::check::Violation::name).collect();
        names.sort();
        for violation in &proof.violations {
            println!("{} {}: {}\n    {}", migration.name, violation.name(), violation.story, violation.mend);
        }
        assert_eq!(names, migration.refused, "{}: {:#?}", migration.name, proof.violations);
    }
}

#[test]
fn written_orders_are_mended_into_proven_ones() {
    for name in ["p1", "p4", "comm-060a", "us-160", "us-170", "tracker-v2"] {
        let migration = books::load(name);
        let mended = cutover::check::mend(&migration.services(), &migration.written, &[]);
        println!("{name}: {:#?}", mended.changes);
        assert!(mended.proven, "{name}: {:#?}", mended.changes);
    }
}
