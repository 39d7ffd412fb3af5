//! Layers of bases that an output on disk needs and that are not here: fetched where they can be had, refused where not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::base::Base;
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::plan::Known;
use crate::plan::request::Request;
use crate::reference::Reference;

/// Layers to be fetched before an output is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fetch {
    /// Registry and repository; tag and digest are not looked at.
    pub(crate) from: Reference,
    /// Each once, sorted by digest.
    pub(crate) layers: Vec<Descriptor>,
}

impl Fetch {
    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// A base, and the layers of it that are not here.
type Absent<'a> = (&'a Base, &'a Vec<Descriptor>);

/// What must be fetched for the outputs, or because all of it is wanted. What nobody may be asked for is named before anything is compiled.
pub(crate) fn fetches(request: &Request, known: &Known) -> Result<Vec<Fetch>> {
    let absent = known.absent.iter().filter(|(_, layers)| !layers.is_empty());
    let absent = absent.map(|(key, layers)| (&known.bases[key], layers));
    let (there, nowhere): (Vec<Absent<'_>>, Vec<Absent<'_>>) =
        absent.partition(|(base, _)| base.repository().is_some());
    if request.targets.is_empty() && !request.precache {
        return Ok(Vec::new());
    }
    match nowhere.is_empty() {
        true => Ok(by_repository(&there)),
        false => Err(refusal(&nowhere, request).into()),
    }
}

fn by_repository(absent: &[Absent<'_>]) -> Vec<Fetch> {
    let mut wanted: BTreeMap<String, (&Reference, BTreeMap<Digest, &Descriptor>)> = BTreeMap::new();
    for (base, layers) in absent {
        let Some(from) = base.repository() else {
            continue;
        };
        let (_, all) = wanted
            .entry(from.name())
            .or_insert_with(|| (from, BTreeMap::new()));
        all.extend(layers.iter().map(|layer| (layer.digest, layer)));
    }
    let fetch = |(from, layers): (&Reference, BTreeMap<Digest, &Descriptor>)| Fetch {
        from: from.clone(),
        layers: layers.into_values().cloned().collect(),
    };
    wanted.into_values().map(fetch).collect()
}

fn refusal(absent: &[Absent<'_>], request: &Request) -> Fault {
    let layers = absent.iter().flat_map(|(_, layers)| layers.iter());
    let layers: BTreeMap<Digest, &Descriptor> = layers.map(|layer| (layer.digest, layer)).collect();
    let total: u64 = layers.values().map(|layer| layer.size).sum();
    let names: BTreeSet<String> = absent
        .iter()
        .map(|(base, _)| format!("`{}`", base.name))
        .collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let wants = match request.targets.is_empty() {
        true => "`--precache-images` wants",
        false => "the output needs",
    };
    let message = format!("{wants} layers of the base image {names} that are not here");
    let mut fault = Fault::new(Kind::Offline, message);
    for layer in layers.values() {
        fault = fault.because(format!("missing {} ({} bytes)", layer.digest, layer.size));
    }
    fault = fault.because(format!("{} in all, {total} bytes", layers.len()));
    let places = absent.iter().filter_map(|(base, _)| base.place());
    let places: BTreeSet<String> = places.map(|place| place.display().to_string()).collect();
    for place in places {
        fault = fault.because(format!("looked in {place}"));
    }
    let ways = absent.iter().filter_map(|(base, _)| base.way_to_layers());
    let fault = ways.fold(fault, Fault::hint);
    match request.precache {
        true => fault,
        false => {
            fault.hint("or drop the output and keep `--push=false` alone, which needs no layers")
        }
    }
}
