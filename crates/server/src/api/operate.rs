//! What operators and orchestrators ask: `/healthz`, `/readyz`, `/openapi.json`.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::api::answer::{bytes, json};
use crate::api::error::ApiError;
use crate::api::state::Api;
use crate::log::sequencer::AppendError;

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub fn health() -> Response {
    json(StatusCode::OK, &Status { status: "ok" })
}

/// `GET /readyz`: events are taken. The reason why not is for operators, who have the logs: this
/// route is open, so it names no path and no error of the disk.
///
/// # Errors
/// 503 when they are not.
pub fn ready(api: &Api) -> Result<Response, ApiError> {
    let not_ready = |code, message: &str| Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message));
    if api.is_draining() {
        return not_ready("draining", "the server is shutting down: send to another one, or again in a moment");
    }
    if api.trail.log().shared().stopped().is_some() {
        return not_ready("stopped", "the log has stopped and takes no events: read the server's log, then restart it");
    }
    match api.trail.log().shared().refuses().as_deref() {
        Some(AppendError::NoSpace) => {
            not_ready("no_space", "the disk is full: no events are taken until there is room, see the server's log")
        }
        Some(_) => not_ready("busy", "what came before cannot be sealed, and no events are taken until it can: read the server's log"),
        None => Ok(json(StatusCode::OK, &Status { status: "ready" })),
    }
}

/// The OpenAPI document; a test holds it to the table of routes.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub fn openapi() -> Response {
    bytes(StatusCode::OK, "application/json", OPENAPI)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::access::Scope;
    use crate::api::route::{Needs, ROUTES};
    use crate::door::poll::status::{Doing, PollStatus};

    fn document() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    fn each_operation(mut look: impl FnMut(&str, &str, &Value)) {
        for (path, methods) in document()["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                look(path, method, operation);
            }
        }
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let routes: BTreeSet<_> =
            ROUTES.iter().map(|route| (route.path.replace("{*", "{"), route.method.as_str().to_lowercase())).collect();
        let mut operations = BTreeSet::new();
        each_operation(|path, method, _| assert!(operations.insert((path.to_owned(), method.to_owned()))));
        assert_eq!(operations, routes);
    }

    #[test]
    fn the_document_says_who_may_and_what_happens_to_others() {
        each_operation(|path, method, operation| {
            let route = ROUTES
                .iter()
                .find(|route| route.path.replace("{*", "{") == path && route.method.as_str().eq_ignore_ascii_case(method))
                .unwrap();
            let security = operation["security"].as_array().expect(path);
            let expected = match route.needs {
                Needs::Nothing => 0,
                Needs::Key(Scope::Admin | Scope::Read) | Needs::Proof => 1,
                // A client certificate does instead of a key, or nothing.
                Needs::Key(Scope::Ingest) | Needs::ReadUnlessPublic => 2,
            };
            assert_eq!(security.len(), expected, "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for status in ["401", "403", "429"] {
                assert_eq!(responses.contains_key(status), expected > 0, "{method} {path} {status}");
            }
            for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let described = operation["parameters"].as_array().into_iter().flatten();
                assert!(
                    described.into_iter().any(|known| known["in"] == "path" && known["name"] == parameter),
                    "{method} {path} {parameter}"
                );
            }
        });
    }

    #[test]
    fn the_status_of_a_connection_is_described_as_it_is_shown() {
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let schema = document()["components"]["schemas"]["PollStatus"].clone();
        let (some, error) = (Some(1), Some("refused".to_owned()));
        let full = PollStatus {
            newest_event_at: some,
            caught_up_at: some,
            kept_at: some,
            next_at: some,
            last_error: error,
            last_error_at: some,
            ..PollStatus::default()
        };
        assert_eq!(names(&schema["properties"]), names(&serde_json::to_value(full).unwrap()));
        let required: BTreeSet<_> = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(required, names(&serde_json::to_value(PollStatus::default()).unwrap()));
        let all = [Doing::Starting, Doing::Reading, Doing::Waiting, Doing::Slowed, Doing::Failing, Doing::Stopped];
        assert_eq!(schema["properties"]["doing"]["enum"], serde_json::to_value(all).unwrap());
        let connection = &document()["components"]["schemas"]["Connection"];
        assert_eq!(connection["properties"]["status"]["$ref"], "#/components/schemas/PollStatus");
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        fn walk(value: &Value, whole: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        assert!(whole.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
                    }
                    members.values().for_each(|member| walk(member, whole));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, whole)),
                _ => {}
            }
        }
        walk(&document(), &document());
        assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
