//! The changes that a new version would make to the resources of a stack. Nothing is made here: a value that depends
//! on something yet to be made counts as changed.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>.

use super::references::Needs;
use super::resolve::{resolve, Known};
use super::stack::{Action, Change, ChangeDetail, Stack, StackResource, Version};
use super::template::Resource;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

impl Change {
    /// Whether a new resource comes in place of the old one: `True`, `False`, or `Conditional` if only the execution
    /// will show. `None` for a resource that comes or goes.
    pub fn replacement(&self) -> Option<&'static str> {
        if self.action != Action::Modify {
            return None;
        }
        let recreating = || self.details.iter().filter(|detail| detail.recreation);
        Some(if recreating().any(|detail| !detail.dynamic) {
            "True"
        } else if recreating().next().is_some() {
            "Conditional"
        } else {
            "False"
        })
    }
}

/// The changes from the stack as it is to the version `new`, by the resources' names.
pub fn between(stack: &Stack, new: &Version, known: &Known) -> Vec<Change> {
    let (mut replaced, mut modified) = (BTreeSet::new(), BTreeSet::new());
    let mut changes: Vec<_> = new
        .order
        .iter()
        .filter_map(|name| {
            let wanted = &new.template.resources[name];
            let is_there = |it: &&StackResource| it.provisioned.is_some();
            let change = match stack.resource(name).filter(is_there) {
                None => Some(coming(name, wanted)),
                Some(existing) => {
                    let old = stack.version.template.resources.get(name);
                    Differences {
                        new,
                        old: &stack.version,
                        known,
                        replaced: &replaced,
                        modified: &modified,
                    }
                    .modification(existing, old, wanted)
                }
            }?;
            match change.replacement() {
                Some("False") => modified.insert(name.clone()),
                _ => replaced.insert(name.clone()),
            };
            Some(change)
        })
        .collect();
    let is_there = |resource: &&StackResource| {
        resource.provisioned.is_some() && !resource.status.starts_with("DELETE_COMPLETE")
    };
    let leaving = stack.resources.iter().filter(is_there);
    changes.extend(
        leaving
            .filter(|resource| !new.order.contains(&resource.name))
            .map(going),
    );
    changes.sort_by(|a, b| a.resource.cmp(&b.resource));
    changes
}

fn coming(name: &str, wanted: &Resource) -> Change {
    Change {
        action: Action::Add,
        resource: name.to_owned(),
        kind: wanted.kind,
        physical_id: None,
        details: Vec::new(),
        deletion: wanted.deletion,
    }
}

fn going(existing: &StackResource) -> Change {
    Change {
        action: Action::Remove,
        resource: existing.name.clone(),
        kind: existing.kind,
        physical_id: existing.provisioned.as_ref().map(|it| it.id.clone()),
        details: Vec::new(),
        deletion: existing.deletion,
    }
}

struct Differences<'a> {
    new: &'a Version,
    old: &'a Version,
    known: &'a Known,
    /// The resources whose ids and attributes will be others.
    replaced: &'a BTreeSet<String>,
    /// The resources whose attributes may be others, which only the execution will show.
    modified: &'a BTreeSet<String>,
}

impl Differences<'_> {
    fn modification(
        &self,
        existing: &StackResource,
        old: Option<&Resource>,
        wanted: &Resource,
    ) -> Option<Change> {
        let (after, unknown) = self.resolved(wanted);
        let names: BTreeSet<_> = after
            .keys()
            .chain(&unknown)
            .chain(existing.properties.keys())
            .collect();
        let mut details = Vec::new();
        for name in names {
            let differs =
                unknown.contains(name) || after.get(name) != existing.properties.get(name);
            let value = wanted.properties.get(name);
            let before = old.and_then(|old| old.properties.get(name));
            if name == "Tags" && differs && before == value && self.new.tags != self.old.tags {
                details.push(detail("Tags"));
            } else {
                let recreation = existing.kind.fixed.contains(&name.as_str());
                details.extend(self.property(name, recreation, before, value, differs));
            }
        }
        if wanted.metadata != existing.metadata {
            details.push(detail("Metadata"));
        }
        if wanted.deletion != existing.deletion {
            details.push(detail("DeletionPolicy"));
        }
        if wanted.replacement != existing.replacement {
            details.push(detail("UpdateReplacePolicy"));
        }
        (!details.is_empty()).then(|| Change {
            action: Action::Modify,
            resource: existing.name.clone(),
            kind: existing.kind,
            physical_id: existing.provisioned.as_ref().map(|it| it.id.clone()),
            details,
            deletion: existing.replacement,
        })
    }

    /// The properties that are known already, and the names of the others.
    fn resolved(&self, wanted: &Resource) -> (Map<String, Value>, BTreeSet<String>) {
        let (mut known, mut unknown) = (Map::new(), BTreeSet::new());
        for (name, value) in wanted.properties.as_object().into_iter().flatten() {
            match resolve(value, &self.new.scope, self.known) {
                Ok(value) => known.extend(value.map(|value| (name.clone(), value))),
                Err(_) => drop(unknown.insert(name.clone())),
            }
        }
        if wanted.kind.takes_tags {
            self.new.add_tags(&mut known);
        }
        (known, unknown)
    }

    /// Why one property changes; nothing if it doesn't.
    fn property(
        &self,
        name: &str,
        recreation: bool,
        before: Option<&Value>,
        after: Option<&Value>,
        differs: bool,
    ) -> Vec<ChangeDetail> {
        let mut needs = Needs::default();
        // A template is checked before it becomes a version, so that this can't fail.
        let _ = after.map(|value| needs.collect(value, Some(&self.new.scope.conditions)));
        let because = |source, cause: Option<String>, dynamic| ChangeDetail {
            property: Some(name.to_owned()),
            recreation,
            dynamic,
            source,
            cause,
            ..detail("Properties")
        };
        let mut details = Vec::new();
        let replaced = |name: &&String| self.replaced.contains(*name);
        for reference in needs.refs.iter().filter(replaced) {
            details.push(because("ResourceReference", Some(reference.clone()), false));
        }
        for (resource, attribute) in &needs.attributes {
            let replaced = self.replaced.contains(resource);
            if replaced || self.modified.contains(resource) {
                let cause = format!("{resource}.{attribute}");
                details.push(because("ResourceAttribute", Some(cause), !replaced));
            }
        }
        if details.is_empty() && !differs {
            return Vec::new();
        }
        let parameters = needs.refs.iter().filter(|name| {
            self.new.scope.parameters.contains_key(*name)
                && self.new.scope.parameters.get(*name) != self.old.scope.parameters.get(*name)
        });
        let parameters: Vec<_> = parameters.cloned().collect();
        let by_parameter = !parameters.is_empty();
        details.extend(
            parameters
                .into_iter()
                .map(|name| because("ParameterReference", Some(name), false)),
        );
        if by_parameter {
            details.push(because("DirectModification", None, true));
        } else if before != after || details.is_empty() {
            details.push(because("DirectModification", None, false));
        }
        details
    }
}

fn detail(attribute: &'static str) -> ChangeDetail {
    ChangeDetail {
        attribute,
        property: None,
        recreation: false,
        dynamic: false,
        source: "DirectModification",
        cause: None,
    }
}
