//! A distribution on loopback with a storage of its own, both gone with the value.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::call::Call;
use crate::tools::is_on_path;

pub(crate) struct Registry {
    pub(crate) host: String,
    pub(crate) program: &'static str,
    child: Child,
    _storage: TempDir,
}

impl Registry {
    /// Distribution 3 if it is installed, else Debian's 2.8; `None` without either.
    pub(crate) fn start(place: &Path) -> Option<Registry> {
        let program = ["registry", "docker-registry"]
            .into_iter()
            .find(|program| is_on_path(program))?;
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
        let host = listener.local_addr().expect("it is bound").to_string();
        drop(listener);
        let storage = tempfile::tempdir_in(place).expect("the place is there");
        let configuration = storage.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n\
             http: {{addr: \"{host}\", secret: bench}}\n",
            storage.path().display()
        );
        fs::write(&configuration, text).expect("written");
        let words = [program, "serve", &configuration.display().to_string()];
        let child = Call::new(&words, place).start().expect("it is on PATH");
        wait_for(&host);
        Some(Registry {
            host,
            program,
            child,
            _storage: storage,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(host: &str) {
    for _ in 0..2000 {
        if std::net::TcpStream::connect(host).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the registry at {host} does not answer");
}
