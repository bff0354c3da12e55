//! `imageshare health`: asks a running server whether it works, for health checks that run a command.

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::Uri;
use serde_json::Value;

use crate::cli::HealthArguments;
use crate::client::{connector, root_cause};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The port that a server listens on by default.
const DEFAULT_PORT: u16 = 8080;

/// What a server reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthReport {
    /// It works.
    Healthy,
    /// Something is wrong.
    Unhealthy(String),
    /// There is no answer.
    NoAnswer(String),
}

impl HealthReport {
    /// The exit code of the command. It is not 2, which container engines reserve.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Healthy => 0,
            Self::Unhealthy(_) => 1,
            Self::NoAnswer(_) => 3,
        })
    }

    /// The line that the command prints.
    pub fn line(&self) -> String {
        match self {
            Self::Healthy => "ok".to_owned(),
            Self::Unhealthy(reason) | Self::NoAnswer(reason) => reason.clone(),
        }
    }
}

/// Asks a server for its health, within 5 seconds.
pub async fn ask(arguments: &HealthArguments) -> HealthReport {
    let server = arguments.server.clone().unwrap_or_else(|| local_server(env::var("IMAGESHARE_LISTEN").ok()));
    let path = if arguments.ready { "/ready" } else { "/health" };
    match tokio::time::timeout(REQUEST_TIMEOUT, get(&server, path)).await {
        Ok(Ok((200, _))) => HealthReport::Healthy,
        Ok(Ok((status, body))) => {
            let reason = body.pointer("/error/message").and_then(Value::as_str);
            let reason = reason.unwrap_or("it is not an imageshare server");
            HealthReport::Unhealthy(format!("{server} reports {status}: {reason}"))
        }
        Ok(Err(problem)) => HealthReport::NoAnswer(format!("no server answers at {server}: {problem}")),
        Err(_) => HealthReport::NoAnswer(format!("{server} does not answer within 5 seconds")),
    }
}

/// The address of the server on this machine that listens where `listen` says.
fn local_server(listen: Option<String>) -> Uri {
    let listen = listen.and_then(|text| text.parse::<SocketAddr>().ok());
    let listen = listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into());
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listen.port());
    format!("http://{address}").parse().unwrap_or_default()
}

async fn get(server: &Uri, path: &str) -> Result<(u16, Value), String> {
    let mut request = Request::new(SdkBody::empty());
    let url = format!("{}{path}", server.to_string().trim_end_matches('/'));
    request.set_uri(url).map_err(|problem| root_cause(&problem))?;
    let response = connector(server).call(request).await.map_err(|problem| root_cause(&problem))?;
    let status = response.status().as_u16();
    let body =
        ByteStream::new(response.into_body()).collect().await.map_err(|problem| root_cause(&problem))?;
    Ok((status, serde_json::from_slice(&body.to_vec()).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_the_one_that_listens_on_this_machine() {
        for (listen, server) in [
            (None, "http://127.0.0.1:8080/"),
            (Some("0.0.0.0:9000"), "http://127.0.0.1:9000/"),
            (Some("[::]:9000"), "http://[::1]:9000/"),
            (Some("10.0.0.7:80"), "http://10.0.0.7:80/"),
            (Some("name:80"), "http://127.0.0.1:8080/"),
        ] {
            assert_eq!(local_server(listen.map(str::to_owned)).to_string(), server, "{listen:?}");
        }
    }

    #[tokio::test]
    async fn closed_port_is_no_answer() {
        // Bound and closed, so that nothing listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = Some(format!("http://{free}").parse().unwrap());
        let report = ask(&HealthArguments { ready: false, server }).await;
        assert!(
            matches!(&report, HealthReport::NoAnswer(line) if line.contains("no server answers at")),
            "{report:?}"
        );
    }
}
