//! kill -9 at every system call that changes a file: nothing wrong is ever visible, and the next run heals.
//!
//! strace delivers the signal as the call is entered, so call N is not done and all before it are.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::support::{TestEnv, base, run, tree};
use crate::warm::{build, build_behind, faults_of, temps};

/// Calls that change files or hold locks. strace counts each call by itself, so each is gone through by itself.
pub(crate) const FILE_CALLS: [&str; 22] = [
    "write",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "ftruncate",
    "fsync",
    "fdatasync",
    "unlink",
    "unlinkat",
    "copy_file_range",
    "sendfile",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmod",
    "fchmodat",
    "utimensat",
    "flock",
    "rmdir",
];
/// Calls before and after those.
const OPENING_CALLS: [&str; 2] = ["openat", "close"];
/// Calls between those, of all threads and children.
const OTHER_CALLS: [&str; 9] = [
    "read", "mmap", "munmap", "futex", "statx", "clone3", "wait4", "madvise", "exit",
];
const OUTPUTS: &str = "--oci-layout-path @/layout --oci-archive @/a.tar --tarball @/t.tar --image-refs @/refs --metadata-file @/meta.json";
const FILES: [&str; 4] = ["a.tar", "t.tar", "refs", "meta.json"];

/// What outputs are there, by name; none where there is nothing.
type Files = Vec<Option<Vec<u8>>>;

fn files(env: &TestEnv) -> Files {
    FILES
        .iter()
        .map(|name| fs::read(env.path(name)).ok())
        .collect()
}

/// What kills the program behind it as it enters its `number`-th `call`.
pub(crate) fn killer(call: &str, number: usize) -> Vec<String> {
    let inject = format!("inject=?{call}:signal=SIGKILL:when={number}");
    let trace = format!("trace=?{call}");
    let words = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &trace,
        "-e",
        &inject,
    ];
    words.map(str::to_owned).to_vec()
}

/// A start from which every try begins again, and what it must come to.
struct Scene {
    env: TestEnv,
    arguments: String,
    /// Whether an older image with the same outputs is there at the start.
    is_second: bool,
    before: Files,
    after: Files,
    digest: String,
    layout: Vec<String>,
}

impl Scene {
    fn new(is_second: bool) -> Scene {
        let env = TestEnv::new();
        let made = base(&env.path("img"), true, &[]);
        let arguments = format!("--base r.example/base@{} {OUTPUTS}", made.index);
        let mut scene = Scene {
            env,
            arguments,
            is_second,
            before: Files::new(),
            after: Files::new(),
            digest: String::new(),
            layout: Vec::new(),
        };
        scene.reset();
        scene.before = files(&scene.env);
        scene.digest = build(&scene.env, &scene.arguments).succeeds().digest();
        scene.after = files(&scene.env);
        scene.layout = scene.blobs();
        scene
    }

    /// The cold cache, with a pulled base in it and perhaps the traces of an older image.
    fn reset(&self) {
        for name in ["cache", "layout"] {
            let _ = fs::remove_dir_all(self.env.path(name));
        }
        for name in tree(&self.env.path("")) {
            if !name.contains('/') {
                fs::remove_file(self.env.path(&name)).expect("removed");
            }
        }
        crate::support::copy(&self.env.path("img"), &self.env.cache().join("img"));
        if self.is_second {
            build(
                &self.env,
                &format!("{} --image-label older=1", self.arguments),
            )
            .succeeds();
        }
    }

    fn blobs(&self) -> Vec<String> {
        tree(&self.env.path("layout/blobs"))
    }

