//! `imageshare tenants`: a directory imported from files, listed and exported, over the API of a running server.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::stalling_proxy::StallingProxy;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, and a directory with its data and the files to import.
struct Fixture {
    server: ServerProcess,
    directory: TempDir,
}

/// The result of a command.
#[derive(Debug)]
struct CommandOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Fixture {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let server = ServerProcess::start(&binary("imageshare"), &["--data", data.to_str().unwrap()]).await;
        Self { server, directory }
    }

    fn command(&self, address: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("imageshare"));
        command.arg("tenants").args(arguments).args(["--server", &format!("http://{address}")]);
        command.args(["--data", "data"]).current_dir(self.directory.path()).env_remove("IMAGESHARE_TOKEN");
        command
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        run_command(self.command(&self.server.address, arguments)).await
    }

    async fn import_file(&self, name: &str, text: impl AsRef<[u8]>) -> CommandOutput {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self.run(&["import", name]).await
    }

    /// The whole directory, one line per tenant, with spaces for tabs.
    async fn list_tenants(&self) -> Vec<String> {
        let list = self.run(&["list"]).await;
        assert_eq!(list.code, Some(0), "{list:?}");
        list.stdout.lines().map(|line| line.replace('\t', " ")).collect()
    }

    /// Asserts that the file is rejected for these reasons, and that nothing was written.
    async fn expect_import_rejected(&self, name: &str, text: impl AsRef<[u8]>, reasons: &[&str]) {
        let before = self.list_tenants().await;
        let refused = self.import_file(name, text).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        let lines: Vec<_> = refused.stderr.lines().collect();
        let (last, lines) = lines.split_last().unwrap();
        assert!(last.starts_with("imageshare: nothing was imported: "), "{refused:?}");
        assert_eq!(lines.len(), reasons.len(), "{refused:?}");
        for (lines, reason) in lines.iter().zip(reasons) {
            assert!(lines.starts_with(&format!("{name}:{reason}")), "{reason}: {lines}");
        }
        assert_eq!(self.list_tenants().await, before);
    }
}

async fn run_command(mut command: Command) -> CommandOutput {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    CommandOutput { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A file of this many tenants of one account.
fn csv_with_tenants(count: usize) -> String {
    let mut file = "project_id,account,project\n".to_owned();
    for number in 0..count {
        writeln!(file, "t{number:04},acme,web {number}").unwrap();
    }
    file
}

#[tokio::test]
async fn csv_file_is_imported_changed_and_exported() {
    let world = Fixture::start().await;
    let file = "\u{feff}account,region,project_id,project\r\n\"Acme, Inc.\",,own1,\"say \"\"hi\"\"\"\r\n\r\nSöhne,eu-nl,own2,web\r\n";
    let done = world.import_file("a.csv", file).await;
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "2 tenants imported: 2 new, 0 changed, 0 as they were\n")
    );
    assert_eq!(world.list_tenants().await, ["own1 Acme, Inc. say \"hi\" local", "own2 Söhne web eu-nl"]);

    let exported = world.run(&["list", "--format", "csv"]).await.stdout;
    assert!(
        exported.starts_with(
            "project_id,account,project,region,organization,cloud_account\nown1,\"Acme, Inc.\","
        ),
        "{exported}"
    );
    let again = world.import_file("exported.csv", &exported).await;
    assert_eq!(again.stdout, "2 tenants imported: 0 new, 0 changed, 2 as they were\n");
    let changed =
        world.import_file("changed.csv", exported.replace("eu-nl", "local") + "own3,a,b,local,,\n").await;
    assert_eq!(changed.stdout, "3 tenants imported: 1 new, 1 changed, 1 as they were\n");

    assert_eq!(world.run(&["show", "own2"]).await.stdout, "own2\tSöhne\tweb\tlocal\n");
    assert_eq!(world.run(&["delete", "own2"]).await.code, Some(0));
    let gone = world.run(&["show", "own2"]).await;
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(1), ""));
    assert!(gone.stderr.contains("Tenant own2 is not in the directory"), "{gone:?}");
}

#[tokio::test]
async fn json_file_is_imported_and_exported() {
    let world = Fixture::start().await;
    let file = r#"[ {"project_id": "own1", "account": "a\u00e9", "project": "web"},
        {"project_id": "own2", "account": "b", "project": "web", "region": "eu-nl"}, {"project_id": "own3",
        "account": "c", "project": "web", "region": null} ]"#;
    assert_eq!(world.import_file("a.json", file).await.code, Some(0));
    assert_eq!(world.list_tenants().await, ["own1 aé web local", "own2 b web eu-nl", "own3 c web local"]);
    let exported = world.run(&["list", "--format", "json"]).await.stdout;
    let tenants: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(
        tenants[1],
        json!({"project_id": "own2", "account": "b", "project": "web", "region": "eu-nl"})
    );
    for (name, text) in [("again.json", exported), ("page.json", json!({"tenants": tenants}).to_string())] {
        let again = world.import_file(name, text).await;
        assert_eq!(again.stdout, "3 tenants imported: 0 new, 0 changed, 3 as they were\n", "{again:?}");
    }
}

