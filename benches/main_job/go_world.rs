//! Go modules that real ko builds on a base which it holds in its cache, and the registry that it got the base from.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::Duration;

use crate::call::Call;

const TOOLS: [&str; 3] = ["go", "ko", "crane"];
const HELLO: &str = "package main\nimport \"fmt\"\nfunc main() { fmt.Println(\"hello\") }\n";
const LARGE: &str = "package main\n\
    import (_ \"embed\"; \"fmt\"; \"os\")\n\
    //go:embed code\n\
    var code string\n\
    func main() { fmt.Println(code[len(os.Args)]) }\n";

pub(crate) struct GoWorld {
    pub(crate) small: Module,
    /// By digest.
    pub(crate) base: String,
    pub(crate) cache: PathBuf,
    registry: Child,
}

/// A module with its place in ko's cache.
pub(crate) struct Module {
    directory: PathBuf,
    base: String,
    cache: PathBuf,
    /// What ko remembers of this module's program.
    memory: PathBuf,
}

impl Drop for GoWorld {
    fn drop(&mut self) {
        let _ = self.registry.kill();
        let _ = self.registry.wait();
    }
}

impl GoWorld {
    /// A base with one small layer in a registry of its own, and a small module that was built on it. Or why there is none.
    pub(crate) fn prepare(place: &Path) -> Result<GoWorld, String> {
        if let Some(tool) = TOOLS.iter().find(|tool| !is_on_path(tool)) {
            return Err(format!("`{tool}` is not on PATH"));
        }
        let host = free_address();
        let serve = ["crane", "registry", "serve", "--address", &host];
        let registry = Call::new(&serve, place)
            .start()
            .map_err(|error| error.to_string())?;
        let base = push_base(place, &host);
        let cache = place.join("kocache");
        let small = Module::new(&place.join("small"), HELLO, (&base, &cache));
        small.ko().time();
        Ok(GoWorld {
            small,
            base,
            cache,
            registry,
        })
    }

    /// A module with a program that holds `code`.
    pub(crate) fn large(&self, place: &Path, code: &[u8]) -> Module {
        let module = Module::new(&place.join("largego"), LARGE, (&self.base, &self.cache));
        fs::write(module.directory.join("code"), code).expect("written");
        module.ko().time();
        module.ko().time();
        module
    }
}

impl Module {
    fn new(directory: &Path, program: &str, (base, cache): (&str, &Path)) -> Module {
        let name = directory.file_name().expect("named").to_string_lossy();
        fs::create_dir_all(directory).expect("made");
        let manifest = format!("module bench.example/{name}\n\ngo 1.21\n");
        fs::write(directory.join("go.mod"), manifest).expect("written");
        fs::write(directory.join("main.go"), program).expect("written");
        Module {
            directory: directory.to_owned(),
            base: base.to_owned(),
            cache: cache.to_owned(),
            memory: cache.join(format!("bin/bench.example/{name}/linux/{}", architecture())),
        }
    }

    pub(crate) fn ko(&self) -> Call {
        let words = ["ko", "build", "--push=false", "--sbom=none", "."];
        Call::new(&words, &self.directory)
            .env("KOCACHE", &self.cache)
            .env("KO_DOCKER_REPO", "bench.example")
            .env("KO_DEFAULTBASEIMAGE", &self.base)
            .env("GOPROXY", "off")
            .env("GOFLAGS", "-mod=mod")
    }

    /// The next build has to make its layer; what go built stays.
    pub(crate) fn forget_layers(&self) {
        for name in ["buildid-to-diffid", "diffid-to-descriptor"] {
            fs::remove_file(self.memory.join(name)).expect("ko remembered its layer");
        }
    }

    pub(crate) fn binary_size(&self) -> u64 {
        let binary = fs::metadata(self.memory.join("out"));
        binary.expect("ko keeps the binary").len()
    }

    /// The size of the layer's blob, in bytes.
    pub(crate) fn layer(&self) -> u64 {
        let known = fs::read(self.memory.join("diffid-to-descriptor")).expect("ko remembered it");
        let known: serde_json::Value = serde_json::from_slice(&known).expect("JSON");
        let layers = known.as_object().expect("diff IDs").values();
        let sizes = layers.filter_map(|layer| layer["size"].as_u64());
        sizes.max().expect("a layer")
    }
}

/// Pushes an image with one file, and gives its name by digest.
fn push_base(place: &Path, host: &str) -> String {
    let directory = place.join("base");
    fs::create_dir_all(&directory).expect("made");
    fs::write(directory.join("base"), "a base").expect("written");
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_path_with_name(directory.join("base"), "base")
        .expect("readable");
    let tar = archive.into_inner().expect("in memory");
    fs::write(directory.join("base.tar"), tar).expect("written");
    wait_for(host);
    let run = |words: &[&str]| Call::new(words, &directory).output();
    let first = format!("{host}/base:first");
    run(&[
        "crane",
        "append",
        "--oci-empty-base",
        "-f",
        "base.tar",
        "-t",
        &first,
    ]);
    let platform = format!("linux/{}", architecture());
    let second = format!("{host}/base:second");
    run(&[
        "crane",
        "mutate",
        &first,
        "--set-platform",
        &platform,
        "-t",
        &second,
    ]);
    let digest = run(&["crane", "digest", &second]);
    format!("{host}/base@{}", digest.trim())
}

fn is_on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(tool).is_file())
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    listener.local_addr().expect("it is bound").to_string()
}

fn wait_for(host: &str) {
    for _ in 0..200 {
        if std::net::TcpStream::connect(host).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(25));
    }
    panic!("the registry at {host} does not answer");
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
