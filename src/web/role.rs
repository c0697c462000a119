//! What a caller may do.

/// The roles, each with everything that the ones before it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Anybody who can reach the port.
    Public,
    /// Reads flag documents and reports which revision it uses: what services are given.
    Flags,
    /// Reads everything.
    View,
    /// Plans, starts and tells runs.
    Operate,
}

impl Role {
    /// The word for it, in cookies and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Flags => "flags",
            Self::View => "view",
            Self::Operate => "operate",
        }
    }

    /// The role of a session; only two can have one.
    pub(super) fn of_session(word: &str) -> Option<Self> {
        [Self::View, Self::Operate].into_iter().find(|role| role.as_str() == word)
    }
}
