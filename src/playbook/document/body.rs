//! The body under a step's kind: checked as a whole, decoded, and with the files that it names.

use std::sync::Arc;

use schemars::SchemaGenerator;

use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::shape::{Located, Shape};
use super::read::Reading;
use super::{file, reference};
use crate::step::{Kind, Step};

/// Reads a body; `None` when it cannot be used, which was reported.
pub(super) fn read(kind: &'static Kind, located: &Located, reading: &mut Reading<'_>) -> Option<Box<dyn Step>> {
    let shape = shape(kind, reading)?;
    if !shape.check(reading.file, kind.name, located, reading.out) {
        return None;
    }
    let mut step = match (reading.catalogue.decode)(kind.name, &located.json) {
        Ok(step) => step,
        Err(error) => {
            let name = error.pointer.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(kind.name).to_owned();
            let message = format!("`{name}` does not fit: {}", error.message);
            reading.out.push(Diagnostic::new(codes::DOES_NOT_FIT, reading.file, located.value(&error.pointer), message));
            return None;
        }
    };
    let mut fine = true;
    for named in step.files() {
        match file::read(&named.path, located, reading) {
            Some(text) => named.text = text,
            None => fine = false,
        }
    }
    fine &= reference::fill(&mut *step, located, reading);
    // Why: a kind may complain about the text of a file, so the files come first, and one that is missing was reported already.
    if fine {
        for (pointer, message) in step.complaints() {
            reading.out.push(Diagnostic::new(codes::COMPLAINT, reading.file, located.value(&pointer), message));
            fine = false;
        }
    }
    fine.then_some(step)
}

/// Why: compiling a schema costs more than checking with it, and playbooks use a kind many times.
fn shape(kind: &'static Kind, reading: &mut Reading<'_>) -> Option<Arc<Shape>> {
    let catalogue = reading.catalogue;
    let compile = || {
        let mut generator = SchemaGenerator::default();
        (catalogue.schema)(kind.name, &mut generator).map(|schema| Arc::new(Shape::new(schema, &mut generator)))
    };
    reading.shapes.entry(kind.name).or_insert_with(compile).clone()
}
