//! What is a secret and what is none, where they stand, and that none stays.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn redacted(text: &str) -> String {
    let mut redactor = Redactor::new();
    redactor.learn(text);
    redactor.redact(text).0
}

#[rstest]
#[case::frr(" neighbor 10.0.0.1 password Hunter2-xyz\n", " neighbor 10.0.0.1 password <redacted:1>\n")]
#[case::frr_with_blanks(
    " neighbor ROUTERS password two words \" and \\ more\n",
    " neighbor ROUTERS password <redacted:1>\n"
)]
#[case::frr_command(
    "vtysh -c 'router bgp 1' -c ' neighbor net0 password Hunter2' -c 'end'",
    "vtysh -c 'router bgp 1' -c ' neighbor net0 password <redacted:1>' -c 'end'"
)]
#[case::frr_in_json(
    r#""line": "vtysh -c \"neighbor net0 password Hunter2\"""#,
    r#""line": "vtysh -c \"neighbor net0 password <redacted:1>\"""#
)]
#[case::frr_vty(
    "password zebra\nenable password 8 abcdef\n",
    "password <redacted:1>\nenable password 8 <redacted:2>\n"
)]
#[case::ospf("ip ospf message-digest-key 1 md5 Hunter2\n", "ip ospf message-digest-key 1 md5 <redacted:1>\n")]
#[case::bird("  password \"Hunter2\";\n", "  password \"<redacted:1>\";\n")]
#[case::gobgp_json(
    r#"{"auth-password":"Hunter2","peer-as":1}"#,
    r#"{"auth-password":"<redacted:1>","peer-as":1}"#
)]
#[case::gobgp_toml("auth-password = \"Hunter2\"\n", "auth-password = \"<redacted:1>\"\n")]
#[case::gobgp_answer(r#""auth_password": "Hunter2""#, r#""auth_password": "<redacted:1>""#)]
#[case::env("ADMIN_PASSWORD=Hunter2\nPATH=/bin\n", "ADMIN_PASSWORD=<redacted:1>\nPATH=/bin\n")]
#[case::env_yaml("  DB_PASSWORD: Hunter2\n  NAME: x\n", "  DB_PASSWORD: <redacted:1>\n  NAME: x\n")]
#[case::yaml_with_blanks("  passphrase: two words\n  b: c\n", "  passphrase: <redacted:1>\n  b: c\n")]
#[case::env_pair("- name: API_TOKEN\n  value: abcdefgh\n", "- name: API_TOKEN\n  value: <redacted:1>\n")]
#[case::kubeconfig(
    "    client-key-data: LS0tLS1CRUdJTg==\n    token: abc.def\n",
    "    client-key-data: <redacted:1>\n    token: <redacted:2>\n"
)]
#[case::flag("gobgp --password Hunter2 x", "gobgp --password <redacted:1> x")]
#[case::pem(
    "a\n-----BEGIN EC PRIVATE KEY-----\nMHc\nCAQ\n-----END EC PRIVATE KEY-----\nb",
    "a\n-----BEGIN EC PRIVATE KEY-----<redacted>-----END EC PRIVATE KEY-----\nb"
)]
#[case::bearer("Authorization: Bearer abcdefghij", "Authorization: Bearer <redacted>")]
#[case::jwt("x eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xx.c2ln y", "x <redacted> y")]
#[case::url("https://me:Hunter2@example.org/", "https://me:<redacted>@example.org/")]
fn a_secret_is_taken_out(#[case] text: &str, #[case] wanted: &str) {
    assert_eq!(redacted(text), wanted);
}

#[rstest]
#[case("authSecretRef: bgp-auth-secret\n")]
#[case("automountServiceAccountToken: false\n")]
#[case("  - secret:\n      secretName: cilium-ca\n")]
#[case("tokenExpirationSeconds: 3600\n")]
#[case("neighbor 10.0.0.1 remote-as 65000\nno neighbor 10.0.0.1 password\n")]
#[case("the password of the neighbor is wrong: TCP MD5 does not match\n")]
#[case("\"type\": \"kubernetes.io/service-account-token\"")]
#[case("password: ${ADMIN_PASSWORD}\n")]
#[case("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")]
#[case("\"tcpInfo\": {\"key\": 1}, \"keepAlive\": 3, \"localAs\": 65000")]
fn what_is_no_secret_stays(#[case] text: &str) {
    assert_eq!(redacted(text), text);
}

