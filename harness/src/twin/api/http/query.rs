//! The query of a request, typed.
//!
//! What lives here: options of lists, watches, writes and deletions as they stand in a URL. What does not: exec's, which `exec` reads.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::twin::api::registry::Resource;
use crate::twin::api::rules::{Cascade, DeleteOptions, Unknown, WriteOptions};
use crate::twin::api::{ApiError, Cause};
use crate::twin::store::{FieldSelector, LabelSelector, Position};

/// A query as pairs, in their order; a key may be there more than once.
#[derive(Debug, Clone, Default)]
pub(in crate::twin::api) struct Query(Vec<(String, String)>);

/// Which objects a list or a watch is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// Whether an object is among them.
    pub(super) fn takes(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    /// True when every object is.
    pub(super) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// Where the next page of a list begins: the revision of the first page, and the last object given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Revision of the first page: a watch from here misses nothing, whatever changed between the pages.
    pub revision: u64,
    /// The last object given out.
    pub after: Position,
}

impl Page {
    /// The token a client brings back.
    pub(super) fn token(&self) -> String {
        let (namespace, name) = &self.after;
        URL_SAFE_NO_PAD.encode(format!("{}/{namespace}/{name}", self.revision))
    }

    fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.splitn(3, '/');
        let revision = parts.next()?.parse().ok()?;
        Some(Self { revision, after: (parts.next()?.to_owned(), parts.next()?.to_owned()) })
    }
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// 400 when it is not form-encoded text.
    pub(in crate::twin::api) fn read(uri: &Uri) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        query
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// The first value of a key.
    pub(in crate::twin::api) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a key.
    pub(in crate::twin::api) fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(k, _)| k == key).map(|(_, value)| value.clone()).collect()
    }

    /// A flag: there and not `false` or `0`.
    pub(in crate::twin::api) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !matches!(value, "false" | "0" | "False" | "FALSE"))
    }

    /// A number.
    ///
    /// # Errors
    /// 400 when it is none.
    pub(in crate::twin::api) fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        let wrong = |text: &str| ApiError::bad_request(format!("{key}: `{text}` is not a number that fits"));
        match self.get(key) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| wrong(text)),
        }
    }

    /// The revision a list or a watch begins at; `None` when it does not matter.
    ///
    /// # Errors
    /// 400 when it is not a number.
    pub(super) fn revision(&self) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.get("resourceVersion").filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong =
            |_| ApiError::bad_request(format!("Invalid value: \"{text}\": resourceVersion must be a number"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Which objects are meant.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read, or a field the resource cannot be selected by.
    pub(super) fn selection(&self, resource: &Resource) -> Result<Selection, ApiError> {
        let bad = |error: crate::twin::store::SelectorError| ApiError::bad_request(error.to_string());
        let labels = LabelSelector::parse(self.get("labelSelector").unwrap_or_default()).map_err(bad)?;
        let fields = FieldSelector::parse(self.get("fieldSelector").unwrap_or_default()).map_err(bad)?;
        for path in fields.paths() {
            let known = matches!(path, "metadata.name" | "metadata.namespace");
            if !known && !resource.selectable.iter().any(|field| field == path) {
                let message = format!("field label not supported: {path}");
                return Err(ApiError::bad_request(message));
            }
        }
        Ok(Selection { labels, fields })
    }

    /// Whether the options of a list or a watch go together.
    ///
    /// # Errors
    /// 422 by option when they do not, 400 for a revision beside a page's token.
    pub(super) fn coherent(&self, watch: bool) -> Result<(), ApiError> {
        let said = |key: &str| self.get(key).filter(|text| !text.is_empty());
        let (revision, how) = (said("resourceVersion"), said("resourceVersionMatch"));
        let initial = said("sendInitialEvents");
        let mut causes = Vec::new();
        let mut forbid = |field: &str, why: &str| causes.push(Cause::forbidden(field, why));
        match (watch, initial, how) {
            (true, Some(_), how) if how != Some("NotOlderThan") => {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                forbid("resourceVersionMatch", why);
            }
            (true, None, Some(_)) => {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                forbid("resourceVersionMatch", why);
            }
            (false, Some(_), _) => forbid("sendInitialEvents", "sendInitialEvents is forbidden for list"),
            (false, None, Some(_)) if revision.is_none() => {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                forbid("resourceVersionMatch", why);
            }
            (false, None, Some(_)) if said("continue").is_some() => {
                forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
            }
            (false, None, Some("Exact")) if revision == Some("0") => {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                forbid("resourceVersionMatch", why);
            }
            (false, None, Some(other)) if !matches!(other, "Exact" | "NotOlderThan") => {
                let allowed = ["Exact", "NotOlderThan", ""];
                causes.push(Cause::unsupported("resourceVersionMatch", &Value::from(other), &allowed));
            }
            _ => {}
        }
        if !causes.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", causes));
        }
        if !watch && said("continue").is_some() && revision.is_some_and(|revision| revision != "0") {
            let message = "specifying resource version is not allowed when using continue";
            return Err(ApiError::bad_request(message));
        }
        Ok(())
    }

    /// How many objects at most, and where to go on.
    ///
    /// # Errors
    /// 400 for a token that is none of ours.
    pub(super) fn page(&self) -> Result<(Option<usize>, Option<Page>), ApiError> {
        let limit = self.number::<usize>("limit")?.filter(|limit| *limit > 0);
        let page = match self.get("continue").filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => {
                let wrong =
                    || ApiError::bad_request("continue key is not valid; begin the list again without it");
                Some(Page::read(token).ok_or_else(wrong)?)
            }
        };
        Ok((limit, page))
    }

    /// How long a watch may last; 30 to 60 minutes unless said, so that watchers do not come back all at once.
    ///
    /// # Errors
    /// 400 when it is not a number.
    pub(super) fn patience(&self) -> Result<Duration, ApiError> {
        let seconds = self.number::<u64>("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let unsaid = || 1800 + rand::random::<u64>() % 1800;
        Ok(Duration::from_secs(seconds.unwrap_or_else(unsaid).min(86_400)))
    }

    /// Options of a write. The manager is the one the client names, else the first word of its user agent.
    ///
    /// # Errors
    /// 400 for an option with a value it cannot have.
    pub(super) fn write(&self, headers: &HeaderMap) -> Result<WriteOptions, ApiError> {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named = self.get("fieldManager").unwrap_or_default();
        let unnamed = agent.split(['/', ' ']).next().unwrap_or_default();
        let manager = if named.is_empty() { unnamed } else { named };
        if manager.chars().count() > 128 {
            return Err(ApiError::bad_request("fieldManager: may not be more than 128 bytes"));
        }
        let unknown = match self.get("fieldValidation") {
            None | Some("" | "Warn") => Unknown::Warn,
            Some("Ignore") => Unknown::Ignore,
            Some("Strict") => Unknown::Refuse,
            Some(other) => {
                let message = format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \
                    \"Warn\", \"Strict\""
                );
                return Err(ApiError::bad_request(message));
            }
        };
        Ok(WriteOptions {
            manager: manager.to_owned(),
            dry_run: self.dry_run()?,
            unknown,
            force: self.flag("force"),
            repeated: Vec::new(),
        })
    }

    /// The moment a log is wanted from.
    ///
    /// # Errors
    /// 400 when it is none.
    pub(super) fn since(&self) -> Result<Option<DateTime<Utc>>, ApiError> {
        if let Some(seconds) = self.number::<i64>("sinceSeconds")? {
            let ago = TimeDelta::try_seconds(seconds).filter(|_| seconds > 0);
            let wrong = || ApiError::bad_request("sinceSeconds: must be greater than 0");
            // Longer ago than there are dates is from the beginning.
            let moment = |ago| Utc::now().checked_sub_signed(ago).unwrap_or(DateTime::<Utc>::MIN_UTC);
            return ago.map(|ago| Some(moment(ago))).ok_or_else(wrong);
        }
        let Some(text) = self.get("sinceTime").filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = |error| ApiError::bad_request(format!("sinceTime: `{text}`: {error}"));
        DateTime::parse_from_rfc3339(text).map(|moment| Some(moment.to_utc())).map_err(wrong)
    }

    fn dry_run(&self) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            None | Some("") => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let message = format!("dryRun: Unsupported value: \"{other}\": supported values: \"All\"");
                Err(ApiError::bad_request(message))
            }
        }
    }

    /// Options of a deletion; the body's come before the query's.
    ///
    /// # Errors
    /// 400 for an option with a value it cannot have.
    pub(super) fn delete(&self, body: &Value) -> Result<DeleteOptions, ApiError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let grace = match &body["gracePeriodSeconds"] {
            Value::Null => self.number::<i64>("gracePeriodSeconds")?,
            value => Some(
                value.as_i64().ok_or_else(|| ApiError::bad_request("gracePeriodSeconds must be a number"))?,
            ),
        };
        // What clients said before there were policies.
        let orphan = match &body["orphanDependents"] {
            Value::Bool(flag) => Some(*flag),
            _ => self
                .get("orphanDependents")
                .filter(|text| !text.is_empty())
                .map(|_| self.flag("orphanDependents")),
        };
        let policy = body["propagationPolicy"].as_str().or(self.get("propagationPolicy")).unwrap_or_default();
        if !matches!(policy, "" | "Orphan" | "Background" | "Foreground") {
            let allowed = ["Foreground", "Background", "Orphan", ""];
            let cause = Cause::unsupported("propagationPolicy", &Value::from(policy), &allowed);
            return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]));
        }
        if orphan.is_some() && !policy.is_empty() {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            let cause = Cause::invalid("propagationPolicy", &Value::from(policy), why);
            return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]));
        }
        let cascade = match (policy, orphan) {
            ("Orphan", _) | (_, Some(true)) => Some(Cascade::Orphan),
            ("Foreground", _) => Some(Cascade::Foreground),
            ("Background", _) | (_, Some(false)) => Some(Cascade::Background),
            _ => None,
        };
        let dry = body["dryRun"].as_array().is_some_and(|list| list.iter().any(|word| word == "All"));
        Ok(DeleteOptions {
            grace,
            cascade,
            uid: text(&body["preconditions"]["uid"]),
            revision: text(&body["preconditions"]["resourceVersion"]),
            dry_run: dry || self.dry_run()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn query(text: &str) -> Query {
        Query::read(&format!("/x?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn a_query_is_read() {
        let query = query(
            "command=ls&command=-l%20a&stdin=true&limit=5&dryRun=All&fieldManager=me&resourceVersion=7",
        );
        assert_eq!(query.all("command"), ["ls", "-l a"]);
        assert!(query.flag("stdin") && !query.flag("tty"));
        assert_eq!(query.page().unwrap().0, Some(5));
        assert_eq!(query.revision().unwrap(), Some(7));
        let options = query.write(&HeaderMap::new()).unwrap();
        assert!(options.dry_run && options.manager == "me");
    }

    #[rstest]
    #[case("", false, true)]
    #[case("resourceVersion=7&resourceVersionMatch=Exact", false, true)]
    #[case("resourceVersionMatch=Exact", false, false)]
    #[case("resourceVersion=0&resourceVersionMatch=Exact", false, false)]
    #[case("resourceVersion=7&resourceVersionMatch=Newest", false, false)]
    #[case("sendInitialEvents=true", false, false)]
    #[case("continue=x&resourceVersion=7", false, false)]
    #[case("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", true, true)]
    #[case("sendInitialEvents=true", true, false)]
    #[case("resourceVersionMatch=NotOlderThan", true, false)]
    fn options_of_lists_go_together_or_not(#[case] text: &str, #[case] watch: bool, #[case] expected: bool) {
        assert_eq!(query(text).coherent(watch).is_ok(), expected);
    }

    #[test]
    fn a_page_token_comes_back_as_it_went() {
        let page = Page { revision: 42, after: ("default".into(), "nettool-1".into()) };
        assert_eq!(Page::read(&page.token()), Some(page));
        assert!(query("continue=x").page().is_err());
        assert!(query("limit=-1").page().is_err());
        assert!(query("fieldValidation=Perhaps").write(&HeaderMap::new()).is_err());
    }
}
