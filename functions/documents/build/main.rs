//! Generates the documents that this function serves from `infra/openapi.yaml`.

mod page;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use serde_norway::Value;

const SOURCE: &str = "../../infra/openapi.yaml";

/// The prefixes of members that only the gateway and the deployment read.
const DEPLOYMENT_PREFIXES: [&str; 2] = ["x-amazon-", "x-imageshare-"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build");
    let source = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(SOURCE);
    let mut document: Value = serde_norway::from_str(&fs::read_to_string(source)?)?;
    strip_deployment_members(&mut document);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("openapi.yaml"), serde_norway::to_string(&document)?)?;
    fs::write(out.join("openapi.json"), serde_json::to_string(&document)?)?;
    fs::write(out.join("docs.html"), page::render(&document)?)?;
    Ok(())
}

/// Removes members that only the deployment reads, and the path `/$default`, which has no others.
fn strip_deployment_members(value: &mut Value) {
    match value {
        Value::Mapping(members) => {
            members.retain(|name, _| {
                let name = name.as_str().unwrap_or_default();
                !DEPLOYMENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && name != "/$default"
            });
            members.values_mut().for_each(strip_deployment_members);
        }
        Value::Sequence(values) => values.iter_mut().for_each(strip_deployment_members),
        _ => {}
    }
}
