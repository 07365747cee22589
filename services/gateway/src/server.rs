//! Binding it all to a listener.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::{middleware, routes};

/// Longest that running requests are waited for on shutdown, seconds.
const DRAIN_SECONDS: u64 = 20;

/// Serves until cancelled, then stops accepting and lets running requests finish.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, cancel: CancellationToken) -> std::io::Result<()> {
    let data = web::Data::from(gateway);
    let stopping = cancel.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::Data::new(stopping.clone()))
            .app_data(
                web::QueryConfig::default().error_handler(|error, _| ApiError::bad_request(error.to_string()).into()),
            )
            .app_data(
                web::PathConfig::default().error_handler(|error, _| ApiError::bad_request(error.to_string()).into()),
            )
            .app_data(
                web::JsonConfig::default()
                    .limit(64 << 10)
                    .error_handler(|error, _| ApiError::bad_request(error.to_string()).into()),
            )
            .wrap(from_fn(middleware::around))
            .configure(routes::configure)
            .default_service(web::to(|| async {
                Err::<&str, _>(ApiError::NotFound("nothing is served here".to_owned()))
            }))
    })
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(10))
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    cancel.cancelled().await;
    handle.stop(true).await;
    running.await.map_err(std::io::Error::other)?
}
