//! TLS as openssl speaks it where nobody should any more.

#![expect(clippy::disallowed_methods, reason = "openssl is started")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{TestEnv, run};
use crate::test_registry::Authority;

/// A server that speaks one version of TLS alone; it ends with the value.
struct Server {
    child: Child,
    host: String,
}

impl Server {
    fn speaking(version: &str, env: &TestEnv, authority: &Authority) -> Server {
        let tls = authority.for_loopback();
        let (certificate, key) = (env.path("server.crt"), env.path("server.key"));
        fs::write(&certificate, tls.certificate).expect("written");
        fs::write(&key, tls.key).expect("written");
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", version, "-www", "-accept", "127.0.0.1:0"]);
        openssl
            .args(["-cipher", "ALL:@SECLEVEL=0", "-cert"])
            .arg(certificate);
        openssl.arg("-key").arg(key);
        openssl
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = openssl.spawn().expect("openssl is installed");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let told = lines.map_while(Result::ok);
        let host = told
            .filter_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned()))
            .next();
        Server {
            child,
            host: host.expect("it says where it listens"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs openssl"]
fn r34_tls_1_1_is_not_spoken_and_nothing_else_instead() {
    let authority = Authority::new();
    let pin = format!("team/base@sha256:{}", "1".repeat(64));
    // The last one is spoken, to somebody who is no registry: the others fail for their age and nothing else.
    for (version, code, words) in [
        ("-tls1", 7, "TLS 1.2"),
        ("-tls1_1", 7, "TLS 1.2"),
        ("-tls1_2", 5, "sha256:1111"),
    ] {
        let env = TestEnv::new();
        let server = Server::speaking(version, &env, &authority);
        fs::write(env.path("ca.pem"), authority.pem()).expect("written");
        let mut pull = env.command(&env.path("home"));
        pull.env("SSL_CERT_FILE", env.path("ca.pem"));
        pull.args(["cache", "warm", &format!("{}/{pin}", server.host)]);
        run(&mut pull)
            .ends_with(code)
            .says(words)
            .says(&server.host);
    }
}
