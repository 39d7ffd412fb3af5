//! A real registry on loopback for the length of a test, and the one kind of request that tests make themselves.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests start peers and talk to them on loopback"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often something that starts is asked whether it is there; with [`PAUSE`] half a minute.
const TRIES: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// `docker-registry` with an empty storage of its own; both end with the value.
pub(crate) struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    _root: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Registry {
        // Somebody else may take the free port first: then another one.
        (0..5)
            .find_map(|_| Registry::attempt(free_port()))
            .expect("docker-registry starts on a free port")
    }

    fn attempt(port: u16) -> Option<Registry> {
        let root = tempfile::tempdir().expect("a temporary directory");
        let file = root.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}/blobs}}, delete: {{enabled: true}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\", secret: test}}\n",
            root.path().display()
        );
        std::fs::write(&file, text).expect("written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let host = format!("127.0.0.1:{port}");
        let mut registry = Registry {
            child,
            host,
            _root: root,
        };
        let ready = awaited(port, "/v2/", || {
            registry.child.try_wait().ok().flatten().is_some()
        });
        ready
            .is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
            .then_some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of loopback that nobody has now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The whole answer to a GET on loopback, asked until there is one, or `None` when `ended` says that none will come.
pub(crate) fn awaited(port: u16, path: &str, mut ended: impl FnMut() -> bool) -> Option<String> {
    for _ in 0..TRIES {
        if let Ok(answer) = get(port, path)
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

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
