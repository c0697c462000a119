//! The lengths of time that a step names itself, for people who want to know how long it takes. Nothing here is an estimate.

use super::scalar::Span;

/// Whether a length is the least or the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It takes this long, or longer.
    AtLeast,
    /// It takes this long, or the step fails.
    AtMost,
}

impl Bound {
    /// The word in front of a length.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
        }
    }
}

/// One length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Length {
    /// What takes it, as a fragment: `5 shares bake for 10m each`.
    pub what: String,
    /// See [`Bound`].
    pub bound: Bound,
    /// The length itself.
    pub span: Span,
}

impl Length {
    /// A length that must pass.
    pub fn at_least(what: impl Into<String>, span: Span) -> Self {
        Self { what: what.into(), bound: Bound::AtLeast, span }
    }

    /// A length after which it is given up.
    pub fn at_most(what: impl Into<String>, span: Span) -> Self {
        Self { what: what.into(), bound: Bound::AtMost, span }
    }
}
