//! The description of our own routes (OpenAPI 3.1), made of the routes themselves.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{Door, Entry, Route};
use crate::identity::session::Need;
use crate::problem::Code;

/// The shapes of one route.
#[derive(Debug, Clone)]
pub struct Shapes {
    path: Value,
    query: Value,
    body: Value,
    answer: Value,
}

pub(super) fn shapes<R: Route>(made: &mut SchemaGenerator) -> Shapes {
    Shapes {
        path: inline::<R::Path>(made),
        query: inline::<R::Query>(made),
        body: made.subschema_for::<R::Body>().to_value(),
        answer: made.subschema_for::<R::Answer>().to_value(),
    }
}

/// A schema in full: parameters are taken apart.
fn inline<T: JsonSchema>(made: &mut SchemaGenerator) -> Value {
    let mut schema = T::json_schema(made).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
    }
    schema
}

/// The document of these routes; pages are left out.
pub fn document(tables: &[&[Entry]]) -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut made = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for entry in tables.iter().copied().flatten().filter(|entry| !entry.page) {
        let operation = operation(entry, &mut made);
        let at = paths.entry(entry.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(at) = at.as_object_mut() {
            at.insert(entry.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let mut schemas: Map<String, Value> = made.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chatward",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What Chatward answers besides the bots' own protocols: `/me/v1` for customers on the public \
                listener, `/admin/v1` for staff on the private one. Errors are problem documents (RFC 9457); \
                docs/errors.md lists their codes.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {
                    "type": "apiKey", "in": "cookie", "name": crate::identity::session::SESSION_COOKIE,
                    "description": "Made by signing in. What changes something also needs the header `Chatward-Form` with \
                        the session's form token, and to come from our own page.",
                },
                "staff": {
                    "type": "apiKey", "in": "cookie", "name": crate::identity::session::STAFF_SESSION_COOKIE,
                    "description": "Made by signing in. What changes something also needs the header `Chatward-Form` with \
                        the session's form token, and to come from our own page.",
                },
                "key": {
                    "type": "http", "scheme": "bearer",
                    "description": "A program's key, an API key (public listener), or the token of the first start, which \
                        ends with the first administrator.",
                },
                "page": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-chatward",
                    "description": "The chat page's cookie: somebody without a name.",
                },
            },
        },
    })
}

fn operation(entry: &Entry, made: &mut SchemaGenerator) -> Value {
    let shapes = (entry.describe)(made);
    let mut parameters = Vec::new();
    parameters.extend(taken_apart(&shapes.path, "path"));
    parameters.extend(taken_apart(&shapes.query, "query"));
    if entry.repeats {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same request does it once, for a day.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        }));
    }
    if entry.matches {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": true,
            "description": "The `ETag` that came with the thing when it was read.",
            "schema": { "type": "string" },
        }));
    }
    let mut answers = Map::new();
    let mut good = json!({ "description": "Done." });
    if entry.status != 204 {
        good["content"] = json!({ "application/json": { "schema": shapes.answer } });
    }
    answers.insert(entry.status.to_string(), good);
    answers.insert(
        "default".to_owned(),
        json!({
            "description": "Refused or failed; the code says why and what to do next.",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        }),
    );
    let mut operation = json!({
        "summary": entry.what,
        "operationId": operation_id(entry),
        "parameters": parameters,
        "responses": answers,
        "description": door(entry.door),
        "security": security(entry),
    });
    if !super::safe(&entry.method) {
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": shapes.body } }, "required": false });
    }
    operation
}

fn door(door: Door) -> String {
    match door {
        Door::Asks(action) => format!(
            "The policies decide (`{}`, docs/access.md); the decision is in the audit log first.",
            action.name()
        ),
        Door::Own(Need::Security) => "One's own account, with any session.".to_owned(),
        Door::Own(Need::Pages) => "One's own account, signed in.".to_owned(),
        Door::Own(Need::Fresh) => {
            "One's own account, with a second factor of the last ten minutes.".to_owned()
        }
        Door::Own(Need::DeviceBound) => {
            "One's own account, with a fresh second factor that cannot leave its device.".to_owned()
        }
        Door::Open(why) => format!("For anybody: {why}"),
    }
}

fn security(entry: &Entry) -> Value {
    let public = entry.path.starts_with("/me/");
    match entry.door {
        Door::Open(_) => json!([]),
        Door::Own(_) if public => json!([{ "session": [] }]),
        Door::Own(_) => json!([{ "staff": [] }]),
        Door::Asks(_) if public => json!([{ "session": [] }, { "page": [] }, { "key": [] }]),
        Door::Asks(_) => json!([{ "staff": [] }, { "key": [] }]),
    }
}

/// Method and path as one word: `post-admin-v1-staff-id-lock`.
fn operation_id(entry: &Entry) -> String {
    let mut id = entry.method.as_str().to_ascii_lowercase();
    for part in entry.path.split('/').filter(|part| !part.is_empty()) {
        id.push('-');
        id.push_str(part.trim_matches(['{', '}']));
    }
    id
}

/// The members of a structure, each a parameter.
fn taken_apart(schema: &Value, place: &str) -> Vec<Value> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let members = schema["properties"].as_object().into_iter().flatten();
    members
        .map(|(name, schema)| {
            json!({
                "name": name,
                "in": place,
                "required": place == "path" || required.contains(&name.as_str()),
                "description": schema["description"],
                "schema": schema,
            })
        })
        .collect()
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What to do next." },
            "code": { "enum": codes },
            "reason": { "type": "string", "description": "Why, exactly: a code of docs/identity.md or docs/access.md." },
            "field": { "type": "string", "description": "The field that is wrong." },
            "next": { "type": "object", "description": "What can be done now: `do`, and with it `choices` and `until`." },
        },
    })
}
