//! `rbuild cache export` and `rbuild cache import`: what they write, what they keep, what they say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::feed::{TwoPlatforms, two_platforms};
use crate::served::served;
use crate::support::{MadeBase, Run, TestEnv, base, run, tree};
use crate::warm::{blob, build, build_online, temps};

/// `cache` and these arguments, in the world's own directory.
pub(crate) fn cache(env: &TestEnv, arguments: &str) -> Run {
    env.rbuild(&env.path(""), &format!("cache {arguments}"))
}

/// As [`cache`], with a file as standard input.
fn cache_from(env: &TestEnv, arguments: &str, input: &Path) -> Run {
    let mut command = env.command(&env.path(""));
    command.arg("cache").args(arguments.split_whitespace());
    run(command.stdin(fs::File::open(input).expect("opened")))
}

pub(crate) fn img(env: &TestEnv) -> PathBuf {
    env.cache().join("img")
}

/// Another world, into which a thing was carried.
pub(crate) fn carried(from: &TestEnv, name: &str) -> TestEnv {
    let there = TestEnv::new();
    let path = from.path(name);
    match path.is_dir() {
        true => crate::support::copy(&path, &there.path(name)),
        false => drop(fs::copy(&path, there.path(name)).expect("copied")),
    }
    there
}

/// A world whose cache holds a base called `r.example/base:1`.
pub(crate) fn filled() -> (TestEnv, MadeBase) {
    let env = TestEnv::new();
    let made = base(&img(&env), true, &["r.example/base:1"]);
    (env, made)
}

/// The same with two platforms, called `base`.
fn filled_with_two() -> (TestEnv, TwoPlatforms) {
    let env = TestEnv::new();
    let made = two_platforms(&img(&env));
    (env, made)
}

pub(crate) fn entries(layout: &Path) -> Vec<Value> {
    let bytes = fs::read(layout.join("index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&bytes).expect("JSON");
    index["manifests"].as_array().expect("a list").clone()
}

fn set_entries(layout: &Path, entries: &[Value]) {
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(layout.join("index.json"), index.to_string()).expect("written");
}

fn names(layout: &Path) -> Vec<String> {
    let name = |entry: Value| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
        name.map(str::to_owned)
    };
    entries(layout).into_iter().filter_map(name).collect()
}

/// Every file of a layout with its bytes.
fn content(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(directory.join(&name)).expect("readable");
        (name, bytes)
    };
    tree(directory).into_iter().map(read).collect()
}

#[test]
fn export_import_export_gives_the_same_bytes_names_included() {
    let (env, made) = filled();
    let other = two_platforms(&env.path("other"));
    crate::support::copy(&env.path("other/blobs"), &img(&env).join("blobs"));
    let nameless = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": other.index,
        "size": fs::metadata(blob(&img(&env), &other.index)).expect("there").len()});
    let mut all = entries(&img(&env));
    let mut bare = all[0].clone();
    bare["annotations"] = json!({"org.opencontainers.image.ref.name": "latest", "vendor": "kept"});
    let mut crane = all[0].clone();
    crane["annotations"] =
        json!({"org.opencontainers.image.ref.name": "index.docker.io/library/debian:13"});
    all.extend([nameless, bare, crane]);
    set_entries(&img(&env), &all);
    cache(&env, "export one.tar").succeeds();
    cache(&env, "export one").succeeds();

    let there = carried(&env, "one.tar");
    let said = cache(&there, "import --trust-names one.tar").succeeds();
    assert!(said.stdout().contains(&made.index), "{}", said.stdout());
    cache(&there, "export two.tar").succeeds();
    cache(&there, "export two").succeeds();
    assert!(
        fs::read(env.path("one.tar")).expect("there")
            == fs::read(there.path("two.tar")).expect("there")
    );
    assert_eq!(content(&env.path("one")), content(&there.path("two")));
    let mut kept = names(&img(&there));
    kept.sort();
    let expected = ["docker.io/library/debian:13", "latest", "r.example/base:1"];
    assert_eq!(kept, expected);

    let again = carried(&env, "one");
    cache(&again, "import --trust-names one").succeeds();
    cache(&again, "export two.tar").succeeds();
    assert!(
        fs::read(env.path("one.tar")).expect("there")
            == fs::read(again.path("two.tar")).expect("there")
    );
}

