//! A policy's conditions by themselves, without what is known before it is asked.
//!
//! A policy is put aside for an action and for those its head speaks of ([`super::slice`]). Of what is then asked of it,
//! the principal and the action of its head are always true, so they are left out, and the resource of the head stands
//! first among the conditions. Cedar evaluates a head and conditions from left to right as one `&&`, and the principal and
//! the action of a head cannot fail to evaluate: what is left is true, false, or fails exactly when the policy does.
//!
//! A small set of literals, `[a, b].contains(x)` and `x in [a, b]`, would be built anew each time; it is written as `a == x
//! || b == x` and `x in a || x in b`, which Cedar defines to be the same. Large sets stay: Cedar goes down one level for each
//! part, and a policy that goes too deep fails.
//!
//! Expressions are those of Cedar's JSON policy format. Whatever is not known here is left as it is.

use cedar_policy::{Effect, Policy, PolicyId};
use serde_json::{Value, json};

use super::space::walk;

/// How many elements of a set are compared one by one at most.
const FEW: usize = 8;

/// The conditions of a policy, as one expression.
#[derive(Debug)]
pub(crate) struct Lean {
    /// The expression.
    pub body: Value,
    /// The same as a policy with an open head.
    pub policy: Policy,
}

impl Lean {
    /// Of a policy of which the head's principal and action are known to be true. None if it is in a form that is not known here.
    pub(crate) fn of(policy: &Policy, json: &Value) -> Option<Self> {
        let conditions = json.get("conditions")?.as_array()?;
        let parts = resource(json.get("resource")?)?
            .into_iter()
            .chain(conditions.iter().map(condition).collect::<Option<Vec<_>>>()?);
        let body = parts.map(|part| one_by_one(&part)).reduce(both).unwrap_or_else(|| json!({"Value": true}));
        let policy = open(policy.id().clone(), policy.effect(), &body)?;
        Some(Self { body, policy })
    }
}

/// A policy for everybody and everything under this condition.
fn open(id: PolicyId, effect: Effect, body: &Value) -> Option<Policy> {
    let open = json!({"op": "All"});
    let effect = if effect == Effect::Permit { "permit" } else { "forbid" };
    let conditions = [json!({"kind": "when", "body": body})];
    let json = json!({"effect": effect, "principal": open, "action": open, "resource": open, "conditions": conditions});
    Policy::from_json(Some(id), json).ok()
}

/// One forbid in place of several: it is neither true nor fails exactly when that holds of each of them.
pub(crate) fn any_of<'a>(id: PolicyId, all: impl Iterator<Item = &'a Lean>) -> Option<Policy> {
    open(id, Effect::Forbid, &all.map(|lean| lean.body.clone()).reduce(either)?)
}

/// Whether this policy may look at the action in its conditions, or at the groups that it is in.
pub(crate) fn looks_at_the_action(json: &Value) -> bool {
    let mut looks = false;
    walk(json.get("conditions").unwrap_or(&Value::Null), &mut |value| {
        looks |= value.get("Var").and_then(Value::as_str) == Some("action");
        looks |= value.get("type").and_then(Value::as_str) == Some("Action");
    });
    looks
}

/// The head's resource as expressions.
fn resource(head: &Value) -> Option<Vec<Value>> {
    let compared = |op: &str, entity: &Value| json!({op: {"left": {"Var": "resource"}, "right": {"Value": {"__entity": entity}}}});
    match head.get("op")?.as_str()? {
        "All" => Some(vec![]),
        op @ ("==" | "in") => Some(vec![compared(op, head.get("entity")?)]),
        "is" => {
            let kind = head.get("entity_type")?;
            let mut parts = vec![json!({"is": {"left": {"Var": "resource"}, "entity_type": kind}})];
            if let Some(within) = head.get("in") {
                parts.push(compared("in", within.get("entity")?));
            }
            Some(parts)
        }
        _ => None,
    }
}

fn condition(clause: &Value) -> Option<Value> {
    let body = clause.get("body")?;
    match clause.get("kind")?.as_str()? {
        "when" => Some(body.clone()),
        "unless" => Some(json!({"!": {"arg": body}})),
        _ => None,
    }
}

fn both(left: Value, right: Value) -> Value {
    json!({"&&": {"left": left, "right": right}})
}

fn either(left: Value, right: Value) -> Value {
    json!({"||": {"left": left, "right": right}})
}

/// The expression with each set of literals that is only looked through taken apart.
fn one_by_one(expression: &Value) -> Value {
    if let Some(apart) = apart(expression, "contains", "left", "right", "==") {
        return apart;
    }
    if let Some(apart) = apart(expression, "in", "right", "left", "in") {
        return apart;
    }
    match expression {
        Value::Array(all) => all.iter().map(one_by_one).collect(),
        // What stands in a literal is no expression.
        Value::Object(all) if all.contains_key("Value") => expression.clone(),
        Value::Object(all) => all.iter().map(|(key, inner)| (key.clone(), one_by_one(inner))).collect(),
        _ => expression.clone(),
    }
}

/// `op` of a set and something, as several `each` of one element and the same. What is compared stays on the left of `in`.
fn apart(expression: &Value, op: &str, set: &str, other: &str, each: &str) -> Option<Value> {
    let sides = expression.get(op)?;
    let elements = sides.get(set)?.get("Set")?.as_array()?;
    let other = sides.get(other)?;
    // An `in` that meets what is no entity fails, even after one that is true.
    let fits = |element: &Value| is_entity(element) || op == "contains" && is_plain(element);
    if elements.len() > FEW || !elements.iter().all(fits) || !is_path(other) {
        return None;
    }
    let compared = elements.iter().map(|element| json!({each: {"left": other, "right": element}}));
    compared.reduce(either)
}

fn is_entity(literal: &Value) -> bool {
    literal.get("Value").is_some_and(|value| value.get("__entity").is_some())
}

/// Whether this is a yes or no, a number or a text.
fn is_plain(literal: &Value) -> bool {
    literal.get("Value").is_some_and(|value| value.is_boolean() || value.is_number() || value.is_string())
}

/// Whether this is a variable or an attribute of one: cheap enough to be evaluated several times.
fn is_path(expression: &Value) -> bool {
    match expression.get(".") {
        Some(of) => of.get("left").is_some_and(is_path),
        None => expression.get("Var").is_some(),
    }
}
