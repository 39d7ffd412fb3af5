//! One auth file: docker's `config.json` or podman's `auth.json`, read as a value.
//!
//! A file that cannot be read or understood is an error; its text never gets into one.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::json;
use crate::notes::Notes;
use crate::registry::credentials::helper::Helper;
use crate::registry::credentials::names;
use crate::registry::credentials::places::Environment;
use crate::registry::credentials::secret::{Credential, Hidden};
use crate::registry::error::{Cause, Error};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// Docker pads, podman and people do not always.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a file says about a registry.
pub(super) enum Search {
    Found(Credential),
    /// The helper for this very registry has nothing: nobody else is asked.
    Nobody,
    Unknown,
}

pub(super) struct AuthFile {
    path: PathBuf,
    /// Permission bits.
    mode: u32,
    content: Map<String, Value>,
}

impl AuthFile {
    /// `None` when there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<AuthFile>, Error> {
        let (bytes, mode) = match bytes(path) {
            Ok(read) => read,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        Ok(Some(AuthFile {
            content: content(path, &bytes)?,
            path: path.to_owned(),
            mode,
        }))
    }

    pub(super) fn content(self) -> Map<String, Value> {
        self.content
    }

    /// Says that others can read the secrets in it, if they can.
    pub(super) fn warn(&self, notes: &Notes) {
        let has = |name| move |entry: &Value| !entry[name].as_str().unwrap_or("").is_empty();
        let secrets = ["auth", "password", "identitytoken", "registrytoken"];
        let holds = |entry: &Value| secrets.iter().any(|name| has(*name)(entry));
        let auths = self.content.get("auths").and_then(Value::as_object);
        if self.mode & 0o044 != 0 && auths.is_some_and(|auths| auths.values().any(holds)) {
            let path = self.path.display();
            notes.say(format!(
                "`{path}` holds secrets and others can read it: `chmod 600 {path}`"
            ));
        }
    }

    /// The helper for the registry first, then the helper for all, then what lies in the file itself.
    pub(super) fn find(
        &self,
        (registry, repository): (&str, &str),
        environment: &Environment,
    ) -> Result<Search, Error> {
        let server = names::server(registry);
        if let Some(helper) = self.helper_of(registry, environment)? {
            let found = helper.get(server)?;
            return Ok(found.map_or(Search::Nobody, Search::Found));
        }
        let stored = match self.store(environment)? {
            Some(helper) => helper.get(server)?,
            None => None,
        };
        let found = match stored {
            Some(credential) => Some(credential),
            None => self.entry(registry, repository)?,
        };
        Ok(found.map_or(Search::Unknown, Search::Found))
    }

    /// `credHelpers`, else `credsStore`: who keeps the credentials of a registry.
    pub(super) fn keeper_of(
        &self,
        registry: &str,
        environment: &Environment,
    ) -> Result<Option<Helper>, Error> {
        match self.helper_of(registry, environment)? {
            Some(helper) => Ok(Some(helper)),
            None => self.store(environment),
        }
    }

    fn helper_of(
        &self,
        registry: &str,
        environment: &Environment,
    ) -> Result<Option<Helper>, Error> {
        let helpers = self.object("credHelpers")?;
        let named = helpers
            .into_iter()
            .flatten()
            .find(|(key, _)| names::normal(key) == names::normal(registry));
        named
            .map(|(key, name)| self.helper(name, &format!("credHelpers.{key}"), environment))
            .transpose()
            .map(Option::flatten)
    }

    fn store(&self, environment: &Environment) -> Result<Option<Helper>, Error> {
        self.content.get("credsStore").map_or(Ok(None), |name| {
            self.helper(name, "credsStore", environment)
        })
    }

    /// An empty name is none.
    fn helper(
        &self,
        name: &Value,
        place: &str,
        environment: &Environment,
    ) -> Result<Option<Helper>, Error> {
        let name = name
            .as_str()
            .ok_or_else(|| unusable(&self.path, &format!("`{place}` is not a text")))?;
        if name.is_empty() {
            return Ok(None);
        }
        Helper::new(name, environment).map(Some).ok_or_else(|| {
            unusable(
                &self.path,
                &format!("`{place}` is not the name of a helper"),
            )
            .hint("a helper is named with letters, digits, `.`, `_` and `-`")
        })
    }

    fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Error> {
        match self.content.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(unusable(&self.path, &format!("`{name}` is not an object"))),
        }
    }

    /// The entry of `auths` with the longest name that fits and something in it.
    fn entry(&self, registry: &str, repository: &str) -> Result<Option<Credential>, Error> {
        let Some(auths) = self.object("auths")? else {
            return Ok(None);
        };
        for candidate in names::candidates(registry, repository) {
            let fits = |key: &&String| names::normal(key) == candidate;
            let mut keys: Vec<&String> = auths.keys().filter(fits).collect();
            keys.sort_by_key(|key| **key != candidate && *key != names::server(registry));
            for key in keys {
                let found = credential(&auths[key])
                    .map_err(|why| unusable(&self.path, &format!("`auths.{key}` {why}")))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }
}

/// At most [`LARGEST`] bytes, and the permission bits.
fn bytes(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok((bytes, mode))
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// An empty file, as `/dev/null` is one, says nothing.
fn content(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match json::parse(bytes) {
        Ok(Value::Object(content)) => Ok(content),
        Ok(_) => Err(unusable(path, "it is not a JSON object")),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(
        Cause::Unauthorized,
        format!("cannot use the credentials in {}", path.display()),
    )
    .because(why)
    .hint("mend the file, or name another one with `DOCKER_CONFIG` or `REGISTRY_AUTH_FILE`")
}

/// What an entry of `auths` holds; nothing when a helper keeps it.
fn credential(entry: &Value) -> Result<Option<Credential>, &'static str> {
    let text = |name: &str| match &entry[name] {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text.as_str()),
        _ => Err("has a field that is not a text"),
    };
    if !entry.is_object() {
        return Err("is not an object");
    }
    let (user, password) = match text("auth")? {
        "" => (text("username")?.to_owned(), text("password")?.to_owned()),
        auth => decoded(auth)?,
    };
    let password = Hidden::new(password);
    Ok(match (text("registrytoken")?, text("identitytoken")?) {
        ("", "") if user.is_empty() && password.is_empty() => None,
        ("", "") => Some(Credential::Password { user, password }),
        ("", token) => Some(Credential::Identity {
            user,
            password,
            token: Hidden::new(token),
        }),
        (token, _) => Some(Credential::Token(Hidden::new(token))),
    })
}

/// `user:password` from base64; docker's own files may end in zero bytes.
fn decoded(auth: &str) -> Result<(String, String), &'static str> {
    let bytes = BASE64
        .decode(auth.trim())
        .map_err(|_| "has an `auth` that is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "has an `auth` that is not UTF-8")?;
    let (user, password) = text
        .split_once(':')
        .ok_or("has an `auth` that is not `user:password`")?;
    Ok((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}
