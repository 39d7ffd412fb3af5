//! A cargo project in a directory of its own, with a cache of its own: built by rbuild and, beside it, by cargo alone.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::call::Call;
use crate::go_world::GoWorld;

pub(crate) struct RustWorld {
    project: PathBuf,
    cache: PathBuf,
    /// For the cargo that is compared with, so that neither disturbs the other.
    other_target: PathBuf,
    triple: String,
}

impl RustWorld {
    /// `testdata/workspaces/hello`.
    pub(crate) fn hello(place: &Path) -> RustWorld {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/workspaces/hello");
        let files = ["Cargo.toml", "Cargo.lock", "src/main.rs"];
        let files = files.map(|name| (name, fs::read(source.join(name)).expect("testdata")));
        RustWorld::new(place, &files)
    }

    /// A program that holds `code`.
    pub(crate) fn large(place: &Path, code: &[u8]) -> RustWorld {
        let manifest = "[package]\nname = \"large\"\nedition = \"2024\"\n[workspace]\n";
        let program = "static CODE: &[u8] = include_bytes!(\"code\");\n\
            fn main() { println!(\"{}\", CODE[std::env::args().count()]); }\n";
        let files = [
            ("Cargo.toml", manifest.as_bytes().to_vec()),
            ("src/main.rs", program.as_bytes().to_vec()),
            ("src/code", code.to_vec()),
        ];
        RustWorld::new(place, &files)
    }

    /// Everything is built once, so that the first round is like the others.
    fn new(place: &Path, files: &[(&str, Vec<u8>)]) -> RustWorld {
        let project = place.join("project");
        fs::create_dir_all(project.join("src")).expect("made");
        for (name, bytes) in files {
            fs::write(project.join(name), bytes).expect("written");
        }
        let mut world = RustWorld {
            project,
            cache: place.join("cache"),
            other_target: place.join("target"),
            triple: String::new(),
        };
        let plan = world.rbuild_with(&["--dry-run"]).output();
        let mut words = plan.split_whitespace();
        world.triple = words
            .find_map(|word| word.strip_prefix("--target="))
            .expect("the plan names the target")
            .to_owned();
        world.rbuild().time();
        world.rbuild().time();
        world.cargo().time();
        world
    }

    pub(crate) fn metadata(&self) -> Call {
        let words = ["cargo", "metadata", "--no-deps", "--format-version=1"];
        Call::new(&words, &self.project)
    }

    /// The same program for the same target, without an image.
    pub(crate) fn cargo(&self) -> Call {
        let target = format!("--target={}", self.triple);
        let words = ["cargo", "build", "--release", &target];
        Call::new(&words, &self.project).env("CARGO_TARGET_DIR", &self.other_target)
    }

    pub(crate) fn rbuild(&self) -> Call {
        self.rbuild_with(&[])
    }

    /// On the base that ko uses, from ko's own cache.
    pub(crate) fn rbuild_on(&self, go: &GoWorld) -> Call {
        self.rbuild_with(&["--base", &go.base])
            .env("KOCACHE", &go.cache)
    }

    fn rbuild_with(&self, more: &[&str]) -> Call {
        let words = [env!("CARGO_BIN_EXE_rbuild"), "build", ".", "--push=false"];
        Call::new(&[&words, more].concat(), &self.project).env("KOCACHE", &self.cache)
    }

    /// The next build has to make its layer; what cargo built stays.
    pub(crate) fn forget_layers(&self) {
        fs::remove_dir_all(self.cache.join("build")).expect("there was a build");
    }

    /// The sizes of the layer's tar and blob. The tar is the binary and less than 10 kB.
    pub(crate) fn layer(&self) -> (u64, u64) {
        let blobs = fs::read_dir(self.cache.join("build/blobs/sha256")).expect("there was a build");
        let sizes = blobs.map(|blob| blob.and_then(|blob| blob.metadata()).expect("a blob").len());
        let binary = self
            .project
            .join("target")
            .join(&self.triple)
            .join("release/large");
        let binary = fs::metadata(binary).expect("cargo linked it").len();
        (binary, sizes.max().expect("a layer"))
    }
}

/// `size` bytes of real machine code: the compiler's own libraries.
pub(crate) fn machine_code(size: usize) -> Vec<u8> {
    let sysroot = Call::new(&["rustc", "--print", "sysroot"], Path::new(".")).output();
    let libraries = Path::new(sysroot.trim()).join("lib");
    let mut files: Vec<PathBuf> = fs::read_dir(&libraries)
        .expect("the sysroot has libraries")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains("librustc_driver"))
        .collect();
    files.sort();
    let mut code = Vec::with_capacity(size);
    while code.len() < size {
        for file in &files {
            let left = (size - code.len()) as u64;
            let file = fs::File::open(file).expect("readable");
            file.take(left).read_to_end(&mut code).expect("readable");
        }
    }
    code
}
