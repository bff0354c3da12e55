//! Parameters of Alibaba's calls, in a query and in a form.

use imageshare_tests::api::Ask;

use super::world::{Faults, World};

/// Parameters beside those that name a good call of each action.
fn odd() -> Vec<String> {
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
async fn a_call_that_says_too_much_or_nonsense_is_refused_in_query_and_form() {
    let world = World::start().await;
    let before = world.api.dump_at_rest().await;
    let mut faults = Faults::default();
    let good =
        format!("Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&ImageId={}", world.image);
    for odd in odd() {
        let all = format!("{good}&{odd}");
        let form = Ask::new("POST", "/").typed_body("application/x-www-form-urlencoded", all.clone());
        let mixed = Ask::new("POST", format!("/?{good}"));
        let mixed = mixed.typed_body("application/x-www-form-urlencoded", odd.clone());
        for ask in [Ask::new("GET", format!("/?{all}")), Ask::new("POST", format!("/?{all}")), form, mixed] {
            faults.expect_refusal(&ask, &world.send(&ask).await);
        }
    }
    let secret = &world.secret_image;
    for id in [secret.clone(), format!("{secret}%23MEMBER"), format!("IMAGE%23{secret}"), String::new()] {
        for action in ["ModifyImagePermission", "DescribeImagePermission"] {
            let target =
                format!("/?Action={action}&Version=2020-09-30&RegionId=local&ImageId={id}&AddAccount.1=own1");
            let ask = Ask::new("GET", target);
            faults.expect_refusal(&ask, &world.send(&ask).await);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}

#[tokio::test]
async fn a_form_of_any_size_is_answered() {
    let world = World::start().await;
    let before = world.api.dump_at_rest().await;
    let mut faults = Faults::default();
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
        let ask = Ask::new("POST", "/").typed_body("application/x-www-form-urlencoded", all);
        let answer = world.send(&ask).await;
        faults.expect_no_fault_of_ours(&ask, &answer);
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}
