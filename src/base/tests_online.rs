//! Bases come from a registry where this machine lacks them: what is asked, what is kept, and what happens when nobody answers.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::*;
use crate::fault::{Fault, Kind};
use crate::media;
use crate::network::Network;
use crate::progress::Transfers;
use crate::registry::{Listeners, Settings};
use crate::testing::test_registry::{Action, Rule, TestRegistry};
use crate::testing::{self, BaseSpec, TestStore, platform};

/// A registry with images in it, a cache that has none, and a client between them.
struct World {
    there: TestRegistry,
    /// Where the images were made.
    made: TestStore,
    here: TestStore,
    spare: Store,
    client: Registry,
}

const REPOSITORY: &str = "team/base";

fn world() -> World {
    let here = testing::store();
    let spare = Store::cache(&here.directory.path().join("build"), &here.notes).expect("opens");
    let listeners = Listeners {
        notes: here.notes.clone(),
        transfers: Transfers::unwatched(),
    };
    let settings = Settings {
        parallel: 4,
        ..Settings::default()
    };
    let online = Network::unless(false).expect("online");
    World {
        there: TestRegistry::start(),
        made: testing::store(),
        spare,
        client: Registry::connect(online, settings, listeners),
        here,
    }
}

impl World {
    /// Makes everything in `made` available, and gives `root` a tag.
    fn serve(&self, root: &Descriptor, tag: &str) {
        for (digest, size) in self.made.store.blobs().expect("listed") {
            let blob = Descriptor::new("", digest, size);
            let bytes = self.made.store.document(&digest, Some(size));
            let bytes = bytes.expect("sound").expect("here");
            match media_type(&bytes) {
                Some(media_type) => {
                    let name = digest.to_string();
                    self.there
                        .put_manifest(REPOSITORY, &name, &media_type, &bytes);
                }
                None => {
                    assert_eq!(
                        self.there.put_blob(REPOSITORY, &bytes),
                        blob.digest.to_string()
                    );
                }
            }
        }
        let bytes = self.made.store.document(&root.digest, None);
        let bytes = bytes.expect("sound").expect("here");
        self.there
            .put_manifest(REPOSITORY, tag, &root.media_type, &bytes);
    }

    /// An index of amd64 and arm64, called `v1`.
    fn serve_two(&self) -> Descriptor {
        let index = testing::two_platforms(&self.made.store, true);
        self.serve(&index, "v1");
        index
    }

    fn named(&self, end: &str) -> String {
        format!("{}/{REPOSITORY}{end}", self.there.host())
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf {
            spare: &self.spare,
            registry: Some(&self.client),
            now: UNIX_EPOCH + Duration::from_secs(1 << 33),
            ..testing::shelf(&self.here)
        }
    }

    fn resolve(&self, name: &str, platforms: &[&str]) -> Result<Base> {
        let name = Name::parse(name, self.here.directory.path()).expect("a name");
        let platforms: Vec<Platform> = platforms.iter().map(|name| platform(name)).collect();
        resolve(&name, Choice::These(&platforms), self.shelf())
    }

    /// What was asked since the last time: `HEAD v1`, `GET sha256:…`.
    fn asked(&self) -> Vec<String> {
        let line = |seen: testing::test_registry::Seen| {
            let last = seen.path.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{} {last}", seen.method)
        };
        let asked = self.there.requests().into_iter().map(line).collect();
        self.there.forget_requests();
        asked
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let blobs = self.here.store.root().join("blobs/sha256");
        blobs.join(digest.hex())
    }

    fn said(&self, part: &str) -> bool {
        self.here.notes.all().iter().any(|note| note.contains(part))
    }
}

fn media_type(bytes: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let own = value.get("mediaType")?.as_str()?;
    (media::is_index(own) || media::is_manifest(own)).then(|| own.to_owned())
}

fn gets(digests: &[&Digest]) -> Vec<String> {
    digests
        .iter()
        .map(|digest| format!("GET {digest}"))
        .collect()
}

