//! What `cache prune` takes away of kits and records, which are made again.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

use super::*;
use crate::digest::Digest;
use crate::notes::Notes;
use crate::store::{Error, Store};
use crate::testing::{self, BaseSpec};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A store for what rbuild made, and its clock.
struct Home {
    _directory: tempfile::TempDir,
    store: Store,
    now: SystemTime,
}

fn home() -> Home {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::cache(&directory.path().join("build"), &Notes::recorded()).expect("opens");
    store.prepare().expect("writable");
    let written = fs::metadata(store.root()).and_then(|found| found.modified());
    Home {
        _directory: directory,
        store,
        now: written.expect("a time"),
    }
}

impl Home {
    fn kit(&self, name: &str) -> PathBuf {
        let fill = |place: &Path| Ok(fs::write(place.join("ld"), "#!/bin/sh\n")?);
        let made = self.store.kit("linker", &Digest::of(name.as_bytes()), fill);
        made.expect("made or found")
    }

    fn record(&self, name: &str) -> PathBuf {
        let key = Digest::of(name.as_bytes());
        self.store
            .remember("pushed", &key, &json!([]))
            .expect("written");
        let records = self.store.root().join(".rbuild/records/pushed");
        records.join(format!("{}.json", key.hex()))
    }

    /// After so many days.
    fn prune(&self, days: u32, change: impl FnOnce(&mut Limits)) -> Result<Taken> {
        let mut limits = Limits {
            keep: 30 * DAY,
            max_used: None,
            min_free: None,
            dry_run: false,
            now: self.now + days * DAY,
        };
        change(&mut limits);
        prune(&[(Part::Build, &self.store)], &BTreeSet::new(), &limits)
    }
}

/// As if it had been written and read then.
fn set(path: &Path, time: SystemTime) {
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    let file = File::open(path).expect("there");
    file.set_times(times).expect("ours");
}

fn kinds(taken: &Taken) -> Vec<&str> {
    taken
        .gone
        .iter()
        .filter_map(|one| one.name.as_deref())
        .collect()
}

#[test]
fn a_kit_that_nobody_used_for_long_goes_whole_and_is_made_again() {
    let home = home();
    let kit = home.kit("old");
    assert_eq!(kinds(&home.prune(29, |_| {}).expect("pruned")), [""; 0]);
    let taken = home.prune(31, |_| {}).expect("pruned");
    assert_eq!(kinds(&taken), ["kits/linker"]);
    assert_eq!(
        (taken.gone[0].digest, taken.gone[0].bytes),
        (Some(Digest::of(b"old")), 10)
    );
    assert!(!kit.exists());
    let left = fs::read_dir(home.store.root().join(".rbuild/tmp")).expect("listed");
    assert_eq!(left.count(), 0);
    assert!(home.kit("old").join("ld").is_file());
}

#[test]
fn a_kit_that_was_used_stays_however_long_ago_it_was_made() {
    let home = home();
    let (used, unused) = (home.kit("used"), home.kit("unused"));
    for kit in [&used, &unused] {
        set(kit, home.now - 40 * DAY);
    }
    home.kit("used");
    home.prune(1, |_| {}).expect("pruned");
    assert!(used.join("ld").is_file() && !unused.exists());
}

#[test]
fn a_record_goes_when_it_was_neither_written_nor_read_for_long() {
    let home = home();
    let (read, forgotten) = (home.record("read"), home.record("forgotten"));
    let long_ago = home.now - 40 * DAY;
    set(&forgotten, long_ago);
    let times = FileTimes::new()
        .set_accessed(home.now)
        .set_modified(long_ago);
    File::open(&read)
        .and_then(|file| file.set_times(times))
        .expect("ours");
    let taken = home.prune(1, |_| {}).expect("pruned");
    assert_eq!(kinds(&taken), ["records/pushed"]);
    assert!(read.exists() && !forgotten.exists());
}

