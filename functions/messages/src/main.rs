//! The Lambda function `messages`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(messages::handle)
}
