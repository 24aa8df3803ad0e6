//! `show running-config`: what bgpd and zebra are told, as far as sessions depend on it.
//!
//! There is no JSON for it. A line that is not known is passed over: what is not read is not known, never wrong.

use std::collections::BTreeMap;

use crate::router::config::{Configuration, NeighborConfig, RemoteAs, Secret};

/// Reads the configuration of bgpd and that of zebra.
pub(in crate::router) fn configuration(bgpd: &str, zebra: &str) -> Configuration {
    let mut told: BTreeMap<&str, NeighborConfig> = BTreeMap::new();
    let mut groups: BTreeMap<&str, &str> = BTreeMap::new();
    let mut kinds: Vec<&str> = Vec::new();
    for line in bgpd.lines() {
        let line = line.trim();
        let Some(rest) = line.strip_prefix("neighbor ") else { continue };
        let Some((name, mut rest)) = rest.split_once(' ') else { continue };
        if let Some(more) = rest.strip_prefix("interface") {
            told.entry(name).or_default();
            rest = more.trim_start().trim_start_matches("v6only").trim_start();
        }
        match rest.split_once(' ') {
            None if rest == "peer-group" => kinds.push(name),
            None if rest == "passive" => told.entry(name).or_default().passive = true,
            Some(("peer-group", group)) => {
                groups.insert(name, group.trim());
                told.entry(name).or_default();
            }
            Some(("remote-as", number)) => {
                told.entry(name).or_default().remote_as = remote_as(number.trim());
            }
            Some(("password", secret)) => told.entry(name).or_default().password = Some(Secret::new(secret)),
            Some(("update-source", from)) => {
                told.entry(name).or_default().update_source = Some(from.trim().to_owned());
            }
            _ => {}
        }
    }
    let whole = |name: &str, mut one: NeighborConfig| {
        if let Some(group) = groups.get(name).and_then(|group| told.get(group)) {
            one.remote_as = one.remote_as.or(group.remote_as);
            one.password = one.password.or_else(|| group.password.clone());
            one.passive |= group.passive;
            one.update_source = one.update_source.or_else(|| group.update_source.clone());
        }
        (name.to_owned(), one)
    };
    let neighbors = told.iter().filter(|(name, _)| !kinds.contains(name));
    let neighbors = neighbors.map(|(name, one)| whole(name, one.clone())).collect();
    Configuration { neighbors, addresses: addresses(zebra) }
}

fn remote_as(word: &str) -> Option<RemoteAs> {
    match word {
        "internal" => Some(RemoteAs::Internal),
        "external" => Some(RemoteAs::External),
        number => number.parse().ok().map(RemoteAs::Number),
    }
}

/// The `ip address` lines below `interface` lines.
fn addresses(text: &str) -> Vec<(String, ipnet::IpNet)> {
    let mut interface = None;
    let mut found = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["interface", name, ..] if !line.starts_with(' ') => interface = Some(*name),
            ["ip" | "ipv6", "address", address, ..] => {
                found.extend(interface.zip(address.parse().ok()).map(|(name, net)| (name.to_owned(), net)));
            }
            ["exit" | "!"] => interface = None,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BGPD: &str = "\
frr version 8.4.4
!
router bgp 65010
 bgp router-id 10.0.0.1
 neighbor ROUTERS peer-group
 neighbor ROUTERS remote-as external
 neighbor ROUTERS password two words
 neighbor SERVERS peer-group
 neighbor SERVERS remote-as 65010
 neighbor SERVERS update-source lo
 neighbor net0 interface peer-group ROUTERS
 neighbor net3 interface remote-as 65020
 neighbor 10.0.1.2 peer-group SERVERS
 neighbor 10.0.9.9 remote-as 65099
 neighbor 10.0.9.9 password other
 !
 address-family ipv4 unicast
  neighbor ROUTERS default-originate
 exit-address-family
exit
!
";
    const ZEBRA: &str =
        "interface net1\n ip address 10.0.1.1/24\nexit\n!\ninterface lo\n ipv6 address fd00::1/128\nexit\n";

    #[test]
    fn groups_give_what_neighbors_do_not_say() {
        let Configuration { neighbors, addresses } = configuration(BGPD, ZEBRA);
        let keys: Vec<&str> = neighbors.keys().map(String::as_str).collect();
        assert_eq!(keys, ["10.0.1.2", "10.0.9.9", "net0", "net3"]);
        assert_eq!(neighbors["net0"].remote_as, Some(RemoteAs::External));
        assert_eq!(neighbors["net0"].password, Some(Secret::new("two words")));
        assert_eq!(neighbors["net3"].remote_as, Some(RemoteAs::Number(65020)));
        assert_eq!(neighbors["10.0.1.2"].remote_as, Some(RemoteAs::Number(65010)));
        assert_eq!(neighbors["10.0.1.2"].update_source.as_deref(), Some("lo"));
        assert_eq!(neighbors["10.0.9.9"].remote_as, Some(RemoteAs::Number(65099)));
        let addresses: Vec<String> = addresses.iter().map(|(dev, net)| format!("{dev} {net}")).collect();
        assert_eq!(addresses, ["net1 10.0.1.1/24", "lo fd00::1/128"]);
    }

    #[test]
    fn a_password_is_not_printed() {
        let told = format!("{:?}", configuration(BGPD, ZEBRA));
        assert!(!told.contains("two words") && told.contains("(a password)"), "{told}");
    }

    proptest! {
        #[test]
        fn nothing_read_is_a_panic(text in "(neighbor |interface |router bgp |peer-group|[a-z0-9. \n]){0,40}") {
            let _ = configuration(&text, &text);
        }
    }
}
