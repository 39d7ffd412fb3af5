//! L04 to L10: many layers, many files, and a machine that allows little; many names and one processor are in `peers_limits`.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::memory::watched;
use crate::served::Served;
use crate::support::{TestEnv, architecture, document, hex, image, run, tree};
use crate::warm::{blob, build, build_behind, pinned_base, put, temps};

/// Runs what follows with a limit of the shell's `ulimit`.
const LIMITED: &str = "ulimit $LIMIT && exec \"$0\" \"$@\"";

/// A base with so many layers in an index of these platforms, in a registry of its own. All have the same layers.
pub(crate) fn large(env: &TestEnv, layers: usize, platforms: &[Value]) -> Served {
    let layout = env.path("large");
    fs::create_dir_all(layout.join("blobs/sha256")).expect("made");
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let pointer = |kind: &str, bytes: &[u8]| json!({"mediaType": oci(kind), "digest": put(&layout, bytes), "size": bytes.len()});
    let tars: Vec<Vec<u8>> = (0..layers).map(tar_of).collect();
    let diff_ids: Vec<String> = tars
        .iter()
        .map(|tar| format!("sha256:{}", hex(tar)))
        .collect();
    let layers: Vec<Value> = tars
        .iter()
        .map(|tar| pointer("layer.v1.tar+gzip", &gzip(tar)))
        .collect();
    let mut images = Vec::new();
    for platform in platforms {
        let mut config = platform.clone();
        config["config"] = json!({});
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config = pointer("config.v1+json", config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": oci("manifest.v1+json"), "config": config, "layers": layers});
        let mut one = pointer("manifest.v1+json", manifest.to_string().as_bytes());
        one["platform"] = platform.clone();
        images.push(one);
    }
    let index = json!({"schemaVersion": 2, "mediaType": oci("index.v1+json"), "manifests": images});
    let index = put(&layout, index.to_string().as_bytes());
    Served::of(layout, &index)
}

fn tar_of(number: usize) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(6);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    let name = format!("etc/layer-{number}");
    archive
        .append_data(&mut header, name, &b"a base"[..])
        .expect("in memory");
    archive.into_inner().expect("in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut reader = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    reader.read_to_end(&mut packed).expect("in memory");
    packed
}

fn here() -> Value {
    json!({"os": "linux", "architecture": architecture()})
}

/// `rbuild cache …` behind a wrapper, where paths need no quotes.
pub(crate) fn cache(env: &TestEnv, wrapper: &[&str], words: &str) -> Command {
    let mut command = env.wrapped(&env.path("home"), wrapper);
    command.arg("cache").args(words.split_whitespace());
    command
}

/// How a base travels, and what is made of it.
pub(crate) struct Life<'a> {
    pub(crate) wrapper: &'a [&'a str],
    /// What [`LIMITED`] limits.
    pub(crate) limit: &'a str,
    /// Names of exports.
    pub(crate) forms: &'a [&'a str],
    pub(crate) outputs: &'a str,
}

pub(crate) const EVERY_FORM: [&str; 2] = ["base.tar", "base"];
pub(crate) const EVERY_OUTPUT: &str =
    "--oci-archive @/a.tar --tarball @/t.tar --oci-layout-path @/l";

/// Whatever one does with a base, each command within its limits: fetched, carried, looked at, built on.
pub(crate) fn lives(base: &Served, life: &Life<'_>) {
    let here = TestEnv::new();
    let within = |mut command: Command| run(command.env("LIMIT", life.limit)).succeeds();
    let cache = |env: &TestEnv, words: &str| within(cache(env, life.wrapper, words));
    cache(
        &here,
        &format!("warm --layers --platform all {}", base.pin()),
    );
    let count = tree(&here.cache().join("img/blobs")).len();
    for form in life.forms {
        cache(&here, &format!("export {form}"));
        let there = TestEnv::new();
        let home = |env: &TestEnv| env.path("home").join(form);
        fs::rename(home(&here), home(&there)).expect("moved");
        cache(&there, &format!("import --trust-names {form}"));
        assert_eq!(
            tree(&there.cache().join("img/blobs")).len(),
            count,
            "{form}"
        );
        cache(&there, "verify");
        let listed = cache(&there, "ls").stdout();
        assert!(
            listed.contains("\tfull\t") && listed.contains(&base.made.index),
            "{listed}"
        );
        let arguments = format!("--base {} {}", base.pin(), life.outputs);
        let built = within(build_behind(&there, life.wrapper, &arguments));
        is_built_on(base, &there, &built.digest());
        assert_eq!(temps(&there.path("")), [""; 0]);
    }
}

