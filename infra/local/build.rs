//! Writes the list of the functions of `infra/openapi.yaml` that `src/functions.rs` includes.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use imageshare_routes::Document;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let document = Document::load()?;
    let functions = document.http_functions().into_iter();
    let entries = functions.map(|name| format!("    {name:?} => {},\n", name.replace('-', "_")));
    let list = format!("entry_points! {{\n{}}}\n", entries.collect::<String>());
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("functions.rs"), list)?;
    Ok(())
}
