//! How a program is linked for a platform: the target, the linker and the flags.
//!
//! The target follows from platform and `libc` alone. What the user configured is looked up first and left alone; what is missing is
//! refused here, before anything compiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use super::BaseLibraries;
use super::CNeed;
use super::Missing;
use super::Toolchain;
use super::compiler;
use super::compiler::Ask;
use super::compiler::Compiler;
use super::flags;
use super::gnu;
use super::host_linker;
use super::host_linker::Host;
use super::install;
use super::kindnesses;
use super::libraries;
use super::wrapper::Side;
use super::wrapper::Wrapper;
use crate::config::Kindnesses;
use crate::config::Libc;
use crate::fault::Fault;
use crate::platform::Platform;
use crate::store::Store;

/// The rust target that serves a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) platform: Platform,
    pub(crate) triple: &'static str,
    /// Whether the program must run on a base without a C library.
    pub(crate) is_static: bool,
    /// Whether rustc links dynamically unless it is told otherwise.
    pub(super) asks_static: bool,
    /// What the user should know about this choice.
    pub(crate) note: Option<String>,
}

/// Everything that cargo must be told to link for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) platform: Platform,
    pub(crate) target: String,
    /// For `CARGO_TARGET_<TARGET>_LINKER`; `None` leaves the choice to the user's configuration or to rustc.
    pub(crate) linker: Option<String>,
    /// More variables for cargo, sorted by name, such as `CC_<target>`; what is not named is left to the user's environment and to the build scripts.
    pub(crate) variables: Vec<(String, String)>,
    /// The whole effective list, for `CARGO_ENCODED_RUSTFLAGS`.
    pub(crate) rustflags: Vec<String>,
    pub(crate) is_static: bool,
}

/// The reason why no C compiler was looked for.
pub(crate) const PURE: &str = "no crate brings C code";

/// A link, and why it is this one: sentences for `rbuild doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) link: Link,
    pub(crate) reasons: Vec<String>,
    /// What the user should know: what cannot be done, and each kindness.
    pub(crate) notes: Vec<String>,
}

impl Target {
    fn new(platform: &Platform, triple: &'static str, is_static: bool) -> Target {
        Target {
            platform: platform.clone(),
            triple,
            is_static,
            // Of all musl targets of the table this one alone links dynamically by default.
            asks_static: triple == "riscv64gc-unknown-linux-musl",
            note: None,
        }
    }

    pub(super) fn is_musl(&self) -> bool {
        self.triple.contains("-musl")
    }
}

/// Chooses the target for `platform`. Refused when rustup has none or the toolchain lacks it.
pub(crate) fn target(toolchain: &Toolchain, platform: &Platform, libc: Libc) -> Result<Target> {
    let target = wanted(toolchain, platform, libc)?;
    match toolchain.has(target.triple) {
        true => Ok(target),
        false => Err(install::not_installed(&[Missing::of(toolchain, &[target])]).into()),
    }
}

/// As [`target`], whether the toolchain has it or not.
pub(super) fn wanted(toolchain: &Toolchain, platform: &Platform, libc: Libc) -> Result<Target> {
    let gnu = platform.gnu_target().ok_or_else(|| unknown(platform))?;
    match (libc, platform.musl_target()) {
        (Libc::Musl, None) => Err(no_musl(platform).into()),
        (Libc::Gnu, _) => Ok(Target::new(platform, gnu, false)),
        (Libc::Auto, None) => Ok(static_glibc(platform, gnu, no_musl_note(platform))),
        (Libc::Auto, Some(musl)) if !toolchain.has(musl) && toolchain.host == gnu => {
            Ok(static_glibc(platform, gnu, absent_note(platform, musl)))
        }
        (_, Some(musl)) => Ok(Target::new(platform, musl, true)),
    }
}

fn static_glibc(platform: &Platform, gnu: &'static str, note: String) -> Target {
    Target {
        asks_static: true,
        note: Some(note),
        ..Target::new(platform, gnu, true)
    }
}

/// The host's own platform goes on without rustup's help.
fn absent_note(platform: &Platform, musl: &str) -> String {
    format!(
        "the target `{musl}` is not installed: {platform} is linked statically with this machine's glibc, and the digest \
         differs from a musl build; run `rustup target add {musl}`"
    )
}

fn no_musl_note(platform: &Platform) -> String {
    format!(
        "rustup has no musl target for {platform}: it is linked statically with the glibc of this machine's cross compiler"
    )
}