/// The manifest and the config of one platform of an index.
fn child(made: &TestStore, index: &Descriptor, number: usize) -> (Digest, Digest) {
    let digest = |value: &Value| {
        value["digest"]
            .as_str()
            .expect("text")
            .parse()
            .expect("one")
    };
    let manifest: Digest = digest(&testing::json(&made.store, index)["manifests"][number]);
    let bytes = made.store.document(&manifest, None).expect("sound");
    let document: Value = serde_json::from_slice(&bytes.expect("here")).expect("JSON");
    (manifest, digest(&document["config"]))
}

fn kind(result: Result<Base>) -> (Kind, String) {
    let error = result.expect_err("refused");
    let fault = |cause: &(dyn std::error::Error + 'static)| {
        let fault = cause.downcast_ref::<Fault>().cloned();
        let registry = || {
            cause
                .downcast_ref::<crate::registry::Error>()
                .map(crate::registry::Error::fault)
        };
        let store = || {
            cause
                .downcast_ref::<store::Error>()
                .map(store::Error::fault)
        };
        fault.or_else(registry).or_else(store)
    };
    let found = error.chain().find_map(fault).expect("a fault");
    let details = [found.reasons(), found.hints()].concat().join("\n");
    (found.kind, format!("{error:#}\n{details}"))
}

#[test]
fn b4_a_cold_pin_of_one_platform_costs_three_requests_and_a_warm_one_none() {
    let world = world();
    let index = world.serve_two();
    let pin = world.named(&format!("@{}", index.digest));
    let base = world.resolve(&pin, &["linux/amd64"]).expect("resolved");
    assert_eq!(base.index, Some(index.digest));
    assert_eq!(
        base.repository().map(Reference::name),
        Some(world.named(""))
    );
    let (manifest, config) = child(&world.made, &index, 1);
    assert_eq!(world.asked(), gets(&[&index.digest, &manifest, &config]));
    let again = world.resolve(&pin, &["linux/amd64"]).expect("resolved");
    assert_eq!(again.images[0].config, base.images[0].config);
    assert_eq!(world.asked(), [""; 0]);
    assert_eq!(world.here.notes.all(), [""; 0]);
    let offline = Shelf {
        registry: None,
        ..world.shelf()
    };
    let name = Name::parse(&pin, Path::new("/")).expect("a name");
    resolve(&name, Choice::These(&[platform("linux/amd64")]), offline).expect("all of it is here");
}

#[test]
fn b4_a_tag_is_looked_at_once_and_fetched_only_when_it_means_something_new() {
    let world = world();
    let index = world.serve_two();
    let (tag, platforms) = (world.named(":v1"), ["linux/amd64"]);
    world.resolve(&tag, &platforms).expect("resolved");
    assert_eq!(world.asked().len(), 4);
    world.resolve(&tag, &platforms).expect("resolved");
    assert_eq!(world.asked(), ["HEAD v1"]);
    let recorded = world.here.store.find(std::slice::from_ref(&tag));
    let recorded = recorded.expect("readable").expect("recorded");
    assert_eq!(recorded.bare(), index.bare());
    let newer = testing::image(
        &world.made.store,
        &BaseSpec {
            layers: 1,
            ..BaseSpec::default()
        },
    );
    world.serve(&newer, "v1");
    let base = world.resolve(&tag, &platforms).expect("resolved");
    assert_eq!((base.index, base.digest()), (None, Some(newer.digest)));
    let asked = world.asked();
    assert_eq!(
        asked[..2],
        ["HEAD v1".to_owned(), format!("GET {}", newer.digest)]
    );
    assert_eq!(asked.len(), 3, "its config, and nothing twice");
    let entries = world.here.store.entries().expect("readable");
    assert_eq!(entries.len(), 1, "the name went over to the new image");
}

#[test]
fn a_tag_that_is_looked_at_again_is_young_again_and_no_other_tag_of_the_same_image() {
    let world = world();
    let index = world.serve_two();
    world.serve(&index, "v2");
    let [first, second] = ["v1", "v2"].map(|tag| world.named(&format!(":{tag}")));
    let look = |tag: &str| world.resolve(tag, &["linux/amd64"]).expect("resolved");
    let age = |tag: &str| {
        let tag: Reference = tag.parse().expect("a reference");
        let found = world.here.store.find(&tag.recorded_names());
        let found = found.expect("readable").expect("recorded");
        absent::recorded_tag(&tag, &found, world.shelf())
    };
    look(&first);
    let records = world.here.store.root().join(".rbuild/records/asked");
    let record = fs::read_dir(records).expect("made").next().expect("one");
    let record = fs::File::open(record.expect("readable").path()).expect("here");
    record.set_modified(UNIX_EPOCH).expect("ours");
    look(&second);
    assert!(age(&first).contains(" 99420 days ago"), "{}", age(&first));
    assert!(
        !age(&second).contains(" 99420 days ago"),
        "{}",
        age(&second)
    );
    look(&first);
    assert!(!age(&first).contains(" 99420 days ago"), "{}", age(&first));
}

