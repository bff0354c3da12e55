//! The Lambda function `registry`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(registry::handle)
}
