//! How fast the service is, and what it uses of the table. `cargo bench --bench service` builds the release binary,
//! runs it, loads it over HTTP, and prints each figure beside its target. `cargo bench --bench service -- share list`
//! runs only these parts; the parts are `signature`, `capacity`, `share` (or its half `disk`), `slow-disk`, `job`,
//! `list`, `messages`, `glance`, `pages`, `plan` and `idle`. The part `plan` needs Terraform, and says so if it does not run.
//!
//! The load comes from this process, on the same cores as the server, so the figures are those of both together.

mod baseline;
mod capacity;
mod client;
mod glance;
mod idle;
mod job;
mod list;
mod load;
mod messages;
mod pages;
mod plan;
mod server;
mod share;
mod signature;
mod slow_disk;

use std::env;
use std::path::Path;

/// The server's allocator, so that the baselines in this process have it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One line of the output.
pub fn print_figure(what: &str, measured: &str, aim: &str) {
    println!("{what:<66} {measured:>22}   {aim}");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, .., directory] = arguments.as_slice()
        && serve == "serve"
    {
        return runtime.block_on(baseline::serve(Path::new(directory)));
    }
    let selected: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| selected.is_empty() || selected.iter().any(|name| name == part);
    server::build_release();
    runtime.block_on(async {
        if is_wanted("capacity") {
            capacity::run().await;
        }
        if selected != ["disk"] {
            print_figure("", "measured", "aim");
        }
        if is_wanted("signature") {
            signature::run();
        }
        if is_wanted("idle") {
            idle::run().await;
        }
        if is_wanted("share") {
            share::in_memory().await;
        }
        if is_wanted("share") || is_wanted("disk") {
            share::on_disk().await;
        }
        if is_wanted("slow-disk") {
            tokio::task::block_in_place(slow_disk::run);
        }
        if is_wanted("job") {
            job::run().await;
        }
        if is_wanted("list") {
            list::run().await;
        }
        if is_wanted("messages") {
            messages::run().await;
        }
        if is_wanted("glance") {
            glance::run().await;
        }
        if is_wanted("pages") {
            pages::run().await;
        }
        if is_wanted("plan") {
            plan::run().await;
        }
    });
}
