//! Carried caches and real peers: what they filled is exported, what was exported they read, a kill leaves old or new, and the story
//! of an air gap from one network namespace to the next.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and its peers"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::cache_carry::{cache, carried, filled, img};
use crate::feed::{Feed, skopeo, two_platforms};
use crate::peers_kill::killer;
use crate::peers_ko::ko;
use crate::peers_memory::within_limits;
use crate::registry::free_port;
use crate::support::{Run, TestEnv, hex, image, peer, run, tree};
use crate::warm::{blob, faults_of};

/// A build of hello in a network namespace without a network.
fn alone(env: &TestEnv, words: &str) -> Run {
    let hello = env.path("hello");
    if !hello.exists() {
        env.workspace("hello");
    }
    let mut build = env.wrapped(&hello, &["unshare", "-rn"]);
    run(build
        .args(["build", ".", "--push=false"])
        .args(words.split(' ')))
}

/// Exports the cache of `env`, imports it elsewhere by each form, and builds there on the base; `more` are words of the export.
fn travels(env: &TestEnv, more: &str, base: &str, amd64: &str) {
    for form in ["out.tar", "out"] {
        remove(&env.path(form));
        cache(env, &format!("export {form} {more}")).succeeds();
        let there = carried(env, form);
        cache(&there, &format!("import {form} --trust-names")).succeeds();
        cache(&there, "verify").succeeds();
        let platform = "--platform linux/amd64";
        let built = alone(&there, &format!("{platform} --offline --base {base}")).succeeds();
        let (manifest, _) = image(&there.cache().join("build"), &built.digest());
        let digest = &manifest["annotations"]["org.opencontainers.image.base.digest"];
        assert_eq!(digest, amd64, "{form}");
        cache(&there, &format!("export again.tar {more}")).succeeds();
        if form == "out.tar" {
            let read = |path| fs::read(path).expect("there");
            assert!(read(env.path("out.tar")) == read(there.path("again.tar")));
        }
    }
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, unshare"]
fn d2_caches_that_crane_filled_travel_in_all_forms() {
    for (words, by_tag) in [
        (&[][..], false),
        (&["--annotate-ref"][..], true),
        (&["--platform", "linux/amd64"][..], false),
        (&["--platform", "linux/amd64", "--annotate-ref"][..], true),
    ] {
        let env = TestEnv::new();
        let feed = Feed::start(&env);
        feed.crane_pull(words, &img(&env));
        let pinned = match words.contains(&"--platform") {
            true => format!("{}@{}", feed.name(), feed.base.amd64),
            false => feed.pinned(),
        };
        travels(&env, "", &pinned, &feed.base.amd64);
        if by_tag {
            travels(&env, &feed.tag(), &feed.tag(), &feed.base.amd64);
            travels(&env, "--layers", &feed.tag(), &feed.base.amd64);
        }
    }
}

#[test]
#[ignore = "needs docker-registry, skopeo, unshare"]
fn d2_caches_and_archives_that_skopeo_wrote_travel() {
    let env = TestEnv::new();
    let feed = Feed::start(&env);
    fs::create_dir_all(env.cache()).expect("made");
    let from = format!("docker://{}", feed.tag());
    let to = format!("oci:{}:{}", img(&env).display(), feed.tag());
    skopeo(&["copy", "--all", &from, &to]);
    travels(&env, "--layers", &feed.tag(), &feed.base.amd64);

    let archive = format!("oci-archive:{}:{}", env.path("a.tar").display(), feed.tag());
    skopeo(&["copy", "--all", &from, &archive]);
    let there = carried(&env, "a.tar");
    cache(&there, "import a.tar --trust-names").succeeds();
    travels(&there, "--layers", &feed.tag(), &feed.base.amd64);
    let bare = format!("oci-archive:{}", env.path("b.tar").display());
    skopeo(&[
        "copy",
        "--override-arch",
        "amd64",
        "--override-os",
        "linux",
        &from,
        &bare,
    ]);
    let there = carried(&env, "b.tar");
    let run = cache(&there, "import b.tar").succeeds();
    assert_eq!(run.stdout(), format!("{}\n", feed.base.amd64));
    let saved = format!("docker-archive:{}:x:1", env.path("c.tar").display());
    skopeo(&[
        "copy",
        "--override-arch",
        "amd64",
        "--override-os",
        "linux",
        &from,
        &saved,
    ]);
    cache(&env, "import c.tar")
        .ends_with(2)
        .says("docker-archive");
}

#[test]
#[ignore = "needs crane, docker-registry, go, ko, skopeo, unshare"]
fn d2_a_cache_that_ko_filled_travels_and_ko_reads_what_was_carried() {
    let env = TestEnv::new();
    let feed = Feed::start(&env);
    ko(&env, &feed.pinned(), &[]).succeeds();
    travels(&env, "", &feed.pinned(), &feed.base.amd64);
    let there = TestEnv::new();
    fs::create_dir_all(there.cache()).expect("made");
    crate::support::copy(&env.path("out"), &img(&there));
    ko(&there, &feed.pinned(), &["unshare", "-rn"]).succeeds();
}

/// As `linuxkit cache pull` leaves it: `~/.linuxkit/cache`, full names in the root index, a lock of its own, and names of many
/// images beside each other.
#[test]
#[ignore = "needs unshare"]
fn d2_a_layout_of_linuxkits_shape_travels() {
    let env = TestEnv::new();
    let made = two_platforms(&img(&env));
    let path = img(&env).join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
    let name = "docker.io/linuxkit/base:1f4c2d";
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = json!(name);
    let mut other = index["manifests"][0].clone();
    other["annotations"]["org.opencontainers.image.ref.name"] =
        json!("docker.io/library/alpine:3.13");
    index["manifests"]
        .as_array_mut()
        .expect("a list")
        .push(other);
    fs::write(&path, index.to_string()).expect("written");
    fs::write(img(&env).join(".lock"), "").expect("written");
    travels(&env, "--layers", "linuxkit/base:1f4c2d", &made.amd64);
    travels(&env, "alpine:3.13", "alpine:3.13", &made.amd64);
    // Where linuxkit keeps it, it is imported as it lies there.
    let there = TestEnv::new();
    crate::support::copy(&img(&env), &there.path("home/.linuxkit/cache"));
    cache(&there, "import home/.linuxkit/cache --trust-names").succeeds();
    alone(
        &there,
        "--offline --platform linux/amd64 --base linuxkit/base:1f4c2d",
    )
    .succeeds();
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, umoci"]
fn d2_what_was_exported_crane_skopeo_and_umoci_read() {
    let env = TestEnv::new();
    let feed = Feed::start(&env);
    let warm = format!("warm --layers --platform all {}", feed.tag());
    cache(&env, &warm).succeeds();
    cache(&env, "export out").succeeds();
    cache(&env, "export out.tar").succeeds();
    let out = env.path("out").display().to_string();
    let to = |name: &str| format!("{}/{name}:1", feed.registry.host);
    let digest = |name: &str| {
        peer("crane", &["digest", &to(name)])
            .stdout()
            .trim()
            .to_owned()
    };
    peer("crane", &["push", "--index", &out, &to("by-crane")]);
    let from = format!("oci:{out}:{}", feed.tag());
    skopeo(&[
        "copy",
        "--all",
        &from,
        &format!("docker://{}", to("by-skopeo")),
    ]);
    let from = format!("oci-archive:{out}.tar:{}", feed.tag());
    skopeo(&[
        "copy",
        "--all",
        &from,
        &format!("docker://{}", to("by-archive")),
    ]);
    for name in ["by-skopeo", "by-archive"] {
        assert_eq!(digest(name), feed.base.index);
        peer("crane", &["validate", "--remote", &to(name)]);
    }
    let pushed = peer("crane", &["manifest", &to("by-crane")]).stdout();
    assert!(pushed.contains(&feed.base.index) || digest("by-crane") == feed.base.index);

    // umoci takes one image of a bare tag.
    let single = TestEnv::new();
    fs::create_dir_all(single.cache()).expect("made");
    let to = format!("oci:{}:it", img(&single).display());
    let from = format!("docker://{}", feed.tag());
    skopeo(&[
        "copy",
        "--override-arch",
        "amd64",
        "--override-os",
        "linux",
        &from,
        &to,
    ]);
    cache(&single, "export out it").succeeds();
    let image = format!("{}:it", single.path("out").display());
    let bundle = single.path("bundle").display().to_string();
    peer("umoci", &["unpack", "--image", &image, &bundle]);
    let unpacked = fs::read(single.path("bundle/rootfs/etc/base")).expect("unpacked");
    assert_eq!(unpacked, b"a base for amd64");
}

/// Calls that change files, each counted by itself.
const CALLS: [&str; 14] = [
    "write",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "unlink",
    "unlinkat",
    "mkdir",
    "fchmod",
    "chmod",
    "copy_file_range",
    "sendfile",
    "openat",
];

/// Kills the command at its `number`-th `call`; whether it was killed.
fn killed(env: &TestEnv, words: &str, (call, number): (&str, usize)) -> bool {
    let killer = killer(call, number);
    let mut wrapper: Vec<&str> = killer.iter().map(String::as_str).collect();
    wrapper.insert(1, "-f");
    let mut command = env.wrapped(&env.path(""), &wrapper);
    let run = run(command.arg("cache").args(words.split(' ')));
    let status = run.output.status;
    assert!(
        status.code() == Some(0) || status.signal() == Some(9),
        "{}",
        run.stderr()
    );
    status.code() != Some(0)
}

/// Kills `words` everywhere; `reset` before each try, `judge` after it, and then the command must succeed.
fn kill_everywhere(env: &TestEnv, words: &str, reset: &dyn Fn(), judge: &dyn Fn(bool)) -> usize {
    let mut tries = 0;
    for call in CALLS {
        for number in (1..).step_by(if call == "openat" { 7 } else { 1 }) {
            reset();
            if !killed(env, words, (call, number)) {
                break;
            }
            tries += 1;
            judge(false);
            cache(env, words).succeeds();
            judge(true);
        }
    }
    tries
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
}

#[test]
#[ignore = "needs strace"]
fn k_an_export_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let (env, _) = filled();
    cache(&env, "export good.tar").succeeds();
    cache(&env, "export good").succeeds();
    let good = fs::read(env.path("good.tar")).expect("there");
    let tar = env.path("out.tar");
    let tries = kill_everywhere(
        &env,
        "export out.tar",
        &|| fs::write(&tar, "old").expect("written"),
        &|is_done| {
            let found = fs::read(&tar).expect("there");
            assert!(found == good || (!is_done && found == b"old"));
        },
    );
    let directory = env.path("out");
    let more = kill_everywhere(
        &env,
        "export out",
        &|| {
            remove(&directory);
            for name in fs::read_dir(env.path("")).expect("listed").flatten() {
                if name.file_name().to_string_lossy().starts_with(".rbuild-") {
                    remove(&name.path());
                }
            }
        },
        &|is_done| {
            let found = tree(&directory);
            assert!(found == tree(&env.path("good")) || (!is_done && !directory.exists()));
            assert_eq!(faults_of(&directory), [""; 0]);
            if !is_done {
                remove(&directory);
            }
        },
    );
    println!("{tries} and {more} kills");
    assert!(tries > 10 && more > 30);
}

#[test]
#[ignore = "needs strace"]
fn k_an_import_that_is_killed_leaves_the_cache_as_it_was_or_complete() {
    let (from, _) = filled();
    cache(&from, "export out").succeeds();
    cache(&from, "export out.tar").succeeds();
    for form in ["out", "out.tar"] {
        let env = carried(&from, form);
        let words = format!("import {form} --trust-names");
        two_platforms(&env.path("before"));
        let before = fs::read(env.path("before/index.json")).expect("there");
        let tries = kill_everywhere(
            &env,
            &words,
            &|| {
                remove(&env.cache());
                crate::support::copy(&env.path("before"), &img(&env));
            },
            &|is_done| {
                assert_eq!(faults_of(&img(&env)), [""; 0]);
                let index = fs::read(img(&env).join("index.json")).expect("there");
                let has_new = String::from_utf8_lossy(&index).contains("r.example/base:1");
                assert!(has_new || (!is_done && index == before));
                let listed = cache(&env, "ls").succeeds().stdout();
                let rows = listed
                    .lines()
                    .filter(|line| line.contains("\tfull\t"))
                    .count();
                assert_eq!(rows, if has_new { 2 } else { 1 }, "{listed}");
            },
        );
        println!("{form}: {tries} kills");
        assert!(tries > 30);
    }
}

#[test]
#[ignore = "needs a cgroup"]
fn l02_half_a_gigabyte_is_exported_and_imported_without_memory() {
    let (env, made) = filled();
    let large = vec![7_u8; 1 << 20].repeat(512);
    let layer = format!("sha256:{}", hex(&large));
    fs::write(blob(&img(&env), &layer), &large).expect("written");
    let config = crate::support::document(&img(&env), &made.image)["config"].clone();
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": large.len()}]});
    drop(large);
    let manifest = crate::feed::put_document(&img(&env), "manifest", &manifest);
    let digest = manifest["digest"].as_str().expect("a digest").to_owned();
    let limited = |env: &TestEnv, words: &str| {
        let seen = within_limits(|wrapper| {
            let mut command = env.wrapped(&env.path(""), wrapper);
            command.arg("cache").args(words.split(' '));
            command
        });
        println!("{words}: {}", seen.figures());
        seen.run.succeeds();
    };
    limited(&env, &format!("export out.tar {digest}"));
    limited(&env, &format!("export out {digest}"));
    let there = TestEnv::new();
    fs::rename(env.path("out.tar"), there.path("out.tar")).expect("moved");
    limited(&there, "import out.tar");
    let again = TestEnv::new();
    fs::rename(env.path("out"), again.path("out")).expect("moved");
    limited(&again, "import out");
    assert!(blob(&img(&again), &layer).exists() && blob(&img(&there), &layer).exists());
}

/// A network namespace with nothing but a loopback of its own.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Namespace {
        let name = format!("rbuild-{}-{name}", std::process::id());
        peer("ip", &["netns", "add", &name]);
        let inside = Namespace(name);
        inside.peer(&["ip", "link", "set", "lo", "up"]);
        inside
    }

    fn wrapper(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.0]
    }

    fn peer(&self, words: &[&str]) -> Run {
        let all = [&self.wrapper()[..], words].concat();
        peer(all[0], &all[1..])
    }

    /// rbuild here, in the world and directory of `env`.
    fn rbuild(&self, env: &TestEnv, directory: &str, words: &str) -> Run {
        let mut command = env.wrapped(&env.path(directory), &self.wrapper());
        run(command.args(words.split(' '))).succeeds()
    }

    /// A registry on the loopback of this namespace.
    fn registry(&self, env: &TestEnv, host: &str) -> Served {
        let disk = env.path("registry").display().to_string();
        fs::create_dir_all(&disk).expect("made");
        let mut command = Command::new("ip");
        command.args(&self.wrapper()[1..]);
        command.args([
            "crane",
            "registry",
            "serve",
            "--address",
            host,
            "--disk",
            &disk,
        ]);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let served = Served(quiet.stderr(Stdio::null()).spawn().expect("started"));
        crate::warm::wait_until("the registry answers", || {
            let mut ask = Command::new("ip");
            ask.args(&self.wrapper()[1..])
                .args(["crane", "catalog", host]);
            run(&mut ask).output.status.success()
        });
        served
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.0])
            .status();
    }
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BOTH: &str = "--platform linux/amd64,linux/arm64";

