//! The cache is damaged or in the way: what `rbuild build` says, with which code, and what it leaves behind.
//!
//! The store's own tests try every case of every row; here the whole program meets some of each.

#![expect(
    clippy::disallowed_methods,
    reason = "a leftover of yesterday needs to know what today is"
)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::{MadeBase, TestEnv, document, hex, image, peer, run, tree};
use crate::warm::{blob, build, build_behind, faults_of, pinned_base, put, temps};

/// One of each kind, each with a name below the world's directory.
const OUTPUTS: [&str; 3] = [
    "--tarball @/out",
    "--oci-archive @/out",
    "--oci-layout-path @/out",
];

/// A world with a pinned base in its cache.
struct Based {
    env: TestEnv,
    img: PathBuf,
    made: MadeBase,
    /// The arguments that pin it.
    pin: String,
}

impl Based {
    fn new() -> Based {
        let env = TestEnv::new();
        let img = env.cache().join("img");
        let (made, pin) = pinned_base(&env);
        Based {
            env,
            img,
            made,
            pin,
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        blob(&self.img, digest)
    }

    fn config(&self) -> String {
        let manifest = document(&self.img, &self.made.image);
        manifest["config"]["digest"]
            .as_str()
            .expect("a digest")
            .to_owned()
    }

    /// Index, manifest and config.
    fn documents(&self) -> [String; 3] {
        [
            self.made.index.clone(),
            self.made.image.clone(),
            self.config(),
        ]
    }
}

/// Puts something else in the place of a blob.
type Damage<'a> = &'a dyn Fn(&Based, &Path);

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    overwrite(path, &bytes);
}

/// In place, as a bad disk or a careless tool does it.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("set");
    fs::write(path, bytes).expect("written");
}

#[test]
fn c01_c02_a_flipped_bit_in_any_document_of_the_base_ends_with_5_and_both_digests() {
    for which in 0..3 {
        let based = Based::new();
        let victim = &based.documents()[which];
        flip_a_bit(&based.path(victim));
        let actual = hex(&fs::read(based.path(victim)).expect("readable"));
        let failed = build(&based.env, &based.pin)
            .ends_with(5)
            .says(victim)
            .says(&actual)
            .says("hint:");
        assert_eq!(failed.stdout(), "");
        assert!(!based.path(victim).exists(), "it was moved away");
        assert_eq!(tree(&based.img.join(".rbuild/quarantine")).len(), 1);
    }
}

#[test]
fn c03_a_damaged_layer_of_the_base_leaves_no_output() {
    for output in OUTPUTS {
        let based = Based::new();
        flip_a_bit(&based.path(&based.made.layer));
        let arguments = format!("{} {output}", based.pin);
        build(&based.env, &arguments)
            .ends_with(5)
            .says(&based.made.layer);
        let out = based.env.path("out");
        assert!(!out.is_file(), "{output}");
        assert_eq!(faults_of(&out), [""; 0], "{output}");
        let index = fs::read_to_string(out.join("index.json")).unwrap_or_default();
        assert!(!index.contains("sha256:"), "nothing was named: {index}");
        let beside: Vec<String> = temps(&based.env.path(""));
        assert_eq!(beside, [""; 0]);
    }
}

