//! Several platforms, several binaries and several images of one run, with nothing but rustup's toolchain.

use std::fs;
use std::path::Path;

use crate::support::{Run, TestEnv, run};

/// The cargo calls that a dry run prints.
fn calls(run: &Run) -> Vec<String> {
    let stdout = run.stdout();
    let calls = stdout.lines().filter(|line| line.starts_with("run "));
    calls.map(str::to_owned).collect()
}

/// `PATH` with programs of these names in front, which nobody starts.
fn path_with(env: &TestEnv, programs: &[&str]) -> String {
    use std::os::unix::fs::PermissionsExt;
    let directory = env.path("programs");
    fs::create_dir_all(&directory).expect("made");
    for program in programs {
        let file = directory.join(program);
        fs::write(&file, "#!/bin/sh\nexit 1\n").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    }
    let path = std::env::var("PATH").expect("there is one");
    format!("{}:{path}", directory.display())
}

fn dry(env: &TestEnv, directory: &Path, arguments: &str) -> Run {
    env.rbuild(
        directory,
        &format!("build . --push=false --dry-run {arguments}"),
    )
}

#[test]
fn a_binary_with_c_code_does_not_split_the_call_of_all() {
    let env = TestEnv::new();
    let native = env.workspace("mixed");
    let compilers = ["x86_64-linux-musl-gcc", "aarch64-linux-musl-gcc"];
    let words = "build . --push=false --dry-run --platform linux/amd64,linux/arm64";
    let dry = run(env
        .command(&native)
        .env("PATH", path_with(&env, &compilers))
        .args(words.split(' ')))
    .succeeds();
    let calls = calls(&dry);
    assert_eq!(calls.len(), 1, "{calls:?}");
    for part in [
        "--package=plain@0.1.0",
        "--package=sealed@0.1.0",
        "CC_aarch64_unknown_linux_musl=aarch64-linux-musl-gcc",
        "CC_x86_64_unknown_linux_musl=x86_64-linux-musl-gcc",
    ] {
        assert!(calls[0].contains(part), "{part} is not in {}", calls[0]);
    }
}
