//! What every test of this room reads with.

mod base;
mod files;
mod find;
mod hostile;
mod in_place;
mod near;
mod places;
mod schema;
mod settings;
mod shapes;
mod trust;
mod values;

use std::fs;
use std::path::Path;

use super::Config;
use super::load;
use crate::fault::Fault;

/// Loads `text` from a file named `.builder.yaml`; a refusal comes as the lines that a person reads, without the directory.
fn read(bytes: impl AsRef<[u8]>) -> Result<Config, String> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join(".builder.yaml");
    fs::write(&file, bytes).expect("written");
    load(&file).map_err(|error| words(&error, directory.path()))
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    read(bytes).expect_err("refused")
}

/// The fault as text: its exit code, its message, its reasons and its hints.
fn words(error: &anyhow::Error, directory: &Path) -> String {
    let fault: &Fault = error.downcast_ref().expect("a fault");
    let mut lines = vec![format!("exit {}: {fault}", fault.kind as i32)];
    lines.extend(
        fault
            .reasons()
            .iter()
            .map(|text| format!("because: {text}")),
    );
    lines.extend(fault.hints().iter().map(|text| format!("hint: {text}")));
    let text = lines.join("\n") + "\n";
    text.replace(&format!("{}/", directory.display()), "")
}
