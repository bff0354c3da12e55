//! The pages for operators: they explain every alarm of the module, and the AWS CLI accepts every command that they show.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use imageshare_tests::aws::{SetupError, available};
use imageshare_tests::http_server::HttpServer;
use imageshare_tests::python;
use tokio::process::Command;

use super::{target, tests, workspace};

/// Replaces the programs of the commands: the AWS CLI checks its arguments and sends its request to a server that answers each with an
/// empty object, and the others do nothing.
const STAND_INS: &str = r#"
set -eu -o pipefail
aws() { command aws "$@" --endpoint-url "$SINK" || { echo "aws $*" >&2; return 1; }; }
terraform() { echo value; }
openssl() { echo value; }
sleep() { :; }
for program in check-deployment.py redrive.py; do
  echo '#!/bin/sh' > $program
  chmod +x $program
done
"#;

/// The pages of `infra/aws/docs`, by name.
fn pages() -> BTreeMap<String, String> {
    let folder = workspace().join("infra/aws/docs");
    let pages = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The alarms of the module with their descriptions, `FUNCTION` in place of a function's name.
fn alarms(source: &str) -> BTreeMap<String, String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    pairs
        .filter_map(|(line, next)| {
            let description = next.strip_prefix("description =")?.trim().trim_matches('"');
            let name = match line.split_once(" => {") {
                Some((key, _)) => key.rsplit_once('"')?.0.rsplit_once('"')?.1.replace("${name}", "FUNCTION"),
                None => line.strip_suffix(" = {")?.to_owned(),
            };
            Some((name, description.replace("${name}", "FUNCTION")))
        })
        .collect()
}

#[test]
fn alarms_page_explains_every_alarm() {
    let alarms = alarms(&fs::read_to_string(workspace().join("infra/aws/alarms.tf")).unwrap());
    assert!(alarms.len() >= 12, "{alarms:?}");
    let page = fs::read_to_string(workspace().join("infra/aws/docs/alarms.md")).unwrap();
    let sections: BTreeMap<&str, &str> = page
        .split("\n### ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, text)| (title.trim_matches('`'), text))
        .collect();
    assert_eq!(sections.keys().collect::<Vec<_>>(), alarms.keys().collect::<Vec<_>>());
    for (name, description) in &alarms {
        let text = sections[name.as_str()].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(description), "{name}: the page does not say: {description}");
        for part in ["Look at", "Do"] {
            assert!(text.contains(&format!("**{part}**")), "{name}: nothing under {part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_pages_are_accepted_by_the_aws_cli() {
    let python = python::with_requirements(&tests().join("aws/cli.txt"), target()).await;
    let Some(python) = available(python.map_err(|problem| SetupError(problem.to_string()))) else { return };
    let folder = tempfile::tempdir().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let sink = HttpServer::start(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Response::new(Bytes::from_static(b"{}")) }
    })
    .await;
    let mut commands = 0;
    for (name, page) in pages() {
        let blocks: Vec<_> =
            page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let is_command = |line: &&str| line.starts_with("aws ") || line.contains("$(aws ");
        commands += blocks.iter().flat_map(|block| block.lines().map(str::trim)).filter(is_command).count();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{STAND_INS}{}", blocks.concat())])
            .current_dir(folder.path())
            .env("PATH", format!("{}:{path}", python.parent().unwrap().display()))
            .env("SINK", format!("http://{}", sink.address))
            .envs([("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "test")])
            .envs([("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_CONFIG_FILE", "/dev/null")])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .kill_on_drop(true);
        let ended = bash.output().await.expect("bash");
        assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
    }
    assert!(commands >= 15, "only {commands} commands were found");
    assert_eq!(requests.load(Ordering::Relaxed), commands, "a command sent no request");
}
