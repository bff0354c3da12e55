//! A server whose disk fails or whose database is damaged or removed, and how its data is backed up: the real binary,
//! used as an operator does.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imageshare_tests::binaries::binary;
use imageshare_tests::notice::print_notice;
use imageshare_tests::server_process::ServerProcess;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Larger than what any other transaction writes.
const DESCRIPTION_BYTES: usize = 4_000;

/// A response: its status, its `Retry-After`, and its body.
struct HttpResponse {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl HttpResponse {
    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// Asserts the status.
    #[track_caller]
    fn expect_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
    }

    /// Asserts an error that the operator has to fix, with these words.
    #[track_caller]
    fn assert_error(&self, status: u16, words: &str) {
        assert_eq!((self.status, &self.retry_after), (status, &None), "{}", self.body);
        assert!(self.message().contains(words), "{}", self.body);
    }
}

/// A server with its own data directory, and a member of a project.
struct Fixture {
    server: ServerProcess,
    token: String,
    client: Client,
}

impl Fixture {
    async fn start(binary: &Path, data: &Path) -> Self {
        let server = ServerProcess::start(binary, &["--data", data.to_str().unwrap()]).await;
        let token = server.token("owner", "member");
        Self { server, token, client: Client::new() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> HttpResponse {
        let request = self.client.request(method, format!("http://{}{path}", self.server.address));
        let request = request.header("x-auth-token", &self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        HttpResponse {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap().to_owned()),
            body: response.json().await.unwrap_or_default(),
        }
    }

    async fn get(&self, path: &str) -> HttpResponse {
        self.send(Method::GET, path, None).await
    }

    async fn register(&self, name: &str) -> HttpResponse {
        let image = json!({"name": name, "description": "x".repeat(DESCRIPTION_BYTES)});
        self.send(Method::POST, "/v2/images", Some(image)).await
    }

    async fn register_images(&self, images: usize) {
        for number in 0..images {
            self.register(&format!("image-{number}")).await.expect_status(201);
        }
    }

    /// Reads the image of this name; `None` if there is none.
    async fn find_by_name(&self, name: &str) -> Option<Value> {
        let list = self.get(&format!("/v2/images?name={name}")).await;
        list.expect_status(200);
        list.body["images"].get(0).cloned()
    }
}

fn run_imageshare(arguments: &[&str]) -> Output {
    Command::new(binary("imageshare")).args(arguments).output().unwrap()
}

fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program that runs the server with a file size limit of 2 MB.
fn file_size_limited_binary(directory: &Path) -> PathBuf {
    let script = directory.join("confined");
    let server = binary("imageshare");
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 4096\nexec '{}' \"$@\"\n", server.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script
}

/// Overwrites a part of the database with items, not the part that locates them.
fn corrupt_database(data: &Path) {
    let file = fs::File::options().write(true).open(data.join("table.sqlite")).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages * 5 / 10..pages * 9 / 10 {
        file.write_all_at(&[0xAA; 4096], page * 4096).unwrap();
    }
}

fn data_directory() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    (parent, data)
}

#[tokio::test]
async fn full_disk_is_reported_and_data_stays_readable() {
    let (parent, data) = data_directory();
    let server = Fixture::start(&file_size_limited_binary(parent.path()), &data).await;
    let mut acknowledged = 0;
    let refused = loop {
        let response = server.register(&format!("image-{acknowledged}")).await;
        if response.status != 201 {
            break response;
        }
        acknowledged += 1;
        assert!(acknowledged < 2_000, "the disk takes everything");
    };
    refused.assert_error(500, "disk is failing");
    assert!(server.find_by_name("image-0").await.is_some());
    server.get("/health").await.assert_error(503, "disk");
    drop(server);
    let server = Fixture::start(&binary("imageshare"), &data).await;
    assert!(server.find_by_name(&format!("image-{}", acknowledged - 1)).await.is_some(), "acknowledged");
    assert_eq!((server.register("room again").await.status, server.get("/health").await.status), (201, 200));
}

/// A program that runs the server on a file system of 4 MB, of which a file `filler` takes 1 MB. The file system is
/// mounted over the data directory in a namespace of its own, and ends with it.
fn small_disk_binary(directory: &Path, data: &Path) -> PathBuf {
    let script = directory.join("small-disk");
    // It runs itself again inside the namespace.
    let text = format!(
        "#!/bin/sh
[ -n \"$INSIDE\" ] || INSIDE=yes exec unshare --user --map-root-user --mount \"$0\" \"$@\"
mount -t tmpfs -o size=4m,mode=700 tmpfs '{data}' || exit
head -c 1048576 /dev/zero > '{data}/filler'
exec '{server}' \"$@\"
",
        data = data.display(),
        server = binary("imageshare").display(),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script
}

/// Whether users of this machine may mount a file system in a namespace of their own. If not, that is printed; in CI
/// it is a failure.
fn can_mount(directory: &Path) -> bool {
    let mount = format!("mount -t tmpfs tmpfs '{}'", directory.display());
    let unshare =
        Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]).output();
    let reason = match unshare {
        Ok(output) if output.status.success() => return true,
        Ok(output) => stderr_text(&output),
        Err(reason) => reason.to_string(),
    };
    let notice =
        format!("the test of a full disk did not run, since it needs a namespace: {}", reason.trim());
    assert!(std::env::var_os("CI").is_none_or(|value| value.is_empty()), "{notice}");
    print_notice(&notice);
    false
}

#[tokio::test]
async fn full_file_system_is_reported_until_there_is_room() {
    let (parent, data) = data_directory();
    fs::create_dir(&data).unwrap();
    if !can_mount(&data) {
        return;
    }
    let path = data.to_str().unwrap();
    let server = ServerProcess::start(&small_disk_binary(parent.path(), &data), &["--data", path]).await;
    // The directory is opened through the server's own view of the file system.
    let copied = parent.path().join("keys");
    fs::create_dir(&copied).unwrap();
    server.run_signal_command(&format!("cp /proc/$0/root'{path}'/signing-keys.json '{}'", copied.display()));
    let token = run_imageshare(&["token", "--project", "owner", "--data", copied.to_str().unwrap()]);
    let token = String::from_utf8(token.stdout).unwrap().trim_end().to_owned();
    let server = Fixture { server, token, client: Client::new() };

    let mut acknowledged = 0;
    let refused = loop {
        let response = server.register(&format!("image-{acknowledged}")).await;
        if response.status != 201 {
            break response;
        }
        acknowledged += 1;
        assert!(acknowledged < 2_000, "the disk takes everything");
    };
    refused.assert_error(500, "disk is full");
    server.get("/health").await.assert_error(503, "The disk is full");
    // Reads work.
    server.get("/ready").await.expect_status(200);
    assert!(server.find_by_name(&format!("image-{}", acknowledged - 1)).await.is_some());

    server.server.run_signal_command(&format!("rm /proc/$0/root'{path}'/filler"));
    assert_eq!((server.register("room again").await.status, server.get("/health").await.status), (201, 200));
}

#[tokio::test]
async fn damaged_database_is_reported_and_fails_health_check() {
    let (_parent, data) = data_directory();
    let mut server = Fixture::start(&binary("imageshare"), &data).await;
    server.register_images(300).await;
    assert_eq!(server.server.terminate(), Some(0));
    corrupt_database(&data);
    let server = Fixture::start(&binary("imageshare"), &data).await;
    let mut refused = None;
    for number in 0..300 {
        let list = server.get(&format!("/v2/images?name=image-{number}")).await;
        if list.status != 200 {
            refused = Some(list);
            break;
        }
    }
    refused.expect("some images are unreadable").assert_error(500, "damaged");
    for path in ["/health", "/ready"] {
        server.get(path).await.assert_error(503, "damaged");
    }
    let found = run_imageshare(&["check", "--data", data.to_str().unwrap()]);
    assert!(!found.status.success() && stderr_text(&found).contains("is damaged"), "{}", stderr_text(&found));
    let mut waited = 0;
    while !server.server.log().contains("restore a backup") {
        waited += 1;
        assert!(waited < 600, "no integrity check: {}", server.server.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn server_rejects_writes_after_data_directory_is_removed() {
    let (_parent, data) = data_directory();
    let server = Fixture::start(&binary("imageshare"), &data).await;
    server.register_images(1).await;
    fs::remove_dir_all(&data).unwrap();
    server.register("lost").await.assert_error(500, "was removed");
    for path in ["/health", "/ready"] {
        server.get(path).await.assert_error(503, "was removed");
    }
}

#[tokio::test]
async fn startup_error_says_what_to_do() {
    let (_parent, data) = data_directory();
    let path = data.to_str().unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("table.sqlite"), "no database".repeat(1_000)).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", path];
    let refused = run_imageshare(&serve);
    assert!(!refused.status.success());
    assert!(
        stderr_text(&refused).contains(&format!("imageshare restore --from FILE --data {path}")),
        "{}",
        stderr_text(&refused)
    );

    fs::remove_file(data.join("table.sqlite")).unwrap();
    let _server = Fixture::start(&binary("imageshare"), &data).await;
    for file in fs::read_dir(&data).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
    let second = run_imageshare(&serve);
    assert!(
        !second.status.success() && stderr_text(&second).contains("in use by another"),
        "{}",
        stderr_text(&second)
    );
}

#[tokio::test]
async fn backup_under_load_restores_all_acknowledged_writes() {
    let (parent, data) = data_directory();
    let server = Fixture::start(&binary("imageshare"), &data).await;
    server.register_images(50).await;
    let (backup, restored) = (parent.path().join("backup"), parent.path().join("restored"));
    let texts = [&data, &backup, &restored].map(|path| path.to_str().unwrap().to_owned());
    let [data, backup, restored] = texts.each_ref().map(String::as_str);
    let arguments = ["backup", "--data", data, "--to", backup].map(str::to_owned);
    let backing_up =
        tokio::task::spawn_blocking(move || run_imageshare(&arguments.each_ref().map(String::as_str)));
    let mut during = 0;
    while !backing_up.is_finished() {
        server.register(&format!("during-{during}")).await.expect_status(201);
        during += 1;
    }
    let made = backing_up.await.unwrap();
    assert!(made.status.success(), "{}", stderr_text(&made));
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run_imageshare(&["backup", "--data", data, "--to", backup]);
    assert!(
        !again.status.success() && stderr_text(&again).contains("a backup replaces nothing"),
        "{}",
        stderr_text(&again)
    );
    let over = run_imageshare(&["restore", "--from", backup, "--data", data]);
    assert!(!over.status.success() && stderr_text(&over).contains("in use"), "{}", stderr_text(&over));

    let done = run_imageshare(&["restore", "--from", backup, "--data", restored]);
    assert!(done.status.success(), "{}", stderr_text(&done));
    let checked = run_imageshare(&["check", "--data", restored]);
    let output = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success() && output.contains("is sound") && output.contains("layout 1"),
        "{output}"
    );
    let copy = Fixture::start(&binary("imageshare"), Path::new(restored)).await;
    // The keys are in the backup, so a token of the first server is valid for the second.
    let copy = Fixture { token: server.token.clone(), ..copy };
    for number in 0..50 {
        assert!(copy.find_by_name(&format!("image-{number}")).await.is_some(), "{number}");
    }
    // Of what was written during the backup, everything up to some moment is in it.
    let mut is_in = Vec::new();
    for number in 0..during {
        is_in.push(copy.find_by_name(&format!("during-{number}")).await.is_some());
    }
    assert!(is_in.is_sorted_by(|before, after| before >= after), "{is_in:?}");
}