#[tokio::test]
async fn organization_and_cloud_account_are_imported_and_exported() {
    let world = Fixture::start().await;
    let header = "project_id,account,project,organization,cloud_account\n";
    let file =
        format!("{header}own1,acme,web,acme-group,123456789012\nown2,acme,shop,acme-group,\nown3,b,c,,\n");
    assert_eq!(world.import_file("a.csv", file).await.code, Some(0));
    let listed =
        ["own1 acme web local acme-group 123456789012", "own2 acme shop local acme-group ", "own3 b c local"];
    assert_eq!(world.list_tenants().await, listed);
    for format in ["csv", "json"] {
        let exported = world.run(&["list", "--format", format]).await.stdout;
        let again = world.import_file(&format!("again.{format}"), exported).await;
        assert_eq!(again.stdout, "3 tenants imported: 0 new, 0 changed, 3 as they were\n", "{again:?}");
    }
    let taken = format!("{header}own2,acme,shop,,123456789012\n");
    world
        .expect_import_rejected(
            "taken.csv",
            taken,
            &["2: cloud_account: belongs to tenant own1, which keeps it"],
        )
        .await;
    let bad = format!("{header}own2,acme,shop,a b,1234\n");
    let reasons = ["2: organization: expected 1 to 64", "2: cloud_account: expected 12 digits"];
    world.expect_import_rejected("bad.csv", bad, &reasons).await;
    let moved = format!("{header}own1,acme,web,,\nown2,acme,shop,,123456789012\n");
    assert_eq!(world.import_file("moved.csv", moved).await.code, Some(0));
    assert_eq!(world.run(&["show", "own2"]).await.stdout, "own2\tacme\tshop\tlocal\t\t123456789012\n");
}

#[tokio::test]
async fn import_with_bad_lines_is_rejected_and_lists_each_line() {
    let world = Fixture::start().await;
    assert_eq!(
        world.import_file("own.csv", "project_id,account,project\nown1,acme,web\n").await.code,
        Some(0)
    );
    let header = "project_id,account,project,region\n";
    let rows = [
        "own2,acme,shop,",
        "a b,acme,x,",
        "own3,,y,eu de",
        "own4,acme",
        "own2,acme,z,",
        "own5,acme,shop,",
        "own6,\" acme\",\"a\nb\",",
        "own7,acme,web,",
    ];
    let reasons = [
        "3: project_id: expected 1 to 64 characters of A-Z",
        "4: account: expected 1 to 64 characters, none",
        "4: region: expected 1 to 64 characters of A-Z",
        "5: expected 4 fields, not 2",
        "6: project_id: already in line 2",
        "7: account, project: already in line 2",
        "8: account: expected 1 to 64 characters, none",
        "8: project: expected 1 to 64 characters, none",
    ];
    world.expect_import_rejected("bad.csv", header.to_owned() + &rows.join("\n"), &reasons).await;
    // Errors that only the directory can find are reported once the file itself is valid.
    let taken = "2: account, project: belong to tenant own1, which keeps them";
    world
        .expect_import_rejected("taken.csv", format!("{header}own7,acme,web,\nown8,acme,shop,\n"), &[taken])
        .await;
    let late = format!("{header}own7,acme,web,\nown1,acme,old,\n");
    let given_up_later = "2: account, project: belong to tenant own1, until line 3: put that line first";
    world.expect_import_rejected("late.csv", late, &[given_up_later]).await;
    let renamed = world.import_file("renamed.csv", format!("{header}own1,acme,old,\nown7,acme,web,\n")).await;
    assert_eq!(renamed.stdout, "2 tenants imported: 1 new, 1 changed, 0 as they were\n", "{renamed:?}");

    for (name, text, reason) in [
        ("empty.csv", &b""[..], "1: expected the columns project_id"),
        (
            "semicolons.csv",
            b"project_id;account;project\na;b;c\n",
            "1: project_id;account;project: expected the",
        ),
        ("typo.csv", b"project_id,account,project,regoin\n", "1: regoin: expected the columns"),
        ("twice.csv", b"project_id,account,project,project\n", "1: expected the columns"),
        ("latin.csv", b"project_id,account,project\nown9,K\xe4se,web\n", "2: expected UTF-8"),
        ("crlf.csv", b"project_id,account,project\r\nown8,a,b\r\na b,a,c\r\n", "3: project_id: expected"),
        ("blank.csv", b"\n\nproject_id,account,project\n\n\na b,a,c\n", "6: project_id: expected"),
        (
            "windows.csv",
            b"\xef\xbb\xbfproject_id,account,project\r\n\r\nown8,a,\"b\"\r\n\r\nown8,a,c\r\n",
            "5: project_id: already in line 3",
        ),
        ("empty.json", b"", "1: EOF"),
        ("half.json", b"[\n{\"project_id\": \"own9\",", "2: EOF"),
        ("text.json", b"\"tenants\"", "1: invalid type"),
        ("array.json", b"[\n\n7]", "3: expected an object with project_id"),
        (
            "typo.json",
            b"[\n{\"project_id\":\"a\",\"account\":\"b\",\"project\":\"c\",\"d\":1}]",
            "2: d: expected only",
        ),
        ("twice.json", b"[{\"project_id\":\"a\",\"project_id\":\"b\"}]", "1: a member is given twice"),
        (
            "number.json",
            b"[{\"project_id\":\"a\",\"account\":7,\"project\":\"c\"}]",
            "1: account: expected 1 to",
        ),
    ] {
        world.expect_import_rejected(name, text, &[reason]).await;
    }
    for (name, lines) in
        [("missing.csv", "cannot read missing.csv"), ("tenants.txt", "--format csv or --format")]
    {
        let refused = world.run(&["import", name]).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(lines), "{refused:?}");
    }
}

