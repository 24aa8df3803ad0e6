//! Pools of load balancer addresses.

use fabric_harness::cilium::lb_ipam;

use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    let now = lb_ipam(&asked.from);
    let Some(then) = lb_ipam(&asked.to) else { return findings };
    for pool in asked.of_kind("CiliumLoadBalancerIPPool") {
        let name = &pool.name;
        let cidrs = fields(&pool.object, "spec.cidrs");
        if let (Some((path, _)), true) = (cidrs.first(), now.is_some_and(|now| now.cidrs) && !then.cidrs) {
            let what = format!(
                "Cilium 1.16 does not know `cidrs` any more: pool `{name}` has no addresses, and its services lose theirs"
            );
            findings.push(
                Finding::new("pool-cidrs", Severity::Breaks, (1, 16), what)
                    .of(pool, path)
                    .instead(if now.is_some_and(|now| now.blocks) {
                        "write `blocks`, which the running version knows, too"
                    } else {
                        "write `blocks` with 1.15, which knows both"
                    })
                    .source("notes of 1.16; pkg/k8s/apis/cilium.io/v2alpha1/lbipam_types.go"),
            );
        }
        let ends = fields(&pool.object, "spec.allowFirstLastIPs");
        if ends.is_empty() && now.is_some_and(|now| now.keeps_ends) && !then.keeps_ends {
            let what = format!(
                "Cilium 1.16 gives away the first and last address of each CIDR of pool `{name}`, which were kept back so far"
            );
            findings.push(
                Finding::new("pool-first-last", Severity::Changes, (1, 16), what)
                    .of(pool, "spec")
                    .instead("write `allowFirstLastIPs: \"No\"` to keep them back")
                    .source("notes of 1.16"),
            );
        }
        let alpha = pool.api_version == "cilium.io/v2alpha1";
        let deprecated = |version: Option<&&str>| version.is_some_and(|stored| *stored != "v2alpha1");
        if alpha
            && deprecated(then.versions.first())
            && !deprecated(now.and_then(|now| now.versions.first().copied()).as_ref())
        {
            let what = "cilium.io/v2alpha1 of CiliumLoadBalancerIPPool is deprecated since Cilium 1.18, and still served".to_owned();
            findings.push(
                Finding::new("pool-v2alpha1-deprecated", Severity::Note, (1, 18), what)
                    .of(pool, "apiVersion")
                    .instead("write `apiVersion: cilium.io/v2`")
                    .source("pull requests 39090 and 39134"),
            );
        }
    }
    findings
}
