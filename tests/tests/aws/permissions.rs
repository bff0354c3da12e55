//! The policies of the module's roles: they allow what `infra/aws/permissions.json` lists and what the triggers and the log need,
//! and a function with one statement less fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use imageshare_tests::aws::{Emulator, EnforcedStage, SetupError, Terraform, available, kind_of_statement};
use imageshare_tests::journey::{make_journey, record_journey};
use imageshare_tests::permissions::{Access, MODULE_PERMISSIONS, Permissions, TABLE_RESOURCE};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{target, tests, workspace};

/// IAM's limit of the characters in all inline policies of a role, white space not counted.
const MAX_POLICY_CHARACTERS: usize = 10_240;

/// The actions for which AWS has no resource.
const ACTIONS_WITHOUT_RESOURCE: [&str; 3] =
    ["dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// The resources of a deployment with every option that adds a statement, as the module's own test makes them; `None` if this
/// machine lacks a program.
async fn module_resources() -> Option<&'static [Value]> {
    static RESOURCES: OnceCell<Option<Vec<Value>>> = OnceCell::const_new();
    RESOURCES.get_or_init(async || available(make_resources().await)).await.as_deref()
}

async fn make_resources() -> Result<Vec<Value>, SetupError> {
    let module = Terraform::init(workspace(), "infra/aws", Vec::new()).await?;
    let test = ["test", "-no-color", "-filter=tests/policies.tftest.hcl", "-verbose", "-json"];
    let output = module.run(&test).await;
    let messages = output.lines().filter(|line| line.contains("\"type\":\"test_state\""));
    let messages = messages.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut states = messages.filter(|message| message["@testrun"] == "policies");
    let state = states.next().expect("the state of the run `policies`");
    Ok(state["test_state"]["root_module"]["resources"].as_array().expect("resources").clone())
}

/// The policies of the functions, by name.
fn function_policies(resources: &[Value]) -> BTreeMap<String, Value> {
    let policies = resources.iter().filter(|resource| resource["type"] == "aws_iam_role_policy");
    let functions = policies.filter(|policy| policy["name"] == "function");
    functions
        .map(|policy| (text(&policy["index"]).to_owned(), document(&policy["values"]["policy"])))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text instead of {value}"))
}

/// A policy that stands in an attribute as text.
fn document(attribute: &Value) -> Value {
    serde_json::from_str(text(attribute)).expect("a policy")
}

/// What the statements of a policy allow on the table.
fn table_permissions(function: &str, policy: &Value) -> Permissions {
    let mut allowed = Permissions::default();
    for statement in policy["Statement"].as_array().expect("statements") {
        let Some(kind) = kind_of_statement(statement) else { continue };
        let patterns = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let expected = json!({
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": patterns},
            "Null": {"dynamodb:LeadingKeys": "false"},
        });
        assert_eq!(statement["Condition"], expected, "{function}: {statement}");
        for pattern in patterns.as_array().expect("patterns") {
            let prefix = text(pattern).strip_suffix('*').unwrap_or(text(pattern)).to_owned();
            allowed.insert(function, Access { kind: kind.clone(), prefix });
        }
    }
    allowed
}

fn assert_is_narrow(statement: &Value) {
    assert_eq!(statement["Effect"], "Allow", "{statement}");
    let list =
        |name: &str| statement[name].as_array().unwrap_or_else(|| panic!("a list {name}: {statement}"));
    for action in list("Action") {
        assert!(text(action).contains(':') && !text(action).contains(['*', '?']), "{statement}");
    }
    for resource in list("Resource") {
        if text(resource) == "*" {
            let actions = list("Action").iter().map(text);
            let scoped: Vec<_> =
                actions.filter(|action| !ACTIONS_WITHOUT_RESOURCE.contains(action)).collect();
            assert_eq!(scoped, [""; 0], "these have a resource");
        } else {
            // The streams of a log group have names that Lambda chooses.
            let is_log = text(resource).contains(":logs:");
            let arn = if is_log { text(resource).trim_end_matches(":*") } else { text(resource) };
            assert!(arn.starts_with("arn:") && !arn.contains(['*', '?']), "{statement}");
        }
    }
}

#[tokio::test]
async fn policies_allow_what_functions_do_and_no_more() {
    let Some(resources) = module_resources().await else { return };
    let policies = function_policies(resources);
    assert!(policies.keys().map(String::as_str).eq(MODULE_PERMISSIONS.functions()));
    for (function, policy) in &policies {
        let (allowed, mut listed) = (table_permissions(function, policy), Permissions::default());
        for access in MODULE_PERMISSIONS.of(function) {
            listed.insert(function, access.clone());
        }
        assert_eq!(allowed.missing_from(&listed), [""; 0], "more than the list");
        assert_eq!(listed.missing_from(&allowed), [""; 0], "less than the list");
        let characters = policy.to_string().chars().filter(|character| !character.is_whitespace()).count();
        println!("{function}: {characters} characters");
        assert!(characters <= MAX_POLICY_CHARACTERS, "{function}: {characters}");
    }
}

