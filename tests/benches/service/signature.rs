//! The cost of verifying a signature: requests recorded from real clients, verified in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use imageshare_tests::signature_vectors::{SECRET, SignatureVector};

use crate::print_figure;

const ITERATIONS: u32 = 20_000;

pub fn run() {
    for vector in SignatureVector::load_all() {
        let mut each = [Duration::ZERO; 5].map(|_| mean_time(&vector));
        each.sort();
        let micros = each[2].as_secs_f64() * 1e6;
        let what = format!("check a signature: {}", vector.name);
        print_figure(&what, &format!("{micros:.1} µs"), "under 50 µs");
    }
}

/// The mean time of a verification, without making the headers.
fn mean_time(vector: &SignatureVector) -> Duration {
    let (now, headers) = (vector.date(), vector.request.header_map());
    let begun = Instant::now();
    for _ in 0..ITERATIONS {
        assert_eq!(black_box(vector).verify_with_headers(&headers, SECRET, now), Ok(true));
    }
    begun.elapsed() / ITERATIONS
}
