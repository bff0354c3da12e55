//! Sixteen clients, each of which sends its next request after the response to the last one.

use std::time::{Duration, Instant};

/// The number of clients.
pub const CLIENTS: usize = 16;

/// The measured time, after one second of warm-up.
const LOAD_SECONDS: u64 = 5;

/// The result of a load.
pub struct LoadResult {
    latencies: Vec<Duration>,
    duration_seconds: f64,
    sent: u64,
}

impl LoadResult {
    /// Runs one task per client; the task's function makes its next request.
    pub async fn run<C, F, R>(clients: Vec<C>, request: F) -> Self
    where
        C: Send + 'static,
        F: Fn(C, u64) -> R + Clone + Send + 'static,
        R: Future<Output = C> + Send,
    {
        let begin = Instant::now() + Duration::from_secs(1);
        let end = begin + Duration::from_secs(LOAD_SECONDS);
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let request = request.clone();
                tokio::spawn(async move {
                    let mut latencies = Vec::with_capacity(100_000);
                    let mut number = 0;
                    loop {
                        let sent = Instant::now();
                        if sent >= end {
                            return (latencies, number);
                        }
                        client = request(client, number).await;
                        number += 1;
                        if sent >= begin {
                            latencies.push(sent.elapsed());
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let (mut latencies, mut sent) = (Vec::new(), 0);
        for task in tasks {
            let (of_task, sent_by_task) = task.await.expect("a client");
            latencies.extend(of_task);
            sent += sent_by_task;
        }
        latencies.sort();
        Self { latencies, duration_seconds: f64::from(u32::try_from(LOAD_SECONDS).unwrap_or_default()), sent }
    }

    /// The number of requests sent, including the warm-up.
    pub fn sent_requests(&self) -> u64 {
        self.sent
    }

    /// Responses per second.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 requests")]
    pub fn requests_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.duration_seconds
    }

    /// A percentile of the latency.
    pub fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.latencies, percent)
    }
}

/// A percentile of sorted durations.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

/// A duration in milliseconds, to a hundredth.
pub fn format_millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
