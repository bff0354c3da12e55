//! The Lambda function `console`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(console::handle)
}
