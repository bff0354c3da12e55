//! What follows from a share, on a server that is killed with `kill -9` at a random moment after the response: its events
//! come once the server is started again, if it had not published them, each with one id; and its message is there, once.
//!
//! Before a kill, a reader follows the bus, as `imageshare events` does. So an event that was published before the kill
//! and again after it is seen twice. One that was published just before the kill may be read by nobody, since the bus of
//! a server is in its memory; its message is there all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imageshare_tests::binaries::binary;
use imageshare_tests::notice::print_notice;
use imageshare_tests::server_process::ServerProcess;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const KILLS: usize = 12;

/// The longest time between a response and the kill: in some 10 ms its events are published.
const MAX_PAUSE_US: u64 = 15_000;

/// The time limit for what follows to come.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The ids of the events of each happening that a reader has seen.
pub type Seen = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// A client with the tokens of an owner, a recipient and an admin.
pub struct Client {
    http: reqwest::Client,
    owner: String,
    recipient: String,
    admin: String,
}

impl Client {
    pub fn new(owner: String, recipient: String, admin: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, owner, recipient, admin }
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    pub async fn call(
        &self,
        server: &str,
        token: &str,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Value> {
        let request = self.http.request(method, format!("http://{server}{target}"));
        let request =
            body.into_iter().fold(request.header("x-auth-token", token), reqwest::RequestBuilder::json);
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Follows the bus until the server dies, or `is_done` says so after a page.
    pub async fn follow(&self, server: &str, seen: &Seen, is_done: impl Fn() -> bool) {
        let mut after = String::new();
        while !is_done() {
            let target = format!("/events?limit=1000&wait=1{after}");
            let Ok(page) = self.call(server, &self.admin, Method::GET, &target, None).await else { return };
            let mut seen = seen.lock().unwrap();
            for event in page["events"].as_array().unwrap() {
                let id = event["detail"]["id"].as_str().unwrap().to_owned();
                seen.entry(happening(&event["detail"])).or_default().insert(id);
            }
            after = format!("&after={}", page["next"].as_str().unwrap());
        }
    }
}

/// What an event tells, to whom: its kind, audience, image and recipient, or job.
fn happening(detail: &Value) -> String {
    let texts = ["/kind", "/audience", "/image/id", "/recipient", "/job/id"];
    let texts = texts.iter().filter_map(|pointer| detail.pointer(pointer)?.as_str());
    texts.collect::<Vec<_>>().join(" ")
}

async fn serve(data: &Path) -> ServerProcess {
    ServerProcess::start(&binary("imageshare"), &["--data", data.to_str().unwrap()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_messages_survive_kills_of_the_server() {
    let chosen = std::env::var("KILLED_EVENTS_SEED").ok().and_then(|text| text.parse().ok());
    let start = chosen.unwrap_or_else(|| fastrand::u64(..));
    println!("KILLED_EVENTS_SEED={start}");
    let mut random = fastrand::Rng::with_seed(start);
    let directory = tempfile::tempdir().unwrap();
    let mut server = serve(directory.path()).await;
    let tokens = [("owner", "member"), ("recipient", "member"), ("ops", "admin")];
    let [owner, recipient, admin] = tokens.map(|(project, role)| server.token(project, role));
    let client = Arc::new(Client::new(owner, recipient, admin));
    let (seen, mut images, mut expected) = (Seen::default(), BTreeSet::new(), BTreeSet::new());
    let mut unpublished = 0;
    for _ in 0..KILLS {
        let address = server.address.clone();
        let reader = tokio::spawn({
            let (client, address, seen) = (Arc::clone(&client), address.clone(), Arc::clone(&seen));
            async move { client.follow(&address, &seen, || false).await }
        });
        let name = json!({"name": "golden"});
        let call = |target, body| client.call(&address, &client.owner, Method::POST, target, Some(body));
        let image = call("/v2/images", &name).await.unwrap()["id"].as_str().unwrap().to_owned();
        let share = json!({"images": [image], "projects": ["recipient"]});
        let job =
            call("/v1/cloudimages/members", &share).await.unwrap()["job_id"].as_str().unwrap().to_owned();
        sleep(Duration::from_micros(random.u64(..MAX_PAUSE_US))).await;
        server.kill();
        reader.await.unwrap();
        expected.insert(format!("image.registered owner {image}"));
        for audience in ["owner", "recipient"] {
            expected.insert(format!("share.offered {audience} {image} recipient"));
        }
        expected.insert(format!("job.ended owner {job}"));
        unpublished += expected.iter().filter(|event| !seen.lock().unwrap().contains_key(*event)).count();
        images.insert(image);
        server = serve(directory.path()).await;
        // Changes are carried out in their order: the event of a later one says that those before it are done.
        let registered =
            client.call(&server.address, &client.owner, Method::POST, "/v2/images", Some(&name)).await;
        let later = format!("image.registered owner {}", registered.unwrap()["id"].as_str().unwrap());
        let is_done = || seen.lock().unwrap().contains_key(&later);
        let followed = timeout(TIMEOUT, client.follow(&server.address, &seen, is_done)).await;
        assert!(followed.is_ok() && is_done(), "{later} is missing, {seen:?}: {}", server.log());
        expected.insert(later);
    }
    let seen = seen.lock().unwrap().clone();
    for (event, ids) in &seen {
        assert!(expected.contains(event), "{event}");
        assert_eq!(ids.len(), 1, "{event} has the ids {ids:?}");
    }
    let unread = expected.iter().filter(|event| !seen.contains_key(*event)).count();
    let target = "/v1/messages?limit=100";
    let list = client.call(&server.address, &client.recipient, Method::GET, target, None).await.unwrap();
    let of_messages: Vec<_> =
        list["messages"].as_array().unwrap().iter().map(|message| &message["images"]).collect();
    let told: BTreeSet<_> =
        of_messages.iter().map(|images| images[0]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((of_messages.len(), told), (KILLS, images), "{list}");
    assert_eq!(list["unread_count"], KILLS, "{list}");
    print_notice(&format_args!(
        "{KILLS} kills, before which {unpublished} of {} events were not read, {unread} of them never",
        expected.len()
    ));
}
