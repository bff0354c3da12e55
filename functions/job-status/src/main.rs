//! The Lambda function `job-status`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(job_status::handle)
}
