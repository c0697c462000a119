//! Playbooks from the outside: what people write, and what they are told.

mod kinds;
mod pages;
