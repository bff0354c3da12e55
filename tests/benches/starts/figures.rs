//! The figures of many starts, and how they are printed.

use std::time::Duration;

/// The times of one start. CPU times are those of all threads.
pub struct Sample {
    pub start: Duration,
    pub start_cpu: Duration,
    pub first: Duration,
    pub first_cpu: Duration,
}

impl Sample {
    /// A start without an invocation.
    pub fn of_start(start: Duration, start_cpu: Duration) -> Self {
        Self { start, start_cpu, first: Duration::ZERO, first_cpu: Duration::ZERO }
    }
}

/// Prints the head of a table.
pub fn print_title(speed: &str, start: &str, first: &str) {
    print_cells(speed, &[start, "CPU", first, "CPU"].map(str::to_owned));
}

/// Prints the figures of a function.
pub fn print_row(name: &str, samples: &[Sample]) {
    let times: [fn(&Sample) -> Duration; 4] =
        [|sample| sample.start, |sample| sample.start_cpu, |sample| sample.first, |sample| sample.first_cpu];
    print_cells(name, &times.map(|time| spread(samples.iter().map(time).collect())));
}

fn print_cells(name: &str, cells: &[String; 4]) {
    println!("{name:<28}{:>20}{:>20}{:>20}{:>20}", cells[0], cells[1], cells[2], cells[3]);
}

/// The minimum, the median and the 99th percentile, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let millis = |rank: usize| format!("{:.1}", times[rank].as_secs_f64() * 1000.0);
    let last = times.len() - 1;
    format!("{}/{}/{}", millis(0), millis(last / 2), millis((last * 99).div_ceil(100)))
}
