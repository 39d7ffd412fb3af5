//! How a platform is linked, or why not, with a sysroot made of empty directories.

use super::*;

use std::fs;

use tempfile::TempDir;

use crate::config::Kindnesses;
use crate::config::Libc;
use crate::fault::Kind;
use crate::network::Network;
use crate::notes::Notes;
use crate::platform::Platform;
use crate::store::Store;

use super::link::Chosen;

pub(super) const X86_GNU: &str = "x86_64-unknown-linux-gnu";
pub(super) const X86_MUSL: &str = "x86_64-unknown-linux-musl";
pub(super) const ARM_GNU: &str = "aarch64-unknown-linux-gnu";
pub(super) const ARM_MUSL: &str = "aarch64-unknown-linux-musl";

/// A made-up machine: directories for a sysroot, a workspace, CARGO_HOME and PATH.
pub(super) struct Machine(TempDir);

impl Machine {
    /// An x86-64 machine with glibc, rust-lld and the standard library for `targets`.
    pub(super) fn with(targets: &[&str]) -> Machine {
        let machine = Machine(tempfile::tempdir().expect("a directory"));
        for target in targets {
            machine.file(&format!("sysroot/lib/rustlib/{target}/lib/libstd.rlib"), "");
        }
        machine.file(&format!("sysroot/lib/rustlib/{X86_GNU}/bin/rust-lld"), "");
        machine.file("workspace/Cargo.toml", "");
        machine.file("path/ls", "");
        machine
    }

    pub(super) fn file(&self, path: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().expect("a file lies somewhere")).expect("made");
        fs::write(&file, text).expect("written");
        file
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(super) fn toolchain(&self, variables: &[(&str, &str)]) -> Toolchain {
        let path = self.path("path").into_os_string();
        let given = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let environment: Environment = given.chain([(OsString::from("PATH"), path)]).collect();
        let directory = self.path("workspace");
        let place = settings::Place {
            directory: &directory,
            cargo_home: &self.path("cargo"),
            rustc: Path::new("/no/rustc"),
            host: X86_GNU,
        };
        Toolchain {
            sysroot: self.path("sysroot"),
            host: X86_GNU.to_owned(),
            root: self.path(""),
            rustc: PathBuf::from("/no/rustc"),
            cargo_home: self.path("cargo"),
            settings: Settings::load(&cargo(), &place, &environment).expect("settings"),
            directory,
            cargo: cargo(),
            environment,
        }
    }
}

pub(super) fn cargo() -> Cargo {
    Cargo {
        program: PathBuf::from("cargo"),
        network: Network::unless(true),
        manifest: None,
        target_directory: None,
        flags: Vec::new(),
    }
}

pub(super) fn platform(name: &str) -> Platform {
    name.parse().expect(name)
}

/// Message, reasons and hints in one text.
pub(super) fn told(error: &anyhow::Error) -> String {
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Refused);
    [&[fault.to_string()], fault.reasons(), fault.hints()]
        .concat()
        .join("\n")
}

fn triple(machine: &Machine, name: &str, libc: Libc) -> String {
    let chosen = target(&machine.toolchain(&[]), &platform(name), libc);
    chosen.expect("a target").triple.to_owned()
}

fn refused(machine: &Machine, name: &str, libc: Libc) -> String {
    told(&target(&machine.toolchain(&[]), &platform(name), libc).expect_err("a refusal"))
}

/// A link with glibc for a program of Rust alone, on a base.
pub(super) fn linked_on(toolchain: &Toolchain, name: &str, base: &BaseLibraries) -> Result<Chosen> {
    let place = tempfile::tempdir().expect("a directory");
    let target = target(toolchain, &platform(name), Libc::Gnu)?;
    let site = Site {
        root: &toolchain.directory,
        kits: &kits(place.path()),
        sysroots: &BTreeMap::new(),
        base,
        packages: &[],
        kindnesses: Kindnesses::default(),
    };
    link(toolchain, &target, &[], site)
}

/// A link without anything that the user configured, with kits beside the workspace of the tests.
pub(crate) fn link_at(
    toolchain: &Toolchain,
    target: &Target,
    needs: &[CNeed],
    root: &Path,
) -> Result<Chosen> {
    let site = Site {
        root,
        kits: &kits(root.parent().expect("a directory above")),
        sysroots: &BTreeMap::new(),
        base: &BaseLibraries::NotAsked,
        packages: &[root.to_owned()],
        kindnesses: Kindnesses::default(),
    };
    link(toolchain, target, needs, site)
}

