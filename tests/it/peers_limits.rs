//! L06, L09: a hundred thousand names, and one processor. No peer is needed but taskset, and more time than a test may take that
//! always runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::limits::{EVERY_FORM, Life, cache, large, lives};
use crate::memory::watched;
use crate::support::{MadeBase, TestEnv, architecture, base, hex};
use crate::warm::build_behind;

#[test]
#[ignore = "needs taskset"]
fn l09_on_one_processor_an_index_of_64_platforms_is_fetched_carried_and_built_on() {
    let env = TestEnv::new();
    let other =
        |number| json!({"os": "linux", "architecture": "riscv64", "variant": format!("v{number}")});
    let mut platforms: Vec<Value> = (1..64).map(other).collect();
    platforms.insert(0, json!({"os": "linux", "architecture": architecture()}));
    let life = Life {
        wrapper: &["taskset", "-c", "0"],
        limit: "",
        forms: &EVERY_FORM,
        outputs: "--oci-archive @/a.tar",
    };
    lives(&large(&env, 3, &platforms), &life);
}

/// 64 MiB, in KiB.
const MOST: u64 = 64 * 1024;
/// Where all names are in memory with what each leads to.
const MOST_OF_A_LIST: u64 = 2 * MOST;

/// An index.json of so many entries of other tools, which lead nowhere here, and of a base that is here.
fn crowded(env: &TestEnv, count: usize) -> MadeBase {
    let img = env.cache().join("img");
    let made = base(&img, true, &["r.example/base:1"]);
    let path = img.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).expect("made")).expect("JSON");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let entries = index["manifests"].as_array_mut().expect("a list");
    entries.extend((1..count).map(|number| {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", hex(&number.to_be_bytes())), "size": 1234,
            "annotations": {"org.opencontainers.image.ref.name": format!("r.example/team/other:{number}")}})
    }));
    fs::write(path, index.to_string()).expect("written");
    fs::set_permissions(img, fs::Permissions::from_mode(0o700)).expect("set");
    made
}

/// How many entries the index has.
fn entries(env: &TestEnv) -> usize {
    let index = fs::read(env.cache().join("img/index.json")).expect("there");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    index["manifests"].as_array().expect("a list").len()
}

#[test]
#[ignore = "needs most of a minute"]
fn l06_a_hundred_thousand_entries_cost_a_build_less_than_64_mib_and_a_list_no_more_than_twice_that()
{
    let env = TestEnv::new();
    let made = crowded(&env, 100_000);
    for base in [
        format!("r.example/base@{}", made.index),
        "r.example/base:1".to_owned(),
    ] {
        let seen = watched(&mut build_behind(&env, &[], &format!("--base {base}")));
        println!("{base}: {}", seen.figures());
        seen.run.succeeds();
        assert!(
            0 < seen.peak && seen.peak < MOST,
            "{base}: {} KiB",
            seen.peak
        );
    }
    for (words, lines, left) in [
        ("ls", 100_000, 100_000),
        ("prune", 1, 100_000),
        ("rm r.example/team/other:77", 2, 99_999),
    ] {
        // The watcher reads no pipe until the end, and a list is longer than a pipe.
        let kept = ["sh", "-c", "exec \"$0\" \"$@\" > list"];
        let seen = watched(&mut cache(&env, &kept, words));
        println!("{words}: {}", seen.figures());
        seen.run.succeeds();
        let list = fs::read_to_string(env.path("home/list")).expect("written");
        assert_eq!(list.lines().count(), lines, "{words}");
        assert!(
            0 < seen.peak && seen.peak < MOST_OF_A_LIST,
            "{words}: {} KiB",
            seen.peak
        );
        assert_eq!(entries(&env), left, "{words}");
    }
}
