//! The Lambda function `respond`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(respond::handle)
}
