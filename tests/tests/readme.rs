//! The README's five minutes, its sharing by names and its keys and vaults, run as they stand there.

use std::path::Path;
use std::process::Command;

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;

const README: &str = include_str!("../../README.md");

/// What the reader runs, up to its rules, with that server and binary in place of the reader's own.
fn readme_script(address: &str, imageshare: &Path) -> String {
    let mut examples = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end"));
    let (tour, names) = (examples.next().expect("the tour"), examples.next().expect("sharing by names"));
    let rules = examples.next().expect("keys and vaults");
    let (first, rest) =
        tour.split_once("imageshare() { ./target/release/imageshare \"$@\"; }\n").expect("the set-up");
    assert_eq!(first, "U=http://127.0.0.1:8080\n");
    let imageshare = imageshare.display();
    format!("U=http://{address}\nimageshare() {{ {imageshare} \"$@\"; }}\n{rest}{names}{rules}")
}

/// Runs a script in that directory. The tokens are made for ./imageshare-data there.
async fn run_script(script: String, directory: &Path) -> (bool, String, String) {
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(directory);
    let done = tokio::task::spawn_blocking(move || bash.output()).await.unwrap().expect("bash");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), text(&done.stdout), text(&done.stderr))
}

#[tokio::test]
async fn readme_tour_works_as_written() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("imageshare-data");
    let server = ServerProcess::start(&imageshare, &["--data", data.to_str().unwrap()]).await;
    let script = format!("set -eu -o pipefail\n{}", readme_script(&server.address, &imageshare));
    let (done, out, errors) = run_script(script, directory.path()).await;
    assert!(done, "{out}\n{errors}\n{}", server.log());
    for wanted in [
        "\"name\":\"golden-2026-11\"",
        "\"status\":\"SUCCESS\"",
        "\"status\":\"accepted\"",
        "\"job_id\"",
        "3 tenants imported: 3 new",
        "\"project_id\":\"shop-project\"",
        "\"grant\":{\"key_id\":\"key-1\"",
        "\"image_name\":\"sealed\"",
        "\"reserved_gib\":140",
    ] {
        assert!(out.contains(wanted), "{wanted} is missing in {out}");
    }
}

#[tokio::test]
async fn readme_tour_reports_errors_and_stops() {
    let imageshare = binary("imageshare");
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = directory.path().join("imageshare-data");
    let mut server = ServerProcess::start(&imageshare, &["--data", data.to_str().unwrap()]).await;
    let script = readme_script(&server.address, &imageshare);
    let (_, _, errors) = run_script(script.clone(), elsewhere.path()).await;
    assert!(errors.contains("there is no signing key in imageshare-data"), "{errors}");
    assert!(errors.contains("the call failed: {\"error\":") && errors.contains("No token"), "{errors}");
    server.terminate();
    let (_, _, errors) = run_script(script, directory.path()).await;
    assert!(errors.contains("curl: (7)") && errors.contains("no server answers at"), "{errors}");
}

/// The oldest and the newest version of each client in the table are those that the tests install.
#[test]
fn readme_client_table_matches_installed_versions() {
    const README: &str = include_str!("../../README.md");
    let files = [include_str!("../clients/oldest.txt"), include_str!("../clients/requirements.txt")];
    for client in [
        "python-glanceclient",
        "openstacksdk",
        "python-openstackclient",
        "huaweicloudsdkims",
        "alibabacloud-ecd20200930",
        "alibabacloud-ecs20140526",
        "aliyun-python-sdk-core",
    ] {
        let version = |file: &'static str| {
            file.lines().find_map(|line| line.strip_prefix(client)?.strip_prefix("==")).unwrap()
        };
        let [oldest, newest] = files.map(version);
        let named = format!("{client} {oldest}, {newest}");
        assert!(README.contains(&named), "{named}");
    }
}
