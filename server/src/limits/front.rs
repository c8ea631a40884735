//! What every request passes first, on every listener: from where it comes, whether so much may come from there, and in
//! the end what it was refused with.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use wayside_protocol::error::Code;

use crate::error::Error;
use crate::router;
use crate::web::{self, Door};

pub async fn front(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let limits = &door.web.base.limits;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let client = peer.and_then(|peer| limits.settings().proxies.client(peer, request.headers()));
    if let Some(client) = client {
        // Whatever looks from where it comes looks here.
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
    }
    // Who watches over this server asks from the address of everybody behind a balancer.
    let watches = matches!(request.uri().path(), "/healthz" | "/readyz");
    let response = match client.filter(|_| !watches).map(|client| limits.admit(client)).transpose() {
        Ok(_inside) => next.run(request).await,
        Err(error) => refuse(&door, request.uri().path(), error),
    };
    if let Some(code) = response.extensions().get::<Code>() {
        limits.refused(*code);
    }
    response
}

/// Says it in the way in which who asks there understands it.
fn refuse(door: &Arc<Door>, path: &str, error: Error) -> Response {
    if path.starts_with("/sync/") {
        router::refuse(&door.web.base, error)
    } else {
        web::refuse_unseen(door, path, &error)
    }
}
