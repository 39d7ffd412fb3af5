//! Platforms: what an image runs on, in OCI's words, and the rust target that makes it.
//!
//! Names are normalised as containerd does (`arm64/v8` is `arm64`, `arm` is `arm/v7`). The table of targets is all there is;
//! whether a target is installed is the toolchain's question.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// `os/architecture[/variant]`, normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Platform {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

/// One row of the table: platform, rust targets, ELF machine number (`e_machine`), and glibc's dynamic loader.
struct Row {
    platform: &'static str,
    musl: Option<&'static str>,
    gnu: &'static str,
    machine: u16,
    loader: &'static str,
}

/// What rustup serves; `musl` is `None` where rustup has no such target with a standard library.
const TABLE: [Row; 8] = [
    Row {
        platform: "linux/amd64",
        musl: Some("x86_64-unknown-linux-musl"),
        gnu: "x86_64-unknown-linux-gnu",
        machine: 62,
        loader: "/lib64/ld-linux-x86-64.so.2",
    },
    Row {
        platform: "linux/arm64",
        musl: Some("aarch64-unknown-linux-musl"),
        gnu: "aarch64-unknown-linux-gnu",
        machine: 183,
        loader: "/lib/ld-linux-aarch64.so.1",
    },
    Row {
        platform: "linux/arm/v7",
        musl: Some("armv7-unknown-linux-musleabihf"),
        gnu: "armv7-unknown-linux-gnueabihf",
        machine: 40,
        loader: "/lib/ld-linux-armhf.so.3",
    },
    Row {
        platform: "linux/arm/v6",
        musl: Some("arm-unknown-linux-musleabihf"),
        gnu: "arm-unknown-linux-gnueabihf",
        machine: 40,
        loader: "/lib/ld-linux-armhf.so.3",
    },
    Row {
        platform: "linux/386",
        musl: Some("i686-unknown-linux-musl"),
        gnu: "i686-unknown-linux-gnu",
        machine: 3,
        loader: "/lib/ld-linux.so.2",
    },
    Row {
        platform: "linux/riscv64",
        musl: Some("riscv64gc-unknown-linux-musl"),
        gnu: "riscv64gc-unknown-linux-gnu",
        machine: 243,
        loader: "/lib/ld-linux-riscv64-lp64d.so.1",
    },
    Row {
        platform: "linux/ppc64le",
        musl: Some("powerpc64le-unknown-linux-musl"),
        gnu: "powerpc64le-unknown-linux-gnu",
        machine: 21,
        loader: "/lib64/ld64.so.2",
    },
    Row {
        platform: "linux/s390x",
        musl: None,
        gnu: "s390x-unknown-linux-gnu",
        machine: 22,
        loader: "/lib/ld64.so.1",
    },
];

