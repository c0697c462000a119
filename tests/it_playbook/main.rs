//! Playbooks from the outside: what people write, and what they are told.

mod broken;
mod commands;
mod document;
mod environment;
mod guards;
mod kinds;
mod pages;
mod parallel;
mod params;
mod random;
mod services;
mod yaml;
