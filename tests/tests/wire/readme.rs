//! Runs the commands of the documents as they are written, and checks the README's size and its table of clients.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;

/// The pages whose `sh` blocks are run, in order, in one shell.
const EXECUTED: &[&str] = &[
    "README.md",
    "shared/src/facade/registry/GUIDE.md",
    "shared/src/facade/messages/GUIDE.md",
    "shared/src/facade/share_rules/GUIDE.md",
    "shared/src/auth/CREDENTIALS.md",
    "functions/console/CONSOLE.md",
    "functions/image-events/EVENTS.md",
    "infra/local/OPERATING.md",
];

/// The pages whose `sh` blocks are not run, with the reason.
const NOT_EXECUTED: &[(&str, &str)] = &[
    ("infra/aws/README.md", "changes an account of AWS"),
    ("infra/aws/docs/alarms.md", "a test of the module checks its commands, which need AWS"),
    ("infra/aws/docs/limits.md", "a test of the module checks its commands, which need AWS"),
    ("infra/aws/docs/operating.md", "a test of the module checks its commands, which need AWS"),
    ("infra/aws/docs/regions.md", "a test of the module checks its commands, which need AWS"),
    ("infra/local/SPEED.md", "runs the benchmark"),
    ("infra/provider/README.md", "needs Terraform; the tests of the provider run its examples"),
    ("shared/contract/recipes.md", "recordings of clients, which the tests of clients run"),
    ("tests/README.md", "runs the tests"),
    ("tests/fuzz/README.md", "runs for hours, and needs cargo-fuzz"),
];

/// The README's maximum number of lines.
const MAX_README_LINES: usize = 180;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|problem| panic!("{path}: {problem}"))
}

/// The `sh` blocks of a page.
fn sh_blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
}

/// The commands of all executed pages, with this server and binary in place of the reader's own.
fn documented_commands(address: &str, imageshare: &Path) -> String {
    let pages = EXECUTED.iter().map(|path| {
        let page = page(path);
        let blocks = sh_blocks(&page);
        assert!(!blocks.is_empty(), "{path} has no sh block");
        blocks.concat()
    });
    let commands: String = pages.collect();
    let (first, rest) =
        commands.split_once("imageshare() { ./target/release/imageshare \"$@\"; }\n").expect("the set-up");
    assert_eq!(first, "U=http://127.0.0.1:8080\n");
    let imageshare = imageshare.display();
    format!("U=http://{address}\nimageshare() {{ {imageshare} \"$@\"; }}\n{rest}")
}

/// Runs a script in a directory. Its tokens are made for ./imageshare-data there.
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
    let script = format!("set -eu -o pipefail\n{}", documented_commands(&server.address, &imageshare));
    let (done, out, errors) = run_script(script, directory.path()).await;
    assert!(done, "{out}\n{errors}\n{}", server.log());
    for expected in [
        "\"name\":\"golden-2026-11\"",
        "\"status\":\"SUCCESS\"",
        "\"status\":\"accepted\"",
        "\"job_id\"",
        "\"name\":\"nightly-1\"",
        "3 tenants imported: 3 new",
        "\"project_id\":\"shop-project\"",
        "\"grant\":{\"key_id\":\"key-1\"",
        "\"image_name\":\"sealed\"",
        "\"reserved_gib\":140",
        "\tenabled\tmember\t",
        "./restored is sound",
    ] {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
}

#[tokio::test]
async fn readme_tour_reports_errors_and_stops() {
    let imageshare = binary("imageshare");
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = directory.path().join("imageshare-data");
    let mut server = ServerProcess::start(&imageshare, &["--data", data.to_str().unwrap()]).await;
    let script = documented_commands(&server.address, &imageshare);
    let (_, _, errors) = run_script(script.clone(), elsewhere.path()).await;
    assert!(errors.contains("there is no signing key in imageshare-data"), "{errors}");
    assert!(errors.contains("the call failed: {\"error\":") && errors.contains("No token"), "{errors}");
    server.terminate();
    let (_, _, errors) = run_script(script, directory.path()).await;
    assert!(errors.contains("curl: (7)") && errors.contains("no server answers at"), "{errors}");
}

/// The oldest and newest versions of each client in the table are those that the tests install.
#[test]
fn readme_client_table_matches_installed_versions() {
    let readme = page("README.md");
    let files = ["tests/clients/oldest.txt", "tests/clients/requirements.txt"].map(page);
    for client in [
        "python-glanceclient",
        "openstacksdk",
        "python-openstackclient",
        "huaweicloudsdkims",
        "alibabacloud-ecd20200930",
        "alibabacloud-ecs20140526",
        "aliyun-python-sdk-core",
    ] {
        let version = |file: &String| {
            let version = file.lines().find_map(|line| line.strip_prefix(client)?.strip_prefix("=="));
            version.unwrap().to_owned()
        };
        let [oldest, newest] = files.each_ref().map(version);
        let named = format!("{client} {oldest}, {newest}");
        assert!(readme.contains(&named), "{named}");
    }
}

/// The paths of all Markdown pages, relative to the root of the repository.
fn pages() -> BTreeSet<String> {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_skipped = ["target", ".git", "imageshare-data"].contains(&name);
            if path.is_dir() && !is_skipped {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&root(), &mut found);
    found
}

#[test]
fn every_page_with_commands_is_run_or_listed_with_a_reason() {
    let listed: BTreeSet<_> =
        EXECUTED.iter().chain(NOT_EXECUTED.iter().map(|(path, _)| path)).copied().collect();
    let pages = pages();
    let with_commands: BTreeSet<_> =
        pages.iter().map(String::as_str).filter(|path| !sh_blocks(&page(path)).is_empty()).collect();
    let unlisted: Vec<_> = with_commands.difference(&listed).collect();
    assert!(with_commands.contains("README.md") && unlisted.is_empty(), "run or list: {unlisted:?}");
}

/// The rows of the first table after a heading, cell by cell, without the head and without comment marks.
fn table_rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, after) = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let lines = after.lines().map(|line| line.trim_start_matches("//!").trim());
    let rows = lines.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// `I# M#` of a partition key `I#<image>` and a sort key `M#<tenant>`: their prefixes, without the ids.
fn key_prefix(partition_key: &str, sort_key: &str) -> String {
    let literal = |cell: &str| {
        let quoted = cell.split('`').nth(1).unwrap_or_default();
        quoted.split('<').next().unwrap_or_default().to_owned()
    };
    format!("{} {}", literal(partition_key), literal(sort_key)).trim().to_owned()
}

#[test]
fn architecture_page_has_every_item_kind() {
    let (keys, architecture) = (page("shared/src/store/keys.rs"), page("shared/ARCHITECTURE.md"));
    let built: BTreeSet<_> = table_rows(&keys, "").iter().map(|row| key_prefix(row[1], row[2])).collect();
    let described = table_rows(&architecture, "## The life of each item");
    let described: BTreeSet<_> = described.iter().map(|row| row[1].trim_matches('`').to_owned()).collect();
    assert!(built.len() >= 16, "{built:?}");
    assert_eq!(built, described);
}

#[test]
fn readme_fits_its_line_limit() {
    let lines = page("README.md").lines().count();
    assert!(lines <= MAX_README_LINES, "{lines} lines");
}
