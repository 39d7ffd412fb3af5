//! Who needs which blob: the entries of both stores, what the project's lock names, what was built on lately.
//!
//! A blob that any root leads to stays, in whichever of the two stores it lies. Nothing is changed here but by [`Needs::take`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::base::{self, Asked};
use crate::cache::taken::{Gone, Part, Taken};
use crate::digest::{Descriptor, Digest};
use crate::media::{CONTAINERD_NAME, REF_NAME};
use crate::store::{Alone, Leftover, Links, Made, Seen, Store, Victims};

/// One entry of an index.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Which store, by its place among those that were given.
    pub(super) place: usize,
    pub(super) part: Part,
    pub(super) name: Option<String>,
    /// The other name that containerd reads.
    pub(super) other: Option<String>,
    pub(super) digest: Digest,
    /// Whether rbuild wrote it.
    pub(super) is_ours: bool,
    /// When it was pulled, asked for, built or built on last.
    pub(super) used: Option<SystemTime>,
    /// Sorted.
    pub(super) below: Box<[Digest]>,
}

/// The stores with all that is in them, and who needs it. Held alone for as long as it lives.
pub(super) struct Needs<'a> {
    stores: Vec<(&'a Store, Alone)>,
    pub(super) entries: Vec<Entry>,
    /// For each store, what is there.
    pub(super) blobs: Vec<BTreeMap<Digest, Seen>>,
    /// What roots that are no entries lead to.
    held: BTreeSet<Digest>,
    /// How many entries lead to it.
    counts: BTreeMap<Digest, usize>,
    /// Entries that go, by their places.
    going: BTreeSet<usize>,
    victims: Vec<BTreeMap<Digest, Seen>>,
    unknown: BTreeSet<Digest>,
    /// What rbuild makes again, with the place of its store.
    pub(super) made: Vec<(usize, Made)>,
    /// What of it goes, by its places.
    unmade: BTreeSet<usize>,
    /// What goes of that which no reader looks at, with the place of its store.
    discarded: Vec<(usize, Leftover)>,
    gone: Vec<Gone>,
}

