//! Which validation rules the definitions have, and since when.
//!
//! What lives here: the table, and writing it into a schema. What does not: evaluating rules (`twin::api::schema`).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};

use super::fields::down;

/// One rule.
struct Law {
    /// The plural of the kind.
    kind: &'static str,
    /// The API version it is about; `*` for all.
    api: &'static str,
    /// Where: names of properties with dots between, `[]` for the items of a list.
    path: &'static str,
    rule: &'static str,
    message: &'static str,
    /// The first line that has it.
    since: (u32, u32),
}

const fn advertisement(
    api: &'static str,
    since: (u32, u32),
    rule: &'static str,
    message: &'static str,
) -> Law {
    Law { kind: "ciliumbgpadvertisements", api, path: "spec.advertisements.[]", rule, message, since }
}

/// Sources: Cilium's pull requests 38478 and 38553 (1.18) and 42469 (1.19), and pkg/k8s/apis/cilium.io. A Kubernetes before 1.25
/// drops them from a definition, as the recorded one did.
const TABLE: &[Law] = &[
    advertisement(
        "*",
        (1, 18),
        "self.advertisementType != 'Service' || has(self.service)",
        "service field is required for the 'Service' advertisementType",
    ),
    advertisement(
        "v2",
        (1, 18),
        "self.advertisementType != 'PodCIDR' || !has(self.selector)",
        "selector field is not allowed for the 'PodCIDR' advertisementType",
    ),
    advertisement(
        "v2",
        (1, 19),
        "self.advertisementType == 'Service' || !has(self.service)",
        "service field is not allowed for non-'Service' advertisementType",
    ),
    advertisement(
        "v2",
        (1, 19),
        "self.advertisementType != 'Interface' || has(self.interface)",
        "interface field is required for the 'Interface' advertisementType",
    ),
    advertisement(
        "v2",
        (1, 19),
        "self.advertisementType == 'Interface' || !has(self.interface)",
        "interface field is not allowed for non-'Interface' advertisementType",
    ),
    Law {
        kind: "ciliumbgppeerconfigs",
        api: "v2",
        path: "spec.timers",
        rule: "self.keepAliveTimeSeconds <= self.holdTimeSeconds",
        message: "keepAliveTimeSeconds can not be larger than holdTimeSeconds",
        since: (1, 18),
    },
];

/// Writes into a schema the rules that `line` has in API version `api`.
pub(super) fn lay(schema: &mut JSONSchemaProps, kind: &str, api: &str, line: (u32, u32)) {
    let holds = |law: &&Law| law.kind == kind && line >= law.since && (law.api == "*" || law.api == api);
    for law in TABLE.iter().filter(holds) {
        let at = law.path.split('.').try_fold(&mut *schema, down);
        if let Some(at) = at {
            at.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
                rule: law.rule.to_owned(),
                message: Some(law.message.to_owned()),
                ..ValidationRule::default()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::cilium::crds;
    use crate::twin::api::Rehearsal;

    /// A path that leads nowhere would never forbid anything.
    #[test]
    fn every_rule_stands_somewhere() {
        let all = serde_json::to_string(&crds(&"1.20.0".parse().unwrap())).unwrap();
        for law in TABLE {
            let written = format!("\"rule\":{}", json!(law.rule));
            assert!(all.contains(&written), "{}", law.rule);
        }
        for early in ["1.16.0", "1.17.0"] {
            let all = serde_json::to_string(&crds(&early.parse().unwrap())).unwrap();
            assert!(!all.contains("x-kubernetes-validations"), "{early}");
        }
    }

    #[rstest]
    #[case("1.17.5", "v2alpha1", json!({"advertisementType": "Service"}), "")]
    #[case("1.18.0", "v2alpha1", json!({"advertisementType": "Service"}), "service field is required")]
    #[case("1.18.0", "v2", json!({"advertisementType": "Service"}), "service field is required")]
    #[case("1.18.0", "v2", json!({"advertisementType": "Service", "service": {"addresses": ["ClusterIP"]}}), "")]
    #[case("1.18.0", "v2", json!({"advertisementType": "PodCIDR", "service": {"addresses": ["ClusterIP"]}}), "")]
    #[case("1.20.0", "v2", json!({"advertisementType": "PodCIDR", "service": {"addresses": ["ClusterIP"]}}),
        "service field is not allowed")]
    #[case("1.18.0", "v2", json!({"advertisementType": "PodCIDR", "selector": {"matchLabels": {"a": "b"}}}),
        "selector field is not allowed for the 'PodCIDR'")]
    #[case("1.20.0", "v2", json!({"advertisementType": "Interface"}), "interface field is required")]
    fn an_advertisement_is_judged_by_its_version(
        #[case] version: &str,
        #[case] api: &str,
        #[case] advertisement: Value,
        #[case] words: &str,
    ) {
        let rehearsal = Rehearsal::new(&crds(&version.parse().unwrap())).unwrap();
        let object = json!({"apiVersion": format!("cilium.io/{api}"), "kind": "CiliumBGPAdvertisement",
            "metadata": {"name": "a"}, "spec": {"advertisements": [advertisement]}});
        let wrong = rehearsal.apply(&object);
        match wrong.first() {
            None => assert_eq!(words, ""),
            Some(one) => {
                assert_eq!(one.field, "spec.advertisements[0]", "{one:?}");
                assert!(!words.is_empty() && one.message.contains(words), "{one:?}");
            }
        }
    }

    #[test]
    fn a_keepalive_above_the_hold_time_is_refused_also_where_one_is_the_default() {
        let rehearsal = Rehearsal::new(&crds(&"1.20.0".parse().unwrap())).unwrap();
        let wrong = |timers: Value| {
            let object = json!({"apiVersion": "cilium.io/v2", "kind": "CiliumBGPPeerConfig",
                "metadata": {"name": "a"}, "spec": {"timers": timers}});
            rehearsal.apply(&object)
        };
        assert_eq!(wrong(json!({"keepAliveTimeSeconds": 30, "holdTimeSeconds": 90})), []);
        let said = wrong(json!({"holdTimeSeconds": 9}));
        assert_eq!(said[0].field, "spec.timers");
        assert!(said[0].message.contains("can not be larger than holdTimeSeconds"), "{said:?}");
    }
}
