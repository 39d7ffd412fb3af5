//! Programs for glibc, and the glibc of their base: Debian 12 has 2.36, Debian 13 has 2.41.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::debian;
use crate::engines::{Bundle, written};
use crate::machines::Machine;
use crate::programs::{program, said, words};
use crate::support::{Run, TestEnv, run};

/// Threads, unwinding, the resolver and mathematics: what of glibc a program of Rust alone comes to need.
const ORDINARY: &str = r#"
use std::net::ToSocketAddrs;
fn main() {
    let root: f64 = std::env::args().count() as f64 * 2.0;
    let thread = std::thread::spawn(|| std::panic::catch_unwind(|| panic!("caught")).is_err());
    let caught = thread.join().expect("it ends");
    let local = ("127.0.0.1", 80).to_socket_addrs().expect("an address").count();
    println!("caught {caught}, {local} address, sine {:.3}", root.sin());
}
"#;

const ORDINARY_SAYS: &str = "caught true, 1 address, sine 0.909\n";

/// `strlcpy` came with glibc 2.38.
const NEWER: &str = r#"
unsafe extern "C" {
    fn strlcpy(to: *mut u8, from: *const u8, size: usize) -> usize;
}
fn main() {
    let mut text = [0; 8];
    // SAFETY: both are there, and at most 8 bytes are written.
    let length = unsafe { strlcpy(text.as_mut_ptr(), c"trixie".as_ptr().cast(), text.len()) };
    println!("{length}");
}
"#;

/// One program of `libc: gnu`.
struct Project {
    env: TestEnv,
    directory: PathBuf,
}

impl Project {
    fn new(code: &str) -> Project {
        let env = TestEnv::new();
        let directory = env.workspace("hello");
        fs::write(directory.join("src/main.rs"), code).expect("written");
        let text = "builds:\n  - {id: hello, libc: gnu}\n";
        fs::write(directory.join(".builder.yaml"), text).expect("written");
        Project { env, directory }
    }

    /// Puts a suite of Debian beside the program.
    fn on(&self, suite: &str, architecture: &str) {
        debian::base(&self.directory.join(suite), suite, architecture);
    }

    /// Builds on the base of this name with nothing but rustup, into a layout of the same name and `-out`.
    fn build(&self, base: &str, architecture: &str) -> Run {
        let machine = Machine::without_compilers();
        self.build_by(&machine, base, architecture)
    }

    fn build_by(&self, machine: &Machine, base: &str, architecture: &str) -> Run {
        let arguments = format!(
            "build . --push=false --profile dev --base oci:{base}:it --platform linux/{architecture} --oci-layout-path {base}-out"
        );
        machine.rbuild(&self.env, &self.directory, &arguments)
    }

    fn layout(&self, base: &str) -> PathBuf {
        self.directory.join(format!("{base}-out"))
    }

    /// What the image on this base says under runc.
    fn says(&self, base: &str) -> String {
        let image = written(&self.layout(base), "hello");
        run(&mut Bundle::unpack(&self.env, &image, "amd64").run())
            .succeeds()
            .stdout()
    }
}

/// The highest `GLIBC_2.N` that a file names.
fn highest_glibc(program: &Path) -> u32 {
    let bytes = fs::read(program).expect("there");
    let mark = b"GLIBC_2.";
    let at = |begin: usize| {
        let digits = bytes[begin + mark.len()..].iter();
        let digits = digits.take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let begins = (0..bytes.len() - mark.len()).filter(|begin| bytes[*begin..].starts_with(mark));
    begins.map(at).max().expect("a program of glibc")
}

#[test]
#[ignore = "needs debootstrap, runc, skopeo, umoci"]
fn a_program_is_linked_against_the_glibc_of_its_base_without_any_compiler_and_runs_on_both() {
    let project = Project::new(ORDINARY);
    for (suite, has) in [("bookworm", 36), ("trixie", 41)] {
        project.on(suite, "amd64");
        project.build(suite, "amd64").succeeds();
        let program = program(&project.layout(suite), "hello", "amd64");
        let needs = highest_glibc(&program);
        assert!(needs <= has, "{suite} has 2.{has}, needed is 2.{needs}");
        assert_eq!(project.says(suite), ORDINARY_SAYS, "{suite}");
    }
    let root = debian::unpacked(&project.env, &project.directory.join("trixie"), "amd64");
    let older = program(&project.layout("bookworm"), "hello", "amd64");
    fs::copy(older, root.join("older")).expect("copied");
    let newer = ["chroot", &root.display().to_string(), "/older"].map(str::to_owned);
    assert_eq!(
        said(&newer).stdout(),
        ORDINARY_SAYS,
        "glibc is compatible upwards"
    );
}

#[test]
#[ignore = "needs debootstrap, gcc, runc, skopeo, umoci"]
fn a_program_that_needs_a_newer_glibc_than_its_base_has_is_refused_and_runs_on_one_that_has_it() {
    let project = Project::new(NEWER);
    for suite in ["bookworm", "trixie"] {
        project.on(suite, "amd64");
    }
    configure_linker(&project);
    let machine = || Machine::without_compilers().with(&["cc", "gcc", "ld", "as"]);
    let refused = project
        .build_by(&machine(), "bookworm", "amd64")
        .ends_with(2);
    refused.says("GLIBC_2.38").says("2.36");
    assert!(!project.layout("bookworm").exists(), "nothing is written");
    project.build_by(&machine(), "trixie", "amd64").succeeds();
    assert_eq!(project.says("trixie"), "6\n");
}

/// A linker of the user's, who links against the glibc of Debian 13.
fn configure_linker(project: &Project) {
    let root = debian::unpacked(&project.env, &project.directory.join("trixie"), "amd64");
    let libc = root.join("usr/lib/x86_64-linux-gnu/libc.so.6");
    assert!(libc.is_file());
    let linker = project.directory.join("link-on-trixie");
    let text = format!(
        "#!/bin/sh\nexec gcc -Wl,--allow-shlib-undefined '{}' \"$@\"\n",
        libc.display()
    );
    fs::write(&linker, text).expect("written");
    fs::set_permissions(&linker, fs::Permissions::from_mode(0o755)).expect("set");
    let directory = project.directory.join(".cargo");
    fs::create_dir(&directory).expect("made");
    let text = format!(
        "[target.x86_64-unknown-linux-gnu]\nlinker = {:?}\n",
        linker.display().to_string()
    );
    fs::write(directory.join("config.toml"), text).expect("written");
}

#[test]
#[ignore = "needs debootstrap, runc, skopeo, umoci"]
fn what_the_base_lacks_is_an_error_of_the_linker_when_rbuild_links() {
    let project = Project::new(NEWER);
    for suite in ["bookworm", "trixie"] {
        project.on(suite, "amd64");
    }
    project
        .build("bookworm", "amd64")
        .ends_with(3)
        .says("strlcpy");
    project.build("trixie", "amd64").succeeds();
    assert_eq!(project.says("trixie"), "6\n");
}

#[test]
#[ignore = "needs libc6-arm64-cross, qemu-aarch64-static, rustup's aarch64-unknown-linux-gnu"]
fn another_architecture_is_linked_against_its_base_without_any_compiler() {
    let project = Project::new(ORDINARY);
    debian::cross_base(&project.directory.join("cross"));
    project.build("cross", "arm64").succeeds();
    let program = program(&project.layout("cross"), "hello", "arm64");
    assert!(highest_glibc(&program) <= 36);
    let root = Path::new("/usr/aarch64-linux-gnu");
    assert_eq!(
        said(&words("arm64", Some(root), &program)).stdout(),
        ORDINARY_SAYS
    );
}
