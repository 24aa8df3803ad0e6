//! What a container runs: its command, its environment, its folder.
//!
//! What lives here: the Downward API, ConfigMaps and Secrets as variables, and `$(NAME)` in commands. What does not: running it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, Pod, Secret};
use kube::api::Api;
use kube::{Client, ResourceExt};

use crate::node::Command;

/// Where a pod is, for what its containers may ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) pod_ips: Vec<IpAddr>,
    pub(super) host_ips: Vec<IpAddr>,
    pub(super) node: String,
}

/// The command of a container; `None` when only its image would know it.
///
/// # Errors
/// What is not there, in a kubelet's words.
pub(super) async fn command(
    client: &Client,
    pod: &Pod,
    container: &Container,
    facts: &Facts,
) -> Result<Option<Command>, String> {
    let env = environment(client, pod, container, facts).await?;
    if container.command.as_ref().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let words = container.command.iter().chain(&container.args).flatten();
    let mut command = Command::new(words.map(|word| expand(word, &env)));
    command.cwd = container.working_dir.as_ref().filter(|folder| !folder.is_empty()).map(Into::into);
    command.env = env;
    command.env.entry("HOSTNAME".into()).or_insert_with(|| pod.name_any());
    Ok(Some(command))
}

async fn environment(
    client: &Client,
    pod: &Pod,
    container: &Container,
    facts: &Facts,
) -> Result<BTreeMap<String, String>, String> {
    let namespace = pod.namespace().unwrap_or_default();
    let mut env = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let mut take = |found: BTreeMap<String, String>| {
            env.extend(found.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        };
        if let Some(from) = &source.config_map_ref {
            take(config_map(client, &namespace, &from.name, from.optional).await?.unwrap_or_default());
        }
        if let Some(from) = &source.secret_ref {
            take(secret(client, &namespace, &from.name, from.optional).await?.unwrap_or_default());
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value {
            Some(value) => Some(expand(value, &env)),
            None => from_elsewhere(client, pod, variable, facts).await?,
        };
        if let Some(value) = value {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

async fn from_elsewhere(
    client: &Client,
    pod: &Pod,
    variable: &EnvVar,
    facts: &Facts,
) -> Result<Option<String>, String> {
    let Some(source) = &variable.value_from else { return Ok(Some(String::new())) };
    let namespace = pod.namespace().unwrap_or_default();
    if let Some(field) = &source.field_ref {
        return Ok(Some(downward(pod, &field.field_path, facts)));
    }
    let (kind, name, key, optional, found) = if let Some(from) = &source.config_map_key_ref {
        let found = config_map(client, &namespace, &from.name, from.optional).await?;
        ("ConfigMap", &from.name, &from.key, from.optional, found)
    } else if let Some(from) = &source.secret_key_ref {
        let found = secret(client, &namespace, &from.name, from.optional).await?;
        ("Secret", &from.name, &from.key, from.optional, found)
    } else {
        return Ok(None);
    };
    match found.unwrap_or_default().remove(key) {
        Some(value) => Ok(Some(value)),
        None if optional == Some(true) => Ok(None),
        None => Err(format!("couldn't find key {key} in {kind} {namespace}/{name}")),
    }
}

type Data = Option<BTreeMap<String, String>>;

async fn config_map(
    client: &Client,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<Data, String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(Some(found)) => Ok(Some(found.data.unwrap_or_default())),
        Ok(None) if optional == Some(true) => Ok(None),
        Ok(None) => Err(format!("configmap \"{name}\" not found")),
        Err(error) => Err(error.to_string()),
    }
}

async fn secret(
    client: &Client,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<Data, String> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let text = |bytes: k8s_openapi::ByteString| String::from_utf8_lossy(&bytes.0).into_owned();
    match api.get_opt(name).await {
        Ok(Some(found)) => {
            let data = found.data.unwrap_or_default().into_iter();
            Ok(Some(data.map(|(key, bytes)| (key, text(bytes))).collect()))
        }
        Ok(None) if optional == Some(true) => Ok(None),
        Ok(None) => Err(format!("secret \"{name}\" not found")),
        Err(error) => Err(error.to_string()),
    }
}

/// A field of the pod, as the Downward API names it. What it does not know is empty: the API refuses it at the door.
fn downward(pod: &Pod, path: &str, facts: &Facts) -> String {
    let list = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let first = |ips: &[IpAddr]| ips.first().map(ToString::to_string).unwrap_or_default();
    let keyed = |map: &BTreeMap<String, String>, rest: &str| {
        let key = rest.trim_start_matches("['").trim_end_matches("']");
        map.get(key).cloned().unwrap_or_default()
    };
    match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "spec.nodeName" => facts.node.clone(),
        "spec.serviceAccountName" => {
            pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone()).unwrap_or_default()
        }
        "status.podIP" => first(&facts.pod_ips),
        "status.podIPs" => list(&facts.pod_ips),
        "status.hostIP" => first(&facts.host_ips),
        "status.hostIPs" => list(&facts.host_ips),
        _ => match (path.strip_prefix("metadata.labels"), path.strip_prefix("metadata.annotations")) {
            (Some(rest), _) => keyed(pod.labels(), rest),
            (_, Some(rest)) => keyed(pod.annotations(), rest),
            _ => String::new(),
        },
    }
}

/// Puts variables in: `$(NAME)` is its value, or stays as it is when there is none; `$$` is one `$`.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        made.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            made.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match env.get(name) {
                Some(value) => made.push_str(value),
                None => made.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            made.push('$');
        }
    }
    made.push_str(rest);
    made
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("$(A)", "one")]
    #[case("a$(A)b$(A)c", "aonebonec")]
    #[case("$(B)", "$(B)")]
    #[case("$$(A)", "$(A)")]
    #[case("$A $ $(", "$A $ $(")]
    #[case("", "")]
    fn variables_are_put_in(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(expand(text, &BTreeMap::from([("A".to_owned(), "one".to_owned())])), expected);
    }

    #[rstest]
    #[case("metadata.labels['app.kubernetes.io/name']", "web")]
    #[case("metadata.namespace", "default")]
    #[case("status.podIP", "10.1.1.7")]
    #[case("status.podIPs", "10.1.1.7,fd00::7")]
    #[case("spec.nodeName", "worker")]
    #[case("status.phase", "")]
    fn a_pod_knows_itself(#[case] path: &str, #[case] expected: &str) {
        let pod = json!({"metadata": {"name": "p", "namespace": "default", "labels": {"app.kubernetes.io/name": "web"}}});
        let facts = Facts {
            pod_ips: vec!["10.1.1.7".parse().unwrap(), "fd00::7".parse().unwrap()],
            node: "worker".into(),
            ..Facts::default()
        };
        assert_eq!(downward(&serde_json::from_value(pod).unwrap(), path, &facts), expected);
    }

    proptest! {
        #[test]
        fn any_text_expands(text in "[$()aA ]{0,40}") {
            let env = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
            let made = expand(&text, &env);
            prop_assert!(text.contains('$') || made == text);
        }
    }
}