/// The image begins with the layers of the base.
fn is_built_on(base: &Served, env: &TestEnv, digest: &str) {
    let (manifest, config) = image(&env.cache().join("build"), digest);
    let (_, of_base) = image(base.layout(), &base.made.index);
    let diff_ids = |config: &Value| {
        config["rootfs"]["diff_ids"]
            .as_array()
            .expect("a list")
            .clone()
    };
    assert!(diff_ids(&config).starts_with(&diff_ids(&of_base)));
    assert_eq!(
        manifest["layers"].as_array().map(Vec::len),
        Some(diff_ids(&config).len())
    );
}

#[test]
fn l04_a_base_of_500_layers_is_fetched_carried_and_built_on_with_less_than_100_files_open() {
    let env = TestEnv::new();
    let life = Life {
        wrapper: &["sh", "-c", LIMITED],
        limit: "-n 100",
        forms: &["base.tar"],
        outputs: "--oci-archive @/a.tar",
    };
    lives(&large(&env, 500, &[here()]), &life);
}

#[test]
fn l07_with_64_open_files_at_most_a_base_is_fetched_carried_and_built_on() {
    let env = TestEnv::new();
    let life = Life {
        wrapper: &["sh", "-c", LIMITED],
        limit: "-n 64",
        forms: &EVERY_FORM,
        outputs: EVERY_OUTPUT,
    };
    lives(&large(&env, 30, &[here()]), &life);
}

/// What lies in the directories of the user's: his own, and the one for temporary files.
fn litter(env: &TestEnv) -> Vec<String> {
    tree(&env.path("home"))
}

#[test]
fn l08_a_file_that_may_not_grow_is_an_error_with_its_path_and_leaves_nothing() {
    let env = TestEnv::new();
    let (made, pin) = pinned_base(&env);
    let outputs = format!("{pin} --oci-archive @/a.tar");
    let expected = build(&TestEnv::new(), "--base scratch").succeeds().digest();
    let limited = |limit: &str, mut command: Command| run(command.env("LIMIT", limit));
    let wrapper = ["sh", "-c", LIMITED];
    for blocks in ["0", "1", "8", "64"] {
        let limit = format!("-f {blocks}");
        let failed = limited(&limit, build_behind(&env, &wrapper, &outputs)).ends_with(8);
        let said = failed.stderr();
        assert!(
            said.contains(&env.path("").display().to_string()) && said.contains("File too large"),
            "{said}"
        );
        assert_eq!(failed.stdout(), "");
    }
    let exported = limited(
        "-f 2",
        cache(&env, &wrapper, &format!("export out.tar {}", made.index)),
    );
    exported.ends_with(8).says("File too large");
    assert_eq!(
        (litter(&env), temps(&env.path(""))),
        (Vec::new(), Vec::new())
    );
    assert!(!env.path("a.tar").exists());
    let roomy = limited("-f 100000", build_behind(&env, &wrapper, "--base scratch"));
    assert_eq!(roomy.succeeds().digest(), expected);
}

#[test]
fn l08_without_time_left_it_ends_as_if_stopped_and_leaves_nothing() {
    let env = TestEnv::new();
    let (made, _) = pinned_base(&env);
    // Hashing this takes minutes.
    let hole = blob(&env.cache().join("img"), &made.layer);
    fs::File::create(hole)
        .expect("made")
        .set_len(1 << 40)
        .expect("a hole");
    let mut command = cache(&env, &["sh", "-c", LIMITED], "verify");
    // 128 and the number of SIGXCPU.
    run(command.env("LIMIT", "-S -t 1")).ends_with(152);
    assert_eq!(
        (litter(&env), temps(&env.path(""))),
        (Vec::new(), Vec::new())
    );
}

