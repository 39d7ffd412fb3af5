//! `rbuild login` and `rbuild logout`.
//!
//! A password comes from standard input or from the terminal, never from an argument: those can be read by others and stay in histories.

use std::io::{self, Read};

use anyhow::{Context, Result};

use crate::cli::args::{LoginArguments, LogoutArguments};
use crate::cli::bars;
use crate::cli::build;
use crate::cli::registries;
use crate::cli::registry_arguments::RegistryArguments;
use crate::cli::report;
use crate::cli::terminal::Terminal;
use crate::cli::world::World;
use crate::fault::Fault;
use crate::network::Network;
use crate::plan::request::Progress;
use crate::registry::{self, Hidden, Settings};

/// The longest password, in bytes: some are tokens.
const LONGEST: u64 = 64 << 10;

pub(crate) fn login(arguments: &LoginArguments, world: &World) -> Result<()> {
    let listeners = bars::listeners(Progress::Plain);
    let name = registry::registry_named(&arguments.registry)?;
    let settings = settings(arguments.insecure_registry, world)?;
    let network = Network::unless(world.flag("RBUILD_OFFLINE")?);
    let door = registries::connect(network, settings, &listeners).ok_or_else(offline)?;
    let (user, password) = asked(arguments, &name)?;
    let login = door.login(&name, (&user, &password))?;
    if !login.is_checked {
        listeners.notes.say(format!(
            "`{name}` did not ask who you are: nobody knows whether the password is right"
        ));
    }
    let (user, kept) = (report::escaped(&user), report::escaped(&login.kept));
    report::tell(&format!(
        "logged in to `{name}` as `{user}`; the password is kept {kept}"
    ));
    Ok(())
}

pub(crate) fn logout(arguments: &LogoutArguments, world: &World) -> Result<()> {
    let name = registry::registry_named(&arguments.registry)?;
    let settings = settings(false, world)?;
    let removed = registry::logout(&settings, &report::notes(false), &name)?;
    report::tell(&match removed {
        true => format!("logged out of `{name}`"),
        false => format!("there was no login to `{name}`"),
    });
    Ok(())
}

/// Of `RBUILD_CONFIG` and flags. The checkout that one stands in has no say in whom a password is shown to.
fn settings(insecure_registry: bool, world: &World) -> Result<Settings> {
    let config = build::load_named(world)?.unwrap_or_default();
    let flags = RegistryArguments {
        insecure_registry,
        ..RegistryArguments::default()
    };
    registries::settings(&flags, &config, world)
}

fn offline() -> Fault {
    Fault::refused("a login asks the registry, and `RBUILD_OFFLINE` forbids it")
        .hint("unset it for the login")
}

/// User name and password.
fn asked(arguments: &LoginArguments, registry: &str) -> Result<(String, Hidden)> {
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None => Terminal::open()?.ask(&format!("user name for {registry}"))?,
    };
    if user.is_empty() || user.contains(':') {
        return Err(Fault::refused("a user name is not empty and has no colon").into());
    }
    let password = match arguments.password_stdin {
        true => piped(io::stdin())?,
        false => Terminal::open()?.ask_hidden(&format!("password or token for {user}"))?,
    };
    if password.is_empty() {
        return Err(Fault::refused("the password is empty").into());
    }
    Ok((user, Hidden::new(password)))
}

/// All that comes, without the line break at its end.
fn piped(from: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    let read = from.take(LONGEST + 1).read_to_end(&mut bytes);
    read.context("cannot read the password from standard input")?;
    if bytes.len() as u64 > LONGEST {
        return Err(
            Fault::refused("what comes on standard input is too long for a password").into(),
        );
    }
    let text = String::from_utf8(bytes);
    let mut text = text.map_err(|_| Fault::refused("the password is not UTF-8"))?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piped_password_loses_its_line_break_and_nothing_else() {
        for (typed, password) in [
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            (" se cret ", " se cret "),
            ("", ""),
        ] {
            assert_eq!(piped(typed.as_bytes()).expect("read"), password);
        }
    }

    #[test]
    fn what_cannot_be_a_password_is_refused_without_repeating_it() {
        assert!(piped(io::repeat(b'x')).is_err());
        let error = piped(&b"geheim\xff"[..]).expect_err("not UTF-8");
        assert!(!format!("{error:?}").contains("geheim"));
    }

    fn login(user: &str) -> Result<(String, Hidden)> {
        let arguments = LoginArguments {
            user: Some(user.to_owned()),
            password_stdin: true,
            insecure_registry: false,
            registry: "r.example".to_owned(),
        };
        asked(&arguments, "r.example")
    }

    #[test]
    fn a_user_name_that_basic_cannot_carry_is_refused() {
        for user in ["", "a:b"] {
            let error = login(user).expect_err("refused");
            assert!(error.to_string().contains("no colon"), "{error}");
        }
    }
}
