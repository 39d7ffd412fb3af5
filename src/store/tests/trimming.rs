//! Trimming: oldest first, never what is kept, and leftovers after a day.

use std::collections::BTreeSet;

use super::*;

/// Four blobs of ten bytes, the first the oldest.
fn aged(home: &Home) -> Vec<Descriptor> {
    let put = |number: u8| {
        let blob = home.store.put(OCI_LAYER, &[number; 10]).expect("put");
        shift(
            &home.store.blob_path(&blob.digest),
            20 - u64::from(number),
            false,
        );
        blob
    };
    (1..=4).map(put).collect()
}

fn held(home: &Home, blobs: &[Descriptor]) -> Vec<bool> {
    blobs.iter().map(|blob| home.store.holds(blob)).collect()
}

#[test]
fn the_oldest_go_until_the_rest_fits() {
    for (limit, expected) in [
        (40, [true, true, true, true]),
        (39, [false, true, true, true]),
        (20, [false, false, true, true]),
        (0, [false, false, false, false]),
    ] {
        let home = home();
        let blobs = aged(&home);
        home.store.trim(limit, &BTreeSet::new()).expect("trim");
        assert_eq!(held(&home, &blobs), expected, "{limit}");
    }
}

#[test]
fn what_is_to_be_kept_stays_even_beyond_the_limit() {
    let home = home();
    let blobs = aged(&home);
    let keep = BTreeSet::from([blobs[0].digest, blobs[2].digest]);
    home.store.trim(0, &keep).expect("trim");
    assert_eq!(held(&home, &blobs), [true, false, true, false]);
}

#[test]
fn use_makes_a_blob_young_again() {
    let home = home();
    let blobs = aged(&home);
    home.store.put(OCI_LAYER, &[1; 10]).expect("used");
    home.store.trim(20, &BTreeSet::new()).expect("trim");
    assert_eq!(held(&home, &blobs), [true, false, false, true]);
    home.store.touch(&blobs[3].digest);
    home.store.trim(0, &BTreeSet::new()).expect("trim");
    assert_eq!(
        held(&home, &blobs),
        [true, false, false, true],
        "what was used within an hour stays, whatever the limit is"
    );
}

#[test]
fn records_count_and_go_like_blobs() {
    let home = home();
    let blobs = aged(&home);
    let key = blobs[3].digest;
    home.store
        .remember("layer", &key, &json!("eightyeight"))
        .expect("remember");
    shift(&home.store.record_path("layer", &key), 100, false);
    home.store.bind(NAME, &blobs[3]).expect("bind");
    home.store.trim(40, &BTreeSet::new()).expect("trim");
    assert_eq!(home.store.record("layer", &key), None);
    assert_eq!(held(&home, &blobs), [true; 4]);
    assert!(
        home.store.find(&names(NAME)).expect("ok").is_some(),
        "a record's key is no blob"
    );
}

#[test]
fn a_name_goes_with_its_blob_and_others_stay() {
    let home = home();
    let blobs = aged(&home);
    home.store.bind("young:1", &blobs[3]).expect("bind");
    home.store.bind("old:1", &blobs[0]).expect("bind");
    shift(&home.store.blob_path(&blobs[0].digest), 50, false);
    home.store.trim(30, &BTreeSet::new()).expect("trim");
    assert!(home.store.find(&names("old:1")).expect("ok").is_none());
    assert!(home.store.find(&names("young:1")).expect("ok").is_some());
    assert_eq!(home.quarantined(), [""; 0]);
}

#[test]
fn an_absent_store_is_small_enough() {
    let home = home();
    home.store.trim(0, &BTreeSet::new()).expect("trim");
    assert!(!home.store.root().exists());
}

#[test]
fn a_reader_keeps_the_blob_that_it_has_open() {
    let home = home();
    let blob = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let mut reader = home.store.blob(&blob).expect("opens").expect("present");
    shift(&home.store.blob_path(&blob.digest), 2, false);
    home.store.trim(0, &BTreeSet::new()).expect("trim");
    assert!(!home.store.holds(&blob));
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("still open");
    assert_eq!(bytes, b"bytes");
}

#[test]
fn c20_k09_leftovers_of_yesterday_or_tomorrow_go_and_fresh_ones_stay() {
    let ways: [fn(&Home); 2] = [
        |home| home.store.trim(u64::MAX, &BTreeSet::new()).expect("trim"),
        |home| drop(image(&home.store)),
    ];
    for way in ways {
        let home = home();
        home.store.prepare().expect("prepare");
        for number in 0..100 {
            let (past, future) = (format!("past{number}"), format!("future{number}"));
            for (name, hours, ahead) in [(past, 25, false), (future, 25, true)] {
                let path = home.path(".rbuild/tmp").join(name);
                fs::write(&path, b"left").expect("write");
                shift(&path, hours, ahead);
            }
        }
        let writer = write_some(&home.store, b"alive");
        let almost = home.path(".rbuild/tmp/almost");
        fs::write(&almost, b"left").expect("write");
        shift(&almost, 23, false);
        way(&home);
        assert_eq!(home.temps().len(), 2, "{:?}", home.temps());
        writer
            .finish(OCI_LAYER)
            .expect("the live one was not touched");
        assert_eq!(home.temps(), ["almost"]);
    }
}
