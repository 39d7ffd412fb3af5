//! `rbuild cache rm|prune|verify|ls`: what goes, what must stay, and what is said.

#![expect(
    clippy::disallowed_methods,
    reason = "what is old needs to know what today is"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::served::{Served, served};
use crate::support::{Run, TestEnv, base, hex, tree};
use crate::warm::{blob, build};

const DAY: u64 = 24 * 60 * 60;

fn cache(env: &TestEnv, arguments: &str) -> Run {
    let home = env.path("home");
    env.rbuild(&home, &format!("cache {arguments}"))
}

fn img(env: &TestEnv) -> PathBuf {
    env.cache().join("img")
}

/// The digests of the blobs in a store.
pub(crate) fn blobs(store: &Path) -> Vec<String> {
    tree(&store.join("blobs/sha256"))
}

/// Puts a blob, and gives its pointer.
pub(crate) fn put(store: &Path, bytes: &[u8]) -> Value {
    let directory = store.join("blobs/sha256");
    fs::create_dir_all(&directory).expect("made");
    fs::write(directory.join(hex(bytes)), bytes).expect("written");
    json!({"digest": format!("sha256:{}", hex(bytes)), "size": bytes.len(), "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"})
}

/// An image of these layers, on linux/amd64, without a name.
pub(crate) fn image(store: &Path, layers: &[&[u8]]) -> Value {
    let mut config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|one| format!("sha256:{}", hex(one))).collect::<Vec<_>>()}});
    config["of"] = json!(layers.iter().map(|one| hex(one)).collect::<String>());
    let mut config = put(store, config.to_string().as_bytes());
    config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    let layers: Vec<Value> = layers.iter().map(|one| put(store, one)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers});
    let mut pointer = put(store, manifest.to_string().as_bytes());
    pointer["mediaType"] = manifest["mediaType"].clone();
    pointer
}

fn index_of(store: &Path, children: &[&Value]) -> Value {
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children});
    let mut pointer = put(store, index.to_string().as_bytes());
    pointer["mediaType"] = index["mediaType"].clone();
    pointer
}

