//! Tests of evaluation as a whole: the rows that flagd publishes, the rules around them, and what a roll-out promises to its keys.

mod cohort;
mod published;
mod rules;
