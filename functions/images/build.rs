//! Generates the table of paths and methods in `src/paths.rs` from `infra/openapi.yaml`.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use imageshare_routes::{ANY, Document};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut table = String::new();
    for (path, routes) in Document::load()?.paths {
        let methods: Vec<_> =
            routes.iter().map(|route| route.method).filter(|method| *method != ANY).collect();
        if !methods.is_empty() {
            writeln!(table, "    ({path:?}, {:?}),", methods.join(", "))?;
        }
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("methods.rs"), format!("&[\n{table}]\n"))?;
    Ok(())
}
