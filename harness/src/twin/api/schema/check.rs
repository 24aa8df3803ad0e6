//! Judging a value by a schema, in the words of a real API server.
//!
//! What lives here: one cause per thing that is wrong, with the path of the field. What does not: rules
//! in CEL (`validations`).

use serde_json::Value;

use super::format::fits;
use super::read::{ListKeys, Schema};
use super::{field, read::Additional};
use crate::twin::api::Cause;

/// After this many causes the rest is not looked at: an answer is for reading.
const MANY: usize = 64;

impl Schema {
    /// Everything that is wrong with a whole object.
    pub(in crate::twin::api) fn check(&self, object: &Value) -> Vec<Cause> {
        let mut causes = Vec::new();
        self.judge(object, "", &mut causes);
        causes.truncate(MANY);
        causes
    }

    fn judge(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        if causes.len() >= MANY || (value.is_null() && self.nullable) {
            return;
        }
        if let Some(wrong) = self.wrong_type(value, path) {
            causes.push(wrong);
            return;
        }
        if !self.values.is_empty() && !self.values.contains(value) {
            let allowed: Vec<_> =
                self.values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
            causes.push(Cause::unsupported(path, value, &allowed));
        }
        match value {
            Value::String(text) => self.judge_text(value, text, path, causes),
            Value::Number(_) => self.judge_number(value, path, causes),
            Value::Array(items) => self.judge_list(items, path, causes),
            Value::Object(map) => self.judge_map(map, path, causes),
            Value::Null | Value::Bool(_) => {}
        }
        self.judge_branches(value, path, causes);
    }

    fn wrong_type(&self, value: &Value, path: &str) -> Option<Cause> {
        let found = type_of(value);
        let wanted = if self.int_or_string {
            if matches!(found, "integer" | "string") {
                return None;
            }
            "integer,string"
        } else {
            let wanted = self.kind.as_deref()?;
            if wanted == found || (wanted == "number" && found == "integer") {
                return None;
            }
            wanted
        };
        let message =
            format!("Invalid value: \"{found}\": {} must be of type {wanted}: \"{found}\"", in_body(path));
        Some(Cause { field: path.to_owned(), reason: "FieldValueTypeInvalid", message })
    }

