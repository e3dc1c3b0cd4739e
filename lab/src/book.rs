//! The book: rendered when the desk starts and again after an edit, and served to a browser.

use anyhow::Result;
use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::Router;
use mdbook_driver::MDBook;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};
use tempfile::TempDir;
use tokio::sync::watch;
use tower_http::services::{ServeDir, ServeFile};

/// The sources of the pages, under the folder of `book.toml`.
const SOURCES: [&str; 4] = ["book.toml", "book", "snippets", "templates"];

/// Tells the figures that there is a feed where their page comes from.
const DESK_JS: &str = "window.lab = { origin: location.origin };\n";

/// None while the book is being rendered; then what came of it.
type Outcome = Option<Result<(), String>>;

/// A book and its rendered pages. They are in a folder of their own, removed at the end, so that desks on
/// several ports and `mdbook serve` leave each other's pages alone.
pub struct Book {
    root: PathBuf,
    html: TempDir,
    outcome: watch::Sender<Outcome>,
}

impl Book {
    /// The book whose `book.toml` is in `root`. Nothing is rendered yet.
    ///
    /// # Errors
    ///
    /// There is no room for the pages.
    pub fn new(root: PathBuf) -> io::Result<Self> {
        Ok(Self {
            root,
            html: tempfile::Builder::new()
                .prefix("queues-and-streams-")
                .tempdir()?,
            outcome: watch::Sender::new(None),
        })
    }

    /// Renders the pages; those who ask for one meanwhile wait.
    ///
    /// # Errors
    ///
    /// Why the book can't be rendered. The pages say so too.
    pub fn render(&self) -> Result<(), String> {
        self.outcome.send_replace(None);
        let outcome = self.build().map_err(|error| format!("{error:#}"));
        self.outcome.send_replace(Some(outcome.clone()));
        outcome
    }

    fn build(&self) -> Result<()> {
        let mut book = MDBook::load(&self.root)?;
        book.config.build.build_dir = self.html.path().to_owned();
        book.build()
    }

    /// When each source was written: another answer later means that the book was edited.
    pub fn sources(&self) -> BTreeMap<PathBuf, SystemTime> {
        let mut found = BTreeMap::new();
        for source in SOURCES {
            note(&self.root.join(source), &mut found);
        }
        found
    }

    /// The pages, for a browser.
    pub fn pages(&self) -> Router {
        let html = self.html.path();
        let files = ServeDir::new(html).not_found_service(ServeFile::new(html.join("404.html")));
        Router::new()
            .route("/figures/desk.js", get(desk_js))
            .route("/lab", get(Redirect::temporary("/lab.html")))
            .fallback_service(files)
            .layer(from_fn_with_state(self.outcome.subscribe(), page))
    }
}

/// In place of the book's own file, which says nothing.
async fn desk_js() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript")], DESK_JS)
}

/// One page, once the book is rendered.
async fn page(
    State(mut outcome): State<watch::Receiver<Outcome>>,
    request: Request,
    next: Next,
) -> Response {
    let failure = match outcome.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().and_then(Result::err),
        Err(_) => Some("the desk is stopping".to_owned()),
    };
    if let Some(failure) = failure {
        let text = format!("The book could not be rendered: {failure}\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/plain")
    {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    response
}

fn note(path: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            note(&entry.path(), found);
        }
    } else if let Ok(written) = metadata.modified() {
        found.insert(path.to_owned(), written);
    }
}