#[test]
fn with_a_limit_the_oldest_goes_first_and_what_is_an_hour_old_stays() {
    let home = home();
    let (old, new, fresh) = (home.kit("old"), home.kit("new"), home.kit("fresh"));
    set(&old, home.now - 3 * DAY);
    set(&new, home.now - 2 * DAY);
    set(&fresh, home.now);
    home.prune(0, |limits| limits.max_used = Some(25))
        .expect("pruned");
    assert!(!old.exists() && new.exists());
    home.prune(0, |limits| limits.max_used = Some(0))
        .expect("pruned");
    assert!(!new.exists() && fresh.join("ld").is_file());
}

#[test]
fn a_dry_run_tells_of_kits_and_records_and_takes_none() {
    let home = home();
    let kept = [home.kit("old"), home.record("old")];
    let taken = home
        .prune(31, |limits| limits.dry_run = true)
        .expect("told");
    assert_eq!(kinds(&taken), ["kits/linker", "records/pushed"]);
    assert!(kept.iter().all(|path| path.exists()));
}

#[test]
fn no_kit_goes_while_another_process_has_a_share_of_the_store() {
    let home = home();
    let kit = home.kit("old");
    let other = Store::cache(home.store.root(), &Notes::recorded()).expect("opens");
    let refused = home.prune(31, |_| {}).expect_err("in use");
    assert!(
        matches!(refused.downcast_ref(), Some(Error::Busy { .. })),
        "{refused}"
    );
    assert!(kit.join("ld").is_file());
    drop(other);
    home.prune(31, |_| {}).expect("pruned");
    assert!(!kit.exists());
}

#[test]
fn what_is_no_kit_and_no_record_of_ours_stays() {
    let home = home();
    let strange = home.store.root().join(".rbuild/kits/notes");
    home.kit("old");
    fs::write(&strange, "of the user").expect("written");
    fs::write(home.store.root().join(".rbuild/kits/linker/notes"), "too").expect("written");
    home.prune(31, |_| {}).expect("pruned");
    assert!(strange.exists() && home.store.root().join(".rbuild/kits/linker/notes").exists());
}

#[test]
fn what_is_written_down_about_an_image_stays_as_long_as_the_image() {
    let home = home();
    let image = testing::image(&home.store, &BaseSpec::default());
    home.store.bind("r.example/x:1", &image).expect("bound");
    let key = &image.digest;
    home.store
        .remember("origins", key, &json!({}))
        .expect("written");
    let records = home.store.root().join(".rbuild/records/origins");
    let record = records.join(format!("{}.json", key.hex()));
    set(&record, home.now - 40 * DAY);
    home.prune(1, |limits| limits.max_used = Some(1 << 30))
        .expect("pruned");
    assert!(record.exists() && home.store.holds(&image));
    home.prune(32, |_| {}).expect("pruned");
    assert!(!record.exists() && !home.store.holds(&image));
}

impl Home {
    /// What a killed build left behind.
    fn leftover(&self, name: &str, days: u32) -> PathBuf {
        let path = self.store.root().join(".rbuild/tmp").join(name);
        fs::write(&path, "half a blob").expect("written");
        set(&path, self.now - days * DAY);
        path
    }

    /// A blob that was damaged long after it was written, put aside a moment ago.
    fn put_aside(&self) -> PathBuf {
        let blob = self.store.put("text", b"sound").expect("put").digest;
        let path = self.store.root().join("blobs/sha256").join(blob.hex());
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "wrong").expect("written");
        set(&path, self.now - 40 * DAY);
        self.store.put_aside(&blob).expect("moved");
        let name = format!("{}.1", blob.hex());
        self.store.root().join(".rbuild/quarantine").join(name)
    }
}

