//! Deleting what belonged to what is gone: `metadata.ownerReferences`.
//!
//! What lives here: what becomes of an object's dependents when it is deleted, in the foreground, in the background, or left
//! behind as orphans, as Kubernetes' garbage collector does. What does not: deleting one object (`delete`).
//!
//! A Kubernetes server's collector comes a moment later; here all is done when the deletion is answered.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::delete::{FOREGROUND, ORPHAN};
use super::{Cascade, DeleteOptions, Rules, Step, drain};
use crate::twin::api::registry::Resource;
use crate::twin::store::{Key, Object};

/// What is still to be looked at.
enum Work {
    /// An object is gone.
    Gone(Arc<Object>),
    /// An object goes when nothing that blocks it is left.
    Foreground(Key),
    /// An object goes when nothing refers to it any more.
    Orphans(Key),
    /// An object whose owners may be gone.
    Judge(Key),
}

/// What an owner is to its dependent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// There, or of a kind nobody knows: then it is not known to be gone.
    Solid,
    /// Gone, or another object of its name.
    Absent,
    /// Going once its dependents are gone.
    Waiting,
}

impl Rules {
    /// After an object is gone.
    pub(super) fn collect(&self, gone: &Arc<Object>) {
        self.work(Work::Gone(Arc::clone(gone)));
    }

    /// After an object is marked as going, with a finalizer for its dependents.
    pub(super) fn collect_going(&self, key: &Key, value: &Value) {
        if has_finalizer(value, ORPHAN) {
            self.work(Work::Orphans(key.clone()));
        }
        if has_finalizer(value, FOREGROUND) {
            self.work(Work::Foreground(key.clone()));
        }
    }

    /// After an object is made or given another owner: one whose owners are all gone goes, too.
    pub(super) fn collect_orphan(&self, key: &Key, value: &Value) {
        if references(value).next().is_some() {
            self.work(Work::Judge(key.clone()));
        }
    }

    fn work(&self, first: Work) {
        let mut queue = VecDeque::from([first]);
        while let Some(work) = queue.pop_front() {
            match work {
                Work::Gone(gone) => self.gone(&gone, &mut queue),
                Work::Foreground(key) => self.foreground(&key, &mut queue),
                Work::Orphans(key) => self.orphans(&key, &mut queue),
                Work::Judge(key) => self.judge(&key, &mut queue),
            }
        }
    }

    fn gone(&self, gone: &Arc<Object>, queue: &mut VecDeque<Work>) {
        let dependents = self.store.owned_by(gone.meta("uid")).into_iter();
        queue.extend(dependents.map(|(key, _)| Work::Judge(key)));
        // Its owner may be waiting for that.
        for reference in references(&gone.value) {
            if let Some(key) = self.owner_key(reference, gone.meta("namespace"))
                && self.store.get(&key).is_some_and(|owner| waits(&owner.value))
            {
                queue.push_back(Work::Foreground(key));
            }
        }
    }

    fn foreground(&self, key: &Key, queue: &mut VecDeque<Work>) {
        let Some(owner) = self.store.get(key).filter(|owner| waits(&owner.value)) else { return };
        let uid = owner.meta("uid");
        let mut dependents = self.store.owned_by(uid);
        dependents.retain(|(_, dependent)| {
            references(&dependent.value).any(|of| of["uid"] == uid && of["blockOwnerDeletion"] == true)
        });
        if dependents.is_empty() {
            return self.release(key, FOREGROUND, queue);
        }
        let undecided = dependents.into_iter().filter(|(_, dependent)| !drain::going(&dependent.value));
        queue.extend(undecided.map(|(key, _)| Work::Judge(key)));
    }

    fn orphans(&self, key: &Key, queue: &mut VecDeque<Work>) {
        let Some(owner) = self.store.get(key).filter(|owner| drain::going(&owner.value)) else { return };
        let uid = owner.meta("uid").to_owned();
        for (dependent, _) in self.store.owned_by(&uid) {
            self.rewrite(&dependent, |of| (of["uid"] != uid.as_str()).then(|| of.clone()));
        }
        self.release(key, ORPHAN, queue);
    }

