//! What `all` means for a base: what it offers and rbuild can compile for.

use serde_json::{Value, json};

use super::*;
use crate::fault::Fault;
use crate::testing::{self, BaseSpec, TestStore, platform};

fn all(test: &TestStore, name: &str) -> Result<Base> {
    let name = Name::parse(name, test.directory.path()).expect("a base name");
    resolve(&name, Choice::of(&Platforms::All), testing::shelf(test))
}

fn platforms(base: &Base) -> Vec<String> {
    let images = base.images.iter();
    images.map(|image| image.platform.to_string()).collect()
}

/// An index of images for these platforms, with an attestation in front.
fn index_of(test: &TestStore, names: &[&str]) -> String {
    let child = |name: &&str| {
        let spec = BaseSpec {
            platform: Some(platform(name)),
            ..BaseSpec::default()
        };
        let image = testing::image(&test.store, &spec);
        (Some(platform(name).to_value()), image)
    };
    let attestation: Value = json!({"os": "unknown", "architecture": "unknown"});
    let gone = Descriptor::of(Family::Oci.manifest(), b"gone");
    let children: Vec<_> = [(Some(attestation), gone)]
        .into_iter()
        .chain(names.iter().map(child))
        .collect();
    let index = testing::index(&test.store, Family::Oci, &children);
    format!("r.example/base@{}", index.digest)
}

#[test]
fn all_is_what_the_base_offers_and_the_table_knows_in_the_order_of_the_index() {
    let test = testing::store();
    let names = [
        "linux/s390x",
        "windows/amd64",
        "linux/arm64/v8",
        "linux/arm/v5",
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v5",
    ];
    let base = all(&test, &index_of(&test, &names)).expect("resolved");
    assert_eq!(
        platforms(&base),
        ["linux/s390x", "linux/arm64", "linux/amd64"]
    );
    let notes = test.notes.all();
    let left_out: Vec<&String> = notes.iter().filter(|note| note.contains("too")).collect();
    assert_eq!(left_out.len(), 1, "{notes:?}");
    assert!(
        left_out[0].contains("linux/arm/v5, windows/amd64 too"),
        "{notes:?}"
    );
}

#[test]
fn a_base_that_can_be_compiled_for_as_it_is_needs_no_note() {
    let test = testing::store();
    let base = all(&test, &index_of(&test, &["linux/amd64"])).expect("resolved");
    assert_eq!(platforms(&base), ["linux/amd64"]);
    assert!(!test.notes.all().iter().any(|note| note.contains("too")));
}

#[test]
fn a_base_without_any_platform_of_the_table_is_refused_with_what_it_has() {
    let test = testing::store();
    let name = index_of(&test, &["windows/amd64", "linux/mips64le"]);
    let error = all(&test, &name).expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    let told = [fault.reasons(), fault.hints()].concat().join("\n");
    assert!(
        told.contains("it offers linux/mips64le, windows/amd64"),
        "{told}"
    );
    assert!(
        told.contains("linux/riscv64") && told.contains("--base"),
        "{told}"
    );
}

#[test]
fn all_of_a_base_that_is_one_image_is_that_image() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let base = all(&test, &format!("r.example/base@{}", image.digest)).expect("resolved");
    assert_eq!(
        (platforms(&base), base.index),
        (vec!["linux/amd64".to_owned()], None)
    );
}

#[test]
fn a_base_that_is_one_image_says_what_it_is_to_whoever_wants_another() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let name = format!("r.example/base@{}", image.digest);
    let name = Name::parse(&name, test.directory.path()).expect("a base name");
    let wanted = [platform("linux/s390x")];
    let error = resolve(&name, Choice::These(&wanted), testing::shelf(&test)).expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.reasons(), ["it offers linux/amd64"]);
}

#[test]
fn built_in_bases_offer_what_a_static_program_can_be_made_for() {
    let test = testing::store();
    for name in ["scratch", "builtin:static"] {
        let base = all(&test, name).expect("resolved");
        let names = platforms(&base);
        assert_eq!(names.len(), 7, "{names:?}");
        assert!(!names.contains(&"linux/s390x".to_owned()), "{names:?}");
    }
}

#[test]
fn all_of_a_base_that_is_not_here_is_warmed_for_all() {
    let test = testing::store();
    let error = all(&test, "r.example/base:v1").expect_err("not here");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    let hints = fault.hints().join("\n");
    let command = "`rbuild cache warm --platform all r.example/base:v1`";
    assert!(hints.contains(command), "{hints}");
}
