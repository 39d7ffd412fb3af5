//! What the script makes of a linker's arguments, with a rust-lld that prints what it gets.

use super::*;

use std::fs;

use tempfile::TempDir;

use crate::notes::Notes;
use crate::process::Call;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

fn side(name: &str) -> Side {
    Side {
        start: PathBuf::from(format!("/{name}'s start")),
        libraries: PathBuf::from(format!("/{name} libraries")),
        loader: format!("/{name}/loader"),
    }
}

/// A wrapper around a program that prints its arguments, one a line.
struct Printer {
    place: TempDir,
    linker: String,
}

impl Printer {
    fn new(target: Option<(&str, Side)>) -> Printer {
        Printer::with(side("host"), target)
    }

    fn of(side: Side) -> Printer {
        Printer::with(side, None)
    }

    fn with(side: Side, target: Option<(&str, Side)>) -> Printer {
        let place = tempfile::Builder::new().prefix("it's a ").tempdir();
        let place = place.expect("a directory");
        let program = place.path().join("rust lld");
        let text = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n";
        script::write(place.path(), "rust lld", text).expect("written");
        let kits = Store::cache(&place.path().join("build"), &Notes::recorded());
        let wrapper = Wrapper {
            linker: &program,
            side,
            target,
        };
        let linker = wrapper.write(&kits.expect("a store")).expect("written");
        Printer { place, linker }
    }

    fn prints(&self, arguments: &[&str]) -> Vec<String> {
        let call = Call::new(&self.linker, self.place.path()).args(arguments);
        let output = call.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(str::to_owned).collect()
    }
}

/// What is added to a program, and to what is none.
fn added(name: &str, is_program: bool) -> Vec<String> {
    let Side {
        start,
        libraries,
        loader,
    } = side(name);
    let start = start.display();
    let before = [
        format!("{start}/crt1.o"),
        "--dynamic-linker".to_owned(),
        loader,
    ];
    let after = [
        "--start-lib".to_owned(),
        format!("{start}/nonshared.o"),
        "--end-lib".to_owned(),
        "-L".to_owned(),
        libraries.display().to_string(),
    ];
    let before = before.into_iter().filter(|_| is_program);
    before.chain(after).collect()
}

fn with(arguments: &[&str], added: Vec<String>) -> Vec<String> {
    let given = ["-flavor", "gnu"].iter().chain(arguments);
    given.map(|text| (*text).to_owned()).chain(added).collect()
}

#[test]
fn a_program_gets_a_start_a_loader_and_libraries_and_keeps_its_arguments_as_they_are() {
    let printer = Printer::new(None);
    let arguments = ["-pie", "a b.o", "it's.o", "$HOME", "*", "", "-o", "out"];
    assert_eq!(
        printer.prints(&arguments),
        with(&arguments, added("host", true))
    );
}

#[test]
fn a_shared_library_gets_no_start_and_an_object_gets_nothing() {
    let printer = Printer::new(None);
    let library = ["-shared", "a.o", "-o", "liba.so"];
    assert_eq!(
        printer.prints(&library),
        with(&library, added("host", false))
    );
    let object = ["-r", "a.o", "-o", "b.o"];
    assert_eq!(printer.prints(&object), with(&object, Vec::new()));
}

#[test]
fn a_static_program_gets_no_loader() {
    let arguments = ["-static-pie", "a.o"];
    let printed = Printer::new(None).prints(&arguments);
    assert!(printed.contains(&"/host's start/crt1.o".to_owned()));
    assert!(!printed.contains(&"--dynamic-linker".to_owned()));
}

#[test]
fn a_program_for_musl_gets_libraries_alone() {
    let printer = Printer::of(Side {
        start: PathBuf::new(),
        libraries: "/e m".into(),
        loader: String::new(),
    });
    let printed = printer.prints(&["-static-pie", "crt1.o", "-lm", "-Wl,-z,now"]);
    let expected = ["-static-pie", "crt1.o", "-lm", "-z", "now", "-L", "/e m"];
    assert_eq!(printed, with(&expected, Vec::new()));
}

#[test]
fn arguments_in_a_file_count_too() {
    let printer = Printer::new(None);
    let file = printer.place.path().join("arguments");
    fs::write(&file, "a.o\n-shared").expect("written");
    let argument = format!("@{}", file.display());
    let arguments = [argument.as_str()];
    assert_eq!(
        printer.prints(&arguments),
        with(&arguments, added("host", false))
    );
}

#[test]
fn what_is_said_to_a_c_compiler_is_said_to_a_linker_or_left_out() {
    let given = [
        "-Wl,-z,now,*",
        "-fuse-ld=mold",
        "-pthread",
        "-rdynamic",
        "-m64",
    ];
    let meant = ["-z", "now", "*", "--export-dynamic"];
    assert_eq!(
        Printer::new(None).prints(&given),
        with(&meant, added("host", true))
    );
    let printed = Printer::new(None).prints(&["-nostartfiles", "own.o"]);
    assert!(!printed.contains(&"/host's start/crt1.o".to_owned()));
}

#[test]
fn where_the_host_is_the_target_the_way_of_the_output_tells_them_apart() {
    let printer = Printer::new(Some((TRIPLE, side("base"))));
    for (into, name) in [
        (
            "/w/target/x86_64-unknown-linux-gnu/release/deps/web-1a",
            "base",
        ),
        (
            "/w/my target/x86_64-unknown-linux-gnu/dev/deps/web-1a",
            "base",
        ),
        (
            "/w/target/x86_64-unknown-linux-gnu/release/build/web/1a/out/web",
            "base",
        ),
        (
            "/w/target/release/build/web-1a/build_script_build-1a",
            "host",
        ),
        ("/w/target/release/deps/libshout-1a.so", "host"),
        (
            "/home/x86_64-unknown-linux-gnu/w/target/release/deps/web-1a",
            "host",
        ),
        ("web", "host"),
    ] {
        let arguments = ["a.o", "-o", into, "-lc"];
        let printed = printer.prints(&arguments);
        assert_eq!(printed, with(&arguments, added(name, true)), "{into}");
    }
}
