//! Parameters of Alibaba's calls, in a query and in a form.

use imageshare_tests::api::ApiRequest;

use super::world::{Failures, World};

/// Parameters that are added to a valid call of each action.
fn odd_parameters() -> Vec<String> {
    let mut odd = [
        "ImageId=%FF",
        "%FF=a",
        "ImageId=%C0%AF",
        "ImageId=%ED%A0%80",
        "AddAccount.1=%00",
        "AddAccount.1=a%23b",
        "AddAccount.1=a/b",
        "AddAccount.1=..",
        "AddAccount.1=%F0%9F%90%99",
        "AddAccount.0=a",
        "AddAccount.-1=a",
        "AddAccount.1.1=a",
        "AddAccount.1e1=a",
        "AddAccount.=a",
        "AddAccount=a",
        "AddAccount.1=a&AddAccount.1=b",
        "AddAccount.1=a&RemoveAccount.1=a",
        "DryRun=maybe",
        "DryRun=true&DryRun=false",
        "Action=DescribeImages",
        "Version=2014-05-26",
        "RegionId=local",
        "RegionId=other",
    ]
    .map(str::to_owned)
    .to_vec();
    odd.push(format!("AddAccount.1={}", "x".repeat(65)));
    odd
}

#[tokio::test]
async fn invalid_parameters_are_rejected_in_query_and_form() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    let good =
        format!("Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&ImageId={}", world.image);
    for odd in odd_parameters() {
        let all = format!("{good}&{odd}");
        let form = ApiRequest::new("POST", "/").typed_body("application/x-www-form-urlencoded", all.clone());
        let mixed = ApiRequest::new("POST", format!("/?{good}"));
        let mixed = mixed.typed_body("application/x-www-form-urlencoded", odd.clone());
        for request in [
            ApiRequest::new("GET", format!("/?{all}")),
            ApiRequest::new("POST", format!("/?{all}")),
            form,
            mixed,
        ] {
            faults.expect_client_error(&request, &world.send(&request).await);
        }
    }
    let secret = &world.secret_image;
    for id in [secret.clone(), format!("{secret}%23MEMBER"), format!("IMAGE%23{secret}"), String::new()] {
        for action in ["ModifyImagePermission", "DescribeImagePermission"] {
            let target =
                format!("/?Action={action}&Version=2020-09-30&RegionId=local&ImageId={id}&AddAccount.1=own1");
            let request = ApiRequest::new("GET", target);
            faults.expect_client_error(&request, &world.send(&request).await);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

#[tokio::test]
async fn large_form_causes_no_server_error() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    let good =
        format!("Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&ImageId={}", world.image);
    for body in [
        "&".repeat(1_000_000),
        "&".repeat(15_000),
        "=&".repeat(7_500),
        (0..1_500).map(|n| format!("&a{n}=b")).collect::<Vec<_>>().concat(),
        format!("&AddAccount.1={}", "%41".repeat(5_000)),
        format!("&AddAccount.{}=a", "9".repeat(15_000)),
        "%".repeat(15_000),
        "\0".repeat(15_000),
    ] {
        let all = format!("{good}{body}");
        let request = ApiRequest::new("POST", "/").typed_body("application/x-www-form-urlencoded", all);
        let response = world.send(&request).await;
        faults.expect_no_server_error(&request, &response);
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}
