//! The Lambda function `identity`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(identity::handle)
}
