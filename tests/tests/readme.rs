//! The README's five minutes, its sharing by names and its keys and vaults, run as they stand there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;

use imageshare_tests::binaries::binary;
use imageshare_tests::server::Server;

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_five_minutes_work_as_they_are_written() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("imageshare-data");
    let server = Server::start(&imageshare, &["--data", data.to_str().unwrap()]).await;
    let mut examples = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end"));
    let (tour, names) = (examples.next().expect("the tour"), examples.next().expect("sharing by names"));
    let rules = examples.next().expect("keys and vaults");
    // The reader's server and binary stand elsewhere.
    let (first, rest) =
        tour.split_once("imageshare() { ./target/release/imageshare \"$@\"; }\n").expect("the set-up");
    assert_eq!(first, "U=http://127.0.0.1:8080\n");
    let (address, imageshare) = (&server.address, imageshare.display());
    let script = format!(
        "set -eu -o pipefail\nU=http://{address}\nimageshare() {{ {imageshare} \"$@\"; }}\n{rest}{names}{rules}"
    );
    let script = tokio::task::spawn_blocking(move || {
        // The directory of the data is the reader's own: tokens are made for ./imageshare-data.
        Command::new("bash")
            .args(["-c", &script])
            .current_dir(directory.path())
            .output()
            .map(|done| (done, directory))
    });
    let (done, _directory) = script.await.unwrap().expect("bash");
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{errors}\n{}", server.log());
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
