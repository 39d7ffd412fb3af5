//! Programs that run images: podman with a storage of its own, and runc on what umoci unpacked.

#![expect(clippy::disallowed_methods, reason = "tests start peers")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::feed::skopeo;
use crate::support::{TestEnv, peer};

/// Modest limits, because a machine may not give the right to raise them; runc, because crun refuses mixed cgroups.
const CONTAINERS_CONF: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"#;

/// podman whose images, containers and settings lie in a test's directory.
pub(crate) struct Podman {
    place: PathBuf,
    directory: PathBuf,
}

impl Podman {
    /// To be run in `directory`: podman makes a name of the path in `oci:PATH`, so that it must be relative, small and simple.
    pub(crate) fn new(env: &TestEnv, directory: &Path) -> Podman {
        let place = env.path("podman");
        std::fs::create_dir(&place).expect("made");
        std::fs::write(place.join("containers.conf"), CONTAINERS_CONF).expect("written");
        Podman {
            place,
            directory: directory.to_owned(),
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", self.place.join("containers.conf"))
            .arg("--root")
            .arg(self.place.join("root"))
            .arg("--runroot")
            .arg(self.place.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command
    }
}

/// A bundle for runc: an image unpacked by umoci.
pub(crate) struct Bundle {
    path: PathBuf,
    state: PathBuf,
    pub(crate) name: String,
}

impl Bundle {
    /// Unpacks one platform of `image`, in skopeo's words, for instance `oci:DIR:NAME`.
    pub(crate) fn unpack(env: &TestEnv, image: &str, architecture: &str) -> Bundle {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbuild-test-{}-{number}", std::process::id());
        // umoci takes no index.
        let single = env.path(&format!("{name} layout")).display().to_string();
        skopeo(&[
            "copy",
            "--override-arch",
            architecture,
            image,
            &format!("oci:{single}:it"),
        ]);
        let path = env.path(&name);
        let target = path.display().to_string();
        peer(
            "umoci",
            &["unpack", "--image", &format!("{single}:it"), &target],
        );
        let state = env.path(&format!("{name} state"));
        let bundle = Bundle { path, state, name };
        bundle.configure(|config| config["process"]["terminal"] = Value::from(false));
        bundle
    }

    /// Edits the bundle's config.json.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Value)) {
        let file = self.path.join("config.json");
        let bytes = std::fs::read(&file).expect("umoci wrote it");
        let mut config = serde_json::from_slice(&bytes).expect("JSON");
        change(&mut config);
        std::fs::write(&file, config.to_string()).expect("written");
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.path.join("rootfs")
    }

    /// `runc VERB` with the state directory of this bundle.
    pub(crate) fn runc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(&self.state).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self) -> Command {
        let mut command = self.runc(&["run", "-b"]);
        command.arg(&self.path).arg(&self.name);
        command
    }
}

/// `oci:DIR:NAME` as peers write it, for an image that rbuild wrote under its own name.
pub(crate) fn written(layout: &Path, name: &str) -> String {
    format!("oci:{}:rbuild.local/{name}:latest", layout.display())
}
