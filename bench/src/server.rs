//! HTTP servers in a thread of their own, plain or over TLS.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use crate::Result;

/// Answers requests, whose bodies have been read.
pub(crate) trait Service: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Response<Full<Bytes>>>;
}

/// A runtime in a thread of its own, so that what measures and what serves share nothing but a processor.
pub(crate) fn runtime() -> Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(handle)
}

/// Serves on a free port of this machine, until the program ends; gives host and port.
pub(crate) fn serve(runtime: &Handle, service: Arc<impl Service>, tls: Option<TlsAcceptor>) -> Result<String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?.to_string();
    runtime.spawn(async move {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        while let Ok((stream, _)) = listener.accept().await {
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let (service, tls) = (Arc::clone(&service), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => connection(stream, service).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, service).await;
                        }
                    }
                }
            });
        }
    });
    Ok(address)
}

/// A client that goes away in the middle is no fault: functions are killed at the end of a run.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, service: Arc<impl Service>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(service.answer(Request::from_parts(parts, body)).await)
        }
    });
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}
