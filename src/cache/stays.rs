//! Why a limit was not reached: whose bytes stay.

use std::collections::BTreeSet;

use crate::cache::roots::Needs;
use crate::cache::taken::Stays;
use crate::digest::Digest;

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
}
