//! Stand-ins for the APIs of Okta, Microsoft Graph and GitHub, as they are documented, with faults
//! on chosen requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use indelible::door::poll::moment;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An answer with these headers and no more.
    Status(u16, Vec<(&'static str, String)>),
    /// The connection ends in the middle of the answer.
    Cut,
    /// Something that is no JSON.
    Garbage,
    /// The cursor of this request is not known any more, as this vendor says it.
    CursorGone,
    /// The token is no longer good, although its time is not over.
    TokenEnds,
}

#[derive(Clone, Debug)]
pub struct Happened {
    pub id: String,
    pub at_ms: u64,
}

#[derive(Default)]
struct Inner {
    events: Vec<Happened>,
    requests: usize,
    asked: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    page: usize,
    tokens: usize,
    foreign_next: Option<String>,
}

/// What the stand-in knows; shared with the test.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

impl World {
    /// Pages of `page` events; faults by number of the request, from 0.
    pub fn new(page: usize, faults: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        let world = Self::default();
        {
            let mut inner = world.0.lock().unwrap();
            inner.page = page;
            inner.faults = faults.into_iter().collect();
        }
        world
    }

    /// Events appear in the vendor's log, in this order.
    pub fn happen(&self, ids: impl IntoIterator<Item = (String, u64)>) {
        self.0.lock().unwrap().events.extend(ids.into_iter().map(|(id, at_ms)| Happened { id, at_ms }));
    }

    pub fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().events.iter().map(|event| event.id.clone()).collect()
    }

    pub fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    pub fn tokens(&self) -> usize {
        self.0.lock().unwrap().tokens
    }

    /// The next pages name this as theirs.
    pub fn lead_to(&self, next: Option<String>) {
        self.0.lock().unwrap().foreign_next = next;
    }

    fn fault(&self, uri: &Uri) -> Option<Fault> {
        let mut inner = self.0.lock().unwrap();
        let request = inner.requests;
        inner.requests += 1;
        inner.asked.push(uri.to_string());
        inner.faults.get(&request).cloned()
    }

    fn page_of(&self, chosen: Vec<Happened>, from: usize) -> (Vec<Happened>, usize, bool) {
        let size = self.0.lock().unwrap().page;
        let page: Vec<_> = chosen.iter().skip(from).take(size).cloned().collect();
        let end = from + page.len();
        (page, end, end < chosen.len())
    }

    fn chosen(&self, from: u64, until: u64, sorted: bool) -> Vec<Happened> {
        let mut chosen: Vec<_> =
            self.0.lock().unwrap().events.iter().filter(|event| (from..until).contains(&event.at_ms)).cloned().collect();
        if sorted {
            chosen.sort_by_key(|event| event.at_ms);
        }
        chosen
    }
}

/// Serves on a free port of this machine; gives the address.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

pub async fn okta(world: World) -> String {
    serve(Router::new().route("/api/v1/logs", get(okta_logs)).with_state(world)).await
}

pub async fn graph(world: World) -> String {
    let router = Router::new()
        .route("/v1.0/auditLogs/signIns", get(graph_sign_ins))
        .route("/v1.0/auditLogs/directoryAudits", get(graph_audits))
        .route("/contoso/oauth2/v2.0/token", post(graph_token))
        .with_state(world);
    serve(router).await
}

pub async fn github(world: World) -> String {
    serve(Router::new().route("/orgs/acme/audit-log", get(github_log)).with_state(world)).await
}

