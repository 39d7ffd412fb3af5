//! The configuration of `distribution`, 2.8 and 3 alike, written for one registry of a test.

#![expect(clippy::disallowed_methods, reason = "htpasswd makes the passwords")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::registry::{Access, PASSWORD, RegistryOptions, Surroundings, USER};
use crate::registry_tokens::{ISSUER, SERVICE};
use crate::support::run;

/// Writes the configuration with all that it names, and returns its path. JSON is YAML.
pub(crate) fn write(options: &RegistryOptions<'_>, around: &Surroundings<'_>) -> PathBuf {
    let mut config = json!({
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": false}},
        "storage": {
            "filesystem": {"rootdirectory": around.storage},
            "delete": {"enabled": true},
            "maintenance": {"uploadpurging": {"enabled": false}, "readonly": {"enabled": options.read_only}},
        },
        "http": {"addr": around.host, "secret": "test", "relativeurls": options.relative_urls},
    });
    if let Some(auth) = auth(options.access, around) {
        config["auth"] = auth;
    }
    if let Some(authority) = options.authority {
        let tls = authority.for_loopback();
        let certificate = put(around, "server.crt", &tls.certificate);
        config["http"]["tls"] =
            json!({"certificate": certificate, "key": put(around, "server.key", &tls.key)});
    }
    if let Some(store) = around.blob_store {
        let base = format!("{}/", store.origin());
        config["middleware"] =
            json!({"storage": [{"name": "redirect", "options": {"baseurl": base}}]});
    }
    if let Some(remote) = &options.proxy_of {
        config["proxy"] = json!({"remoteurl": remote});
    }
    put(around, "registry.yml", &config.to_string())
}

fn auth(access: Access, around: &Surroundings<'_>) -> Option<Value> {
    match access {
        Access::Anonymous => None,
        Access::Htpasswd => {
            // bcrypt is the only kind that distribution takes; 4 is its lowest cost.
            let mut htpasswd = Command::new("htpasswd");
            let line = run(htpasswd.args(["-nbB", "-C", "4", USER, PASSWORD])).succeeds();
            let path = put(around, "htpasswd", line.stdout().trim());
            Some(json!({"htpasswd": {"realm": "test", "path": path}}))
        }
        Access::Token => {
            let tokens = around.tokens.expect("a token server");
            Some(json!({"token": {
                "realm": tokens.realm(),
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": tokens.certificate(),
            }}))
        }
    }
}

fn put(around: &Surroundings<'_>, name: &str, text: &str) -> PathBuf {
    let path = around.root.join(name);
    std::fs::write(&path, text).expect("written");
    path
}
