//! The commands, one file each. Imports every other room and is imported by none.

pub mod stack;
