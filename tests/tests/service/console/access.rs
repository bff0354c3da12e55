//! Who sees which page, and who may send which form.

use std::collections::BTreeMap;

use imageshare_tests::console_pages::ConsolePages;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::all_items;
use imageshare_tests::visitor::{Page, Visitor};
use serde_json::json;

const MISSING: &str = "00000000-0000-4000-8000-000000000000";

/// The functions with two images of `own1`: one is shared with `mem1`, the other is private.
async fn start() -> (Functions, [String; 2]) {
    let functions = Functions::start();
    let details = |name: &str| json!({"name": name, "visibility": "shared"});
    let shared = functions.create_image("own1", &details("prized-image")).await;
    let private = functions.create_image("own1", &details("secret-image")).await;
    functions.share("own1", &[&shared], &["mem1"]).await;
    (functions, [shared, private])
}

/// The fields of a form in which every field that can name an image does so.
fn form_of<'a>(console: &'a ConsolePages, image: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let value_of = |field: &str| if field.starts_with("image") { image } else { value };
    console
        .fields
        .iter()
        .filter(|field| *field != "form")
        .map(|field| (field.as_str(), value_of(field)))
        .collect()
}

/// A page without what differs between any two: ids and the request's id.
fn normalized(page: &Page, image: &str) -> (u16, String, String) {
    let id = page.response().headers.get("x-request-id").cloned().unwrap_or_default();
    let hide = |text: &str| text.replace(image, "IMAGE").replace(&id, "REQUEST");
    (page.response().status, hide(page.location()), hide(&without_form_keys(page.html())))
}

/// A page without the keys of its forms, each of which is new.
fn without_form_keys(html: &str) -> String {
    let mut parts = html.split("name=\"form\" value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('"').map_or("", |(_, rest)| rest))
}

/// The items of the table.
fn dump(functions: &Functions) -> Vec<String> {
    let items = all_items(&functions.local.embedded);
    let mut items: Vec<String> =
        items.iter().map(|item| format!("{:?}", item.iter().collect::<BTreeMap<_, _>>())).collect();
    items.sort();
    items
}

#[tokio::test]
async fn stranger_cannot_tell_existing_pages_from_missing_ones() {
    let (functions, images) = start().await;
    let console = ConsolePages::load();
    let stranger = Visitor::member(&functions, "str1");
    for image in &images {
        let there = console.opened(|_| image.clone());
        let missing = console.opened(|_| MISSING.to_owned());
        for (there, missing) in there.iter().zip(&missing) {
            for query in ["", "?image=ID", "?id=ID", "?marker=ID"] {
                let (there, missing) = (
                    stranger.open(&format!("{there}{}", query.replace("ID", image))).await,
                    stranger.open(&format!("{missing}{}", query.replace("ID", MISSING))).await,
                );
                there.expect_no_text("prized-image").expect_no_text("secret-image");
                assert_eq!(normalized(&there, image), normalized(&missing, MISSING));
            }
        }
    }
}

#[tokio::test]
async fn stranger_form_cannot_tell_existing_from_missing() {
    let (functions, images) = start().await;
    let console = ConsolePages::load();
    let stranger = Visitor::member(&functions, "str1");
    for image in &images {
        let there = console.sent(|_| image.clone());
        let missing = console.sent(|_| MISSING.to_owned());
        for (there, missing) in there.iter().zip(&missing).filter(|(page, _)| !page.starts_with("sign-")) {
            for value in ["accept", "reject", "private", "on", ""] {
                let (there, missing) = (
                    stranger.submit(there, &form_of(&console, image, value)).await,
                    stranger.submit(missing, &form_of(&console, MISSING, value)).await,
                );
                let (there, missing) = (normalized(&there, image), normalized(&missing, MISSING));
                // A job has an id of its own.
                if !there.1.contains("job") {
                    assert_eq!(there, missing);
                }
                assert_eq!(there.0, missing.0, "{there:?}");
            }
        }
    }
}

/// Whether a page has a form that changes something and has a button, besides that of signing out.
fn has_action(html: &str) -> bool {
    let forms = html.split("<form ").skip(1).filter_map(|rest| rest.split("</form>").next());
    let mut changing =
        forms.filter(|form| form.contains("method=\"post\"") && !form.contains("/console/sign-out"));
    changing.any(|form| form.contains("<button"))
}

#[tokio::test]
async fn reader_sees_no_action() {
    let (functions, [shared, _]) = start().await;
    let console = ConsolePages::load();
    let mut with_action = Vec::new();
    for project in ["own1", "mem1"] {
        let reader = Visitor::with_role(&functions, project, "reader");
        for page in console.opened(|_| shared.clone()).iter().filter(|page| !page.starts_with("sign-")) {
            let opened = reader.open(page).await;
            assert!(opened.response().status < 500, "{:?}", opened.response());
            if has_action(opened.html()) {
                with_action.push(format!("{project}: {}", page.replace(&shared, "IMAGE")));
            }
        }
    }
    assert_eq!(with_action, Vec::<String>::new(), "pages with an action for a reader");
}

#[tokio::test]
async fn reader_form_is_refused_and_changes_nothing() {
    let (functions, [shared, _]) = start().await;
    let console = ConsolePages::load();
    let before = dump(&functions);
    for project in ["own1", "mem1"] {
        let reader = Visitor::with_role(&functions, project, "reader");
        for page in console.sent(|_| shared.clone()).iter().filter(|page| !page.starts_with("sign-")) {
            for value in ["accept", "reject", "private", "on", "mem2"] {
                let sent = reader.submit(page, &form_of(&console, &shared, value)).await;
                let status = sent.response().status;
                assert!((400..500).contains(&status), "{page}: {:?}", sent.response());
            }
        }
    }
    assert_eq!(dump(&functions), before, "a reader has changed something");
}