    /// Whether an object goes for want of owners.
    fn judge(&self, key: &Key, queue: &mut VecDeque<Work>) {
        let Some(object) = self.store.get(key).filter(|object| !drain::going(&object.value)) else { return };
        let Some(resource) = self.registry.any_version(&key.collection) else { return };
        let owners: Vec<_> =
            references(&object.value).map(|of| (self.owner(of, &key.namespace), of["uid"].clone())).collect();
        let any = |kind: Owner| owners.iter().any(|(owner, _)| *owner == kind);
        if owners.is_empty() {
            return;
        }
        if any(Owner::Solid) {
            if any(Owner::Absent) || any(Owner::Waiting) {
                let solid =
                    |of: &Value| owners.iter().any(|(o, uid)| *o == Owner::Solid && *uid == of["uid"]);
                self.rewrite(key, |of| solid(of).then(|| of.clone()));
                // Who waited for it waits no longer.
                let waiting = references(&object.value).filter_map(|of| self.owner_key(of, &key.namespace));
                queue.extend(waiting.map(Work::Foreground));
            }
            return;
        }
        let mut cascade = match () {
            () if has_finalizer(&object.value, ORPHAN) => Cascade::Orphan,
            () if has_finalizer(&object.value, FOREGROUND) => Cascade::Foreground,
            () => Cascade::Background,
        };
        let dependents = self.store.owned_by(object.meta("uid"));
        if any(Owner::Waiting) && !dependents.is_empty() {
            cascade = Cascade::Foreground;
            // In a circle each would wait for the other.
            if dependents.iter().any(|(_, dependent)| waits(&dependent.value)) {
                self.rewrite(key, |of| {
                    let mut of = of.clone();
                    of["blockOwnerDeletion"] = json!(false);
                    Some(of)
                });
                let waiting = references(&object.value).filter_map(|of| self.owner_key(of, &key.namespace));
                queue.extend(waiting.map(Work::Foreground));
            }
        }
        let options = DeleteOptions {
            uid: Some(object.meta("uid").to_owned()),
            cascade: Some(cascade),
            ..DeleteOptions::default()
        };
        match self.delete_one(&resource, &key.namespace, &key.name, &options) {
            Ok(deleted) if deleted.gone => queue.push_back(Work::Gone(deleted.object)),
            Ok(deleted) if waits(&deleted.value) => queue.push_back(Work::Foreground(key.clone())),
            Ok(deleted) if has_finalizer(&deleted.value, ORPHAN) => {
                queue.push_back(Work::Orphans(key.clone()))
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, %key, "an object without owners went by another way"),
        }
    }

    /// Takes the finalizer off an object whose dependents are seen to; it goes when it was the last.
    fn release(&self, key: &Key, finalizer: &str, queue: &mut VecDeque<Work>) {
        let mut last = false;
        let done = self.change(key, false, |old| {
            let mut value = old.value.clone();
            if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
                list.retain(|one| one != finalizer);
            }
            last = drain::finished(&value);
            Ok(if last { Step::Remove } else { Step::Replace(value) })
        });
        match done {
            Ok(object) if last => {
                self.settle(&key.collection, &key.namespace);
                queue.push_back(Work::Gone(object));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, %key, "an owner went by another way"),
        }
    }

    /// Writes an object's references to owners anew, those that `keep` gives.
    fn rewrite(&self, key: &Key, keep: impl Fn(&Value) -> Option<Value>) {
        let done = self.change(key, false, |old| {
            let kept: Vec<_> = references(&old.value).filter_map(&keep).collect();
            let mut value = old.value.clone();
            let Some(metadata) = value["metadata"].as_object_mut() else { return Ok(Step::Keep) };
            if kept.is_empty() {
                metadata.shift_remove("ownerReferences");
            } else {
                metadata.insert("ownerReferences".into(), Value::Array(kept));
            }
            Ok(if value == old.value { Step::Keep } else { Step::Replace(value) })
        });
        if let Err(error) = done {
            tracing::debug!(%error, %key, "an object with owners went by another way");
        }
    }

    fn owner_resource(&self, reference: &Value) -> Option<Arc<Resource>> {
        let text = |key: &str| reference[key].as_str().unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        self.registry.of_kind(group, version, text("kind"))
    }

    /// Where an owner is; nowhere for a kind nobody knows, or one in a namespace where the dependent is in none.
    fn owner_key(&self, reference: &Value, namespace: &str) -> Option<Key> {
        let resource = self.owner_resource(reference)?;
        if resource.namespaced && namespace.is_empty() {
            return None;
        }
        Some(Self::key(&resource, namespace, reference["name"].as_str()?))
    }

    fn owner(&self, reference: &Value, namespace: &str) -> Owner {
        let Some(key) = self.owner_key(reference, namespace) else { return Owner::Solid };
        match self.store.get(&key).filter(|owner| reference["uid"] == owner.meta("uid")) {
            None => Owner::Absent,
            Some(owner) if waits(&owner.value) => Owner::Waiting,
            Some(_) => Owner::Solid,
        }
    }
}

