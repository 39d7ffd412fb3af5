//! Why a limit was not reached: whose bytes stay.

use std::collections::BTreeSet;

use crate::cache::roots::Needs;
use crate::digest::Digest;

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
    /// Once all went that may go.
    pub(super) fn of(needs: &Needs<'_>, excess: u64) -> Stays {
        let foreign = needs.entries.iter().filter(|one| !one.is_ours);
        let foreign: BTreeSet<&Digest> = foreign.flat_map(|one| &one.below).collect();
        let mut stays = Stays {
            excess,
            ..Stays::default()
        };
        let mut count = |digest: &Digest, bytes: u64| {
            let reason = match (needs.is_held(digest), foreign.contains(digest)) {
                (true, _) => &mut stays.held,
                (false, true) => &mut stays.foreign,
                (false, false) => &mut stays.lately,
            };
            *reason += bytes;
        };
        for (digest, seen) in needs.blobs.iter().flatten() {
            count(digest, seen.size);
        }
        let made = needs.made.iter().enumerate();
        for (_, (_, made)) in made.filter(|(place, _)| !needs.is_unmade(*place)) {
            count(&made.key, made.seen.size);
        }
        stays
    }

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
