//! What we take for cargo's effective rustflags, held against the flags that real cargo gives to rustc.

use super::*;

use std::fs;

use tempfile::TempDir;

use super::tests::cargo;

/// A package whose compile tells its flags: those that begin with `--cfg=seen_`.
struct Package(TempDir);

impl Package {
    fn with(files: &[(&str, &str)]) -> Package {
        let package = Package(tempfile::tempdir().expect("a directory"));
        let manifest =
            "[package]\nname = 'seen'\nversion = '0.1.0'\nedition = '2024'\n[workspace]\n";
        for (path, text) in [("Cargo.toml", manifest), ("src/lib.rs", "")]
            .iter()
            .chain(files)
        {
            let file = package.0.path().join(path);
            fs::create_dir_all(file.parent().expect("a file lies somewhere")).expect("made");
            fs::write(file, text.replace("HOST", &host())).expect("written");
        }
        package
    }

    /// `HOME` is the package's own, so that no configuration of the machine's user is read.
    fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        let given = variables.iter().map(|(name, value)| {
            (
                name.replace("HOST", &upper(&host())).into(),
                OsString::from(value),
            )
        });
        given
            .chain([("CARGO_HOME".into(), self.0.path().join("home").into())])
            .collect()
    }

    fn told_by_us(&self, variables: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
        let cargo = Cargo {
            flags: self.flags(flags),
            ..cargo()
        };
        let toolchain = probe(
            OsStr::new("rustc"),
            &cargo,
            self.0.path(),
            &self.environment(variables),
        );
        let flags = toolchain
            .expect("a toolchain")
            .settings
            .rustflags(&host())
            .expect("flags");
        seen(flags.iter().map(String::as_str))
    }

    fn told_by_cargo(&self, variables: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
        let hidden = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
        ];
        let set = |(name, value): (OsString, OsString)| [name, value].join(OsStr::new("="));
        let host = host();
        let check = [
            "cargo",
            "check",
            "-v",
            "--offline",
            "--target-dir=target",
            "--target",
            &host,
        ];
        let call = Call::new("env", self.0.path())
            .args(hidden.iter().flat_map(|name| ["-u", name]))
            .args(self.environment(variables).into_iter().map(set))
            .args(check)
            .args(self.flags(flags));
        let output = call.output().expect("cargo runs");
        let text = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{text}");
        seen(text.split([' ', '`']))
    }

    fn flags(&self, flags: &[&str]) -> Vec<String> {
        flags
            .iter()
            .map(|flag| flag.replace("HOST", &host()))
            .collect()
    }
}

fn seen<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words
        .filter(|word| word.starts_with("--cfg=seen_"))
        .map(str::to_owned)
        .collect()
}

fn host() -> String {
    ask(OsStr::new("rustc"), Path::new("/"))
        .expect("a toolchain")
        .1
}

fn upper(triple: &str) -> String {
    triple.to_uppercase().replace('-', "_")
}

/// Configuration files, variables, flags for cargo, and the flags that must come out.
struct Case {
    files: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    expected: &'static [&'static str],
}

fn hold(case: &Case) {
    let package = Package::with(case.files);
    let expected: Vec<String> = case
        .expected
        .iter()
        .map(|name| format!("--cfg=seen_{name}"))
        .collect();
    assert_eq!(
        package.told_by_us(case.variables, case.flags),
        expected,
        "by us"
    );
    assert_eq!(
        package.told_by_cargo(case.variables, case.flags),
        expected,
        "by cargo"
    );
}

const BUILD: (&str, &str) = (
    ".cargo/config.toml",
    "[build]\nrustflags = ['--cfg=seen_build']\n",
);
const TARGET: (&str, &str) = (
    ".cargo/config.toml",
    "[build]\nrustflags = ['--cfg=seen_build']\n[target.HOST]\nrustflags = ['--cfg=seen_triple']\n\
     [target.'cfg(unix)']\nrustflags = ['--cfg=seen_unix']\n[target.'cfg(windows)']\nrustflags = ['--cfg=seen_windows']\n",
);

#[test]
fn build_rustflags_and_their_variable_are_joined() {
    hold(&Case {
        files: &[BUILD],
        variables: &[],
        flags: &[],
        expected: &["build"],
    });
    hold(&Case {
        files: &[BUILD],
        variables: &[("CARGO_BUILD_RUSTFLAGS", "--cfg=seen_a --cfg=seen_b")],
        flags: &[],
        expected: &["build", "a", "b"],
    });
}

