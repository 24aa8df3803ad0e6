//! Fields of the resources that a version begins to know: they were pruned or refused before, and count after.

use fabric_harness::cilium::field_beginnings;

use super::super::finding::line;
use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    for beginning in field_beginnings().filter(|beginning| asked.crosses(beginning.since)) {
        for object in
            asked.objects.iter().filter(|object| beginning.is_about(&object.api_version, &object.kind))
        {
            for (path, _) in fields(&object.object, beginning.path) {
                let (field, since) = (beginning.path.replace(".[]", "[]"), line(beginning.since));
                let what = format!(
                    "`{field}` of `{}` counts from Cilium {since} on; before, the API server drops it without a word",
                    object.name
                );
                findings.push(
                    Finding::new("field-takes-effect", Severity::Changes, beginning.since, what)
                        .of(object, &path)
                        .instead("leave it out if it is not meant; what it changes, it changes when the first agent of that version starts")
                        .source("git log of pkg/k8s/apis/cilium.io"),
                );
            }
        }
    }
    findings
}
