//! Real registries on loopback for the length of a test, and the one kind of request that tests make themselves.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests start peers and talk to them on loopback"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::registry_config;
use crate::registry_tokens::TokenServer;
use crate::test_registry::{Authority, Options, TestRegistry};

/// How often something that starts is asked whether it is there; with [`PAUSE`] half a minute.
const TRIES: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// What a registry says, of its requests and else.
const LOG: &str = "log";

/// Who is let in by [`Access::Htpasswd`] and [`Access::Token`]; with tokens everybody else may pull.
pub(crate) const USER: &str = "user";
pub(crate) const PASSWORD: &str = "s3cret";

/// Which registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Program {
    /// Debian's `docker-registry`: distribution 2.8.
    #[default]
    Distribution2,
    /// `registry` of `go install`: distribution 3.
    Distribution3,
    /// `crane registry serve`: anonymous over http, in memory; no option but [`RegistryOptions::ipv6`] says anything to it.
    Crane,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Anonymous,
    Htpasswd,
    /// A token server on another port of loopback: [`Registry::tokens`].
    Token,
}

/// `RegistryOptions::default()` is distribution 2.8 over http on 127.0.0.1, anonymous, that can delete.
#[derive(Default)]
pub(crate) struct RegistryOptions<'a> {
    pub(crate) program: Program,
    pub(crate) access: Access,
    /// https with a certificate of this authority.
    pub(crate) authority: Option<&'a Authority>,
    /// 405 for what would change something; with [`RegistryOptions::storage`] it has something to read.
    pub(crate) read_only: bool,
    /// GET of a blob is answered by 307 to another port: [`Registry::blob_store`].
    pub(crate) redirect: bool,
    /// `Location` without scheme and host.
    pub(crate) relative_urls: bool,
    /// Listens on `[::1]`.
    pub(crate) ipv6: bool,
    /// Pulls through from here, `http://127.0.0.1:PORT`.
    pub(crate) proxy_of: Option<String>,
    /// A directory for what it holds, of another registry perhaps ([`Registry::storage`]); a new one if unset.
    pub(crate) storage: Option<PathBuf>,
}

/// A registry with a storage of its own; all ends with the value.
pub(crate) struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`, or `[::1]:PORT`
    pub(crate) host: String,
    /// Where it keeps what it holds.
    pub(crate) storage: PathBuf,
    /// What gives tokens; its requests can be looked at.
    pub(crate) tokens: Option<TokenServer>,
    /// Where a redirecting registry sends its clients.
    pub(crate) blob_store: Option<TestRegistry>,
    root: tempfile::TempDir,
}

/// What surrounds a registry that is about to start.
pub(crate) struct Surroundings<'a> {
    pub(crate) root: &'a Path,
    pub(crate) storage: &'a Path,
    pub(crate) host: &'a str,
    pub(crate) tokens: Option<&'a TokenServer>,
    pub(crate) blob_store: Option<&'a TestRegistry>,
}

impl Registry {
    pub(crate) fn start() -> Registry {
        Registry::start_with(&RegistryOptions::default())
    }

    pub(crate) fn start_with(options: &RegistryOptions<'_>) -> Registry {
        // Somebody else may take the free port first: then another one.
        (0..5)
            .find_map(|_| Registry::attempt(options))
            .unwrap_or_else(|| panic!("{:?} starts on a free port", options.program))
    }

    fn attempt(options: &RegistryOptions<'_>) -> Option<Registry> {
        let root = tempfile::tempdir().expect("a temporary directory");
        let own = root.path().join("blobs");
        let storage = options.storage.clone().unwrap_or(own);
        let loopback = if options.ipv6 { "[::1]" } else { "127.0.0.1" };
        let host = format!("{loopback}:{}", free_port_of(loopback));
        let tokens = (options.access == Access::Token).then(|| TokenServer::start(root.path()));
        let blob_store = options.redirect.then(|| store_of_blobs(&storage));
        let mut command = command(
            options,
            &Surroundings {
                root: root.path(),
                storage: &storage,
                host: &host,
                tokens: tokens.as_ref(),
                blob_store: blob_store.as_ref(),
            },
        );
        let (log, errors) = log(root.path());
        let told = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let spawned = told.spawn();
        let mut registry = Registry {
            child: spawned.unwrap_or_else(|error| panic!("{:?}: {error}", options.program)),
            host,
            storage,
            tokens,
            blob_store,
            root,
        };
        registry.is_ready().then_some(registry)
    }

    /// What distribution wrote of the requests of rbuild alone, `METHOD PATH[?QUERY] STATUS`, in order of their ends.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.root.path().join(LOG)).expect("a log");
        log.lines().filter_map(request_of_rbuild).collect()
    }

    /// Waits until it answers, be it that it wants TLS or a login.
    fn is_ready(&mut self) -> bool {
        let host = self.host.clone();
        let mut has_ended = || self.child.try_wait().ok().flatten().is_some();
        awaited_at(&host, "/v2/", &mut has_ended).is_some() && !has_ended()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two handles of one log: crane writes of requests to standard error, distribution to standard output.
fn log(root: &Path) -> (File, File) {
    let log = File::create(root.join(LOG)).expect("a log");
    (log.try_clone().expect("cloned"), log)
}

/// From `ADDRESS - - [TIME] "METHOD PATH HTTP/1.1" STATUS SIZE "REFERER" "rbuild/VERSION"`.
fn request_of_rbuild(line: &str) -> Option<String> {
    let mut quoted = line.split('"');
    let request = quoted.nth(1)?.strip_suffix(" HTTP/1.1")?;
    let status = quoted.next()?.split_whitespace().next()?;
    let agent = quoted.nth(2)?;
    agent
        .starts_with("rbuild/")
        .then(|| format!("{request} {status}"))
}

fn command(options: &RegistryOptions<'_>, around: &Surroundings<'_>) -> Command {
    let program = match options.program {
        Program::Distribution2 => "docker-registry",
        Program::Distribution3 => "registry",
        Program::Crane => {
            let mut command = Command::new("crane");
            command.args(["registry", "serve", "--address", around.host]);
            return command;
        }
    };
    let mut command = Command::new(program);
    let file = registry_config::write(options, around);
    command.arg("serve").arg(file);
    // Distribution 3 would send traces to a collector, and waits for it.
    command.env("OTEL_TRACES_EXPORTER", "none");
    command
}

/// What serves the files of a storage at another port; crane follows to no other address of loopback.
fn store_of_blobs(storage: &Path) -> TestRegistry {
    TestRegistry::with(Options {
        files: Some(storage.to_owned()),
        ..Options::default()
    })
}

/// A port of loopback that nobody has now.
pub(crate) fn free_port() -> u16 {
    free_port_of("127.0.0.1")
}

fn free_port_of(address: &str) -> u16 {
    let listener = TcpListener::bind(format!("{address}:0")).expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The whole answer to a GET on loopback, asked until there is one, or `None` when `ended` says that none will come.
pub(crate) fn awaited(port: u16, path: &str, ended: impl FnMut() -> bool) -> Option<String> {
    awaited_at(&format!("127.0.0.1:{port}"), path, ended)
}

fn awaited_at(host: &str, path: &str, mut ended: impl FnMut() -> bool) -> Option<String> {
    for _ in 0..TRIES {
        if let Ok(answer) = get(host, path)
            && answer.starts_with("HTTP/")
        {
            return Some(answer);
        }
        if ended() {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
    None
}

fn get(host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