impl Platform {
    fn row(&self) -> Option<&'static Row> {
        let name = self.to_string();
        TABLE.iter().find(|row| row.platform == name)
    }

    /// The static target, where rustup has one.
    pub(crate) fn musl_target(&self) -> Option<&'static str> {
        self.row()?.musl
    }

    /// The glibc target; `None` for a platform outside the table.
    pub(crate) fn gnu_target(&self) -> Option<&'static str> {
        Some(self.row()?.gnu)
    }

    /// The `e_machine` that an ELF file for this platform must carry.
    pub(crate) fn machine(&self) -> Option<u16> {
        Some(self.row()?.machine)
    }

    /// Where glibc's dynamic loader lies on every distribution for this platform.
    pub(crate) fn loader(&self) -> Option<&'static str> {
        Some(self.row()?.loader)
    }

    /// Every platform that has a static target.
    pub(crate) fn with_musl() -> Vec<Platform> {
        let rows = TABLE.iter().filter(|row| row.musl.is_some());
        rows.filter_map(|row| row.platform.parse().ok()).collect()
    }

    /// The same without its variant, if the table knows that one.
    pub(crate) fn without_variant(&self) -> Option<Platform> {
        let plain = Platform::normalised(&self.os, &self.architecture, None);
        (plain != *self && plain.row().is_some()).then_some(plain)
    }

    /// Every platform that rbuild can compile for, for messages.
    pub(crate) fn known() -> Vec<&'static str> {
        TABLE.iter().map(|row| row.platform).collect()
    }

    /// The platform that a rust target triple such as rustc's host runs on, as linux: a container never runs on another kernel.
    pub(crate) fn of_host(triple: &str) -> Option<Platform> {
        let architecture = triple.split('-').next()?;
        TABLE
            .iter()
            .find(|row| row.gnu.split('-').next() == Some(architecture))
            .and_then(|row| row.platform.parse().ok())
    }

    /// Whether an image made for `offered` serves this wish. A variant is compared only when both sides name one.
    pub(crate) fn accepts(&self, offered: &Platform) -> bool {
        let variants = self.variant.as_ref().zip(offered.variant.as_ref());
        self.os == offered.os
            && self.architecture == offered.architecture
            && variants.is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// Reads the `platform` of an index entry, or `os`, `architecture`, `variant` of an image config.
    /// `None` for buildkit's `unknown/unknown` and for documents without the fields.
    pub(crate) fn from_value(value: &Value) -> Option<Platform> {
        let field = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let (os, architecture) = (field("os")?, field("architecture")?);
        if os == "unknown" || architecture == "unknown" {
            return None;
        }
        Some(Platform::normalised(os, architecture, field("variant")))
    }

    /// The `platform` of an index entry.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = json!({"os": self.os, "architecture": self.architecture});
        if let Some(variant) = &self.variant {
            value["variant"] = Value::from(variant.as_str());
        }
        value
    }

    fn normalised(os: &str, architecture: &str, variant: Option<&str>) -> Platform {
        let (os, architecture) = (os.to_ascii_lowercase(), architecture.to_ascii_lowercase());
        let variant = variant.map(str::to_ascii_lowercase);
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("i386" | "i486" | "i586" | "i686" | "386", _) => ("386", None),
            ("arm" | "armhf" | "armv7l", None | Some("7" | "v7")) => ("arm", Some("v7")),
            ("armel", None) | ("arm", Some("6")) => ("arm", Some("v6")),
            (other, variant) => (other, variant),
        };
        Platform {
            os,
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }
}

/// The platforms of a run, as somebody named them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Platforms {
    /// Nobody did: linux on the host's architecture.
    #[default]
    Host,
    /// These, in this order, each once.
    These(Vec<Platform>),
    /// Whatever the base offers.
    All,
}

/// The word for [`Platforms::All`].
pub(crate) const ALL: &str = "all";

/// Why words are not platforms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPlatforms {
    #[error("`all` stands beside other platforms")]
    Beside,
    #[error("{0}")]
    Unread(#[from] BadPlatform),
}

impl Platforms {
    /// Platforms in any spelling, or `all` alone; no word at all is nobody's wish.
    pub(crate) fn read<T: AsRef<str>>(words: &[T]) -> Result<Platforms, BadPlatforms> {
        let is_all = |word: &&T| word.as_ref() == ALL;
        match words.iter().filter(is_all).count() {
            _ if words.is_empty() => Ok(Platforms::Host),
            0 => {
                let platforms = words.iter().map(|word| word.as_ref().parse());
                let platforms: Vec<Platform> = platforms.collect::<Result<_, BadPlatform>>()?;
                Ok(Platforms::these(platforms))
            }
            all if all == words.len() => Ok(Platforms::All),
            _ => Err(BadPlatforms::Beside),
        }
    }

    /// Each of them once, where it comes first.
    pub(crate) fn these(mut platforms: Vec<Platform>) -> Platforms {
        let mut seen = BTreeSet::new();
        platforms.retain(|platform| seen.insert(platform.clone()));
        Platforms::These(platforms)
    }

    /// These, or `other` if nobody named any here.
    pub(crate) fn or(&self, other: &Platforms) -> Platforms {
        match self {
            Platforms::Host => other.clone(),
            named => named.clone(),
        }
    }

