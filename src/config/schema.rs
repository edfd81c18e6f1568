//! JSON Schema of the config, made from the tables of keys, for editors.

use super::keys::{Key, Keys, KindKeys, Shape, all, find};
use super::root::ROOT;
use serde_json::{Map, Value, json};

/// The schema (JSON Schema, draft 2020-12).
pub fn schema(kinds: &[KindKeys]) -> Value {
    let mut schema = table(&[ROOT], kinds);
    if let Value::Object(schema) = &mut schema {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        schema.insert("$schema".into(), draft.into());
        schema.insert("title".into(), "opsroom config".into());
    }
    schema
}

fn table(groups: &[Keys], kinds: &[KindKeys]) -> Value {
    let keys = || groups.iter().flat_map(|keys| all(keys));
    let properties: Map<String, Value> =
        keys().map(|key| (key.name.into(), property(key, kinds))).collect();
    let needed: Vec<&str> = keys().filter(|key| key.needed).map(|key| key.name).collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        table["required"] = json!(needed);
    }
    table
}

fn property(key: &Key, kinds: &[KindKeys]) -> Value {
    let mut property = shape(&key.shape, kinds);
    if let Value::Object(property) = &mut property {
        property.insert("description".into(), key.doc.into());
        if let Some(default) = key.default {
            property.insert("default".into(), default_value(&key.shape, default));
        }
    }
    property
}

fn default_value(shape: &Shape, default: &str) -> Value {
    if shape.quoted() {
        return default.into();
    }
    // What stands there in TOML is JSON too: numbers, booleans, lists of them.
    serde_json::from_str(default).unwrap_or_else(|_| default.into())
}

fn shape(shape: &Shape, kinds: &[KindKeys]) -> Value {
    let named = |inner: Value| {
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[\\p{L}\\p{N}_.:-]{1,64}$" },
            "additionalProperties": inner,
        })
    };
    match shape {
        Shape::Text | Shape::Header | Shape::Regex => json!({ "type": "string" }),
        Shape::Name | Shape::PromQl => json!({ "type": "string", "minLength": 1 }),
        Shape::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Shape::Address => json!({ "type": "string", "pattern": "^.+:[0-9]{1,5}$" }),
        Shape::Path => json!({ "type": "string", "pattern": "^(/|~/)" }),
        Shape::Code => {
            json!({ "type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5]xx$" })
        }
        Shape::Duration { .. } => {
            json!({ "type": "string", "pattern": "^([0-9.]+ *[a-z]+ *)+$", "examples": ["10s", "1h30m"] })
        }
        Shape::Size => {
            json!({ "type": "string", "pattern": "^[0-9.]+ *[A-Za-z]+$", "examples": ["64 MiB"] })
        }
        Shape::Ratio => json!({ "anyOf": [
            { "type": "string", "pattern": "^[0-9.]+ *%$" },
            { "type": "number", "minimum": 0, "maximum": 1 },
        ] }),
        Shape::Quantity => json!({ "type": ["number", "string"] }),
        Shape::Integer { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
        Shape::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Number => json!({ "type": "number" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Secret => {
            json!({ "type": "string", "minLength": 1, "examples": ["env:NAME", "file:/path", "cmd:command"] })
        }
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::List(inner) => json!({ "type": "array", "items": self::shape(inner, kinds) }),
        Shape::OneOrMore(inner) => {
            let inner = self::shape(inner, kinds);
            json!({ "anyOf": [inner, { "type": "array", "items": inner }] })
        }
        Shape::Map(inner) => {
            json!({ "type": "object", "additionalProperties": self::shape(inner, kinds) })
        }
        Shape::Table(keys) => table(&[keys], kinds),
        Shape::TableOr(short, keys) => {
            let short = find(keys, short).map(|key| self::shape(&key.shape, kinds));
            json!({ "anyOf": [short, table(&[keys], kinds)] })
        }
        Shape::Named(keys) => named(table(&[keys], kinds)),
        Shape::Kinds(family, shared) => {
            let kinds_of = kinds.iter().filter(|kind| kind.family == *family);
            let each: Vec<Value> =
                kinds_of.map(|kind| table(&[kind.keys, shared], kinds)).collect();
            named(json!({ "oneOf": each }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Family;
    use crate::config::key;

    const KINDS: &[KindKeys] = &[KindKeys {
        family: Family::Check,
        name: "tcp",
        keys: &[&[key("tcp", Shape::Address, "Port.").needed()]],
    }];

    #[test]
    fn the_schema_has_every_key_with_its_default_and_doc() {
        let schema = schema(KINDS);
        for key in all(ROOT) {
            assert_eq!(schema["properties"][key.name]["description"], key.doc, "{}", key.name);
        }
        let poll = &schema["properties"]["poll"]["properties"];
        assert_eq!(poll["every"]["default"], "10s");
        assert_eq!(poll["confirm"]["default"], 2);
        assert_eq!(schema["additionalProperties"], false);
        let service = &schema["properties"]["service"]["additionalProperties"]["properties"];
        let check = &service["check"]["additionalProperties"]["oneOf"][0];
        assert_eq!(check["required"], json!(["tcp"]));
        assert_eq!(check["properties"]["every"]["type"], "string");
        assert_eq!(service["third_party"]["default"], false);
    }
}
