//! The Lambda function `images`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run(images::handle)
}
