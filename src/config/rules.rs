//! What one value of `.builder.yaml` may be: each [`Rule`] checks a text, and the same functions read it afterwards.
//!
//! A rule knows neither file nor key, and never looks at the disk: whether a directory is there is asked when it is used.

use crate::platform::{ALL, Platform};
use crate::reference;
use crate::reference::Reference;

use super::base;
use super::near::nearest;
use super::objection::Objection;
use super::objection::shown;
use super::trust;

type Checked = Result<(), Objection>;

/// A kind of text value.
pub(super) struct Rule {
    /// Completes the sentence "must be …"; no two rules share it.
    pub(super) what: &'static str,
    /// Whether a whole number may stand without quotes.
    pub(super) number: bool,
    /// Whether no two values of the file may be the same.
    pub(super) unique: bool,
    /// The value that may have no other beside it in a list.
    pub(super) alone: Option<&'static str>,
    pub(super) check: fn(&str) -> Checked,
}

const fn rule(what: &'static str, check: fn(&str) -> Checked) -> Rule {
    Rule {
        what,
        number: false,
        unique: false,
        alone: None,
        check,
    }
}

const fn number_or(what: &'static str, check: fn(&str) -> Checked) -> Rule {
    Rule {
        number: true,
        ..rule(what, check)
    }
}

pub(super) static REGISTRY: Rule = rule(
    "a registry, `host` or `host:port` in lower case",
    check_registry,
);
pub(super) static MIRRORED: Rule = rule(
    "a registry, `host` or `host:port` in lower case, or `*`",
    |text| match text {
        "*" => Ok(()),
        text => check_registry(text),
    },
);
pub(super) static MIRROR: Rule = rule("a URL such as `https://mirror.example/hub`", check_mirror);
pub(super) static LOCAL_FILE: Rule = rule("the path of a file", check_local_file);
pub(super) static ID: Rule = Rule {
    unique: true,
    ..rule("an id without spaces or a leading `-`", check_name)
};
pub(super) static NAME: Rule = rule("a name without spaces or a leading `-`", check_name);
pub(super) static FEATURE: Rule = rule("one feature of a package", check_feature);
pub(super) static DIRECTORY: Rule = rule("a directory", check_directory);
pub(super) static SOURCE: Rule = rule("a path below this file's directory", check_source);
pub(super) static PLATFORM: Rule = Rule {
    alone: Some(ALL),
    ..rule("a platform such as `linux/arm64`, or `all`", check_platform)
};
pub(super) static MUSL_TARGET: Rule = rule(
    "a musl target such as `aarch64-unknown-linux-musl`",
    check_musl_target,
);
pub(super) static BASE: Rule = rule(
    "`builtin:static`, `scratch`, `oci:DIR` or an image name",
    base::check,
);
pub(super) static VARIABLE: Rule = rule("an entry of the form `NAME=value`", check_variable);
pub(super) static FLAG: Rule = rule("one flag of cargo", check_flag);
pub(super) static LIBC: Rule = rule("`auto`, `musl` or `gnu`", check_libc);
pub(super) static IMAGE_NAME: Rule = rule(
    "a repository name without registry, tag or digest",
    check_image_name,
);
pub(super) static FILE: Rule = rule("an absolute path of a file in the image", check_file);
pub(super) static PLACE: Rule = rule("an absolute path in the image", check_place);
pub(super) static ARGUMENT: Rule = rule("an argument in text form", check_argument);
pub(super) static ENTRY_NAME: Rule = rule("the name of a variable", check_entry_name);
pub(super) static VALUE: Rule = rule("text", check_value);
pub(super) static KEY: Rule = rule("a label's name without spaces", check_key);
pub(super) static USER: Rule = number_or("a user, or `user:group`", check_user);
pub(super) static PORT: Rule = number_or(
    "a port such as `8080`, `8080/tcp`, `53/udp` or `36412/sctp`",
    |text| require(read_port(text).is_some()),
);
pub(super) static SIGNAL: Rule = number_or("a signal such as `SIGTERM`, or its number", |text| {
    require(is_signal(text))
});
pub(super) static MODE: Rule = rule("octal digits in quotes, such as `\"0644\"`", |text| {
    require(read_mode(text).is_some())
});
pub(super) static OWNER: Rule = number_or("`uid:gid` or `uid`, in numbers", |text| {
    require(read_owner(text).is_some())
});

/// The bits of an octal mode of three to five digits, `0o7777` at most.
pub(super) fn read_mode(text: &str) -> Option<u32> {
    let octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok()?;
    (octal && (3..=5).contains(&text.len()) && mode <= 0o7777).then_some(mode)
}

/// `uid:gid`; a lone uid is its own group, as in `COPY --chown`.
pub(super) fn read_owner(text: &str) -> Option<(u64, u64)> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    Some((read_number(user)?, read_number(group)?))
}

/// A port with its protocol written out, as the image configuration wants it.
pub(super) fn read_port(text: &str) -> Option<String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number = read_number(number).filter(|number| (1..=65535).contains(number))?;
    matches!(protocol, "tcp" | "udp" | "sctp").then(|| format!("{number}/{protocol}"))
}

/// The two sides of `NAME=value`.
pub(super) fn read_variable(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    Some((name.to_owned(), value.to_owned()))
}

/// Decimal digits without sign, below the reserved -1 of user ids.
fn read_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (number < u64::from(u32::MAX)).then_some(number)
}

fn is_signal(text: &str) -> bool {
    let name = |rest: &str| {
        let known =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"+-".contains(&byte);
        !rest.is_empty() && rest.bytes().all(known)
    };
    text.strip_prefix("SIG").is_some_and(name)
        || read_number(text).is_some_and(|number| (1..=64).contains(&number))
}

