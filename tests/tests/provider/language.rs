//! Terraform's language through the protocol: types, unknown values, secrets, functions, stored states.

use std::fs;

use imageshare_tests::terraform::Release;
use serde_json::{Value, json};

use crate::sample::{Sample, thing};

#[tokio::test]
async fn values_of_every_type_survive() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing(
        r#"
        text     = "Zoë \"quoted\""
        number   = 9007199254740993
        words    = ["b", "a", "b"]
        any      = { list = [1, "two", null], nested = { yes = true } }
        settings = { one = { value = "1", weight = 0.1 }, two = { value = "2" } }
        set      = [{ value = "y" }, { value = "x" }]
        single   = { value = "s", weight = -1e30 }
        "#,
    );
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
    let stored = sample.project.stored_state();
    for exact in ["9007199254740993", "0.1", "-1000000000000000000000000000000"] {
        assert!(stored.contains(exact), "{exact} is not in {stored}");
    }
    let state = sample.project.state("sample_thing.t").await;
    assert_eq!(state["text"], "Zoë \"quoted\"");
    assert_eq!(state["words"], json!(["a", "b"]));
    assert_eq!(state["any"], json!({"list": [1, "two", null], "nested": {"yes": true}}));
    assert_eq!(state["settings"]["two"], json!({"value": "2", "weight": null}));
    // The order of a set is no change.
    sample.write_thing(&r#"words = ["a", "b"]"#.replace("\"a\", \"b\"", "\"b\", \"a\""));
    sample.project.apply().await;
    sample.write_thing(r#"words = ["a", "b"]"#);
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    for number in [
        "0.1",
        "1e-7",
        "123456789012345678901234567890.5",
        "18446744073709551616",
        "-0.000001",
        "1e100",
        "1/3",
        "0.5",
    ] {
        sample.write_thing(&format!("number = {number}"));
        sample.project.apply().await;
        sample.project.expect_no_changes().await;
    }
}

#[tokio::test]
async fn large_values_pass() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    fs::write(sample.project.path().join("large"), "x".repeat(6_000_000)).unwrap();
    sample.write_thing("text = file(\"large\")");
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn unknown_values_are_planned_and_filled_in() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let first = "resource \"terraform_data\" \"first\" {\n  input = \"x\"\n}\n";
    let second = thing(
        r#"
        text     = "prefix-${terraform_data.first.output}"
        words    = ["a", terraform_data.first.output, terraform_data.first.id]
        settings = { one = { value = terraform_data.first.output } }
        set      = [{ value = terraform_data.first.output }, { value = "fixed" }]
        any      = terraform_data.first.output
        "#,
    );
    sample.project.write(&format!("{first}{second}"));
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
    let state = sample.project.state("sample_thing.t").await;
    assert_eq!((&state["text"], &state["any"]), (&json!("prefix-x"), &json!("x")));
}

#[tokio::test]
async fn local_change_neither_calls_nor_makes_unknown() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("text = \"a\"");
    sample.project.apply().await;
    sample.write_thing("text = \"a\"\nbehaviour = \"fail\"\ntimeouts = { create = \"5m\" }");
    let planned = sample.project.planned().await;
    let change = planned["resource_changes"].as_array().unwrap()[0]["change"].clone();
    assert_eq!(
        (&change["actions"], &change["after_unknown"]["revision"]),
        (&json!(["update"]), &Value::Null)
    );
    sample.project.apply().await;
    assert_eq!(sample.project.state("sample_thing.t").await["revision"], 1);
    sample.write_thing("text = \"b\"");
    sample.project.apply().await;
    assert_eq!(sample.project.state("sample_thing.t").await["revision"], 2);
}

#[tokio::test]
async fn refused_values_are_named_where_they_stand() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("settings = { one = { value = \"far too long\" } }\nlist = [{ value = \"a\" }]\nset = [{ value = \"\" }]");
    let ended = sample.project.run(&["validate", "-no-color"]).await;
    ended.expect_error(&[
        "Invalid value for value",
        "Expected 1 to 10 characters, found 12.",
        "Expected 1 to 10 characters, found 0.",
        "Conflicting attributes",
        "At most one of list, set can be set.",
    ]);
}

