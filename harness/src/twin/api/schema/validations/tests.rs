//! Rules as they are compiled, asked, and refused.

use rstest::rstest;
use serde_json::json;

use super::*;

fn said(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = Schema::read(schema, "s").unwrap();
    assert!(schema.ruled());
    schema.obey(object, old).iter().map(ToString::to_string).collect()
}

fn spec(properties: &Value, rules: &Value) -> Value {
    let spec = json!({"type": "object", "properties": properties, "x-kubernetes-validations": rules});
    json!({"type": "object", "properties": {"spec": spec}})
}

#[rstest]
#[case("self.a <= self.b", json!({"a": 1, "b": 2}), None)]
#[case("self.a <= self.b", json!({"a": 3, "b": 2}), Some("failed rule: self.a <= self.b"))]
#[case("!has(self.a) || self.l.all(x, x.n > self.a)", json!({"a": 1, "l": [{"n": 2}]}), None)]
#[case("self.l.exists_one(x, x.n == 2)", json!({"l": [{"n": 2}, {"n": 2}]}), Some("failed rule: self.l.exists_one(x, x.n == 2)"))]
#[case("self.t.startsWith('a') && self.t.lowerAscii() == 'ab'", json!({"t": "aB"}), None)]
#[case("self.x__dash__y == 1 && self.__namespace__ == 'n'", json!({"x-y": 1, "namespace": "n"}), None)]
#[case("self.d > duration('1s')", json!({"d": "2s"}), None)]
#[case("self.f < 1.5", json!({"f": 1}), None)]
#[case("self.m['x.y'] == 'v'", json!({"m": {"x.y": "v"}}), None)]
#[case("self.nowhere == 1", json!({}), Some("evaluating rule: self.nowhere == 1"))]
fn a_rule_is_asked(#[case] rule: &str, #[case] value: Value, #[case] expected: Option<&str>) {
    let number = json!({"type": "integer"});
    let properties = json!({
        "a": number, "b": number, "x-y": number, "namespace": {"type": "string"}, "t": {"type": "string"},
        "d": {"type": "string", "format": "duration"}, "f": {"type": "number"},
        "m": {"type": "object", "additionalProperties": {"type": "string"}},
        "l": {"type": "array", "items": {"type": "object", "properties": {"n": number}}},
    });
    let said = said(&spec(&properties, &json!([{"rule": rule}])), &json!({"spec": value}), None);
    match expected {
        None => assert_eq!(said, Vec::<String>::new()),
        Some(words) => {
            assert!(said[0].starts_with("spec: Invalid value: \"object\": "), "{said:?}");
            assert!(said.len() == 1 && said[0].ends_with(words), "{said:?}");
        }
    }
}

#[test]
fn a_rule_speaks_in_its_own_words_of_its_own_field() {
    let rules = json!([
        {"rule": "self.a > 1", "message": "a is too small", "fieldPath": ".a", "reason": "FieldValueForbidden"},
        {"rule": "self.a > 2", "messageExpression": "'a is ' + string(self.a)", "message": "unused"},
        {"rule": "self.a > 3", "messageExpression": "string(self.nowhere)", "message": "used"},
    ]);
    let said = said(&spec(&json!({"a": {"type": "integer"}}), &rules), &json!({"spec": {"a": 1}}), None);
    let object = "spec: Invalid value: \"object\":";
    assert_eq!(
        said,
        [
            "spec.a: Forbidden: a is too small".to_owned(),
            format!("{object} a is 1"),
            format!("{object} used")
        ]
    );
}

#[test]
fn what_was_is_compared_where_it_can_be_told() {
    let immutable = json!([{"rule": "self == oldSelf", "message": "immutable"}]);
    let item = json!({"type": "object", "properties": {"name": {"type": "string"},
        "v": {"type": "integer", "x-kubernetes-validations": immutable}}});
    let schema = json!({"type": "object", "properties": {
        "keyed": {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        "free": {"type": "array", "items": item},
    }});
    let list = |v: i64| json!([{"name": "other", "v": v}, {"name": "a", "v": v}]);
    let old = json!({"keyed": [{"name": "a", "v": 1}], "free": [{"name": "a", "v": 1}]});
    let new = json!({"keyed": list(2), "free": list(2)});
    assert_eq!(said(&schema, &new, None), Vec::<String>::new(), "there is nothing it was");
    assert_eq!(said(&schema, &new, Some(&old)), ["keyed[1].v: Invalid value: \"integer\": immutable"]);
    let unset = json!([{"rule": "oldSelf.hasValue() || self > 0", "message": "m", "optionalOldSelf": true}]);
    let schema = spec(&json!({"v": {"type": "integer", "x-kubernetes-validations": unset}}), &json!([]));
    let of = |v: i64| json!({"spec": {"v": v}});
    assert_eq!(said(&schema, &of(0), None), ["spec.v: Invalid value: \"integer\": m"]);
    assert_eq!(said(&schema, &of(0), Some(&of(1))), Vec::<String>::new());
}

#[test]
fn what_has_not_changed_is_not_refused() {
    let schema = spec(&json!({"a": {"type": "integer"}}), &json!([{"rule": "self.a > 1"}]));
    let object = json!({"spec": {"a": 1}});
    assert_eq!(said(&schema, &object, Some(&object)), Vec::<String>::new());
    assert_eq!(said(&schema, &object, Some(&json!({"spec": {"a": 0}}))).len(), 1);
}

#[rstest]
#[case(json!({"rule": "self.a >"}), "rule", "compilation failed")]
#[case(json!({"rule": ""}), "rule", "Required")]
#[case(json!({"rule": "true", "reason": "Because"}), "reason", "Unsupported")]
#[case(json!({"rule": "true", "optionalOldSelf": true}), "optionalOldSelf", "oldSelf is not used")]
#[case(json!({"rule": "a".repeat(6_000)}), "rule", "at most")]
#[case(json!({"rule": "1".to_owned() + &"+1".repeat(2_000) + " > 0"}), "rule", "levels deep")]
#[case(json!({"rule": "(".repeat(2_000) + "true" + &")".repeat(2_000)}), "rule", "")]
fn a_rule_that_cannot_be_used_is_refused(#[case] rule: Value, #[case] at: &str, #[case] words: &str) {
    let refused = Schema::read(&spec(&json!({}), &json!([rule])), "s").unwrap_err();
    assert_eq!(refused.field, format!("s.properties[spec].x-kubernetes-validations[0].{at}"));
    assert!(refused.message.contains(words), "{refused}");
}

#[test]
fn a_rule_that_would_never_end_is_not_begun() {
    let four = "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a + b + c + d > 0))))";
    let list = json!({"l": {"type": "array", "items": {"type": "integer"}}});
    let object = json!({"spec": {"l": vec![1; 1000]}});
    let begun = std::time::Instant::now();
    let said = said(&spec(&list, &json!([{"rule": four}, {"rule": "false"}])), &object, None);
    assert!(begun.elapsed().as_secs() < 5);
    assert!(said.len() == 1 && said[0].contains("no further validation rules will be run"), "{said:?}");
}