#[test]
fn what_a_killed_build_left_behind_goes_when_it_is_a_day_old_and_is_counted() {
    let home = home();
    let fresh = home.leftover("new-fresh", 0);
    let old = home.leftover("new-old", 2);
    let nested = home.store.root().join(".rbuild/tmp/import-old");
    fs::create_dir_all(nested.join("blobs")).expect("made");
    fs::write(nested.join("blobs/layer"), "a layer").expect("written");
    set(&nested, home.now - 2 * DAY);
    let dry = |limits: &mut Limits| limits.dry_run = true;
    let told = home.prune(0, dry).expect("told").gone;
    assert!(old.exists() && nested.exists());
    let taken = home.prune(0, |_| {}).expect("pruned");
    assert_eq!(kinds(&taken), ["tmp/import-old", "tmp/new-old"]);
    assert_eq!((taken.gone[0].bytes, taken.gone[1].bytes), (7, 11));
    assert_eq!(taken.gone, told);
    assert!(fresh.exists() && !old.exists() && !nested.exists());
}

#[test]
fn what_was_put_aside_stays_for_a_look_as_long_as_things_are_kept() {
    let home = home();
    let aside = home.put_aside();
    assert!(aside.exists());
    assert_eq!(kinds(&home.prune(29, |_| {}).expect("pruned")), [""; 0]);
    assert!(aside.exists());
    let dry = |limits: &mut Limits| limits.dry_run = true;
    assert_eq!(home.prune(31, dry).expect("told").gone.len(), 1);
    assert!(aside.exists());
    let taken = home.prune(31, |_| {}).expect("pruned");
    let name = aside.file_name().expect("named").display();
    assert_eq!(kinds(&taken), [format!("quarantine/{name}")]);
    assert_eq!(taken.gone[0].bytes, 5);
    assert!(!aside.exists());
}

#[test]
fn a_quarantine_that_leads_elsewhere_and_names_that_are_not_ours_stay() {
    let home = home();
    let aside = home.put_aside();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let kept = elsewhere.path().join("file.1");
    fs::write(&kept, "of the user").expect("written");
    fs::write(aside.with_file_name("notes"), "too").expect("written");
    home.prune(31, |_| {}).expect("pruned");
    assert!(aside.with_file_name("notes").exists());
    let directory = aside.parent().expect("a directory");
    fs::remove_dir_all(directory).expect("removed");
    std::os::unix::fs::symlink(elsewhere.path(), directory).expect("linked");
    home.prune(31, |_| {}).expect("pruned");
    assert!(kept.exists());
}

#[test]
fn a_limit_that_cannot_be_reached_is_told_with_what_stays_and_why() {
    let home = home();
    let none = home.prune(0, |_| {}).expect("pruned").stays;
    assert_eq!(none, None);
    let (kit, held) = (home.kit("fresh"), home.store.put("text", b"held"));
    set(&home.kit("old"), home.now - 2 * DAY);
    let directory = tempfile::tempdir().expect("a directory");
    let img = Store::cache(directory.path(), &Notes::recorded()).expect("opens");
    let foreign = testing::image(&img, &BaseSpec::default());
    img.bind("r.example/foreign:1", &foreign).expect("bound");
    let all = img.blobs().expect("listed").into_iter();
    let foreign: u64 = all.map(|(_, size)| size).sum();
    let mut limits = Limits {
        keep: 30 * DAY,
        max_used: Some(3),
        min_free: None,
        dry_run: false,
        now: home.now + 2 * DAY,
    };
    set(&kit, limits.now);
    let locked = BTreeSet::from([held.expect("put").digest]);
    let parts = [(Part::Img, &img), (Part::Build, &home.store)];
    let stays = prune(&parts, &locked, &limits).expect("pruned").stays;
    let told = Stays {
        excess: 14 + foreign - 3,
        held: 4,
        foreign,
        lately: 10,
    };
    assert_eq!(stays, Some(told));
    limits.max_used = Some(14 + foreign);
    let reached = prune(&parts, &locked, &limits).expect("pruned").stays;
    assert_eq!(reached, None);
}