fn broken(fault: Option<Fault>, gone: (u16, &str)) -> Option<Response> {
    Some(match fault? {
        Fault::Status(status, headers) => {
            let mut answer = (StatusCode::from_u16(status).unwrap(), r#"{"errorSummary":"as the test wants"}"#).into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            answer
        }
        Fault::Cut => {
            let parts: [Result<Bytes, std::io::Error>; 2] = [Ok(Bytes::from_static(b"[{\"uuid\":")), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(stream::iter(parts)))
        }
        Fault::Garbage => Response::new(Body::from("<html>maintenance</html>")),
        Fault::CursorGone => (StatusCode::from_u16(gone.0).unwrap(), gone.1.to_owned()).into_response(),
        Fault::TokenEnds => return None,
    })
}

fn host(headers: &HeaderMap) -> String {
    format!("http://{}", headers["host"].to_str().unwrap())
}

fn json(body: String, link: Option<String>) -> Response {
    let mut answer = Response::new(Body::from(body));
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    if let Some(link) = link {
        answer.headers_mut().insert("link", link.parse().unwrap());
    }
    answer
}

type Asked = Query<HashMap<String, String>>;

/// Always a next link, `after` being a place in the order of arrival; an empty page means "up to now".
async fn okta_logs(State(world): State<World>, uri: Uri, headers: HeaderMap, Query(asked): Asked) -> Response {
    assert_eq!(headers["authorization"], "SSWS token-secret");
    if let Some(answer) = broken(world.fault(&uri), (400, r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: after"}"#)) {
        return answer;
    }
    let since = moment::from_rfc3339(&asked["since"]).unwrap();
    assert_eq!(asked["sortOrder"], "ASCENDING");
    assert!(!asked.contains_key("until"), "bounded requests may miss late events");
    let from: usize = asked.get("after").map_or(0, |after| after.parse().unwrap());
    // The first request of a time sorts by time; what follows is in order of arrival.
    let (page, end, _) = world.page_of(world.chosen(since, u64::MAX, false), from);
    let events: Vec<String> =
        page.iter().map(|event| format!(r#"{{"uuid":"{}", "published":"{}","x":1.50}}"#, event.id, moment::rfc3339(event.at_ms))).collect();
    let foreign = world.0.lock().unwrap().foreign_next.clone();
    let own = format!("{}/api/v1/logs?since={}&sortOrder=ASCENDING&limit=1000", host(&headers), asked["since"]);
    let next = foreign.unwrap_or_else(|| format!("{own}&after={end}"));
    json(format!("[{}]", events.join(" , ")), Some(format!(r#"<{own}>; rel="self", <{next}>; rel="next""#)))
}

async fn graph_token(State(world): State<World>, body: String) -> Response {
    assert_eq!(
        body,
        "grant_type=client_credentials&client_id=app&client_secret=client_secret-secret&scope=".to_owned()
            + body.rsplit('=').next().unwrap()
    );
    let mut inner = world.0.lock().unwrap();
    inner.tokens += 1;
    json(format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"t{}"}}"#, inner.tokens), None)
}

async fn graph_sign_ins(state: State<World>, uri: Uri, headers: HeaderMap, asked: Asked) -> Response {
    graph_log(state, uri, headers, asked, "createdDateTime", "s").await
}

async fn graph_audits(state: State<World>, uri: Uri, headers: HeaderMap, asked: Asked) -> Response {
    graph_log(state, uri, headers, asked, "activityDateTime", "a").await
}

/// `$filter` on the time, ascending; a page may be empty with a link. Ids tell the log: s… or a….
async fn graph_log(State(world): State<World>, uri: Uri, headers: HeaderMap, Query(asked): Asked, time: &str, log: &str) -> Response {
    let fault = world.fault(&uri);
    let current = world.0.lock().unwrap().tokens;
    if matches!(fault, Some(Fault::TokenEnds)) {
        world.0.lock().unwrap().tokens += 1;
    }
    if matches!(fault, Some(Fault::TokenEnds)) || headers["authorization"] != format!("Bearer t{current}").as_str() {
        return (StatusCode::UNAUTHORIZED, r#"{"error":{"code":"InvalidAuthenticationToken"}}"#).into_response();
    }
    if let Some(answer) = broken(fault, (400, r#"{"error":{"code":"BadRequest","message":"Skip token is null."}}"#)) {
        return answer;
    }
    assert_eq!(asked["$orderby"], format!("{time} asc"));
    let words: Vec<&str> = asked["$filter"].split(' ').collect();
    assert_eq!(words[..2], [time, "ge"]);
    let from = moment::from_rfc3339(words[2]).unwrap();
    let until = words.get(6).map_or(u64::MAX, |until| moment::from_rfc3339(until).unwrap());
    let mut chosen = world.chosen(from, until, true);
    chosen.retain(|event| event.id.starts_with(log));
    let skip = asked.get("$skiptoken").map(|token| token.parse::<usize>().unwrap());
    // The first page of a query is empty every so often, with a link: Graph does that.
    let empty_first = skip.is_none() && world.requests() % 3 == 0;
    let (page, end, more) = if empty_first { (vec![], 0, true) } else { world.page_of(chosen, skip.unwrap_or(0)) };
    let events: Vec<String> =
        page.iter().map(|event| format!(r#"{{"id":"{}","{time}":"{}"}}"#, event.id, moment::rfc3339(event.at_ms))).collect();
    let encoded = |text: &str| text.replace(' ', "%20");
    let next = format!(
        r#","@odata.nextLink":"{}{}?$filter={}&$orderby={}&$skiptoken={end}""#,
        host(&headers),
        uri.path(),
        encoded(&asked["$filter"]),
        encoded(&asked["$orderby"])
    );
    json(format!(r#"{{"@odata.context":"x","value":[{}]{}}}"#, events.join(","), if more { next } else { String::new() }), None)
}

/// The last page has no next link. The header says how many requests are left.
async fn github_log(State(world): State<World>, uri: Uri, headers: HeaderMap, Query(asked): Asked) -> Response {
    assert_eq!(headers["authorization"], "Bearer token-secret");
    assert_eq!(headers["x-github-api-version"], "2022-11-28");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("indelible/"));
    if let Some(answer) = broken(world.fault(&uri), (422, r#"{"message":"Invalid cursor"}"#)) {
        return answer;
    }
    assert_eq!((asked["include"].as_str(), asked["order"].as_str()), ("all", "asc"));
    let range = asked["phrase"].strip_prefix("created:").unwrap();
    let (from, until) = match range.split_once("..") {
        Some((from, until)) => (moment::from_rfc3339(from).unwrap(), moment::from_rfc3339(until).unwrap() + 1_000),
        None => (moment::from_rfc3339(range.strip_prefix(">=").unwrap()).unwrap(), u64::MAX),
    };
    let after = asked.get("after").map_or(0, |after| after.parse().unwrap());
    let (page, end, more) = world.page_of(world.chosen(from, until, true), after);
    let events: Vec<String> = page
        .iter()
        .map(|event| format!(r#"{{"@timestamp":{},"_document_id":"{}","action":"repo.create"}}"#, event.at_ms, event.id))
        .collect();
    let next = format!(
        r#"<{}{}?phrase={}&include=all&order=asc&per_page=100&after={end}&before=>; rel="next", <{0}/x>; rel="first""#,
        host(&headers),
        uri.path(),
        asked["phrase"].replace('+', "%2B")
    );
    json(format!("[{}]", events.join(",")), more.then_some(next))
}