fn unknown(platform: &Platform) -> Fault {
    let fault = Fault::refused(format!("cannot compile for {platform}")).because(format!(
        "rbuild knows the rust targets of {}",
        Platform::known().join(", ")
    ));
    let variant = platform.variant.as_deref().unwrap_or_default();
    match platform.without_variant() {
        Some(plain) if plain.architecture == "amd64" => fault.hint(format!(
            "use `{plain}`, with `-Ctarget-cpu=x86-64-{variant}` in the rustflags of .cargo/config.toml if older processors do not matter"
        )),
        Some(plain) => fault.hint(format!("use `{plain}`")),
        None => fault,
    }
}

fn no_musl(platform: &Platform) -> Fault {
    Fault::refused(format!("cannot link {platform} with musl"))
        .because("rustup has no musl target for this platform")
        .hint("use `libc: auto`, or `libc: gnu` and a base with glibc")
}

/// Where the program lies, and what may be used for its link.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    /// The workspace root.
    pub(crate) root: &'a Path,
    /// Where kits are kept.
    pub(crate) kits: &'a Store,
    /// Directories with the headers of a C library, by target: the user's.
    pub(crate) sysroots: &'a BTreeMap<String, PathBuf>,
    /// What the base has to link against.
    pub(crate) base: &'a BaseLibraries,
    /// Directories of the packages that are built.
    pub(crate) packages: &'a [PathBuf],
    pub(crate) kindnesses: Kindnesses,
}

/// Chooses linker, C compiler and flags. `needs` are the crates that bring C code for this target.
pub(crate) fn link(
    toolchain: &Toolchain,
    target: &Target,
    needs: &[CNeed],
    site: Site<'_>,
) -> Result<Chosen> {
    let ask = Ask {
        toolchain,
        target,
        needs,
        site,
    };
    let compiler = compiler::choose(&ask)?;
    let configured = toolchain.settings.rustflags(target.triple)?;
    let linker = linker(&ask, &configured, compiler.as_ref())?;
    let mut reasons = reasons(&ask, &linker, compiler.as_ref());
    let host = host(&ask)?;
    let mut notes: Vec<String> = [linker.note, host.note].into_iter().flatten().collect();
    reasons.extend(notes.iter().cloned());
    notes.extend(target.note.clone());
    let mut rustflags = flags::remaps(toolchain, site.root, target.triple);
    rustflags.extend(configured);
    if target.asks_static {
        rustflags.push("-Ctarget-feature=+crt-static".to_owned());
    }
    let mut variables = compiler.unwrap_or_default().variables;
    variables.extend(host.variable);
    let mut link = Link {
        platform: target.platform.clone(),
        target: target.triple.to_owned(),
        linker: linker.program,
        variables,
        rustflags,
        is_static: target.is_static,
    };
    let kindness = kindnesses::of(toolchain, &link, site);
    link.variables.extend(kindness.variables);
    link.variables.sort();
    notes.extend(kindness.notes);
    Ok(Chosen {
        link,
        reasons,
        notes,
    })
}

/// What is said to cargo and to the user about programs that run on this machine.
#[derive(Default)]
struct ForHost {
    variable: Option<(String, String)>,
    note: Option<String>,
}

fn host(ask: &Ask<'_>) -> Result<ForHost> {
    let host = &ask.toolchain.host;
    let (variable, how) = match host_linker::choose(ask.toolchain, ask.site.kits)? {
        Host::LeftAlone => return Ok(ForHost::default()),
        Host::Linker(program) => (
            // For the target itself the linker of the link says it.
            (ask.target.triple != host).then(|| (linker_variable(host), program)),
            "are linked by rust-lld, the toolchain's own".to_owned(),
        ),
        Host::Lacking(reason) => (None, format!("cannot be linked: {reason}")),
    };
    let note = format!(
        "there is no C compiler here, `cc` is not on PATH: build scripts and procedural macros {how}"
    );
    Ok(ForHost {
        variable,
        note: Some(note),
    })
}

/// The variable by which cargo is told a linker.
pub(crate) fn linker_variable(triple: &str) -> String {
    let triple = triple.to_uppercase().replace('-', "_");
    format!("CARGO_TARGET_{triple}_LINKER")
}

fn reasons(ask: &Ask<'_>, linker: &Linker, compiler: Option<&Compiler>) -> Vec<String> {
    let target = ask.target.triple;
    let mut reasons = vec![
        format!("target `{target}`: installed"),
        format!("linked by {}", linker.name),
    ];
    let compiled = compiler.into_iter().flat_map(|compiler| {
        let need = |need: &CNeed| need.told(&compiler.name);
        ask.needs.iter().map(need)
    });
    reasons.extend(ask.target.note.clone());
    reasons.extend(compiled);
    let is_pure = ask.needs.is_empty();
    reasons.extend(is_pure.then(|| PURE.to_owned()));
    reasons
}

