//! Label selectors: does a policy's `nodeSelector` select a node?
//!
//! What lives here: the four operators, as Kubernetes defines them. What does not: where the labels come from.

use std::collections::BTreeMap;

use crate::cilium::{LabelSelector, Operator, Requirement};

/// Whether the selector selects something with these labels. No selector selects nothing; an empty one everything.
///
/// # Errors
/// Says what is wrong with a condition that can never be: In and NotIn without values, Exists and DoesNotExist with.
pub fn selects(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> Result<bool, String> {
    let Some(selector) = selector else { return Ok(false) };
    let mut all = selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    for requirement in &selector.match_expressions {
        all &= meets(requirement, labels)?;
    }
    Ok(all)
}

fn meets(requirement: &Requirement, labels: &BTreeMap<String, String>) -> Result<bool, String> {
    let Requirement { key, operator, values } = requirement;
    let label = labels.get(key);
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            Err(format!("matchExpressions: `{key}` with {operator:?} needs at least one value"))
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            Err(format!("matchExpressions: `{key}` with {operator:?} takes no values"))
        }
        Operator::In => Ok(label.is_some_and(|label| values.contains(label))),
        Operator::NotIn => Ok(label.is_none_or(|label| !values.contains(label))),
        Operator::Exists => Ok(label.is_some()),
        Operator::DoesNotExist => Ok(label.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels() -> BTreeMap<String, String> {
        [("rack", "rack0"), ("gpu", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> LabelSelector {
        let values = values.iter().map(ToString::to_string).collect();
        LabelSelector {
            match_expressions: vec![Requirement { key: key.to_owned(), operator, values }],
            ..LabelSelector::default()
        }
    }

    #[rstest]
    #[case("rack", Operator::In, &["rack0", "rack1"], true)]
    #[case("rack", Operator::In, &["rack1"], false)]
    #[case("zone", Operator::In, &["rack0"], false)]
    #[case("rack", Operator::NotIn, &["rack1"], true)]
    #[case("rack", Operator::NotIn, &["rack0"], false)]
    #[case("zone", Operator::NotIn, &["a"], true)]
    #[case("gpu", Operator::Exists, &[], true)]
    #[case("zone", Operator::Exists, &[], false)]
    #[case("gpu", Operator::DoesNotExist, &[], false)]
    #[case("zone", Operator::DoesNotExist, &[], true)]
    fn operators(
        #[case] key: &str,
        #[case] operator: Operator,
        #[case] values: &[&str],
        #[case] selected: bool,
    ) {
        assert_eq!(selects(Some(&requirement(key, operator, values)), &labels()), Ok(selected));
    }

    #[rstest]
    #[case(Operator::In, &[], "needs at least one value")]
    #[case(Operator::NotIn, &[], "needs at least one value")]
    #[case(Operator::Exists, &["a"], "takes no values")]
    #[case(Operator::DoesNotExist, &["a"], "takes no values")]
    fn impossible_conditions(#[case] operator: Operator, #[case] values: &[&str], #[case] why: &str) {
        let error = selects(Some(&requirement("rack", operator, values)), &labels()).unwrap_err();
        assert!(error.contains(why) && error.contains("`rack`"), "{error}");
    }

    #[test]
    fn all_conditions_must_hold() {
        let mut selector = requirement("gpu", Operator::Exists, &[]);
        selector.match_labels.insert("rack".to_owned(), "rack0".to_owned());
        assert_eq!(selects(Some(&selector), &labels()), Ok(true));
        selector.match_labels.insert("rack".to_owned(), "rack1".to_owned());
        assert_eq!(selects(Some(&selector), &labels()), Ok(false));
    }

    #[test]
    fn nothing_is_not_everything() {
        assert_eq!(selects(None, &labels()), Ok(false));
        assert_eq!(selects(Some(&LabelSelector::default()), &labels()), Ok(true));
    }
}