    fn judge_text(&self, value: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
        let length = text.chars().count() as u64;
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            causes.push(Cause { field: path.to_owned(), reason: "FieldValueTooLong", message });
        }
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            causes.push(said(path, value, &format!("should be at least {least} chars long")));
        }
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(text)
        {
            causes.push(said(path, value, &format!("should match '{}'", pattern.as_str())));
        }
        if let Some(format) = &self.format
            && !fits(format, text)
        {
            let message =
                format!("Invalid value: {value}: {} must be of type {format}: {value}", in_body(path));
            causes.push(Cause { field: path.to_owned(), reason: "FieldValueInvalid", message });
        }
    }

    fn judge_number(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        let Some(number) = value.as_f64() else { return };
        if let Some(most) = self.maximum
            && (number > most || (self.exclusive_maximum && number >= most))
        {
            let words = if self.exclusive_maximum { "less than" } else { "less than or equal to" };
            causes.push(said(path, value, &format!("should be {words} {}", go_float(most))));
        }
        if let Some(least) = self.minimum
            && (number < least || (self.exclusive_minimum && number <= least))
        {
            let words = if self.exclusive_minimum { "greater than" } else { "greater than or equal to" };
            causes.push(said(path, value, &format!("should be {words} {}", go_float(least))));
        }
        if let Some(step) = self.multiple_of.filter(|step| *step > 0.0)
            && (number / step).fract() != 0.0
        {
            causes.push(said(path, value, &format!("should be a multiple of {}", go_float(step))));
        }
        let in_range = match self.format.as_deref() {
            Some("int32") if value.is_i64() || value.is_u64() => {
                value.as_i64().is_some_and(|n| i32::try_from(n).is_ok())
            }
            Some("int64") if value.is_u64() => value.is_i64(),
            _ => true,
        };
        if !in_range {
            let format = self.format.as_deref().unwrap_or_default();
            let message =
                format!("Invalid value: {value}: {} must be of type {format}: {value}", in_body(path));
            causes.push(Cause { field: path.to_owned(), reason: "FieldValueInvalid", message });
        }
    }

    fn judge_list(&self, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
        let count = items.len() as u64;
        if let Some(most) = self.max_items.filter(|most| count > *most) {
            let message = format!("Too many: {count}: must have at most {most} item{}", plural(most));
            causes.push(Cause { field: path.to_owned(), reason: "FieldValueTooMany", message });
        }
        if let Some(least) = self.min_items.filter(|least| count < *least) {
            causes.push(said(path, &Value::from(count), &format!("should have at least {least} items")));
        }
        if let Some(schema) = &self.items {
            for (at, item) in items.iter().enumerate() {
                schema.judge(item, &format!("{path}[{at}]"), causes);
            }
        }
        if self.list_keys != ListKeys::Free {
            let mut seen = std::collections::HashSet::new();
            for (at, item) in items.iter().enumerate() {
                let key = self.list_key(item);
                if !seen.insert(key.to_string()) {
                    causes.push(Cause::duplicate(format!("{path}[{at}]"), &key));
                }
            }
        }
    }

    fn list_key(&self, item: &Value) -> Value {
        match &self.list_keys {
            ListKeys::Fields(fields) => {
                fields.iter().filter_map(|f| item.get(f).map(|v| (f.clone(), v.clone()))).collect()
            }
            ListKeys::Free | ListKeys::Whole => item.clone(),
        }
    }

    fn judge_map(&self, map: &serde_json::Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
        for key in &self.required {
            if !map.contains_key(key) {
                causes.push(Cause::required(field(path, key), ""));
            }
        }
        let count = map.len() as u64;
        if let Some(most) = self.max_properties.filter(|most| count > *most) {
            let message = format!("Too many: {count}: must have at most {most} item{}", plural(most));
            causes.push(Cause { field: path.to_owned(), reason: "FieldValueTooMany", message });
        }
        if let Some(least) = self.min_properties.filter(|least| count < *least) {
            causes.push(said(path, &Value::from(count), &format!("should have at least {least} properties")));
        }
        for (key, value) in map {
            // The object's own metadata is judged with every other object's, not by the schema.
            if path.is_empty() && matches!(key.as_str(), "metadata" | "apiVersion" | "kind") {
                continue;
            }
            if let Some(schema) = self.property(key) {
                schema.judge(value, &field(path, key), causes);
            }
        }
    }

    fn judge_branches(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        let holds = |schema: &Self| -> bool {
            let mut found = Vec::new();
            schema.judge(value, path, &mut found);
            found.is_empty()
        };
        for schema in &self.all_of {
            schema.judge(value, path, causes);
        }
        if !self.any_of.is_empty() && !self.int_or_string && !self.any_of.iter().any(holds) {
            causes.push(branch(path, "must validate at least one schema (anyOf)"));
        }
        if !self.one_of.is_empty() {
            match self.one_of.iter().filter(|schema| holds(schema)).count() {
                1 => {}
                0 => causes
                    .push(branch(path, "must validate one and only one schema (oneOf). Found none valid")),
                n => {
                    let words = format!(
                        "must validate one and only one schema (oneOf). Found {n} valid alternatives"
                    );
                    causes.push(branch(path, &words));
                }
            }
        }
        if self.not.as_deref().is_some_and(holds) {
            causes.push(branch(path, "must not validate the schema (not)"));
        }
    }

    /// Whether fields that no property names may stay.
    pub(super) fn open(&self) -> bool {
        self.preserve_unknown || matches!(self.additional, Additional::Any)
    }
}

fn in_body(path: &str) -> String {
    if path.is_empty() { "<nil> in body".into() } else { format!("{path} in body") }
}

fn said(path: &str, value: &Value, words: &str) -> Cause {
    Cause::invalid(path, value, &format!("{} {words}", in_body(path)))
}

fn branch(path: &str, words: &str) -> Cause {
    Cause::invalid(path, &Value::String(String::new()), &format!("\"{path}\" {words}"))
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        // 1.0 is an integer to a JSON schema, as it is to a Kubernetes server.
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::Number(n) if n.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() < 9.0e15) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A float as Go's `%v` prints it: the exponent form from a million up (`4.294967295e+09`).
fn go_float(number: f64) -> String {
    if number == 0.0 || (1e-4..1e21).contains(&number.abs()) && number.abs() < 1e6 {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}
