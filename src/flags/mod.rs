//! Feature flags as a subject: the flagd definition document. It knows no store, no step and no network.

pub mod document;
