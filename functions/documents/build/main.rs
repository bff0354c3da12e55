//! Makes the documents that this function serves from `infra/openapi.yaml`.

mod page;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use serde_norway::Value;

const SOURCE: &str = "../../infra/openapi.yaml";

/// What the names of members begin with that are for the gateway and the deployment.
const OF_THE_DEPLOYMENT: [&str; 2] = ["x-amazon-", "x-imageshare-"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build");
    let source = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(SOURCE);
    let mut document: Value = serde_norway::from_str(&fs::read_to_string(source)?)?;
    for_readers(&mut document);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("openapi.yaml"), serde_norway::to_string(&document)?)?;
    fs::write(out.join("openapi.json"), serde_json::to_string(&document)?)?;
    fs::write(out.join("docs.html"), page::of(&document)?)?;
    Ok(())
}

/// Leaves out what is for the deployment, and paths of which nothing else is said.
fn for_readers(value: &mut Value) {
    match value {
        Value::Mapping(members) => {
            members.retain(|name, _| {
                let name = name.as_str().unwrap_or_default();
                !OF_THE_DEPLOYMENT.iter().any(|prefix| name.starts_with(prefix)) && name != "/$default"
            });
            members.values_mut().for_each(for_readers);
        }
        Value::Sequence(values) => values.iter_mut().for_each(for_readers),
        _ => {}
    }
}
