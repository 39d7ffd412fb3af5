//! One program of many crates, built in two ways that differ in everything that should not matter.

use std::fs;

use crate::support::{TestEnv, copy, run};

/// How one of the two is built.
struct Way<'a> {
    /// The directory of the clone.
    place: &'a str,
    wrapper: &'a [&'a str],
    umask: &'a str,
    zone: &'a str,
    locale: &'a str,
    jobs: &'a str,
}

fn digest(way: &Way<'_>) -> String {
    let env = TestEnv::new();
    let clone = env.path(way.place);
    fs::create_dir_all(&clone).expect("made");
    copy(&env.workspace("web"), &clone);
    let script = format!("umask {}; exec \"$@\"", way.umask);
    let mut wrapper = way.wrapper.to_vec();
    wrapper.extend(["sh", "-c", &script, "sh"]);
    let mut command = env.wrapped(&clone, &wrapper);
    command.env("CARGO_HOME", env.path(&format!("{}-cargo-home", way.jobs)));
    command.env("TZ", way.zone).env("LC_ALL", way.locale);
    let built = run(command.args(["build", ".", "--push=false", "--locked", "--jobs", way.jobs]));
    built.succeeds().digest()
}

#[test]
#[ignore = "needs crates.io, taskset"]
fn v04_a4_directory_cargo_home_user_umask_zone_locale_jobs_and_cores_do_not_show() {
    let one = Way {
        place: "a",
        wrapper: &["taskset", "-c", "0"],
        umask: "022",
        zone: "UTC",
        locale: "C",
        jobs: "1",
    };
    let other = Way {
        place: "another/clone with spaces/and a much longer name",
        wrapper: &["unshare", "--map-user=65534", "--map-group=65534"],
        umask: "077",
        zone: "Asia/Tokyo",
        locale: "tr_TR.UTF-8",
        jobs: "3",
    };
    assert_eq!(digest(&one), digest(&other));
}
