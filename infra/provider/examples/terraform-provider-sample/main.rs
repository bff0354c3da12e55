//! A provider whose service is a directory (`SAMPLE_STORE`), for tests of the protocol: it has one of everything, and does on request
//! what a good provider never does.
//!
//! With `SAMPLE_RECORD`, it writes each message of Terraform to a file in that directory.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a sample for tests, which panics where it fails"
)]

mod ephemeral;
mod function;
mod list;
mod recorder;
mod thing;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use imageshare_provider::diagnostic::Diagnostics;
use imageshare_provider::plugin;
use imageshare_provider::schema::{Attribute, Schema};
use imageshare_provider::server::{Ephemeral, Function, ListResource, Provider, Resource, Server};
use imageshare_provider::value::Object;

/// The directory that has a file for each thing.
pub struct Store(PathBuf);

impl Store {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

struct Sample;

#[async_trait]
impl Provider for Sample {
    type Client = Store;

    fn address(&self) -> &'static str {
        "registry.terraform.io/imageshare/sample"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A sample.",
            [
                Attribute::string("store", "The directory. Else `SAMPLE_STORE`."),
                Attribute::string("token", "Nothing.").sensitive(),
            ],
        )
    }

    async fn configure(&self, config: &Object, _: &str, diagnostics: &mut Diagnostics) -> Option<Store> {
        let given = config.str("store").map(PathBuf::from);
        let store = given.or_else(|| env::var_os("SAMPLE_STORE").map(PathBuf::from));
        if store.is_none() {
            diagnostics.error("Missing store", "Set store or SAMPLE_STORE.");
        }
        store.map(Store)
    }

    fn resources(&self) -> Vec<Box<dyn Resource<Store>>> {
        vec![Box::new(thing::Thing)]
    }

    fn ephemerals(&self) -> Vec<Box<dyn Ephemeral<Store>>> {
        vec![Box::new(ephemeral::Token)]
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        vec![Box::new(function::Half)]
    }

    fn list_resources(&self) -> Vec<Box<dyn ListResource<Store>>> {
        vec![Box::new(list::Things)]
    }
}

fn main() -> ExitCode {
    let address = Sample.address();
    let server = Arc::new(Server::new(Sample));
    let stop = server.stop_token();
    match env::var_os("SAMPLE_RECORD") {
        Some(directory) => {
            let directory = PathBuf::from(directory);
            // What a reader of the recorded values needs.
            fs::write(directory.join("sample_thing"), thing::Thing.schema().ty().to_json()).expect("a file");
            plugin::serve(recorder::Recorder::new(server, directory), address, &stop)
        }
        None => plugin::serve(server, address, &stop),
    }
}
