//! Credential helpers: programs named `docker-credential-X` that keep secrets for docker and its kin.
//!
//! The protocol is that of docker-credential-helpers: a verb as the only argument, everything else on standard input. A helper that
//! fails is an error; that it knows no credentials is an answer. What it says is never repeated where it could be a secret.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::json;
use crate::process::{Answer, Call, Limits};
use crate::registry::credentials::places::Environment;
use crate::registry::credentials::secret::{Credential, Hidden};
use crate::registry::error::{Cause, Error};

/// A helper may ask the user or a cloud, but not for ever.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    bytes: 64 << 10,
};

pub(super) struct Helper {
    program: String,
    call: Call,
    limits: Limits,
}

impl Helper {
    /// `None` when the name is not one of a helper: it comes from a file and becomes part of a program's name.
    pub(super) fn new(name: &str, environment: &Environment) -> Option<Helper> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        let program = format!("docker-credential-{name}");
        let call = ["PATH", "HOME"]
            .into_iter()
            .filter_map(|name| Some((name, environment.variable(name)?)))
            .fold(
                Call::new(&program, Path::new("/")),
                |call, (name, value)| call.env(name, value),
            );
        Some(Helper {
            program,
            call,
            limits: LIMITS,
        })
    }

    /// For messages.
    pub(super) fn shown(&self) -> String {
        format!("credential helper `{}`", self.program)
    }

    /// The credential for a server, `None` when the helper knows none.
    pub(super) fn get(&self, server: &str) -> Result<Option<Credential>, Error> {
        let answer = self.ask("get", (server, server.as_bytes()))?;
        if answer.status.success() {
            return credential(&answer.output).map_err(|why| self.failed(server, why));
        }
        if knows_nothing(&answer.output) {
            return Ok(None);
        }
        Err(self.ended(server, &answer))
    }

    /// Hands over a user name and a password.
    pub(super) fn store(&self, server: &str, user: &str, secret: &Hidden) -> Result<(), Error> {
        let message = json!({"ServerURL": server, "Username": user, "Secret": secret.reveal()});
        let answer = self.ask("store", (server, message.to_string().as_bytes()))?;
        self.done(server, &answer)
    }

    /// Lets the helper forget a server; one that it does not know is as good.
    pub(super) fn erase(&self, server: &str) -> Result<(), Error> {
        let answer = self.ask("erase", (server, server.as_bytes()))?;
        if knows_nothing(&answer.output) {
            return Ok(());
        }
        self.done(server, &answer)
    }

    fn done(&self, server: &str, answer: &Answer) -> Result<(), Error> {
        if answer.status.success() {
            return Ok(());
        }
        Err(self.ended(server, answer))
    }

    fn ask(&self, verb: &str, (server, input): (&str, &[u8])) -> Result<Answer, Error> {
        let call = self.call.clone().arg(verb);
        call.converse(input, self.limits)
            .map_err(|error| self.failed(server, &error.to_string()))
    }

    fn ended(&self, server: &str, answer: &Answer) -> Error {
        let error = self.failed(server, &format!("it ended with {}", answer.status));
        match complaint(&answer.output) {
            Some(complaint) => error.because(format!("it says: {complaint}")),
            None => error,
        }
    }

    fn failed(&self, server: &str, why: &str) -> Error {
        Error::new(
            Cause::Unauthorized,
            format!("{} fails for `{server}`", self.shown()),
        )
        .because(why)
        .because("no other credentials are tried instead")
        .hint(format!("try it: `echo -n {server} | {} get`", self.program))
    }
}

/// The answer by which helpers say that they have nothing; it comes on standard output, with a failing status.
fn knows_nothing(output: &[u8]) -> bool {
    String::from_utf8_lossy(output)
        .to_ascii_lowercase()
        .contains("credentials not found")
}

/// The first line of a failure, unless it looks like the secret itself.
fn complaint(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line: String = text.trim().lines().next()?.chars().take(200).collect();
    let suspicious = ["{", "secret", "password", "token"];
    let lower = text.to_ascii_lowercase();
    (!suspicious.iter().any(|word| lower.contains(word))).then_some(line)
}

/// The user name `<token>` says that the secret is an identity token.
fn credential(output: &[u8]) -> Result<Option<Credential>, &'static str> {
    let Ok(Value::Object(answer)) = json::parse(output) else {
        return Err("its answer is not a JSON object");
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let (Some(user), Some(secret)) = (text("Username"), text("Secret")) else {
        return Err("its answer has no `Username` and `Secret`");
    };
    let secret = Hidden::new(secret);
    Ok(match user {
        "" if secret.is_empty() => None,
        "<token>" => Some(Credential::Identity {
            user: user.to_owned(),
            password: Hidden::default(),
            token: secret,
        }),
        user => Some(Credential::Password {
            user: user.to_owned(),
            password: secret,
        }),
    })
}

#[cfg(test)]
impl Helper {
    /// As if it were given less time.
    pub(super) fn hurried(mut self, time: Duration) -> Helper {
        self.limits.time = time;
        self
    }
}
