//! Judging whether TCP connections are made.

use fabric_harness::probe::ConnectReport;

use super::reach::{ReachFact, ReachSpec};
use super::verdict::{Verdict, listed};

/// Judges one fact.
pub fn judge_connect(spec: &ReachSpec, seen: &ConnectReport) -> Verdict {
    let port = seen.to.port();
    let subject = format!("{} to {} port {port}", spec.from.short(), spec.to.short());
    let (tried, made) = (seen.tried, seen.connected);
    let mut lines = Vec::new();
    if tried == 0 {
        lines.push("no connection was tried, so nothing is known".to_owned());
    }
    let expected = match &spec.fact {
        ReachFact::Silence => {
            if made > 0 {
                lines.push(format!("{made} of {tried} connections were made"));
            }
            "no connection made".to_owned()
        }
        ReachFact::Reaches { loss } => {
            let failed = tried.saturating_sub(made);
            if u32::from(failed) * 100 > u32::from(*loss) * u32::from(tried) || made == 0 {
                let mut why = seen.errors.clone();
                why.sort();
                why.dedup();
                lines.push(format!("{failed} of {tried} connections were not made: {}", listed(why)));
            }
            match loss {
                0 => "every connection made".to_owned(),
                some => format!("at most {some} % of the connections not made"),
            }
        }
        ReachFact::Ttl(_) => {
            lines.push("a connection has no TTL".to_owned());
            "a TTL".to_owned()
        }
    };
    Verdict::of(&subject, expected, format!("{made} of {tried} connections made"), lines).detail(seen)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::expect::{Prober, Symbol};

    #[rstest]
    #[case(ReachFact::Reaches { loss: 0 }, 3, true)]
    #[case(ReachFact::Reaches { loss: 0 }, 2, false)]
    #[case(ReachFact::Reaches { loss: 50 }, 2, true)]
    #[case(ReachFact::Reaches { loss: 99 }, 0, false)]
    #[case(ReachFact::Silence, 0, true)]
    #[case(ReachFact::Silence, 1, false)]
    fn connections_are_judged(#[case] fact: ReachFact, #[case] connected: u16, #[case] passes: bool) {
        let spec = ReachSpec {
            from: Symbol::parse("pod/a").unwrap(),
            to: Symbol::parse("service/web").unwrap(),
            family: None,
            port: Some(80),
            size: None,
            prober: Prober::Native,
            count: 3,
            fact,
        };
        let errors = vec!["refused: nobody listens on the port".to_owned(); usize::from(3 - connected)];
        let to = "192.0.2.1:80".parse().unwrap();
        let verdict = judge_connect(&spec, &ConnectReport { to, tried: 3, connected, slowest: None, errors });
        assert_eq!(verdict.passed(), passes, "{}", verdict.failure_text());
    }
}
