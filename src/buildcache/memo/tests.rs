//! When a layer is recalled, and when a memory must not be believed.

use std::cell::RefCell;
use std::fs::File;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::notes::Notes;

/// A store and a binary, in a directory of their own.
struct Bench {
    home: TempDir,
    store: Store,
    probes: RefCell<u32>,
}

impl Bench {
    fn new() -> Bench {
        let home = tempfile::tempdir().expect("dir");
        let store = Store::cache(&home.path().join("store"), &Notes::recorded()).expect("store");
        let probes = RefCell::new(0);
        let bench = Bench {
            home,
            store,
            probes,
        };
        bench.edit("code");
        bench
    }

    fn binary(&self) -> PathBuf {
        self.home.path().join("web")
    }

    fn edit(&self, content: &str) {
        fs::write(self.binary(), content).expect("write");
        self.settle();
    }

    fn entries(&self) -> [Entry; 2] {
        [
            Entry::file("app/web", &self.binary())
                .expect("path")
                .with_mode(0o755),
            Entry::bytes("app/note", "note").expect("path"),
        ]
    }

    /// Waits until the file system's own clock has left the times of the binary behind.
    fn settle(&self) {
        let stat = Stat::of(&self.entries()).expect("stat");
        loop {
            *self.probes.borrow_mut() += 1;
            let key = Digest::of(&self.probes.borrow().to_le_bytes());
            self.store
                .remember("probe", &key, &json!({}))
                .expect("probe");
            let now = self.store.record_time("probe", &key).and_then(nanoseconds);
            if stat.older_than(now.expect("a time")) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What a build does: the layer that is remembered, or a new one that then is.
    fn build(&self) -> Layer {
        let entries = self.entries();
        if let Some(layer) = recall(&self.store, &entries).expect("recall") {
            return layer;
        }
        let layer = layer::write(&self.store, &entries).expect("layer");
        remember(&self.store, &entries, &layer).expect("remember");
        layer
    }

    /// The layer as it would be without any memory.
    fn fresh(&self) -> Layer {
        layer::write(&self.store, &self.entries()).expect("layer")
    }

    fn forget(&self, kind: &str) {
        let records = self.store.root().join(".rbuild/records").join(kind);
        fs::remove_dir_all(records).expect("there were some");
    }
}

fn same(one: &Layer, other: &Layer) -> bool {
    (&one.blob, one.diff_id, one.size) == (&other.blob, other.diff_id, other.size)
}

#[test]
fn nothing_is_remembered_in_a_new_store() {
    let bench = Bench::new();
    let found = recall(&bench.store, &bench.entries()).expect("recall");
    assert_eq!(found, None);
}

#[test]
fn what_did_not_change_is_recalled_with_all_its_numbers() {
    let bench = Bench::new();
    let made = bench.build();
    let again = bench.build();
    assert!(!made.reused && again.reused);
    assert!(same(&made, &again));
}

/// The memory by diff ID would know the layer: only one who did not ask it could miss it.
#[test]
fn a_length_that_no_layer_had_is_not_read_to_look_for_one() {
    let bench = Bench::new();
    bench.build();
    bench.forget(BY_STAT);
    bench.forget(LENGTH);
    let found = recall(&bench.store, &bench.entries()).expect("recall");
    assert_eq!(found, None);
    bench.build();
    bench.forget(BY_STAT);
    assert!(bench.build().reused, "by its length and then its diff ID");
}

#[test]
fn a_layer_that_is_recalled_counts_as_used_now() {
    let bench = Bench::new();
    let made = bench.build();
    let hex = made.blob.digest.hex();
    let path = bench.store.root().join("blobs/sha256").join(hex);
    let blob = File::open(&path).expect("here");
    blob.set_modified(UNIX_EPOCH).expect("ours");
    assert!(bench.build().reused);
    let used = bench.store.recorded_at(&made.blob.digest);
    assert!(used.expect("here") > UNIX_EPOCH, "trimming would take it");
}

/// The memory by stat is made to name a layer of another content: only one who reads the file could notice.
#[test]
fn a_file_that_did_not_change_is_not_read() {
    let bench = Bench::new();
    bench.build();
    bench.forget(BY_DIFF_ID);
    assert!(bench.build().reused, "without the memory by diff ID");
    let other = [Entry::bytes("other", "x").expect("path")];
    let other = layer::write(&bench.store, &other).expect("layer");
    remember_stat(&bench.store, &bench.entries(), &other).expect("remember");
    assert!(same(&bench.build(), &other));
}

#[test]
fn v04_an_edit_of_the_same_length_with_the_old_mtime_put_back_is_seen() {
    let bench = Bench::new();
    let first = bench.build();
    assert!(bench.build().reused);
    let mtime = bench
        .binary()
        .metadata()
        .expect("stat")
        .modified()
        .expect("mtime");
    fs::write(bench.binary(), "edoc").expect("write");
    let file = File::options()
        .write(true)
        .open(bench.binary())
        .expect("open");
    file.set_modified(mtime).expect("mtime");
    let second = bench.build();
    assert!(!second.reused && !same(&first, &second));
    assert!(same(&second, &bench.fresh()));
}

#[test]
fn a_file_that_was_only_touched_is_read_once_and_not_compressed() {
    let bench = Bench::new();
    let made = bench.build();
    let file = File::options()
        .write(true)
        .open(bench.binary())
        .expect("open");
    file.set_modified(UNIX_EPOCH + Duration::from_millis(1))
        .expect("mtime");
    bench.settle();
    let again = bench.build();
    assert!(again.reused && same(&made, &again));
    bench.forget(BY_DIFF_ID);
    assert!(bench.build().reused, "the new stat is remembered too");
}

#[test]
fn the_same_content_at_another_place_is_the_same_layer() {
    let bench = Bench::new();
    let made = bench.build();
    let copy = bench.home.path().join("copy");
    fs::copy(bench.binary(), &copy).expect("copy");
    let mut entries = bench.entries();
    entries[0].content = Content::File(copy);
    let found = recall(&bench.store, &entries)
        .expect("recall")
        .expect("known");
    assert!(same(&made, &found));
}

#[test]
fn a_layer_that_the_store_lost_is_made_again() {
    let bench = Bench::new();
    let made = bench.build();
    let blob = bench
        .store
        .root()
        .join("blobs/sha256")
        .join(made.blob.digest.hex());
    fs::remove_file(blob).expect("removed");
    let again = bench.build();
    assert!(!again.reused && same(&made, &again));
    assert!(bench.build().reused);
}

#[test]
fn every_part_of_an_entry_counts() {
    let bench = Bench::new();
    bench.build();
    let mut changed: [[Entry; 2]; 4] = std::array::from_fn(|_| bench.entries());
    changed[0][0].path = "app/wob".to_owned();
    changed[1][0].mode = 0o700;
    changed[2][0].owner = (0, 7);
    changed[3][1].content = Content::Bytes(b"nota".to_vec());
    for entries in changed {
        let found = recall(&bench.store, &entries).expect("recall");
        assert_eq!(found, None, "{entries:?}");
    }
}

#[test]
fn damaged_memories_are_none() {
    let bench = Bench::new();
    let made = bench.build();
    let records = bench.store.root().join(".rbuild/records");
    for kind in [BY_STAT, BY_DIFF_ID] {
        for text in [
            "",
            "{",
            "[]",
            "null",
            r#"{"noted":"soon"}"#,
            r#"{"noted":9000000000000000000}"#,
            r#"{"digest":"sha256:zz","size":1,"diff_id":"","tar_size":1,"noted":9000000000000000000}"#,
            r#"{"digest":7,"size":-1,"diff_id":{},"tar_size":1e3}"#,
        ] {
            bench.forget(BY_STAT);
            bench.build();
            for record in fs::read_dir(records.join(kind)).expect("records") {
                overwrite(&record.expect("record").path(), text);
            }
            assert!(same(&bench.build(), &made), "{kind} {text:?}");
        }
    }
}

fn overwrite(record: &Path, text: &str) {
    fs::remove_file(record).expect("removed");
    fs::write(record, text).expect("written");
}

/// A file whose times are not older than the note may have been written once more in the same tick of the clock.
#[test]
fn a_stat_that_is_too_fresh_does_not_vouch_for_the_content() {
    let bench = Bench::new();
    let file = File::options()
        .write(true)
        .open(bench.binary())
        .expect("open");
    let later = bench.store.root().join("oci-layout-probe");
    fs::write(&later, "").expect("probe");
    let now = later.metadata().expect("stat").modified().expect("mtime");
    file.set_modified(now + Duration::from_secs(3600))
        .expect("mtime");
    bench.build();
    assert!(bench.build().reused, "by diff ID");
    bench.forget(BY_DIFF_ID);
    assert!(!bench.build().reused, "never by stat");
}

#[test]
fn the_guard_is_two_ticks_or_two_seconds_where_only_seconds_are_counted() {
    let stat = |times: &[i64]| Stat {
        key: Digest::of(b""),
        times: times.to_vec(),
        length: 0,
    };
    let second = 1_000_000_000;
    let fine = stat(&[5 * second + 1, 3 * second + 1]);
    assert!(!fine.older_than(5 * second + 1));
    assert!(!fine.older_than(5 * second + 1 + TICKS));
    assert!(fine.older_than(5 * second + 2 + TICKS));
    let coarse = stat(&[5 * second]);
    assert!(!coarse.older_than(7 * second));
    assert!(coarse.older_than(7 * second + 1));
    assert!(
        stat(&[]).older_than(0),
        "entries without files cannot change"
    );
    assert!(!stat(&[i64::MAX - 1]).older_than(i64::MAX));
}

/// The file changes after the layer was made and before it is remembered.
#[test]
fn a_file_that_changes_during_the_build_is_not_remembered_as_it_is_now() {
    let bench = Bench::new();
    let entries = bench.entries();
    assert_eq!(recall(&bench.store, &entries).expect("recall"), None);
    let made = layer::write(&bench.store, &entries).expect("layer");
    bench.edit("edoc");
    remember(&bench.store, &entries, &made).expect("remember");
    let next = bench.build();
    assert!(!same(&next, &made) && same(&next, &bench.fresh()));
}

/// Else a second remembering would vouch with a time after the reading.
#[test]
fn a_memory_keeps_the_time_of_its_note() {
    let bench = Bench::new();
    let made = bench.build();
    let key = Stat::of(&bench.entries()).expect("stat").key;
    let first = noted(&bench.store, &key).expect("noted");
    let written = bench.store.record_time(BY_STAT, &key).and_then(nanoseconds);
    assert!(first <= written.expect("a time"));
    remember(&bench.store, &bench.entries(), &made).expect("remember");
    assert_eq!(noted(&bench.store, &key), Some(first));
}

#[test]
fn a_layer_that_was_never_asked_for_first_is_remembered_by_diff_id_alone() {
    let bench = Bench::new();
    let made = bench.fresh();
    remember(&bench.store, &bench.entries(), &made).expect("remember");
    let records = bench.store.root().join(".rbuild/records");
    assert!(!records.join(BY_STAT).exists());
    assert!(bench.build().reused);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let bench = Bench::new();
    fs::remove_file(bench.binary()).expect("removed");
    let error = recall(&bench.store, &bench.entries()).expect_err("gone");
    assert!(format!("{error:#}").contains("/web"), "{error:#}");
}
