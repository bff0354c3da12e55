//! The Lambda function `effects`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run_publisher(effects::handle)
}
