//! A real `terraform plan` with many pairs in its state, and the start of the provider. Both programs are release builds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::terraform::{Project, Release};
use tempfile::TempDir;

use crate::client::Client;
use crate::load::format_millis;
use crate::{print_figure, server};

/// What Terraform starts a provider with.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// The images of each share.
const IMAGES: usize = 10;
/// How often each plan is made.
const PLANS: usize = 5;
/// How often the provider is started.
const STARTS: usize = 50;

/// Prints the figures, or why they were not measured.
pub async fn run() {
    let provider = server::build_release_provider();
    start(&provider);
    for (projects, aim) in [(100, "under 1 s, at most 10 calls"), (1000, "under 5 s")] {
        let directory = provider.parent().expect("a directory");
        let Some(project) = Project::with_directory("imageshare", Release::Installed, directory).await else {
            return;
        };
        plan(project, projects, aim).await;
    }
}

/// Plans without changes, with the pairs of ten images and these projects in the state.
async fn plan(project: Project, projects: usize, aim: &str) {
    let server = server::start_with_metrics().await;
    let token = server.token("owner", "member");
    let mut client = Client::connect(&server.address, &token).await;
    let mut images = Vec::new();
    for _ in 0..IMAGES {
        images.push(client.create_image().await);
    }
    let projects: Vec<String> = (0..projects).map(|number| format!("project-{number}")).collect();
    let project = project
        .env("IMAGESHARE_ENDPOINT", format!("http://{}", server.address))
        .env("IMAGESHARE_TOKEN", token);
    project.write(&format!(
        "resource \"imageshare_share\" \"s\" {{\n  image_ids   = {images:?}\n  project_ids = {projects:?}\n}}\n"
    ));
    project.apply().await;
    let mut plans = Vec::new();
    for _ in 0..PLANS {
        plans.push(measure(&project, &server).await);
    }
    plans.sort_by_key(|plan| plan.time);
    let median = plans.swap_remove(PLANS / 2);
    let what = format!("terraform plan, {} pairs in the state", IMAGES * projects.len());
    print_figure(&format!("{what}: median of {PLANS}"), &format_millis(median.time), aim);
    print_figure("… processor time of Terraform and the provider", &format_millis(median.processor_time), "");
    print_figure("… calls of the API", &median.calls.to_string(), "");
}

/// One plan.
struct Measured {
    time: Duration,
    processor_time: Duration,
    calls: u64,
}

async fn measure(project: &Project, server: &ServerProcess) -> Measured {
    let (calls, processor_time, begun) = (calls(server).await, children_time(), Instant::now());
    project.expect_no_changes().await;
    let (time, processor_time) = (begun.elapsed(), children_time().saturating_sub(processor_time));
    Measured { time, processor_time, calls: self::calls(server).await - calls }
}

/// The requests that the server has had.
async fn calls(server: &ServerProcess) -> u64 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = client.get(format!("http://{}/metrics", server.metrics_address())).send().await;
    let text = response.expect("a response").text().await.expect("the metrics");
    let series = text.lines().filter(|line| line.starts_with("imageshare_requests_total{"));
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// The processor time of the ended children of this process and of theirs, to a hundredth of a second.
fn children_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("a process");
    // The name may contain any character but ends at the last bracket; the user and system time of children are the 14th and 15th
    // field after it.
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace().skip(13).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().expect("ticks")).sum::<u64>() * 10)
}

/// The start of the provider, until the line that Terraform waits for, and the size of its binary.
fn start(provider: &Path) {
    let mut times: Vec<Duration> = (0..STARTS).map(|_| start_once(provider)).collect();
    times.sort();
    print_figure(
        &format!("start of the provider, median of {STARTS}"),
        &format_millis(times[STARTS / 2]),
        "under 5 ms",
    );
    let bytes = fs::metadata(provider).expect("the binary").len();
    let megabytes = format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
    print_figure("binary of the provider, larger than the packaged one", &megabytes, "under 10 MB");
}

fn start_once(provider: &Path) -> Duration {
    let sockets = TempDir::new().expect("a directory");
    let begun = Instant::now();
    let mut process = Command::new(provider)
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
        .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the provider runs");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let time = begun.elapsed();
    assert_eq!(line.split('|').nth(1), Some("6"), "{line}");
    let _ = process.kill();
    let _ = process.wait();
    time
}
