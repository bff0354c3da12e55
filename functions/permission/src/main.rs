//! The Lambda function `permission`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(permission::handle)
}
