//! Stands for the crate that finds a C compiler: it knows `CC_<target>` and `cc` and nothing else.

use std::env;
use std::path::Path;
use std::process::Command;

/// Compiles one file to a static library that is linked.
pub fn compile(file: &str, library: &str) {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let target = env::var("TARGET").expect("cargo sets it").replace('-', "_");
    let compiler = env::var(format!("CC_{target}")).unwrap_or_else(|_| "cc".to_owned());
    let object = Path::new(&out).join("digest.o");
    run(Command::new(compiler)
        .args(["-c", "-fPIC", file, "-o"])
        .arg(&object));
    let archive = Path::new(&out).join(format!("lib{library}.a"));
    run(Command::new("ar").arg("crs").arg(archive).arg(&object));
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rerun-if-changed={file}");
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