#[tokio::test]
async fn killed_import_is_completed_by_a_second_run() {
    let world = Fixture::start().await;
    std::fs::write(world.directory.path().join("many.csv"), csv_with_tenants(1000)).unwrap();
    let relay = StallingProxy::start(&world.server.address, "PUT", 300).await;
    let mut command = world.command(&relay.address(), &["import", "many.csv"]);
    let mut import = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    relay.wait_until_stalled().await;
    import.kill().unwrap();
    import.wait().unwrap();
    assert_eq!(world.list_tenants().await.len(), 300);

    let again = world.run(&["import", "many.csv"]).await;
    assert_eq!(again.stdout, "1000 tenants imported: 700 new, 0 changed, 300 as they were\n", "{again:?}");
    let (first, rest) = again.stderr.split_once('\n').unwrap();
    assert_eq!(first, "1000 tenants checked, writing");
    assert!(rest.lines().all(|line| line.ends_with(" of 1000 tenants written")), "{again:?}");
    assert_eq!(world.list_tenants().await.len(), 1000);
}

#[tokio::test]
async fn interrupted_import_reports_what_was_written() {
    let world = Fixture::start().await;
    std::fs::write(world.directory.path().join("many.csv"), csv_with_tenants(10)).unwrap();
    // The names of the fifth line are taken after they were checked.
    let relay = StallingProxy::start(&world.server.address, "PUT", 4).await;
    let held = run_command(world.command(&relay.address(), &["import", "many.csv"]));
    let held = tokio::spawn(held);
    relay.wait_until_stalled().await;
    let taken = world.import_file("taken.csv", "project_id,account,project\nother,acme,web 4\n").await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    drop(relay);
    let broken = held.await.unwrap();
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(
        broken.stderr.contains("line 6: ") && broken.stderr.contains("4 of 10 tenants were written"),
        "{broken:?}"
    );
    let name = "many.csv:6: account, project: belong to tenant other, which keeps them";
    let again = world.run(&["import", "many.csv"]).await;
    assert!(again.code == Some(1) && again.stderr.starts_with(name), "{again:?}");
    assert_eq!(world.list_tenants().await.len(), 5);
}

#[tokio::test]
async fn token_from_environment_overrides_the_local_key() {
    let world = Fixture::start().await;
    let list = |token: &str, server: &str| {
        let mut command = world.command(&world.server.address, &["list"]);
        command.env("IMAGESHARE_TOKEN", token);
        if !server.is_empty() {
            command = Command::new(binary("imageshare"));
            command.args(["tenants", "list", "--server", server]).env("IMAGESHARE_TOKEN", token);
        }
        run_command(command)
    };
    assert_eq!(list(&world.server.token("ops", "admin"), "").await.code, Some(0));
    for (token, server, lines) in [
        (world.server.token("ops", "member").as_str(), "", "Only the role admin may do this"),
        ("e30.e30.forged", "", "the server refuses the token in IMAGESHARE_TOKEN"),
        ("e30.e30.x", "http://images.example", "is sent over https:// only"),
        ("", "https://images.example", "put a token in IMAGESHARE_TOKEN"),
        ("e30.e30.x", "http://127.0.0.1:9", "no server answers at http://127.0.0.1:9"),
    ] {
        let refused = list(token, server).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains(lines), "{lines}: {refused:?}");
    }
}