pub(super) fn kits(place: &Path) -> Store {
    Store::cache(&place.join("build"), &Notes::recorded()).expect("a store")
}

fn linked(toolchain: &Toolchain, name: &str, libc: Libc) -> Result<Link> {
    let target = target(toolchain, &platform(name), libc)?;
    Ok(link_at(toolchain, &target, &[], &toolchain.directory)?.link)
}

pub(super) fn needs_c() -> Vec<CNeed> {
    let why = ["web", "rustls", "ring"].map(str::to_owned).to_vec();
    vec![CNeed {
        package: "ring".to_owned(),
        why,
        is_cxx: false,
    }]
}

pub(super) fn compiled(toolchain: &Toolchain, name: &str, libc: Libc) -> Result<Option<String>> {
    let target = target(toolchain, &platform(name), libc)?;
    let chosen = link_at(toolchain, &target, &needs_c(), &toolchain.directory)?;
    let mut variables = chosen.link.variables.into_iter();
    let cc = |(name, _): &(String, String)| name.starts_with("CC_");
    Ok(variables.find(cc).map(|(_, program)| program))
}

#[test]
fn the_target_follows_from_platform_and_libc_alone() {
    let all = Machine::with(&[
        X86_GNU,
        X86_MUSL,
        ARM_GNU,
        ARM_MUSL,
        "s390x-unknown-linux-gnu",
    ]);
    assert_eq!(triple(&all, "linux/amd64", Libc::Auto), X86_MUSL);
    assert_eq!(triple(&all, "linux/amd64", Libc::Musl), X86_MUSL);
    assert_eq!(triple(&all, "linux/amd64", Libc::Gnu), X86_GNU);
    assert_eq!(triple(&all, "linux/arm64", Libc::Auto), ARM_MUSL);
    assert_eq!(
        triple(&all, "linux/s390x", Libc::Auto),
        "s390x-unknown-linux-gnu"
    );
}

#[test]
fn a_missing_target_is_refused_with_the_command_that_installs_it() {
    let machine = Machine::with(&[X86_GNU]);
    for (name, libc, missing) in [
        ("linux/arm64", Libc::Auto, ARM_MUSL),
        ("linux/arm64", Libc::Gnu, ARM_GNU),
        ("linux/amd64", Libc::Musl, X86_MUSL),
        ("linux/s390x", Libc::Auto, "s390x-unknown-linux-gnu"),
    ] {
        let said = refused(&machine, name, libc);
        assert!(
            said.contains(&format!("`{missing}` is not installed")),
            "{said}"
        );
        assert!(
            said.contains(&format!("run `rustup target add {missing}`")),
            "{said}"
        );
        assert!(
            said.contains(&machine.path("sysroot").display().to_string()),
            "{said}"
        );
    }
}

#[test]
fn without_the_hosts_musl_target_glibc_is_linked_statically_and_the_note_says_what_differs() {
    let machine = Machine::with(&[X86_GNU]);
    let toolchain = machine.toolchain(&[]);
    let link = linked(&toolchain, "linux/amd64", Libc::Auto).expect("a link");
    assert_eq!(
        (link.target.as_str(), link.is_static, link.linker.as_deref()),
        (X86_GNU, true, None)
    );
    assert_eq!(
        link.rustflags.last().expect("flags"),
        "-Ctarget-feature=+crt-static"
    );
    let target = target(
        &toolchain,
        &"linux/amd64".parse().expect("a platform"),
        Libc::Auto,
    );
    let note = target.expect("a target").note.expect("a note");
    assert!(
        note.contains("the digest differs from a musl build"),
        "{note}"
    );
    assert!(
        note.ends_with("run `rustup target add x86_64-unknown-linux-musl`"),
        "{note}"
    );
}

#[test]
fn what_rustup_does_not_have_is_refused_with_what_there_is() {
    let machine = Machine::with(&[X86_GNU]);
    let said = refused(&machine, "linux/s390x", Libc::Musl);
    assert!(
        said.starts_with("cannot link linux/s390x with musl"),
        "{said}"
    );
    for name in ["linux/mips64le", "windows/amd64", "linux/amd64/v3"] {
        let said = refused(&machine, name, Libc::Auto);
        assert!(
            said.starts_with(&format!("cannot compile for {name}\n")),
            "{said}"
        );
        assert!(
            said.contains("linux/amd64, linux/arm64, linux/arm/v7"),
            "{said}"
        );
    }
}

