//! What it costs to check the signature of a request: those that were recorded from real clients, in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use imageshare_tests::vectors::{SECRET, Vector};

use crate::figure;

const TIMES: u32 = 20_000;

pub fn run() {
    for vector in Vector::all() {
        let mut each = [Duration::ZERO; 5].map(|_| time(&vector));
        each.sort();
        let micros = each[2].as_secs_f64() * 1e6;
        let what = format!("check a signature: {}", vector.name);
        figure(&what, &format!("{micros:.1} µs"), "under 50 µs");
    }
}

/// The mean time of a check; making the headers is not part of it.
fn time(vector: &Vector) -> Duration {
    let (now, headers) = (vector.date(), vector.wire.header_map());
    let begun = Instant::now();
    for _ in 0..TIMES {
        assert_eq!(black_box(vector).check_with(&headers, SECRET, now), Ok(true));
    }
    begun.elapsed() / TIMES
}
