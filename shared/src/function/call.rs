//! One request of one caller, on its way through a function.

use std::time::Instant;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use lambda_http::{Body, Request, RequestExt};

use crate::Service;
use crate::domain::Caller;
use crate::facade::Reply;
use crate::store::Usage;

/// One request of one caller.
#[derive(Debug)]
pub struct Call {
    /// The table and the settings; what this call uses of the table is counted apart.
    pub service: Service,
    pub(super) caller: Caller,
    pub(super) request: Request,
    pub(super) trace: Trace,
}

/// What is said of a request when it ends.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) request_id: String,
    pub(super) route: String,
    pub(super) begun: Instant,
}

impl Call {
    /// Who makes the request.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The gateway's route key, as `GET /v1/cloudimages/quota`.
    pub fn route(&self) -> &str {
        &self.trace.route
    }

    /// A parameter of the path, percent-decoded; empty where the route has none of that name.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    /// The query as it stands in the URL, without the question mark.
    pub fn raw_query(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// The gateway's id for the request.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// A header's value as it came.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.request.headers().get(name).map(HeaderValue::as_bytes)
    }

    /// The bytes of the body.
    pub fn body(&self) -> &[u8] {
        match self.request.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        }
    }

    /// Puts the request's id on an answer and logs the request.
    pub fn finish(self, reply: Reply) -> Reply {
        self.trace.finish(reply, Some(&self.caller), self.service.store.usage())
    }
}

impl Trace {
    pub(super) fn finish(&self, mut reply: Reply, caller: Option<&Caller>, used: Usage) -> Reply {
        for (name, id) in [
            ("x-request-id", HeaderValue::from_str(&self.request_id)),
            ("x-openstack-request-id", HeaderValue::from_str(&format!("req-{}", self.request_id))),
        ] {
            reply.headers_mut().extend(id.ok().map(|id| (HeaderName::from_static(name), id)));
        }
        tracing::info!(
            request_id = self.request_id,
            tenant = caller.map(|caller| caller.tenant.as_str()),
            user = caller.and_then(|caller| caller.user.as_deref()),
            operation = self.route,
            status = reply.status().as_u16(),
            duration_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            round_trips = used.round_trips,
            read_units = used.read_units,
            write_units = used.write_units,
            "request"
        );
        reply
    }
}
