//! Every output holds the same image; the judge looks at each through the eyes of a reader.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::base;
use crate::base::name::Name;
use crate::image::{self, IndexSettings, Settings, Told};
use crate::layer::{self, Entry};
use crate::platform::Platform;
use crate::testing::{self, TestStore, platform};

/// An image of two platforms on a base whose layers rest in the base's store.
pub(super) fn finished(test: &TestStore, platforms: &[&str], tags: &[&str]) -> (Finished, Shelves) {
    let digest = testing::two_platforms(&test.store, true).digest;
    let platforms: Vec<Platform> = platforms.iter().map(|name| platform(name)).collect();
    let name = Name::parse(&format!("r.example/base@{digest}"), Path::new("/")).expect("a name");
    let shelf = testing::shelf(test);
    let base = base::resolve(&name, base::Choice::These(&platforms), shelf).expect("resolved");
    let build = Store::cache(&test.directory.path().join("build"), &test.notes).expect("opens");
    build.prepare().expect("is writable");
    let entry = Entry::bytes("/app/hello", b"binary".to_vec()).expect("an entry");
    let layer = layer::write(&build, &[entry]).expect("written");
    let told = vec![Told {
        layer,
        comment: "the binary".into(),
    }];
    let settings = Settings {
        path: "/app/hello".into(),
        ..Settings::default()
    };
    let images: Vec<Image> = base
        .images
        .iter()
        .map(|base| image::assemble(&build, base, &told, &settings).expect("made"))
        .collect();
    let root = image::index(&build, &images, &IndexSettings::default()).expect("made");
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let finished = Finished {
        name: "rbuild.local/hello".into(),
        tags,
        tag_only: false,
        base: None,
        root,
        images,
    };
    (finished, Shelves(vec![build, test.store.clone()]))
}

/// Publishes one image and expects it to work.
fn written(test: &TestStore, target: &Target, (image, shelves): (&Finished, &Shelves)) {
    write(target, std::slice::from_ref(image), shelves, &test.notes).expect("published");
}

/// The files of a tar archive by name.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(path).expect("opens"));
    let read = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("reads");
        assert_eq!(entry.header().mtime().expect("a time"), 0);
        (entry.path().expect("a path").display().to_string(), bytes)
    };
    archive.entries().expect("a tar").map(read).collect()
}

#[test]
fn a_layout_holds_the_image_under_each_of_its_names() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64", "linux/arm64"], &["v1", "latest"]);
    let path = test.directory.path().join("out");
    written(&test, &Target::Layout(path.clone()), (&image, &shelves));
    let layout = Store::output(&path, &test.notes).expect("opens");
    for name in ["rbuild.local/hello:v1", "rbuild.local/hello:latest"] {
        let found = layout.find(&[name.to_owned()]).expect("sound").expect(name);
        assert_eq!(found.annotation("io.containerd.image.name"), Some(name));
        testing::validate(&layout, &found);
        assert!(
            image.blobs().iter().all(|blob| layout.holds(blob)),
            "every blob is there"
        );
    }
}

#[test]
fn writing_a_layout_again_replaces_the_entry_and_keeps_what_others_wrote() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let path = test.directory.path().join("out");
    let layout = Store::output(&path, &test.notes).expect("opens");
    layout.prepare().expect("writable");
    layout
        .bind("someone-elses", &testing::two_platforms(&layout, true))
        .expect("bound");
    for _ in 0..2 {
        written(&test, &Target::Layout(path.clone()), (&image, &shelves));
    }
    let layout = Store::output(&path, &test.notes).expect("opens");
    assert_eq!(layout.entries().expect("sound").len(), 2);
}

#[test]
fn a_directory_that_is_no_layout_is_refused_and_left_alone() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let path = test.directory.path().join("Mine With Spaces");
    fs::create_dir(&path).expect("made");
    fs::write(path.join("letter.txt"), "dear").expect("written");
    let error = write(
        &Target::Layout(path.clone()),
        &[image],
        &shelves,
        &test.notes,
    );
    assert!(error.is_err());
    assert_eq!(fs::read_dir(&path).expect("list").count(), 1);
}

#[test]
fn a_target_that_cannot_be_written_is_seen_without_writing() {
    let test = testing::store();
    let at = |name: &str| test.directory.path().join(name);
    fs::create_dir(at("mine")).expect("made");
    fs::write(at("mine/letter.txt"), "dear").expect("written");
    let before = fs::read_dir(test.directory.path()).expect("list").count();
    for good in [
        Target::Layout(at("new/deep")),
        Target::Layout(test.store.root().to_owned()),
        Target::Archive(at("a.tar")),
        Target::Tarball(at("t.tar")),
    ] {
        look(&good, &test.notes).expect("could be written");
    }
    for bad in [
        Target::Layout(at("mine")),
        Target::Layout(at("mine/letter.txt")),
        Target::Layout(at("mine/letter.txt/below")),
        Target::Archive(at("mine")),
        Target::Tarball(at("no/t.tar")),
    ] {
        assert!(look(&bad, &test.notes).is_err(), "{bad:?}");
    }
    let after = fs::read_dir(test.directory.path()).expect("list").count();
    assert_eq!(after, before, "nothing was made");
}