#[test]
fn only_the_platforms_that_are_asked_for_are_fetched_each_image_once() {
    let world = world();
    let index = world.serve_two();
    let pin = world.named(&format!("@{}", index.digest));
    let asked_for = ["linux/arm64", "linux/amd64", "linux/amd64/v2"];
    let base = world.resolve(&pin, &asked_for).expect("resolved");
    let names: Vec<String> = base
        .images
        .iter()
        .map(|image| image.platform.to_string())
        .collect();
    assert_eq!(names, asked_for);
    let mut asked = world.asked();
    asked.sort();
    let (one, other) = (child(&world.made, &index, 1), child(&world.made, &index, 2));
    let mut expected = gets(&[&index.digest, &one.0, &one.1, &other.0, &other.1]);
    expected.sort();
    assert_eq!(asked, expected);
}

#[test]
fn all_platforms_of_an_index_are_those_that_it_names() {
    let world = world();
    let index = world.serve_two();
    let reference: Reference = world.named(":v1").parse().expect("a name");
    let resolved = resolve_reference(&reference, Choice::All, world.shelf());
    let base = resolved.expect("resolved").base;
    let names: Vec<String> = base
        .images
        .iter()
        .map(|image| image.platform.to_string())
        .collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"], "no attestation");
    assert_eq!(base.digest(), Some(index.digest));
}

#[test]
fn a_child_that_names_no_platform_is_opened_for_its_own() {
    let world = world();
    let image = testing::image(&world.made.store, &BaseSpec::default());
    let index = testing::index(&world.made.store, Family::Oci, &[(None, image)]);
    world.serve(&index, "v1");
    let pin = world.named(&format!("@{}", index.digest));
    world.resolve(&pin, &["linux/amd64"]).expect("resolved");
    assert_eq!(world.asked().len(), 3);
    let (kind, text) = kind(world.resolve(&pin, &["linux/s390x"]));
    assert_eq!(kind, Kind::Refused, "{text}");
    assert_eq!(world.asked(), [""; 0]);
}

type Damage = fn(&mut Vec<u8>);

/// Ways in which a file can be wrong.
const DAMAGES: [(&str, Damage); 5] = [
    ("c01 a flipped bit", |bytes| bytes[9] ^= 1),
    ("c05 cut short", |bytes| bytes.truncate(7)),
    ("c05 empty", Vec::clear),
    ("c05 longer", |bytes| bytes.push(b' ')),
    ("c06 another document", |bytes| *bytes = b"{}".to_vec()),
];

#[test]
fn c01_c02_c05_c06_c24_what_is_damaged_here_is_put_aside_and_fetched_again_with_a_note() {
    for (damage, change) in DAMAGES {
        for which in 0..3 {
            let world = world();
            let index = world.serve_two();
            let pin = world.named(&format!("@{}", index.digest));
            world.resolve(&pin, &["linux/amd64"]).expect("resolved");
            world.asked();
            let (manifest, config) = child(&world.made, &index, 1);
            let digest = [index.digest, manifest, config][which];
            let path = world.blob(&digest);
            let good = fs::read(&path).expect("here");
            let mut bad = good.clone();
            change(&mut bad);
            fs::remove_file(&path).expect("removed");
            fs::write(&path, bad).expect("written");
            world.resolve(&pin, &["linux/amd64"]).expect(damage);
            assert_eq!(world.asked(), gets(&[&digest]), "{damage}");
            assert_eq!(fs::read(&path).expect("here"), good, "{damage}");
            assert!(world.said("has been moved to"), "{damage}");
            assert!(
                world.said(&format!("{digest} is damaged here and is fetched again")),
                "{damage}"
            );
            world.resolve(&pin, &["linux/amd64"]).expect("resolved");
            assert_eq!(world.asked(), [""; 0], "{damage}");
        }
    }
}

