//! Path attributes that go with advertised routes: communities and local preference.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A decimal number of 32 bits.
const U32: &str = "([0-9]|[1-9][0-9]{1,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}|42949672[0-8][0-9]|429496729[0-5])";
/// A decimal number of 16 bits.
const U16: &str =
    "([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/// The names of communities that RFCs and IANA gave one.
const WELL_KNOWN: [&str; 14] = [
    "internet",
    "planned-shut",
    "accept-own",
    "route-filter-translated-v4",
    "route-filter-v4",
    "route-filter-translated-v6",
    "route-filter-v6",
    "llgr-stale",
    "no-llgr",
    "blackhole",
    "no-export",
    "no-advertise",
    "no-export-subconfed",
    "no-peer",
];

/// What to say of a route besides its prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathAttributes {
    /// Communities to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communities: Option<Communities>,
    /// LOCAL_PREF for iBGP neighbors (RFC 4271 section 5.1.5); eBGP neighbors never see it. 100 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_preference: Option<i64>,
}

/// Communities by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Communities {
    /// RFC 1997: a number, or two of 16 bits with a colon between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "STANDARD")]
    pub standard: Vec<String>,
    /// The same by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "well_known")]
    pub well_known: Vec<String>,
    /// RFC 8092: three numbers with colons between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "LARGE")]
    pub large: Vec<String>,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

const STANDARD: Shape =
    |_| list(&json_schema!({ "type": "string", "pattern": format!("^{U32}$|^{U16}:{U16}$") }));

const LARGE: Shape = |_| list(&json_schema!({ "type": "string", "pattern": format!("^{U32}:{U32}:{U32}$") }));

fn well_known(_: &mut SchemaGenerator) -> Schema {
    list(&json_schema!({ "type": "string", "enum": WELL_KNOWN }))
}

fn list(item: &Schema) -> Schema {
    json_schema!({ "type": "array", "items": item })
}