impl<'a> Needs<'a> {
    /// Reads both stores with nobody else in them; one that is not there is left out.
    pub(super) fn read(parts: &[(Part, &'a Store)], roots: &BTreeSet<Digest>) -> Result<Needs<'a>> {
        let here = parts.iter().filter(|(_, store)| store.root().exists());
        let mut needs = Needs {
            stores: Vec::new(),
            entries: Vec::new(),
            blobs: Vec::new(),
            held: BTreeSet::new(),
            counts: BTreeMap::new(),
            going: BTreeSet::new(),
            victims: Vec::new(),
            unknown: BTreeSet::new(),
            made: Vec::new(),
            unmade: BTreeSet::new(),
            discarded: Vec::new(),
            gone: Vec::new(),
        };
        let mut parts = Vec::new();
        for (part, store) in here {
            store.refuse_untrusted()?;
            needs.stores.push((store, store.alone()?));
            parts.push(*part);
        }
        let stores: Vec<&Store> = needs.stores.iter().map(|(store, _)| *store).collect();
        let mut links = Links::of(&stores);
        for root in roots {
            needs.held.extend(links.below(root)?);
        }
        for (place, store) in stores.iter().enumerate() {
            needs.blobs.push(store.seen()?);
            needs.victims.push(BTreeMap::new());
            if parts[place] == Part::Build {
                needs
                    .made
                    .extend(store.made()?.into_iter().map(|made| (place, made)));
            }
            let asked = Asked::of(store);
            for one in store.each_entry()? {
                let below = links.below(&one.digest)?;
                needs.add(Entry::of(
                    &one,
                    (place, parts[place]),
                    (store, &asked, below),
                ));
            }
        }
        needs.unknown = links.unknown;
        Ok(needs)
    }

    fn add(&mut self, entry: Entry) {
        for digest in &entry.below {
            *self.counts.entry(*digest).or_default() += 1;
        }
        self.entries.push(entry);
    }

    pub(super) fn is_needed(&self, digest: &Digest) -> bool {
        self.held.contains(digest) || self.counts.get(digest).is_some_and(|count| *count > 0)
    }

    pub(super) fn is_held(&self, digest: &Digest) -> bool {
        self.held.contains(digest)
    }

    pub(super) fn is_going(&self, entry: usize) -> bool {
        self.going.contains(&entry)
    }

    /// Lets an entry go, and those of its blobs that nobody else needs and that `may_go`; gives the bytes.
    pub(super) fn let_go(&mut self, entry: usize, may_go: &dyn Fn(&Seen) -> bool) -> u64 {
        if !self.going.insert(entry) {
            return 0;
        }
        let Entry {
            name,
            digest,
            used,
            below,
            ..
        } = self.entries[entry].clone();
        for one in &below {
            *self.counts.entry(*one).or_insert(1) -= 1;
        }
        let bytes = below.iter().map(|one| self.let_blob_go(one, may_go)).sum();
        self.gone.push(Gone {
            name,
            digest: Some(digest),
            bytes,
            used,
        });
        bytes
    }

    /// Lets a blob go that no entry leads to, in whichever stores it is; gives the bytes.
    pub(super) fn let_blob_go(&mut self, digest: &Digest, may_go: &dyn Fn(&Seen) -> bool) -> u64 {
        if self.is_needed(digest) || self.unknown.iter().any(|one| self.is_needed(one)) {
            return 0;
        }
        let mut bytes = 0;
        for (blobs, victims) in self.blobs.iter_mut().zip(&mut self.victims) {
            if blobs.get(digest).is_some_and(may_go)
                && let Some(seen) = blobs.remove(digest)
            {
                bytes += seen.size;
                victims.insert(*digest, seen);
            }
        }
        bytes
    }

    /// As [`Needs::let_blob_go`], told on its own.
    pub(super) fn let_loose_go(&mut self, digest: &Digest, may_go: &dyn Fn(&Seen) -> bool) -> u64 {
        let used = self.seen(digest).map(|seen| seen.modified);
        let bytes = self.let_blob_go(digest, may_go);
        if bytes > 0 {
            self.gone.push(Gone {
                name: None,
                digest: Some(*digest),
                bytes,
                used,
            });
        }
        bytes
    }

    /// Lets a kit or a record go, but for what is written down about an image that stays; gives the bytes.
    pub(super) fn let_made_go(&mut self, place: usize) -> u64 {
        let (_, made) = &self.made[place];
        if self.is_needed(&made.key) || !self.unmade.insert(place) {
            return 0;
        }
        self.gone.push(Gone {
            name: Some(made.kind.clone()),
            digest: Some(made.key),
            bytes: made.seen.size,
            used: Some(made.seen.modified),
        });
        made.seen.size
    }

    /// Lets go what was left behind, and what was put aside and `may_go`.
    pub(super) fn let_leftovers_go(
        &mut self,
        now: SystemTime,
        may_go: &dyn Fn(&Seen) -> bool,
    ) -> Result<()> {
        for (place, (store, _)) in self.stores.iter().enumerate() {
            let mut left = store.leftovers(now)?;
            left.retain(|one| !one.is_evidence || may_go(&one.seen));
            self.gone.extend(left.iter().map(|one| Gone {
                name: Some(one.name.clone()),
                digest: None,
                bytes: one.seen.size,
                used: Some(one.seen.modified),
            }));
            let left = left.into_iter().map(|one| (place, one));
            self.discarded.extend(left);
        }
        Ok(())
    }

    pub(super) fn is_unmade(&self, place: usize) -> bool {
        self.unmade.contains(&place)
    }

    fn seen(&self, digest: &Digest) -> Option<Seen> {
        self.blobs
            .iter()
            .find_map(|blobs| blobs.get(digest))
            .copied()
    }

    /// What lies below a digest that no entry has, as far as it is here.
    pub(super) fn below(&self, digest: &Digest) -> Result<BTreeSet<Digest>> {
        let stores: Vec<&Store> = self.stores.iter().map(|(store, _)| *store).collect();
        Ok(Links::of(&stores).below(digest)?)
    }

    /// What stays, in bytes.
    pub(super) fn size(&self) -> u64 {
        let blobs = self.blobs.iter().flat_map(BTreeMap::values);
        let made = self.made.iter().map(|(_, made)| made.seen.size);
        let all: u64 = blobs.map(|seen| seen.size).chain(made).sum();
        all - self.unmade_size()
    }

    /// What was let go so far, in bytes.
    pub(super) fn freed(&self) -> u64 {
        let blobs = self.victims.iter().flat_map(BTreeMap::values);
        let left = self.discarded.iter().map(|(_, one)| &one.seen);
        blobs.chain(left).map(|seen| seen.size).sum::<u64>() + self.unmade_size()
    }

    fn unmade_size(&self) -> u64 {
        let unmade = self.unmade.iter();
        unmade.map(|place| self.made[*place].1.seen.size).sum()
    }

    /// What would go, and nothing is changed.
    pub(super) fn tell(mut self) -> Taken {
        let unknown = std::mem::take(&mut self.unknown);
        let unknown = unknown
            .into_iter()
            .filter(|one| self.is_needed(one))
            .collect();
        Taken {
            gone: self.gone,
            unknown,
            stays: None,
        }
    }

    /// Takes away what was let go: names before blobs, in each store.
    pub(super) fn take(self) -> Result<Taken> {
        for (place, (store, alone)) in self.stores.iter().enumerate() {
            store.unmake(alone, &self.unmade_in(place))?;
            let of_this = |entry: usize| self.entries[entry].place == place;
            let going: BTreeSet<(Option<&str>, Digest)> = self
                .going
                .iter()
                .filter(|entry| of_this(**entry))
                .map(|entry| self.entries[*entry].key())
                .collect();
            if going.is_empty() && self.victims[place].is_empty() {
                continue;
            }
            let stays = |(entry, one): (usize, &Entry)| {
                (of_this(entry) && !self.going.contains(&entry)).then_some(one.digest)
            };
            let staying = self.entries.iter().enumerate().filter_map(stays).collect();
            let goes = |one: &Descriptor| going.contains(&(one.annotation(REF_NAME), one.digest));
            let victims = Victims {
                entries: &goes,
                blobs: &self.victims[place],
                staying: &staying,
            };
            store.remove(alone, &victims)?;
        }
        self.discard()?;
        Ok(self.tell())
    }

    fn unmade_in(&self, place: usize) -> Vec<&Made> {
        let unmade = self.unmade.iter().map(|one| &self.made[*one]);
        let here = unmade.filter(|(of, _)| *of == place);
        here.map(|(_, made)| made).collect()
    }

    fn discard(&self) -> Result<()> {
        for (place, (store, alone)) in self.stores.iter().enumerate() {
            let left = self.discarded.iter().filter(|(of, _)| *of == place);
            let left: Vec<&Leftover> = left.map(|(_, one)| one).collect();
            store.discard(alone, &left)?;
        }
        Ok(())
    }
}

impl Entry {
    fn of(
        one: &Descriptor,
        (place, part): (usize, Part),
        (store, asked, below): (&Store, &Asked<'_>, BTreeSet<Digest>),
    ) -> Entry {
        let name = one.annotation(REF_NAME).map(str::to_owned);
        let asked = name.as_ref().and_then(|name| asked.at(name, &one.digest));
        Entry {
            place,
            part,
            other: one.annotation(CONTAINERD_NAME).map(str::to_owned),
            digest: one.digest,
            is_ours: part == Part::Build || asked.is_some(),
            used: last_use(asked, &one.digest, store),
            name,
            below: below.into_iter().collect(),
        }
    }

    pub(super) fn leads_to(&self, digest: &Digest) -> bool {
        self.below.binary_search(digest).is_ok()
    }

    fn key(&self) -> (Option<&str>, Digest) {
        (self.name.as_deref(), self.digest)
    }
}

/// The latest that is known of: asked for, built on, written.
fn last_use(asked: Option<SystemTime>, digest: &Digest, store: &Store) -> Option<SystemTime> {
    let built_on = base::built_on_at(digest, store);
    [asked, built_on, store.recorded_at(digest)]
        .into_iter()
        .flatten()
        .max()
}

/// How long ago; what lies ahead, because a clock went backwards, is now.
pub(super) fn age(now: SystemTime, time: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}
