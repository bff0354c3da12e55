//! *Private Images*, and the page of an image: members, edit, delete.

use imageshare::domain::{Details, Limits, Visibility};
use imageshare::usecases::{self, NewImage};
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::caller;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

#[tokio::test]
async fn filters_narrow_the_private_images() {
    let functions = Functions::start();
    let golden = functions.create_image("own1", &json!({"name": "Golden Linux"})).await;
    functions.create_image("own1", &json!({"name": "secret", "__system__cmkid": "key-1"})).await;
    functions.create_image("own1", &json!({"name": "mine", "visibility": "private"})).await;
    let whole = json!({
        "name": "whole", "__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40",
    });
    functions.create_image("own1", &whole).await;
    functions.share("own1", &[&golden], &["mem1"]).await;
    let owner = Visitor::member(&functions, "own1");
    let names = ["Golden Linux", "secret", "mine", "whole"];
    for (query, shown) in [
        ("", &names[..]),
        ("name=linux", &["Golden Linux"]),
        ("encrypted=yes", &["secret"]),
        ("encrypted=no&visibility=shared", &["Golden Linux", "whole"]),
        ("visibility=private", &["mine"]),
        ("kind=whole", &["whole"]),
        ("shared=yes", &["Golden Linux"]),
    ] {
        let page = owner.open(&format!("images?{query}")).await;
        page.expect_status(200);
        for name in names {
            let cell = format!("<bdi>{name}</bdi>");
            assert_eq!(page.html().contains(&cell), shown.contains(&name), "{query}: {name}");
        }
    }
    owner.open("images?kind=whole").await.expect_text("40 GiB");
    owner.open("images?name=nothing").await.expect_text("No image matches the filter.");
    owner.open("images").await.expect_text("1 of 256").expect_text("key-1");
}

#[tokio::test]
async fn filter_is_kept_from_page_to_page() {
    let functions = Functions::start();
    for number in 0..30 {
        functions.create_image("own1", &json!({"name": format!("web & {number}")})).await;
        functions.create_image("own1", &json!({"name": "other"})).await;
    }
    let owner = Visitor::member(&functions, "own1");
    let first = owner.open("images?name=web+%26").await;
    assert_eq!(first.html().matches("<bdi>web &#38; ").count(), 25, "{}", first.html());
    let next = first.link("Next page").expect("a next page");
    let second =
        owner.open(next.strip_prefix('?').map(|query| format!("images?{query}")).as_deref().unwrap()).await;
    assert_eq!(second.html().matches("<bdi>web &#38; ").count(), 5);
    second.expect_no_text("<bdi>other</bdi>").expect_text("First page");
}

#[tokio::test]
async fn registered_image_is_shown_and_a_second_form_makes_no_other() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.open("images").await.expect_text("No private images in local yet.").expect_text("/v2/images");
    let page = owner.open("new-image").await;
    let form = [
        ("form", page.field("form")),
        ("name", "golden"),
        ("disk_format", "qcow2"),
        ("min_disk", "40"),
        ("tags", "linux\r\nprod"),
        ("visibility", "shared"),
    ];
    let saved = owner.submit("new-image", &form).await;
    saved.expect_status(303);
    assert_eq!(owner.submit("new-image", &form).await.location(), saved.location());
    let page = owner.follow(&saved).await;
    page.expect_status(200).expect_text("golden").expect_text("qcow2").expect_text("40 GiB");
    page.expect_text("<bdi class=\"tag\">prod</bdi>");
    let wrong = owner.submit("new-image", &[("min_disk", "much"), ("name", "x")]).await;
    wrong.expect_status(400).expect_text("A whole number of GiB").expect_text("Choose a visibility.");
}

