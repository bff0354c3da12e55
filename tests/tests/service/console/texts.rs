//! Every word of a page is one of the texts. A visitor checks that on each page that it opens, so in all of these tests; here it
//! opens every page that there is.

use std::collections::BTreeSet;

use imageshare_tests::console_pages::ConsolePages;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::{create_vault, enter, full_ecs, share_new};

/// What the pages need that are opened with a query: the visitor, the page, and the query.
const QUERIES: [(&str, &str, &str); 11] = [
    ("own1", "images/{id}/unshare", "tenant=mem1"),
    ("own1", "share-images", "image={image}"),
    ("own1", "key-grants", "key=k-1"),
    ("own1", "key-grants/withdraw", "key=k-1&tenant=mem1"),
    ("own1", "notice", "job={job}"),
    ("mem1", "shared/accept", "all=1"),
    ("mem1", "shared/reject", "image={image}"),
    ("mem1", "owners/edit", "owner=own1"),
    ("mem1", "vaults/edit", "vault=main"),
    ("mem1", "vaults/delete", "vault=main"),
    ("mem1", "shared", ""),
];

/// Pages that lead elsewhere, or need a provider or a link; their own tests open them.
const WITHOUT_PAGE: [&str; 4] = ["", "sign-in/link", "sign-in/provider", "sign-in/callback"];

#[tokio::test]
async fn every_page_has_no_other_words_than_the_texts() {
    let functions = Functions::with_master_key();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    functions.create_image("own1", &json!({"name": "sealed", "__system__cmkid": "k-1"})).await;
    enter(&functions, "own1", ("Acme", "shop"), "local").await;
    let [owner, recipient] = ["own1", "mem1"].map(|project| Visitor::member(&functions, project));
    let admin = Visitor::with_role(&functions, "ops", "admin");
    create_vault(&recipient, "main", "100").await;
    let trust = [("owner", "own1"), ("policy", "trusted"), ("vault", "main")];
    recipient.submit("owners/new", &trust).await.expect_status(303);
    owner.submit("key-grants", &[("key", "k-1"), ("ids", "mem1")]).await.expect_status(303);
    let rule = [("name", "golden"), ("pattern", r#"{"name": ["server"]}"#), ("ids", "mem1 mem2")];
    owner.submit("share-rules/new", &rule).await.expect_status(303);
    let shared = owner.submit("share-rule/golden/apply", &[("form", "1")]).await;
    owner.follow(&shared).await.expect_text("Applied by its owner");
    let job = shared.location().rsplit_once("job=").expect("a job").1.to_owned();
    let key = [("form", "1"), ("name", "ci"), ("role", "member")];
    let key = owner.submit("access-keys", &key).await;
    let (_, key) = key.html().split_once("<code class=\"secret\">").expect("a key");
    let key = key.split_once('<').expect("its end").0;
    functions.local.carry_out_effects().await;

    let pages = ConsolePages::load();
    let patterns: BTreeSet<_> =
        pages.pages.iter().filter(|page| !page.is_form).map(|page| &page.path).collect();
    for pattern in patterns.into_iter().filter(|pattern| !WITHOUT_PAGE.contains(&pattern.as_str())) {
        let (project, query) = QUERIES
            .iter()
            .find(|(_, page, _)| page == pattern)
            .map_or(("own1", ""), |(project, _, query)| (*project, *query));
        let visitor = match pattern.split('/').next() {
            Some("directory" | "new-project") => &admin,
            _ if project == "mem1" || pattern.starts_with("owners") || pattern.starts_with("vaults") => {
                &recipient
            }
            _ => &owner,
        };
        let thing = match pattern.split('/').next() {
            Some("images") => &image,
            Some("jobs") => &job,
            Some("access-keys") => key,
            Some("directory") => "own1",
            _ => "golden",
        };
        let path = pattern.replace("{id}", thing).replace("{tenant}", thing).replace("{name}", thing);
        let query = query.replace("{image}", &image).replace("{job}", &job);
        visitor.open(&format!("{path}?{query}")).await.expect_status(200);
    }
}
