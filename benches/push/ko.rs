//! Real ko with a Go program whose image it has made already: it pushes that, after it has asked go whether anything changed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::call::Call;
use crate::image;
use crate::tools::is_on_path;

pub(crate) const NAME: &str = "ko";

const PROGRAM: &str = "package main\n\
    import (_ \"embed\"; \"fmt\"; \"os\")\n\
    //go:embed noise\n\
    var noise string\n\
    func main() { fmt.Println(noise[len(os.Args)]) }\n";

pub(crate) struct Ko {
    directory: PathBuf,
    cache: PathBuf,
    base: String,
}

impl Ko {
    /// `size` bytes lie in the program. Without go, ko or crane there is nothing to compare with.
    pub(crate) fn prepare(place: &Path, host: &str, size: usize) -> Option<Ko> {
        if let Some(tool) = ["go", "ko", "crane"]
            .into_iter()
            .find(|tool| !is_on_path(tool))
        {
            println!("nothing is compared with ko: `{tool}` is not on PATH");
            return None;
        }
        let directory = place.join("program");
        fs::create_dir_all(&directory).expect("made");
        fs::write(
            directory.join("go.mod"),
            "module bench.example/push\n\ngo 1.21\n",
        )
        .expect("written");
        fs::write(directory.join("main.go"), PROGRAM).expect("written");
        fs::write(directory.join("noise"), image::noise(3, size)).expect("written");
        let ko = Ko {
            directory,
            cache: place.join("kocache"),
            base: base(place, host),
        };
        ko.push(&format!("{host}/ko/first")).time();
        Some(ko)
    }

    pub(crate) fn push(&self, target: &str) -> Call {
        Call::new(
            &["ko", "build", "--sbom=none", "--bare", "."],
            &self.directory,
        )
        .env("KOCACHE", &self.cache)
        .env("KO_DOCKER_REPO", target)
        .env("KO_DEFAULTBASEIMAGE", &self.base)
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=mod")
    }
}

/// An empty image of this platform in the registry, by digest.
fn base(place: &Path, host: &str) -> String {
    let name = format!("{host}/base");
    let run = |words: &[&str]| Call::new(words, place).output();
    let tar = place.join("empty.tar");
    let archive = tar::Builder::new(Vec::new())
        .into_inner()
        .expect("in memory");
    fs::write(&tar, archive).expect("written");
    run(&[
        "crane",
        "append",
        "--oci-empty-base",
        "-f",
        "empty.tar",
        "-t",
        &name,
    ]);
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let platform = format!("linux/{architecture}");
    run(&[
        "crane",
        "mutate",
        &name,
        "--set-platform",
        &platform,
        "-t",
        &name,
    ]);
    let digest = run(&["crane", "digest", &name]);
    format!("{name}@{}", digest.trim())
}
