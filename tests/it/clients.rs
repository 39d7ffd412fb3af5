//! The clients that others wrote, in a home of their own: no login of the user's is seen, none is left behind.

#![expect(clippy::disallowed_methods, reason = "tests start peers")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Run, TestEnv, run};

/// crane, skopeo, regctl and podman as a user who has logged in nowhere yet.
pub(crate) struct Clients {
    home: PathBuf,
    authority: Option<PathBuf>,
    /// Hosts that are spoken to over http: regctl wants to be told.
    plain: Vec<String>,
}

impl Clients {
    pub(crate) fn new(env: &TestEnv) -> Clients {
        let home = env.path("clients");
        std::fs::create_dir_all(home.join(".docker")).expect("made");
        Clients {
            home,
            authority: None,
            plain: Vec::new(),
        }
    }

    /// Talks to this host over http.
    pub(crate) fn plain(mut self, host: &str) -> Clients {
        self.plain.push(host.to_owned());
        self
    }

    /// Believes this authority, given as PEM.
    pub(crate) fn trusting(mut self, authority: &str) -> Clients {
        let path = self.home.join("ca.crt");
        std::fs::write(&path, authority).expect("written");
        self.authority = Some(path);
        self
    }

    /// Has these credentials in the docker configuration.
    pub(crate) fn logged_in(self, host: &str, user: &str, password: &str) -> Clients {
        let auth = STANDARD.encode(format!("{user}:{password}"));
        let config = json!({"auths": {host: {"auth": auth}}});
        let path = self.home.join(".docker/config.json");
        std::fs::write(path, config.to_string()).expect("written");
        self
    }

    /// A client in this home, to be given arguments.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        self.settle(&mut command);
        command
    }

    /// Lets a command live in this home.
    pub(crate) fn settle(&self, command: &mut Command) {
        command
            .env("HOME", &self.home)
            .env("REGISTRY_AUTH_FILE", self.auth_file());
        for name in ["DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        if let Some(authority) = &self.authority {
            command.env("SSL_CERT_FILE", authority);
        }
    }

    /// Whether there is TLS, so that certificates are to be verified.
    pub(crate) fn verifies(&self) -> bool {
        self.authority.is_some()
    }

    /// The docker configuration of this home, which podman and skopeo are pointed at too.
    pub(crate) fn auth_file(&self) -> PathBuf {
        self.home.join(".docker/config.json")
    }

    pub(crate) fn crane(&self, arguments: &[&str]) -> Run {
        run(self.command("crane").args(arguments))
    }

    /// With the flags that make it speak http where nobody said https.
    pub(crate) fn skopeo(&self, arguments: &[&str]) -> Run {
        let verify = self.verifies();
        let flags = match arguments.first() {
            Some(&"copy") => ["src", "dest"].map(|end| format!("--{end}-tls-verify={verify}")),
            _ => [format!("--tls-verify={verify}"), "--debug=false".to_owned()],
        };
        let mut command = self.command("skopeo");
        command.args(&arguments[..1]);
        let flags = flags.iter().filter(|flag| !flag.starts_with("--debug"));
        run(command.args(flags).args(&arguments[1..]))
    }

    pub(crate) fn regctl(&self, arguments: &[&str]) -> Run {
        let mut command = self.command("regctl");
        for host in &self.plain {
            command.args(["--host", &format!("reg={host},tls=disabled")]);
        }
        run(command.args(arguments))
    }
}
