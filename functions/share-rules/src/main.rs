//! The Lambda function `share-rules`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(share_rules::handle)
}
