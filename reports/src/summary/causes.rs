//! The causes in the summary: each told once, with what shows it, what to type next, and the checks it explains.

use super::{INDENT, Page};
use crate::record::{Cause, Check, Evidence};
use crate::text::{self, one_line};

/// How many causes are told whole; of others, only what is broken and how much it explains.
const SHOWN: usize = 6;

/// How many of the checks that a cause explains are named.
const NAMED: usize = 6;

/// How many pieces of evidence are shown, and how many lines of each.
const EVIDENCE: usize = 2;
const LINES: usize = 6;

impl Page<'_> {
    /// Why checks failed, each cause once: the one that explains most first.
    pub(super) fn why(&self) -> Option<String> {
        let mut causes: Vec<&Cause> =
            self.record.causes.iter().filter(|cause| !cause.victims.is_empty()).collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.victims.len()));
        let shown = causes.len().min(SHOWN);
        let mut blocks: Vec<String> = causes[..shown].iter().map(|cause| self.one_cause(cause)).collect();
        let rest: String = causes[shown..].iter().map(|cause| self.briefly(cause)).collect();
        blocks.extend((!rest.is_empty()).then_some(rest));
        (!blocks.is_empty()).then(|| blocks.join("\n"))
    }

    fn one_cause(&self, cause: &Cause) -> String {
        let mut block = self.titled(&self.paint.bad("         Why"), &cause.title);
        block += &self.wrapped(&cause.text);
        for evidence in cause.evidence.iter().take(EVIDENCE) {
            block += &self.evidence(evidence);
        }
        block += &self.wrapped(&format!("explains {}:", text::count(cause.victims.len(), "check")));
        for name in cause.victims.iter().take(NAMED) {
            // Not wrapped: a name is there to be copied.
            block += &format!("{:INDENT$}  {}\n", "", one_line(name));
        }
        if cause.victims.len() > NAMED {
            block += &format!("{:INDENT$}  … {} more\n", "", cause.victims.len() - NAMED);
        }
        if let Some(command) = &cause.next_command {
            block += &format!("{:INDENT$}{} {}\n", "", self.paint.name("next:"), one_line(command));
        }
        block
    }

    fn evidence(&self, evidence: &Evidence) -> String {
        let said = text::clean(&evidence.content.to_text());
        let lines: Vec<&str> = said.trim_end().lines().collect();
        let mut block = match &evidence.command {
            Some(command) => format!("{:INDENT$}$ {}\n", "", one_line(command)),
            None => self.wrapped(&format!("{}:", evidence.title)),
        };
        for line in lines.iter().take(LINES) {
            block += &self.paint.faint(self.wrapped(&format!("  {line}")).trim_end());
            block.push('\n');
        }
        if lines.len() > LINES {
            block += &format!("{:INDENT$}  … {} more lines in the reports\n", "", lines.len() - LINES);
        }
        block
    }

    fn briefly(&self, cause: &Cause) -> String {
        let explains = text::count(cause.victims.len(), "check");
        self.titled(&self.paint.bad("         Why"), &format!("{} (explains {explains})", cause.title))
    }

    /// Whether a check is told with its cause, and need not be told again.
    pub(super) fn is_explained(&self, check: &Check) -> bool {
        check.cause.as_ref().is_some_and(|id| self.record.causes.iter().any(|cause| cause.id == *id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Content, Record, RungName, sample};
    use crate::summary::{Look, render};

    /// One dead link and what follows from it, a filter, and a check that nobody can explain.
    fn morning() -> Record {
        let mut record = sample::failed();
        let victim = record.checks[0].clone();
        let check = |name: &str, cause: Option<&str>| Check {
            name: name.into(),
            failure: Some("router0: 9 of 12 prefixes\n  - missing: 10.1.1.0/24 = podCIDR(worker)\n".into()),
            cause: cause.map(str::to_owned),
            ..victim.clone()
        };
        let routes = [
            "router0::rib has the 12 prefixes",
            "router0::fib routes to the 12 prefixes",
            "tor1::rib has the 13 prefixes",
        ];
        let mut checks: Vec<Check> =
            routes.iter().map(|name| check(&format!("policy::routes::{name}"), Some("c1"))).collect();
        checks.push(check("policy::sessions::tor0::net0 is established with AS 65000", Some("c1")));
        checks.push(check("workload::reach::pod/nettool-1 reaches pod/nettool-2", Some("c2")));
        checks.push(check("workload::pods::nettool-1 is Running", None));
        record.checks = checks;
        let of = |id: &str| {
            let of_cause = record.checks.iter().filter(|check| check.cause.as_deref() == Some(id));
            of_cause.map(|check| check.name.clone()).collect::<Vec<String>>()
        };
        let evidence = |title: &str, command: &str, said: &str| Evidence {
            title: title.into(),
            command: Some(command.into()),
            content: Content::Text(said.into()),
            taken_ms: 12_300.0,
        };
        let link = Cause {
            id: "c1".into(),
            kind: "link-down".into(),
            rung: RungName::Link,
            title: "the link router0:net0 -- tor0:net0 is down: tor0's end is switched off".into(),
            text: "No session stands on a link without a carrier, and no route comes over it.".into(),
            node: Some("tor0".into()),
            about: Some("net0".into()),
            evidence: vec![evidence(
                "tor0's net0",
                "fabric exec --name demo tor0 -- ip link show dev net0",
                "9: net0@if8: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN mode DEFAULT group default qlen 1000\n",
            )],
            next_command: Some("fabric exec --name demo tor0 -- ip link set dev net0 up".into()),
            victims: of("c1"),
        };
        let filter = Cause {
            id: "c2".into(),
            kind: "packets-filtered".into(),
            rung: RungName::Forwarding,
            title: "a packet filter of tor1 drops them: filter: -A FORWARD -s 10.1.0.0/16 -j DROP".into(),
            text: "Its counter grew by 3 while 3 requests from default/nettool-1 to 10.1.2.7 got no answer."
                .into(),
            node: Some("tor1".into()),
            about: Some("filter: -A FORWARD -s 10.1.0.0/16 -j DROP".into()),
            evidence: vec![evidence(
                "tor1's packet filter",
                "fabric exec --name demo tor1 -- iptables-save -c",
                &"filter: -A FORWARD -s 10.1.0.0/16 -j DROP\n".repeat(9),
            )],
            next_command: Some("fabric exec --name demo tor1 -- iptables-save -c".into()),
            victims: of("c2"),
        };
        record.causes = vec![filter, link];
        record
    }

    #[test]
    fn a_morning_at_eighty_columns() {
        insta::assert_snapshot!(render(&morning(), None, Look { width: 80, colors: false }));
    }

    #[test]
    fn what_is_explained_is_told_once() {
        let text = render(&morning(), None, Look { width: 100, colors: false });
        assert_eq!(text.matches("tor1::rib has the 13 prefixes").count(), 1, "{text}");
        assert_eq!(text.matches("        FAIL").count(), 1, "{text}");
    }

    #[test]
    fn many_causes_are_told_briefly() {
        let mut record = morning();
        let one = record.causes[1].clone();
        record.causes = (0..SHOWN + 2)
            .map(|n| Cause { id: format!("c{n}"), title: format!("cause {n}"), ..one.clone() })
            .collect();
        let text = render(&record, None, Look { width: 100, colors: false });
        assert_eq!(text.matches("next: fabric exec --name demo tor0 -- ip link set").count(), SHOWN);
        assert!(text.contains("Why cause 7 (explains 4 checks)"), "{text}");
    }
}
