//! The table of keys: everything that `.builder.yaml` may hold, with its shape, its default and a description.
//!
//! The reader, `config show`, the hints and docs/builder.schema.json follow this table and nothing else. A key stands here
//! only when it works: what rbuild does not do yet is an unknown key.

use super::rules;
use super::rules::Rule;

/// One key of an object.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// A few words for people, lower case, without a full stop.
    pub(super) about: &'static str,
    pub(super) shape: Shape,
    /// What holds when the key is absent, in YAML; `None` when something outside the file decides.
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
}

/// What stands behind a key.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text(&'static Rule),
    /// `true` or `false`.
    Truth,
    Texts(&'static Rule),
    /// A list that says nothing when empty, and is refused then.
    SomeTexts(&'static Rule),
    /// Free names to texts.
    Map(&'static Rule, &'static Rule),
    /// Free names to lists that say something.
    Lists(&'static Rule, &'static Rule),
    Object(&'static [Key]),
    Objects(&'static [Key]),
    /// Free names to objects.
    NamedObjects(&'static Rule, &'static [Key]),
}

use Shape::{Lists, Map, NamedObjects, Object, Objects, SomeTexts, Text, Texts, Truth};

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        about,
        shape,
        default: None,
        required: false,
    }
}

impl Key {
    const fn or(self, default: &'static str) -> Key {
        Key {
            default: Some(default),
            ..self
        }
    }

    const fn required(self) -> Key {
        Key {
            required: true,
            ..self
        }
    }
}

/// The top level of the file.
pub(super) static ROOT: [Key; 10] = [
    key(
        "defaultBaseImage",
        Text(&rules::BASE),
        "the base of every image: `builtin:static`, `scratch`, `oci:DIR[:NAME|@DIGEST]` or an image name",
    )
    .or("builtin:static"),
    key(
        "baseImageOverrides",
        Map(&rules::NAME, &rules::BASE),
        "other bases by package, package/binary or path of a package; exact match",
    )
    .or("{}"),
    key(
        "defaultPlatforms",
        SomeTexts(&rules::PLATFORM),
        "the platforms to build for when `--platform` is absent; `all` alone for all that the base has",
    ),
    key(
        "defaultEnv",
        Texts(&rules::VARIABLE),
        "variables for the compile, as `NAME=value`; a build's own list replaces it",
    )
    .or("[]"),
    key(
        "defaultFlags",
        Texts(&rules::FLAG),
        "flags for cargo, one token each; a build's own list replaces it",
    )
    .or("[]"),
    key(
        "registries",
        NamedObjects(&rules::REGISTRY, &REGISTRY),
        "how single registries are reached, by `host[:port]`",
    )
    .or("{}"),
    key(
        "mirrors",
        Lists(&rules::MIRRORED, &rules::MIRROR),
        "where bases are pulled from first, by registry or `*` for any of them, in the order of the list",
    )
    .or("{}"),
    key("cache", Object(&CACHE), "what stays in the cache").or("{}"),
    key(
        "sysroots",
        Map(&rules::MUSL_TARGET, &rules::DIRECTORY),
        "directories whose `include/` holds the headers of musl, by rust target, for clang; relative to this file",
    )
    .or("{}"),
    key(
        "builds",
        Objects(&BUILD),
        "settings for single packages and binaries",
    )
    .or("[]"),
];

/// `cache`.
pub(super) static CACHE: [Key; 1] = [key(
    "baseLayers",
    Truth,
    "whether layers of bases that a build reads or fetches are kept in the cache of bases, as by `--cache-base-layers`",
)
.or("false")];

/// One entry of `registries`.
pub(super) static REGISTRY: [Key; 4] = [
    key(
        "insecure",
        Truth,
        "whether certificates are not checked, and http is tried where https is not spoken",
    )
    .or("false"),
    key(
        "ca",
        Text(&rules::LOCAL_FILE),
        "a PEM file of certificates to trust beside the system's, relative to this file",
    ),
    key(
        "certificate",
        Text(&rules::LOCAL_FILE),
        "a PEM file with the certificate that we show, relative to this file",
    ),
    key(
        "key",
        Text(&rules::LOCAL_FILE),
        "a PEM file with the key of `certificate`, relative to this file",
    ),
];

/// One entry of `builds`.
pub(super) static BUILD: [Key; 13] = [
    key("id", Text(&rules::ID), "a name for messages"),
    key(
        "dir",
        Text(&rules::DIRECTORY),
        "the package or workspace directory, relative to this file; cargo runs there",
    )
    .or("."),
    key("package", Text(&rules::NAME), "the package to build"),
    key("bin", Text(&rules::NAME), "the binary of the package"),
    key(
        "binaries",
        Texts(&rules::NAME),
        "further binaries of the workspace for the same image, beside the main one",
    )
    .or("[]"),
    key("profile", Text(&rules::NAME), "cargo's profile").or("release"),
    key(
        "features",
        Texts(&rules::FEATURE),
        "cargo features to switch on",
    )
    .or("[]"),
    key(
        "flags",
        Texts(&rules::FLAG),
        "flags for cargo, one token each; replaces `defaultFlags`",
    ),
    key(
        "env",
        Texts(&rules::VARIABLE),
        "variables for the compile, as `NAME=value`; replaces `defaultEnv`",
    ),
    key(
        "libc",
        Text(&rules::LIBC),
        "the C library: `auto` is musl where rustup has a musl target for the platform, else glibc, static too",
    )
    .or("auto"),
    key(
        "kindnesses",
        Object(&KINDNESSES),
        "small things that rbuild does for known crates, each said in a line",
    )
    .or("{}"),
    key("image", Object(&IMAGE), "what the image configuration says").or("{}"),
    key(
        "assets",
        Objects(&ASSET),
        "files for the image, each entry a layer of its own",
    )
    .or("[]"),
];

/// `builds[].kindnesses`.
pub(super) static KINDNESSES: [Key; 3] = [
    key(
        "jemallocPages",
        Truth,
        "whether jemalloc is compiled for pages of 64 KiB on arm64, which some kernels have",
    )
    .or("true"),
    key(
        "sqlxOffline",
        Truth,
        "whether sqlx takes its queries from `.sqlx/` when that is there",
    )
    .or("true"),
    key(
        "muslAllocator",
        Truth,
        "whether a program with threads on musl's slow allocator is named",
    )
    .or("true"),
];

/// `builds[].image`.
pub(super) static IMAGE: [Key; 11] = [
    key(
        "name",
        Text(&rules::IMAGE_NAME),
        "the last part of the image's name instead of the binary's",
    ),
    key(
        "path",
        Text(&rules::FILE),
        "where the binary goes; `/app/<bin>` when absent",
    ),
    key(
        "args",
        Texts(&rules::ARGUMENT),
        "arguments of the binary, the image's Cmd",
    )
    .or("[]"),
    key(
        "env",
        Map(&rules::ENTRY_NAME, &rules::VALUE),
        "variables of the running container",
    )
    .or("{}"),
    key(
        "user",
        Text(&rules::USER),
        "the user, or `user:group`; the base's when absent",
    ),
    key(
        "workingDir",
        Text(&rules::PLACE),
        "the working directory; the base's when absent",
    ),
    key(
        "labels",
        Map(&rules::KEY, &rules::VALUE),
        "labels of the image",
    )
    .or("{}"),
    key(
        "annotations",
        Map(&rules::KEY, &rules::VALUE),
        "annotations of the manifest",
    )
    .or("{}"),
    key(
        "ports",
        Texts(&rules::PORT),
        "ports to expose: N, N/tcp, N/udp or N/sctp",
    )
    .or("[]"),
    key(
        "volumes",
        Texts(&rules::PLACE),
        "volumes, as absolute paths",
    )
    .or("[]"),
    key(
        "stopSignal",
        Text(&rules::SIGNAL),
        "the signal that ends the container; the base's when absent",
    ),
];

/// One entry of `builds[].assets`.
pub(super) static ASSET: [Key; 4] = [
    key(
        "from",
        Text(&rules::SOURCE),
        "a file or directory below this file's directory, relative to it",
    )
    .required(),
    key("to", Text(&rules::PLACE), "where it goes in the image").required(),
    key(
        "mode",
        Text(&rules::MODE),
        "the mode of every file in octal digits; 0755 or 0644 by the file's own x-bit when absent",
    ),
    key(
        "owner",
        Text(&rules::OWNER),
        "the owner as `uid:gid`; a lone uid is its own group",
    )
    .or("0:0"),
];

/// Where a key that is unknown at one place would be known, for hints.
pub(super) fn home(name: &str) -> Option<&'static str> {
    let objects: [(&[Key], &str); 7] = [
        (&ROOT, "at the top level"),
        (&CACHE, "in `cache`"),
        (&REGISTRY, "in an entry of `registries`"),
        (&BUILD, "in an entry of `builds`"),
        (&KINDNESSES, "in `kindnesses` of a build"),
        (&IMAGE, "in `image` of a build"),
        (&ASSET, "in an entry of `assets` of a build"),
    ];
    let holds = |keys: &[Key]| keys.iter().any(|key| key.name == name);
    objects
        .into_iter()
        .find(|(keys, _)| holds(keys))
        .map(|(_, place)| place)
}