fn references(value: &Value) -> impl Iterator<Item = &Value> {
    value["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn has_finalizer(value: &Value, finalizer: &str) -> bool {
    let list = value["metadata"]["finalizers"].as_array();
    list.is_some_and(|list| list.iter().any(|one| one == finalizer))
}

/// Whether an object goes once its dependents are gone.
fn waits(value: &Value) -> bool {
    drain::going(value) && has_finalizer(value, FOREGROUND)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::WriteOptions;
    use super::super::tests::{resource, rules};
    use super::*;

    /// Makes a ConfigMap that the others own, each perhaps with a word on blocking.
    fn made(rules: &Rules, name: &str, owners: &[(&str, &Value, bool)]) -> Value {
        let owners: Vec<_> = owners
            .iter()
            .map(|(name, uid, blocks)| {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": blocks})
            })
            .collect();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "ownerReferences": owners}});
        let maps = resource(rules, "ConfigMap");
        let made = rules.create(&maps, "default", map, &WriteOptions::default()).unwrap();
        made.value["metadata"]["uid"].clone()
    }

    fn delete(rules: &Rules, name: &str, cascade: Cascade) {
        let options = DeleteOptions { cascade: Some(cascade), ..DeleteOptions::default() };
        rules.delete(&resource(rules, "ConfigMap"), "default", name, &options).unwrap();
    }

    fn names(rules: &Rules) -> Vec<String> {
        let maps = resource(rules, "ConfigMap");
        let listed = rules.store.list(&maps.collection, None, None).objects;
        listed.iter().map(|object| object.meta("name").to_owned()).collect()
    }

    fn get(rules: &Rules, name: &str) -> Value {
        rules.get(&resource(rules, "ConfigMap"), "default", name).unwrap().value.clone()
    }

    #[rstest]
    #[case(Cascade::Background, &[])]
    #[case(Cascade::Foreground, &[])]
    #[case(Cascade::Orphan, &["b", "c"])]
    fn what_an_owner_owns_follows_it_or_is_left(#[case] cascade: Cascade, #[case] left: &[&str]) {
        let rules = rules();
        let a = made(&rules, "a", &[]);
        let b = made(&rules, "b", &[("a", &a, true)]);
        made(&rules, "c", &[("b", &b, false)]);
        delete(&rules, "a", cascade);
        assert_eq!(names(&rules), left);
        if cascade == Cascade::Orphan {
            assert!(get(&rules, "b")["metadata"].get("ownerReferences").is_none());
            assert_eq!(get(&rules, "c")["metadata"]["ownerReferences"][0]["name"], "b");
        }
    }

    #[test]
    fn one_of_two_owners_is_enough() {
        let rules = rules();
        let (a, b) = (made(&rules, "a", &[]), made(&rules, "b", &[]));
        made(&rules, "c", &[("a", &a, true), ("b", &b, true)]);
        delete(&rules, "a", Cascade::Foreground);
        assert_eq!(names(&rules), ["b", "c"]);
        let owners = get(&rules, "c")["metadata"]["ownerReferences"].clone();
        assert_eq!((owners.as_array().unwrap().len(), &owners[0]["name"]), (1, &json!("b")));
        delete(&rules, "b", Cascade::Background);
        assert_eq!(names(&rules), Vec::<String>::new());
    }

    #[test]
    fn an_owner_waits_for_what_blocks_it() {
        let rules = rules();
        let a = made(&rules, "a", &[]);
        made(&rules, "b", &[("a", &a, true)]);
        let maps = resource(&rules, "ConfigMap");
        let kept = |finalizers: &Value| json!({"metadata": {"finalizers": finalizers}});
        let patch = |body: &Value| {
            let (whole, merge) = (super::super::Part::Whole, crate::twin::api::patch::PatchKind::Merge);
            rules.patch(&maps, "default", "b", whole, merge, body, &WriteOptions::default()).unwrap()
        };
        patch(&kept(&json!(["example.com/keep"])));
        delete(&rules, "a", Cascade::Foreground);
        let owner = get(&rules, "a");
        assert_eq!(owner["metadata"]["finalizers"], json!([FOREGROUND]));
        assert!(drain::going(&owner) && drain::going(&get(&rules, "b")));
        patch(&kept(&json!([])));
        assert_eq!(names(&rules), Vec::<String>::new());
    }

    #[test]
    fn a_circle_is_no_trap_and_a_chain_may_be_long() {
        let rules = rules();
        let a = made(&rules, "a", &[]);
        let b = made(&rules, "b", &[("a", &a, true)]);
        let maps = resource(&rules, "ConfigMap");
        let of = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": b, "blockOwnerDeletion": true}]);
        let body = json!({"metadata": {"ownerReferences": of}});
        let (whole, merge) = (super::super::Part::Whole, crate::twin::api::patch::PatchKind::Merge);
        rules.patch(&maps, "default", "a", whole, merge, &body, &WriteOptions::default()).unwrap();
        delete(&rules, "a", Cascade::Foreground);
        assert_eq!(names(&rules), Vec::<String>::new());
        let mut last = made(&rules, "n0", &[]);
        for at in 1..500 {
            last = made(&rules, &format!("n{at}"), &[(&format!("n{}", at - 1), &last, true)]);
        }
        delete(&rules, "n0", Cascade::Foreground);
        assert_eq!(names(&rules), Vec::<String>::new());
    }

    #[test]
    fn an_owner_that_is_not_there_is_gone_and_a_kind_nobody_knows_is_not() {
        let rules = rules();
        made(&rules, "a", &[("nobody", &json!("u"), false)]);
        assert_eq!(names(&rules), Vec::<String>::new());
        let unknown = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}]);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "b", "ownerReferences": unknown}});
        let maps = resource(&rules, "ConfigMap");
        rules.create(&maps, "default", map, &WriteOptions::default()).unwrap();
        assert_eq!(names(&rules), ["b"]);
    }
}
