//! A damaged cache with a registry behind it: what can be had again is fetched again, and what is refused offline is refused online.
//!
//! The online halves of the rows that `cache_faults` plays without a network.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::served::{Served, asked, served};
use crate::support::{TestEnv, peer, run, tree};
use crate::test_registry::{Action, Rule, TestRegistry};
use crate::warm::{blob, build, build_online, faults_of, put, temps};

/// A world whose cache holds all of a base that a registry has too.
struct Warmed {
    env: TestEnv,
    base: Served,
}

impl Warmed {
    fn new() -> Warmed {
        let env = TestEnv::new();
        let base = served(&env);
        let warmed = Warmed { env, base };
        warmed.warm(0);
        warmed.base.asked();
        warmed
    }

    /// `cache warm --layers` of the tag.
    fn warm(&self, code: i32) -> crate::support::Run {
        let command = format!("cache warm --layers {}", self.base.tag());
        let done = self.env.rbuild(&self.env.path("home"), &command);
        done.ends_with(code)
    }

    fn img(&self) -> PathBuf {
        self.env.cache().join("img")
    }

    fn path(&self, digest: &str) -> PathBuf {
        blob(&self.img(), digest)
    }

    fn pin(&self) -> String {
        format!("--base {}", self.base.pin())
    }

    /// Index, manifest and config.
    fn documents(&self) -> [String; 3] {
        let made = &self.base.made;
        [made.index.clone(), made.image.clone(), self.base.config()]
    }
}

fn write(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).expect("written");
}

/// What can happen to a file; its old bytes are given.
type Damage = (&'static str, fn(&Path, Vec<u8>));

const DAMAGES: [Damage; 8] = [
    ("a flipped bit", |path, mut bytes| {
        bytes[7] ^= 1;
        write(path, &bytes);
    }),
    ("a short one", |path, bytes| write(path, &bytes[1..])),
    ("an empty one", |path, _| write(path, b"")),
    ("a long one", |path, bytes| {
        write(path, &[bytes.as_slice(), b"\n"].concat());
    }),
    ("another's bytes", |path, _| {
        write(path, b"{\"schemaVersion\":2}");
    }),
    ("a link", |path, bytes| {
        let good = path.with_extension("good");
        write(&good, &bytes);
        fs::remove_file(path).expect("removed");
        symlink(&good, path).expect("linked");
    }),
    ("a pipe", |path, _| {
        fs::remove_file(path).expect("removed");
        peer("mkfifo", &[path]);
    }),
    ("a directory", |path, _| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("made");
    }),
];

#[test]
fn c01_c02_c05_c06_c10_a_damaged_document_is_fetched_once_more_and_told_and_then_serves_offline() {
    for which in 0..3 {
        for (about, damage) in DAMAGES {
            let warmed = Warmed::new();
            let victim = &warmed.documents()[which];
            let path = warmed.path(victim);
            let good = fs::read(&path).expect("here");
            damage(&path, good.clone());
            let built = build_online(&warmed.env, &warmed.pin()).succeeds();
            assert!(
                built.stderr().contains(victim),
                "{about}: {}",
                built.stderr()
            );
            assert_eq!(warmed.base.asked(), [format!("GET {victim}")], "{about}");
            assert!(
                fs::symlink_metadata(&path).expect("here").is_file(),
                "{about}"
            );
            assert_eq!(fs::read(&path).expect("here"), good, "{about}");
            let _ = fs::remove_file(path.with_extension("good"));
            assert_eq!(faults_of(&warmed.img()), [""; 0], "{about}");
            let offline = build(&warmed.env, &warmed.pin()).succeeds();
            assert_eq!(offline.digest(), built.digest());
        }
    }
}

