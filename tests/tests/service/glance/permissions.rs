//! Permissions, cell by cell of `contract/glance.md` 2.4: every call on every kind of image by every caller.

use std::collections::BTreeMap;

use imageshare::domain::Role;
use imageshare_tests::api::ApiRequest;
use serde_json::json;

use super::World;

/// The calls in the order of the columns below.
const CALLS: [&str; 7] = ["add", "list", "show", "update", "remove", "image", "delete image"];

/// Kind of image, caller, and the result of each call; a letter stands for a message.
///
/// The image has the members `mem1` (accepted) and `mem2` (pending); calls name `mem1`, or `new1` if it is to be
/// added.
const PERMISSIONS: [(&str, &str, Role, [&str; 7]); 21] = [
    ("shared", "own1", Role::Member, ["200", "200", "200", "403 U", "204", "200", "204"]),
    ("shared", "mem1", Role::Member, ["403 A", "200", "200", "200", "403 D", "200", "403"]),
    ("shared", "mem2", Role::Member, ["403 A", "200", "404 m", "404 m", "404 m", "200", "403"]),
    ("shared", "str1", Role::Member, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
    ("shared", "own1", Role::Reader, ["403 A", "200", "200", "403 U", "403 D", "200", "403"]),
    ("shared", "mem1", Role::Reader, ["403 A", "200", "200", "403 U", "403 D", "200", "403"]),
    ("shared", "mem2", Role::Reader, ["403 A", "200", "404 m", "404 m", "404 m", "200", "403"]),
    ("shared", "str1", Role::Reader, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
    ("shared", "adm1", Role::Admin, ["200", "200", "200", "200", "204", "200", "204"]),
    ("private", "own1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "204"]),
    ("private", "mem1", Role::Member, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
    ("private", "str1", Role::Member, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
    ("private", "adm1", Role::Admin, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "204"]),
    ("public", "own1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "204"]),
    ("public", "mem1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "403"]),
    ("public", "str1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "403"]),
    ("public", "str1", Role::Reader, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "403"]),
    ("community", "own1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "204"]),
    ("community", "str1", Role::Member, ["403 c", "403 l", "404 s", "403 u", "403 d", "200", "403"]),
    ("none", "own1", Role::Member, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
    ("none", "adm1", Role::Admin, ["404 i", "404 i", "404 i", "404 i", "404 i", "404 n", "404 n"]),
];

/// The beginning of the message that a letter stands for.
fn message_prefix(letter: &str, image: &str) -> String {
    match letter {
        "A" => "You are not authorized to complete add_member action: ".to_owned(),
        "U" => "You are not authorized to complete modify_member action: ".to_owned(),
        "D" => "You are not authorized to complete delete_member action: ".to_owned(),
        "c" => format!("Not allowed to create members for image {image}: {ONLY_SHARED}"),
        "l" => format!("Not allowed to list members for image {image}: {ONLY_SHARED}"),
        "u" => format!("Not allowed to update members for image {image}: {ONLY_SHARED}"),
        "d" => format!("Not allowed to delete members for image {image}: {ONLY_SHARED}"),
        "s" => ONLY_SHARED.to_owned(),
        "m" => format!("mem1 not found in the member list of the image {image}."),
        "i" => format!("Image {image} not found."),
        "n" => format!("No image found with ID {image}"),
        other => panic!("{other} is no known letter"),
    }
}

const ONLY_SHARED: &str = "Only shared images have members. Its visibility is ";

/// The remedy in the message: another role, another caller, or another visibility.
fn advice(letter: &str, kind: &str, caller: &str, role: Role) -> String {
    match letter {
        "A" | "D" if role == Role::Reader && caller == "own1" => "Ask for the role member.".to_owned(),
        "U" if role == Role::Reader => "Ask for the role member.".to_owned(),
        "A" | "D" => "Use a credential of its owner.".to_owned(),
        "U" => {
            format!("acts for {caller}, and only mem1 itself accepts or rejects. Use a credential of mem1.")
        }
        "c" | "l" | "s" | "u" | "d" if kind == "private" => {
            "Its visibility is private: set it to shared first, PATCH /v2/images/".to_owned()
        }
        "c" | "l" | "s" | "u" | "d" => format!("Its visibility is {kind}: everybody has it."),
        _ => String::new(),
    }
}

fn request_for(call: &str, image: &str) -> ApiRequest {
    let path = format!("/v2/images/{image}");
    let member = format!("{path}/members/mem1");
    match call {
        "add" => ApiRequest::new("POST", format!("{path}/members")).json(&json!({"member": "new1"})),
        "list" => ApiRequest::new("GET", format!("{path}/members")),
        "show" => ApiRequest::new("GET", member),
        "update" => ApiRequest::new("PUT", member).json(&json!({"status": "rejected"})),
        "remove" => ApiRequest::new("DELETE", member),
        "image" => ApiRequest::new("GET", path),
        "delete image" => ApiRequest::new("DELETE", path),
        other => panic!("{other} is no call"),
    }
}

async fn create_image(world: &World, kind: &str) -> String {
    if kind == "none" {
        return "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f".to_owned();
    }
    let image = world.create_image("own1", &json!({})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    world.share("own1", &image, "mem2", "pending").await;
    if kind != "shared" {
        world.set_visibility("own1", &image, kind).await;
    }
    image
}

/// The image and its memberships in the table; jobs of other images may be open.
fn stored_items(world: &World, image: &str) -> BTreeMap<String, String> {
    let mut items = world.api.dump();
    items.retain(|key, _| key.starts_with(&format!("I#{image} ")));
    items
}

#[tokio::test]
async fn permission_table_is_enforced() {
    let world = World::start(&[]).await;
    for (kind, caller, role, cells) in PERMISSIONS {
        let mut image = create_image(&world, kind).await;
        let mut before = stored_items(&world, &image);
        assert_eq!(before.is_empty(), kind == "none", "{kind} image");
        for (call, cell) in CALLS.into_iter().zip(cells) {
            let response = world.send(caller, role, request_for(call, &image)).await;
            let case = format!("{kind} image, {call} by {caller} as {role:?}: {response:?}");
            let (status, letter) = cell.split_once(' ').unwrap_or((cell, ""));
            assert_eq!(response.status.to_string(), status, "{case}");
            if !letter.is_empty() {
                assert!(response.message().starts_with(&message_prefix(letter, &image)), "{case}");
                assert!(response.message().contains(&advice(letter, kind, caller, role)), "{case}");
            }
            let after = stored_items(&world, &image);
            if response.status >= 400 {
                assert_eq!(after, before, "{case}");
            } else if after != before {
                image = self::create_image(&world, kind).await;
                before = stored_items(&world, &image);
            }
        }
    }
}

#[tokio::test]
async fn member_sees_only_its_own_entry() {
    let world = World::start(&[]).await;
    let image = create_image(&world, "shared").await;
    assert_eq!(world.members("own1", &image).await, "mem1:accepted mem2:pending");
    assert_eq!(world.members("mem1", &image).await, "mem1:accepted");
    assert_eq!(world.members("mem2", &image).await, "mem2:pending");
}

#[tokio::test]
async fn image_is_readable_by_id_in_every_member_status() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    let show = format!("/v2/images/{image}");
    world.share("own1", &image, "mem1", "pending").await;
    for status in ["pending", "rejected", "accepted"] {
        world.decide("mem1", &image, status).await.expect_status(200);
        assert_eq!(world.request("mem1", "GET", &show).await.body["name"], "web", "{status}");
    }
}

#[tokio::test]
async fn unknown_image_id_is_not_found() {
    let world = World::start(&[]).await;
    for (id, named) in [("not-a-uuid", "not-a-uuid"), ("a%23b", "a#b"), ("%C3%BC", "ü"), ("..", "..")] {
        for call in CALLS {
            let response = world.send("own1", Role::Member, request_for(call, id)).await;
            let letter = if call.contains("image") { "n" } else { "i" };
            response.expect_message(404, message_prefix(letter, named).as_str());
        }
    }
}

#[tokio::test]
async fn unknown_member_is_not_found_by_owner_or_admin() {
    let world = World::start(&[]).await;
    let image = create_image(&world, "shared").await;
    for (caller, role) in [("own1", Role::Member), ("own1", Role::Reader), ("adm1", Role::Admin)] {
        for member in ["nobody", "a%2Fb", "%C3%BC"] {
            let target = format!("/v2/images/{image}/members/{member}");
            let put = ApiRequest::new("PUT", &target).json(&json!({"status": "bogus"}));
            for request in [ApiRequest::new("GET", &target), ApiRequest::new("DELETE", &target), put] {
                let response = world.send(caller, role, request).await;
                let ending = format!(" not found in the member list of the image {image}.");
                let message = response.expect_status(404).message();
                assert!(message.ends_with(&ending), "{response:?}");
            }
        }
    }
}
