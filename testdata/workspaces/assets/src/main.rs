//! Prints a file that travels in the image: `kodata/` beside Cargo.toml, found through `KO_DATA_PATH`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let data =
        std::env::var_os("KO_DATA_PATH").map_or_else(|| PathBuf::from("kodata"), PathBuf::from);
    let name = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "greeting.txt".to_owned());
    print!("{}", std::fs::read_to_string(data.join(name))?);
    Ok(())
}
