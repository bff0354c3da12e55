//! The systemd unit and the example of its settings, and how the server talks to systemd.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/local").join(name);
    fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// The variables that a text sets, those in comments included.
fn variables(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.trim_start_matches('#'));
    let names = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().to_owned());
    names.filter(|name| name.starts_with("IMAGESHARE_")).collect()
}

/// The variables that `serve` knows, from its help.
fn known_variables() -> BTreeSet<String> {
    let help = Command::new(binary("imageshare")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words = help.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    words.filter(|word| word.starts_with("IMAGESHARE_")).map(str::to_owned).collect()
}

#[test]
fn example_has_the_settings_that_serve_has() {
    let (example, known) = (variables(&file("systemd/imageshare.env")), known_variables());
    assert!(known.len() >= 18, "{known:?}");
    let unknown: Vec<_> = example.difference(&known).collect();
    assert!(unknown.is_empty(), "serve does not know {unknown:?}");
    // What one of the others stands for, or makes no sense in a service.
    let omitted = ["CLAIMS", "CONFIG", "MASTER_KEYS", "MEMORY"].map(|name| format!("IMAGESHARE_{name}"));
    let missing: Vec<_> = known.difference(&example).filter(|name| !omitted.contains(name)).collect();
    assert!(missing.is_empty(), "the example lacks {missing:?}");
}

#[test]
fn container_and_unit_run_commands_that_exist() {
    let (unit, container) = (file("systemd/imageshare.service"), file("Containerfile"));
    assert!(unit.contains("\nExecStart=/usr/local/bin/imageshare serve\n"), "{unit}");
    assert!(unit.contains("\nEnvironmentFile=/etc/imageshare/imageshare.env\n"), "{unit}");
    assert!(container.contains("CMD [\"/imageshare\", \"health\"]\n"), "{container}");
    let unknown: Vec<_> = variables(&container.replace("    IMAGESHARE", "IMAGESHARE"))
        .difference(&known_variables())
        .cloned()
        .collect();
    assert!(unknown.is_empty(), "serve does not know {unknown:?}");
}

#[test]
fn unit_passes_the_check_of_systemd() {
    let unit = file("systemd/imageshare.service");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("imageshare.service");
    // The check wants a program at this path.
    fs::write(&path, unit.replace("/usr/local/bin/imageshare", "/bin/true")).unwrap();
    let checked = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    let Ok(checked) = checked else {
        imageshare_tests::notice::print_notice(
            &"the systemd unit is not checked: there is no systemd-analyze",
        );
        return;
    };
    let problems = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && !problems.contains("imageshare.service"), "{problems}");
}

#[tokio::test]
async fn server_notifies_systemd_of_its_start_and_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let environment = vec![("NOTIFY_SOCKET", path.to_str().unwrap().to_owned())];
    let mut server = ServerProcess::start_with_env(&binary("imageshare"), &["--memory"], environment).await;
    let receive = |socket: &UnixDatagram| {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
    };
    assert_eq!(receive(&socket), "READY=1");
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    assert_eq!(receive(&socket), "STOPPING=1");
}
