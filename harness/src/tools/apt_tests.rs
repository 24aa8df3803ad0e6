//! Tests of reading what apt says; the real apt is asked in `live`.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[test]
fn reads_what_print_uris_prints() {
    // As printed by apt 2.6.1 (Debian 12).
    let text = "'http://mirror.example.org/debian/pool/main/i/iputils/iputils-ping_20221126-1%2bdeb12u1_amd64.deb' iputils-ping_3%3a20221126-1+deb12u1_amd64.deb 47172 MD5Sum:5f1a0033bab9adac36e521b4b44adc25\n\
        'http://mirror.example.org/debian/pool/main/f/frr/frr_8.4.4-1.1%7edeb12u2_amd64.deb' frr_8.4.4-1.1~deb12u2_amd64.deb 3854556 MD5Sum:f5a2d53eddd91df5bce6324c139b34f8\n";
    let archives = parse_uris(text).unwrap();
    let seen: Vec<_> = archives.iter().map(|a| (a.name.as_str(), a.version.as_str(), a.size)).collect();
    assert_eq!(
        seen,
        [("iputils-ping", "3:20221126-1+deb12u1", 47172), ("frr", "8.4.4-1.1~deb12u2", 3_854_556)]
    );
    assert_eq!(archives[0].file, "iputils-ping_3%3a20221126-1+deb12u1_amd64.deb");
}

#[rstest]
#[case::no_quote("'http://a b_1_amd64.deb 1 X:0", "closing quote")]
#[case::no_file("'http://a' ", "FILE is missing")]
#[case::no_size("'http://a' frr_1_amd64.deb", "SIZE is not a number")]
#[case::bad_size("'http://a' frr_1_amd64.deb many X:0", "SIZE is not a number")]
#[case::not_a_package("'http://a' frr.deb 1 X:0", "NAME_VERSION_ARCH.deb")]
#[case::escapes("'http://a' ../frr_1_amd64.deb 1 X:0", "NAME_VERSION_ARCH.deb")]
#[case::an_option("'http://a' -o_1_amd64.deb 1 X:0", "NAME_VERSION_ARCH.deb")]
fn says_which_line_is_wrong(#[case] line: &str, #[case] why: &str) {
    let error = parse_uris(&format!("Reading package lists...\n{line}\n")).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains(why), "{error}");
}

#[test]
fn hooks_are_left_out_and_the_rest_kept() {
    let dump = "APT::Architecture \"amd64\";\nAPT::Update::Post-Invoke:: \"rm -f /var/cache/apt/*.deb || true\";\n\
        APT::Update::Post-Invoke-Success:: \"cnf\";\nAcquire::http::Proxy \"http://proxy:3128\";\nDPkg::Post-Invoke:: \"x\";\n\
        DPkg::Pre-Install-Pkgs:: \"y\";\nAPT::Update \"\";\nOther::Hook \"if x; then\n  echo \"Invoke\" fi\";\n";
    let config = without_hooks(dump);
    assert!(
        config.contains("Proxy")
            && config.contains("APT::Architecture")
            && config.contains("APT::Update \"\"")
    );
    assert!(!config.contains("Invoke") && !config.contains("Pre-Install"), "{config}");
}

#[rstest]
#[case("Reading...\nW: one\nE: two\nbye\n", "W: one; E: two")]
#[case("just\n\nwords\n", "just; words")]
#[case("", "")]
fn keeps_what_matters(#[case] stderr: &str, #[case] expected: &str) {
    assert_eq!(complaints(stderr), expected);
}

#[tokio::test]
async fn a_failed_command_is_named_without_our_options() {
    let mut command = std::process::Command::new("sh");
    command.args(["-o", "noglob", "-c", "echo 'E: no network' >&2; exit 100"]);
    let error = run(&mut command).await.unwrap_err().to_string();
    assert!(error.contains("no network") && !error.contains("noglob"), "{error}");
    let missing = run(&mut std::process::Command::new("/nowhere/apt-get")).await.unwrap_err();
    assert!(missing.to_string().starts_with("`/nowhere/apt-get` failed"), "{missing}");
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(text in "('\\PC{0,20}' )?[a-z0-9_.%' -]{0,40}(\n\\PC{0,20})?") {
        if let Ok(archives) = parse_uris(&text) {
            for archive in archives {
                prop_assert!(!archive.name.is_empty() && !archive.file.contains('/'));
            }
        }
    }

    #[test]
    fn what_apt_prints_comes_back(name in "[a-z][a-z0-9+.-]{1,10}", version in "([0-9]:)?[0-9][0-9a-z.+~-]{0,10}", size in 0u64..1 << 40) {
        let file = format!("{name}_{}_amd64.deb", version.replace(':', "%3a"));
        let archives = parse_uris(&format!("'http://x/{file}' {file} {size} SHA256:00\n")).unwrap();
        prop_assert_eq!(archives, vec![Archive { name, version, file, size }]);
    }
}
