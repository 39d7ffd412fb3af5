//! Cargo calls as values, messages as text, ELF headers as bytes.

use super::job::*;
use super::messages::Artifacts;
use super::*;

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::network::Network;
use crate::toolchain::Link;
use crate::workspace::Cargo;
use crate::workspace::Features;

pub(super) const X86: &str = "x86_64-unknown-linux-musl";
pub(super) const ARM: &str = "aarch64-unknown-linux-musl";

pub(super) fn link(target: &str) -> Link {
    let architecture = if target == ARM { "arm64" } else { "amd64" };
    Link {
        platform: format!("linux/{architecture}").parse().expect("a platform"),
        target: target.to_owned(),
        linker: Some("rust-lld".to_owned()),
        variables: Vec::new(),
        rustflags: vec![
            "--remap-path-prefix=/ws=/workspace".to_owned(),
            "-Copt-level=s".to_owned(),
        ],
        is_static: true,
    }
}

/// As [`super::run`], for those who need to know of nothing before the end.
pub(super) fn run(job: &Job, notes: &Notes) -> Result<Vec<Binary>> {
    super::run(job, notes, |_| ())
}

fn wanted(binary: &str) -> Wanted {
    Wanted {
        package_id: format!("path+file:///ws/{binary}#1.0.0"),
        spec: format!("{binary}@1.0.0"),
        binary: binary.to_owned(),
    }
}

fn job() -> Job {
    Job {
        cargo: Cargo {
            program: PathBuf::from("cargo"),
            network: Network::unless(true),
            manifest: None,
            target_directory: None,
            flags: Vec::new(),
        },
        directory: PathBuf::from("/ws"),
        target_directory: PathBuf::from("/ws/target"),
        profile: "release".to_owned(),
        features: Features::default(),
        flags: Vec::new(),
        env: Vec::new(),
        wanted: vec![wanted("web")],
        links: vec![link(X86)],
    }
}

#[test]
fn a_job_is_one_cargo_call_that_can_be_typed() {
    let mut job = job();
    job.wanted.push(wanted("migrate"));
    job.links.push(Link {
        variables: vec![(
            "CC_aarch64_unknown_linux_musl".to_owned(),
            "aarch64-linux-musl-gcc".to_owned(),
        )],
        ..link(ARM)
    });
    job.env = vec![("VERSION".to_owned(), "1 2".to_owned())];
    job.flags = vec!["--jobs".to_owned(), "1".to_owned()];
    job.features.names = vec!["tls".to_owned()];
    job.cargo.flags = vec!["--locked".to_owned()];
    assert_eq!(
        call(&job).to_string(),
        "cd /ws && VERSION='1 2' \
         CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \
         CC_aarch64_unknown_linux_musl=aarch64-linux-musl-gcc \
         CARGO_ENCODED_RUSTFLAGS=$'--remap-path-prefix=/ws=/workspace\\x1f-Copt-level=s' \
         cargo build --offline --locked --message-format=json-render-diagnostics --profile=release \
         --package=migrate@1.0.0 --package=web@1.0.0 --bin=migrate --bin=web \
         --target=x86_64-unknown-linux-musl --target=aarch64-unknown-linux-musl --features=tls --jobs 1"
    );
}

#[test]
fn with_a_network_cargo_may_use_it_and_a_target_directory_is_passed_on() {
    let mut job = job();
    job.cargo.network = Network::unless(false);
    job.cargo.target_directory = Some(PathBuf::from("/out"));
    let call = call(&job).to_string();
    assert!(!call.contains("--offline"), "{call}");
    assert!(call.contains("--target-dir /out"), "{call}");
}

#[test]
fn our_rustflags_win_over_a_variable_of_the_build_because_they_hold_the_users() {
    let mut job = job();
    job.env = vec![("CARGO_ENCODED_RUSTFLAGS".to_owned(), "mine".to_owned())];
    let call = call(&job).to_string();
    assert!(
        call.rfind("CARGO_ENCODED_RUSTFLAGS=$'--remap") > call.find("CARGO_ENCODED_RUSTFLAGS=mine"),
        "{call}"
    );
}

#[test]
fn equal_requests_become_one_call_with_all_their_binaries() {
    let other = Job {
        wanted: vec![wanted("migrate")],
        ..job()
    };
    let groups = group(vec![job(), other, job()]);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].wanted, [wanted("migrate"), wanted("web")]);
}

#[test]
fn requests_that_differ_stay_apart() {
    let different = [
        Job {
            profile: "dev".to_owned(),
            ..job()
        },
        Job {
            env: vec![("A".to_owned(), "b".to_owned())],
            ..job()
        },
        Job {
            flags: vec!["-v".to_owned()],
            ..job()
        },
        Job {
            directory: PathBuf::from("/other"),
            ..job()
        },
        Job {
            features: Features {
                all: true,
                ..Features::default()
            },
            ..job()
        },
        Job {
            links: vec![link(ARM)],
            ..job()
        },
    ];
    for other in different {
        let other = Job {
            wanted: vec![wanted("migrate")],
            ..other
        };
        assert_eq!(group(vec![job(), other.clone()]), [job(), other]);
    }
}