#[tokio::test]
async fn owner_sees_each_decision_and_stops_sharing() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    functions.share("own1", &[&image], &["mem1", "mem2", "mem3"]).await;
    functions.respond("mem1", &[&image], "accepted").await;
    functions.respond("mem2", &[&image], "rejected").await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("images/{image}")).await;
    page.expect_status(200)
        .expect_text("All (3)")
        .expect_text("Pending (1)")
        .expect_text("<span class=\"status accepted\">Accepted</span>")
        .expect_text("<span class=\"status rejected\">Rejected</span>");
    let rejected = owner.open(&format!("images/{image}?status=rejected")).await;
    rejected.expect_text("<code>mem2</code>").expect_no_text("<code>mem1</code>");
    let ask = owner.open(&format!("images/{image}/unshare?tenant=mem1&tenant=mem3&tenant=none")).await;
    ask.expect_status(200).expect_text("2 projects lose access at once.").expect_no_text("none");
    let form = [("form", ask.field("form")), ("tenant", "mem1"), ("tenant", "mem3")];
    let done = owner.submit(&format!("images/{image}/unshare"), &form).await;
    done.expect_status(303);
    assert_eq!(owner.submit(&format!("images/{image}/unshare"), &form).await.location(), done.location());
    let page = owner.follow(&done).await;
    page.expect_text("All (1)").expect_no_text("<code>mem1</code>").expect_text("<code>mem2</code>");
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("Nothing is shared");
    owner.open(&format!("images/{image}/unshare")).await.expect_text("Select at least one project.");
}

#[tokio::test]
async fn recipient_sees_its_own_decision_only() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    functions.share("own1", &[&image], &["mem1", "mem2"]).await;
    let recipient = Visitor::member(&functions, "mem1");
    let page = recipient.open(&format!("images/{image}")).await;
    page.expect_status(200).expect_text("Your decision").expect_text("<code>own1</code>");
    page.expect_no_text("mem2").expect_no_text("Stop sharing").expect_no_text("/edit");
    let form = [("form", page.field("form")), ("image", image.as_str()), ("decision", "accept")];
    recipient.submit("shared", &form).await.expect_status(303);
    let page = recipient.open(&format!("images/{image}")).await;
    page.expect_text("<span class=\"status accepted\">Accepted</span>").expect_text("value=\"reject\"");
    page.expect_no_text("value=\"accept\"");
}

#[tokio::test]
async fn strangers_image_is_the_page_of_none() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let stranger = Visitor::member(&functions, "str1");
    for page in ["", "/edit", "/delete", "/unshare?tenant=mem1"] {
        let theirs = stranger.open(&format!("images/{image}{page}")).await;
        let none = stranger.open(&format!("images/no-such{page}")).await;
        theirs.expect_status(404);
        none.expect_status(404).expect_text("There is no such page");
    }
    let change = [("revision", "1"), ("name", "stolen"), ("visibility", "private"), ("members", "0")];
    for page in ["edit", "delete"] {
        stranger.submit(&format!("images/{image}/{page}"), &change).await.expect_status(404);
    }
    stranger.submit(&format!("images/{image}/unshare"), &[("tenant", "mem1")]).await.expect_status(404);
}

#[tokio::test]
async fn reader_sees_images_without_actions() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    let reader = Visitor::with_role(&functions, "own1", "reader");
    for page in ["images".to_owned(), format!("images/{image}")] {
        let page = reader.open(&page).await;
        page.expect_status(200).expect_text("golden").expect_no_text("type=\"checkbox\" name=\"image\"");
        page.expect_no_text("Stop sharing").expect_no_text("/edit").expect_no_text("/delete");
    }
    let form = [("tenant", "mem1"), ("members", "9"), ("revision", "1"), ("visibility", "private")];
    for page in ["edit", "delete", "unshare"] {
        reader.submit(&format!("images/{image}/{page}"), &form).await.expect_status(403);
        reader.open(&format!("images/{image}/{page}?tenant=mem1")).await.expect_status(403);
    }
    reader.open("new-image").await.expect_status(403);
    reader.submit("new-image", &[("visibility", "shared")]).await.expect_status(403);
}

#[tokio::test]
async fn edit_says_what_follows_and_loses_no_other_change() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden", "tags": ["linux"]})).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("images/{image}/edit")).await;
    page.expect_status(200).expect_text("1 project that it is shared with no longer sees it");
    let revision = page.field("revision").to_owned();
    let form =
        [("revision", revision.as_str()), ("name", "hidden"), ("tags", "prod"), ("visibility", "private")];
    let saved = owner.submit(&format!("images/{image}/edit"), &form).await;
    saved.expect_status(303);
    owner.submit(&format!("images/{image}/edit"), &form).await.expect_status(303);
    owner.follow(&saved).await.expect_text("hidden").expect_text("prod").expect_no_text("linux");
    Visitor::member(&functions, "mem1").open(&format!("images/{image}")).await.expect_status(404);
    let late = [("revision", revision.as_str()), ("name", "late"), ("visibility", "shared")];
    let late = owner.submit(&format!("images/{image}/edit"), &late).await;
    late.expect_status(400).expect_text("The image has changed meanwhile.");
    let page = owner.open(&format!("images/{image}/edit")).await;
    page.expect_text("1 project that it was shared with sees it again.");
}

