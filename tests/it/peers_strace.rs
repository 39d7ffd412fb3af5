//! What only strace can show or do: that no socket is opened and nothing is written, and system calls that fail when told to.

use std::fs;

use crate::support::{TestEnv, run};
use crate::warm::{build, build_behind, faults_of, hello, pinned_base, script, temps};

const RENAMES: &str = "?rename,renameat,renameat2";

/// Lines of a trace with a socket that could reach beyond this machine's processes.
fn network(trace: &str) -> Vec<&str> {
    let outward = |line: &&str| {
        ["AF_INET", "AF_NETLINK", "AF_PACKET"]
            .iter()
            .any(|family| line.contains(family))
    };
    trace.lines().filter(outward).collect()
}

/// Runs the program with these arguments and tells which network calls it and its children made.
fn traced(env: &TestEnv, directory: &std::path::Path, arguments: &str) -> String {
    let log = env.path("trace");
    let log_name = log.display().to_string();
    let mut command = env.wrapped(
        directory,
        &[
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=%network",
            "-o",
            &log_name,
        ],
    );
    run(command.args(arguments.split_whitespace())).succeeds();
    fs::read_to_string(log).expect("written")
}

#[test]
#[ignore = "needs strace"]
fn o01_o02_o03_with_sockets_refused_and_without_a_network_the_digest_is_the_same() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    let arguments = format!("build . --push=false {pin}");
    let online = env.rbuild(hello(), &arguments).succeeds().digest();
    let refused = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=socket",
        "-e",
        "inject=socket:error=EACCES",
    ];
    for wrapper in [&["unshare", "-rn"][..], &refused] {
        for cold in [false, true] {
            if cold {
                fs::remove_dir_all(env.cache().join("build")).expect("removed");
            }
            let mut command = env.wrapped(hello(), wrapper);
            assert_eq!(
                run(command.args(arguments.split(' '))).succeeds().digest(),
                online,
                "{wrapper:?}"
            );
        }
    }
    let compiled_there = env.workspace("hello");
    let mut command = env.wrapped(&compiled_there, &["unshare", "-rn"]);
    assert_eq!(
        run(command.args(arguments.split(' '))).succeeds().digest(),
        online
    );
}

#[test]
#[ignore = "needs strace"]
fn o02_o11_no_subcommand_opens_a_socket_that_leads_out() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    build(&env, &pin).succeeds();
    let fresh = env.workspace("hello");
    let mut calls = 0;
    for arguments in [
        format!(
            "build . --push=false {pin} --oci-archive a.tar --tarball t.tar --oci-layout-path l --image-refs r --metadata-file m"
        ),
        "build . --push=false".to_owned(),
        "build . --push=false --offline --platform linux/amd64,linux/arm64 --dry-run".to_owned(),
        format!("build . --push=false {pin} --dry-run"),
        format!("doctor {pin}"),
        "doctor --offline --platform linux/amd64,linux/arm64".to_owned(),
        format!("cache warm {} builtin:static scratch oci:here", &pin[7..]),
        format!("cache warm --layers --no-mirror-fallback {}", &pin[7..]),
        "cache ls".to_owned(),
        "cache verify".to_owned(),
        "cache dir".to_owned(),
        "config show".to_owned(),
        "completions bash".to_owned(),
        "version".to_owned(),
        "help".to_owned(),
        "help build".to_owned(),
        "help doctor".to_owned(),
        "--version".to_owned(),
        "build --help".to_owned(),
    ] {
        let trace = traced(&env, &fresh, &arguments);
        assert_eq!(network(&trace), [""; 0], "{arguments}");
        calls += 1;
    }
    eprintln!("calls traced: {calls}, sockets that lead out: 0");
    let sees = "1 socket(AF_INET, SOCK_STREAM, 0) = 3\n1 socket(AF_UNIX, SOCK_STREAM, 0) = 3";
    assert_eq!(network(sees).len(), 1, "the scan can fail");
}

