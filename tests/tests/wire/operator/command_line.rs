//! The command line besides serving: tokens, access keys of other deployments, settings in a file, help and version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use serde_json::json;

use super::wait_for_line;

fn run_cli(arguments: &[&str], environment: &[(&str, &str)], directory: &Path) -> (bool, String, String) {
    let mut command = Command::new(binary("imageshare"));
    command.args(arguments).env_remove("IMAGESHARE_TOKEN").envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.current_dir(directory).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

#[test]
fn token_creation_needs_a_signing_key() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["token", "--project", "own1", "--data", "wrong"];
    let (done, printed, stderr) = run_cli(&arguments, &[], directory.path());
    assert!(!done && printed.is_empty(), "{printed}");
    assert!(
        stderr.contains("there is no signing key in wrong: name the running server's directory"),
        "{stderr}"
    );
    assert!(!directory.path().join("wrong").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn access_keys_are_created_with_a_project_token() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let (address, directory) = (format!("http://{}", server.address), tempfile::tempdir().unwrap());
    let (own, other) = (server.token("own1", "member"), server.token("own2", "admin"));
    let run = |arguments: &[&str], token: &str, server: &str| {
        let place = ["--project", "own1", "--server", server];
        run_cli(
            &[&["access-key"], arguments, &place].concat(),
            &[("IMAGESHARE_TOKEN", token)],
            directory.path(),
        )
    };
    let (done, printed, stderr) = run(&["create", "--name", "ci"], &own, &address);
    assert!(done && printed.starts_with("id="), "{stderr}");
    let id = printed.lines().next().unwrap().strip_prefix("id=").unwrap();
    assert!(run(&["list"], &own, &address).1.starts_with(&format!("{id}\tenabled\tmember\t")));
    assert!(run(&["disable", id], &own, &address).0);

    for (arguments, token, server, expected) in [
        (&["create"][..], other.as_str(), address.as_str(), "does not act for project own1"),
        (
            &["create", "--user", "me"],
            &own,
            &address,
            "--account and --user go into a token that is made here",
        ),
        (&["list"], "e30.e30.forged", &address, "the server refuses the token in IMAGESHARE_TOKEN"),
        (&["list"], "token", "http://images.example", "is sent over https:// only"),
        (&["list"], "", "https://images.example", "put a token in IMAGESHARE_TOKEN"),
    ] {
        let (done, _, stderr) = run(arguments, token, server);
        assert!(!done && stderr.contains(expected), "{stderr}");
    }
    let (_, keys, _) = run(&["list"], &own, &address);
    assert_eq!(keys.lines().count(), 1, "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_has_the_server_and_its_credential() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let (address, directory) = (format!("http://{}", server.address), tempfile::tempdir().unwrap());
    let (token, admin) = (server.token("own1", "member"), server.token("ops", "admin"));
    let with_token = |project: &'static str, role: &'static str, token: &str| {
        let place = ["--project", project, "--server", &address];
        let create = ["access-key", "create", "--role", role];
        let (done, printed, stderr) =
            run_cli(&[&create[..], &place].concat(), &[("IMAGESHARE_TOKEN", token)], directory.path());
        assert!(done, "{stderr}");
        let mut values = printed.lines().map(|line| line.split_once('=').unwrap().1.to_owned());
        (values.next().unwrap(), values.next().unwrap())
    };
    let (id, secret) = with_token("ops", "admin", &admin);
    let endpoint = format!("endpoint = {address:?}\n");
    let text = format!(
        "[default]\n{endpoint}token = \"hush\"\n\n[own1]\n{endpoint}token = {token:?}\n\n[admin]\n{endpoint}access_key_id = {id:?}\n\
         secret_access_key = {secret:?}\n\n[bad]\n{endpoint}access_key_id = {id:?}\nsecret_access_key = \"hush-hush\"\n"
    );
    let file = directory.path().join("credentials.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    let run =
        |arguments: &[&str]| run_cli(arguments, &[("IMAGESHARE_CREDENTIALS_FILE", file)], directory.path());
    // A token, and an access key, for which the service issues one.
    let (done, _, stderr) = run(&["access-key", "list", "--project", "own1", "--profile", "own1"]);
    assert!(done, "{stderr}");
    let (done, printed, stderr) = run(&["tenants", "list", "--profile", "admin"]);
    assert!(done && printed.is_empty(), "{printed}{stderr}");
    assert!(run(&["events", "--profile", "admin"]).0);

    for (arguments, expected) in [
        (
            &["tenants", "list", "--profile", "none"][..],
            "there is no profile none: expected one of admin, bad, default, own1",
        ),
        (
            &["tenants", "list", "--profile", "default"],
            "the server refuses the credential of profile default",
        ),
        (&["tenants", "list", "--profile", "bad"], "the server refuses the credential of profile bad"),
        (
            &["access-key", "list", "--project", "own2", "--profile", "own1"],
            "the credential of profile own1 does not act for project own2",
        ),
        (&["tenants", "list", "--profile", "own1", "--server", &address], "cannot be used with"),
    ] {
        let (done, _, stderr) = run(arguments);
        assert!(!done && stderr.contains(expected) && !stderr.contains("hush"), "{stderr}");
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let (done, _, stderr) = run(&["tenants", "list", "--profile", "admin"]);
    assert!(!done && stderr.contains("others can read it"), "{stderr}");
}

#[tokio::test]
async fn server_is_configured_by_file_variable_and_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("imageshare.toml");
    let data = directory.path().join("data");
    let settings = format!("data = {data:?}\nregion = \"file\"\nlimit = [\"images-per-tenant=3\"]\n");
    fs::write(&file, settings).unwrap();
    let arguments = ["--config", file.to_str().unwrap(), "--limit", "images-per-tenant=5"];
    let variables = vec![("IMAGESHARE_REGION", "variable".to_owned())];
    let server = ServerProcess::start_with_env(&binary("imageshare"), &arguments, variables).await;
    let started = wait_for_line(&server, "started", &[("region", json!("variable"))]).await;
    assert!(started["limits"].as_str().unwrap().contains("images-per-tenant=5,"), "{started}");
    assert_eq!(started["data"], data.to_str().unwrap());
    drop(server);

    fs::write(&file, "colour = \"red\"\n").unwrap();
    let (done, _, stderr) = run_cli(&["--config", "imageshare.toml"], &[], directory.path());
    assert!(
        !done && stderr.contains("imageshare.toml: unknown setting colour: expected one of listen,"),
        "{stderr}"
    );
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let directory = tempfile::tempdir().unwrap();
    let (done, script, _) = run_cli(&["completions", "bash"], &[], directory.path());
    assert!(done && script.contains("access-key"));
    let (done, page, _) = run_cli(&["man", "serve"], &[], directory.path());
    assert!(done && page.contains("IMAGESHARE\\_LISTEN") | page.contains("IMAGESHARE_LISTEN"), "{page}");
    let (done, _, stderr) = run_cli(&["man", "nothing"], &[], directory.path());
    assert!(
        !done && stderr == "imageshare: there is no command nothing; see imageshare --help\n",
        "{stderr}"
    );
}
