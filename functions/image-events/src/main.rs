//! The Lambda function `image-events`.

fn main() -> Result<(), imageshare::function::Error> {
    imageshare::function::run_worker(image_events::handle)
}
