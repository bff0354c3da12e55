//! *Share Image*.

use imageshare::domain::Limits;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::{Page, Visitor};
use serde_json::json;

use super::world::enter;

/// Sends the form of a page, with other values for some fields, and with the button that is pressed.
async fn press(visitor: &Visitor<'_>, page: &Page, fields: &[(&str, &str)]) -> Page {
    let hidden = ["form", "image", "left_out", "recipient"].map(|name| (name, page.fields(name)));
    let hidden = hidden.iter().flat_map(|(name, values)| values.iter().map(|value| (*name, value.as_str())));
    let form: Vec<_> = hidden.chain(fields.iter().copied()).collect();
    visitor.submit("share-images", &form).await
}

/// Directory of the tests: Acme with two projects, Bolt with one, and one in another region.
async fn directory(functions: &Functions) {
    enter(functions, "shop", ("Acme", "shop"), "local").await;
    enter(functions, "lab", ("Acme", "lab"), "local").await;
    enter(functions, "bolt", ("Bolt", "main"), "local").await;
    enter(functions, "far", ("Far", "main"), "elsewhere").await;
}

#[tokio::test]
async fn images_and_projects_by_name_and_id_are_one_job() {
    let functions = Functions::start();
    directory(&functions).await;
    let mut images = Vec::new();
    for name in ["golden", "web", "db"] {
        images.push(functions.create_image("own1", &json!({"name": name})).await);
    }
    let owner = Visitor::member(&functions, "own1");
    let query: Vec<_> = images.iter().map(|image| format!("image={image}")).collect();
    let page = owner.open(&format!("share-images?{}", query.join("&"))).await;
    page.expect_status(200).expect_text("Share Image").expect_text("golden");
    let page = press(&owner, &page, &[("account", "Bolt"), ("do", "add")]).await;
    page.expect_status(200).expect_text("<bdi>Bolt</bdi> / <bdi>main</bdi>");
    page.expect_text("3 images × 1 tenant = 3 shares.");
    let page = press(&owner, &page, &[("account", "Acme"), ("project", "shop"), ("do", "add")]).await;
    let page = press(&owner, &page, &[("ids", "p-7,\r\np-8 p-9"), ("do", "add")]).await;
    page.expect_status(200).expect_text("3 images × 5 tenants = 15 shares.");
    let page = press(&owner, &page, &[("remove", "p-8")]).await;
    page.expect_status(200).expect_no_text("p-8").expect_text("3 images × 4 tenants = 12 shares.");
    let shared = press(&owner, &page, &[("do", "share")]).await;
    shared.expect_status(303);
    assert!(shared.location().starts_with("/console/images?job="), "{}", shared.location());
    let again = press(&owner, &page, &[("do", "share")]).await;
    assert_eq!(again.location(), shared.location(), "one job");
    for tenant in ["bolt", "shop", "p-7", "p-9"] {
        let inbox = Visitor::member(&functions, tenant).open("shared").await;
        inbox.expect_text("3 images wait for your answer");
    }
}

/// The fields of a form, the field that is wrong, and what it says.
type WrongProject = (&'static [(&'static str, &'static str)], &'static str, &'static str);

#[tokio::test]
async fn wrong_project_is_told_at_its_field() {
    let functions = Functions::start();
    directory(&functions).await;
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    let cases: [WrongProject; 9] = [
        (&[], "account", "Enter an account name, or at least one project ID."),
        (&[("account", "Nobody")], "account", "There is no account Nobody in the directory."),
        (
            &[("account", "Acme"), ("project", "none")],
            "account",
            "There is no project none of an account Acme",
        ),
        (&[("account", "Acme")], "project", "The account Acme has several projects in this region."),
        (&[("project", "shop")], "account", "Enter the name of the project&#39;s account as well."),
        (&[("account", "Far")], "account", "The project is in another region."),
        (&[("ids", "own1")], "ids", "own1 is your own project"),
        (&[("ids", "p-1, p-1")], "ids", "p-1 is in the list already."),
        (&[("ids", "a/b")], "ids", "a/b is not a project ID"),
    ];
    for (fields, field, message) in cases {
        let fields: Vec<_> = fields.iter().copied().chain([("do", "add")]).collect();
        let answer = press(&owner, &page, &fields).await;
        answer.expect_status(400).expect_text(message);
        let element = answer.html().split(&format!("id=\"{field}\"")).nth(1).expect("the field");
        let element = element.split('>').next().unwrap_or_default();
        assert!(element.contains("aria-invalid") && element.contains("autofocus"), "{message}: {element}");
        answer.expect_text(&format!("<a href=\"#{field}\">"));
    }
    let many: Vec<_> = (0..101).map(|number| format!("p-{number}")).collect();
    let answer = press(&owner, &page, &[("ids", &many.join("\n")), ("do", "add")]).await;
    answer
        .expect_status(400)
        .expect_text("at most 100 projects")
        .expect_text("1 image × 100 tenants = 100 shares.");
    let without = press(&owner, &page, &[("do", "share")]).await;
    without.expect_status(400).expect_text("Enter an account name");
    Visitor::member(&functions, "p-1").open("shared").await.expect_text("Nothing is shared");
}

#[tokio::test]
async fn ok_with_a_new_name_shows_the_project_first() {
    let functions = Functions::start();
    directory(&functions).await;
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    let page = press(&owner, &page, &[("account", "Bolt"), ("do", "share")]).await;
    page.expect_status(200).expect_text("choose OK again").expect_text("<bdi>Bolt</bdi>");
    press(&owner, &page, &[("do", "share")]).await.expect_status(303);
}

#[tokio::test]
async fn image_that_cannot_be_shared_says_why() {
    let functions = Functions::start();
    let private = functions.create_image("own1", &json!({"name": "mine", "visibility": "private"})).await;
    let community = functions.create_image("own1", &json!({"visibility": "community"})).await;
    let service_key = functions.create_image("own1", &json!({"__system__encrypted": "1"})).await;
    let whole = functions.create_image("own1", &json!({"__whole_image": "true"})).await;
    let plain = functions.create_image("own1", &json!({"name": "plain"})).await;
    let owner = Visitor::member(&functions, "own1");
    let query = [&private, &community, &service_key, &whole, &plain].map(|id| format!("image={id}"));
    let page = owner.open(&format!("share-images?{}", query.join("&"))).await;
    page.expect_status(200)
        .expect_text("it is private")
        .expect_text("every project can use it already")
        .expect_text("encrypted with the service&#39;s key")
        .expect_text("from a backup of known size")
        .expect_text("4 images that cannot be shared are left out.");
    let page = press(&owner, &page, &[("set_shared", &private)]).await;
    page.expect_status(200).expect_no_text("it is private").expect_text("3 images that cannot be shared");
    let page = press(&owner, &page, &[("ids", "mem1"), ("do", "add")]).await;
    press(&owner, &page, &[("do", "share")]).await.expect_status(303);
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("2 images wait for your answer");
}

#[tokio::test]
async fn image_that_changed_meanwhile_is_not_left_out_silently() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let other = functions.create_image("own1", &json!({"name": "other"})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}&image={other}")).await;
    let page = press(&owner, &page, &[("ids", "mem1"), ("do", "add")]).await;
    let private = json!([{"op": "replace", "path": "/visibility", "value": "private"}]);
    functions.patch_image("own1", &image, &private).await;
    let page = press(&owner, &page, &[("do", "share")]).await;
    page.expect_status(400).expect_text("An image has changed meanwhile").expect_text("it is private");
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("Nothing is shared");
    press(&owner, &page, &[("do", "share")]).await.expect_status(303);
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("1 image waits");
}

