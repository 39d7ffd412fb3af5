//! `cache prune`: what was not used for long, and more where a size is exceeded, the oldest use first.
//!
//! Kits and records of `build` go by the same rules: they are made again. What killed runs left behind goes after a day, what was put
//! aside because it was damaged by its age alone.
//! Never what a root needs that stays: the project's lock, what was built on lately, entries of other tools. Never what was written
//! within the last hour: a program that knows no locks may be about to name it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::base;
use crate::cache::roots::{Needs, age};
use crate::cache::taken::{Part, Stays, Taken};
use crate::digest::Digest;
use crate::store::{Seen, Store};

/// What was written so lately may be in the making.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// How much shall be free on the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MinFree {
    Bytes(u64),
    /// Of the whole file system, up to 100.
    Percent(u8),
}

/// What may stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Since the last use.
    pub(crate) keep: Duration,
    /// Bytes of blobs in both stores together.
    pub(crate) max_used: Option<u64>,
    pub(crate) min_free: Option<MinFree>,
    pub(crate) dry_run: bool,
    pub(crate) now: SystemTime,
}

impl Limits {
    fn is_old(&self, used: SystemTime) -> bool {
        age(self.now, used) >= self.keep.max(GRACE)
    }

    /// Whether nobody can be about to name it.
    fn is_settled(&self, used: SystemTime) -> bool {
        age(self.now, used) >= GRACE
    }
}

/// Takes away what is beyond the limits, or tells what would go.
pub(crate) fn prune(
    parts: &[(Part, &Store)],
    locked: &BTreeSet<Digest>,
    limits: &Limits,
) -> Result<Taken> {
    let mut roots = locked.clone();
    for (_, store) in parts {
        let lately = base::built_on(store).into_iter();
        roots.extend(
            lately
                .filter(|(_, used)| !limits.is_old(*used))
                .map(|(root, _)| root),
        );
    }
    let mut needs = Needs::read(parts, &roots)?;
    by_age(&mut needs, limits);
    needs.let_leftovers_go(limits.now, &|seen| limits.is_old(seen.modified))?;
    let free = parts
        .iter()
        .find(|(_, store)| store.root().exists())
        .map(|(_, store)| store.space())
        .transpose()?;
    let excess = by_size(&mut needs, limits, free);
    let stays = (excess > 0).then(|| Stays::of(&needs, excess));
    let taken = match limits.dry_run {
        true => needs.tell(),
        false => needs.take()?,
    };
    // What cannot be read is reason enough, and told.
    let stays = stays.filter(|_| taken.unknown.is_empty());
    Ok(Taken { stays, ..taken })
}

fn by_age(needs: &mut Needs<'_>, limits: &Limits) {
    let is_old = |seen: &Seen| limits.is_old(seen.modified);
    for entry in 0..needs.entries.len() {
        let one = &needs.entries[entry];
        let used = one.used;
        // An entry whose blob is gone has no time and serves nobody.
        if one.is_ours && !needs.is_held(&one.digest) && used.is_none_or(|used| limits.is_old(used))
        {
            needs.let_go(entry, &is_old);
        }
    }
    for (digest, _) in loose(needs) {
        needs.let_loose_go(&digest, &is_old);
    }
    for place in 0..needs.made.len() {
        if is_old(&needs.made[place].1.seen) {
            needs.let_made_go(place);
        }
    }
}

/// Blobs that no root leads to, with the time of their last use.
fn loose(needs: &Needs<'_>) -> Vec<(Digest, SystemTime)> {
    let all = needs.blobs.iter().flatten();
    let loose = all.filter(|(digest, _)| !needs.is_needed(digest));
    loose
        .map(|(digest, seen)| (*digest, seen.modified))
        .collect()
}

/// What may go by its size: an entry, a kit or a record, by its place, or a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Blob(Digest),
    Entry(usize),
    Made(usize),
}

/// `free`: what the file system has free, and how large it is, in bytes. Gives the bytes by which the limit is missed.
fn by_size(needs: &mut Needs<'_>, limits: &Limits, free: Option<(u64, u64)>) -> u64 {
    let size = needs.size();
    let too_much = limits.max_used.map_or(0, |most| size.saturating_sub(most));
    let too_little = limits
        .min_free
        .zip(free)
        .map_or(0, |(wanted, (free, all))| {
            // What goes by its age is free in a moment.
            wanted
                .of(all)
                .saturating_sub(free.saturating_add(needs.freed()))
        });
    let mut excess = too_much.max(too_little);
    let is_settled = |seen: &Seen| limits.is_settled(seen.modified);
    for (_, item) in oldest_first(needs, limits) {
        if excess == 0 {
            break;
        }
        let bytes = match item {
            Item::Entry(entry) => needs.let_go(entry, &is_settled),
            Item::Blob(digest) => needs.let_loose_go(&digest, &is_settled),
            Item::Made(place) => needs.let_made_go(place),
        };
        excess = excess.saturating_sub(bytes);
    }
    excess
}

fn oldest_first(needs: &Needs<'_>, limits: &Limits) -> Vec<(SystemTime, Item)> {
    let entries = needs.entries.iter().enumerate();
    let entries = entries.filter(|(place, one)| {
        one.is_ours && !needs.is_going(*place) && !needs.is_held(&one.digest)
    });
    let entries = entries.filter_map(|(place, one)| Some((one.used?, Item::Entry(place))));
    let blobs = loose(needs)
        .into_iter()
        .map(|(digest, used)| (used, Item::Blob(digest)));
    let made = needs.made.iter().enumerate();
    let made = made
        .filter(|(place, _)| !needs.is_unmade(*place))
        .map(|(place, (_, made))| (made.seen.modified, Item::Made(place)));
    let mut items: Vec<(SystemTime, Item)> = entries
        .chain(blobs)
        .chain(made)
        .filter(|(used, _)| limits.is_settled(*used))
        .collect();
    items.sort();
    items
}

impl MinFree {
    fn of(self, all: u64) -> u64 {
        match self {
            MinFree::Bytes(bytes) => bytes,
            MinFree::Percent(share) => all / 100 * u64::from(share),
        }
    }
}
