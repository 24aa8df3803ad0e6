//! A document of OpenAPI v2 in the protobuf of gnostic (`openapi.v2.Document`), the one encoding kubectl asks for.
//!
//! What lives here: the field numbers, as in the descriptors of kubectl 1.33, and writing. What does not: what the document says (`v2`).

use serde_json::{Map, Value};

/// How the value of a key is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Texts,
    Flag,
    Count,
    Double,
    /// Any value, as YAML.
    Any,
    Anys,
    Schema,
}

/// `Schema`, but for what is a message of its own (`type`, `items`, `properties`, `additionalProperties`).
const SCHEMA: &[(u8, &str, Form)] = &[
    (1, "$ref", Form::Text),
    (2, "format", Form::Text),
    (3, "title", Form::Text),
    (4, "description", Form::Text),
    (5, "default", Form::Any),
    (6, "multipleOf", Form::Double),
    (7, "maximum", Form::Double),
    (8, "exclusiveMaximum", Form::Flag),
    (9, "minimum", Form::Double),
    (10, "exclusiveMinimum", Form::Flag),
    (11, "maxLength", Form::Count),
    (12, "minLength", Form::Count),
    (13, "pattern", Form::Text),
    (14, "maxItems", Form::Count),
    (15, "minItems", Form::Count),
    (16, "uniqueItems", Form::Flag),
    (17, "maxProperties", Form::Count),
    (18, "minProperties", Form::Count),
    (19, "required", Form::Texts),
    (20, "enum", Form::Anys),
];

