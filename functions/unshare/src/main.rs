//! The Lambda function `unshare`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(unshare::handle)
}