#[test]
#[ignore = "needs strace"]
fn o05_o09_a_cold_cache_asks_no_name_server_and_runs_no_helper() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    let docker = env.path("docker");
    fs::create_dir(&docker).expect("made");
    let config = r#"{"credsStore": "evil", "credHelpers": {"r.example": "evil"}}"#;
    fs::write(docker.join("config.json"), config).expect("written");
    script(&docker.join("docker-credential-evil"), "exit 1");
    let path = std::env::join_paths(
        [docker.clone()]
            .into_iter()
            .chain(std::env::split_paths(env!("PATH"))),
    )
    .expect("a path");
    let log = env.path("trace").display().to_string();
    for (arguments, code) in [(pin.as_str(), 0), ("--base r.example/no/such:tag", 4)] {
        let wrapper = [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=%network,execve,openat",
            "-o",
            &log,
        ];
        let mut command = build_behind(&env, &wrapper, arguments);
        run(command.env("DOCKER_CONFIG", &docker).env("PATH", &path)).ends_with(code);
        let trace = fs::read_to_string(&log).expect("written");
        assert_eq!(network(&trace), [""; 0]);
        assert!(
            trace.contains("execve") && !trace.contains("docker-credential"),
            "a helper was run"
        );
        assert!(
            !trace.contains("resolv.conf") && !trace.contains("config.json\""),
            "somebody prepares to ask"
        );
    }
}

/// Runs a build in which the N-th of `calls` fails with `error`; gives none when there was no N-th.
fn failing(env: &TestEnv, calls: &str, error: &str, number: &str) -> Option<crate::support::Run> {
    let log = env.path("trace").display().to_string();
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:error={error}:when={number}");
    let wrapper = ["strace", "-qq", "-o", &log, "-e", &trace, "-e", &inject];
    let outcome = run(&mut build_behind(
        env,
        &wrapper,
        "--base scratch --oci-archive @/a.tar --oci-layout-path @/layout",
    ));
    let happened = fs::read_to_string(&log)
        .expect("written")
        .contains("(INJECTED)");
    happened.then_some(outcome)
}

/// Lets every `stride`-th of `calls` fail once, in a cold world each: told with a path and code 8, or not needed; never torn.
fn each_may_fail(calls: &str, error: &str, stride: usize) -> usize {
    let expected = build(&TestEnv::new(), "--base scratch").succeeds().digest();
    let mut told = 0;
    for number in (1..200).step_by(stride) {
        let env = TestEnv::new();
        let Some(outcome) = failing(&env, calls, error, &number.to_string()) else {
            return told;
        };
        let said = outcome.stderr();
        match outcome.output.status.code() {
            Some(0) => assert_eq!(outcome.digest(), expected, "{calls} {error} {number}"),
            Some(8) => told += 1,
            other => panic!("{calls} {error} {number}: {other:?}\n{said}"),
        }
        if outcome.output.status.code() == Some(8) {
            assert!(
                said.contains(&env.path("").display().to_string()),
                "no path in: {said}"
            );
            assert_eq!(outcome.stdout(), "");
        }
        for layout in [env.cache().join("build"), env.path("layout")] {
            assert_eq!(faults_of(&layout), [""; 0], "{calls} {error} {number}");
        }
        assert_eq!(temps(&env.path("")), [""; 0], "{calls} {error} {number}");
        let again = build(
            &env,
            "--base scratch --oci-archive @/a.tar --oci-layout-path @/layout",
        )
        .succeeds();
        assert_eq!(again.digest(), expected);
    }
    panic!("no end of {calls}");
}

#[test]
#[ignore = "needs strace"]
fn c17_a_failed_fsync_is_told_and_never_tried_again_as_if_nothing_had_happened() {
    let told = each_may_fail("fsync,fdatasync", "EIO", 1);
    eprintln!("failed fsyncs told: {told}");
    assert!(told >= 10, "{told}");
}

#[test]
#[ignore = "needs strace"]
fn c17_a_failed_rename_is_told() {
    for (error, stride) in [("EIO", 1), ("EXDEV", 4), ("EDQUOT", 4)] {
        let told = each_may_fail(RENAMES, error, stride);
        assert!(told * stride >= 8, "{error}: {told}");
    }
}

