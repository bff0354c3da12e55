//! How soon a packaged function is ready, and how long its first invocation takes, with its first call to the table: at the
//! machine's full speed, and with the share of a CPU that Lambda gives for some memory sizes.
//!
//! `cargo bench --bench starts` measures the packages of this machine's architecture that `cargo task packages` has made,
//! each as Lambda runs it: through the Runtime API, against a DynamoDB over TLS, both on loopback. `-- STARTS` says how often
//! each is started (30 times by default), `-- STARTS DIRECTORY` where the packages are. A DynamoDB in the same region is
//! about a millisecond away; here it is none, so the figures are what the function itself needs.

mod cpu_group;
mod events;
mod figures;
mod packages;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use imageshare_routes::Document;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::issuer::CertificateAuthority;
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::table_server::TableServer;
use tempfile::{NamedTempFile, TempDir};

use self::cpu_group::CpuGroup;
use self::events::Fixture;
use self::figures::{Sample, print_row, print_title};

/// The memory sizes whose share of a CPU is measured.
const MEMORY_SIZES: [u32; 3] = [128, 256, 512];

/// The root certificates of this machine, of which a function on AWS reads as many.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The directory that Debian and others have beside the bundle, with a file for each root certificate.
const SYSTEM_DIRECTORY: &str = "/etc/ssl/certs";

const DEFAULT_STARTS: usize = 30;

/// The functions of a deployment, unpacked.
struct Functions {
    deployment: Deployment,
    environment: Vec<(&'static str, String)>,
    binaries: TempDir,
    starts: usize,
}

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let starts =
        arguments.next().map_or(DEFAULT_STARTS, |number| number.parse().expect("a number of starts"));
    assert!((1..=events::MAX_STARTS).contains(&starts), "expected 1 to {} starts", events::MAX_STARTS);
    let directory = arguments.next().map_or_else(packages::default_directory, PathBuf::from);

    let authority = CertificateAuthority::new();
    let bundle = bundle_with(&authority);
    let deployment = Deployment::over(TableServer::start_tls(&authority).await);
    let mut environment = deployment.env();
    environment.push(("SSL_CERT_FILE", bundle.path().to_str().expect("a plain path").to_owned()));
    let binaries = packages::unpack(&directory);
    let functions = Functions { deployment, environment, binaries, starts };

    println!("{}: {starts} starts each; milliseconds, minimum/median/99th percentile", directory.display());
    print_title("full speed", "start", "first invocation");
    functions.measure_all(None).await;
    functions.measure_certificates().await;
    for memory in MEMORY_SIZES {
        match CpuGroup::create(memory) {
            Ok(group) => {
                print_title(&format!("share of {memory} MB"), "start with it", "first invocation");
                functions.measure_all(Some(&group)).await;
            }
            Err(problem) => println!("the share of {memory} MB was not measured: {problem}"),
        }
    }
}

impl Functions {
    /// Measures every function of the document.
    async fn measure_all(&self, group: Option<&CpuGroup>) {
        let mut images = self.start(&self.binaries.path().join("images")).await;
        let mut share = self.start(&self.binaries.path().join("share")).await;
        let round = group.map_or(0, CpuGroup::memory);
        let fixture = Fixture::new(&self.deployment, &mut images, &mut share, self.starts, round).await;
        for function in Document::load().expect("the routes").functions() {
            let mut samples = Vec::with_capacity(self.starts);
            for number in 0..self.starts {
                samples.push(self.measure(function, &fixture, number, group).await);
            }
            print_row(function, &samples);
        }
    }

    /// Starts a function and invokes it once. With a group, the function is started twice: within its share of the CPU,
    /// and at full speed, as Lambda initialises a function, with the share from the first invocation on.
    async fn measure(
        &self,
        function: &str,
        fixture: &Fixture,
        number: usize,
        group: Option<&CpuGroup>,
    ) -> Sample {
        let binary = self.binaries.path().join(function);
        let mut process = self.start(&binary).await;
        let (mut start, mut start_cpu) = (process.init_time(), process.cpu_time());
        if let Some(group) = group {
            let restrained = self.start(&group.launcher(&binary)).await;
            (start, start_cpu) = (restrained.init_time(), restrained.cpu_time());
            restrained.kill().await;
            group.add(process.process_id());
        }
        let (first, first_cpu) = events::invoke(&mut process, function, fixture, number).await;
        process.kill().await;
        Sample { start, start_cpu, first, first_cpu }
    }

    /// Measures what the root certificates cost that a function would read without `SSL_CERT_FILE` on such a machine.
    async fn measure_certificates(&self) {
        let mut environment = self.environment.clone();
        environment.push(("SSL_CERT_DIR", SYSTEM_DIRECTORY.to_owned()));
        let mut samples = Vec::with_capacity(self.starts);
        for _ in 0..self.starts {
            let started =
                LambdaProcess::start(&self.binaries.path().join("share"), environment.clone()).await;
            let process = started.unwrap_or_else(|problem| panic!("share {problem}"));
            samples.push(Sample::of_start(process.init_time(), process.cpu_time()));
            process.kill().await;
        }
        print_row("share, and /etc/ssl/certs", &samples);
    }

    async fn start(&self, binary: &Path) -> LambdaProcess {
        let started = LambdaProcess::start(binary, self.environment.clone()).await;
        started.unwrap_or_else(|problem| panic!("{} {problem}", binary.display()))
    }
}

/// A file with the machine's root certificates and that of the table's authority.
fn bundle_with(authority: &CertificateAuthority) -> NamedTempFile {
    let system = SYSTEM_BUNDLES.iter().find_map(|path| fs::read_to_string(path).ok());
    let system = system.expect("this machine has root certificates");
    println!("{} root certificates", system.matches("-----BEGIN CERTIFICATE-----").count());
    let file = NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), system + &authority.pem()).expect("our own file");
    file
}