#[test]
fn musl_targets_are_linked_with_the_toolchains_own_linker() {
    let machine = Machine::with(&[X86_MUSL, ARM_MUSL]);
    let toolchain = machine.toolchain(&[]);
    for name in ["linux/amd64", "linux/arm64"] {
        let link = linked(&toolchain, name, Libc::Auto).expect("a link");
        assert_eq!(link.linker.as_deref(), Some("rust-lld"));
        assert_eq!((link.is_static, link.variables), (true, Vec::new()));
        assert!(
            !link
                .rustflags
                .iter()
                .any(|flag| flag.contains("crt-static"))
        );
    }
}

#[test]
fn a_toolchain_without_rust_lld_links_as_rustc_thinks() {
    let machine = Machine::with(&[X86_MUSL]);
    fs::remove_file(machine.path(&format!("sysroot/lib/rustlib/{X86_GNU}/bin/rust-lld")))
        .expect("removed");
    let link = linked(&machine.toolchain(&[]), "linux/amd64", Libc::Auto).expect("a link");
    assert_eq!(link.linker, None);
    machine.file("path/rust-lld", "");
    let link = linked(&machine.toolchain(&[]), "linux/amd64", Libc::Auto).expect("a link");
    assert_eq!(link.linker.as_deref(), Some("rust-lld"));
}

#[test]
fn riscv_with_musl_is_told_to_link_statically() {
    let machine = Machine::with(&["riscv64gc-unknown-linux-musl"]);
    let toolchain = machine.toolchain(&[]);
    let link = linked(&toolchain, "linux/riscv64", Libc::Auto).expect("a link");
    assert!(link.is_static);
    assert_eq!(
        link.rustflags.last().expect("flags"),
        "-Ctarget-feature=+crt-static"
    );
}

#[test]
fn a_linker_that_the_user_configured_is_left_alone() {
    let machine = Machine::with(&[X86_MUSL, ARM_GNU]);
    for (name, value) in [
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER", "my-linker"),
        ("RUSTFLAGS", "-C linker=my-linker"),
        ("CARGO_ENCODED_RUSTFLAGS", "-Clinker=my-linker"),
    ] {
        let link = linked(
            &machine.toolchain(&[(name, value)]),
            "linux/amd64",
            Libc::Auto,
        )
        .expect("a link");
        assert_eq!(link.linker, None, "{name}");
    }
    machine.file("workspace/.cargo/config.toml", "[target.x86_64-unknown-linux-musl]\nlinker = 'cc'\n[target.aarch64-unknown-linux-gnu]\nlinker = 'x'\n");
    let toolchain = machine.toolchain(&[]);
    assert_eq!(
        linked(&toolchain, "linux/amd64", Libc::Auto)
            .expect("a link")
            .linker,
        None
    );
    assert_eq!(
        linked(&toolchain, "linux/arm64", Libc::Gnu)
            .expect("a link")
            .linker,
        None
    );
}

#[test]
fn glibc_on_a_foreign_architecture_needs_the_distributions_cross_gcc() {
    let machine = Machine::with(&[X86_GNU, ARM_GNU]);
    assert_eq!(
        linked(&machine.toolchain(&[]), "linux/amd64", Libc::Gnu)
            .expect("the host's")
            .linker,
        None
    );
    let said =
        told(&linked(&machine.toolchain(&[]), "linux/arm64", Libc::Gnu).expect_err("no linker"));
    assert!(
        said.contains("`aarch64-linux-gnu-gcc` is not on PATH"),
        "{said}"
    );
    assert!(
        said.contains("`apt install gcc-aarch64-linux-gnu`"),
        "{said}"
    );
    assert!(said.contains("`libc: musl`"), "{said}");
    assert!(
        said.ends_with("set `CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER` to a linker for it"),
        "{said}"
    );
    machine.file("path/aarch64-linux-gnu-gcc", "");
    let link = linked(&machine.toolchain(&[]), "linux/arm64", Libc::Gnu).expect("a link");
    assert_eq!(link.linker.as_deref(), Some("aarch64-linux-gnu-gcc"));
    assert!(!link.is_static);
}

