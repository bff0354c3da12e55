//! The functions over a table that records what each of them does.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use imageshare::App;
use serde_json::Value;

use super::{Stage, make_journey};
use crate::deployment::Deployment;
use crate::lambda_process::LambdaProcess;
use crate::permissions::{AccessKind, Permissions};
use crate::table_server::REGION;

/// What one run of a function did.
#[derive(Debug)]
pub struct RecordedRun {
    /// The function.
    pub function: String,
    /// What it did to the table.
    pub kinds: BTreeSet<AccessKind>,
}

/// What the functions did in the whole journey.
#[derive(Debug)]
pub struct Recording {
    /// All accesses.
    pub permissions: Permissions,
    /// The runs of functions, in their order.
    pub runs: Vec<RecordedRun>,
}

/// Makes the journey over a table of its own. `allow_everything` records what the module's policies do not allow, too, instead of
/// refusing it.
pub async fn record_journey(allow_everything: bool) -> Recording {
    let world = Deployment::start().await;
    if allow_everything {
        world.table_server().allow_everything();
    }
    let client = world.table_server().client();
    let recording = Recording { permissions: Permissions::default(), runs: Vec::new() };
    let stage = RecordingStage { world, client, functions: HashMap::new(), recording };
    make_journey(stage).await.recording
}

struct RecordingStage {
    world: Deployment,
    client: Client,
    functions: HashMap<String, LambdaProcess>,
    recording: Recording,
}

impl Stage for RecordingStage {
    async fn invoke(&mut self, function: &str, event: &Value) -> Value {
        if !self.functions.contains_key(function) {
            let started = self.world.start_function(function).await;
            self.functions.insert(function.to_owned(), started);
        }
        let process = self.functions.get_mut(function).expect("it was started");
        let response = process.invoke(event).await;
        let seen = self.world.table_server().take_accesses();
        for access in seen.of(function) {
            self.recording.permissions.insert(function, access.clone());
        }
        let kinds = seen.of(function).map(|access| access.kind.clone()).collect();
        self.recording.runs.push(RecordedRun { function: function.to_owned(), kinds });
        response.unwrap_or_else(|error| panic!("{function}: {error}\n{}", process.log()))
    }

    fn app(&self) -> &App {
        self.world.service()
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn region(&self) -> &'static str {
        REGION
    }
}