/// The plain refusal, without words: the reader says what was expected.
fn require(holds: bool) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(Objection::default()),
    }
}

fn check_name(text: &str) -> Checked {
    let odd = text.contains(|c: char| c.is_whitespace() || c.is_control());
    require(!text.is_empty() && !odd && !text.starts_with('-'))
}

/// One spelling for each, so that no registry can be set twice.
fn check_registry(text: &str) -> Checked {
    let looks_like_a_host = text.contains(['.', ':']) || text == "localhost";
    match reference::registry(text).filter(|_| looks_like_a_host) {
        None => Err(Objection::default()),
        Some(one) if one == text => Ok(()),
        Some(one) => Err(Objection::default().hint(format!("write it as `{one}`"))),
    }
}

/// Nothing of a URL that holds a password is repeated.
fn check_mirror(text: &str) -> Checked {
    if text.contains('@') {
        return Err(Objection::new("a mirror's URL holds a user or password")
            .hint("credentials belong into docker's configuration: `rbuild login HOST`"));
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let (host, path) = rest.map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
    let path = path.trim_end_matches('/');
    let sound = path.is_empty() || path.split('/').all(reference::is_path_part);
    require(reference::registry(host).is_some() && sound)
}

fn check_feature(text: &str) -> Checked {
    check_name(text)?;
    match text.contains(',') {
        false => Ok(()),
        true => Err(Objection::new("a feature holds a comma")
            .hint("write each feature as an entry of its own")),
    }
}

fn check_directory(text: &str) -> Checked {
    if text.is_empty() {
        return Err(Objection::new("a path is empty").hint("`.` is the directory of this file"));
    }
    no_control(text, "a path")
}

fn check_local_file(text: &str) -> Checked {
    require(!text.is_empty())?;
    no_control(text, "a path")
}

/// Assets come from the project: not from anywhere on the machine that builds it.
fn check_source(text: &str) -> Checked {
    check_directory(text)?;
    if text.starts_with('/') || climbs(text) {
        let message = format!("`{}` leads out of the directory of this file", shown(text));
        return Err(Objection::new(message));
    }
    Ok(())
}

fn check_platform(text: &str) -> Checked {
    match text.parse::<Platform>() {
        Ok(_) => Ok(()),
        Err(_) if text == ALL => Ok(()),
        Err(_) => Err(Objection::default().meant(nearest(text, Platform::known()))),
    }
}

fn check_musl_target(text: &str) -> Checked {
    let platforms = Platform::known().into_iter();
    let targets: Vec<&str> = platforms
        .filter_map(|name| name.parse::<Platform>().ok()?.musl_target())
        .collect();
    match targets.contains(&text) {
        true => Ok(()),
        false => Err(Objection::default().meant(nearest(text, targets))),
    }
}

fn check_variable(text: &str) -> Checked {
    let Some((name, value)) = read_variable(text) else {
        return Err(Objection::new("an entry has no `=`"));
    };
    trust::check_variable(&name, &value)?;
    no_template(text)
}

fn check_flag(text: &str) -> Checked {
    no_template(text)?;
    trust::check_flag(text)
}

fn check_libc(text: &str) -> Checked {
    let known = ["auto", "musl", "gnu"];
    match known.contains(&text) {
        true => Ok(()),
        false => Err(Objection::default().meant(nearest(text, known))),
    }
}

fn check_image_name(text: &str) -> Checked {
    let full = format!("registry.invalid/{text}");
    let parsed = full.parse::<Reference>();
    let plain = |name: Reference| name.repository == text && !text.contains([':', '@']);
    require(parsed.is_ok_and(plain))
}

fn check_place(text: &str) -> Checked {
    no_control(text, "a path")?;
    if !text.starts_with('/') {
        return Err(Objection::new(format!(
            "`{}` is not an absolute path",
            shown(text)
        )));
    }
    match climbs(text) {
        false => Ok(()),
        true => Err(Objection::new(format!("`{}` holds `..`", shown(text)))),
    }
}

fn check_file(text: &str) -> Checked {
    check_place(text)?;
    let file = !text.ends_with('/') && !text.ends_with("/.");
    match file {
        true => Ok(()),
        false => Err(Objection::new(format!("`{}` is a directory", shown(text)))),
    }
}

fn check_argument(text: &str) -> Checked {
    match text.contains('\0') {
        false => Ok(()),
        true => Err(Objection::new("a text holds a NUL byte")),
    }
}

fn check_entry_name(text: &str) -> Checked {
    if text.is_empty() || text.contains('=') {
        return Err(Objection::new(
            "the name of a variable is empty or holds `=`",
        ));
    }
    no_control(text, "the name of a variable")
}

fn check_value(text: &str) -> Checked {
    check_argument(text)?;
    no_template(text)
}

fn check_key(text: &str) -> Checked {
    require(!text.is_empty() && !text.contains(char::is_whitespace))?;
    no_control(text, "a name")
}

fn check_user(text: &str) -> Checked {
    let (user, group) = text.split_once(':').unwrap_or((text, "-"));
    let part = |part: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == ':';
        !part.is_empty() && !part.contains(odd)
    };
    require(part(user) && part(group))
}

fn no_control(text: &str, what: &str) -> Checked {
    match text.contains(char::is_control) {
        false => Ok(()),
        true => Err(Objection::new(format!("{what} holds a control character"))),
    }
}

fn no_template(text: &str) -> Checked {
    match text.contains("{{") {
        false => Ok(()),
        true => Err(Objection::new("templates come with a later version")
            .hint("write the value itself, without `{{`")),
    }
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