/// What links: a program for cargo, or nothing that cargo must be told.
pub(super) struct Linker {
    program: Option<String>,
    /// For a reason: "linked by …".
    name: String,
    /// What was wanted and could not be had.
    note: Option<String>,
}

impl Linker {
    pub(super) fn named(program: &str, name: &str) -> Linker {
        Linker {
            program: Some(program.to_owned()),
            name: name.to_owned(),
            note: None,
        }
    }

    /// Left to the user's configuration or to rustc.
    pub(super) fn left_to(name: &str) -> Linker {
        Linker {
            program: None,
            name: name.to_owned(),
            note: None,
        }
    }

    /// The same, although `reason` kept `platform` from being linked against its base.
    pub(super) fn instead(self, platform: &Platform, reason: &str) -> Linker {
        let note = format!(
            "{platform} is linked by {}, not against its base: {reason}",
            self.name
        );
        Linker {
            note: Some(note),
            ..self
        }
    }
}

/// The first of: the user's, the one that the C compiler wants, the toolchain's own (musl), the host's, a cross gcc.
fn linker(ask: &Ask<'_>, rustflags: &[String], compiler: Option<&Compiler>) -> Result<Linker> {
    let (toolchain, target) = (ask.toolchain, ask.target);
    if names_linker(rustflags) || toolchain.settings.has_linker(target.triple)? {
        return Ok(Linker::left_to("what is configured"));
    }
    if let Some((compiler, program)) =
        compiler.and_then(|compiler| Some((compiler, compiler.linker.as_ref()?)))
    {
        return Ok(Linker::named(program, &compiler.name));
    }
    if target.is_musl() {
        return own_linker(ask, rustflags);
    }
    gnu::linker(ask)
}

/// `-Clinker=x`, `-C linker=x` and `--codegen=linker=x`.
pub(super) fn names_linker(rustflags: &[String]) -> bool {
    let option = |flag: &String| {
        let short = flag.strip_prefix("-C");
        let option = short.or_else(|| flag.strip_prefix("--codegen="));
        option.unwrap_or(flag).starts_with("linker=")
    };
    rustflags.iter().any(option)
}

/// Without it rustc calls the machine's `cc`, which can link for this machine alone.
fn own_linker(ask: &Ask<'_>, rustflags: &[String]) -> Result<Linker> {
    let (toolchain, target) = (ask.toolchain, ask.target);
    if let Some(program) = toolchain.rust_lld() {
        let speaks_c = !ask.needs.is_empty()
            || rustflags.iter().any(|flag| flag.contains("link-arg"))
            || scripts_speak(ask.site.packages);
        let name = "rust-lld, the toolchain's own";
        return match speaks_c {
            true => Ok(Linker::named(&for_musl(&program, ask.site.kits)?, name)),
            false => Ok(Linker::named("rust-lld", name)),
        };
    }
    let architecture = |triple: &str| triple.split('-').next().map(str::to_owned);
    if architecture(target.triple) == architecture(&toolchain.host) {
        return Ok(Linker::left_to("`cc`, this machine's own"));
    }
    let message = format!(
        "cannot link {}: this toolchain has no rust-lld",
        target.platform
    );
    Err(Fault::refused(message)
        .because(format!("looked in {}", toolchain.sysroot.display()))
        .hint("use a toolchain of rustup, or name a linker in .cargo/config.toml")
        .into())
}

/// Whether a build script of what is built may have words for the linker; those of dependencies reach no program.
fn scripts_speak(packages: &[PathBuf]) -> bool {
    let script = |package: &PathBuf| fs::read_to_string(package.join("build.rs"));
    let mut scripts = packages.iter().filter_map(|package| script(package).ok());
    scripts.any(|text| text.contains("rustc-link-arg"))
}

/// rust-lld for what is written for a C compiler that links: `-Wl,…`, and `-lm`, for which musl has no library of its own.
fn for_musl(linker: &Path, kits: &Store) -> Result<String> {
    let side = Side {
        start: PathBuf::new(),
        libraries: libraries::of_musl(kits)?,
        loader: String::new(),
    };
    let wrapper = Wrapper {
        linker,
        side,
        target: None,
    };
    wrapper.write(kits)
}
