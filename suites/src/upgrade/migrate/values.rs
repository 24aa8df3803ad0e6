//! A values file for a later chart: single lines replaced in place, everything else to the letter.

use fabric_harness::cilium::CiliumVersion;

use super::super::Asked;

/// The text for the version that is asked for.
pub(super) fn migrate(asked: &Asked, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    tunnel(asked, &mut lines);
    rename(asked, &mut lines, "nativeRoutingCIDR", "ipv4NativeRoutingCIDR");
    proxy(asked, &mut lines);
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// `tunnel` went with 1.15; what it said is said by two values, which came with 1.14.
fn tunnel(asked: &Asked, lines: &mut [String]) {
    let Some((at, node)) = asked.value("tunnel") else { return };
    if asked.to.line() < (1, 14) {
        return;
    }
    let Some(line) = lines.get_mut((at.line as usize).saturating_sub(1)) else { return };
    if asked.value("routingMode").is_some() {
        // The other value says it already; a comment keeps what stood here.
        *line = format!("# {}", line.trim_start());
        return;
    }
    let word = node.as_text().unwrap_or_default();
    let written = |word: &str| line.replacen(&after_key(line, "tunnel"), &format!(" {word}"), 1);
    *line = match word {
        "disabled" => written("native").replacen("tunnel", "routingMode", 1),
        _ => {
            let protocol = line.replacen("tunnel", "tunnelProtocol", 1);
            format!("routingMode: tunnel\n{protocol}")
        }
    };
}

/// What stands between a key's colon and a comment.
fn after_key(line: &str, key: &str) -> String {
    let after = line.split_once(&format!("{key}:")).map_or("", |(_, after)| after);
    let value = after.split_once(" #").map_or(after, |(value, _)| value);
    value.trim_end().to_owned()
}

fn rename(asked: &Asked, lines: &mut [String], old: &str, new: &str) {
    let Some((at, _)) = asked.value(old) else { return };
    if asked.value(new).is_some() {
        return;
    }
    if let Some(line) = lines.get_mut((at.line as usize).saturating_sub(1)) {
        *line = line.replacen(old, new, 1);
    }
}

/// The older words of kubeProxyReplacement went with 1.16.
fn proxy(asked: &Asked, lines: &mut [String]) {
    let Some((at, node)) = asked.value("kubeProxyReplacement") else { return };
    let since = CiliumVersion::new(1, 14, 0);
    let word = match node.as_text() {
        Some("strict") => "true",
        Some("disabled" | "partial" | "probe") => "false",
        _ => return,
    };
    if asked.to < since {
        return;
    }
    if let Some(line) = lines.get_mut((at.line as usize).saturating_sub(1)) {
        let old = after_key(line, "kubeProxyReplacement");
        *line = line.replacen(&old, &format!(" \"{word}\""), 1).replacen("\"true\"", "true", 1).replacen(
            "\"false\"",
            "false",
            1,
        );
    }
}