#[tokio::test]
async fn no_policy_has_wildcards_or_trusts_a_stranger() {
    let Some(resources) = module_resources().await else { return };
    let mut kinds = BTreeSet::new();
    for resource in resources {
        let values = &resource["values"];
        match text(&resource["type"]) {
            "aws_iam_role_policy" => {
                for statement in document(&values["policy"])["Statement"].as_array().unwrap() {
                    assert_is_narrow(statement);
                }
            }
            "aws_iam_role" => {
                for statement in document(&values["assume_role_policy"])["Statement"].as_array().unwrap() {
                    let service = text(&statement["Principal"]["Service"]);
                    assert_eq!(statement["Principal"], json!({"Service": service}), "{statement}");
                    assert!(service.ends_with(".amazonaws.com"), "{statement}");
                    assert_eq!(statement["Action"], "sts:AssumeRole", "{statement}");
                }
            }
            // Without its ARN, any API or rule of the service could invoke the function, in any account.
            "aws_lambda_permission" => assert!(text(&values["source_arn"]).starts_with("arn:"), "{resource}"),
            // Without the rules' ARNs, any rule of the service could send to the queue, in any account.
            "aws_sqs_queue_policy" => {
                for statement in document(&values["policy"])["Statement"].as_array().unwrap() {
                    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
                    assert_eq!(statement["Action"], "sqs:SendMessage", "{statement}");
                    let rules = statement["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap();
                    assert!(rules.iter().all(|rule| text(rule).starts_with("arn:")), "{statement}");
                }
            }
            kind if kind.starts_with("aws_iam_") || kind.ends_with("_policy") => {
                panic!("{} is checked by no test", resource["address"])
            }
            _ => continue,
        }
        kinds.insert(text(&resource["type"]).to_owned());
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn function_with_one_statement_less_fails() {
    let Some(resources) = module_resources().await else { return };
    let Some(emulator) = available(Emulator::start(tests(), target()).await) else { return };
    let runs = record_journey(false).await.runs;
    let stage = EnforcedStage::prepare(emulator, &function_policies(resources), runs).await;
    let stage = make_journey(stage).await;
    assert_eq!(stage.untried(), [""; 0], "nothing failed without these");
}

const BEGIN: &str = "<!-- BEGIN_PERMISSIONS -->\n";
const END: &str = "<!-- END_PERMISSIONS -->";

/// The permissions as a table: one row for each function and action.
fn permission_table() -> String {
    let mut rows = BTreeMap::<_, BTreeMap<&str, Vec<&str>>>::new();
    for (function, access) in MODULE_PERMISSIONS.iter() {
        let row = rows.entry((function, access.kind.action.as_str())).or_default();
        row.entry(access.kind.resource.as_str()).or_default().push(&access.prefix);
    }
    let mut table =
        "| function | action | partitions of the table | partitions of indexes |\n|---|---|---|---|\n"
            .to_owned();
    for ((function, action), mut resources) in rows {
        let cell = |prefixes: Vec<&str>| {
            prefixes.into_iter().map(|prefix| format!("`{prefix}`")).collect::<Vec<_>>().join(" ")
        };
        let own = resources.remove(TABLE_RESOURCE).map(cell).unwrap_or_default();
        let indexes = resources.into_iter().map(|(index, prefixes)| format!("{index}: {}", cell(prefixes)));
        let indexes = indexes.collect::<Vec<_>>().join("; ");
        writeln!(table, "| `{function}` | `{action}` | {own} | {indexes} |").unwrap();
    }
    table
}

#[test]
fn permissions_page_has_every_permission_and_reason() {
    let file = workspace().join("infra/aws/docs/permissions.md");
    let page = fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let expected = permission_table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&file, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert!(found == expected, "the page's table is out of date: UPDATE_SNAPSHOTS=1 writes it");
    }
    for function in MODULE_PERMISSIONS.functions() {
        assert!(before.contains(&format!("\n| `{function}` |")), "the page says nothing about {function}");
    }
    let prefixes: BTreeSet<_> = MODULE_PERMISSIONS.iter().map(|(_, access)| access.prefix.as_str()).collect();
    for prefix in prefixes {
        assert!(before.contains(&format!("\n| `{prefix}` |")), "the page does not explain {prefix}");
    }
}
