//! Finding fields in an object by a pattern.

use serde_json::Value as Json;

/// Every field of an object that a pattern means (`spec.virtualRouters.[].neighbors.[].peerPort`), each with the path by
/// which its place is known (`spec.virtualRouters[0].neighbors[1].peerPort`). What is null is not there.
pub(super) fn fields<'o>(object: &'o Json, pattern: &str) -> Vec<(String, &'o Json)> {
    let mut found = vec![(String::new(), object)];
    for step in pattern.split('.') {
        found = found.into_iter().flat_map(|(path, value)| down(&path, value, step)).collect();
    }
    found.retain(|(_, value)| !value.is_null());
    found
}

fn down<'o>(path: &str, value: &'o Json, step: &str) -> Vec<(String, &'o Json)> {
    match (step, value) {
        ("[]", Json::Array(items)) => {
            items.iter().enumerate().map(|(at, item)| (format!("{path}[{at}]"), item)).collect()
        }
        ("[]", _) => Vec::new(),
        (name, value) => {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            value.get(name).map(|value| (path, value)).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("a.b", &["a.b"])]
    #[case("l.[].x", &["l[0].x", "l[2].x"])]
    #[case("l.[]", &["l[0]", "l[1]", "l[2]"])]
    #[case("a.[]", &[])]
    #[case("nothing", &[])]
    #[case("no.more", &[])]
    fn fields_are_found_with_their_paths(#[case] pattern: &str, #[case] expected: &[&str]) {
        let object = json!({"a": {"b": 1}, "l": [{"x": 1}, {"x": null}, {"x": 3}], "nothing": null});
        let found: Vec<String> = fields(&object, pattern).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, expected);
    }
}