#[test]
fn c14_documents_for_a_cache_that_cannot_be_written_are_kept_beside_it_with_one_note() {
    let world = world();
    let index = world.serve_two();
    let own = world.here.store.root().join(".rbuild");
    fs::remove_dir_all(&own).expect("removed");
    fs::write(&own, "no directory").expect("written");
    for name in [
        world.named(&format!("@{}", index.digest)),
        world.named(":v1"),
    ] {
        world.resolve(&name, &["linux/amd64"]).expect("resolved");
    }
    let asked = world.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(asked[3], "HEAD v1");
    assert_eq!(world.here.store.blobs().expect("listed"), []);
    assert_eq!(world.spare.blobs().expect("listed").len(), 3);
    let notes = world.here.notes.all();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("cannot be written"), "{notes:?}");
    let offline = Shelf {
        registry: None,
        ..world.shelf()
    };
    let pin = world.named(&format!("@{}", index.digest));
    let pin = Name::parse(&pin, world.here.directory.path()).expect("a name");
    let resolved = resolve(&pin, Choice::These(&[platform("linux/amd64")]), offline);
    assert_eq!(resolved.expect("found beside it").images.len(), 1);
}

#[test]
fn c23_a_poisoned_tag_changes_nothing_where_the_registry_can_be_asked() {
    let world = world();
    let index = world.serve_two();
    let evil = testing::image(&world.here.store, &BaseSpec::default());
    let tag = world.named(":v1");
    world.here.store.bind(&tag, &evil).expect("bound");
    let base = world.resolve(&tag, &["linux/amd64"]).expect("resolved");
    assert_eq!(base.index, Some(index.digest));
    let recorded = world.here.store.find(&[tag]).expect("readable");
    assert_eq!(recorded.map(|found| found.digest), Some(index.digest));
}

#[test]
fn h01_another_image_under_a_pinned_digest_is_refused_and_not_kept() {
    let world = world();
    let index = world.serve_two();
    let other = testing::image(
        &world.made.store,
        &BaseSpec {
            layers: 1,
            ..BaseSpec::default()
        },
    );
    let bytes = world.made.store.document(&other.digest, None);
    let body = bytes.expect("sound").expect("here");
    let headers = vec![("content-type".to_owned(), Family::Oci.manifest().to_owned())];
    let path = format!("/v2/{REPOSITORY}/manifests/{}", index.digest);
    world
        .there
        .rule(Rule::on("GET", &path).then(Action::Answer {
            status: 200,
            headers,
            body,
        }));
    let pin = world.named(&format!("@{}", index.digest));
    let (kind, text) = kind(world.resolve(&pin, &["linux/amd64"]));
    assert_eq!(kind, Kind::Integrity, "{text}");
    assert!(text.contains(&index.digest.to_string()), "{text}");
    assert!(text.contains(&other.digest.to_string()), "{text}");
    assert_eq!(world.here.store.blobs().expect("listed"), []);
}

