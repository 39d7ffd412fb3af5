//! Machines without a C compiler, and machines where rbuild must not interfere.

use super::*;

use std::fs;
use std::os::unix::fs::symlink;

use super::host_linker::{Host, choose};
use super::tests::{Machine, X86_GNU, X86_MUSL};
use super::tests_start::{kits, real};

fn chosen(toolchain: &Toolchain) -> Host {
    choose(toolchain, &kits().1).expect("a choice")
}

#[test]
fn a_machine_with_a_c_compiler_or_a_configured_linker_is_left_alone() {
    let with_cc = Machine::with(&[X86_GNU]);
    with_cc.file("path/cc", "");
    assert_eq!(chosen(&with_cc.toolchain(&[])), Host::LeftAlone);

    let mut relative = with_cc.toolchain(&[]);
    relative.environment.insert("PATH".into(), "../path".into());
    assert_eq!(
        chosen(&relative),
        Host::LeftAlone,
        "cargo's directory counts"
    );

    let configured = Machine::with(&[X86_GNU]);
    let variables = [("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "mold")];
    assert_eq!(chosen(&configured.toolchain(&variables)), Host::LeftAlone);

    let elsewhere = Machine::with(&[X86_GNU]);
    let variables = [("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "mold")];
    assert_ne!(chosen(&elsewhere.toolchain(&variables)), Host::LeftAlone);
}

#[test]
fn what_a_machine_lacks_is_said_by_name() {
    let lacks = |toolchain: &Toolchain, part: &str| match chosen(toolchain) {
        Host::Lacking(reason) => assert!(reason.contains(part), "{reason}"),
        other => panic!("{other:?}"),
    };
    let machine = Machine::with(&[X86_GNU]);
    lacks(&machine.toolchain(&[]), "`libc.so.6` is not found");

    let alpine = Toolchain {
        host: X86_MUSL.to_owned(),
        ..machine.toolchain(&[])
    };
    machine.file(&format!("sysroot/lib/rustlib/{X86_MUSL}/bin/rust-lld"), "");
    lacks(&alpine, X86_MUSL);

    let bare = Machine::with(&[X86_GNU]);
    fs::remove_file(bare.path(&format!("sysroot/lib/rustlib/{X86_GNU}/bin/rust-lld")))
        .expect("removed");
    lacks(&bare.toolchain(&[]), "no rust-lld");
}

#[test]
fn a_glibc_that_wants_more_of_a_programs_start_is_not_used() {
    let machine = Machine::with(&[X86_GNU]);
    let mut head = b"\x7fELF\x02\x01".to_vec();
    head.resize(18, 0);
    head.extend([62, 0]);
    for name in ["libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"] {
        let file = machine.file(&format!("lib64/{name}"), "");
        fs::write(file, &head).expect("written");
    }
    let libc = machine.file("lib64/libc.so.6", "");
    fs::write(&libc, [&head[..], b"\0GLIBC_2.31\0GLIBC_2.345\0"].concat()).expect("written");
    let Host::Lacking(reason) = chosen(&machine.toolchain(&[])) else {
        panic!("it is used");
    };
    assert!(
        reason.ends_with("libc.so.6 is older than glibc 2.34"),
        "{reason}"
    );
}

/// A PATH with cargo, rustc and a shell.
fn bare_path(machine: &Machine, toolchain: &Toolchain) -> PathBuf {
    let place = machine.path("bare");
    fs::create_dir(&place).expect("made");
    for name in ["cargo", "rustc"] {
        symlink(toolchain.sysroot.join("bin").join(name), place.join(name)).expect("linked");
    }
    symlink("/bin/sh", place.join("sh")).expect("linked");
    place
}

#[test]
fn with_nothing_but_rustups_toolchain_build_scripts_and_procedural_macros_are_linked_and_run() {
    let (place, kits) = kits();
    let toolchain = real();
    let Host::Linker(linker) = choose(&toolchain, &kits).expect("a choice") else {
        panic!("it has no PATH and is left alone");
    };
    let machine = Machine::with(&[]);
    let variable = format!(
        "CARGO_TARGET_{}_LINKER={linker}",
        toolchain.host.to_uppercase().replace('-', "_")
    );
    let path = bare_path(&machine, &toolchain);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/workspaces/macros");
    let output = Call::new("env", &workspace)
        .args(["-i", "HOME=/nowhere", &variable])
        .arg(format!("PATH={}", path.display()))
        .args(["cargo", "build", "--offline", "--locked", "--target"])
        .arg(&toolchain.host)
        .arg("--target-dir")
        .arg(place.path().join("target"))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let program = place
        .path()
        .join("target")
        .join(&toolchain.host)
        .join("debug/app");
    let output = Call::new(program, &workspace).output().expect("it runs");
    let expected = format!("HELLO from {}\n", toolchain.host);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
