//! `imageshare console`: from the command to the session of a browser.

use std::process::{Command, Output};

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

fn run_console(arguments: &[&str]) -> Output {
    Command::new(binary("imageshare")).arg("console").args(arguments).output().unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn link_of_the_command_line_signs_a_browser_in_once() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let url = format!("http://{}", server.address);
    let data = server.data_directory();
    let made = run_console(&["--project", "own1", "--role", "reader", "--data", data, "--server", &url]);
    assert!(made.status.success(), "{made:?}");
    let link = String::from_utf8(made.stdout).unwrap().trim_end().to_owned();
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let page = client.get(&link).send().await.unwrap();
    assert_eq!((page.status().as_u16(), header(&page, "set-cookie")), (200, ""));
    assert!(page.text().await.unwrap().contains("Sign in as own1"));

    let (address, token) = link.split_once("?link=").unwrap();
    let press_button = async || {
        let form = client.post(address).header("Sec-Fetch-Site", "same-origin");
        let form = form.header("Content-Type", "application/x-www-form-urlencoded");
        form.body(format!("link={token}")).send().await.unwrap()
    };
    let signed_in = press_button().await;
    assert_eq!((signed_in.status().as_u16(), header(&signed_in, "location")), (303, "/console"));
    let cookie = header(&signed_in, "set-cookie").split(';').next().unwrap().to_owned();
    let images = client.get(format!("{url}/console/images")).header("Cookie", &cookie).send().await.unwrap();
    assert_eq!(images.status(), 200);
    let images = images.text().await.unwrap();
    assert!(images.contains("own1") && images.contains("reader"), "{images}");
    assert_eq!(press_button().await.status(), 401);
    let session = cookie.split_once('=').unwrap().1;
    assert!(!server.log().contains(token) && !server.log().contains(session), "{}", server.log());
}

#[test]
fn link_needs_the_keys_of_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let made = run_console(&["--project", "own1", "--data", directory.path().to_str().unwrap()]);
    assert!(!made.status.success());
    let problem = String::from_utf8(made.stderr).unwrap();
    assert!(problem.contains("there are no master keys in") && problem.contains("--data"), "{problem}");
}
