//! What a test registry may be told before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Contents, Tls};

/// `Options::default()` is an anonymous registry over plain http on 127.0.0.1 that does what the specification says.
#[derive(Default)]
pub(crate) struct Options {
    /// Where to listen; a free port of loopback if unset.
    pub(crate) address: Option<String>,
    /// Listen on `[::1]`.
    pub(crate) ipv6: bool,
    /// Answer only what rules say.
    pub(crate) scripted: bool,
    /// `Location` without scheme and host.
    pub(crate) relative_locations: bool,
    /// https, with this certificate.
    pub(crate) tls: Option<Tls>,
    pub(crate) auth: Auth,
    /// 405 to all that would change something.
    pub(crate) read_only: bool,
    /// 307 for blobs, to the same path at another origin such as `http://127.0.0.1:5000`.
    pub(crate) redirect_blobs_to: Option<String>,
    /// Files to serve at every path outside `/v2/`, to everybody: where another registry keeps its blobs.
    pub(crate) files: Option<PathBuf>,
    /// `OCI-Chunk-Min-Length`, in bytes; a shorter chunk that is not the last one is refused.
    pub(crate) least_chunk: Option<u64>,
    /// 202 for every mount: the session has begun.
    pub(crate) refuse_mounts: bool,
    /// Manifests may speak of what is not there.
    pub(crate) sparse: bool,
    /// An upload sets a cookie, and goes on only with that cookie.
    pub(crate) cookies: bool,
    pub(crate) digest_header: DigestHeader,
    /// What it holds from the beginning, shared with the registry that it was taken from.
    pub(crate) contents: Option<Contents>,
}

/// What `Docker-Content-Digest` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DigestHeader {
    #[default]
    Right,
    Missing,
    Empty,
    Wrong,
}

/// Who may do what.
#[derive(Clone, Default)]
pub(crate) enum Auth {
    #[default]
    Anonymous,
    /// All for this user, nothing for anybody else.
    Basic {
        user: String,
        password: String,
    },
    Token(TokenAuth),
}

impl Auth {
    pub(crate) fn basic(user: &str, password: &str) -> Auth {
        Auth::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Tokens for this user; nothing for anybody else.
    pub(crate) fn token(user: &str, password: &str) -> Auth {
        Auth::Token(TokenAuth {
            user: user.to_owned(),
            password: password.to_owned(),
            ..TokenAuth::default()
        })
    }
}

/// A token server beside the registry, at `/token`.
#[derive(Clone)]
pub(crate) struct TokenAuth {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Everybody may pull, but with a token.
    pub(crate) anonymous_pull: bool,
    /// Where the token server listens, `127.0.0.1:0` or `127.0.0.2:0` for instance; on the registry's own port if unset.
    pub(crate) address: Option<String>,
    /// What the challenge names instead of the address.
    pub(crate) realm: Option<String>,
    pub(crate) service: String,
    /// How long a token is good; see [`super::TestRegistry::expire_tokens`] for an end that no clock decides.
    pub(crate) life: Duration,
    /// `expires_in`; left out if unset.
    pub(crate) said_life: Option<u64>,
    /// How many requests a token is good for.
    pub(crate) uses: Option<usize>,
    /// Whether POST is understood; 404 if not.
    pub(crate) post: bool,
    /// Good for `grant_type=refresh_token`; answers say it when `offline_token` or `access_type=offline` is asked for.
    pub(crate) refresh_token: Option<String>,
    /// The fields in which the answer carries the token: `token`, `access_token`.
    pub(crate) fields: Vec<&'static str>,
    /// Makes the tokens that a registry other than this one believes.
    pub(crate) mint: Option<Mint>,
}

/// What a token says.
pub(crate) struct Claims<'a> {
    /// Empty for strangers.
    pub(crate) user: &'a str,
    pub(crate) service: &'a str,
    /// Type, name and action.
    pub(crate) allows: &'a [(String, String, String)],
}

/// From what a token says to the token itself.
#[derive(Clone)]
pub(crate) struct Mint(pub(super) Arc<dyn Fn(&Claims<'_>) -> String + Send + Sync>);

impl Mint {
    pub(crate) fn new(mint: impl Fn(&Claims<'_>) -> String + Send + Sync + 'static) -> Mint {
        Mint(Arc::new(mint))
    }
}

impl Default for TokenAuth {
    fn default() -> TokenAuth {
        TokenAuth {
            user: "user".to_owned(),
            password: "s3cret".to_owned(),
            anonymous_pull: false,
            address: None,
            realm: None,
            service: "test.registry".to_owned(),
            life: Duration::from_secs(300),
            said_life: Some(300),
            uses: None,
            post: true,
            refresh_token: None,
            fields: vec!["token", "access_token"],
            mint: None,
        }
    }
}