#[test]
fn the_order_in_which_images_came_does_not_matter() {
    let (env, _) = filled();
    let mut all = entries(&img(&env));
    let mut second = all[0].clone();
    second["annotations"]["org.opencontainers.image.ref.name"] = json!("r.example/another:1");
    all.push(second);
    let mut tars = Vec::new();
    for name in ["a.tar", "b.tar"] {
        set_entries(&img(&env), &all);
        cache(&env, &format!("export {name}")).succeeds();
        tars.push(fs::read(env.path(name)).expect("there"));
        all.reverse();
    }
    assert!(tars[0] == tars[1]);
}

#[test]
fn a_full_name_stands_in_both_annotations_and_a_layout_holds_nothing_of_ours() {
    let (env, made) = filled();
    let run = cache(&env, "export out").succeeds();
    let pin = format!("r.example/base:1@{}\n", made.index);
    assert_eq!(run.stdout(), pin);
    let annotations = &entries(&env.path("out"))[0]["annotations"];
    assert_eq!(
        *annotations,
        json!({"io.containerd.image.name": "r.example/base:1", "org.opencontainers.image.ref.name": "r.example/base:1"})
    );
    assert!(!env.path("out/.rbuild").exists());
    let mode = fs::metadata(env.path("out")).expect("there").permissions();
    assert_eq!(mode.mode() & 0o055, 0o055, "others may read it");
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
fn without_trust_digests_come_and_names_do_not() {
    let (env, made) = filled();
    cache(&env, "export out.tar").succeeds();
    let there = carried(&env, "out.tar");
    let run = cache(&there, "import out.tar")
        .succeeds()
        .says("names were not recorded: r.example/base:1")
        .says("--trust-names");
    assert_eq!(run.stdout(), format!("{}\n", made.index));
    assert_eq!(names(&img(&there)), [""; 0]);
    let pinned = format!("--oci-archive @/a.tar --base r.example/base@{}", made.index);
    build(&there, &pinned).succeeds();
    build(&there, "--base r.example/base:1").ends_with(4);
    cache(&there, "import --trust-names out.tar").succeeds();
    build(&there, "--oci-archive @/b.tar --base r.example/base:1").succeeds();
}

#[test]
fn a_name_that_is_trusted_is_taken_from_what_had_it_and_other_entries_stay() {
    let (env, made) = filled();
    cache(&env, "export out.tar").succeeds();
    let there = carried(&env, "out.tar");
    let other = two_platforms(&img(&there));
    let mut all = entries(&img(&there));
    let mut old = all[0].clone();
    old["annotations"]["org.opencontainers.image.ref.name"] = json!("r.example/base:1");
    all.push(old);
    set_entries(&img(&there), &all);
    cache(&there, "import --trust-names out.tar").succeeds();
    let listed = cache(&there, "ls").succeeds().stdout();
    assert!(
        listed.contains(&format!("r.example/base:1\t{}", made.index)),
        "{listed}"
    );
    assert!(
        listed.contains(&format!("base\t{}", other.index)),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 2);
}

#[test]
fn metadata_travels_as_such_unless_layers_are_demanded() {
    let env = TestEnv::new();
    let made = base(&img(&env), false, &["r.example/base:1"]);
    cache(&env, "export --layers out.tar")
        .ends_with(4)
        .says(&made.layer)
        .says("rbuild cache warm --layers r.example/base:1");
    assert!(!env.path("out.tar").exists());
    cache(&env, "export out.tar")
        .succeeds()
        .says("metadata without all layers: r.example/base:1 (1 layer missing)");
    let there = carried(&env, "out.tar");
    cache(&there, "import --trust-names out.tar")
        .succeeds()
        .says("metadata without all layers: r.example/base:1 (1 layer missing)");
    let listed = cache(&there, "ls").stdout();
    assert!(listed.contains("\tmetadata\t"), "{listed}");
    build(&there, "--base r.example/base:1").succeeds();
    cache(&there, "export again.tar").succeeds();
    let read = |path: PathBuf| fs::read(path).expect("there");
    assert!(read(env.path("out.tar")) == read(there.path("again.tar")));
}

#[test]
fn of_an_index_the_platforms_that_were_named_travel_and_the_index_stays_as_it_is() {
    let (env, made) = filled_with_two();
    let amd64 = blob(&env.path("arm"), &made.amd64);
    cache(&env, "export arm base --platform linux/arm64 --layers").succeeds();
    assert!(blob(&env.path("arm"), &made.index).exists() && !amd64.exists());
    assert_eq!(tree(&env.path("arm/blobs")).len(), 4);
    let there = carried(&env, "arm");
    cache(&there, "import arm").succeeds();
    let pinned = format!("--base r.example/base@{} --platform", made.index);
    build(&there, &format!("{pinned} linux/amd64")).ends_with(4);

    cache(
        &there,
        &format!("export no {} --platform all --layers", made.index),
    )
    .ends_with(4)
    .says("it is here for linux/arm64");
    cache(&env, "export all base --platform all --layers").succeeds();
    assert_eq!(tree(&env.path("all/blobs")).len(), 7);
    cache(&env, "export no base --platform linux/s390x")
        .ends_with(4)
        .says("--platform linux/s390x base");
    cache(&env, "export no base --platform all,linux/arm64").ends_with(2);
    assert!(!env.path("no").exists());
}

#[test]
fn images_are_chosen_by_name_in_every_spelling_and_by_digest() {
    let (env, made) = filled();
    let mut all = entries(&img(&env));
    all[0]["annotations"]["org.opencontainers.image.ref.name"] =
        json!("index.docker.io/library/debian:13");
    set_entries(&img(&env), &all);
    for (number, name) in [
        "debian:13".to_owned(),
        "docker.io/library/debian:13".to_owned(),
        made.index.clone(),
        format!("debian@{}", made.index),
    ]
    .iter()
    .enumerate()
    {
        let run = cache(&env, &format!("export {number}.tar {name}")).succeeds();
        let pin = format!("docker.io/library/debian:13@{}\n", made.index);
        assert_eq!(run.stdout(), pin);
    }
    let child = cache(&env, &format!("export child.tar {}", made.image)).succeeds();
    assert_eq!(
        child.stdout(),
        format!("{}\n", made.image),
        "needs no entry"
    );
    cache(&env, "export no.tar debian:12")
        .ends_with(4)
        .says("`debian:12` is not in the cache")
        .says("it holds `docker.io/library/debian:13`")
        .says("rbuild cache warm --layers debian:12");
    assert!(!env.path("no.tar").exists());
}

#[test]
fn an_empty_cache_has_nothing_to_export_and_is_not_made() {
    let env = TestEnv::new();
    cache(&env, "export out.tar")
        .ends_with(4)
        .says("nothing to export");
    assert!(!env.cache().exists() && !env.path("out.tar").exists());
}

#[test]
fn c03_damage_that_is_met_on_the_way_leaves_the_old_file_or_none() {
    let (env, made) = filled();
    let layer = blob(&img(&env), &made.layer);
    let good = fs::read(&layer).expect("there");
    fs::write(&layer, vec![b'x'; good.len()]).expect("written");
    fs::write(env.path("out.tar"), "old").expect("written");
    for to in ["out.tar", "new.tar", "dir", "-"] {
        cache(&env, &format!("export {to}"))
            .ends_with(5)
            .says(&made.layer[7..]);
    }
    assert_eq!(fs::read(env.path("out.tar")).expect("there"), b"old");
    assert!(!env.path("new.tar").exists() && !env.path("dir").exists());
    assert_eq!(temps(&env.path("")), [""; 0]);
    assert!(layer.exists(), "an export moves nothing away");
}

#[test]
fn a_place_that_is_taken_or_would_be_packed_is_refused() {
    let (env, _) = filled();
    fs::create_dir(env.path("empty")).expect("made");
    fs::create_dir(env.path("taken")).expect("made");
    fs::write(env.path("taken/file"), "theirs").expect("written");
    fs::write(env.path("file"), "theirs").expect("written");
    std::os::unix::fs::symlink(env.path("empty"), env.path("link")).expect("linked");
    cache(&env, "export taken")
        .ends_with(2)
        .says("is not empty");
    cache(&env, "export file")
        .ends_with(2)
        .says("is no directory");
    cache(&env, "export link").ends_with(2);
    cache(&env, "export out.tar.gz")
        .ends_with(2)
        .says("ends in `.tar`");
    cache(&env, "export nowhere/out.tar")
        .ends_with(8)
        .says("mkdir -p");
    cache(&env, "export nowhere/out")
        .ends_with(8)
        .says("mkdir -p");
    cache(&env, "export empty").succeeds();
    assert!(env.path("empty/index.json").exists());
    assert_eq!(tree(&env.path("taken")), ["file"]);
}

#[test]
fn a_pipe_carries_a_cache_from_one_to_the_other() {
    let (env, made) = filled();
    let there = TestEnv::new();
    let mut export = env.command(&env.path(""));
    let mut export = export
        .args(["cache", "export", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut import: Command = there.command(&there.path(""));
    import.args(["cache", "import", "-", "--trust-names"]);
    let imported = run(import.stdin(export.stdout.take().expect("piped"))).succeeds();
    assert!(export.wait().expect("waited").success());
    let pin = format!("r.example/base:1@{}\n", made.index);
    assert_eq!(imported.stdout(), pin);
    cache(&there, "verify").succeeds();
    assert_eq!(temps(&there.path("")), [""; 0]);
}

#[test]
fn what_is_there_already_stays_and_a_second_import_changes_nothing() {
    let (env, _) = filled();
    cache(&env, "export out.tar").succeeds();
    let there = carried(&env, "out.tar");
    cache(&there, "import out.tar --trust-names").succeeds();
    let before = content(&img(&there));
    cache(&there, "import out.tar --trust-names").succeeds();
    cache(&there, "import out.tar").succeeds();
    cache_from(&there, "import -", &there.path("out.tar")).succeeds();
    assert_eq!(content(&img(&there)), before);
}

#[test]
fn a_damaged_blob_of_the_cache_is_healed_by_an_import() {
    let (env, made) = filled();
    cache(&env, "export out.tar").succeeds();
    cache(&env, "export out").succeeds();
    for from in ["out.tar", "out"] {
        let damaged = blob(&img(&env), &made.image);
        fs::remove_file(&damaged).expect("removed");
        fs::write(&damaged, "wrong").expect("written");
        cache(&env, &format!("import {from}"))
            .succeeds()
            .says("has been moved to");
        cache(&env, "verify").succeeds();
    }
}

#[test]
fn c13_a_cache_that_cannot_be_written_is_exported_and_takes_nothing_in() {
    let (env, _) = filled();
    fs::write(img(&env).join(".rbuild"), "no directory").expect("written");
    let before = content(&img(&env));
    cache(&env, "export out.tar").succeeds();
    cache(&env, "import out.tar").ends_with(8);
    assert_eq!(content(&img(&env)), before);
}

#[test]
fn layers_that_a_build_needed_travel_with_their_base_though_they_do_not_lie_beside_it() {
    let env = TestEnv::new();
    let there = served(&env);
    let arguments = format!("--tarball @/t.tar --base {}", there.tag());
    build_online(&env, &arguments).succeeds();
    let layer = &there.made.layer;
    assert!(!blob(&img(&env), layer).exists());
    assert!(blob(&env.cache().join("build"), layer).exists());
    for to in ["bases.tar", "bases"] {
        cache(&env, &format!("export --layers {to} {}", there.tag())).succeeds();
        let other = carried(&env, to);
        cache(&other, &format!("import --trust-names {to}")).succeeds();
        assert!(blob(&img(&other), layer).exists(), "{to}");
        cache(&other, "verify").succeeds();
    }
}

#[test]
fn an_image_that_rbuild_built_is_not_exported_and_the_way_to_carry_it_is_told() {
    let env = TestEnv::new();
    let (made, _) = crate::warm::pinned_base(&env);
    let digest = build(&env, "--base scratch").succeeds().digest();
    let named = format!("rbuild.local/hello@{digest}");
    for image in ["rbuild.local/hello", "hello", &digest, &named] {
        cache(&env, &format!("export a.tar {} {image}", made.index))
            .ends_with(2)
            .says("`rbuild.local/hello:latest` is an image that rbuild built")
            .says(&env.cache().join("build").display().to_string())
            .says("`rbuild build --push=false --oci-archive FILE`")
            .says("`rbuild push rbuild.local/hello:latest REGISTRY/REPOSITORY`");
        assert!(!env.path("a.tar").exists(), "{image}");
    }
    cache(&env, "export a.tar hallo")
        .ends_with(4)
        .says("`hallo` is not in the cache");
}