#[test]
fn platforms_share_a_call_unless_their_rustflags_differ() {
    let riscv = Link {
        rustflags: vec!["-Ctarget-feature=+crt-static".to_owned()],
        ..link("riscv64gc-unknown-linux-musl")
    };
    let all = Job {
        links: vec![link(X86), riscv.clone(), link(ARM)],
        ..job()
    };
    let groups = group(vec![all]);
    let targets: Vec<Vec<&str>> = groups
        .iter()
        .map(|job| job.links.iter().map(|link| link.target.as_str()).collect())
        .collect();
    assert_eq!(
        targets,
        [vec![X86, ARM], vec!["riscv64gc-unknown-linux-musl"]]
    );
}

/// Cargo's message that it linked `binary` to `file`.
fn linked(binary: &str, file: &str) -> Value {
    json!({
        "reason": "compiler-artifact", "package_id": format!("path+file:///ws/{binary}#1.0.0"), "manifest_path": "/ws/Cargo.toml",
        "target": {"kind": ["bin"], "crate_types": ["bin"], "name": binary, "src_path": "/ws/src/main.rs", "edition": "2024"},
        "profile": {"opt_level": "3", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false},
        "features": [], "filenames": [file], "executable": file, "fresh": true,
    })
}

fn taken(job: &Job, lines: &[String]) -> (Result<Vec<Binary>>, Vec<String>) {
    let notes = Notes::recorded();
    let mut artifacts = Artifacts::of(job);
    for line in lines {
        artifacts.take(line, &notes);
    }
    (artifacts.finish(), notes.all())
}

#[test]
fn the_triple_is_read_from_the_path_below_the_target_directory() {
    let job = Job {
        links: vec![link(X86), link(ARM)],
        ..job()
    };
    let lines = [ARM, X86]
        .map(|target| linked("web", &format!("/ws/target/{target}/release/web")).to_string());
    let binaries = taken(&job, &lines).0.expect("both");
    let told: Vec<(String, &Path)> = binaries
        .iter()
        .map(|binary| (binary.platform.to_string(), binary.file.as_path()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "linux/amd64".to_owned(),
                Path::new("/ws/target/x86_64-unknown-linux-musl/release/web")
            ),
            (
                "linux/arm64".to_owned(),
                Path::new("/ws/target/aarch64-unknown-linux-musl/release/web")
            ),
        ]
    );
    assert!(binaries[0].fresh);
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    let right = format!("/ws/target/{X86}/release/web");
    let mut other_package = linked("web", &right);
    other_package["package_id"] = "registry+https://x#web@1.0.0".into();
    let mut library = linked("web", &right);
    library["executable"] = Value::Null;
    let mut example = linked("web", &right);
    example["target"]["kind"] = json!(["example"]);
    for line in [
        other_package,
        library,
        example,
        linked("other", &right),
        linked("web", "/ws/target/release/web"),
        linked("web", &format!("/elsewhere/{X86}/release/web")),
        linked("web", &format!("/ws/target/{ARM}/release/web")),
    ] {
        let error = taken(&job(), &[line.to_string()]).0.expect_err("nothing");
        assert_eq!(
            error.to_string(),
            format!("cargo did not say where it put `web` for `{X86}`"),
            "{line}"
        );
    }
}

#[test]
fn each_binary_must_come_for_each_platform() {
    let job = Job {
        links: vec![link(X86), link(ARM)],
        ..job()
    };
    let line = linked("web", &format!("/ws/target/{X86}/release/web")).to_string();
    let error = taken(&job, &[line]).0.expect_err("half");
    assert!(
        error.to_string().ends_with(&format!("`web` for `{ARM}`")),
        "{error}"
    );
}

#[test]
fn lines_that_are_no_messages_are_passed_on_and_unknown_messages_are_not() {
    let lines = [
        "warning from a wrapper".to_owned(),
        "  ".to_owned(),
        json!({"reason": "of-a-later-cargo", "x": 1}).to_string(),
        json!({"reason": "build-finished", "success": true}).to_string(),
        linked("web", &format!("/ws/target/{X86}/release/web")).to_string(),
    ];
    let (binaries, said) = taken(&job(), &lines);
    assert_eq!(binaries.expect("one").len(), 1);
    assert_eq!(said, ["cargo says: warning from a wrapper"]);
}

/// A little writer of ELF files: word size and byte order are those of the machine.
struct Elf {
    bytes: Vec<u8>,
    word: usize,
    is_big: bool,
}

impl Elf {
    /// Appends numbers, each with its width in bytes.
    fn push(&mut self, numbers: &[(usize, usize)]) {
        for (value, width) in numbers {
            let mut bytes = value.to_le_bytes()[..*width].to_vec();
            if self.is_big {
                bytes.reverse();
            }
            self.bytes.extend(bytes);
        }
    }

