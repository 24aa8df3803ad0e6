//! What goes over a session: routes that are refused, attributes that become others, services without endpoints.

use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    let speaks = asked.objects.iter().any(|object| object.kind.starts_with("CiliumBGP"));
    if speaks && asked.crosses((1, 16)) {
        let what = "from Cilium 1.16 on every route that a neighbor sends is refused: nodes accept 0 paths, and only then do the counters of \
                    received and accepted routes differ"
            .to_owned();
        findings.push(
            Finding::new("inbound-refused", Severity::Changes, (1, 16), what)
                .instead("nothing: Cilium never put them into a kernel; mend alerts that count accepted paths on nodes")
                .source("f7dc70f783"),
        );
    }
    findings.extend(origin(asked));
    findings.extend(no_endpoints(asked));
    if speaks && asked.crosses((1, 20)) && advertises_by_peer(asked) {
        let what = "from Cilium 1.20 on a route that one neighbor is not to have any more is withdrawn from it at once; before, it stayed \
                    until the session ended, as long as another neighbor still had it"
            .to_owned();
        findings.push(
            Finding::new("withdrawn-from-one", Severity::Changes, (1, 20), what)
                .instead("nothing, unless something stands on the stale route")
                .source("osrg/gobgp pull request 3434 (in 4.7)"),
        );
    }
    findings
}

/// MetalLB's speaker says ORIGIN incomplete, Cilium's says IGP.
fn origin(asked: &Asked) -> Option<Finding> {
    let (at, _) = asked.value("bgp.enabled").filter(|(_, node)| node.as_text() == Some("true"))?;
    asked.crosses((1, 17)).then(|| {
        let what = "addresses of load balancers that MetalLB's speaker announced with ORIGIN incomplete come from Cilium's own control plane \
                    with ORIGIN IGP, once that announces them: best paths may move"
            .to_owned();
        Finding::new("origin", Severity::Changes, (1, 17), what)
            .at(at)
            .instead("write `bgpControlPlane.legacyOriginAttribute.enabled: true` (from 1.19, and 1.18.2) to keep the old value")
            .source("348bee444f, pull request 41479")
    })
}

/// Services without endpoints stay advertised; 1.19 brings a switch.
fn no_endpoints(asked: &Asked) -> Option<Finding> {
    let advert = asked.of_kind("CiliumBGPAdvertisement").find_map(|object| {
        let (path, _) = fields(&object.object, "spec.advertisements.[].service").into_iter().next()?;
        Some((object, path))
    });
    let policy = || {
        asked.of_kind("CiliumBGPPeeringPolicy").find_map(|object| {
            let (path, _) =
                fields(&object.object, "spec.virtualRouters.[].serviceSelector").into_iter().next()?;
            Some((object, path))
        })
    };
    let (object, path) = advert.or_else(policy)?;
    asked.crosses((1, 19)).then(|| {
        let what = "a service whose last endpoint is gone stays advertised, as before; Cilium 1.19 can withdraw it, and does not unless told".to_owned();
        Finding::new("no-endpoints", Severity::Note, (1, 19), what)
            .of(object, &path)
            .instead("write `enableNoServiceEndpointsRoutable: false` to have it withdrawn")
            .source("pull request 40717; 77737c18d1, pkg/svcrouteconfig/cell.go")
    })
}

/// Whether some neighbors are told more than others.
fn advertises_by_peer(asked: &Asked) -> bool {
    asked.of_kind("CiliumBGPPeerConfig").count() > 1 || asked.of_kind("CiliumBGPAdvertisement").count() > 1
}