/// The methods of a path.
const METHODS: &[(u8, &str)] = &[(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")];

/// One message as it grows.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn tag(&mut self, number: u8, wire: u8) {
        self.varint(u64::from(number) << 3 | u64::from(wire));
    }

    fn bytes(&mut self, number: u8, bytes: &[u8]) {
        self.tag(number, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, number: u8, value: &Value) {
        if let Some(text) = value.as_str() {
            self.bytes(number, text.as_bytes());
        }
    }

    fn texts(&mut self, number: u8, value: &Value) {
        for text in value.as_array().into_iter().flatten() {
            self.text(number, text);
        }
    }

    fn flag(&mut self, number: u8, value: &Value) {
        if value.as_bool() == Some(true) {
            self.tag(number, 0);
            self.varint(1);
        }
    }

    fn message(&mut self, number: u8, message: &Self) {
        self.bytes(number, &message.0);
    }

    fn form(&mut self, number: u8, value: &Value, form: Form) {
        match form {
            Form::Text => self.text(number, value),
            Form::Texts => self.texts(number, value),
            Form::Flag => self.flag(number, value),
            Form::Count => {
                if let Some(count) = value.as_u64() {
                    self.tag(number, 0);
                    self.varint(count);
                }
            }
            Form::Double => {
                if let Some(value) = value.as_f64() {
                    self.tag(number, 1);
                    self.0.extend_from_slice(&value.to_le_bytes());
                }
            }
            Form::Any => self.message(number, &any(value)),
            Form::Anys => {
                for value in value.as_array().into_iter().flatten() {
                    self.message(number, &any(value));
                }
            }
            Form::Schema => self.message(number, &schema(value)),
        }
    }

    /// A name and a value of its own message, as every map is written.
    fn named(&mut self, number: u8, name: &str, value: &Self) {
        let mut entry = Self::default();
        entry.bytes(1, name.as_bytes());
        entry.message(2, value);
        self.message(number, &entry);
    }

    fn extensions(&mut self, number: u8, of: &Map<String, Value>) {
        for (key, value) in of.iter().filter(|(key, _)| key.starts_with("x-")) {
            self.named(number, key, &any(value));
        }
    }
}

/// Writes a whole document.
pub(super) fn document(swagger: &Value) -> Vec<u8> {
    let mut made = Message::default();
    made.text(1, &swagger["swagger"]);
    let mut info = Message::default();
    info.text(1, &swagger["info"]["title"]);
    info.text(2, &swagger["info"]["version"]);
    made.message(2, &info);
    let mut paths = Message::default();
    for (path, item) in entries(&swagger["paths"]) {
        let mut own = Message::default();
        for (number, method) in METHODS {
            if let Some(of) = item[method].as_object() {
                own.message(*number, &operation(of));
            }
        }
        parameters(&mut own, 9, &item["parameters"]);
        paths.named(2, path, &own);
    }
    made.message(8, &paths);
    let mut definitions = Message::default();
    for (name, definition) in entries(&swagger["definitions"]) {
        definitions.named(1, name, &schema(definition));
    }
    made.message(9, &definitions);
    made.0
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// `Any`: its `yaml` is read as YAML, of which JSON is a part.
fn any(value: &Value) -> Message {
    let mut made = Message::default();
    made.bytes(2, value.to_string().as_bytes());
    made
}

fn schema(value: &Value) -> Message {
    let mut made = Message::default();
    let Some(map) = value.as_object() else { return made };
    for (number, key, form) in SCHEMA {
        if let Some(value) = map.get(*key) {
            made.form(*number, value, *form);
        }
    }
    let mut one = |outer: u8, inner: u8, value: Option<&Value>, form: Form| {
        if let Some(value) = value {
            let mut item = Message::default();
            item.form(inner, value, form);
            made.message(outer, &item);
        }
    };
    let additional = map.get("additionalProperties");
    one(21, 1, additional.filter(|value| value.is_object()), Form::Schema);
    one(21, 2, additional.filter(|value| value.is_boolean()), Form::Flag);
    one(22, 1, map.get("type"), Form::Text);
    one(23, 1, map.get("items"), Form::Schema);
    if let Some(all) = map.get("properties") {
        let mut properties = Message::default();
        for (name, value) in entries(all) {
            properties.named(1, name, &schema(value));
        }
        made.message(25, &properties);
    }
    made.extensions(31, map);
    made
}

fn operation(of: &Map<String, Value>) -> Message {
    let mut made = Message::default();
    for (number, key) in [(6, "produces"), (7, "consumes")] {
        made.texts(number, of.get(key).unwrap_or(&Value::Null));
    }
    parameters(&mut made, 8, of.get("parameters").unwrap_or(&Value::Null));
    let mut responses = Message::default();
    for (code, answer) in of.get("responses").into_iter().flat_map(entries) {
        let (mut item, mut response, mut value) =
            (Message::default(), Message::default(), Message::default());
        item.message(1, &schema(&answer["schema"]));
        response.text(1, &answer["description"]);
        response.message(2, &item);
        value.message(1, &response);
        responses.named(1, code, &value);
    }
    made.message(9, &responses);
    made.extensions(13, of);
    made
}

fn parameters(into: &mut Message, number: u8, list: &Value) {
    for of in list.as_array().into_iter().flatten() {
        let (mut own, mut parameter, mut item) = (Message::default(), Message::default(), Message::default());
        if of["in"] == "body" {
            own.text(2, &of["name"]);
            own.text(3, &of["in"]);
            own.flag(4, &of["required"]);
            own.message(5, &schema(&of["schema"]));
            parameter.message(1, &own);
        } else {
            // In a path and in a query the same numbers, but for what stands behind the name.
            let in_path = of["in"] == "path";
            let (kind, unique) = if in_path { (5, 19) } else { (6, 20) };
            own.flag(1, &of["required"]);
            own.text(2, &of["in"]);
            own.text(4, &of["name"]);
            own.text(kind, &of["type"]);
            own.flag(unique, &of["uniqueItems"]);
            let mut other = Message::default();
            other.message(if in_path { 4 } else { 3 }, &own);
            parameter.message(2, &other);
        }
        item.message(1, &parameter);
        into.message(number, &item);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_written_as_gnostic_writes_it() {
        let swagger = json!({
            "swagger": "2.0", "info": {"title": "t", "version": "v"}, "paths": {},
            "definitions": {"A": {"type": "object", "required": ["a"], "x-y": 1}},
        });
        // Worked out by hand from the numbers in gnostic's OpenAPIv2.proto.
        let extension = b"\xfa\x01\x0a\x0a\x03x-y\x12\x03\x12\x011";
        let own = [&b"\x9a\x01\x01a\xb2\x01\x08\x0a\x06object"[..], extension].concat();
        let entry = [&b"\x0a\x01A\x12"[..], &[u8::try_from(own.len()).unwrap()], &own].concat();
        let sized = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let expected =
            [&b"\x0a\x032.0\x12\x06\x0a\x01t\x12\x01v\x42\x00"[..], &sized(0x4a, &sized(0x0a, &entry))]
                .concat();
        assert_eq!(document(&swagger), expected);
    }

    #[test]
    fn a_number_is_written_whatever_its_size() {
        let mut message = Message::default();
        message.form(7, &json!(4_294_967_295_u64), Form::Double);
        message.form(11, &json!(300), Form::Count);
        let double = 4_294_967_295_f64.to_le_bytes();
        assert_eq!(message.0, [&[0x39], &double[..], &[0x58, 0xac, 0x02]].concat());
    }
}