#[test]
fn h03_a_child_of_another_size_than_announced_is_refused_and_asked_for_once() {
    let world = world();
    let mut image = testing::image(&world.made.store, &BaseSpec::default());
    image.size += 1;
    let child = (Some(platform("linux/amd64").to_value()), image.clone());
    let index = testing::index(&world.made.store, Family::Oci, &[child]);
    world.serve(&index, "v1");
    let pin = world.named(&format!("@{}", index.digest));
    let (kind_of_it, text) = kind(world.resolve(&pin, &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Integrity, "{text}");
    assert_eq!(world.asked(), gets(&[&index.digest, &image.digest]));
    let good = world.made.store.document(&image.digest, None);
    let good = good.expect("sound").expect("here");
    let put = world.here.store.put(Family::Oci.manifest(), &good);
    put.expect("put");
    let (kind_of_it, text) = kind(world.resolve(&pin, &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Integrity, "{text}");
    assert_eq!(world.asked(), [""; 0], "good bytes are not fetched again");
    assert!(world.blob(&image.digest).exists());
}

#[test]
fn a_tag_or_a_digest_that_the_registry_does_not_have_is_an_error_also_when_it_was_recorded() {
    let world = world();
    let image = testing::image(&world.here.store, &BaseSpec::default());
    let tag = world.named(":gone");
    world.here.store.bind(&tag, &image).expect("bound");
    let (kind_of_it, text) = kind(world.resolve(&tag, &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Registry, "{text}");
    assert!(text.contains("there is no tag `gone`"), "{text}");
    let absent = Digest::of(b"nowhere");
    let pin = world.named(&format!("@{absent}"));
    let (kind_of_it, text) = kind(world.resolve(&pin, &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Registry, "{text}");
    assert!(text.contains(&absent.to_string()), "{text}");
}

#[test]
fn a_registry_that_does_not_let_us_is_an_error_also_when_the_tag_was_recorded() {
    let world = world();
    let image = testing::image(&world.here.store, &BaseSpec::default());
    let tag = world.named(":v1");
    world.here.store.bind(&tag, &image).expect("bound");
    world
        .there
        .rule(Rule::on("*", "*").then(Action::Status(403)));
    let (kind_of_it, text) = kind(world.resolve(&tag, &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Authentication, "{text}");
}

#[test]
fn a_registry_that_cannot_be_reached_leaves_what_was_recorded_with_a_note_that_says_why() {
    let mut world = world();
    let image = testing::image(&world.here.store, &BaseSpec::default());
    let names = [world.named(":v1"), world.named(":v2")];
    world.here.store.bind(&names[0], &image).expect("bound");
    let host = world.there.host();
    world.there = TestRegistry::start(); // the first one is gone
    let base = world
        .resolve(&names[0], &["linux/amd64"])
        .expect("resolved");
    assert_eq!(base.digest(), Some(image.digest));
    let notes = world.here.notes.all();
    assert!(
        notes.iter().any(|note| note.contains("days ago")
            && note.contains(&image.digest.to_string())
            && note.contains("because")
            && note.contains(&host)),
        "{notes:?}"
    );
    let (kind_of_it, text) = kind(world.resolve(&names[1], &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Registry, "{text}");
}

#[test]
fn c19_names_in_a_cache_of_others_are_not_believed_but_the_registrys_word_is() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    let index = world.serve_two();
    let evil = testing::image(&world.here.store, &BaseSpec::default());
    let tag = world.named(":v1");
    world.here.store.bind(&tag, &evil).expect("bound");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(world.here.store.root(), open).expect("set");
    let base = world.resolve(&tag, &["linux/amd64"]).expect("resolved");
    assert_eq!(base.index, Some(index.digest));
}

#[test]
fn layers_are_not_fetched_by_resolving_and_damaged_ones_count_as_absent() {
    let world = world();
    let index = world.serve_two();
    let pin = world.named(&format!("@{}", index.digest));
    let base = world.resolve(&pin, &["linux/amd64"]).expect("resolved");
    let layers = &base.images[0].layers;
    assert_eq!(base.images[0].absent().expect("sound").len(), layers.len());
    for layer in layers {
        let copied = world.made.store.copy(layer, &world.here.store);
        assert!(copied.expect("copied"));
    }
    assert_eq!(base.images[0].absent().expect("sound"), []);
    let path = world.blob(&layers[0].digest);
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "short").expect("written");
    let absent = base.images[0].absent().expect("can be fetched");
    assert_eq!(absent, [layers[0].bare()]);
}

#[test]
fn a_document_that_is_no_image_is_refused_as_it_is_on_disk() {
    let world = world();
    let both = json!({"schemaVersion": 2, "mediaType": Family::Oci.index(), "manifests": [], "config": {}, "layers": []});
    let bytes = both.to_string().into_bytes();
    let digest = world
        .there
        .put_manifest(REPOSITORY, "v1", Family::Oci.index(), &bytes);
    let (kind_of_it, text) = kind(world.resolve(&world.named(":v1"), &["linux/amd64"]));
    assert_eq!(kind_of_it, Kind::Integrity, "{text}");
    let recorded = world.here.store.entries().expect("readable");
    assert!(recorded.is_empty(), "{digest} got no name");
}
