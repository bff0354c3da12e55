//! The Lambda function `share`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(share::handle)
}
