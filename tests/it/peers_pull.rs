//! A pull that is killed, and a pull before the power goes: what a registry gives is never named before all of it is on the disk.
//!
//! The online halves of K01 and K08; the stores' own are in `peers_kill` and `peers_strace`.

use std::fs;
use std::path::Path;

use crate::served::{Served, served};
use crate::support::{TestEnv, run};
use crate::warm::{build, faults_of, temps};

const CALLS: [&str; 14] = [
    "write",
    "rename",
    "renameat2",
    "linkat",
    "fsync",
    "fdatasync",
    "unlink",
    "mkdir",
    "chmod",
    "fchmod",
    "utimensat",
    "flock",
    "openat",
    "close",
];

/// `cache warm --layers` behind strace, which is told this.
fn warm(env: &TestEnv, base: &Served, strace: &[&str]) -> crate::support::Run {
    let wrapper = [&["strace", "-f", "-qq"], strace].concat();
    let mut command = env.wrapped(&env.path("home"), &wrapper);
    run(command.args(["cache", "warm", "--layers", &base.tag()]))
}

/// The place in `lines` of the last one that has all of these words.
fn last(lines: &[&str], words: &[&str]) -> Option<usize> {
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    lines.iter().rposition(has_all)
}

/// Renames into the directory of blobs, each with the path that was renamed.
fn arrivals<'a>(lines: &[&'a str], blobs: &str) -> Vec<(usize, &'a str)> {
    let is_one = |line: &str| line.contains("rename") && line.contains(&format!("\"{blobs}/"));
    let arrived = lines.iter().enumerate().filter(|(_, line)| is_one(line));
    arrived
        .map(|(place, line)| (place, line.split('"').nth(1).expect("a path")))
        .collect()
}

#[test]
#[ignore = "needs strace"]
fn k08_a_pull_names_an_image_only_after_all_of_it_is_on_the_disk() {
    let env = TestEnv::new();
    let base = served(&env);
    let log = env.path("trace").display().to_string();
    let calls = "trace=fsync,fdatasync,?rename,renameat,renameat2";
    warm(&env, &base, &["-y", "-s", "4096", "-e", calls, "-o", &log]).succeeds();
    let trace = fs::read_to_string(&log).expect("written");
    let lines: Vec<&str> = trace.lines().collect();
    let img = env.cache().join("img").display().to_string();
    let blobs = format!("{img}/blobs/sha256");
    let arrivals = arrivals(&lines, &blobs);
    assert_eq!(arrivals.len(), 4, "index, manifest, config, layer\n{trace}");
    for (place, temp) in &arrivals {
        let synced = last(&lines[..*place], &["sync(", temp]);
        assert!(
            synced.is_some(),
            "{temp} is named before it is there\n{trace}"
        );
    }
    let named = last(&lines, &["rename", &format!("{img}/index.json\"")]).expect("named");
    let documents = arrivals.iter().filter(|(place, _)| *place < named);
    assert_eq!(documents.count(), 3, "{trace}");
    let rests = last(&lines[..named], &["fsync(", &format!("<{blobs}>")]).expect("synced");
    let before = arrivals.iter().filter(|(place, _)| *place < named);
    assert!(before.clone().all(|(place, _)| *place < rests), "{trace}");
    // The layer has no name of its own: its directory is synced before the command says that it is here.
    let (layer, _) = arrivals.last().expect("the layer");
    let after = last(&lines, &["fsync(", &format!("<{blobs}>")]).expect("synced");
    assert!(after > *layer, "{trace}");
}

/// Nothing wrong is visible, and at most the file that was being written is left.
fn judge(env: &TestEnv, about: &str) {
    let img = env.cache().join("img");
    assert_eq!(faults_of(&img), [""; 0], "{about}");
    assert!(temps(&env.path("")).len() <= 1, "{about}");
    let index = fs::read_to_string(img.join("index.json")).unwrap_or_default();
    for digest in index.split("sha256:").skip(1).map(|rest| &rest[..64]) {
        let blob = img.join("blobs/sha256").join(digest);
        assert!(Path::new(&blob).is_file(), "{about}: named, not here");
    }
}

#[test]
#[ignore = "needs strace"]
fn k01_a_pull_that_is_killed_at_any_file_call_is_healed_by_the_next() {
    let mut kills = 0;
    for call in CALLS {
        let stride = if ["openat", "close"].contains(&call) {
            7
        } else {
            1
        };
        for number in (1..60).step_by(stride) {
            let env = TestEnv::new();
            let base = served(&env);
            let about = format!("{call} {number}");
            let inject = format!("inject=?{call}:signal=SIGKILL:when={number}");
            let trace = format!("trace=?{call}");
            let strace = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
            if warm(&env, &base, &strace).output.status.code() == Some(0) {
                break;
            }
            kills += 1;
            judge(&env, &about);
            let again = format!("cache warm --layers {}", base.tag());
            env.rbuild(&env.path("home"), &again).succeeds();
            judge(&env, &about);
            build(&env, &format!("--tarball @/t.tar --base {}", base.tag())).succeeds();
        }
    }
    eprintln!("kill points of a pull: {kills}, unhealed: 0");
    assert!(kills >= 30, "only {kills} kill points");
}