/// Moves a file from one world to the next.
fn hand_over(from: &TestEnv, to: &TestEnv, (name, new): (&str, &str)) {
    fs::rename(from.path(name), to.path(new)).expect("carried");
}

/// The base of two platforms, put into the registry of the namespace; the digest of its index.
fn feed(online: &Namespace, env: &TestEnv, base: &str) -> String {
    let made = two_platforms(&env.path("source"));
    let from = format!("oci:{}:base", env.path("source").display());
    let to = format!("docker://{base}");
    let copy = ["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false"];
    online.peer(&[&copy[..], &[&from, &to]].concat());
    made.index
}

/// Without a registry: what was carried is sound, and is passed on as the same bytes.
fn pass_on(gap: &Namespace, env: &TestEnv) {
    gap.rbuild(env, "", "cache import --trust-names stick.tar");
    gap.rbuild(env, "", "cache verify");
    gap.rbuild(env, "", "cache export --layers out.tar");
    let read = |name: &str| fs::read(env.path(name)).expect("there");
    assert!(read("out.tar") == read("stick.tar"));
}

/// Imports the archive of the image and pushes it; gives the digest that the registry has then.
fn import_and_push(online: &Namespace, env: &TestEnv, name: &str) -> String {
    let imported = online.rbuild(env, "", "cache import --trust-names app.tar");
    let pushed = online.rbuild(env, "cache", &format!("push oci:img:{name} {name}"));
    assert_eq!(imported.stdout(), pushed.stdout());
    online.peer(&["crane", "validate", "--remote", name]);
    let there = online.peer(&["crane", "digest", name]);
    there.stdout().trim().to_owned()
}

