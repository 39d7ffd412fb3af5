//! What `rm` and `prune` took away, or would take: values for whoever tells of it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::digest::Digest;

/// One of the two stores of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bases, shared with other tools.
    Img,
    /// What rbuild made.
    Build,
}

impl Part {
    /// The directory below the cache's.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Img => "img",
            Part::Build => "build",
        }
    }
}

/// What went, or would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// `None` for a blob, or an entry without a name.
    pub(crate) name: Option<String>,
    /// `None` for what was left behind or put aside.
    pub(crate) digest: Option<Digest>,
    /// What it freed: its own blobs, without those that others need.
    pub(crate) bytes: u64,
    pub(crate) used: Option<SystemTime>,
}

/// All that went, or would go.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) gone: Vec<Gone>,
    /// Documents that could not be read: no blob went because of them.
    pub(crate) unknown: BTreeSet<Digest>,
    /// Where a limit was not reached.
    pub(crate) stays: Option<Stays>,
}

/// What `prune` did not take, in bytes; each byte counts once, for the first reason that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stays {
    /// How much too many.
    pub(crate) excess: u64,
    /// The project's lock names it, or it was built on lately.
    pub(crate) held: u64,
    /// Entries of other tools need it.
    pub(crate) foreign: u64,
    /// Nothing else keeps it than that it was written or used within the last hour.
    pub(crate) lately: u64,
}

impl Stays {
    /// The reasons that there are, with their bytes.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let all = [
            (
                self.held,
                "that builder.lock names or that was built on lately",
            ),
            (self.foreign, "of entries that other tools wrote"),
            (self.lately, "written or used within the last hour"),
        ];
        let some = all.iter().filter(|(bytes, _)| *bytes > 0);
        some.map(|(bytes, why)| format!("{bytes} bytes {why}"))
            .collect()
    }
}
