//! Manifests: children first, the root under its first tag, then under the others.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::digest::{Descriptor, Digest};
use crate::media;
use crate::registry::client::{Ask, Target};
use crate::registry::patience::LATER;
use crate::registry::pull::look;
use crate::registry::push::Push;
use crate::registry::push::sessions::CREATE;
use crate::registry::transport::{Refusal, Response};
use crate::registry::{Cause, Error};

/// What every registry takes (distribution-spec, "Pushing manifests"), in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Until a registry knows everywhere what it was given, in milliseconds.
const PAUSES: [u64; 4] = [0, 500, 1_000, 2_000];

/// A manifest, and the name that it is put under.
type Named = (Descriptor, String);

impl Push<'_> {
    /// A manifest that registries need not take is refused before anything is sent.
    pub(super) fn refuse_large(&self) -> Result<(), Error> {
        match self
            .parcel
            .manifests
            .iter()
            .find(|manifest| manifest.size > LIMIT)
        {
            Some(large) => Err(self.too_large(large)),
            None => Ok(()),
        }
    }

    fn too_large(&self, manifest: &Descriptor) -> Error {
        let message = format!("manifest {} has {} bytes", manifest.digest, manifest.size);
        let error = Error::new(Cause::Limit, message)
            .because(format!("registries need not take more than {LIMIT} bytes"));
        self.with_contents(error, manifest)
    }

    fn with_contents(&self, error: Error, manifest: &Descriptor) -> Error {
        let error = error.hint("push fewer platforms, layers or annotations in one image");
        match self.document(manifest) {
            Ok(bytes) => error.because(contents(&bytes)),
            Err(_) => error,
        }
    }

    /// As [`Push::too_large`], said by the registry.
    fn found_too_large(&self, manifest: &Descriptor, said: &Error) -> Error {
        let said = said.fault();
        let message = format!(
            "`{}` finds the manifest {} of {} bytes too large",
            self.parcel.repository.name(),
            manifest.digest,
            manifest.size
        );
        let error = Error::new(Cause::Limit, message).because(said.to_string());
        let error = said.reasons().iter().cloned().fold(error, Error::because);
        self.with_contents(error, manifest)
    }

    /// Everything but the root, by digest: images several at once, then the indexes that list them.
    pub(super) fn put_children(
        &self,
        root: &Descriptor,
        known: &BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let children = self.parcel.manifests.iter();
        let children =
            children.filter(|child| child.digest != root.digest && !known.contains(&child.digest));
        let named = children.map(|child| (child.clone(), child.digest.to_string()));
        let (indexes, images): (Vec<Named>, Vec<Named>) =
            named.partition(|(child, _)| media::is_index(&child.media_type));
        self.put_all(&images)?;
        indexes
            .into_iter()
            .try_for_each(|index| self.put_all(&[index]))
    }

    /// The root under each name in turn.
    pub(super) fn move_tags(&self, root: &Descriptor, names: &[String]) -> Result<(), Error> {
        for (done, name) in names.iter().enumerate() {
            self.put_all(&[(root.clone(), name.clone())])
                .map_err(|error| self.half_done(error, root, (&names[..done], &names[done..])))?;
        }
        Ok(())
    }

    fn half_done(
        &self,
        error: Error,
        root: &Descriptor,
        (done, left): (&[String], &[String]),
    ) -> Error {
        let name = self.parcel.repository.name();
        let was_there = self
            .parcel
            .tags
            .iter()
            .filter(|tag| !left.contains(tag) && !done.contains(tag));
        let there: Vec<&str> = was_there.chain(done).map(String::as_str).collect();
        // Nothing that was sent would end otherwise.
        if matches!(error.cause, Cause::Integrity | Cause::Limit) {
            return error;
        }
        // What was missed once, or was not waited for, is not claimed.
        let is_sure = self.healed.get().is_none() && error.cause != Cause::Stopped;
        let error = match there.is_empty() {
            true if is_sure => {
                error.because(format!("all blobs of {} are in `{name}`", root.digest))
            }
            true => error,
            false => error.because(format!(
                "{} is in `{name}` and has these tags: {}",
                root.digest,
                there.join(", ")
            )),
        };
        let error = error.because(format!("not put there: {}", left.join(", ")));
        match error.fault().hints().iter().any(|hint| hint == LATER) {
            true => error,
            false => error.hint("run the same again then: what is there is not sent twice"),
        }
    }

    /// Puts manifests that do not need each other. What the registry misses is sent again, once in a push.
    fn put_all(&self, manifests: &[Named]) -> Result<(), Error> {
        let lacking = Mutex::new(Vec::new());
        self.registry.together(manifests, async |named| {
            if self.put(named).await?.is_some() {
                let mut lacking = lacking.lock().expect("nobody panics with it");
                lacking.push(named.clone());
            }
            Ok(())
        })?;
        let lacking = lacking.into_inner().expect("nobody panics with it");
        lacking.iter().try_for_each(|named| self.mend(named))
    }

    fn mend(&self, named: &Named) -> Result<(), Error> {
        if self.healed.set(()).is_ok() {
            self.client.listeners.notes.say(format!(
                "`{}` misses parts of the image that it said were there: they are sent again",
                self.parcel.repository.name()
            ));
            self.send_blobs_again()?;
            self.put_before(named)?;
        }
        self.put_in_time(named)
    }

    /// What stands before `named`, since it may be a child that is missed.
    fn put_before(&self, named: &Named) -> Result<(), Error> {
        let children = self.parcel.manifests.iter();
        children
            .take_while(|child| child.digest != named.0.digest)
            .map(|child| (child.clone(), child.digest.to_string()))
            .try_for_each(|child| self.put_in_time(&child))
    }

    /// Puts a manifest as often as it may take until the registry knows what it was given.
    fn put_in_time(&self, named: &Named) -> Result<(), Error> {
        let mut missed = Ok(());
        for pause in PAUSES {
            let again = self.registry.wait(async {
                let patience = self.client.transport.patience();
                patience.rest(Duration::from_millis(pause)).await;
                self.put(named).await
            })?;
            match again {
                None => return Ok(()),
                Some(still) => missed = Err(still),
            }
        }
        missed
    }

    /// One PUT; what comes back is an error that more sending may mend.
    async fn put(&self, (manifest, name): &Named) -> Result<Option<Error>, Error> {
        let ask = self.ask_to_put(manifest, name)?;
        let answer = self
            .client
            .send(&ask, &mut self.client.transport.patience())
            .await?;
        match answer.status() {
            200..=202 => refuse_other(&answer, manifest).map(|()| None),
            401 | 403 => {
                let doing = self.doing(name);
                Err(self.client.refusal(&self.target, answer, &doing).await)
            }
            status => {
                let refusal = answer.refusal().await;
                let error = refusal.error(&self.doing(name));
                match status {
                    _ if is_lacking(&refusal, status) => Ok(Some(error)),
                    _ if is_size(&refusal, status) => Err(self.found_too_large(manifest, &error)),
                    404 => Err(error.hint(CREATE)),
                    _ => Err(error),
                }
            }
        }
    }

    fn doing(&self, name: &str) -> String {
        format!(
            "cannot put the manifest `{name}` into `{}`",
            self.parcel.repository.name()
        )
    }

    fn ask_to_put(&self, manifest: &Descriptor, name: &str) -> Result<Ask<'_>, Error> {
        let kind = HeaderValue::from_str(&manifest.media_type).map_err(|_| {
            let message = format!("`{}` is not a media type", manifest.media_type);
            Error::new(Cause::Protocol, message)
        })?;
        Ok(Ask {
            repository: &self.target,
            access: self.access.clone(),
            method: Method::PUT,
            target: Target::Path(format!("manifests/{name}")),
            headers: vec![(CONTENT_TYPE, kind)],
            body: Some(Bytes::from(self.document(manifest)?)),
        })
    }
}