#[test]
fn a_glibc_gcc_is_never_chosen_for_musl() {
    let machine = Machine::with(&[X86_MUSL, ARM_MUSL]);
    for program in ["cc", "gcc", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"] {
        machine.file(&format!("path/{program}"), "");
    }
    let toolchain = machine.toolchain(&[("CC", "gcc"), ("HOST_CC", "gcc")]);
    let said = told(&compiled(&toolchain, "linux/amd64", Libc::Auto).expect_err("no compiler"));
    assert!(
        said.starts_with(
            "`ring` needs a C compiler for `x86_64-unknown-linux-musl`, and there is none\n"
        ),
        "{said}"
    );
    assert!(
        said.contains("`ring` is in the graph: web → rustls → ring"),
        "{said}"
    );
    assert!(said.contains("`apt install musl-tools`"), "{said}");
    assert!(said.contains("`libc: gnu`"), "{said}");
    assert!(
        said.ends_with("set `CC_x86_64_unknown_linux_musl` to a C compiler for this target"),
        "{said}"
    );
    let said = told(&compiled(&toolchain, "linux/arm64", Libc::Auto).expect_err("no compiler"));
    assert!(
        said.contains("looked for `aarch64-linux-musl-gcc` on PATH"),
        "{said}"
    );
    assert!(said.contains("`pip install ziglang`"), "{said}");
}

#[test]
fn musls_own_gcc_serves_the_hosts_architecture_only() {
    let machine = Machine::with(&[X86_MUSL, ARM_MUSL]);
    machine.file("path/musl-gcc", "");
    let toolchain = machine.toolchain(&[("CC", "gcc")]);
    assert_eq!(
        compiled(&toolchain, "linux/amd64", Libc::Auto)
            .expect("a compiler")
            .as_deref(),
        Some("musl-gcc")
    );
    assert!(compiled(&toolchain, "linux/arm64", Libc::Auto).is_err());
    machine.file("path/aarch64-linux-musl-gcc", "");
    machine.file("path/x86_64-linux-musl-gcc", "");
    let found = |name| {
        compiled(&toolchain, name, Libc::Auto)
            .expect("a compiler")
            .expect("one")
    };
    assert_eq!(found("linux/arm64"), "aarch64-linux-musl-gcc");
    assert_eq!(found("linux/amd64"), "x86_64-linux-musl-gcc");
}

/// Debian's musl-dev brings the script for a gcc that another package brings: for arm64, together with the headers that clang needs.
#[test]
fn a_musl_gcc_that_is_a_script_serves_only_beside_its_gcc() {
    let machine = Machine::with(&[ARM_MUSL]);
    let script = "#!/bin/sh\nexec \"${REALGCC:-aarch64-linux-gnu-gcc}\" \"$@\" -specs \"/usr/lib/musl-gcc.specs\"\n";
    machine.file("path/aarch64-linux-musl-gcc", script);
    let found = || compiled(&machine.toolchain(&[]), "linux/arm64", Libc::Auto);
    let said = told(&found().expect_err("no compiler"));
    let why = "looked for `aarch64-linux-gnu-gcc` on PATH, for the script `aarch64-linux-musl-gcc`";
    assert!(said.contains(why), "{said}");
    machine.file("path/aarch64-linux-gnu-gcc", "");
    let compiler = found().expect("a compiler");
    assert_eq!(compiler.as_deref(), Some("aarch64-linux-musl-gcc"));
}

#[test]
fn a_c_compiler_that_the_user_configured_is_left_alone() {
    let machine = Machine::with(&[X86_MUSL]);
    machine.file("path/clang", "");
    for name in [
        "CC_x86_64-unknown-linux-musl",
        "CC_x86_64_unknown_linux_musl",
        "TARGET_CC",
    ] {
        let toolchain = machine.toolchain(&[(name, "clang")]);
        assert_eq!(
            compiled(&toolchain, "linux/amd64", Libc::Auto).expect("configured"),
            None,
            "{name}"
        );
    }
    let empty = machine.toolchain(&[("TARGET_CC", "")]);
    assert!(compiled(&empty, "linux/amd64", Libc::Auto).is_err());
    machine.file(
        "workspace/.cargo/config.toml",
        "[env]\nTARGET_CC = 'clang'\n",
    );
    assert_eq!(
        compiled(&machine.toolchain(&[]), "linux/amd64", Libc::Auto).expect("configured"),
        None
    );
}

