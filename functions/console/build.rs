//! Names each asset by the hash of its content, for `src/assets.rs`.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// The assets: the constant with the path of each, its name and extension, and its media type.
const ASSETS: [(&str, &str, &str, &str); 3] = [
    ("STYLES", "console", "css", "text/css; charset=utf-8"),
    ("SCRIPT", "console", "js", "text/javascript; charset=utf-8"),
    ("ICON", "icon", "svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=templates");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("assets");
    let (mut paths, mut list) = (String::new(), String::new());
    for (constant, name, extension, kind) in ASSETS {
        let text = fs::read_to_string(folder.join(format!("{name}.{extension}")))?;
        let hash = format!("{:x}", Sha256::digest(&text));
        let hashed = format!("{name}-{}.{extension}", hash.get(..12).unwrap_or_default());
        writeln!(paths, "/// The path of `assets/{name}.{extension}`.")?;
        writeln!(paths, "pub(crate) const {constant}: &str = \"/console/assets/{hashed}\";")?;
        writeln!(list, "    Asset {{ name: {hashed:?}, kind: {kind:?}, text: {text:?} }},")?;
    }
    let code = format!("{paths}\nconst ASSETS: [Asset; {}] = [\n{list}];\n", ASSETS.len());
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("assets.rs"), code)?;
    Ok(())
}