#[test]
fn l08_a_directory_for_temporary_files_is_needed_only_where_the_cache_cannot_be_written() {
    let env = TestEnv::new();
    let expected = build(&TestEnv::new(), "--base scratch").succeeds().digest();
    for directory in [
        None,
        Some("/no/such/directory"),
        Some("/proc/self"),
        Some(""),
    ] {
        let with = |command: &mut Command| match directory {
            Some(directory) => drop(command.env("TMPDIR", directory)),
            None => drop(command.env_remove("TMPDIR")),
        };
        fs::remove_dir_all(env.cache()).unwrap_or_default();
        let mut command = build_behind(
            &env,
            &[],
            "--base scratch --oci-archive @/a.tar --tarball @/t.tar",
        );
        with(&mut command);
        assert_eq!(
            run(&mut command).succeeds().digest(),
            expected,
            "{directory:?}"
        );
        // No file can grow: neither that of the cache nor another one.
        let mut command = build_behind(
            &env,
            &["sh", "-c", LIMITED],
            "--base scratch --image-label new=1",
        );
        with(&mut command);
        let failed = run(command.env("LIMIT", "-f 0")).ends_with(8);
        assert!(
            failed.stderr().contains(&env.cache().display().to_string()),
            "{}",
            failed.stderr()
        );
        let lost = directory.filter(|name| name.contains("such"));
        assert!(
            lost.is_none_or(|name| failed.stderr().contains(name)),
            "{}",
            failed.stderr()
        );
    }
    assert_eq!(
        (litter(&env), temps(&env.path(""))),
        (Vec::new(), Vec::new())
    );
}

/// A build of hello with so many files in a layer of their own: its peak in KiB, and the digest of the image.
fn with_files(env: &TestEnv, hello: &Path, count: usize) -> (u64, String) {
    for number in 0..count {
        let place = hello.join(format!("static/{}", number % 100));
        if number < 100 {
            fs::create_dir_all(&place).expect("made");
        }
        let page = place.join(format!("{number}.html"));
        fs::write(page, format!("page {number}")).expect("written");
    }
    let yaml = "builds:\n- bin: hello\n  profile: dev\n  assets:\n  - {from: static/, to: /srv}\n";
    fs::write(hello.join(".builder.yaml"), yaml).expect("written");
    let mut command = env.command(hello);
    command.args(["build", ".", "--push=false", "--base", "scratch"]);
    let seen = watched(&mut command);
    (seen.peak, seen.run.succeeds().digest())
}

#[test]
fn l10_twenty_thousand_files_become_a_layer_in_flat_memory() {
    const COUNT: usize = 20_000;
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let (usual, _) = with_files(&env, &hello, 100);
    let (peak, digest) = with_files(&env, &hello, COUNT);
    println!("{peak} KiB, with a hundred files {usual} KiB");
    assert!(
        0 < usual && peak < usual + 24 * 1024,
        "{peak} KiB, with a hundred files {usual} KiB"
    );
    let store = env.cache().join("build");
    let layer = document(&store, &digest)["layers"][0]["digest"].clone();
    let found = pages(&blob(&store, layer.as_str().expect("a digest")));
    assert_eq!(found.len(), COUNT);
    assert!(found.is_sorted(), "in one order");
}

/// The paths of the files of a layer; each has the content that belongs to its name.
fn pages(layer: &Path) -> Vec<String> {
    let packed = fs::File::open(layer).expect("there");
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(packed));
    let mut found = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("whole");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().expect("a path").display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        let number = text.strip_prefix("page ").expect("a page");
        assert!(path.starts_with("srv/"), "{path}");
        assert!(path.ends_with(&format!("/{number}.html")), "{path}: {text}");
        found.push(path);
    }
    found
}
