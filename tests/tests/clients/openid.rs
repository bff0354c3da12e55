//! Signing in to the console with an OpenID provider: a real one for tests, `oidc-provider-mock`, and the server.

use std::path::Path;
use std::process::Stdio;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use imageshare_tests::binaries::binary;
use imageshare_tests::python;
use imageshare_tests::server_process::ServerProcess;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The provider, until it is dropped.
struct Provider {
    issuer: String,
    _process: Child,
}

/// Starts the provider; `None` where Python or its index cannot be used.
async fn start_provider() -> Option<Provider> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/openid");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = python::with_requirements(&folder.join("requirements.txt"), target).await;
    let python = python::or_skip("the OpenID provider", made)?;
    let mut process = Command::new(python)
        .arg(folder.join("provider.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a provider");
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let port = lines.next_line().await.expect("a pipe").expect("its port");
    Some(Provider { issuer: format!("http://localhost:{}", port.trim()), _process: process })
}

async fn start_server(provider: &Provider) -> ServerProcess {
    let jwks = format!("{}/jwks", provider.issuer);
    let arguments =
        ["--memory", "--jwks", &jwks, "--issuer", &provider.issuer, "--console-client-id", "console"];
    let secret = vec![("IMAGESHARE_CONSOLE_CLIENT_SECRET", "any secret, with /?&".to_owned())];
    ServerProcess::start_with_env(&binary("imageshare"), &arguments, secret).await
}

/// A browser, which follows no redirect unless it is told to.
struct Browser {
    client: Client,
    server: String,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn new(server: &ServerProcess) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, server: format!("http://{}", server.address), cookies: Vec::new() }
    }

    /// Opens a page of the server, and keeps its cookies.
    async fn open(&mut self, target: &str) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url =
            if target.starts_with("http") { target.to_owned() } else { format!("{}{target}", self.server) };
        let response = self.client.get(url).header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    /// Goes to the provider, and signs in there as a user, or refuses. Returns the address that the provider leads back to.
    async fn sign_in_at_provider(&mut self, form: &str) -> String {
        let page = self.open("/console/sign-in").await.text().await.unwrap();
        assert!(page.contains("Sign in with localhost:"), "{page}");
        let begun = self.open("/console/sign-in/provider?next=%2Fconsole%2Fshared").await;
        assert_eq!(begun.status(), 303);
        let request = self.client.post(location(&begun)).body(form.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        location(&request.send().await.unwrap())
    }
}

fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn person_signs_in_with_an_openid_provider() {
    let Some(provider) = start_provider().await else { return };
    let server = start_server(&provider).await;
    let mut browser = Browser::new(&server);
    let callback = browser.sign_in_at_provider("sub=ann").await;
    let back = browser.open(&callback).await;
    assert_eq!((back.status().as_u16(), location(&back).as_str()), (303, "/console/shared"));
    assert_eq!(browser.cookies.len(), 1, "the session's: {:?}", browser.cookies);
    let page = browser.open("/console/shared").await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("own1"), "{page}");
    // The code is used up, and so is the attempt.
    assert_eq!(browser.open(&callback).await.status(), 401);
    let session = browser.cookies[0].1.clone();
    let api = browser.client.get(format!("{}/v2/images", browser.server)).header("X-Auth-Token", &session);
    assert_eq!(api.send().await.unwrap().status(), 401, "a session is for the console only");
    assert!(!server.log().contains(&session) && !page.contains(&session));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_of_the_provider_is_for_one_browser_only() {
    let Some(provider) = start_provider().await else { return };
    let server = start_server(&provider).await;
    let callback = Browser::new(&server).sign_in_at_provider("sub=ann").await;
    // Without the cookie of the attempt, and with that of another.
    let mut other = Browser::new(&server);
    assert_eq!(other.open(&callback).await.status(), 401);
    other.sign_in_at_provider("sub=ann").await;
    assert_eq!(other.open(&callback).await.status(), 401);
    assert!(other.cookies.is_empty(), "{:?}", other.cookies);
}

#[tokio::test(flavor = "multi_thread")]
async fn person_without_a_project_or_consent_is_not_signed_in() {
    let Some(provider) = start_provider().await else { return };
    let server = start_server(&provider).await;
    for (form, text) in [("sub=bob", "acts for no project"), ("action=deny", "did not sign you in")] {
        let mut browser = Browser::new(&server);
        let callback = browser.sign_in_at_provider(form).await;
        let back = browser.open(&callback).await;
        assert_eq!(back.status(), 401, "{form}");
        let page = back.text().await.unwrap();
        assert!(page.contains(text), "{form}: {page}");
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    }
}
