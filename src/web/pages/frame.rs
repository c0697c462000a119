//! What stands around every page.

use super::super::assets::{ICON, SCRIPT, STYLE};
use super::super::guard::Caller;
use super::super::{App, Shared};

/// Head and foot of a page.
pub(super) struct Frame {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
    pub(super) version: &'static str,
    /// Environment names, or what the operator wants to be seen on every page.
    pub(super) environment: String,
    /// Who looks; empty when nobody is logged in.
    pub(super) who: String,
    /// Whether they may only look.
    pub(super) only_looks: bool,
    /// The live stream of this page.
    pub(super) live: Option<Live>,
}

/// A page's live stream.
pub(super) struct Live {
    /// Its address.
    pub(super) address: String,
    /// The journal number that the page shows.
    pub(super) after: i64,
    /// Whether the page is loaded again and again where there is no script.
    pub(super) reload: bool,
}

impl Frame {
    pub(super) fn new(app: &App, caller: Option<&Caller>, environments: &[&str]) -> Self {
        let shared: &Shared = app;
        let mut names: Vec<&str> = environments.to_vec();
        names.sort_unstable();
        names.dedup();
        Self {
            style: STYLE.address(),
            script: SCRIPT.address(),
            icon: ICON.address(),
            version: shared.version,
            environment: shared.banner.clone().unwrap_or_else(|| names.join(", ")),
            who: caller.map(|caller| caller.shown().to_owned()).unwrap_or_default(),
            only_looks: caller.is_some_and(|caller| !caller.may_operate()),
            live: None,
        }
    }

    pub(super) fn live(mut self, live: Live) -> Self {
        self.live = Some(live);
        self
    }
}
