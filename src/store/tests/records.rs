//! Records: written whole, believed only when sound.

use super::*;

#[test]
fn a_record_is_found_by_kind_and_key() {
    let home = home();
    let key = Digest::of(b"key");
    assert_eq!(home.store.record("layer", &key), None);
    home.store
        .remember("layer", &key, &json!({"b": 1, "a": [2]}))
        .expect("remember");
    assert_eq!(
        home.again().record("layer", &key),
        Some(json!({"a": [2], "b": 1}))
    );
    assert_eq!(home.store.record("other", &key), None);
    assert_eq!(home.store.record("layer", &Digest::of(b"other")), None);
    assert!(home.store.record_time("layer", &key).is_some());
    assert_eq!(home.store.record_time("other", &key), None);
    let file = home.path(&format!(".rbuild/records/layer/{}.json", key.hex()));
    assert_eq!(fs::read(file).expect("plain JSON"), br#"{"a":[2],"b":1}"#);
}

#[test]
fn a_record_is_replaced_whole_and_dated_anew() {
    let home = home();
    let key = Digest::of(b"key");
    home.store
        .remember("layer", &key, &json!("a long first value"))
        .expect("remember");
    shift(&home.store.record_path("layer", &key), 5, false);
    let old = home.store.record_time("layer", &key).expect("time");
    home.store
        .remember("layer", &key, &json!(2))
        .expect("remember");
    assert_eq!(home.store.record("layer", &key), Some(json!(2)));
    assert!(home.store.record_time("layer", &key).expect("time") > old);
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn a_damaged_record_does_not_exist_and_can_be_written_again() {
    let key = Digest::of(b"key");
    for bad in ["", "{", "{\"a\":1,\"a\":2}", "1 2"] {
        let home = home();
        home.store
            .remember("layer", &key, &json!({"a": 1}))
            .expect("remember");
        plant(&home.store.record_path("layer", &key), bad.as_bytes());
        assert_eq!(home.store.record("layer", &key), None, "{bad}");
        home.store
            .remember("layer", &key, &json!(3))
            .expect("again");
        assert_eq!(home.store.record("layer", &key), Some(json!(3)));
    }
}

#[test]
fn c10_a_record_that_is_no_file_is_passed_over_without_hanging() {
    let home = home();
    let key = Digest::of(b"key");
    home.store
        .remember("layer", &key, &json!(1))
        .expect("remember");
    for (what, make) in odd_things() {
        clear(&home.store.record_path("layer", &key));
        make(&home.store.record_path("layer", &key));
        assert_eq!(home.store.record("layer", &key), None, "{what}");
    }
}

#[test]
fn a_record_in_a_store_that_cannot_be_written_is_a_typed_error() {
    let home = home();
    image(&home.store);
    forbid_writing(&home.store);
    let key = Digest::of(b"key");
    let error = home
        .store
        .remember("layer", &key, &json!(1))
        .expect_err("no");
    assert!(error.is_unwritable(), "{error:?}");
}
