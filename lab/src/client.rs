//! Asks the running local cloud: one request, one answer in JSON.

use anyhow::{bail, Context, Result};
use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use localcloud::client;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use std::env;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Where a local cloud is, or should be.
pub struct Client {
    /// `host:port`
    host: String,
}

/// The local cloud's answer to a request that it refuses.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Client {
    /// The local cloud on `port`; without one, that of `AWS_ENDPOINT_URL` when it is on this machine.
    ///
    /// # Errors
    ///
    /// `AWS_ENDPOINT_URL` is no URL.
    pub fn new(port: Option<u16>) -> Result<Self> {
        let host = match (port, env::var("AWS_ENDPOINT_URL")) {
            (Some(port), _) => Some(format!("127.0.0.1:{port}")),
            (None, Ok(url)) if !url.is_empty() && !url.contains("://") => {
                bail!("AWS_ENDPOINT_URL is {url}: it begins with http://, such as http://{url}")
            }
            (None, url) => url.ok().and_then(loopback),
        };
        Ok(Self {
            host: host.unwrap_or_else(|| format!("127.0.0.1:{}", localcloud::DEFAULT_PORT)),
        })
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask("GET", path, "")
    }

    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<T> {
        self.ask("POST", path, body)
    }

    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask("DELETE", path, "")
    }

    fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &str) -> Result<T> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Bytes::copy_from_slice(body.as_bytes()))?;
        let answer = match client::ask(&self.host, request, PATIENCE) {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => bail!(
                "no local cloud at {}: start it with `cargo run` in another terminal",
                self.host
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("no answer from {}", self.host));
            }
        };
        let stranger = || {
            format!(
                "what answers at {} is no local cloud of this lab: stop it, or name the right one with --port",
                self.host
            )
        };
        if answer.status() == StatusCode::OK {
            return serde_json::from_slice(answer.body()).with_context(stranger);
        }
        let refusal: Refusal = serde_json::from_slice(answer.body()).with_context(stranger)?;
        bail!(refusal.error)
    }
}

/// The `host:port` of an http URL of this machine; none for any other.
fn loopback(url: String) -> Option<String> {
    let host = url.strip_prefix("http://")?.trim_end_matches('/');
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (host, 80_u16),
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        name == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback.then(|| format!("{name}:{port}"))
}
