//! The Lambda function `documents`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(documents::handle)
}