#[tokio::test]
async fn form_that_is_sent_twice_leads_to_its_one_job() {
    let limits = Limits { members_per_image: 1, ..Limits::default() };
    let functions = Functions::start_with(limits);
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    let page = press(&owner, &page, &[("ids", "mem1"), ("do", "add")]).await;
    let shared = press(&owner, &page, &[("do", "share")]).await;
    shared.expect_status(303);
    let again = press(&owner, &page, &[("do", "share")]).await;
    assert_eq!(again.location(), shared.location(), "the image has reached its limit by the first");
    let page = owner.open(&format!("share-images?image={image}")).await;
    page.expect_text("its limit of 1 recipients is reached");
}

#[tokio::test]
async fn key_is_granted_with_the_share() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "secret", "__system__cmkid": "key-1"})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    let page = press(&owner, &page, &[("ids", "mem1, mem2"), ("do", "add")]).await;
    page.expect_text("Grant the key key-1 to 2 projects that cannot use it yet");
    let refused = press(&owner, &page, &[("do", "share")]).await;
    refused.expect_status(400).expect_text("Grant the key, or remove");
    let shared = press(&owner, &page, &[("do", "share"), ("grant", "yes")]).await;
    shared.expect_status(303);
    Visitor::member(&functions, "mem2").open("shared").await.expect_text("1 image waits for your answer");
    let page = press(&owner, &page, &[("do", "add"), ("ids", "mem3")]).await;
    page.expect_text("Grant the key key-1 to 1 project that cannot use it yet");
}

#[tokio::test]
async fn share_of_others_images_is_the_page_of_none() {
    let functions = Functions::start();
    let foreign = functions.create_image("own2", &json!({"name": "theirs"})).await;
    let visitor = Visitor::member(&functions, "own1");
    let theirs = visitor.open(&format!("share-images?image={foreign}")).await;
    let none = visitor.open("share-images?image=no-such-image").await;
    theirs.expect_status(404).expect_no_text("theirs");
    none.expect_status(404);
    visitor.open("share-images").await.expect_status(400).expect_text("Select at least one image.");
    let form = [("form", "f"), ("image", foreign.as_str()), ("recipient", "mem1"), ("do", "share")];
    visitor.submit("share-images", &form).await.expect_status(404);
    visitor
        .submit("share-images", &[("image", foreign.as_str()), ("set_shared", &foreign)])
        .await
        .expect_status(404);
}

#[tokio::test]
async fn reader_shares_nothing() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let reader = Visitor::with_role(&functions, "own1", "reader");
    reader.open(&format!("share-images?image={image}")).await.expect_status(403);
    let form = [("form", "f"), ("image", image.as_str()), ("recipient", "mem1"), ("do", "share")];
    reader.submit("share-images", &form).await.expect_status(403);
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("Nothing is shared");
}

#[tokio::test]
async fn hostile_names_are_text_in_the_share_dialog() {
    let functions = Functions::start();
    let hostile = "\"><script>alert(1)</script>\u{202e}";
    enter(&functions, "evil", ("<b>Evil</b> \"'", "javascript:alert(1)"), "local").await;
    let image = functions.create_image("own1", &json!({"name": hostile})).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    let page = press(&owner, &page, &[("account", "<b>Evil</b> \"'"), ("do", "add")]).await;
    page.expect_status(200)
        .expect_no_text("<script>alert")
        .expect_no_text("<b>Evil")
        .expect_no_text("\"javascript:");
    let page = press(&owner, &page, &[("account", "</bdi><script>alert(2)"), ("do", "add")]).await;
    page.expect_status(400).expect_no_text("<script>alert");
}
