//! Messages as a real Terraform sends them, in `tests/vectors/terraform`. With `UPDATE_SNAPSHOTS=1` they are recorded again.

use std::fs;
use std::path::PathBuf;

use imageshare_provider::protocol::{
    ApplyResourceChangeRequest, CallFunctionRequest, CloseEphemeralResourceRequest, ConfigureProviderRequest,
    Empty, ImportResourceStateRequest, MoveResourceStateRequest, OpenEphemeralResourceRequest,
    PlanResourceChangeRequest, ReadResourceRequest, UpgradeResourceStateRequest, ValidateConfigRequest,
    ValidateProviderConfigRequest,
};
use imageshare_tests::terraform::Release;
use prost::Message;

use crate::sample::{Sample, thing};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/terraform"))
}

/// Reads a message and writes it again. That the bytes are the same shows that no field is missing here, and that none has another
/// number or type.
fn expect_round_trip<M: Message + Default + PartialEq>(procedure: &str) -> M {
    let path = folder().join(procedure);
    let bytes = fs::read(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let message = M::decode(bytes.as_slice()).unwrap_or_else(|problem| panic!("{procedure}: {problem}"));
    assert_eq!(message.encode_to_vec(), bytes, "{procedure} has a field that is not known here");
    message
}

#[test]
fn every_field_of_terraforms_messages_is_known() {
    expect_round_trip::<Empty>("GetProviderSchema");
    expect_round_trip::<ValidateProviderConfigRequest>("ValidateProviderConfig");
    let configure: ConfigureProviderRequest = expect_round_trip("ConfigureProvider");
    assert!(configure.terraform_version.starts_with("1."), "{configure:?}");
    let validate: ValidateConfigRequest = expect_round_trip("ValidateResourceConfig");
    assert!(validate.client_capabilities.unwrap().write_only_attributes_allowed);
    let upgrade: UpgradeResourceStateRequest = expect_round_trip("UpgradeResourceState");
    assert_eq!((upgrade.type_name.as_str(), upgrade.version), ("sample_thing", 1));
    let read: ReadResourceRequest = expect_round_trip("ReadResource");
    assert!(read.current_state.is_some());
    let plan: PlanResourceChangeRequest = expect_round_trip("PlanResourceChange");
    assert!(plan.proposed_new_state.is_some() && plan.config.is_some());
    let apply: ApplyResourceChangeRequest = expect_round_trip("ApplyResourceChange");
    assert!(apply.planned_state.is_some());
    let import: ImportResourceStateRequest = expect_round_trip("ImportResourceState");
    assert_eq!(import.id, "thing");
    let moved: MoveResourceStateRequest = expect_round_trip("MoveResourceState");
    assert_eq!(
        (moved.source_type_name.as_str(), moved.target_type_name.as_str()),
        ("terraform_data", "sample_thing")
    );
    expect_round_trip::<ValidateConfigRequest>("ValidateEphemeralResourceConfig");
    let open: OpenEphemeralResourceRequest = expect_round_trip("OpenEphemeralResource");
    assert_eq!(open.type_name, "sample_token");
    let close: CloseEphemeralResourceRequest = expect_round_trip("CloseEphemeralResource");
    assert!(close.private.is_some());
    let call: CallFunctionRequest = expect_round_trip("CallFunction");
    assert_eq!((call.name.as_str(), call.arguments.len()), ("half", 1));
}

#[tokio::test]
async fn recordings_can_be_made_again() {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_none() {
        return;
    }
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    fs::create_dir_all(folder()).unwrap();
    let sample = sample.env("SAMPLE_RECORD", folder().to_str().unwrap());
    let token = "ephemeral \"sample_token\" \"t\" {\n  subject = \"bob\"\n}\noutput \"half\" {\n  value = provider::sample::half(84)\n}\n";
    let arguments = r#"
        secret_wo = ephemeral.sample_token.t.token
        text      = "a"
        number    = 0.1
        words     = ["a", "b"]
        any       = [1, "two"]
        settings  = { one = { value = "1" } }
    "#;
    let configuration = format!("{}{token}", thing(arguments));
    sample.project.write(&configuration);
    sample.project.apply().await;
    sample.project.forget_state();
    sample.project.import("sample_thing.t", "thing").await.expect_success();
    sample.project.forget_state();
    sample.project.write("resource \"terraform_data\" \"old\" {\n  input = \"thing\"\n}\n");
    sample.project.apply().await;
    let moved = "moved {\n  from = terraform_data.old\n  to   = sample_thing.t\n}\n";
    sample.project.write(&format!("{configuration}{moved}"));
    sample.project.apply().await;
}
