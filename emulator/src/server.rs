//! The HTTP server: routes, and connections that can be closed without an answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use uuid::Uuid;

use crate::admin::{faults, history, metrics, page, state};
use crate::embedded::Embedded;
use crate::{Emulator, cloudwatch, other_services, services, wire};

/// Bodies up to this are read; larger ones are refused in SageMaker's words before they have come whole.
const READ_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct Dropped;

/// Serves the emulator, and an S3 of its own if there is one, for as long as the listener lives.
///
/// # Errors
/// When the listener takes no connections any more.
pub async fn serve(listener: TcpListener, emulator: Arc<Emulator>, s3: Option<Embedded>) -> std::io::Result<()> {
    let router = router(emulator);
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Of one connection, or of too many open ones: neither ends the server.
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            }
        };
        tokio::spawn(connection(stream, router.clone(), s3.clone()));
    }
}

/// The emulator's routes.
fn router(emulator: Arc<Emulator>) -> Router {
    let sagemaker = Router::new()
        .route("/endpoints/{endpoint_name}/async-invocations", post(wire::invoke_async))
        .route("/endpoints/{endpoint_name}/invocations", post(wire::realtime::invoke))
        .route(
            "/endpoints/{endpoint_name}/invocations-response-stream",
            post(wire::realtime::invoke_with_response_stream),
        )
        .route("/", post(services::call))
        .route(&format!("/service/{}/operation/{{operation}}", cloudwatch::SERVICE), post(services::cbor))
        .layer(map_response(with_request_id));
    sagemaker
        .route("/", get(page::get))
        .route("/metrics", get(metrics::get))
        .route("/_emulator/endpoints", get(state::endpoints))
        .route("/_emulator/endpoints/{endpoint_name}/history", get(history::get))
        .route("/_emulator/endpoints/{endpoint_name}/invocations", get(state::invocations))
        .route("/_emulator/endpoints/{endpoint_name}/invocations/{number}", get(state::one))
        .route("/_emulator/endpoints/{endpoint_name}/invocations/{number}/retry", post(state::retry))
        .route("/_emulator/endpoints/{endpoint_name}/invocations/{number}/output", get(state::output))
        .route("/_emulator/faults", get(faults::get).put(faults::put).delete(faults::delete))
        .route(
            "/_emulator/faults/{endpoint_name}",
            get(faults::get_endpoint).put(faults::put_endpoint).delete(faults::delete_endpoint),
        )
        .fallback(async |headers: HeaderMap| unknown(&headers, StatusCode::NOT_FOUND).await)
        .method_not_allowed_fallback(async |headers: HeaderMap| unknown(&headers, StatusCode::METHOD_NOT_ALLOWED).await)
        .layer(DefaultBodyLimit::max(READ_LIMIT_BYTES))
        .with_state(emulator)
}

async fn unknown(headers: &HeaderMap, status: StatusCode) -> Response {
    with_request_id(other_services::unknown_path(headers, status)).await
}

/// What clients quote when they ask AWS about a call.
async fn with_request_id(mut response: Response) -> Response {
    if let Ok(id) = Uuid::new_v4().to_string().parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

async fn connection(stream: TcpStream, router: Router, s3: Option<Embedded>) {
    // Small answers, each waited for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let (router, s3) = (router.clone(), s3.clone());
        async move { answer(request, router, s3).await }
    });
    // Idle connections stay open: whoever holds one in a pool may use it at any time.
    let served = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

/// The answer to a request; without one the connection is closed.
async fn answer(request: Request<Incoming>, router: Router, s3: Option<Embedded>) -> Result<Response, Dropped> {
    if let Some(s3) = s3.filter(|_| Embedded::is_meant(&request)) {
        return s3.answer(request).await.map_err(|_| Dropped);
    }
    let answered: Result<Response, Infallible> = router.oneshot(request.map(Body::new)).await;
    answered.ok().filter(|response| response.extensions().get::<wire::DropConnection>().is_none()).ok_or(Dropped)
}
