//! Calls of gRPC, decoded and answered.

use std::future::Future;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::panics;
use crate::protocol::Failure;

/// A request of gRPC, as HTTP.
pub type Request = http::Request<tonic::body::Body>;

/// A response of gRPC, as HTTP.
pub type Response = http::Response<tonic::body::Body>;

/// The largest message, as in Terraform.
const MAX_MESSAGE: usize = 256 << 20;

/// Answers a call that has one request and one response. The handler runs to its end even if the client goes away, and a panic in it
/// becomes a response that reports it.
pub async fn unary<Q, A, F, T>(request: Request, handler: F) -> Response
where
    Q: prost::Message + Default + 'static,
    A: prost::Message + Failure + 'static,
    F: FnOnce(Q) -> T + Send + 'static,
    T: Future<Output = A> + Send + 'static,
{
    codec::<Q, A>().unary(Unary(Some(handler)), request).await
}

/// Answers a call that has one request and a stream of responses.
pub async fn server_stream<Q, S, F, T>(request: Request, handler: F) -> Response
where
    Q: prost::Message + Default + 'static,
    S: Stream<Item: prost::Message + 'static> + Send + 'static,
    F: FnOnce(Q) -> T + Send + 'static,
    T: Future<Output = S> + Send + 'static,
{
    codec::<Q, S::Item>().server_streaming(Streaming(Some(handler)), request).await
}

/// Answers a call of a procedure that does not exist.
pub fn unimplemented() -> Response {
    Status::unimplemented("this provider does not have the procedure").into_http()
}

fn codec<Q, A>() -> Grpc<ProstCodec<A, Q>>
where
    Q: prost::Message + Default + 'static,
    A: prost::Message + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE)
}

fn called_twice() -> Status {
    Status::new(Code::Internal, "a handler was called twice")
}

/// A handler that tonic calls once.
struct Unary<F>(Option<F>);

impl<Q, A, F, T> UnaryService<Q> for Unary<F>
where
    Q: Send + 'static,
    A: Failure + Send + 'static,
    F: FnOnce(Q) -> T + Send + 'static,
    T: Future<Output = A> + Send + 'static,
{
    type Response = A;
    type Future = BoxFuture<'static, Result<tonic::Response<A>, Status>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        let handler = self.0.take();
        Box::pin(async move {
            let handler = handler.ok_or_else(called_twice)?;
            Ok(tonic::Response::new(panics::reported(handler(request.into_inner())).await))
        })
    }
}

/// A handler that tonic calls once.
struct Streaming<F>(Option<F>);

impl<Q, S, F, T> ServerStreamingService<Q> for Streaming<F>
where
    Q: Send + 'static,
    S: Stream + Send + 'static,
    F: FnOnce(Q) -> T + Send + 'static,
    T: Future<Output = S> + Send + 'static,
{
    type Response = S::Item;
    type ResponseStream = BoxStream<'static, Result<S::Item, Status>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        let handler = self.0.take();
        Box::pin(async move {
            let handler = handler.ok_or_else(called_twice)?;
            let stream: Self::ResponseStream = handler(request.into_inner()).await.map(Ok).boxed();
            Ok(tonic::Response::new(stream))
        })
    }
}
