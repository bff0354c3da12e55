//! The server publishes its metrics at an address of their own.

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;

use super::wait_for_line;

async fn get(url: &str, token: Option<&str>) -> (u16, String, String) {
    let request = reqwest::Client::new().get(url);
    let request = token.into_iter().fold(request, |request, token| request.header("X-Auth-Token", token));
    let response = request.send().await.unwrap();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    (response.status().as_u16(), kind.unwrap_or_default(), response.text().await.unwrap())
}

/// The value of a series.
fn series_value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_count_requests_work_and_table_usage() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory", "--metrics", "127.0.0.1:0"]).await;
    let started = wait_for_line(&server, "started", &[]).await;
    let metrics = format!("http://{}/metrics", started["metrics"].as_str().unwrap());
    let api = |path: &str| format!("http://{}{path}", server.address);
    let token = server.token("own1", "member");
    for _ in 0..3 {
        assert_eq!(get(&api("/v2/cloudimages"), Some(&token)).await.0, 200);
    }
    assert_eq!(get(&api("/v2/cloudimages"), None).await.0, 401);
    assert_eq!(get(&api("/v9/what-a-client-writes"), Some(&token)).await.0, 404);
    assert_eq!(get(&api("/health"), None).await.0, 200);

    let (status, kind, text) = get(&metrics, None).await;
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(text.ends_with("# EOF\n"), "{text}");
    let requests = |operation: &str, status: u16, code: &str| {
        let labels = format!("operation=\"{operation}\",status=\"{status}\",code=\"{code}\"");
        series_value(&text, &format!("imageshare_requests_total{{{labels}}}"))
    };
    let list = "GET /v2/cloudimages";
    assert!((requests(list, 200, "") - 3.0).abs() < 0.1);
    assert!((requests(list, 401, "IMG.0087") - 1.0).abs() < 0.1);
    assert!((requests("$default", 404, "IMG.0086") - 1.0).abs() < 0.1);
    assert!((requests("GET /health", 200, "") - 1.0).abs() < 0.1);
    assert!(!text.contains("what-a-client-writes"));
    let durations = format!("imageshare_request_duration_seconds_count{{operation=\"{list}\"}}");
    assert!((series_value(&text, &durations) - 4.0).abs() < 0.1);
    assert!(series_value(&text, "imageshare_table_round_trips_total{lane=\"request\"}") >= 3.0);
    assert!(series_value(&text, "imageshare_table_read_units_total{lane=\"request\"}") > 0.0);
    assert!(series_value(&text, "imageshare_open_work_items") < 0.1);
    assert!(series_value(&text, "imageshare_oldest_open_work_age_seconds") < 0.1);
    assert!(text.contains(&format!("imageshare_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));

    // The metrics are at that address only.
    assert_eq!(get(&api("/metrics"), Some(&token)).await.0, 404);
    assert_eq!(get(&metrics.replace("/metrics", "/"), None).await.0, 404);
    assert_eq!(reqwest::Client::new().post(&metrics).send().await.unwrap().status().as_u16(), 405);
}

#[tokio::test]
async fn metrics_address_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["--memory", "--listen", "127.0.0.1:0", "--metrics", &address];
    let ended = std::process::Command::new(binary("imageshare")).args(arguments).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let expected = format!("cannot listen on {address}: address in use; choose another with --metrics");
    assert!(!ended.status.success() && stderr.contains(&expected), "{stderr}");
}