#[test]
fn c03_a_layer_of_another_kind_or_size_is_no_layer_and_a_warming_fetches_it() {
    let same_size = ["a flipped bit"];
    let ways = DAMAGES
        .iter()
        .filter(|(about, _)| !same_size.contains(about));
    for (about, damage) in ways {
        let warmed = Warmed::new();
        let path = warmed.path(&warmed.base.made.layer);
        let good = fs::read(&path).expect("here");
        damage(&path, good.clone());
        warmed.warm(0);
        assert!(
            fs::symlink_metadata(&path).expect("here").is_file(),
            "{about}"
        );
        assert_eq!(fs::read(&path).expect("here"), good, "{about}");
    }
}

#[test]
fn c04_a_damaged_layer_that_nobody_else_has_ends_a_push_with_5_and_nothing_is_named() {
    let env = TestEnv::new();
    build(&env, "").succeeds();
    let digest = build(&env, "").succeeds().digest();
    let store = env.cache().join("build");
    let manifest = crate::support::document(&store, &digest);
    let layers = manifest["layers"].as_array().expect("layers");
    let layer = layers.last().expect("ours")["digest"]
        .as_str()
        .expect("a digest");
    let path = blob(&store, layer);
    let mut bytes = fs::read(&path).expect("here");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    write(&path, &bytes);
    let registry = TestRegistry::start();
    let to = format!("push hello {}/team/app:v1", registry.host());
    env.rbuild(&env.path("home"), &to).ends_with(5).says(layer);
    assert_eq!(registry.tags("team/app"), [""; 0]);
    assert!(registry.blob("team/app", layer).is_none());
    let cut = registry.requests().into_iter();
    let whole = bytes.len() as u64;
    assert!(
        cut.filter(|seen| seen.method == "PUT")
            .all(|seen| seen.body_length != whole)
    );
}

/// What can happen to a file, whatever is in it.
type Way<'a> = (&'static str, &'a dyn Fn(&Path));

#[test]
fn c07_c08_an_index_that_is_none_costs_a_tag_one_question_and_is_made_anew() {
    let torn = |path: &Path| {
        let bytes = fs::read(path).expect("here");
        write(path, &bytes[..bytes.len() / 2]);
    };
    let sparse = |path: &Path| {
        let file = fs::File::create(path).expect("made");
        file.set_len(1 << 30).expect("set");
    };
    let ways: [Way<'_>; 5] = [
        ("torn", &torn),
        ("sparse", &sparse),
        ("empty", &|path| write(path, b"")),
        ("away", &|path| fs::remove_file(path).expect("removed")),
        ("a list", &|path| write(path, b"[]")),
    ];
    for (about, way) in ways {
        let warmed = Warmed::new();
        way(&warmed.img().join("index.json"));
        let tag = format!("--base {}", warmed.base.tag());
        let built = build_online(&warmed.env, &tag);
        assert_eq!(warmed.base.asked(), ["HEAD v1"], "{about}");
        // An index that is too large to be one is not looked at and not overwritten.
        let code = if about == "sparse" { 8 } else { 0 };
        built.ends_with(code);
        build_online(&warmed.env, &warmed.pin()).succeeds();
    }
}

#[test]
fn c09_a_cache_of_a_newer_version_is_left_alone_and_a_missing_version_is_written_anew() {
    let warmed = Warmed::new();
    let layout = warmed.img().join("oci-layout");
    fs::remove_file(&layout).expect("removed");
    fs::remove_file(warmed.path(&warmed.base.made.image)).expect("removed");
    build_online(&warmed.env, &warmed.pin()).succeeds();
    assert!(layout.is_file());
    let newer = br#"{"imageLayoutVersion":"2.0.0"}"#;
    write(&layout, newer);
    fs::remove_file(warmed.path(&warmed.base.made.image)).expect("removed");
    let before = tree(&warmed.img());
    build_online(&warmed.env, &warmed.pin())
        .ends_with(8)
        .says("newer tool");
    assert_eq!(tree(&warmed.img()), before);
    assert_eq!(fs::read(&layout).expect("there"), newer);
}