/// Writes an index.json of these entries, as other tools do.
pub(crate) fn name(store: &Path, entries: &[(&str, &Value)]) {
    let named = |(name, pointer): &(&str, &Value)| {
        let mut entry = (*pointer).clone();
        if !name.is_empty() {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        entry
    };
    let entries: Vec<Value> = entries.iter().map(named).collect();
    fs::write(
        store.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(store.join("index.json"), index.to_string()).expect("written");
    fs::set_permissions(store, fs::Permissions::from_mode(0o700)).expect("set");
}

pub(crate) fn digest(pointer: &Value) -> &str {
    pointer["digest"].as_str().expect("text")
}

/// Makes everything below a directory older, by so many days.
pub(crate) fn grow_old(directory: &Path, days: u64) {
    for name in tree(directory) {
        let path = directory.join(name);
        let file = fs::File::open(&path).expect("ours");
        let modified = file.metadata().expect("there").modified().expect("a time");
        let time = modified - Duration::from_secs(days * DAY);
        file.set_modified(time).expect("ours");
    }
}

/// Two images that share a layer, named `r.example/one:1` and `r.example/two:1`.
pub(crate) fn two_that_share(env: &TestEnv) -> (Value, Value) {
    let store = img(env);
    let one = image(&store, &[b"shared", b"of one"]);
    let two = image(&store, &[b"shared", b"of two"]);
    name(
        &store,
        &[("r.example/one:1", &one), ("r.example/two:1", &two)],
    );
    (one, two)
}

#[test]
fn rm_takes_what_only_that_name_needed_and_no_shared_blob() {
    let env = TestEnv::new();
    let (one, two) = two_that_share(&env);
    let before = blobs(&img(&env)).len();
    let run = cache(&env, "rm r.example/one:1").succeeds();
    assert!(
        run.stdout().starts_with("r.example/one:1\t"),
        "{}",
        run.stdout()
    );
    assert_eq!(blobs(&img(&env)).len(), before - 3);
    assert!(!blob(&img(&env), digest(&one)).exists());
    assert!(blob(&img(&env), digest(&two)).exists());
    let listed = cache(&env, "ls").succeeds().stdout();
    assert!(
        listed.starts_with("r.example/two:1\t") && listed.contains("\tfull\t"),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 1);
    cache(&env, "verify").succeeds();
}

#[test]
fn rm_of_one_of_two_names_of_an_image_takes_the_name_alone() {
    let env = TestEnv::new();
    let store = img(&env);
    let one = image(&store, &[b"layer"]);
    let index = index_of(&store, &[&one]);
    let outer = index_of(&store, &[&index]);
    name(
        &store,
        &[
            ("r.example/a:1", &outer),
            ("r.example/a:2", &outer),
            ("r.example/image:1", &one),
        ],
    );
    let before = blobs(&store);
    let run = cache(&env, "rm r.example/a:1").succeeds();
    assert!(run.stdout().ends_with("freed 0 bytes\n"));
    assert_eq!(blobs(&store), before);
    cache(&env, "rm r.example/image:1").succeeds();
    assert_eq!(blobs(&store), before, "the nested index needs it");
    cache(&env, &format!("rm {}", digest(&outer))).succeeds();
    assert_eq!(blobs(&store), [""; 0]);
}

#[test]
fn rm_of_what_is_not_there_names_what_is_like_it_and_takes_nothing() {
    let env = TestEnv::new();
    two_that_share(&env);
    let before = blobs(&img(&env));
    cache(&env, "rm r.example/one:1 r.example/tow:1")
        .ends_with(2)
        .says("the cache has no `r.example/tow:1`")
        .says("it has `r.example/two:1`");
    let none = format!("sha256:{}", hex(b"none"));
    cache(&env, &format!("rm {none}")).ends_with(2).says(&none);
    assert_eq!(blobs(&img(&env)), before);
    assert_eq!(cache(&env, "ls").stdout().lines().count(), 2);
}

#[test]
fn rm_of_what_is_not_there_says_where_each_name_lies_that_is_like_it() {
    let env = TestEnv::new();
    two_that_share(&env);
    let store = env.cache().join("build");
    let made = image(&store, &[b"made here"]);
    name(&store, &[("rbuild.local/tool:latest", &made)]);
    cache(&env, "rm rbuild.local/tol:latest")
        .ends_with(2)
        .says("it has `rbuild.local/tool:latest` in `build`")
        .says("it has `r.example/one:1` in `img`")
        .says("`rbuild cache ls` lists the bases, which lie in `img`");
    assert!(!cache(&env, "ls").stdout().contains("rbuild.local"));
    cache(&env, "rm rbuild.local/tool:latest").succeeds();
}

#[test]
fn rm_of_a_blob_that_an_image_needs_is_refused_and_of_a_loose_one_is_not() {
    let env = TestEnv::new();
    let (one, _) = two_that_share(&env);
    let shared = format!("sha256:{}", hex(b"shared"));
    cache(&env, &format!("rm {shared}"))
        .ends_with(2)
        .says("is a part of `r.example/")
        .says("hint:");
    let loose = put(&img(&env), b"loose");
    cache(&env, &format!("rm {}", digest(&loose))).succeeds();
    assert!(!blob(&img(&env), digest(&loose)).exists());
    assert!(blob(&img(&env), digest(&one)).exists());
}

#[test]
fn rm_keeps_what_builder_lock_names() {
    let env = TestEnv::new();
    let (one, _) = two_that_share(&env);
    let before = blobs(&img(&env));
    let lock = json!({"version": 1, "bases": [{"digest": digest(&one)}]});
    fs::write(env.path("home").join("builder.lock"), lock.to_string()).expect("written");
    cache(&env, "rm r.example/one:1").succeeds();
    assert_eq!(blobs(&img(&env)), before);
    assert_eq!(cache(&env, "ls").stdout().lines().count(), 1);
}

#[test]
fn rm_understands_hubs_short_names_and_both_annotations() {
    let env = TestEnv::new();
    let store = img(&env);
    let one = image(&store, &[b"1"]);
    let mut two = image(&store, &[b"2"]);
    two["annotations"] = json!({"io.containerd.image.name": "r.example/two:1"});
    name(
        &store,
        &[("index.docker.io/library/debian:13", &one), ("", &two)],
    );
    cache(&env, "rm debian:13 r.example/two:1").succeeds();
    assert_eq!(blobs(&store), [""; 0]);
}

#[test]
fn c19_names_of_a_cache_that_others_may_write_are_taken_away_by_nobody() {
    let env = TestEnv::new();
    two_that_share(&env);
    fs::set_permissions(img(&env), fs::Permissions::from_mode(0o777)).expect("set");
    let before = blobs(&img(&env));
    for arguments in ["rm r.example/one:1", "prune --keep-duration 0s"] {
        cache(&env, arguments)
            .ends_with(2)
            .says("can be written by others");
    }
    assert_eq!(blobs(&img(&env)), before);
}

#[test]
fn a_damaged_index_may_need_any_blob_so_none_goes_until_it_is_mended_or_taken_away() {
    let env = TestEnv::new();
    let store = img(&env);
    let one = image(&store, &[b"1"]);
    let index = index_of(&store, &[&one]);
    let two = image(&store, &[b"2"]);
    name(
        &store,
        &[("r.example/one:1", &index), ("r.example/two:1", &two)],
    );
    fs::write(blob(&store, digest(&index)), b"{}").expect("written");
    cache(&env, "rm r.example/two:1")
        .succeeds()
        .says("is damaged and may need any blob");
    assert!(blob(&store, digest(&one)).exists() && blob(&store, digest(&two)).exists());
    cache(&env, "rm r.example/one:1").succeeds();
    cache(&env, &format!("rm {}", digest(&two))).succeeds();
    assert!(!blob(&store, digest(&two)).exists());
}

/// A cache warmed from a registry, and the registry.
pub(crate) fn warmed(env: &TestEnv) -> Served {
    let base = served(env);
    cache(env, &format!("warm --layers {}", base.tag())).succeeds();
    base
}

#[test]
fn prune_takes_what_was_not_used_for_long_and_shows_it_before() {
    let env = TestEnv::new();
    let base = warmed(&env);
    let before = tree(&img(&env));
    let run = cache(&env, "prune").succeeds();
    assert_eq!(run.stdout(), "freed 0 bytes\n");
    grow_old(&img(&env), 31);
    let run = cache(&env, "prune --dry-run").succeeds();
    let would = run.stdout();
    assert!(
        would.starts_with(&format!("{}\t{}\t", base.tag(), base.made.index)),
        "{would}"
    );
    assert!(
        would.contains("\t31d\n") && would.contains("would free "),
        "{would}"
    );
    assert_eq!(tree(&img(&env)), before);
    let did = cache(&env, "prune").succeeds().stdout();
    assert_eq!(did, would.replace("would free", "freed"));
    assert_eq!(blobs(&img(&env)), [""; 0]);
    assert_eq!(cache(&env, "ls").stdout(), "");
}

#[test]
fn what_was_used_lately_is_not_pruned_however_long_ago_it_was_pulled() {
    let env = TestEnv::new();
    let base = warmed(&env);
    build(&env, &format!("--base {}", base.pin())).succeeds();
    grow_old(&img(&env), 31);
    let pin = format!("--base {}", base.pin());
    build(&env, &pin).succeeds();
    let run = cache(&env, "prune").succeeds();
    assert!(!run.stdout().contains(&base.made.index), "{}", run.stdout());
    assert!(blob(&img(&env), &base.made.index).exists());
    build(&env, &pin).succeeds();
}

#[test]
fn entries_of_other_tools_and_what_they_need_stay_and_what_nobody_names_goes() {
    let env = TestEnv::new();
    two_that_share(&env);
    let store = img(&env);
    let before = blobs(&store);
    let loose = put(&store, b"of nobody");
    grow_old(&store.join("blobs"), 400);
    let young = put(&store, b"being pulled by a tool that knows no locks");
    let run = cache(&env, "prune --keep-duration 0s").succeeds();
    assert!(
        run.stdout()
            .starts_with(&format!("-\t{}\t9 bytes\t400d\n", digest(&loose)))
    );
    assert!(blob(&store, digest(&young)).exists());
    assert_eq!(blobs(&store).len(), before.len() + 1);
    assert_eq!(cache(&env, "ls").stdout().lines().count(), 2);
}

#[test]
fn with_a_limit_the_oldest_use_goes_first_and_shared_blobs_with_the_last_who_needs_them() {
    let env = TestEnv::new();
    let build_store = env.cache().join("build");
    // Entries of the build store are ours, whoever wrote them.
    let shared = [b's'; 5_000];
    let old = image(&build_store, &[&shared, &[b'o'; 3_000]]);
    let new = image(&build_store, &[&shared, &[b'n'; 3_000]]);
    name(
        &build_store,
        &[("r.example/new:1", &new), ("r.example/old:1", &old)],
    );
    grow_old(&build_store.join("blobs"), 1);
    let of_old = blob(&build_store, digest(&old));
    let earlier = SystemTime::now() - Duration::from_secs(5 * DAY);
    fs::File::open(of_old)
        .expect("there")
        .set_modified(earlier)
        .expect("set");
    let run = cache(&env, "prune --max-used 10KB").succeeds();
    assert!(
        run.stdout().starts_with("r.example/old:1\t"),
        "{}",
        run.stdout()
    );
    let left = blobs(&build_store);
    assert!(left.contains(&hex(&shared)) && left.contains(&hex(&[b'n'; 3_000])));
    assert!(!left.contains(&hex(&[b'o'; 3_000])));
    cache(&env, "prune --max-used 0").succeeds();
    assert_eq!(blobs(&build_store), [""; 0]);
}

#[test]
fn min_free_is_a_share_of_the_file_system() {
    let env = TestEnv::new();
    warmed(&env);
    grow_old(&img(&env), 1);
    cache(&env, "prune --min-free 0%").succeeds();
    assert_ne!(blobs(&img(&env)), [""; 0]);
    cache(&env, "prune --min-free 100%").succeeds();
    assert_eq!(blobs(&img(&env)), [""; 0]);
    cache(&env, "prune --min-free much").ends_with(2);
}

#[test]
fn builder_lock_keeps_what_it_names_and_a_kept_image_the_layers_of_its_base() {
    let env = TestEnv::new();
    let base = warmed(&env);
    let lock = json!({"bases": [{"digest": base.made.index}]});
    let file = env.path("home").join("builder.lock");
    fs::write(&file, lock.to_string()).expect("written");
    grow_old(&img(&env), 31);
    let before = blobs(&img(&env));
    cache(&env, "prune --max-used 0").succeeds();
    assert_eq!(blobs(&img(&env)), before);
    assert_eq!(cache(&env, "ls").stdout().lines().count(), 1);
    fs::remove_file(&file).expect("removed");
    let pin = format!("--base {}", base.pin());
    build(&env, &pin).succeeds();
    grow_old(&img(&env), 31);
    cache(&env, "prune").succeeds();
    assert!(
        blob(&img(&env), &base.made.layer).exists(),
        "the image that was built needs it"
    );
    assert!(!blob(&img(&env), &base.made.index).exists());
}

#[test]
fn a_cache_in_use_is_pruned_by_nobody_and_one_being_pruned_is_waited_for() {
    let env = TestEnv::new();
    let base = warmed(&env);
    grow_old(&img(&env), 31);
    let held = fs::File::open(img(&env).join(".rbuild/use")).expect("made by the first writer");
    held.lock_shared().expect("locked");
    for arguments in ["prune".to_owned(), format!("rm {}", base.tag())] {
        cache(&env, &arguments)
            .ends_with(8)
            .says("is in use by another rbuild")
            .says("try again");
    }
    assert!(blob(&img(&env), &base.made.index).exists());
    held.unlock().expect("unlocked");
    held.lock().expect("locked");
    let home = env.path("home");
    let mut reader = env.command(&home);
    reader
        .args(["cache", "ls"])
        .stderr(std::process::Stdio::piped());
    let mut child = reader
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let mut told = String::new();
    let mut errors = std::io::BufReader::new(child.stderr.take().expect("piped"));
    std::io::BufRead::read_line(&mut errors, &mut told).expect("told");
    assert!(told.contains("another rbuild takes things away"), "{told}");
    held.unlock().expect("unlocked");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains(&base.tag()));
}

#[test]
fn a_cache_that_nobody_began_is_not_begun_by_taking_away() {
    let env = TestEnv::new();
    assert_eq!(cache(&env, "prune").succeeds().stdout(), "freed 0 bytes\n");
    cache(&env, "rm r.example/x:1")
        .ends_with(2)
        .says("the cache has no");
    assert!(!env.cache().exists());
}

#[test]
fn verify_tells_what_was_expected_and_found_and_repairs_what_a_name_leads_to() {
    let env = TestEnv::new();
    let base = warmed(&env);
    for victim in [
        &base.made.layer,
        &base.made.image,
        &base.made.index,
        &base.config(),
    ] {
        let path = blob(&img(&env), victim);
        let good = fs::read(&path).expect("readable");
        spoil(&path);
        let wrong = format!("sha256:{}", hex(&fs::read(&path).expect("readable")));
        cache(&env, "verify")
            .ends_with(5)
            .says(&format!("expected {victim}, found {wrong}"))
            .says("--repair");
        assert!(path.exists(), "a question moves nothing");
        base.asked();
        let run = cache(&env, "verify --repair").succeeds();
        assert!(
            run.stdout()
                .contains(&format!("{victim} was fetched again"))
        );
        assert_eq!(base.asked(), [format!("GET {victim}")]);
        assert_eq!(fs::read(&path).expect("again"), good);
    }
    cache(&env, "verify").succeeds();
}

/// Another byte in the middle, as a bad disk does it.
pub(crate) fn spoil(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("set");
    fs::write(path, bytes).expect("written");
}

#[test]
fn all_that_is_damaged_at_once_is_repaired_from_the_name_down() {
    let env = TestEnv::new();
    let base = warmed(&env);
    for name in blobs(&img(&env)) {
        spoil(&img(&env).join("blobs/sha256").join(name));
    }
    cache(&env, "verify --repair").succeeds();
    cache(&env, "verify").succeeds();
    build(
        &env,
        &format!("--base {} --oci-archive @/a.tar", base.pin()),
    )
    .succeeds();
}

#[test]
fn what_nobody_knows_a_source_of_is_told_and_left_where_it_is() {
    let env = TestEnv::new();
    warmed(&env);
    let loose = put(&img(&env), b"loose");
    let path = blob(&img(&env), digest(&loose));
    spoil(&path);
    cache(&env, "verify --repair")
        .ends_with(5)
        .says(digest(&loose));
    assert!(path.exists());
}

#[test]
fn repair_needs_a_network_and_says_so_without_one() {
    let env = TestEnv::new();
    let base = warmed(&env);
    spoil(&blob(&img(&env), &base.made.layer));
    base.asked();
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_OFFLINE", "1");
    crate::support::run(command.args(["cache", "verify", "--repair"])).says("RBUILD_OFFLINE");
    assert_eq!(base.asked(), [""; 0]);
    assert!(blob(&img(&env), &base.made.layer).exists());
}

#[test]
fn what_rbuild_made_is_put_aside_by_repair_and_made_again_by_the_next_build() {
    let env = TestEnv::new();
    let first = build(&env, "--base scratch --oci-archive @/a.tar")
        .succeeds()
        .digest();
    let store = env.cache().join("build");
    for name in blobs(&store) {
        spoil(&store.join("blobs/sha256").join(name));
    }
    cache(&env, "verify").ends_with(5);
    cache(&env, "verify --repair").succeeds();
    let again = build(&env, "--base scratch --oci-archive @/b.tar").succeeds();
    assert_eq!(again.digest(), first);
    cache(&env, "verify").succeeds();
}

#[test]
fn ls_tells_the_age_and_who_needs_it() {
    let env = TestEnv::new();
    let base = warmed(&env);
    let listed = || cache(&env, "ls").succeeds().stdout();
    let columns =
        |text: &str| -> Vec<String> { text.trim_end().split('\t').map(str::to_owned).collect() };
    let row = columns(&listed());
    assert_eq!(row.len(), 7, "{row:?}");
    assert!(row[5].ends_with('s') || row[5].ends_with('m'), "{row:?}");
    assert_eq!(row[6], "-");
    let home = env.path("home");
    fs::write(
        home.join(".builder.yaml"),
        format!("defaultBaseImage: {}\n", base.tag()),
    )
    .expect("written");
    assert_eq!(columns(&listed())[6], "config");
    let lock = json!({"bases": [{"digest": base.made.index}]});
    fs::write(home.join("builder.lock"), lock.to_string()).expect("written");
    build(&env, &format!("--base {}", base.tag())).succeeds();
    assert_eq!(columns(&listed())[6], "config,lock,record");
    grow_old(&img(&env), 3);
    assert_eq!(columns(&listed())[5], "3d");
}

#[test]
fn what_is_old_is_still_there_for_a_pin_and_for_a_tag_without_a_network() {
    let env = TestEnv::new();
    let base = warmed(&env);
    grow_old(&img(&env), 4_000);
    base.asked();
    build(&env, &format!("--base {}", base.pin())).succeeds();
    build(&env, &format!("--base {}", base.tag()))
        .succeeds()
        .says("4000 days ago");
    cache(&env, &format!("warm --layers {}", base.pin())).succeeds();
    assert_eq!(base.asked(), [""; 0], "a digest has no age");
    cache(&env, &format!("warm --layers {}", base.tag())).succeeds();
    assert_eq!(
        base.asked(),
        ["HEAD v1"],
        "a name is asked for, and what it means is here"
    );
}

#[test]
fn d5_warming_a_digest_that_is_here_makes_no_request() {
    let env = TestEnv::new();
    let base = warmed(&env);
    base.asked();
    cache(&env, &format!("warm {}", base.pin())).succeeds();
    cache(&env, &format!("warm --layers {}", base.pin())).succeeds();
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn a_layout_made_by_hand_is_full_in_the_list() {
    let env = TestEnv::new();
    base(&img(&env), true, &["r.example/base:1"]);
    let listed = cache(&env, "ls").succeeds().stdout();
    assert!(listed.contains("\tfull\t"), "{listed}");
}
