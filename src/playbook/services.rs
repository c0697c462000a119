//! A file of services, read like everything else here: every mistake at once, each at its place.

use std::sync::{Arc, LazyLock};

use super::Source;
use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::shape::{Located, Shape};
use super::suggest;
use super::tree::{self, Place};
use crate::services::{Services, Written};

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Written>);

/// Whether the text is meant to be such a file; told by its lines, so that one that is not YAML is still known for it.
#[must_use]
pub fn is_services(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("services:"))
}

/// Reads the file.
///
/// # Errors
/// All mistakes in it.
pub fn read(source: &Source) -> Result<Services, Diagnostics> {
    let mut out = Diagnostics::default();
    out.attach(&source.name, Arc::clone(&source.text));
    let services = tree::read(&source.name, &source.text, &mut out).and_then(|root| {
        let located = Located::new(&root, Place::START);
        let written: Written = SHAPE.decode(&source.name, &source.name, &located, &mut out)?;
        Services::new(&written)
            .map_err(|complaints| {
                for complaint in complaints {
                    let place = if complaint.at_key { located.key(&complaint.pointer) } else { located.value(&complaint.pointer) };
                    let diagnostic = Diagnostic::new(codes::NOT_DECLARED, &source.name, place, complaint.message);
                    out.push(match complaint.meant {
                        Some((name, known)) => {
                            diagnostic.help(suggest::did_you_mean(&name, known.iter().map(String::as_str), "declared are"))
                        }
                        None => diagnostic,
                    });
                }
            })
            .ok()
    });
    match services {
        Some(services) if out.errors() == 0 => Ok(services),
        _ => Err(out),
    }
}
