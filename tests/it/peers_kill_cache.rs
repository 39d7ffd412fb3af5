//! kill -9 at every system call with which `rbuild cache …` changes a file: nothing that is needed is lost, and the next run ends the work.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::cache_tools::{
    blobs, digest, grow_old, image, name, put, spoil, two_that_share, warmed,
};
use crate::peers_kill::{FILE_CALLS, killer};
use crate::support::{Run, TestEnv, command, hex, run, tree};
use crate::warm::{blob, faults_of};

/// The files of a kit, which are there together or not at all.
const KIT: [&str; 2] = ["ld", "ld.2"];

/// A cache from which every try begins again, and what it must come to.
struct Scene {
    env: TestEnv,
    /// What follows `rbuild cache`, and is killed.
    killed: &'static str,
    /// What ends the work afterwards; the last of them must succeed.
    then: Vec<String>,
    /// Blobs that are wrong from the beginning.
    wrong: Vec<String>,
    /// What the whole of it comes to.
    blobs: Vec<String>,
    /// Names before and after.
    kept: BTreeSet<String>,
}

impl Scene {
    /// The cache of `env` is the start.
    fn new(env: TestEnv, killed: &'static str, then: &[&str]) -> Scene {
        fs::rename(env.cache(), env.path("start")).expect("renamed");
        let mut scene = Scene {
            env,
            killed,
            then: then.iter().map(|words| (*words).to_owned()).collect(),
            wrong: Vec::new(),
            blobs: Vec::new(),
            kept: BTreeSet::new(),
        };
        scene.reset();
        scene.wrong = scene.faults();
        let before = scene.names();
        scene.cache(&[], killed).succeeds();
        scene.end();
        scene.blobs = scene.blobs_now();
        scene.kept = before.intersection(&scene.names()).cloned().collect();
        scene
    }

    fn reset(&self) {
        let _ = fs::remove_dir_all(self.env.cache());
        let mut copy = command("cp", &["-a"]);
        run(copy.arg(self.env.path("start")).arg(self.env.cache())).succeeds();
    }

    fn cache(&self, wrapper: &[&str], arguments: &str) -> Run {
        let mut command = self.env.wrapped(&self.env.path(""), wrapper);
        run(command.arg("cache").args(arguments.split_whitespace()))
    }

    fn stores(&self) -> [PathBuf; 2] {
        ["img", "build"].map(|name| self.env.cache().join(name))
    }

    fn faults(&self) -> Vec<String> {
        self.stores()
            .iter()
            .flat_map(|store| faults_of(store))
            .collect()
    }

    fn blobs_now(&self) -> Vec<String> {
        self.stores()
            .iter()
            .flat_map(|store| blobs(store))
            .collect()
    }

