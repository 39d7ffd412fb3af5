//! Whose names are believed, and what an index keeps of what it does not know.

use super::*;

#[test]
fn c19_a_directory_of_another_user_is_not_believed_whatever_its_mode_is() {
    for mode in [0o700, 0o755, 0o777] {
        let reason = distrust(1000, mode, 1001).expect("another's");
        assert_eq!(reason, "belongs to uid 1000, not to uid 1001");
        assert!(distrust(0, mode, 1001).is_some());
    }
    assert_eq!(distrust(1000, 0o40755, 1000), None);
    assert!(distrust(1000, 0o40775, 1000).is_some());
    assert!(
        distrust(1000, 0o41777, 1000).is_some(),
        "sticky is not enough"
    );
}

#[test]
fn an_index_is_written_as_it_was_read() {
    let text =
        br#"{"a":{"b":[1,2.5,null]},"manifests":[{"x":true},7],"mediaType":"m","schemaVersion":3}"#;
    let index = Index::parse(text).expect("an index");
    assert_eq!(index.bytes(), text);
    assert_eq!(index.descriptors().count(), 0);
}

#[test]
fn h02_an_entry_with_a_bad_digest_or_size_is_no_descriptor() {
    let good = Digest::of(b"x");
    for (digest, size) in [
        ("sha256:../../x".to_owned(), "1"),
        ("md5:00".to_owned(), "1"),
        (good.to_string().to_uppercase(), "1"),
        (good.to_string(), "-1"),
        (good.to_string(), "1e30"),
        (good.to_string(), "\"1\""),
    ] {
        let text =
            format!(r#"{{"manifests":[{{"mediaType":"x","digest":"{digest}","size":{size}}}]}}"#);
        let index = Index::parse(text.as_bytes()).expect("an index");
        assert_eq!(index.descriptors().count(), 0, "{text}");
        assert_eq!(index.entries.len(), 1, "it survives");
    }
}

#[test]
fn h23_no_index_makes_the_reader_panic() {
    let good = br#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0,"annotations":{"org.opencontainers.image.ref.name":"r.example/a:1"}}]}"#;
    let (mut dice, mut read) = (crate::testing::Dice::new(17), 0);
    for _ in 0..20_000 {
        if let Some(index) = Index::parse(&dice.spoil(good)) {
            read += 1;
            let again = Index::parse(&index.bytes()).expect("what we write we read");
            assert_eq!(again.descriptors().count(), index.descriptors().count());
        }
    }
    assert!(read > 100, "{read}");
}
