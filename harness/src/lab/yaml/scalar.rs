//! A scalar as it was written, and what its text means when nobody says which type is wanted.

use serde_json::{Number, Value as Json};

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may mean a number, a truth value or nothing.
    Plain,
    /// In single or double quotes: always text.
    Quoted,
    /// A block kept line by line (`|`): always text, and its lines are those of the file.
    Literal,
    /// A block folded into one line (`>`): always text.
    Folded,
}

/// A scalar: its text after unescaping, untouched by any guess at a type. `1.10` stays `1.10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

impl Scalar {
    /// Whether it means "nothing": an empty plain scalar, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The truth value, with the spellings that Kubernetes' and containerlab's YAML readers take
    /// (YAML 1.1: `yes`, `on`, ... besides `true`).
    pub fn as_bool(&self) -> Option<bool> {
        if self.style != Style::Plain {
            return None;
        }
        match self.text.as_str() {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    /// The whole number, in decimal, hexadecimal (`0x`), octal (`0o` or, as in YAML 1.1, a leading zero) or binary.
    pub fn as_i128(&self) -> Option<i128> {
        if self.style != Style::Plain {
            return None;
        }
        let (negative, digits) = match self.text.as_bytes().first()? {
            b'-' => (true, &self.text[1..]),
            b'+' => (false, &self.text[1..]),
            _ => (false, self.text.as_str()),
        };
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let radix = |digits: &str, radix| {
            // from_str_radix takes a sign of its own; there must be none here.
            digits.chars().all(|c| c.is_digit(radix)).then(|| i128::from_str_radix(digits, radix).ok())?
        };
        let value = if let Some(hex) = digits.strip_prefix("0x") {
            radix(hex, 16)
        } else if let Some(octal) = digits.strip_prefix("0o") {
            radix(octal, 8)
        } else if let Some(binary) = digits.strip_prefix("0b") {
            radix(binary, 2)
        } else if digits.len() > 1 && digits.starts_with('0') {
            radix(&digits[1..], 8)
        } else {
            radix(digits, 10)
        }?;
        Some(if negative { -value } else { value })
    }

    fn as_float(&self) -> Option<f64> {
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
        if self.style != Style::Plain
            || !self.text.chars().all(digit)
            || !self.text.contains(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        self.text.parse().ok()
    }

    /// The value as JSON, types guessed as Kubernetes' own YAML reader does.
    pub fn to_json(&self) -> Json {
        if self.is_null() {
            return Json::Null;
        }
        if let Some(truth) = self.as_bool() {
            return Json::Bool(truth);
        }
        if let Some(whole) = self.as_i128() {
            if let Ok(small) = i64::try_from(whole) {
                return Json::from(small);
            }
            if let Ok(small) = u64::try_from(whole) {
                return Json::from(small);
            }
        }
        self.as_float()
            .and_then(Number::from_f64)
            .map_or_else(|| Json::String(self.text.clone()), Json::Number)
    }
}