#[test]
fn what_routers_and_clusters_said_stays_as_it_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recorded");
    let mut folders = vec![root];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if ["frr-8.4.4", "frr-10.3", "gobgp-3.10", "gobgp-4.8"]
                .iter()
                .any(|known| path.display().to_string().contains(known))
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                let mut redactor = Redactor::new();
                redactor.learn(&text);
                // Some were recorded with a password set; nothing else may be touched.
                let (clean, count) = redactor.redact(&text);
                assert!(count == 0 || text.contains("password"), "{}: {clean}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn one_secret_has_one_number_and_another_one_another() {
    let (one, other) = ("neighbor 10.0.0.1 password Hunter2-one\n", r#"{"auth-password":"Hunter2-two"}"#);
    let mut redactor = Redactor::new();
    redactor.learn(one);
    redactor.learn(other);
    let log = "msg=\"auth with Hunter2-one failed\" other=Hunter2-two again=Hunter2-one";
    assert_eq!(
        redactor.redact(log).0,
        "msg=\"auth with <redacted:1> failed\" other=<redacted:2> again=<redacted:1>"
    );
    assert_eq!(redactor.redact(log).1, 3);
}

#[test]
fn a_short_secret_is_not_looked_for_inside_of_words() {
    let mut redactor = Redactor::new();
    redactor.learn("neighbor 10.0.0.1 password bgpd\nneighbor 10.0.0.2 password x\n");
    assert_eq!(redactor.redact("bgpd gobgpd x").0, "<redacted:1> gobgpd x");
}

#[test]
fn a_secret_of_kubernetes_is_known_in_every_writing() {
    let mut redactor = Redactor::new();
    let mut list = json!({"kind": "SecretList", "items": [{
        "kind": "Secret",
        "metadata": {"name": "bgp", "annotations": {APPLIED: "{\"data\":{\"password\":\"eA==\"}}", "b": "c"}},
        "data": {"password": "SHVudGVyMi14eXo="},
    }]});
    redactor.object(&mut list);
    assert_eq!(list["items"][0]["data"]["password"], "<redacted:1>");
    assert_eq!(list["items"][0]["metadata"]["annotations"], json!({"b": "c"}));
    let text = "neighbor net0 password Hunter2-xyz\nSHVudGVyMi14eXo= Hunter2-xyz";
    redactor.learn(text);
    assert_eq!(redactor.redact(text).0, "neighbor net0 password <redacted:1>\n<redacted:1> <redacted:1>");
}

#[test]
fn a_variable_of_a_container_is_known_by_its_name() {
    let mut redactor = Redactor::new();
    let mut pod = json!({"kind": "Pod", "env": [{"name": "DB_PASSWORD", "value": "Hunter2"}, {"name": "A", "value": "b"}]});
    redactor.object(&mut pod);
    assert_eq!(
        pod["env"],
        json!([{"name": "DB_PASSWORD", "value": "<redacted:1>"}, {"name": "A", "value": "b"}])
    );
}

/// Where people write passwords; `{}` is the place.
const PLACES: [&str; 8] = [
    " neighbor 10.0.0.1 password {}\n",
    "- vtysh -c 'conf t' -c ' neighbor net0 password {}'\n",
    "{\"neighbors\":[{\"config\":{\"auth-password\":\"{}\"}}]}",
    "auth-password = \"{}\"\n",
    "protocol bgp { password \"{}\"; }",
    "password: \"{}\"\n",
    "ROUTER_PASSWORD={}\n",
    "{\"name\": \"BGP_PASSWORD\", \"value\": \"{}\"}",
];

proptest! {
    /// Learned in one place, it is nowhere: not there, not in a log, not in the record, whatever is around it.
    #[test]
    fn no_secret_stays(
        secret in "[A-Za-z0-9!#$%&*+/:@^_.-]{8,24}",
        place in 0usize..PLACES.len(),
        before in "[ -~\n]{0,40}",
        after in "[ -~\n]{0,40}",
    ) {
        prop_assume!(!secret.starts_with("${") && !secret.starts_with(['-', '|', '>', '~']));
        let config = PLACES[place].replace("{}", &secret);
        let mut redactor = Redactor::new();
        redactor.learn(&config);
        let texts = [config, format!("{before}{secret}{after}"), json!({"line": secret, "b": before}).to_string()];
        for text in &texts {
            let clean = redactor.redact(text).0;
            prop_assert!(!clean.contains(&secret), "{clean}");
            let again = redactor.redact(&clean);
            prop_assert_eq!(again.0, clean);
        }
    }

    #[test]
    fn no_text_is_too_strange(text: String, words in "(password|token|neighbor|[:=\"' \n]|name|value|-----BEGIN PRIVATE KEY-----){0,20}") {
        let text = format!("{text}{words}{text}");
        let mut redactor = Redactor::new();
        redactor.learn(&text);
        let _ = redactor.redact(&text);
    }
}