#[tokio::test]
async fn delete_is_confirmed_with_the_projects_that_lose_it() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let owner = Visitor::member(&functions, "own1");
    let ask = owner.open(&format!("images/{image}/delete")).await;
    ask.expect_status(200).expect_no_text("access at once");
    functions.share("own1", &[&image], &["mem1"]).await;
    let none = [("members", ask.field("members"))];
    let again = owner.submit(&format!("images/{image}/delete"), &none).await;
    again.expect_status(200).expect_text("1 project loses access at once.");
    let form = [("members", again.field("members"))];
    owner.submit(&format!("images/{image}/delete"), &form).await.expect_status(303);
    owner.open(&format!("images/{image}")).await.expect_status(404);
    owner.submit(&format!("images/{image}/delete"), &form).await.expect_status(404);
}

#[tokio::test]
async fn hostile_names_are_text_on_the_owners_pages() {
    let functions = Functions::start();
    let octopuses = "🐙".repeat(255);
    for name in [
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "javascript:alert(1)\u{202e}",
        &octopuses,
    ] {
        let image = functions.create_image("own1", &json!({"name": name, "tags": [name]})).await;
        functions.share("own1", &[&image], &["mem1"]).await;
        let owner = Visitor::member(&functions, "own1");
        for page in ["", "/edit", "/delete", "/unshare?tenant=mem1"] {
            let page = owner.open(&format!("images/{image}{page}")).await;
            page.expect_status(200)
                .expect_no_text("<script>alert")
                .expect_no_text("<img")
                .expect_no_text("href=\"javascript");
        }
        owner.open("images").await.expect_no_text("<script>alert").expect_no_text("<img");
    }
}

#[tokio::test]
async fn image_whose_id_is_a_word_of_the_console_has_its_pages() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    for id in ["share", "new", "edit"] {
        let details = Details { name: Some(format!("image {id}")), ..Details::default() };
        let new = NewImage { id: id.parse().ok(), owner: None, visibility: Visibility::Shared, details };
        let service = &functions.local.service;
        usecases::register_image(service, &caller("own1"), new, None).await.expect("an image");
        for page in ["", "/edit", "/delete"] {
            let page = owner.open(&format!("images/{id}{page}")).await;
            page.expect_status(200).expect_text(&format!("image {id}"));
        }
    }
}

#[tokio::test]
async fn image_at_its_recipient_limit_cannot_be_shared() {
    let limits = Limits { members_per_image: 1, ..Limits::default() };
    let functions = Functions::start_with(limits);
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    let owner = Visitor::member(&functions, "own1");
    let page = owner.open(&format!("share-images?image={image}")).await;
    page.expect_status(200).expect_text("its limit of 1 recipients").expect_no_text("value=\"share\"");
}

#[tokio::test]
async fn owners_pages_cost_what_they_say() {
    let (functions, counter) = Functions::start_counted();
    let mut image = String::new();
    for number in 0..60 {
        image = functions.create_image("own1", &json!({"name": format!("image-{number}")})).await;
    }
    let members: Vec<_> = (0..25).map(|number| format!("p-{number}")).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    functions.share("own1", &[&image], &members).await;
    let owner = Visitor::member(&functions, "own1");
    // What the frame of each page costs.
    owner.open("share-rules/new").await.expect_status(200);
    let cost = async |page: &str| {
        let (calls, units) = counter.calls_and_read_units();
        owner.open(page).await.expect_status(200);
        let (calls_after, units_after) = counter.calls_and_read_units();
        (calls_after - calls, units_after - units)
    };
    let (frame_calls, frame_units) = cost("share-rules/new").await;
    for (page, most_calls, most_units) in [
        ("images".to_owned(), 2, 26),
        ("images?name=image".to_owned(), 2, 26),
        (format!("images/{image}"), 5, 20),
        (format!("share-images?image={image}"), 2, 3),
    ] {
        let (calls, units) = cost(&page).await;
        let (calls, units) = (calls - frame_calls, units - frame_units);
        eprintln!("{page}: {calls} calls, {units} read units");
        assert!(calls <= most_calls && units <= most_units, "{page}: {calls} calls, {units} read units");
    }
}