    /// What is wrong right after the kill; temporary files may lie where they are swept or seen, and nowhere else.
    fn judge(&self) -> Vec<String> {
        let stores = [
            self.env.cache().join("img"),
            self.env.cache().join("build"),
            self.env.path("layout"),
        ];
        let mut faults: Vec<String> = stores.iter().flat_map(|store| faults_of(store)).collect();
        for (name, found) in FILES.iter().zip(files(&self.env)) {
            let place = FILES.iter().position(|known| known == name).expect("known");
            if found != self.before[place] && found != self.after[place] {
                faults.push(format!("{name} is neither old nor new"));
            }
        }
        let left = temps(&self.env.path(""));
        faults.extend(
            (left.len() > 1)
                .then(|| format!("more than the one file that was being written: {left:?}")),
        );
        faults
    }

    /// What is wrong after the next run.
    fn heal(&self) -> Vec<String> {
        let healed = run(&mut build_behind(&self.env, &[], &self.arguments));
        if healed.output.status.code() != Some(0) {
            return vec![healed.stderr()];
        }
        let mut faults = self.judge();
        let same = healed.digest() == self.digest && files(&self.env) == self.after;
        faults.extend((!same).then(|| "the next run ends otherwise".to_owned()));
        let lost = self
            .layout
            .iter()
            .filter(|name| !self.blobs().contains(name));
        faults.extend(lost.map(|name| format!("{name} is not in the layout")));
        faults
    }

    /// One try; `None` when the program was through before its `number`-th `call`.
    fn kill_at(&self, call: &str, number: usize, follow: &[&str]) -> Option<Vec<String>> {
        self.reset();
        let wrapper = killer(call, number);
        let wrapper: Vec<&str> = wrapper
            .iter()
            .map(String::as_str)
            .chain(follow.iter().copied())
            .collect();
        let killed = run(&mut build_behind(&self.env, &wrapper, &self.arguments));
        if killed.output.status.code() == Some(0) {
            return None;
        }
        let by_kill = killed.output.status.signal() == Some(9) || !follow.is_empty();
        assert!(by_kill, "{}", killed.stderr());
        let mut faults = self.judge();
        faults.extend(self.heal());
        Some(
            faults
                .into_iter()
                .map(|fault| format!("{call} {number}: {fault}"))
                .collect(),
        )
    }

    /// Kills at every `stride`-th of each of `calls`; tells what went wrong and gives the number of tries.
    fn kill_at_each(&self, calls: &[&str], stride: usize, follow: &[&str]) -> usize {
        let mut faults = Vec::new();
        let mut tries = 0;
        for call in calls {
            let found = (1..)
                .step_by(stride)
                .map_while(|number| self.kill_at(call, number, follow));
            for of_one in found {
                tries += 1;
                faults.extend(of_one);
            }
        }
        assert_eq!(faults, [""; 0], "after {tries} kills");
        tries
    }
}

#[test]
#[ignore = "needs strace"]
fn k01_k02_k04_a_kill_at_any_file_call_of_a_cold_build_is_healed() {
    let scene = Scene::new(false);
    let tries =
        scene.kill_at_each(&FILE_CALLS, 1, &[]) + scene.kill_at_each(&OPENING_CALLS, 3, &[]);
    eprintln!("kill points of a cold build: {tries}, unhealed: 0");
    assert!(tries >= 200, "only {tries} kill points");
}

#[test]
#[ignore = "needs strace"]
fn k01_k02_k04_a_kill_while_an_older_image_is_replaced_leaves_the_old_or_the_new_one() {
    let scene = Scene::new(true);
    let tries = scene.kill_at_each(&FILE_CALLS, 2, &[]);
    eprintln!("kill points of a second build: {tries}, unhealed: 0");
    assert!(tries >= 40, "only {tries} kill points");
}

#[test]
#[ignore = "needs strace"]
fn k01_k02_a_kill_in_any_thread_or_child_between_file_calls_is_healed() {
    let scene = Scene::new(false);
    let tries = scene.kill_at_each(&OTHER_CALLS, 9, &["-f"]);
    eprintln!("kill points of all threads and children: {tries}, unhealed: 0");
    assert!(tries >= 20, "only {tries} kill points");
}