#[test]
fn an_archive_is_the_same_layout_in_one_file_and_the_same_bytes_every_time() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64", "linux/arm64"], &["latest"]);
    let (one, two) = (
        test.directory.path().join("one.tar"),
        test.directory.path().join("two.tar"),
    );
    for path in [&one, &two] {
        written(&test, &Target::Archive(path.clone()), (&image, &shelves));
    }
    assert_eq!(
        fs::read(&one).expect("reads"),
        fs::read(&two).expect("reads")
    );
    let unpacked = test.directory.path().join("unpacked");
    tar::Archive::new(fs::File::open(&one).expect("opens"))
        .unpack(&unpacked)
        .expect("unpacks");
    let layout = Store::output(&unpacked, &test.notes).expect("a layout");
    let found = layout
        .find(&["rbuild.local/hello:latest".to_owned()])
        .expect("sound")
        .expect("named");
    testing::validate(&layout, &found);
    assert!(image.blobs().iter().all(|blob| layout.holds(blob)));
}

#[test]
fn a_tarball_names_config_layers_and_tags_for_docker() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["v1", "v2"]);
    let path = test.directory.path().join("image.tar");
    written(&test, &Target::Tarball(path.clone()), (&image, &shelves));
    let files = files(&path);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
    assert_eq!(
        manifest[0]["RepoTags"],
        json!(["rbuild.local/hello:v1", "rbuild.local/hello:v2"])
    );
    let config = &files[manifest[0]["Config"].as_str().expect("a name")];
    let config: Value = serde_json::from_slice(config).expect("JSON");
    let layers = manifest[0]["Layers"].as_array().expect("a list");
    assert_eq!(
        config["rootfs"]["diff_ids"].as_array().map(Vec::len),
        Some(layers.len())
    );
    assert!(
        layers
            .iter()
            .all(|layer| files.contains_key(layer.as_str().expect("a name")))
    );
}

#[test]
fn c03_a_damaged_base_layer_leaves_no_file_behind() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let blob = test
        .store
        .root()
        .join("blobs/sha256")
        .join(image.images[0].base_layers[0].digest.hex());
    let mut bytes = fs::read(&blob).expect("reads");
    *bytes.last_mut().expect("not empty") ^= 1;
    for target in [
        Target::Archive(test.directory.path().join("a.tar")),
        Target::Tarball(test.directory.path().join("t.tar")),
    ] {
        // Each reader moves the damaged blob to the quarantine.
        let _ = fs::remove_file(&blob);
        fs::write(&blob, &bytes).expect("written");
        let error = write(&target, std::slice::from_ref(&image), &shelves, &test.notes)
            .expect_err("damaged");
        let corrupt = format!("{error:#}");
        assert!(corrupt.contains("is not what its name says"), "{corrupt}");
    }
    let names: Vec<_> = fs::read_dir(test.directory.path())
        .expect("list")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".tar")
                || name.to_string_lossy().starts_with(".rbuild")),
        "{names:?}"
    );
}

#[test]
fn a_blob_that_went_away_is_named_with_the_places_looked_in() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let layer = image.images[0].base_layers[1].clone();
    fs::remove_file(
        test.store
            .root()
            .join("blobs/sha256")
            .join(layer.digest.hex()),
    )
    .expect("removed");
    let error = write(
        &Target::Archive(test.directory.path().join("a.tar")),
        &[image],
        &shelves,
        &test.notes,
    )
    .expect_err("gone");
    let fault = error.downcast::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Offline);
    assert!(fault.to_string().contains(&layer.digest.to_string()));
}

#[test]
fn a_reference_carries_the_tag_only_if_it_is_the_only_one_and_not_latest() {
    let test = testing::store();
    for (tags, tag) in [(&["latest"][..], ""), (&["v1"], ":v1"), (&["v1", "v2"], "")] {
        let (image, _) = finished(&test, &["linux/amd64"], tags);
        assert_eq!(
            Receipt::of(&image).reference,
            format!("rbuild.local/hello{tag}@{}", image.root.digest)
        );
    }
}

#[test]
fn a_reference_of_the_tag_alone_has_no_digest() {
    let test = testing::store();
    let (image, _) = finished(&test, &["linux/amd64"], &["v1"]);
    let image = Finished {
        tag_only: true,
        ..image
    };
    assert_eq!(Receipt::of(&image).reference, "rbuild.local/hello:v1");
}

#[test]
fn images_whose_names_end_alike_are_told_apart_in_the_metadata() {
    let test = testing::store();
    let (image, _) = finished(&test, &["linux/amd64"], &["latest"]);
    let images = ["r.example/team/web", "r.example/ops/web"].map(|name| Finished {
        name: name.into(),
        ..image.clone()
    });
    let path = test.directory.path().join("meta.json");
    write_metadata(&path, &images).expect("written");
    let value: Value = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("JSON");
    for name in ["r.example/team/web", "r.example/ops/web"] {
        assert_eq!(value[name]["image.name"], format!("{name}:latest"));
    }
}

#[test]
fn files_about_the_image_name_the_index_and_its_children() {
    let test = testing::store();
    let (image, _) = finished(&test, &["linux/amd64", "linux/arm64"], &["latest"]);
    let (references, metadata) = (
        test.directory.path().join("refs"),
        test.directory.path().join("meta.json"),
    );
    write_references(&references, std::slice::from_ref(&image)).expect("written");
    write_metadata(&metadata, std::slice::from_ref(&image)).expect("written");
    let digests: Vec<String> = std::iter::once(image.root.digest)
        .chain(image.images.iter().map(|one| one.manifest.digest))
        .map(|digest| format!("rbuild.local/hello@{digest}"))
        .collect();
    assert_eq!(
        fs::read_to_string(&references)
            .expect("reads")
            .lines()
            .collect::<Vec<_>>(),
        digests
    );
    let value: Value = serde_json::from_slice(&fs::read(&metadata).expect("reads")).expect("JSON");
    assert_eq!(
        value["containerimage.digest"],
        image.root.digest.to_string()
    );
    assert_eq!(value["image.name"], "rbuild.local/hello:latest");
    assert_eq!(value.get("containerimage.config.digest"), None);
}
