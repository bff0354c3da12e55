//! The functions' binaries with the policies of their roles, on the emulator's IAM and DynamoDB.
//!
//! Each run of a function that needs a statement of its policy is first tried without that statement, until each statement was
//! missing once. Such a run has to fail, and to name the action in its log. Then the function runs with its whole policy.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use imageshare::domain::{Clock, Limits};
use imageshare::store::{Store, table_definition};
use imageshare::table::DynamoDb;
use imageshare::{App, Settings};
use serde_json::{Value, json};

use super::{Emulator, REGION};
use crate::binaries::binary;
use crate::deployment::{TABLE, function_settings};
use crate::journey::{RecordedRun, Stage};
use crate::lambda_process::{LambdaProcess, StartError};
use crate::permissions::AccessKind;
use crate::runtime_api::InvocationResult;
use crate::table_server::client_of;

/// The functions' runs under their policies.
pub struct EnforcedStage {
    emulator: Emulator,
    client: Client,
    app: App,
    credentials: Value,
    functions: HashMap<String, LambdaProcess>,
    /// The statements that no run has missed yet, by function.
    untried: BTreeMap<String, BTreeSet<AccessKind>>,
    /// What the runs need, as they were recorded.
    expected: HashMap<String, std::vec::IntoIter<RecordedRun>>,
}

/// The kind of access that a statement allows, if it is one of the table's.
pub fn kind_of_statement(statement: &Value) -> Option<AccessKind> {
    let action = statement["Action"][0].as_str()?.strip_prefix("dynamodb:")?;
    let (_, table) = statement["Resource"][0].as_str()?.split_once(":table/")?;
    let resource = match table.split_once('/') {
        None => "table",
        Some((_, rest)) => rest.strip_prefix("index/")?,
    };
    Some(AccessKind { action: action.to_owned(), resource: resource.to_owned() })
}

/// The name of the role of a function, or of one that lacks a statement.
fn role_name(function: &str, missing: Option<&AccessKind>) -> String {
    match missing {
        None => function.to_owned(),
        Some(AccessKind { action, resource }) => format!("{function}-without-{action}-{resource}"),
    }
}

impl EnforcedStage {
    /// Makes the table and the roles. `policies` are the functions' policies by name, `runs` what the runs of a journey need.
    pub async fn prepare(
        emulator: Emulator,
        policies: &BTreeMap<String, Value>,
        runs: Vec<RecordedRun>,
    ) -> Self {
        emulator.call("dynamodb", "create_table", &table_definition(TABLE)).await;
        let (mut roles, mut untried) = (json!({}), BTreeMap::<_, BTreeSet<_>>::new());
        for (function, policy) in policies {
            roles[role_name(function, None)] = policy.clone();
            let statements = policy["Statement"].as_array().expect("statements");
            for (index, statement) in statements.iter().enumerate() {
                let Some(kind) = kind_of_statement(statement) else { continue };
                let mut less = policy.clone();
                less["Statement"].as_array_mut().expect("statements").remove(index);
                roles[role_name(function, Some(&kind))] = less;
                untried.entry(function.clone()).or_default().insert(kind);
            }
        }
        let credentials = emulator.create_roles(&roles).await;
        let client = client_of(&emulator.url(), REGION);
        let store = Store::new(DynamoDb::new(client.clone(), TABLE), Clock::for_function());
        let (region, limits) = (REGION.to_owned(), Limits::default());
        let settings =
            Settings { region, public_url: None, directory_is_complete: false, limits, waiting_reads: None };
        let app = App { store, settings: Arc::new(settings) };
        let mut by_function = HashMap::<_, Vec<_>>::new();
        for run in runs {
            by_function.entry(run.function.clone()).or_default().push(run);
        }
        let expected = by_function.into_iter().map(|(function, runs)| (function, runs.into_iter())).collect();
        Self { emulator, client, app, credentials, functions: HashMap::new(), untried, expected }
    }

    /// The statements without which no run has failed.
    pub fn untried(&self) -> Vec<String> {
        let untried = self.untried.iter();
        untried
            .flat_map(|(function, kinds)| kinds.iter().map(|kind| role_name(function, Some(kind))))
            .collect()
    }

    /// Starts a function with the credentials of a role.
    async fn start(&self, function: &str, role: &str) -> Result<LambdaProcess, StartError> {
        let credentials = &self.credentials[role];
        let text = |name: &str| credentials[name].as_str().expect("credentials").to_owned();
        let mut env = function_settings();
        env.extend([
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", text("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", text("SessionToken")),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.emulator.url()),
        ]);
        LambdaProcess::start(&binary(function), env).await
    }

    /// Runs a function without one statement. Returns its response if it did not need the statement.
    async fn run_without(&self, function: &str, kind: &AccessKind, event: &Value) -> Option<Value> {
        let denied = format!("is not authorized to perform: dynamodb:{}", kind.action);
        let role = role_name(function, Some(kind));
        let mut process = match self.start(function, &role).await {
            Ok(process) => process,
            Err(StartError::Exited { log, .. } | StartError::InitFailed { log, .. }) => {
                assert!(log.contains(&denied), "{role} does not start, and not for {denied}:\n{log}");
                return None;
            }
            Err(problem) => panic!("{role}: {problem}"),
        };
        let response = process.invoke(event).await;
        let log = process.log();
        if !log.contains("is not authorized to perform") {
            return Some(response.unwrap_or_else(|error| panic!("{role}: {error}\n{log}")));
        }
        assert!(log.contains(&denied), "{role} was refused something else:\n{log}");
        assert!(has_failed(&response), "{role} was refused a call and hides it: {response:?}\n{log}");
        None
    }
}

/// Whether a run has told its caller that it failed.
fn has_failed(response: &InvocationResult) -> bool {
    let Ok(response) = response else { return true };
    let is_positive = |name: &str| response[name].as_u64().is_some_and(|number| number > 0);
    response["statusCode"].as_u64().is_some_and(|status| status >= 500)
        || response["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty())
        || ["left", "unlistedShards"].into_iter().any(is_positive)
}

impl Stage for EnforcedStage {
    async fn invoke(&mut self, function: &str, event: &Value) -> Value {
        let expected = self.expected.get_mut(function).and_then(Iterator::next);
        let needed = expected.map(|run| run.kinds).unwrap_or_default();
        let untried = self.untried.get(function).cloned().unwrap_or_default();
        for kind in needed.intersection(&untried) {
            if let Some(response) = self.run_without(function, kind, event).await {
                return response;
            }
            self.untried.get_mut(function).expect("it has statements").remove(kind);
        }
        if !self.functions.contains_key(function) {
            let started = self.start(function, function).await;
            let started = started.unwrap_or_else(|problem| panic!("{function} {problem}"));
            self.functions.insert(function.to_owned(), started);
        }
        let process = self.functions.get_mut(function).expect("it was started");
        let response = process.invoke(event).await;
        response.unwrap_or_else(|error| panic!("{function}: {error}\n{}", process.log()))
    }

    fn app(&self) -> &App {
        &self.app
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn region(&self) -> &'static str {
        REGION
    }
}
