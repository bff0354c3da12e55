//! *Images Shared with Me*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

#[tokio::test]
async fn pending_image_is_in_the_message_and_then_in_the_list() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("shared").await;
    page.expect_status(200).expect_text("1 image waits for your answer").expect_text("golden");
    let form = [("form", page.field("form")), ("image", &image), ("decision", "accept")];
    let accepted = visitor.submit("shared", &form).await;
    accepted.expect_status(303);
    let page = visitor.follow(&accepted).await;
    page.expect_status(200).expect_text("golden").expect_no_text("for your answer");
}