#[tokio::test]
async fn secret_is_used_and_stored_nowhere() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let token = "ephemeral \"sample_token\" \"t\" {\n  subject = \"bob\"\n}\n";
    let uses = thing("secret_wo = ephemeral.sample_token.t.token\nsecret_version = 1");
    sample.project.write(&format!("{token}{uses}"));
    let sample = sample.env("TF_LOG", "TRACE").env("TF_LOG_PATH", "log");
    sample.project.run(&["plan", "-no-color", "-out=plan"]).await.expect_success();
    sample.project.run(&["apply", "-no-color", "plan"]).await.expect_success();
    let secret = "ephemeral-secret-of-bob";
    assert_eq!(sample.project.state("sample_thing.t").await["secret_length"], secret.len());
    assert_eq!(sample.files(), ["thing", "token-of-bob-closed", "token-of-bob-opened"]);
    let shown = sample.project.run(&["show", "-json", "plan"]).await.expect_success();
    assert!(!shown.stdout.contains(secret));
    for file in ["terraform.tfstate", "log"] {
        let text = fs::read_to_string(sample.project.path().join(file)).unwrap();
        assert!(!text.contains(secret), "the secret is in {file}");
    }
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn ephemeral_resource_is_renewed() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let token = "ephemeral \"sample_token\" \"t\" {\n  subject = \"eve\"\n  renew_after = 0\n}\n";
    let uses = thing(
        "secret_wo = ephemeral.sample_token.t.token\nbehaviour = \"wait\"\ntimeouts = { create = \"2s\" }",
    );
    sample.project.write(&format!("{token}{uses}"));
    sample.project.apply().await;
    assert!(sample.files().contains(&"token-of-eve-renewed".to_owned()), "{:?}", sample.files());
}

#[tokio::test]
async fn function_computes_and_refuses_its_argument() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.project.write("output \"half\" {\n  value = provider::sample::half(84)\n}\n");
    sample.project.apply().await;
    assert_eq!(sample.project.output("half").await, 42);
    sample.project.write("output \"half\" {\n  value = provider::sample::half(3)\n}\n");
    sample
        .project
        .try_apply()
        .await
        .expect_error(&["Expected an even number.", "Invalid value for \"number\" parameter"]);
}

#[tokio::test]
async fn state_of_an_earlier_schema_is_upgraded() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("text = \"a\"\nnumber = 123456789012345678901234567890.5");
    sample.project.apply().await;
    let stored = sample.project.stored_state();
    let earlier = stored
        .replace("\"schema_version\": 1", "\"schema_version\": 0")
        .replace("\"text\":", "\"gone\": [1], \"label\":");
    assert_ne!(stored, earlier);
    sample.project.write_file("terraform.tfstate", &earlier);
    sample.project.expect_no_changes().await;
    let later = stored.replace("\"schema_version\": 1", "\"schema_version\": 7");
    sample.project.write_file("terraform.tfstate", &later);
    sample.project.run(&["plan", "-no-color"]).await.expect_error(&["created by a newer provider version"]);
}

#[tokio::test]
async fn resource_of_another_kind_can_be_moved() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("");
    sample.project.apply().await;
    sample.project.forget_state();
    sample.project.write("resource \"terraform_data\" \"old\" {\n  input = \"thing\"\n}\n");
    sample.project.apply().await;
    let moved = "moved {\n  from = terraform_data.old\n  to   = sample_thing.t\n}\n";
    sample.project.write(&format!("{}{moved}", thing("")));
    sample.project.apply().await.expect_output(&["0 added, 0 changed, 0 destroyed"]);
    assert_eq!(sample.project.state("sample_thing.t").await["revision"], 1);
}

#[tokio::test]
async fn unknown_configuration_of_the_provider_waits_for_the_apply() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let store = sample.file("").display().to_string();
    let configuration = format!(
        "resource \"terraform_data\" \"store\" {{\n  input = {store:?}\n}}\nprovider \"sample\" {{\n  store = terraform_data.store.output\n}}\n{}",
        thing("")
    );
    sample.project.write(&configuration);
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
}