    /// Those that are known without a base.
    pub(crate) fn named(&self) -> &[Platform] {
        match self {
            Platforms::These(platforms) => platforms,
            Platforms::Host | Platforms::All => &[],
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)?;
        self.variant
            .as_ref()
            .map_or(Ok(()), |variant| write!(out, "/{variant}"))
    }
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform of the form os/architecture[/variant], such as linux/arm64")]
pub(crate) struct BadPlatform(String);

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Platform, BadPlatform> {
        let parts: Vec<&str> = text.trim().split('/').collect();
        let plain = |part: &&str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        match parts.as_slice() {
            [os, architecture, variant @ ..] if variant.len() < 2 && parts.iter().all(plain) => Ok(
                Platform::normalised(os, architecture, variant.first().copied()),
            ),
            _ => Err(BadPlatform(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().expect(text)
    }

    #[test]
    fn spellings_of_one_platform_are_one_platform() {
        for (typed, normal) in [
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("Linux/AMD64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/i386", "linux/386"),
            ("linux/amd64/v3", "linux/amd64/v3"),
        ] {
            assert_eq!(platform(typed).to_string(), normal, "{typed}");
        }
    }

    #[test]
    fn half_a_platform_or_too_much_of_one_is_refused() {
        for bad in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/arm/v7/x",
            "linux/a b",
            "all",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_variant_matters_only_when_both_sides_name_one() {
        assert!(platform("linux/amd64").accepts(&platform("linux/amd64/v3")));
        assert!(!platform("linux/arm/v6").accepts(&platform("linux/arm/v7")));
        assert!(!platform("linux/amd64").accepts(&platform("linux/arm64")));
        assert!(!platform("linux/amd64").accepts(&platform("windows/amd64")));
    }

    #[test]
    fn attestations_have_no_platform() {
        assert_eq!(
            Platform::from_value(&json!({"os": "unknown", "architecture": "unknown"})),
            None
        );
        assert_eq!(Platform::from_value(&json!({})), None);
        let arm = json!({"os": "linux", "architecture": "arm", "variant": "v7"});
        assert_eq!(Platform::from_value(&arm).expect("there").to_value(), arm);
    }

    #[test]
    fn a_list_is_platforms_in_any_spelling_each_once_or_all_alone() {
        let read = |words: &[&str]| Platforms::read(words);
        let two = [platform("linux/arm64"), platform("linux/amd64")];
        assert_eq!(
            read(&[
                "linux/arm64/v8",
                "linux/amd64",
                "linux/aarch64",
                "linux/x86_64"
            ]),
            Ok(Platforms::These(two.to_vec()))
        );
        assert_eq!(read(&["all"]), Ok(Platforms::All));
        assert_eq!(read(&["all", "all"]), Ok(Platforms::All));
        assert_eq!(read(&[]), Ok(Platforms::Host));
        assert_eq!(read(&["linux/arm64", "all"]), Err(BadPlatforms::Beside));
        assert!(matches!(read(&["all64"]), Err(BadPlatforms::Unread(_))));
    }

    #[test]
    fn what_nobody_named_gives_way() {
        let other = Platforms::These(vec![platform("linux/386")]);
        assert_eq!(Platforms::Host.or(&other), other);
        assert_eq!(Platforms::All.or(&other), Platforms::All);
        assert_eq!(other.or(&Platforms::All), other);
    }

    #[test]
    fn a_variant_outside_the_table_has_a_plain_platform_inside_it() {
        let plain = |name: &str| platform(name).without_variant().map(|one| one.to_string());
        assert_eq!(plain("linux/amd64/v3"), Some("linux/amd64".to_owned()));
        assert_eq!(plain("linux/amd64"), None);
        assert_eq!(plain("windows/amd64/v3"), None);
    }

    #[test]
    fn every_row_of_the_table_names_itself() {
        for name in Platform::known() {
            let platform = platform(name);
            assert_eq!(platform.to_string(), name);
            let gnu = platform.gnu_target().expect(name);
            assert!(Platform::of_host(gnu).is_some(), "{gnu}");
            assert!(platform.machine().is_some());
        }
        assert_eq!(platform("linux/s390x").musl_target(), None);
        assert_eq!(platform("plan9/amd64").gnu_target(), None);
    }
}