#[test]
fn c12_a_cache_that_leads_elsewhere_gets_nothing_of_a_pull() {
    for link in ["blobs", "blobs/sha256", ".rbuild"] {
        let warmed = Warmed::new();
        let outside = warmed.env.path("outside");
        fs::create_dir(&outside).expect("made");
        let inside = warmed.img().join(link);
        fs::remove_dir_all(&inside).expect("removed");
        symlink(&outside, &inside).expect("linked");
        warmed.warm(8).says("symbolic link");
        assert_eq!(tree(&outside), [""; 0], "{link}");
    }
}

#[test]
fn c18_what_a_pull_keeps_is_private_and_read_only_whatever_the_umask_is() {
    for umask in ["000", "077"] {
        let env = TestEnv::new();
        let base = served(&env);
        let script = format!("umask {umask}; exec \"$@\"");
        let mut command = env.wrapped(&env.path("home"), &["sh", "-c", &script, "sh"]);
        run(command.args(["cache", "warm", "--layers", &base.tag()])).succeeds();
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        for digest in [&base.made.index, &base.made.layer] {
            assert_eq!(
                mode(&blob(&env.cache().join("img"), digest)),
                0o444,
                "{umask}"
            );
        }
        for directory in ["img", "img/blobs", "img/blobs/sha256", "img/.rbuild"] {
            assert_eq!(mode(&env.cache().join(directory)), 0o700, "{umask}");
        }
    }
}

#[test]
fn c19_c23_a_name_that_somebody_else_wrote_gives_way_to_the_registrys_word() {
    let warmed = Warmed::new();
    let tag = format!("--base {}", warmed.base.tag());
    let built = build_online(&warmed.env, &tag).succeeds();
    let other = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let poison = put(&warmed.img(), other);
    let index = warmed.img().join("index.json");
    let text = fs::read_to_string(&index).expect("here");
    write(
        &index,
        text.replace(&warmed.base.made.index, &poison).as_bytes(),
    );
    assert_eq!(
        build_online(&warmed.env, &tag).succeeds().digest(),
        built.digest()
    );
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(warmed.img(), open).expect("set");
    assert_eq!(
        build_online(&warmed.env, &tag).succeeds().digest(),
        built.digest()
    );
}

#[test]
fn c20_k09_a_pull_of_a_new_name_sweeps_leftovers_of_yesterday_and_of_tomorrow() {
    let warmed = Warmed::new();
    let directory = warmed.img().join(".rbuild/tmp");
    let day = std::time::Duration::from_secs(25 * 60 * 60);
    let now = fs::metadata(&directory).expect("there").modified();
    let now = now.expect("told");
    for (name, time) in [
        ("new-old", now - day),
        ("new-odd", now + day),
        ("new-now", now),
    ] {
        let file = fs::File::create(directory.join(name)).expect("made");
        file.set_modified(time).expect("set");
    }
    let other = warmed.base.tag().replace(":v1", ":v2");
    let index = fs::read(warmed.path(&warmed.base.made.index)).expect("here");
    let kind = "application/vnd.oci.image.index.v1+json";
    warmed
        .base
        .there
        .put_manifest("team/base", "v2", kind, &index);
    let warm = format!("cache warm {other}");
    warmed
        .env
        .rbuild(&warmed.env.path("home"), &warm)
        .succeeds();
    assert_eq!(tree(&directory), ["new-now"]);
}

#[test]
fn r18_c16_a_pull_that_breaks_off_leaves_no_part_and_the_next_one_completes_it() {
    let env = TestEnv::new();
    let base = served(&env);
    let path = format!("*/blobs/{}", base.made.layer);
    let torn = Rule::on("GET", &path).times(5);
    base.there.rule(torn.then(Action::TruncateBody(10)));
    let warm = format!("cache warm --layers {}", base.tag());
    env.rbuild(&env.path("home"), &warm).ends_with(7);
    assert_eq!(temps(&env.path("")), [""; 0]);
    assert_eq!(faults_of(&env.cache().join("img")), [""; 0]);
    asked(&base.there);
    env.rbuild(&env.path("home"), &warm).succeeds();
    let expected = ["HEAD v1".to_owned(), format!("GET {}", base.made.layer)];
    assert_eq!(asked(&base.there), expected);
}
