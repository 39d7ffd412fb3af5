//! Libraries out of their layers into a directory: those that were asked for, each bounded, from layers whose digests are right.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::archive::Archive;
use super::scan::{find, through};
use super::tree::{self, What};
use super::unpack::invalid;
use super::{Contents, wrong};
use crate::interrupt;
use crate::store::Store;

/// The largest library that is copied, in bytes.
const LARGEST: u64 = 256 << 20;

/// Members of one layer's tar, with the names that they get.
type Members = BTreeMap<u64, Vec<String>>;

impl Contents {
    /// Copies libraries into the directory `to`: for each the name that it gets there, which is a word of ours, and its path in the image.
    /// An error leaves some files there.
    pub(crate) fn copy(
        &self,
        libraries: &[(String, String)],
        stores: &[&Store],
        to: &Path,
    ) -> Result<()> {
        let mut wanted: BTreeMap<usize, Members> = BTreeMap::new();
        for (name, path) in libraries {
            let (layer, member) = self.lies(path)?;
            let members = wanted.entry(layer).or_default();
            members.entry(member).or_default().push(name.clone());
        }
        for (layer, mut members) in wanted {
            let layer = &self.layers[layer];
            let blob = find(layer, stores)?;
            let blob = blob.with_context(|| format!("the layer {} is not here", layer.digest))?;
            let copied = through(blob, |archive| copy(archive, &mut members, to));
            if let Err(error) = copied {
                return wrong("copy from", layer, error).map(|_: Option<()>| ());
            }
            ensure!(
                members.is_empty(),
                "the layer {} lacks what it had",
                layer.digest
            );
        }
        Ok(())
    }

    fn lies(&self, path: &str) -> Result<(usize, u64)> {
        let real = tree::real(&self.nodes, path);
        let node = real.and_then(|real| self.nodes.get(&real));
        match node {
            Some(node) if matches!(node.what, What::Library(_)) => Ok((node.layer, node.member)),
            _ => bail!("there is no library {path} in the image"),
        }
    }
}

fn copy<R: Read>(archive: &mut Archive<R>, members: &mut Members, to: &Path) -> io::Result<()> {
    while let Some(member) = archive.next()? {
        let Some(names) = members.remove(&member.number) else {
            continue;
        };
        if member.is_sparse || member.size > LARGEST {
            return Err(invalid(format!("`{}` is sparse or too large", member.path)));
        }
        let mut files = Vec::new();
        for name in names {
            files.push(File::create_new(to.join(name))?);
        }
        pour(archive.content(), &mut files)?;
    }
    Ok(())
}

fn pour(content: &mut impl Read, files: &mut [File]) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        interrupt::check()?;
        let count = content.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for file in files.iter_mut() {
            file.write_all(&buffer[..count])?;
        }
    }
}