#[test]
#[ignore = "needs strace"]
fn c16_c17_a_write_that_finds_no_room_is_told() {
    for error in ["ENOSPC", "EDQUOT", "EIO"] {
        let env = TestEnv::new();
        let mut codes = std::collections::BTreeSet::new();
        for number in (5..60).step_by(3) {
            let outcome = failing(&env, "write", error, &format!("{number}+"));
            codes.extend(outcome.map(|outcome| outcome.output.status.code()));
            for layout in [env.cache().join("build"), env.path("layout")] {
                assert_eq!(faults_of(&layout), [""; 0], "{error} {number}");
            }
            assert_eq!(temps(&env.path("")), [""; 0], "{error} {number}");
        }
        assert!(
            codes.iter().all(|code| matches!(code, Some(0 | 1 | 3 | 8))),
            "{codes:?}"
        );
        assert!(codes.contains(&Some(8)), "{codes:?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn c17_without_file_descriptors_it_ends_with_an_error_and_no_trace() {
    let env = TestEnv::new();
    let mut failures = 0;
    for number in (12..150).step_by(6) {
        let Some(outcome) = failing(&env, "openat", "EMFILE", &format!("{number}+")) else {
            break;
        };
        let said = outcome.stderr();
        assert!(!said.contains("panicked"), "{said}");
        failures += i32::from(outcome.output.status.code() != Some(0));
        for layout in [env.cache().join("build"), env.path("layout")] {
            assert_eq!(faults_of(&layout), [""; 0], "{number}");
        }
    }
    assert!(failures > 5, "{failures}");
    build(
        &env,
        "--base scratch --oci-archive @/a.tar --oci-layout-path @/layout",
    )
    .succeeds();
}

#[test]
#[ignore = "needs strace"]
fn c16_a_name_is_written_only_after_the_directory_of_its_blobs_is_on_the_disk() {
    let env = TestEnv::new();
    let log = env.path("trace").display().to_string();
    let calls = format!("trace=fsync,{RENAMES}");
    let wrapper = [
        "strace", "-qq", "-y", "-s", "4096", "-e", &calls, "-o", &log,
    ];
    run(&mut build_behind(
        &env,
        &wrapper,
        "--base scratch --oci-layout-path @/layout",
    ))
    .succeeds();
    let trace = fs::read_to_string(&log).expect("written");
    let lines: Vec<&str> = trace.lines().collect();
    for store in ["/cache/build", "/layout"] {
        let blobs = format!("{store}/blobs/sha256");
        let last = |what: &dyn Fn(&str) -> bool| {
            lines
                .iter()
                .rposition(|line| what(line))
                .expect("it happens")
        };
        let appears = last(&|line| line.contains("rename") && line.contains(&format!("{blobs}/")));
        let rests = last(&|line| line.contains("fsync(") && line.contains(&format!("{blobs}>")));
        let named =
            last(&|line| line.contains("rename") && line.contains(&format!("{store}/index.json")));
        assert!(
            appears < rests && rests < named,
            "{appears} {rests} {named}\n{trace}"
        );
    }
}

#[test]
#[ignore = "needs strace"]
fn c21_a_file_system_without_locks_is_no_obstacle() {
    let expected = build(&TestEnv::new(), "--base scratch").succeeds().digest();
    for error in ["EOPNOTSUPP", "ENOLCK", "ENOSYS"] {
        let env = TestEnv::new();
        let outcome = failing(&env, "flock", error, "1+").expect("locks are taken");
        assert_eq!(
            outcome.succeeds().says("has no locks").digest(),
            expected,
            "{error}"
        );
    }
}

#[test]
#[ignore = "needs faketime"]
fn o12_the_clock_does_not_show() {
    let expected = build(&TestEnv::new(), "").succeeds().digest();
    for date in ["1970-01-02 00:00:00", "2100-01-01 00:00:00"] {
        let env = TestEnv::new();
        for _ in 0..2 {
            let mut command = build_behind(&env, &["faketime", "-f", date], "");
            assert_eq!(run(&mut command).succeeds().digest(), expected, "{date}");
        }
    }
}
