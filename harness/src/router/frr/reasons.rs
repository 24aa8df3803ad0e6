//! Why FRR lost a session, in the words of the newest FRR: older ones name the same NOTIFICATION otherwise.
//!
//! FRR 7.5 says `Cease/Peer Unconfigured` where 8.4 says `Cease/Peer De-configured`. The error code beside the words is the
//! same in all of them, so it decides.

/// The Cease subcodes (RFC 4486, section 4; RFC 8538, section 5) as the registry names them.
const CEASE: [&str; 9] = [
    "Maximum Number of Prefixes Reached",
    "Administrative Shutdown",
    "Peer De-configured",
    "Administrative Reset",
    "Connection Rejected",
    "Other Configuration Change",
    "Connection Collision Resolution",
    "Out of Resources",
    "Hard Reset",
];

/// FRR's words for a NOTIFICATION, or the registry's where its code is known and is a Cease.
pub(super) fn notification(said: String, code: Option<(u8, u8)>) -> String {
    let known = code.filter(|(class, _)| *class == 6).and_then(|(_, subcode)| {
        let index = usize::from(subcode).checked_sub(1)?;
        CEASE.get(index)
    });
    match known {
        Some(name) if said.starts_with("Cease/") => format!("Cease/{name}"),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_7_5("Cease/Peer Unconfigured", Some((6, 3)), "Cease/Peer De-configured")]
    #[case::of_8_4("Cease/Peer De-configured", Some((6, 3)), "Cease/Peer De-configured")]
    #[case("Cease/Administratively Shutdown", Some((6, 2)), "Cease/Administrative Shutdown")]
    #[case::a_subcode_nobody_names("Cease/Something New", Some((6, 77)), "Cease/Something New")]
    #[case::no_subcode("Cease", Some((6, 0)), "Cease")]
    #[case::another_error("Hold Timer Expired", Some((4, 0)), "Hold Timer Expired")]
    #[case::words_alone("Cease/Peer Unconfigured", None, "Cease/Peer Unconfigured")]
    fn a_notification_has_one_name(#[case] said: &str, #[case] code: Option<(u8, u8)>, #[case] named: &str) {
        assert_eq!(notification(said.to_owned(), code), named);
    }
}