#[test]
fn glibc_on_the_host_takes_the_hosts_compiler() {
    let machine = Machine::with(&[X86_GNU]);
    let said = told(
        &compiled(&machine.toolchain(&[]), "linux/amd64", Libc::Gnu).expect_err("no compiler"),
    );
    assert!(said.contains("`apt install gcc`"), "{said}");
    machine.file("path/clang", "");
    let configured = machine.toolchain(&[("CC", "clang")]);
    assert_eq!(
        compiled(&configured, "linux/amd64", Libc::Gnu).expect("configured"),
        None
    );
    machine.file("path/cc", "");
    assert_eq!(
        compiled(&machine.toolchain(&[]), "linux/amd64", Libc::Gnu).expect("found"),
        None
    );
    assert_eq!(
        compiled(&machine.toolchain(&[]), "linux/amd64", Libc::Auto).expect("static glibc"),
        None
    );
}

#[test]
fn glibc_on_a_foreign_architecture_compiles_with_the_cross_gcc() {
    let machine = Machine::with(&[ARM_GNU]);
    machine.file("path/cc", "");
    let linker = [("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "ld")];
    let said = told(
        &compiled(&machine.toolchain(&linker), "linux/arm64", Libc::Gnu).expect_err("no compiler"),
    );
    assert!(
        said.contains("`apt install gcc-aarch64-linux-gnu`"),
        "{said}"
    );
    machine.file("path/aarch64-linux-gnu-gcc", "");
    let found = compiled(&machine.toolchain(&[]), "linux/arm64", Libc::Gnu).expect("found");
    assert_eq!(found.as_deref(), Some("aarch64-linux-gnu-gcc"));
}

#[test]
fn v04_paths_of_this_machine_get_fixed_names_the_longest_last() {
    let machine = Machine::with(&[X86_MUSL]);
    let mut toolchain = machine.toolchain(&[]);
    let root = machine.path("workspace");
    toolchain.cargo_home = root.join(".cargo-home");
    let flags = flags::remaps(&toolchain, &root, X86_MUSL);
    let of = |path: &Path, name: &str| format!("--remap-path-prefix={}={name}", path.display());
    let position = |flag: &String| {
        flags
            .iter()
            .position(|other| other == flag)
            .expect("present")
    };
    let inner = position(&of(&toolchain.cargo_home, "/cargo"));
    assert!(inner > position(&of(&root, "/workspace")));
    let root = toolchain.cargo_home.join("git/checkouts/clone");
    let flags = flags::remaps(&toolchain, &root, X86_MUSL);
    assert_eq!(*flags.last().expect("flags"), of(&root, "/workspace"));
    assert!(flags.contains(&of(&toolchain.sysroot, "/toolchain")));
}

#[test]
fn v04_a_place_behind_a_link_is_remapped_under_both_names() {
    let machine = Machine::with(&[X86_MUSL]);
    let (real, link) = (
        machine.path("workspace").canonicalize().expect("there"),
        machine.path("link"),
    );
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    let flags = flags::remaps(&machine.toolchain(&[]), &link, X86_MUSL);
    for path in [real, link] {
        let flag = format!("--remap-path-prefix={}=/workspace", path.display());
        assert!(flags.contains(&flag), "{flags:?}");
    }
}

#[test]
fn v04_the_librarys_sources_are_named_by_the_commit_that_the_library_carries() {
    let commit = "59807616e1fa2540724bfbac14d7976d7e4a3860";
    let machine = Machine::with(&[X86_MUSL]);
    let toolchain = machine.toolchain(&[]);
    let library = format!("\u{0}x/rustc/llvm/rustc/{commit}/library/std/src/lib.rs\u{0}");
    machine.file(
        &format!("sysroot/lib/rustlib/{X86_MUSL}/lib/libunwind.rlib"),
        &library,
    );
    let named = |flags: &[String]| {
        flags
            .iter()
            .filter(|flag| flag.ends_with(commit))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(named(&flags::remaps(&toolchain, &toolchain.directory, X86_MUSL)).is_empty());
    let sources = machine.file("sysroot/lib/rustlib/src/rust/library/std/src/lib.rs", "");
    let flags = flags::remaps(&toolchain, &toolchain.directory, X86_MUSL);
    let root = sources
        .ancestors()
        .nth(4)
        .expect("deep")
        .display()
        .to_string();
    assert_eq!(
        named(&flags)[0],
        format!("--remap-path-prefix={root}=/rustc/{commit}")
    );
    let whole = flags
        .iter()
        .position(|flag| flag.ends_with("=/toolchain"))
        .expect("the sysroot");
    assert!(flags.iter().position(|flag| flag.ends_with(commit)) > Some(whole));
}

#[test]
fn the_users_rustflags_come_after_ours_and_all_of_them_come() {
    let machine = Machine::with(&[X86_MUSL]);
    let toolchain = machine.toolchain(&[("RUSTFLAGS", "--cfg tokio_unstable -Cdebuginfo=1")]);
    let flags = linked(&toolchain, "linux/amd64", Libc::Auto)
        .expect("a link")
        .rustflags;
    assert!(
        flags.ends_with(&["--cfg", "tokio_unstable", "-Cdebuginfo=1"].map(str::to_owned)),
        "{flags:?}"
    );
    assert!(flags[0].starts_with("--remap-path-prefix="));
}

#[test]
fn variables_of_one_build_count_for_that_build_alone() {
    let machine = Machine::with(&[X86_MUSL]);
    machine.file("path/clang", "");
    let toolchain = machine.toolchain(&[("RUSTFLAGS", "-Copt-level=1")]);
    let own = [("RUSTFLAGS", "-Copt-level=s"), ("TARGET_CC", "clang")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let changed = toolchain.for_build(&own, &[]).expect("settings");
    let last = |toolchain: &Toolchain| {
        linked(toolchain, "linux/amd64", Libc::Auto)
            .expect("a link")
            .rustflags
            .pop()
    };
    assert_eq!(last(&changed).as_deref(), Some("-Copt-level=s"));
    assert_eq!(last(&toolchain).as_deref(), Some("-Copt-level=1"));
    assert_eq!(
        compiled(&changed, "linux/amd64", Libc::Auto).expect("configured"),
        None
    );
    assert!(compiled(&toolchain, "linux/amd64", Libc::Auto).is_err());
}

#[test]
fn cargos_home_is_found_by_cargos_rule() {
    let home = |variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        cargo_home(Path::new("/ws"), &variables.collect())
    };
    assert_eq!(
        home(&[("CARGO_HOME", "/c"), ("HOME", "/h")]).expect("set"),
        Path::new("/c")
    );
    assert_eq!(
        home(&[("CARGO_HOME", "c")]).expect("set"),
        Path::new("/ws/c")
    );
    assert_eq!(
        home(&[("CARGO_HOME", ""), ("HOME", "/h")]).expect("set"),
        Path::new("/h/.cargo")
    );
    assert!(told(&home(&[]).expect_err("unset")).contains("`CARGO_HOME`"));
}

#[test]
fn a_rustc_before_1_84_is_asked_in_the_words_it_knows() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/toolchain/old-rustc");
    let answer = ask(old.as_os_str(), Path::new("/")).expect("an answer");
    assert_eq!(answer, (PathBuf::from("/old/sysroot"), ARM_GNU.to_owned()));
}

#[test]
fn a_rustc_that_is_none_is_refused_with_what_it_says() {
    let said = told(&ask(OsStr::new("true"), Path::new("/")).expect_err("no rustc"));
    assert!(
        said.starts_with("`true` does not say where its libraries are"),
        "{said}"
    );
    let said = told(&ask(OsStr::new("ls"), Path::new("/")).expect_err("no rustc"));
    assert!(said.contains("--print"), "{said}");
}

#[test]
fn the_real_toolchain_answers_one_call() {
    let empty = tempfile::tempdir().expect("a directory");
    let environment = Environment::from([("HOME".into(), empty.path().into())]);
    let toolchain =
        probe(OsStr::new("rustc"), &cargo(), empty.path(), &environment).expect("a toolchain");
    assert!(toolchain.has(&toolchain.host), "{toolchain:?}");
    assert!(!toolchain.has("no-such-target"));
    assert_eq!(toolchain.cargo_home, empty.path().join(".cargo"));
}