#[test]
fn c03_a_damaged_layer_of_our_own_is_found_and_made_again_by_the_next_run() {
    let env = TestEnv::new();
    let arguments = "--base scratch --oci-archive @/out";
    let first = build(&env, arguments).succeeds().digest();
    let good = fs::read(env.path("out")).expect("written");
    fs::remove_file(env.path("out")).expect("removed");
    let store = env.cache().join("build");
    let layer = document(&store, &first)["layers"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    flip_a_bit(&blob(&store, &layer));
    build(&env, arguments).ends_with(5).says(&layer);
    assert!(!env.path("out").exists());
    assert_eq!(build(&env, arguments).succeeds().digest(), first);
    assert!(fs::read(env.path("out")).expect("written") == good);
}

#[test]
fn c05_a_document_of_another_length_is_damaged_whatever_the_length_is() {
    for which in 0..3 {
        for length in [0, 1, 100, 5_000] {
            let based = Based::new();
            let victim = &based.documents()[which];
            let mut bytes = fs::read(based.path(victim)).expect("readable");
            bytes.resize(length, b' ');
            overwrite(&based.path(victim), &bytes);
            build(&based.env, &based.pin).ends_with(5).says(victim);
        }
    }
}

#[test]
fn c05_a_layer_of_another_length_is_damage_for_an_output_and_nothing_to_a_reference() {
    let based = Based::new();
    let path = based.path(&based.made.layer);
    let bytes = fs::read(&path).expect("readable");
    overwrite(&path, &bytes[..bytes.len() / 2]);
    build(&based.env, &based.pin).succeeds();
    fs::remove_file(&path).expect("removed");
    for output in OUTPUTS {
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("written, or written anew");
        build(&based.env, &format!("{} {output}", based.pin))
            .ends_with(5)
            .says(&based.made.layer[7..]);
        assert!(!based.env.path("out").exists());
        // It went to the quarantine: what is left is an absence.
        build(&based.env, &format!("{} {output}", based.pin)).ends_with(4);
    }
}

#[test]
fn c06_the_right_bytes_under_the_wrong_name_are_wrong() {
    let based = Based::new();
    let config = fs::read(based.path(&based.config())).expect("readable");
    overwrite(&based.path(&based.made.image), &config);
    build(&based.env, &based.pin)
        .ends_with(5)
        .says(&based.made.image);
}

#[test]
fn c07_a_pinned_base_needs_no_index() {
    let based = Based::new();
    let index = based.img.join("index.json");
    let whole = fs::read(&index).expect("readable");
    let expected = build(&based.env, &based.pin).succeeds().digest();
    let torn = (0..whole.len())
        .step_by(13)
        .map(|length| whole[..length].to_vec());
    for bytes in torn.chain([b"no JSON".to_vec(), b"[]".to_vec(), vec![0; 4096]]) {
        fs::write(&index, bytes).expect("written");
        assert_eq!(build(&based.env, &based.pin).succeeds().digest(), expected);
    }
    fs::remove_file(&index).expect("removed");
    assert_eq!(build(&based.env, &based.pin).succeeds().digest(), expected);
    fs::create_dir(&index).expect("made");
    assert_eq!(build(&based.env, &based.pin).succeeds().digest(), expected);
}

#[test]
fn c07_a_torn_index_of_what_rbuild_made_is_put_aside_and_rebuilt_with_its_names() {
    let env = TestEnv::new();
    let first = build(&env, "--base scratch").succeeds().digest();
    let index = env.cache().join("build/index.json");
    let whole = fs::read(&index).expect("readable");
    fs::write(&index, &whole[..whole.len() / 2]).expect("written");
    let again = build(&env, "--base scratch").succeeds().says("index.json");
    assert_eq!(again.digest(), first);
    assert_eq!(fs::read(&index).expect("there"), whole);
    assert_eq!(
        tree(&env.cache().join("build/.rbuild/quarantine")),
        ["index.json.1"]
    );
}

#[test]
fn c08_a_sparse_gigabyte_of_index_costs_a_pinned_build_nothing() {
    let based = Based::new();
    let index = fs::File::create(based.img.join("index.json")).expect("made");
    index.set_len(1 << 30).expect("set");
    let limited = ["sh", "-c", "ulimit -v 900000; exec \"$@\"", "sh"];
    run(&mut build_behind(&based.env, &limited, &based.pin)).succeeds();
    let by_name = build_behind(&based.env, &limited, "--base r.example/base");
    run(&mut { by_name }).ends_with(8).says("index.json");
}

#[test]
fn c09_a_missing_oci_layout_is_no_matter_and_one_of_a_newer_version_is_left_alone() {
    let based = Based::new();
    let layout = based.img.join("oci-layout");
    fs::remove_file(&layout).expect("removed");
    build(&based.env, &based.pin).succeeds();
    let newer = br#"{"imageLayoutVersion":"2.0.0"}"#;
    fs::write(&layout, newer).expect("written");
    let before = tree(&based.img);
    build(&based.env, &based.pin)
        .ends_with(8)
        .says("newer tool");
    assert_eq!(
        (fs::read(&layout).expect("there"), tree(&based.img)),
        (newer.to_vec(), before)
    );
}

#[test]
fn c10_a_manifest_that_is_a_link_a_pipe_or_a_directory_is_damaged_and_nobody_waits() {
    let elsewhere = |based: &Based, path: &Path| {
        let good = based.env.path("elsewhere");
        fs::rename(path, &good).expect("moved");
        symlink(good, path).expect("linked");
    };
    let pipe = |_: &Based, path: &Path| {
        fs::remove_file(path).expect("removed");
        peer("mkfifo", &[path]);
    };
    let directory = |_: &Based, path: &Path| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("made");
    };
    let ways: [Damage<'_>; 3] = [&elsewhere, &pipe, &directory];
    for way in ways {
        let based = Based::new();
        way(&based, &based.path(&based.made.image));
        build(&based.env, &based.pin)
            .ends_with(5)
            .says(&based.made.image);
    }
}

#[test]
fn c12_blobs_that_lead_out_of_the_cache_are_refused_and_nothing_is_written_there() {
    for (store, link) in [
        ("img", "blobs"),
        ("build", "blobs"),
        ("build", "blobs/sha256"),
        ("build", ".rbuild"),
    ] {
        let based = Based::new();
        build(&based.env, &based.pin).succeeds();
        let outside = based.env.path("outside");
        fs::create_dir(&outside).expect("made");
        let inside = based.env.cache().join(store).join(link);
        fs::remove_dir_all(&inside).expect("removed");
        symlink(&outside, &inside).expect("linked");
        build(&based.env, &based.pin)
            .ends_with(8)
            .says("symbolic link");
        assert_eq!(tree(&outside), [""; 0], "{store}/{link}");
    }
}

#[test]
fn c18_whatever_the_umask_is_the_cache_is_private_and_its_blobs_are_read_only() {
    for umask in ["000", "077"] {
        let env = TestEnv::new();
        let script = format!("umask {umask}; exec \"$@\"");
        run(&mut build_behind(
            &env,
            &["sh", "-c", &script, "sh"],
            "--base scratch",
        ))
        .succeeds();
        let store = env.cache().join("build");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
        for directory in [
            "",
            "blobs",
            "blobs/sha256",
            ".rbuild",
            ".rbuild/tmp",
            ".rbuild/records",
        ] {
            assert_eq!(
                mode(&store.join(directory)),
                0o700,
                "{directory} under {umask}"
            );
        }
        let blobs = tree(&store.join("blobs"));
        assert!(blobs.len() >= 3);
        for name in blobs {
            assert_eq!(
                mode(&store.join("blobs").join(&name)),
                0o444,
                "{name} under {umask}"
            );
        }
    }
}

#[test]
fn c19_a_cache_that_anybody_can_write_is_believed_digests_and_no_names() {
    let env = TestEnv::new();
    let img = env.cache().join("img");
    let made = crate::support::base(&img, true, &["r.example/base:latest"]);
    build(&env, "--base r.example/base").succeeds();
    fs::set_permissions(&img, fs::Permissions::from_mode(0o777)).expect("set");
    build(&env, &format!("--base r.example/base@{}", made.index)).succeeds();
    build(&env, "--base r.example/base")
        .ends_with(2)
        .says("can be written by others")
        .says("chmod");
}

#[test]
fn c20_a_build_sweeps_the_leftovers_of_yesterday_and_no_others() {
    let env = TestEnv::new();
    build(&env, "--base scratch").succeeds();
    let temps = env.cache().join("build/.rbuild/tmp");
    let yesterday = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for number in 0..100 {
        let mut file = fs::File::create(temps.join(format!("new-{number}"))).expect("made");
        file.write_all(b"left").expect("written");
        file.set_modified(yesterday).expect("set");
    }
    fs::write(temps.join("new-of-now"), b"under way").expect("written");
    build(&env, "--base scratch --tags another").succeeds();
    assert_eq!(tree(&temps), ["new-of-now"]);
}

#[test]
fn c22_a_cache_root_that_cannot_be_one_is_refused_and_nothing_is_written_here() {
    let env = TestEnv::new();
    let here = env.path("here");
    fs::create_dir(&here).expect("made");
    let file = env.path("a-file");
    fs::write(&file, b"mine").expect("written");
    for root in [
        "cache",
        "./cache",
        "../x",
        "/",
        "//",
        file.to_str().expect("UTF-8"),
    ] {
        for arguments in [
            &["build", ".", "--push=false"][..],
            &["cache", "ls"],
            &["cache", "verify"],
            &["cache", "dir"],
        ] {
            let mut command = env.command(&here);
            fs::write(here.join("Cargo.toml"), "[package]\nname = 'x'").expect("written");
            run(command.env("KOCACHE", root).args(arguments))
                .ends_with(2)
                .says("KOCACHE");
            assert_eq!(tree(&here), ["Cargo.toml"], "{root} {arguments:?}");
        }
    }
    assert_eq!(fs::read(&file).expect("there"), b"mine");
}

#[test]
fn c22_a_cache_root_may_have_any_other_name_and_an_empty_one_is_unset() {
    let env = TestEnv::new();
    for name in [
        "with some spaces",
        "with-ünïcode-✓",
        "with\na newline",
        "-dash",
        "deeper/than/there/is",
    ] {
        let root = env.path(name);
        let mut command = build_behind(&env, &[], "--base scratch");
        let digest = run(command.env("KOCACHE", &root)).succeeds().digest();
        assert!(blob(&root.join("build"), &digest).is_file(), "{name}");
    }
    let mut command = build_behind(&env, &[], "--base scratch");
    run(command
        .env("KOCACHE", "")
        .env("XDG_CACHE_HOME", env.path("xdg")))
    .succeeds();
    let platforms_own = env.path(if cfg!(target_os = "linux") {
        "xdg/rbuild"
    } else {
        "home"
    });
    assert!(!tree(&platforms_own).is_empty());
}

#[test]
fn c23_a_poisoned_name_shows_in_the_note_and_changes_nothing_for_a_pin() {
    let based = Based::new();
    let pinned = build(&based.env, &based.pin).succeeds().digest();
    let mut other = document(&based.img, &based.made.index);
    other["annotations"] = json!({"who": "somebody else"});
    let bytes = serde_json::to_vec(&other).expect("JSON");
    let poison = put(&based.img, &bytes);
    let entry = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": poison, "size": bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": "r.example/base:latest"}});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(based.img.join("index.json"), index.to_string()).expect("written");
    assert_eq!(build(&based.env, &based.pin).succeeds().digest(), pinned);
    build(&based.env, "--base r.example/base")
        .succeeds()
        .says("as recorded")
        .says(&poison);
    let tagged_pin = format!("--base r.example/base:latest@{}", based.made.index);
    let built = build(&based.env, &tagged_pin).succeeds();
    let (manifest, _) = image(&based.env.cache().join("build"), &built.digest());
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.base.digest"],
        based.made.image.as_str()
    );
}

#[test]
fn the_judge_of_layouts_and_leftovers_sees_what_it_should() {
    let env = TestEnv::new();
    build(&env, "--base scratch").succeeds();
    let store = env.cache().join("build");
    assert_eq!(
        (faults_of(&store).len(), temps(&env.path("")).len()),
        (0, 0)
    );
    fs::write(store.join("blobs/sha256/half"), b"half").expect("written");
    let name = tree(&store.join("blobs")).remove(0);
    flip_a_bit(&store.join("blobs").join(name));
    fs::write(store.join("index.json"), b"{\"manifests\": [").expect("written");
    fs::write(store.join(".rbuild/tmp/new-1"), b"left").expect("written");
    fs::write(env.path(".rbuild-1"), b"left").expect("written");
    assert_eq!(
        (faults_of(&store).len(), temps(&env.path("")).len()),
        (3, 2)
    );
}