    fn entries(&self) -> Vec<Value> {
        let indexes = self
            .stores()
            .into_iter()
            .filter_map(|store| fs::read(store.join("index.json")).ok());
        let lists = indexes.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        lists
            .flat_map(|index| index["manifests"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let name = |entry: &Value| {
            Some(
                entry["annotations"]["org.opencontainers.image.ref.name"]
                    .as_str()?
                    .to_owned(),
            )
        };
        self.entries().iter().filter_map(name).collect()
    }

    /// What an image lacks, below its manifest or index.
    fn lacks(&self, root: &str) -> Vec<String> {
        let found = self
            .stores()
            .iter()
            .find_map(|store| fs::read(blob(store, root)).ok());
        let Some(bytes) = found else {
            return vec![format!("{root} is lost")];
        };
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let lists = ["manifests", "layers"]
            .map(|key| document[key].as_array().cloned().unwrap_or_default());
        let below = lists.iter().flatten().chain([&document["config"]]);
        below
            .filter_map(|one| one["digest"].as_str())
            .flat_map(|one| self.lacks(one))
            .collect()
    }

    /// What is wrong: a name or a blob that is lost, a blob or an index that is torn.
    fn judge(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.faults();
        faults.retain(|fault| !self.wrong.contains(fault));
        let names = self.names();
        faults.extend(
            self.kept
                .difference(&names)
                .map(|name| format!("{name} is lost")),
        );
        let kits = tree(&self.env.cache().join("build/.rbuild/kits"));
        faults.extend((kits.len() == 1).then(|| format!("half a kit: {kits:?}")));
        if self.wrong.is_empty() {
            faults.extend(
                self.entries()
                    .iter()
                    .flat_map(|entry| self.lacks(digest(entry))),
            );
        }
        faults
    }

    /// Does again what was killed, and what follows it.
    fn end(&self) -> Vec<String> {
        let runs: Vec<Run> = self
            .then
            .iter()
            .map(|words| self.cache(&[], words))
            .collect();
        match runs.last() {
            Some(last) if !last.output.status.success() => vec![last.stderr()],
            _ => Vec::new(),
        }
    }

    /// One try; `None` when the program was through before its `number`-th `call`.
    fn kill_at(&self, call: &str, number: usize) -> Option<Vec<String>> {
        self.reset();
        let wrapper = killer(call, number);
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).chain(["-f"]).collect();
        let killed = self.cache(&wrapper, self.killed);
        if killed.output.status.success() {
            return None;
        }
        assert_eq!(
            killed.output.status.signal(),
            Some(9),
            "{}",
            killed.stderr()
        );
        let mut faults = self.judge();
        faults.extend(self.end());
        faults.extend(self.judge());
        faults.extend(
            (self.blobs_now() != self.blobs).then(|| "the next run ends otherwise".to_owned()),
        );
        Some(
            faults
                .into_iter()
                .map(|fault| format!("{call} {number}: {fault}"))
                .collect(),
        )
    }

    /// Kills at every `stride`-th of each call that changes files; gives the number of tries.
    fn kill_at_each(&self, stride: usize) -> usize {
        let mut tries = 0;
        let mut faults = Vec::new();
        for call in FILE_CALLS {
            let of_call = (1..)
                .step_by(stride)
                .map_while(|number| self.kill_at(call, number));
            for of_one in of_call {
                tries += 1;
                faults.extend(of_one);
            }
        }
        assert_eq!(faults, [""; 0], "after {tries} kills");
        tries
    }
}

/// Images of others in `img`, two of ours in `build` of which one shares a layer with `img`, a kit, and a blob of nobody; all of it old.
fn old_cache() -> TestEnv {
    let env = TestEnv::new();
    two_that_share(&env);
    let build = env.cache().join("build");
    let ours = image(&build, &[b"shared", b"of ours"]);
    let other = image(&build, &[b"of another"]);
    name(
        &build,
        &[("r.example/ours:1", &ours), ("r.example/other:1", &other)],
    );
    put(&env.cache().join("img"), b"of nobody");
    let kit = build.join(format!(".rbuild/kits/linker/{}", hex(b"a kit")));
    fs::create_dir_all(&kit).expect("made");
    for name in KIT {
        fs::write(kit.join(name), name).expect("written");
    }
    grow_old(&env.cache(), 31);
    let used = fs::metadata(kit.join(KIT[0])).and_then(|found| found.modified());
    let directory = fs::File::open(&kit).expect("made");
    directory.set_modified(used.expect("a time")).expect("set");
    env
}

#[test]
#[ignore = "needs strace"]
fn k06_a_kill_at_any_file_call_of_prune_loses_nothing_that_is_named() {
    let scene = Scene::new(old_cache(), "prune", &["prune"]);
    assert_eq!(scene.kept.len(), 2);
    let kits = scene.env.cache().join("build/.rbuild/kits");
    assert_eq!(tree(&kits), [""; 0]);
    let tries = scene.kill_at_each(1);
    eprintln!("kill points of `{}`: {tries}, unhealed: 0", scene.killed);
    assert!(tries >= 20, "only {tries} kill points");
}

#[test]
#[ignore = "needs strace"]
fn k06_a_kill_at_any_file_call_of_rm_loses_nothing_that_is_named() {
    let then = ["rm r.example/one:1", "prune --keep-duration 0s"];
    let scene = Scene::new(old_cache(), "rm r.example/one:1", &then);
    assert_eq!(scene.kept.len(), 1);
    let tries = scene.kill_at_each(1);
    eprintln!("kill points of `{}`: {tries}, unhealed: 0", scene.killed);
    assert!(tries >= 20, "only {tries} kill points");
}

#[test]
#[ignore = "needs strace"]
fn k06_a_kill_while_damaged_blobs_are_put_aside_and_fetched_again_is_healed() {
    let env = TestEnv::new();
    let base = warmed(&env);
    spoil(&blob(&env.cache().join("img"), &base.made.layer));
    spoil(&blob(&env.cache().join("img"), &base.made.index));
    let warm = format!("warm --layers {}", base.tag());
    let scene = Scene::new(env, "verify --repair", &["verify --repair", &warm]);
    assert_eq!(scene.wrong.len(), 2);
    let tries = scene.kill_at_each(1);
    eprintln!("kill points of `{}`: {tries}, unhealed: 0", scene.killed);
    assert!(tries >= 20, "only {tries} kill points");
}

/// A layout of fifty images, and a cache that holds another one.
fn fifty() -> TestEnv {
    let env = TestEnv::new();
    let layout = env.path("layout");
    let images: Vec<(String, Value)> = (0..50)
        .map(|number| {
            (
                format!("r.example/i:{number}"),
                image(&layout, &[b"shared", format!("{number}").as_bytes()]),
            )
        })
        .collect();
    let named: Vec<(&str, &Value)> = images
        .iter()
        .map(|(text, pointer)| (text.as_str(), pointer))
        .collect();
    name(&layout, &named);
    two_that_share(&env);
    env
}

#[test]
#[ignore = "needs strace"]
fn k05_a_kill_while_fifty_images_are_imported_names_none_that_is_not_whole() {
    let import = "import --trust-names layout";
    let scene = Scene::new(fifty(), import, &[import]);
    assert_eq!((scene.kept.len(), scene.names().len()), (2, 52));
    let tries = scene.kill_at_each(61);
    eprintln!("kill points of `{}`: {tries}, unhealed: 0", scene.killed);
    assert!(tries >= 20, "only {tries} kill points");
}

#[test]
#[ignore = "needs strace"]
fn k05_a_kill_while_fifty_images_come_as_a_tar_names_none_that_is_not_whole() {
    let env = fifty();
    let tar = env.path("images.tar");
    let mut pack = command("tar", &["-cf"]);
    run(pack.arg(&tar).arg("-C").arg(env.path("layout")).arg(".")).succeeds();
    let import = "import --trust-names images.tar";
    let scene = Scene::new(env, import, &[import]);
    assert_eq!((scene.kept.len(), scene.names().len()), (2, 52));
    let tries = scene.kill_at_each(61);
    eprintln!("kill points of `{}`: {tries}, unhealed: 0", scene.killed);
    assert!(tries >= 20, "only {tries} kill points");
}
