//! Accepts connections, and finds what a request is for: an AWS operation, the desk and the pages under `/lab/`, or the
//! book.

use crate::cloud::Clouds;
use crate::guard::{self, MAX_BODY, MAX_REQUEST_TIME};
use crate::ids;
use crate::ids::Random;
use crate::lab_api;
use crate::lock::lock;
use crate::service::{self, Lost};
use crate::wire::respond;
use axum::body::Body;
use axum::Router;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;

const MAX_CONNECTIONS: usize = 1024;

struct Server {
    clouds: Arc<Clouds>,
    pages: Option<Router>,
    request_ids: Mutex<Random>,
}

/// Accepts connections until its task is dropped.
pub async fn serve(listener: TcpListener, clouds: Arc<Clouds>, pages: Option<Router>) {
    let server = Arc::new(Server {
        request_ids: Mutex::new(ids::source(clouds.lasting.seed, "request ids")),
        clouds,
        pages,
    });
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(MAX_REQUEST_TIME);
    let builder = Arc::new(builder);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of sockets: those that are open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (server, builder) = (server.clone(), builder.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let server = server.clone();
                async move { server.answer(request).await }
            });
            // An error here is the client's: it went away or spoke no HTTP.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
        if let Err(refusal) = guard::check_sender(request.headers(), request.uri()) {
            return Ok(refusal.answer());
        }
        if request.uri().path().starts_with("/lab/") {
            return Ok(lab_api::answer(&self.clouds, request).await);
        }
        let (head, body) = request.into_parts();
        match service::max_body(&head) {
            Some(max_body) => self.call(head, body, max_body).await,
            None if head.method == Method::POST => self.call(head, body, MAX_BODY).await,
            None => Ok(self.page(Request::from_parts(head, body)).await),
        }
    }

    /// One call of an AWS operation.
    async fn call(
        &self,
        head: Parts,
        body: Incoming,
        max_body: usize,
    ) -> Result<Response<Body>, Lost> {
        if let Err(refusal) = guard::check_program(&head.headers) {
            return Ok(refusal.answer());
        }
        // A reset puts another one in its place meanwhile: the call is one of this one's.
        let cloud = self.clouds.now();
        match guard::read(body, max_body).await {
            Ok(body) => service::answer(&cloud, &head, &body, &self.request_id()).await,
            Err(refusal) => Ok(refusal.answer()),
        }
    }

    async fn page(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(pages) = &self.pages else {
            let nothing =
                "This is the local cloud of Queues & Streams: set AWS_ENDPOINT_URL to it. It serves no book here.\n";
            return respond(404, "text/plain; charset=utf-8", nothing);
        };
        match pages.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn request_id(&self) -> String {
        let mut random = lock(&self.request_ids);
        ids::uuid(&mut random)
    }
}
