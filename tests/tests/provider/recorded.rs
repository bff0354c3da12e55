//! Messages as real Terraforms send them, in `tests/vectors/terraform`. With `UPDATE_SNAPSHOTS=1` they are recorded again.

use std::fs;
use std::path::PathBuf;

use imageshare_provider::protocol::{
    ApplyResourceChangeRequest, CallFunctionRequest, CloseEphemeralResourceRequest, ConfigureProviderRequest,
    Empty, ImportResourceStateRequest, ListResourceRequest, MoveResourceStateRequest,
    OpenEphemeralResourceRequest, PlanResourceChangeRequest, ReadResourceRequest,
    UpgradeResourceStateRequest, ValidateConfigRequest, ValidateListResourceConfigRequest,
    ValidateProviderConfigRequest,
};
use imageshare_provider::value::{Type, Value, decode_json, decode_msgpack, encode_msgpack};
use imageshare_tests::terraform::Release;
use prost::Message;

use crate::sample::{Sample, thing};

/// The messages of 1.11, which is the installed release where they were recorded.
const FIRST: &str = "1.11";

/// The messages of the newest release.
const NEWEST: &str = "1.15";

fn folder(version: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/terraform")).join(version)
}

/// Reads a message and writes it again. That the bytes are the same shows that no field is missing here, and that none has another
/// number or type.
fn message<M: Message + Default>(version: &str, procedure: &str) -> M {
    let path = folder(version).join(procedure);
    let bytes = fs::read(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let message = M::decode(bytes.as_slice()).unwrap_or_else(|problem| panic!("{procedure}: {problem}"));
    assert_eq!(message.encode_to_vec(), bytes, "{procedure} has a field that is not known here");
    message
}

#[test]
fn every_field_of_terraforms_messages_is_known() {
    for version in [FIRST, NEWEST] {
        message::<Empty>(version, "GetProviderSchema");
        message::<ValidateProviderConfigRequest>(version, "ValidateProviderConfig");
        let configure: ConfigureProviderRequest = message(version, "ConfigureProvider");
        assert!(configure.terraform_version.starts_with(version), "{configure:?}");
        let validate: ValidateConfigRequest = message(version, "ValidateResourceConfig");
        assert!(validate.client_capabilities.unwrap().write_only_attributes_allowed);
        let upgrade: UpgradeResourceStateRequest = message(version, "UpgradeResourceState");
        assert_eq!((upgrade.type_name.as_str(), upgrade.version), ("sample_thing", 1));
        let read: ReadResourceRequest = message(version, "ReadResource");
        assert_eq!(read.current_identity.is_some(), version == NEWEST);
        let plan: PlanResourceChangeRequest = message(version, "PlanResourceChange");
        assert!(plan.proposed_new_state.is_some() && plan.config.is_some());
        let apply: ApplyResourceChangeRequest = message(version, "ApplyResourceChange");
        assert!(apply.planned_state.is_some());
        let moved: MoveResourceStateRequest = message(version, "MoveResourceState");
        assert_eq!(moved.source_type_name, "terraform_data");
        assert_eq!(moved.target_type_name, "sample_thing");
        message::<ValidateConfigRequest>(version, "ValidateEphemeralResourceConfig");
        let open: OpenEphemeralResourceRequest = message(version, "OpenEphemeralResource");
        assert_eq!(open.type_name, "sample_token");
        let close: CloseEphemeralResourceRequest = message(version, "CloseEphemeralResource");
        assert!(close.private.is_some());
        let call: CallFunctionRequest = message(version, "CallFunction");
        assert_eq!((call.name.as_str(), call.arguments.len()), ("half", 1));
    }
    let import: ImportResourceStateRequest = message(FIRST, "ImportResourceState");
    assert_eq!((import.id.as_str(), import.identity), ("thing", None));
    let import: ImportResourceStateRequest = message(NEWEST, "ImportResourceState");
    assert_eq!((import.id.as_str(), import.identity.is_some()), ("", true));
    message::<Empty>(NEWEST, "GetResourceIdentitySchemas");
    message::<ValidateListResourceConfigRequest>(NEWEST, "ValidateListResourceConfig");
    let list: ListResourceRequest = message(NEWEST, "ListResource");
    assert!(list.include_resource_object && list.limit > 0);
}

/// The recorded values of `sample_thing`, by what they are.
fn recorded_values(version: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plan: PlanResourceChangeRequest = message(version, "PlanResourceChange");
    let apply: ApplyResourceChangeRequest = message(version, "ApplyResourceChange");
    let read: ReadResourceRequest = message(version, "ReadResource");
    let values = [
        ("prior", plan.prior_state),
        ("proposed", plan.proposed_new_state),
        ("config", plan.config),
        ("planned", apply.planned_state),
        ("current", read.current_state),
    ];
    values.map(|(name, value)| (name, value.unwrap().msgpack)).into()
}

#[test]
fn recorded_values_are_written_as_terraform_wrote_them() {
    for version in [FIRST, NEWEST] {
        let ty = Type::from_json(&fs::read(folder(version).join("sample_thing")).unwrap()).unwrap();
        for (name, bytes) in recorded_values(version) {
            let value = decode_msgpack(&bytes, &ty).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert_eq!(encode_msgpack(&value, &ty), Ok(bytes), "{name}");
        }
        let upgrade: UpgradeResourceStateRequest = message(version, "UpgradeResourceState");
        let state = decode_json(&upgrade.raw_state.unwrap().json, &ty).unwrap();
        assert_eq!(state.as_object().unwrap().get("number"), &Value::Number("0.1".parse().unwrap()));
    }
}

/// Makes the recorded values inputs of the fuzz target.
fn write_corpus(version: &str) {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/values"));
    fs::create_dir_all(&corpus).unwrap();
    let mut ty = fs::read(folder(version).join("sample_thing")).unwrap();
    ty.push(b'\n');
    for (name, bytes) in recorded_values(version) {
        fs::write(corpus.join(format!("{name}-{version}")), [ty.clone(), bytes].concat()).unwrap();
    }
}

const CONFIGURATION: &str = r#"
secret_wo = ephemeral.sample_token.t.token
text      = "a"
number    = 0.1
words     = ["a", "b"]
any       = [1, "two"]
settings  = { one = { value = "1" } }
"#;

const TOKEN: &str = r#"
ephemeral "sample_token" "t" {
  subject = "bob"
}
output "half" {
  value = provider::sample::half(84)
}
"#;

/// Leads a Terraform through every procedure that it has.
async fn record(release: Release, version: &str) {
    let Some(sample) = Sample::new(release).await else { return };
    fs::create_dir_all(folder(version)).unwrap();
    let sample = sample.env("SAMPLE_RECORD", folder(version).to_str().unwrap());
    let configuration = format!("{}{TOKEN}", thing(CONFIGURATION));
    sample.project.write(&configuration);
    sample.project.apply().await;
    sample.project.apply().await;
    sample.project.forget_state();
    if release == Release::Newest {
        let list = "list \"sample_thing\" \"all\" {\n  provider = sample\n  include_resource = true\n  limit = 5\n}\n";
        sample.project.write_file("things.tfquery.hcl", list);
        sample.project.run(&["query", "-no-color"]).await.expect_success();
        let import = "import {\n  to       = sample_thing.t\n  identity = { name = \"thing\" }\n}\n";
        sample.project.write(&format!("{configuration}{import}"));
        sample.project.apply().await;
    } else {
        sample.project.import("sample_thing.t", "thing").await.expect_success();
    }
    sample.project.forget_state();
    sample.project.write("resource \"terraform_data\" \"old\" {\n  input = \"thing\"\n}\n");
    sample.project.apply().await;
    let moved = "moved {\n  from = terraform_data.old\n  to   = sample_thing.t\n}\n";
    sample.project.write(&format!("{configuration}{moved}"));
    sample.project.apply().await;
    sample.project.plan().await;
}

#[tokio::test]
async fn messages_are_recorded_again_on_request() {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        record(Release::Installed, FIRST).await;
        record(Release::Newest, NEWEST).await;
        write_corpus(FIRST);
        write_corpus(NEWEST);
    }
}