#[test]
fn rustflags_of_the_target_are_joined_with_matching_cfg_tables_and_hide_those_of_build() {
    hold(&Case {
        files: &[TARGET],
        variables: &[],
        flags: &[],
        expected: &["triple", "unix"],
    });
    hold(&Case {
        files: &[TARGET],
        variables: &[
            ("CARGO_TARGET_HOST_RUSTFLAGS", "--cfg=seen_variable"),
            ("CARGO_BUILD_RUSTFLAGS", "--cfg=seen_no"),
        ],
        flags: &[],
        expected: &["triple", "variable", "unix"],
    });
}

#[test]
fn rustflags_of_the_environment_hide_all_configuration() {
    for (variables, expected) in [
        (&[("RUSTFLAGS", "--cfg=seen_flags")][..], &["flags"][..]),
        (&[("RUSTFLAGS", "")], &[]),
        (
            &[
                ("RUSTFLAGS", "--cfg=seen_flags"),
                ("CARGO_ENCODED_RUSTFLAGS", "--cfg=seen_x\u{1f}--cfg=seen_y"),
            ],
            &["x", "y"],
        ),
        (
            &[
                ("RUSTFLAGS", "--cfg=seen_flags"),
                ("CARGO_ENCODED_RUSTFLAGS", ""),
            ],
            &[],
        ),
    ] {
        hold(&Case {
            files: &[TARGET],
            variables,
            flags: &[],
            expected,
        });
    }
}

#[test]
fn configuration_of_directories_above_and_of_cargos_home_counts() {
    const HOME: (&str, &str) = (
        "home/config.toml",
        "[target.HOST]\nrustflags = ['--cfg=seen_home']\n",
    );
    hold(&Case {
        files: &[TARGET, HOME],
        variables: &[],
        flags: &[],
        expected: &["home", "triple", "unix"],
    });
}

#[test]
fn config_flags_count() {
    hold(&Case {
        files: &[
            TARGET,
            (
                "more.toml",
                "[target.HOST]\nrustflags = ['--cfg=seen_file']\n",
            ),
        ],
        variables: &[],
        flags: &[
            "--config",
            "target.HOST.rustflags=['--cfg=seen_flag']",
            "--config=more.toml",
        ],
        expected: &["triple", "flag", "file", "unix"],
    });
    hold(&Case {
        files: &[BUILD],
        variables: &[("CARGO_BUILD_RUSTFLAGS", "--cfg=seen_variable")],
        flags: &[
            "--config",
            "target.\"cfg(windows)\".rustflags='--cfg=seen_no'",
        ],
        expected: &["build", "variable"],
    });
}

#[test]
fn a_linker_in_a_config_flag_is_seen() {
    let package = Package::with(&[]);
    let has = |flags: &[&str]| {
        let cargo = Cargo {
            flags: package.flags(flags),
            ..cargo()
        };
        let toolchain = probe(
            OsStr::new("rustc"),
            &cargo,
            package.0.path(),
            &package.environment(&[]),
        );
        toolchain
            .expect("a toolchain")
            .settings
            .has_linker(&host())
            .expect("read")
    };
    assert!(has(&["--config", "target.HOST.linker='ld'"]));
    assert!(!has(&["--config", "target.other.linker='ld'"]));
}

#[test]
fn a_configuration_that_does_not_parse_is_an_error_that_names_its_file() {
    let package = Package::with(&[(".cargo/config.toml", "[build")]);
    let error = probe(
        OsStr::new("rustc"),
        &cargo(),
        package.0.path(),
        &package.environment(&[]),
    );
    let said = format!("{:#}", error.expect_err("broken"));
    assert!(said.contains("config.toml"), "{said}");
}

#[test]
fn an_included_file_counts_where_cargo_knows_the_key() {
    let include = (
        ".cargo/config.toml",
        "include = ['more.toml']\n[build]\nrustflags = ['--cfg=seen_build']\n",
    );
    let package = Package::with(&[
        include,
        (
            ".cargo/more.toml",
            "[build]\nrustflags = ['--cfg=seen_more']\n",
        ),
    ]);
    let ours = package.told_by_us(&[], &[]);
    assert!(ours.contains(&"--cfg=seen_build".to_owned()), "{ours:?}");
    assert_eq!(ours, package.told_by_cargo(&[], &[]));
}
