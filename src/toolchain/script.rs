//! Small shell scripts for kits.
//!
//! Plain `sh`. Every path is quoted, and a script finds what lies beside it by its own path.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;

/// `text` as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Writes a script that may be run.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> Result<()> {
    let file = directory.join(name);
    fs::write(&file, text)?;
    Ok(fs::set_permissions(&file, Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Call;

    #[test]
    fn a_path_with_quotes_and_spaces_is_one_word() {
        let path = "/a b/it's $HOME \"`x`\"\\";
        let call =
            Call::new("sh", Path::new("/")).args(["-c", &format!("printf %s {}", quoted(path))]);
        assert_eq!(call.output().expect("runs").stdout, path.as_bytes());
    }
}
