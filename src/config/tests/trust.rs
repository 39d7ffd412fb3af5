//! H19: what configuration may never do, whichever channel it takes.

use std::path::Path;

use super::refusal;
use super::words;
use anyhow::Result;

use crate::config::trust;

fn variable(name: &str, value: &str, channel: &str) -> Result<()> {
    trust::check_variable(name, value).map_err(|objection| objection.at(channel).fault("").into())
}

fn flag(token: &str, channel: &str) -> Result<()> {
    trust::check_flag(token).map_err(|objection| objection.at(channel).fault("").into())
}

fn variable_words(name: &str, channel: &str) -> String {
    let error = variable(name, "secret", channel).expect_err(name);
    words(&error, Path::new("/nowhere"))
}

#[test]
fn h19_variables_that_name_programs_or_load_code_are_refused() {
    for name in [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUSTDOC",
        "CARGO",
        "PATH",
        "HOME",
        "CARGO_HOME",
        "RUSTUP_TOOLCHAIN",
        "RUSTUP_HOME",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUNNER",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS",
        "CARGO_BUILD_RUSTC",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTDOC",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_TARGET_DIR",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "CARGO_REGISTRY_CREDENTIAL_PROVIDER",
        "CARGO_REGISTRIES_CORP_CREDENTIAL_PROVIDER",
        "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS",
        "CARGO_UNSTABLE_HOST_CONFIG",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_GLOBAL",
    ] {
        let words = variable_words(name, "builds[0].env");
        let expected = format!("exit 2: `builds[0].env`: configuration may not set `{name}`\n");
        assert!(words.starts_with(&expected), "{words}");
        assert!(
            words.contains("because: ") && words.contains("hint: "),
            "{words}"
        );
        assert!(!words.contains("secret"), "{words}");
    }
}

#[test]
fn h19_every_channel_of_the_file_refuses_the_same() {
    for (variables, flags) in [
        ("defaultEnv", "defaultFlags"),
        ("builds: [{env", "builds: [{flags"),
    ] {
        let end = if variables.starts_with("builds") {
            "}]"
        } else {
            ""
        };
        let words = refusal(format!("{variables}: [LD_PRELOAD=x]{end}"));
        assert!(words.contains("may not set `LD_PRELOAD`"), "{words}");
        let words = refusal(format!("{flags}: [--config=x]{end}"));
        assert!(words.contains("may not give cargo `--config`"), "{words}");
    }
}

#[test]
fn h19_a_refusal_names_the_channel_that_the_caller_names() {
    let channel = "defaultEnv in .builder.yaml";
    assert!(variable_words("PATH", channel).contains("`defaultEnv in .builder.yaml`: "));
    let error = flag("--config=x", "builds[0].flags").expect_err("denied");
    assert!(error.to_string().starts_with("`builds[0].flags`: "));
}

#[test]
fn variables_that_build_scripts_and_c_compilers_read_are_let_through() {
    for name in [
        "VERSION",
        "CC",
        "CC_x86_64_unknown_linux_musl",
        "CFLAGS",
        "GIT_COMMIT",
        "GIT_HASH",
        "OPENSSL_DIR",
        "CARGO_PROFILE_RELEASE_LTO",
        "CARGO_INCREMENTAL",
        "CARGO_NET_RETRY",
        "RUST_LOG",
        "RUSTY",
        "HOMEPAGE",
        "LDFLAGS",
        "path",
    ] {
        assert!(variable(name, "x=y", "env").is_ok(), "{name}");
    }
}

#[test]
fn a_variable_without_a_proper_name_or_with_a_nul_is_refused() {
    for (name, value) in [
        ("", "x"),
        ("A=B", "x"),
        ("A B", "x"),
        ("A\n", "x"),
        ("A\0", "x"),
        ("A", "x\0"),
    ] {
        assert!(variable(name, value, "env").is_err(), "{name:?}");
    }
    assert!(variable("A", "two\nlines", "env").is_ok());
}

#[test]
fn h19_flags_that_choose_programs_or_break_what_rbuild_sets_are_refused() {
    for token in [
        "--config",
        "--config=x",
        "--target",
        "--target=x",
        "--target-dir",
        "--target-dir=/tmp",
        "--manifest-path=x/Cargo.toml",
        "--message-format=json",
        "--build-plan",
        "-Z",
        "-Zbuild-std",
        "-vZbuild-std",
        "-qvZ",
        "-C/tmp",
        "-vC",
        "--",
        "",
        "--features tls",
        "--locked\n",
        "a\tb",
        "a\0b",
        "a\u{a0}b",
    ] {
        let error = flag(token, "flags").expect_err(token);
        assert!(words(&error, Path::new("/nowhere")).starts_with("exit 2: `flags`: "));
    }
}

#[test]
fn ordinary_flags_and_values_of_flags_are_let_through() {
    for token in [
        "--locked",
        "--offline",
        "--features=tls,json",
        "--features",
        "tls",
        "-v",
        "-vv",
        "-j4",
        "-FZ",
        "-pC",
        "--targets",
        "--configuration=x",
        "--no-default-features",
        "--timings",
    ] {
        assert!(flag(token, "flags").is_ok(), "{token}");
    }
}
