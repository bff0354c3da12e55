//! Real clients, unmodified: each script of `clients/` is one client's journey through a running `imageshare serve`.
//! The clients are installed from the Python index, at the newest versions (`clients/requirements.txt`) and at the
//! oldest that have every call of their journeys and run on current versions of Python (`clients/oldest.txt`). If
//! that is not possible, the test prints why and is skipped; in CI it fails.

use std::path::Path;

use imageshare_tests::binaries::binary;
use imageshare_tests::python::{self, CLIENT_TIMEOUT, Release};
use imageshare_tests::server_process::ServerProcess;
use tokio::process::Command;

/// The region of the servers.
const REGION: &str = "cn-hangzhou";

async fn journey(script: &str, release: Release) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(python) = python::client_python(folder, Path::new(env!("CARGO_TARGET_TMPDIR")), release).await
    else {
        return;
    };
    let server = ServerProcess::start(&binary("imageshare"), &["--memory", "--region", REGION]).await;
    let mut command = Command::new(python);
    command
        .arg(folder.join("clients").join(script))
        .env("IMAGESHARE_URL", format!("http://{}", server.address))
        .env("IMAGESHARE_REGION", REGION)
        .env("PYTHONWARNINGS", "ignore")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // With a proxy set, the clients would not connect to a server on this machine.
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    for (project, role) in [("own1", "member"), ("mem1", "member"), ("str1", "member"), ("ops", "admin")] {
        let token = server.token(project, role);
        command.env(format!("IMAGESHARE_TOKEN_{}", project.to_uppercase()), token);
    }
    let ended =
        tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await.expect("in time").expect("python");
    assert!(
        ended.status.success(),
        "{script}, {release:?}: {}\n{}{}\nthe server's log:\n{}",
        ended.status,
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
        server.log()
    );
}

macro_rules! journeys {
    ($($name:ident: $script:literal),* $(,)?) => {
        $(
            mod $name {
                use super::{Release, journey};

                #[tokio::test(flavor = "multi_thread")]
                async fn at_its_newest() {
                    journey($script, Release::Newest).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn at_its_oldest() {
                    journey($script, Release::Oldest).await;
                }
            }
        )*

        #[test]
        fn every_script_is_a_journey_that_runs() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
            let mut scripts: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.ends_with(".py") && name != "support.py")
                .collect();
            let mut known = [$($script),*];
            (scripts.sort(), known.sort_unstable());
            assert_eq!(scripts, known);
        }
    };
}

journeys! {
    openstacksdk_shares_accepts_and_unshares: "openstack_sdk.py",
    openstack_command_shares_accepts_and_unshares: "openstack_command.py",
    glanceclient_shares_accepts_and_unshares: "glance_client.py",
    huaweicloudsdkims_shares_accepts_and_unshares: "huawei_ims.py",
    alibaba_sdks_share_and_unshare: "alibaba.py",
}
