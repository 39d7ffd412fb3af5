//! A registry inside the test: it does what the distribution specification says, until a rule makes it fail.
//!
//! Threads, `std::net` and HTTP/1.1 by hand, so that every fault can be made. Every request is written down with its headers.
//! It is compiled by the unit tests, by the tests of the binary and by an example that serves it: it must name nothing of the crate
//! around it, and no time decides what it does.

#![expect(
    clippy::disallowed_types,
    reason = "the other end of the network is made here"
)]
#![expect(dead_code, reason = "each of the programs uses a part of it")]

mod actions;
mod answer;
mod blobs;
mod body;
mod content;
mod contents;
mod conversation;
mod files;
mod guard;
mod log;
mod manifests;
mod names;
mod options;
mod ranges;
mod referrers;
mod request;
mod routes;
mod rules;
mod server;
mod tags;
mod tls;
mod tokens;
mod uploads;
mod wire;

use std::sync::Arc;

pub(crate) use actions::Action;
pub(crate) use answer::Answer;
pub(crate) use contents::Contents;
pub(crate) use log::Seen;
pub(crate) use options::{Auth, Claims, DigestHeader, Mint, Options, TokenAuth};
pub(crate) use rules::Rule;
pub(crate) use tls::{Authority, Tls};

use content::Content;
use server::Server;

/// A registry that lives as long as the value.
pub(crate) struct TestRegistry(Arc<Server>);

impl TestRegistry {
    /// Plain http on a port of 127.0.0.1 that the system chooses, anonymous, empty.
    pub(crate) fn start() -> TestRegistry {
        TestRegistry::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> TestRegistry {
        TestRegistry(Server::start(options))
    }

    /// https on loopback, with a certificate of `authority`.
    pub(crate) fn https(authority: &Authority) -> TestRegistry {
        TestRegistry::with(Options {
            tls: Some(authority.for_loopback()),
            ..Options::default()
        })
    }

    /// Answers only what rules say; any other request fails the test when the value goes away, or at [`TestRegistry::done`].
    pub(crate) fn scripted() -> TestRegistry {
        TestRegistry::with(Options {
            scripted: true,
            ..Options::default()
        })
    }

    /// `127.0.0.1:PORT`, or `[::1]:PORT`.
    pub(crate) fn host(&self) -> String {
        self.0.host()
    }

    /// `http://127.0.0.1:PORT`, or `https://…`
    pub(crate) fn origin(&self) -> String {
        self.0.origin()
    }

    /// Where the token server listens: the registry's own host unless told otherwise.
    pub(crate) fn token_host(&self) -> String {
        self.0.token_host()
    }

    /// How many tokens were given away.
    pub(crate) fn tokens_issued(&self) -> usize {
        self.0.tokens.issued()
    }

    /// From now on no token is good that was given before.
    pub(crate) fn expire_tokens(&self) {
        self.0.tokens.expire();
    }

    /// Adds a rule; of several that fit a request the first one acts.
    pub(crate) fn rule(&self, rule: Rule) {
        self.0.rules.add(rule);
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.0.log.all()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget_requests(&self) {
        self.0.log.clear();
    }

    /// How many requests with a method and a path like these there were; `*` stands for anything.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        let fits = |seen: &Seen| rules::fits(method, &seen.method) && rules::fits(path, &seen.path);
        self.requests().iter().filter(|seen| fits(seen)).count()
    }

    /// Fails the test if a scripted registry was asked for something that no rule answers.
    pub(crate) fn done(&self) {
        let unexpected = self.0.log.take_unexpected();
        assert!(
            unexpected.is_empty(),
            "no rule answers {}",
            unexpected.join(", ")
        );
    }

    /// Puts a blob there without a request, and returns its digest.
    pub(crate) fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let content = Content::of(bytes);
        let digest = content.digest("sha256");
        self.0.contents.put_blob(repository, &digest, content);
        digest
    }

    /// Puts a manifest there without a request and without a look at it, and returns its digest; `reference` is a tag or that digest.
    pub(crate) fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> String {
        let digest = Content::of(bytes).digest("sha256");
        let manifest = contents::Manifest::new(media_type, bytes);
        self.0.contents.put_manifest(repository, &digest, manifest);
        if names::is_tag(reference) {
            self.0.contents.tag(repository, reference, &digest);
        }
        digest
    }

    /// The bytes of a manifest by tag or digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<Vec<u8>> {
        let (_, manifest) = self.0.contents.manifest(repository, reference)?;
        Some(manifest.bytes.to_vec())
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        let content = self.0.contents.blob(repository, digest)?;
        Some(content.bytes(0, content.length()))
    }

    pub(crate) fn delete_blob(&self, repository: &str, digest: &str) -> bool {
        self.0.contents.delete_blob(repository, digest)
    }

    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        self.0.contents.tags(repository).unwrap_or_default()
    }

    /// The digests of the blobs of a repository.
    pub(crate) fn blobs(&self, repository: &str) -> Vec<String> {
        self.0.contents.blobs(repository)
    }

    /// How many upload sessions were begun and neither ended nor cancelled.
    pub(crate) fn open_uploads(&self) -> usize {
        self.0.contents.open_uploads()
    }

    /// The most requests that brought bytes of blobs at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.log.most_at_once()
    }

    /// What is in this registry, for another one that shall hold the same: [`Options::contents`].
    pub(crate) fn contents(&self) -> Contents {
        self.0.contents.clone()
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.0.stop();
        if !std::thread::panicking() {
            self.done();
        }
    }
}
