//! What configuration may never do: reach beyond the trust that cargo itself asks for.
//!
//! Building a project runs its build scripts, so its `.builder.yaml` may steer the build; it may not choose the programs that
//! rbuild starts before or beside it, nor break what rbuild sets for cargo. Every list of variables and flags of the file passes
//! through here when it is read (ko filtered one list and had to mend that twice).

use anyhow::Result;

use super::objection::Objection;
use super::objection::shown;

/// Why a variable is denied, and what to do instead.
struct Reason {
    why: &'static str,
    instead: &'static str,
}

const PROGRAM: Reason = Reason {
    why: "it can make rbuild or cargo start a program of the file's choice",
    instead: "set it in your own environment, or use `.cargo/config.toml`, which cargo reads by itself",
};
const COMPILER_FLAGS: Reason = Reason {
    why: "compiler flags can name a linker, and rbuild adds its own to the list that cargo's configuration gives",
    instead: "write them as `rustflags` in `.cargo/config.toml`; rbuild keeps them",
};
const LOADER: Reason = Reason {
    why: "it loads code into every program that is started",
    instead: "set it in your own environment",
};
const UNSTABLE: Reason = Reason {
    why: "it makes cargo or a stable compiler take unstable options",
    instead: "use `.cargo/config.toml` or a nightly toolchain, or set it in your own environment",
};
const OURS: Reason = Reason {
    why: "rbuild sets it, or finds cargo's files by it",
    instead: "use rbuild's own flags, such as `--platform` and `--target-dir`",
};

/// `*` stands for any text, at most once in a pattern. The first match gives the reason.
const DENIED: [(&str, Reason); 33] = [
    ("RUSTFLAGS", COMPILER_FLAGS),
    ("CARGO_ENCODED_RUSTFLAGS", COMPILER_FLAGS),
    ("CARGO_BUILD_RUSTFLAGS", COMPILER_FLAGS),
    ("CARGO_TARGET_*_RUSTFLAGS", COMPILER_FLAGS),
    ("LD_*", LOADER),
    ("DYLD_*", LOADER),
    ("GLIBC_TUNABLES", LOADER),
    ("CARGO_TARGET_DIR", OURS),
    ("CARGO_BUILD_TARGET_DIR", OURS),
    ("CARGO_BUILD_BUILD_DIR", OURS),
    ("CARGO_BUILD_TARGET", OURS),
    ("RUSTC_BOOTSTRAP", UNSTABLE),
    ("CARGO_UNSTABLE_*", UNSTABLE),
    ("PATH", PROGRAM),
    ("HOME", PROGRAM),
    ("CARGO", PROGRAM),
    ("CARGO_HOME", PROGRAM),
    ("RUSTUP_*", PROGRAM),
    ("RUSTC", PROGRAM),
    ("RUSTDOC", PROGRAM),
    ("RUSTC_*", PROGRAM),
    ("CARGO_BUILD_RUSTC*", PROGRAM),
    ("CARGO_BUILD_RUSTDOC", PROGRAM),
    ("CARGO_*_LINKER", PROGRAM),
    ("CARGO_*_RUNNER", PROGRAM),
    ("CARGO_*_CREDENTIAL_PROVIDER", PROGRAM),
    ("CARGO_*_CREDENTIAL_PROVIDERS", PROGRAM),
    ("CARGO_CREDENTIAL_ALIAS_*", PROGRAM),
    ("GIT_SSH*", PROGRAM),
    ("GIT_ASKPASS", PROGRAM),
    ("GIT_EXEC_PATH", PROGRAM),
    ("GIT_CONFIG*", PROGRAM),
    ("SSH_ASKPASS", PROGRAM),
];

/// Flags of cargo that configuration may not give, without their value.
const DENIED_FLAGS: [(&str, &str); 6] = [
    (
        "--config",
        "it can replace the compiler and the linker; use `.cargo/config.toml`",
    ),
    (
        "--target",
        "the platform decides it; use `defaultPlatforms` or `--platform`",
    ),
    ("--target-dir", "use rbuild's own `--target-dir`"),
    (
        "--manifest-path",
        "use `dir`, or rbuild's own `--manifest-path`",
    ),
    ("--message-format", "rbuild reads cargo's messages itself"),
    ("--build-plan", "rbuild needs cargo to build"),
];

/// The short options of `cargo build` that take the rest of their token as a value.
const SHORT_WITH_VALUE: &str = "jpF";

/// Refuses a variable that configuration may not set for a child. The value is never repeated.
pub(super) fn check_variable(name: &str, value: &str) -> Result<(), Objection> {
    if name.is_empty() || name.contains('=') || name.contains(char::is_whitespace) {
        return Err(Objection::new(
            "the name of a variable is empty or holds a space or `=`",
        ));
    }
    if name.contains('\0') || value.contains('\0') {
        return Err(Objection::new("a variable cannot hold a NUL byte"));
    }
    match DENIED.iter().find(|(pattern, _)| matches(pattern, name)) {
        None => Ok(()),
        Some((_, reason)) => Err(Objection::new(format!(
            "configuration may not set `{}`",
            shown(name)
        ))
        .because(reason.why)
        .hint(reason.instead)),
    }
}

/// Refuses a token that configuration may not hand to cargo.
pub(super) fn check_flag(token: &str) -> Result<(), Objection> {
    if token.is_empty() {
        return Err(Objection::new("a flag is empty"));
    }
    if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let message = "a flag holds white space or a control character";
        return Err(Objection::new(message).hint(
            "each entry is one token: write `[\"--features\", \"tls\"]` or `[--features=tls]`",
        ));
    }
    let name = token.split('=').next().unwrap_or_default();
    match denied_flag(name) {
        None => Ok(()),
        Some(instead) => {
            let message = format!("configuration may not give cargo `{}`", shown(name));
            Err(Objection::new(message).hint(instead))
        }
    }
}

/// What to do instead of a denied flag.
fn denied_flag(name: &str) -> Option<&'static str> {
    if name == "--" {
        return Some("what follows `--` goes to cargo from the command line alone");
    }
    if name.starts_with("--") {
        return DENIED_FLAGS
            .iter()
            .find(|(denied, _)| *denied == name)
            .map(|(_, instead)| *instead);
    }
    let options = name.strip_prefix('-')?;
    let unstable = options
        .chars()
        .take_while(|option| !SHORT_WITH_VALUE.contains(*option))
        .any(|option| option == 'Z' || option == 'C');
    unstable
        .then_some("unstable options of cargo belong in `.cargo/config.toml` under `[unstable]`")
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}
