//! Amounts: bytes, processors, sets of processors.

use crate::lab::yaml::{Diagnostics, FromTree, Node};

/// Bytes: `512mib`, `1.5 GB`. As with containerlab, kB are 1000 bytes and KiB 1024, in any case of letters.
pub(super) struct Bytes(pub(super) i64);

impl FromTree for Bytes {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        let bytes = bytes(&text);
        if bytes.is_none() {
            ctx.error(&node.at, format!("{text:?} is not a size"))
                .help("write a number and its unit: b, kb, mb, gb (by 1000), kib, mib, gib (by 1024)");
        }
        bytes.map(Self)
    }
}

fn bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => f64::from(1 << 10),
        "mi" | "mib" => f64::from(1 << 20),
        "gi" | "gib" => f64::from(1 << 30),
        "ti" | "tib" => f64::from(1 << 30) * 1024.0,
        _ => return None,
    };
    let bytes = (number * unit).round();
    // Every whole number up to 2^53 is one of f64's.
    (1.0..=9_007_199_254_740_992.0).contains(&bytes).then_some(bytes as i64)
}

/// A number of processors: `1.5`.
pub(super) struct Processors(pub(super) f64);

impl FromTree for Processors {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        // The kernel counts a processor's time in hundredths of what is asked here, and no machine has so many of them.
        match text.parse::<f64>() {
            Ok(number) if (0.01..=65_536.0).contains(&number) => Some(Self(number)),
            _ => {
                ctx.error(&node.at, format!("{text:?} is not a number of processors"))
                    .help("write a number from 0.01 on: `1.5`");
                None
            }
        }
    }
}

/// Processors by number: `0-1,4`.
pub(super) struct ProcessorSet(pub(super) String);

impl FromTree for ProcessorSet {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if first <= last)
        };
        if text.split(',').all(range) {
            return Some(Self(text));
        }
        ctx.error(&node.at, format!("{text:?} is not a set of processors"))
            .help("write `0-3`, `0,3` or `0-1,4-5`");
        None
    }
}
