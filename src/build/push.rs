//! Images to registries: those of a build, one after the other, and one of an earlier build.

use anyhow::{Context, Result};

use crate::base::builtin;
use crate::build::earlier::{self, Earlier};
use crate::build::{Built, Tools};
use crate::digest::{Descriptor, Digest};
use crate::image::Image;
use crate::plan::Plan;
use crate::publish;
use crate::publish::{Bounds, Contents, Destination, Finished, Receipt, Shelves};
use crate::reference::Reference;
use crate::registry::{self, Origins, Parcel, Registry, Sent};
use crate::store::Store;

/// Pushes the images in their order, as far as the plan says so; the first that fails is the last that is tried.
pub(super) fn push_all(
    plan: &Plan,
    images: &mut [Built],
    (shelves, store): (&Shelves, &Store),
) -> Result<()> {
    let Some(registry) = plan.registry() else {
        return Ok(());
    };
    let mut pushed = Origins::new();
    for built in images {
        let to = Destination::of(&built.finished)?;
        let mut contents = Contents::of(&built.finished);
        contents.origins.extend(pushed.clone());
        let repository = to.repository.clone();
        built.sent = Some(send(registry, to, contents, (shelves, store))?);
        pushed.extend(layers_of(&built.finished, &repository));
    }
    Ok(())
}

/// What the next image may have in common with this one can be mounted from here.
fn layers_of(image: &Finished, repository: &Reference) -> Origins {
    let layers = |image: &Image| [image.base_layers.clone(), image.layers.clone()].concat();
    let layers = image.images.iter().flat_map(layers);
    layers
        .map(|layer: Descriptor| (layer.digest, repository.clone()))
        .collect()
}

fn send(
    registry: &Registry,
    to: Destination,
    mut contents: Contents,
    (shelves, store): (&Shelves, &Store),
) -> Result<Sent> {
    let (root, repository) = (contents.root(), to.repository.clone());
    let before = root.and_then(|root| publish::pushed_before(store, &root, &repository));
    before.inspect(|before| contents.lies_in(before));
    let sent = push(registry, &publish::parcel(to, contents, shelves))
        .with_context(|| format!("cannot push `{}`", repository.name()))?;
    if let Some(root) = root.filter(|_| sent.uploaded + sent.mounted > 0) {
        // A cache that cannot be written remembers nothing.
        let _ = publish::remember_push(store, &root, &repository);
    }
    Ok(sent)
}

/// What was damaged here went to the quarantine, and now comes from where the base came from, if it has such an origin. A registry
/// that is not to be believed is not asked again: it would say that all is there.
fn push(registry: &Registry, parcel: &Parcel<'_>) -> Result<Sent, registry::Error> {
    registry.push(parcel).or_else(|error| {
        let elsewhere = |digest: Digest| parcel.origins.contains_key(&digest);
        match error.damaged().is_some_and(elsewhere) {
            true => registry.push(parcel).map_err(|_| error),
            false => Err(error),
        }
    })
}

/// An image that was pushed after all.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) receipt: Receipt,
    /// `registry/repository`.
    pub(crate) name: String,
    pub(crate) sent: Sent,
}

/// Pushes an image that an earlier build left in the store, or that lies in a layout. What has to be made for it goes into `made`.
pub(crate) fn push_earlier(
    asked: &Earlier,
    registry: &Registry,
    tools: &Tools<'_>,
    made: &Store,
) -> Result<Pushed> {
    let mut found = earlier::find(asked, tools)?;
    let bounds = Bounds {
        ours: tools.store,
        registry: (!found.is_ours).then_some(found.to.repository.registry.as_str()),
    };
    let contents = publish::contents(&found.shelves, &found.root, &bounds)?;
    make_builtin(&contents, &mut found.shelves, made)?;
    let to = found.to;
    let name = to.repository.name();
    let receipt = Receipt::new((&name, &to.tags), found.root, false);
    let sent = send(registry, to, contents, (&found.shelves, tools.store))?;
    Ok(Pushed {
        receipt,
        name,
        sent,
    })
}

/// The layers of `builtin:static` were perhaps never made: an image that is only kept does without.
fn make_builtin(contents: &Contents, shelves: &mut Shelves, made: &Store) -> Result<()> {
    let ours = builtin::layers().map(|layer| layer.blob.digest);
    let mut blobs = contents.blobs.iter();
    let absent = |blob: &Descriptor| ours.contains(&blob.digest) && !shelves.hold(blob);
    if blobs.any(absent) {
        builtin::make(made)?;
        shelves.0.push(made.clone());
    }
    Ok(())
}