fn refuse_other(answer: &Response, manifest: &Descriptor) -> Result<(), Error> {
    match look::digest(answer) {
        Some(digest) if digest != manifest.digest => Err(Error::new(
            Cause::Integrity,
            "the registry altered the manifest",
        )
        .because(format!("expected: {}", manifest.digest))
        .because(format!("found: {digest}"))
        .hint("it, or something before it, changes what is pushed: do not use what is there under that name")),
        _ => Ok(()),
    }
}

fn is_lacking(refusal: &Refusal, status: u16) -> bool {
    let codes = [
        "MANIFEST_BLOB_UNKNOWN",
        "BLOB_UNKNOWN",
        "MANIFEST_UNKNOWN",
        "NOT_FOUND",
    ];
    matches!(status, 400 | 404 | 422) && codes.iter().any(|code| refusal.has(code))
}

fn is_size(refusal: &Refusal, status: u16) -> bool {
    status == 413 || (status == 400 && refusal.has("SIZE_INVALID"))
}

/// What makes a manifest large.
fn contents(bytes: &[u8]) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let count = |key: &str| match &value[key] {
        Value::Array(items) => items.len(),
        Value::Object(items) => items.len(),
        _ => 0,
    };
    format!(
        "it lists {} layers, {} images and {} annotations",
        count("layers"),
        count("manifests"),
        count("annotations")
    )
}
