//! Errors and refusals in the shape OpenAI clients know.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::problem::Code;

/// An error to be told to the caller, in OpenAI's shape: `{"error":{"message","type","param","code"}}`.
///
/// Everything in it is meant to be read outside: it never holds a word of the conversation or of our insides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}: {message}", status.as_u16(), code.unwrap_or(kind))]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    message: Cow<'static, str>,
    param: Option<Box<str>>,
    retry_after: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        code: Option<&'static str>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, kind, code, message: message.into(), param: None, retry_after: None }
    }

    /// A stable code of the house in this protocol's shape: its status, and what to do next.
    pub fn from_code(code: Code) -> Self {
        let status = code.status();
        let message = format!("{}. {}", code.title(), code.advice());
        let retry_after = matches!(status.as_u16(), 503).then_some(1);
        Self { retry_after, ..Self::new(status, kind_of(status), Some(code.as_str()), message) }
    }

    /// 400: the request cannot be understood; `param` is the path of the field at fault.
    pub fn invalid(
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        param: impl Into<Box<str>>,
    ) -> Self {
        let param = param.into();
        let param = (!param.is_empty()).then_some(param);
        Self { param, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", Some(code), message) }
    }

    /// 413: the body is longer than this many bytes.
    pub fn too_big(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request_error",
            Some("request_too_large"),
            format!("The request is longer than {limit} bytes."),
        )
    }

    /// The bot answered with an error whose body is not in this protocol's shape: its status, and words of ours.
    pub fn from_upstream(status: StatusCode) -> Self {
        let kind = kind_of(status);
        let status = if status.is_client_error() || status.is_server_error() {
            status
        } else {
            StatusCode::BAD_GATEWAY
        };
        Self::new(
            status,
            kind,
            Some("upstream_error"),
            format!("The bot answered with status {}.", status.as_u16()),
        )
    }

    /// 400: the policy refuses this message, for callers that asked to hear so as an error.
    pub fn refused(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", Some("content_policy_violation"), reason)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code, for logs and metrics.
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or(self.kind)
    }

    /// Seconds for a `Retry-After` header.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The path of the field at fault.
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// The body to answer with.
    pub fn body(&self) -> Bytes {
        error_body(self.status, self.kind, self.code, &self.message, self.param.as_deref())
    }

    /// The same as an event in the middle of a stream.
    pub fn event(&self) -> Bytes {
        let mut event = b"data: ".to_vec();
        event.extend_from_slice(&self.body());
        event.extend_from_slice(b"\n\n");
        event.into()
    }
}

/// The type of error that goes with a status in this protocol.
fn kind_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// An error object as OpenAI writes it. The status is not part of it; it is asked for so that nobody forgets that an
/// error has one.
pub fn error_body(
    _status: StatusCode,
    kind: &str,
    code: Option<&str>,
    message: &str,
    param: Option<&str>,
) -> Bytes {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } }).to_string().into()
}

/// A refusal as an answer: 200 with `finish_reason: "content_filter"`, which chat clients survive.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The answer's id (`chatcmpl-…`).
    pub id: &'a str,
    /// The model the caller asked for.
    pub model: &'a str,
    /// Unix seconds.
    pub created: u64,
    /// What the customer reads.
    pub text: &'a str,
}

impl Refused<'_> {
    /// The plain body.
    pub fn body(&self) -> Bytes {
        let Self { id, model, created, text } = self;
        json!({
            "id": id, "object": "chat.completion", "created": created, "model": model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": "content_filter",
            }],
            "usage": usage(),
        })
        .to_string()
        .into()
    }

    /// The whole stream, with a usage chunk if the caller asked for one.
    pub fn events(&self, include_usage: bool) -> Bytes {
        let Self { id, model, created, text } = self;
        let mut out = String::new();
        let mut event = |choices: serde_json::Value, usage: Option<serde_json::Value>| {
            let mut chunk = json!({
                "id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices,
            });
            if let (true, Some(object)) = (include_usage, chunk.as_object_mut()) {
                object.insert("usage".to_owned(), usage.unwrap_or_default());
            }
            out.push_str("data: ");
            out.push_str(&chunk.to_string());
            out.push_str("\n\n");
        };
        let choice = |delta: serde_json::Value, reason: Option<&str>| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]);
        event(choice(json!({ "role": "assistant", "content": "" }), None), None);
        event(choice(json!({ "content": text }), None), None);
        event(choice(json!({}), Some("content_filter")), None);
        if include_usage {
            event(json!([]), Some(usage()));
        }
        out.push_str("data: [DONE]\n\n");
        out.into()
    }
}

fn usage() -> serde_json::Value {
    json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_all_four_members() {
        let problem = Problem::invalid("wrong_type", "must be a \"string\"", "messages[0].content");
        assert_eq!(problem.status(), 400);
        let body: serde_json::Value = serde_json::from_slice(&problem.body()).unwrap();
        assert_eq!(
            body,
            json!({"error": {"message": "must be a \"string\"", "type": "invalid_request_error",
                             "param": "messages[0].content", "code": "wrong_type"}})
        );
        assert!(problem.event().starts_with(b"data: {") && problem.event().ends_with(b"\n\n"));
    }

    #[test]
    fn each_status_has_its_type() {
        for (problem, status, kind) in [
            (Problem::too_big(1), 413, "invalid_request_error"),
            (Problem::from_code(Code::MissingKey), 401, "authentication_error"),
            (Problem::from_code(Code::RateLimited), 429, "rate_limit_error"),
            (Problem::from_code(Code::UpstreamCut), 502, "server_error"),
            (Problem::from_code(Code::Internal), 500, "server_error"),
        ] {
            let body: serde_json::Value = serde_json::from_slice(&problem.body()).unwrap();
            assert_eq!((problem.status().as_u16(), body["error"]["type"].as_str().unwrap()), (status, kind));
        }
        assert_eq!(Problem::from_upstream(StatusCode::OK).status(), 502);
        assert_eq!(Problem::from_upstream(StatusCode::IM_A_TEAPOT).status(), 418);
    }

    #[test]
    fn a_refusal_reads_as_an_answer() {
        let refused = Refused { id: "chatcmpl-1", model: "m", created: 7, text: "I \"cannot\"" };
        let body: serde_json::Value = serde_json::from_slice(&refused.body()).unwrap();
        assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
        let events = String::from_utf8(refused.events(true).to_vec()).unwrap();
        assert_eq!(events.matches("data: ").count(), 5);
        assert!(events.ends_with("data: [DONE]\n\n"));
        assert!(!String::from_utf8(refused.events(false).to_vec()).unwrap().contains("usage"));
    }
}
