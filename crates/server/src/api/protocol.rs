//! The protocol a route speaks: how it says no.
//!
//! A shipper understands only its own errors: whether it may try again, and what to tell its owner.

use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::api::error::ApiError;
use crate::api::route::Endpoint;
use crate::api::{elastic, grpc, hec, otlp, ssf};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Ours, and that of webhooks: `{"error":{"code","message"}}`.
    Own,
    /// Splunk's HTTP event collector.
    Splunk,
    /// Elasticsearch.
    Elastic,
    /// OTLP/HTTP in protobuf.
    OtlpProtobuf,
    /// OTLP/HTTP in JSON.
    OtlpJson,
    /// gRPC.
    Grpc,
    /// RFC 8935.
    SecurityEvents,
}

const ELASTIC_PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

impl Protocol {
    /// What a request for `endpoint` speaks.
    pub fn of(endpoint: Endpoint, headers: &HeaderMap) -> Self {
        match endpoint {
            Endpoint::HecEvents | Endpoint::HecRaw | Endpoint::HecHealth | Endpoint::HecAck => Self::Splunk,
            Endpoint::ElasticInfo
            | Endpoint::ElasticBulk
            | Endpoint::ElasticIndex
            | Endpoint::ElasticCreate
            | Endpoint::ElasticSetting
            | Endpoint::ElasticAsked => Self::Elastic,
            Endpoint::OtlpLogs if otlp::is_json(headers) => Self::OtlpJson,
            Endpoint::OtlpLogs => Self::OtlpProtobuf,
            Endpoint::OtlpGrpc => Self::Grpc,
            Endpoint::SecurityEvents => Self::SecurityEvents,
            _ => Self::Own,
        }
    }

    /// The error in the shape that this protocol has.
    pub fn refuse(self, why: ApiError) -> Response {
        match self {
            Self::Own => why.into_response(),
            Self::Splunk => hec::refuse(why),
            Self::Elastic => elastic::refuse(why),
            Self::OtlpProtobuf => otlp::refuse(why, false),
            Self::OtlpJson => otlp::refuse(why, true),
            Self::Grpc => grpc::refuse(&why),
            Self::SecurityEvents => ssf::refuse(why),
        }
    }

    /// What every answer of this protocol carries.
    pub fn mark(self, response: &mut Response) {
        if self == Self::Elastic {
            response.headers_mut().insert(ELASTIC_PRODUCT, HeaderValue::from_static("Elasticsearch"));
        }
    }
}

/// An answer with the headers of an error: when to come back, and how to show who one is.
pub fn refusal(why: &ApiError, status: StatusCode, content_type: &'static str, body: impl Into<axum::body::Body>) -> Response {
    // Ours has the headers; its body is replaced.
    let mut response = ApiError { status, message: String::new(), ..why.clone() }.into_response();
    *response.body_mut() = body.into();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
