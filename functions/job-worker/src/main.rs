//! The Lambda function `job-worker`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run_worker(job_worker::handle)
}
