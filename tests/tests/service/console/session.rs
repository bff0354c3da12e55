//! Signing in and out, and what protects the forms.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;

#[tokio::test]
async fn stranger_is_led_to_sign_in_and_back() {
    let functions = Functions::start();
    let page = Visitor::stranger(&functions).open("images?marker=x").await;
    page.expect_status(303);
    assert_eq!(page.location(), "/console/sign-in?next=%2Fconsole%2Fimages%3Fmarker%3Dx");
    let sign_in = Visitor::stranger(&functions).open("sign-in?next=%2Fconsole%2Fimages").await;
    sign_in.expect_status(200).expect_text("Access key ID");
    assert_eq!(sign_in.field("next"), "/console/images");
}

#[tokio::test]
async fn form_of_another_origin_is_refused() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    let form = Visitor::form("shared", &[("decision", "accept"), ("image", "i-1")]);
    for headers in [&[("sec-fetch-site", "same-site")][..], &[("origin", "http://evil.example")], &[]] {
        let event = headers.iter().fold(form.clone(), |event, (name, value)| event.header(name, value));
        visitor.send(&event).await.expect_status(403);
    }
}