#[test]
#[ignore = "needs crane, ip netns, skopeo, root"]
fn d1_three_namespaces_warm_carry_build_and_push_and_the_digests_are_those_of_an_online_build() {
    let [outside, carrier, inside, back, direct] = [(); 5].map(|()| TestEnv::new());
    let [online, gap, offline] = ["online", "gap", "offline"].map(Namespace::new);
    let host = format!("127.0.0.1:{}", free_port());
    let _registry = online.registry(&outside, &host);
    let base = format!("{host}/base:1");
    let index = feed(&online, &outside, &base);

    let warm = format!("cache warm --layers {BOTH} {base}");
    let warmed = online.rbuild(&outside, "", &warm);
    assert_eq!(warmed.stdout(), format!("{base}@{index}\n"));
    online.rbuild(&outside, "", "cache export stick.tar");
    hand_over(&outside, &carrier, ("stick.tar", "stick.tar"));
    pass_on(&gap, &carrier);
    hand_over(&carrier, &inside, ("out.tar", "in.tar"));

    offline.rbuild(&inside, "", "cache import --trust-names in.tar");
    inside.workspace("hello");
    let words = format!("build . --push=false {BOTH} --base {base} --repo {host}/team --tags v1");
    let archived = format!("{words} --offline --oci-archive app.tar");
    let digest = offline.rbuild(&inside, "hello", &archived).digest();

    hand_over(&inside, &back, ("hello/app.tar", "app.tar"));
    let name = format!("{host}/team/hello:v1");
    assert_eq!(import_and_push(&online, &back, &name), digest);

    // The same program, built where the registry is.
    direct.workspace("hello");
    assert_eq!(online.rbuild(&direct, "hello", &words).digest(), digest);
}
