//! Okta's System Log, as the poller sees it: events appear while it is asked, some answers fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use indelible::door::poll::moment::from_rfc3339;
use tokio::runtime::Runtime;

use crate::day::Event;

/// Fewer than Okta's 1000, so that a day is many pages.
const PAGE: usize = 20;

struct World {
    events: Vec<Event>,
    began: Instant,
    takes: Duration,
    requests: AtomicUsize,
}

/// The stand-in; it ends with this.
pub struct Okta {
    pub url: String,
    _runtime: Runtime,
}

impl Okta {
    /// All events have appeared after `takes`.
    pub fn start(events: Vec<Event>, takes: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = Arc::new(World { events, began: Instant::now(), takes, requests: AtomicUsize::new(0) });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/api/v1/logs", get(logs)).with_state(world);
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _runtime: runtime }
    }
}

async fn logs(State(world): State<Arc<World>>, headers: HeaderMap, Query(asked): Query<HashMap<String, String>>) -> Response<Body> {
    assert_eq!(headers["authorization"], "SSWS token-secret");
    let answer = Response::builder();
    match world.requests.fetch_add(1, Ordering::Relaxed) % 11 {
        4 => return answer.status(StatusCode::TOO_MANY_REQUESTS).header("retry-after", "1").body(Body::empty()).unwrap(),
        8 => return answer.status(StatusCode::SERVICE_UNAVAILABLE).body(Body::empty()).unwrap(),
        _ => tokio::time::sleep(Duration::from_millis(30)).await,
    }
    let since = from_rfc3339(&asked["since"]).unwrap();
    let share = world.began.elapsed().as_secs_f64() / world.takes.as_secs_f64();
    let appeared = world.events.len().min((world.events.len() as f64 * share) as usize);
    let chosen: Vec<&Event> = world.events[..appeared].iter().filter(|event| event.at_ms >= since).collect();
    let from: usize = asked.get("after").map_or(0, |after| after.parse().unwrap());
    let page: Vec<&str> = chosen.iter().skip(from).take(PAGE).map(|event| event.raw.as_str()).collect();
    let end = from + page.len();
    let host = headers["host"].to_str().unwrap();
    let next = format!("<http://{host}/api/v1/logs?since={}&sortOrder=ASCENDING&limit=1000&after={end}>; rel=\"next\"", asked["since"]);
    answer.header("content-type", "application/json").header("link", next).body(Body::from(format!("[{}]", page.join(" ,\n")))).unwrap()
}