    fn header(&mut self, machine: u16, segments: usize) {
        let (size, entry) = self.sizes();
        let (class, order) = (
            if self.word == 8 { 2 } else { 1 },
            if self.is_big { 2 } else { 1 },
        );
        self.bytes.extend([0x7f, b'E', b'L', b'F', class, order, 1]);
        self.bytes.resize(16, 0);
        let word = self.word;
        self.push(&[
            (3, 2),
            (machine.into(), 2),
            (1, 4),
            (0, word),
            (size, word),
            (0, word),
            (0, 4),
        ]);
        self.push(&[(size, 2), (entry, 2), (segments, 2), (0, 2), (0, 2), (0, 2)]);
        assert_eq!(self.bytes.len(), size);
    }

    /// `PT_INTERP`, followed by the path.
    fn loader(&mut self, path: &str) {
        let (header, entry) = self.sizes();
        let (place, size) = (header + entry, path.len() + 1);
        if self.word == 8 {
            self.push(&[
                (3, 4),
                (4, 4),
                (place, 8),
                (0, 8),
                (0, 8),
                (size, 8),
                (size, 8),
                (1, 8),
            ]);
        } else {
            self.push(&[
                (3, 4),
                (place, 4),
                (0, 4),
                (0, 4),
                (size, 4),
                (size, 4),
                (4, 4),
                (1, 4),
            ]);
        }
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
    }

    /// Bytes of the file header and of one program header.
    fn sizes(&self) -> (usize, usize) {
        if self.word == 8 { (64, 56) } else { (52, 32) }
    }
}

/// An ELF file that is nothing but headers; it names `loader` unless that is empty.
fn elf(machine: u16, is_64: bool, loader: &str) -> Vec<u8> {
    let (word, is_big) = (if is_64 { 8 } else { 4 }, machine == 22);
    let mut file = Elf {
        bytes: Vec::new(),
        word,
        is_big,
    };
    file.header(machine, usize::from(!loader.is_empty()));
    if !loader.is_empty() {
        file.loader(loader);
    }
    file.bytes
}

fn checked(bytes: &[u8], platform: &str, is_static: bool) -> Result<()> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("hello");
    std::fs::write(&file, bytes).expect("written");
    let link = Link {
        platform: platform.parse().expect("a platform"),
        is_static,
        ..link(X86)
    };
    let binary = Binary {
        package_id: String::new(),
        name: "hello".to_owned(),
        platform: link.platform.clone(),
        file,
        fresh: false,
    };
    let facts = check(&binary, &link)?;
    Ok(guess(&binary, &link, &facts)?)
}

#[test]
fn a_program_of_the_right_machine_and_loader_passes_on_every_platform() {
    for name in Platform::known() {
        let platform: Platform = name.parse().expect(name);
        let is_64 = !["linux/386", "linux/arm/v7", "linux/arm/v6"].contains(&name);
        let machine = platform.machine().expect(name);
        checked(&elf(machine, is_64, ""), name, true).expect(name);
        let dynamic = elf(machine, is_64, platform.loader().expect(name));
        checked(&dynamic, name, false).expect(name);
        checked(&elf(machine, !is_64, ""), name, true).expect_err("the wrong class");
    }
}

#[test]
fn a_program_for_another_machine_is_refused_with_both_names() {
    let said = |bytes: &[u8], platform| {
        checked(bytes, platform, true)
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        said(&elf(183, true, ""), "linux/amd64"),
        "`hello` was linked for aarch64 but linux/amd64 needs x86-64"
    );
    assert_eq!(
        said(&elf(62, true, ""), "linux/s390x"),
        "`hello` was linked for x86-64 but linux/s390x needs s390x"
    );
    assert_eq!(
        said(&elf(62, false, ""), "linux/amd64"),
        "`hello` was linked for x32 but linux/amd64 needs x86-64"
    );
    assert!(
        said(&elf(9999, true, ""), "linux/amd64").contains("a machine that rbuild does not know")
    );
}

#[test]
fn a_dynamic_program_is_refused_where_a_static_one_is_due_or_its_loader_is_strange() {
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let program = elf(62, true, loader);
    let error = checked(&program, "linux/amd64", true).expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!("`hello` needs the dynamic loader {loader}, which a static base does not have")
    );
    assert_eq!(
        error.downcast_ref::<Fault>().expect("a fault").kind,
        Kind::Refused
    );
    let strange = elf(62, true, "/nix/store/x-glibc/lib/ld-linux-x86-64.so.2");
    let error = checked(&strange, "linux/amd64", false).expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert!(fault.to_string().contains("/nix/store/x-glibc"), "{fault}");
    assert_eq!(fault.reasons(), [format!("their loader is {loader}")]);
}

#[test]
fn what_is_no_program_is_an_error_that_names_the_file() {
    let whole = elf(62, true, "/lib64/ld-linux-x86-64.so.2");
    for bytes in [
        &b""[..],
        b"MZ",
        b"#!/bin/sh\necho hello\n",
        &whole[..40],
        &whole[..100],
    ] {
        let error = checked(bytes, "linux/amd64", true)
            .expect_err("no program")
            .to_string();
        assert!(
            error.starts_with("cannot read /") && error.ends_with("hello as a linux program"),
            "{error}"
        );
    }
}
