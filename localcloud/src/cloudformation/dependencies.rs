//! How the parts of a template depend on each other: which references lead nowhere, which conditions hold, and in which
//! order the resources come.

use super::error::invalid;
use super::references::{self, Needs};
use super::resolve::{self, Known, Scope, PSEUDO_PARAMETERS};
use super::template::{Resource, Template};
use crate::wire::error::ApiError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Template {
    /// Reads a template that holds together: each reference in it leads somewhere.
    ///
    /// # Errors
    ///
    /// AWS's `ValidationError`, with the place in the text or the name of the entry that is wrong.
    pub fn read(body: &str) -> Result<Self, ApiError> {
        let template = Self::parse(body)?;
        template.check_references()?;
        Ok(template)
    }

    /// The conditions' values under these parameters.
    pub fn decide(&self, scope: &mut Scope) -> Result<(), ApiError> {
        for name in self.condition_order()? {
            let value = resolve::truth(&self.conditions[name], scope)?;
            scope.conditions.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// The resources whose conditions hold, each after those it needs.
    ///
    /// # Errors
    ///
    /// A reference to a resource whose condition doesn't hold, or a circle.
    pub fn creation_order(&self, scope: &Scope) -> Result<Vec<String>, ApiError> {
        let active: BTreeMap<&str, &Resource> = self
            .resources
            .iter()
            .filter(|(_, resource)| scope.holds(resource.condition.as_deref()))
            .map(|(name, resource)| (name.as_str(), resource))
            .collect();
        let mut graph = BTreeMap::new();
        let mut unresolved = BTreeSet::new();
        for (name, resource) in &active {
            let mut needs = Needs::default();
            needs.collect(&resource.properties, Some(&scope.conditions))?;
            let (found, missing): (BTreeSet<_>, BTreeSet<_>) = needs
                .resources()
                .filter(|name| self.resources.contains_key(*name))
                .map(str::to_owned)
                .partition(|name| active.contains_key(name.as_str()));
            unresolved.extend(missing);
            let declared = resource.depends_on.iter();
            let declared = declared.filter(|name| active.contains_key(name.as_str()));
            graph.insert(
                (*name).to_owned(),
                found.into_iter().chain(declared.cloned()).collect(),
            );
        }
        self.refuse_unresolved(&unresolved, "Resources")?;
        let mut unresolved = BTreeSet::new();
        for output in self.outputs.values() {
            if scope.holds(output.condition.as_deref()) {
                let mut needs = Needs::default();
                needs.collect(&output.value, Some(&scope.conditions))?;
                let resources = needs.resources();
                let inactive = resources.filter(|name| {
                    self.resources.contains_key(*name) && !active.contains_key(name)
                });
                unresolved.extend(inactive.map(str::to_owned));
            }
        }
        if !unresolved.is_empty() {
            let names: Vec<_> = unresolved.into_iter().collect();
            return Err(invalid(format!(
                "Unresolved resource dependencies [{}] in the Outputs block of the template",
                names.join(", ")
            )));
        }
        order(&graph).map_err(|circle| {
            invalid(format!(
                "Circular dependency between resources: [{}]",
                circle.join(", ")
            ))
        })
    }

    /// The outputs whose conditions hold, with their values.
    pub fn resolve_outputs(
        &self,
        scope: &Scope,
        known: &Known,
    ) -> Result<Vec<ShownOutput>, ApiError> {
        let mut shown = Vec::new();
        for (name, output) in &self.outputs {
            if !scope.holds(output.condition.as_deref()) {
                continue;
            }
            let resolve = |value: &Value| {
                resolve::resolve_text(value, scope, known)?.ok_or_else(|| {
                    invalid(format!(
                        "Template format error: The Value field of every Outputs member must evaluate to a String. [/Outputs/{name}]"
                    ))
                })
            };
            shown.push(ShownOutput {
                name: name.clone(),
                value: resolve(&output.value)?,
                description: output.description.clone(),
                export: output.export.as_ref().map(resolve).transpose()?,
            });
        }
        Ok(shown)
    }

    /// The complaint about an attribute that a resource of its type doesn't have. As on AWS, a stack begins before
    /// anybody looks.
    pub fn unsupported_attribute(&self) -> Option<String> {
        let mut asked = Vec::new();
        // The template was checked: that its functions can be read is known.
        for (name, resource) in &self.resources {
            let path = format!("/Resources/{name}/Properties");
            let _ = references::attributes(&resource.properties, &path, &mut asked);
        }
        for (name, output) in &self.outputs {
            let path = format!("/Outputs/{name}/Value");
            let _ = references::attributes(&output.value, &path, &mut asked);
        }
        asked.iter().find_map(|asked| {
            let kind = self.resources.get(&asked.resource)?.kind;
            let supported = kind.attributes.contains(&asked.attribute.as_str());
            (!supported).then(|| {
                format!(
                    "[Error] {}: Resource type {} does not support attribute {{{}}}",
                    asked.path, kind.name, asked.attribute
                )
            })
        })
    }

    /// The names of the exports that a stack from this template needs.
    ///
    /// # Errors
    ///
    /// A key that a mapping doesn't have, or a name that depends on a resource.
    pub fn imports(&self, scope: &Scope) -> Result<BTreeSet<String>, ApiError> {
        let mut names = BTreeSet::new();
        for resource in self.resources.values() {
            if scope.holds(resource.condition.as_deref()) {
                references::imports(&resource.properties, scope, &mut names)?;
            }
        }
        for output in self.outputs.values() {
            if scope.holds(output.condition.as_deref()) {
                references::imports(&output.value, scope, &mut names)?;
            }
        }
        Ok(names)
    }

    fn condition_order(&self) -> Result<Vec<&str>, ApiError> {
        let mut graph = BTreeMap::new();
        for (name, condition) in &self.conditions {
            let mut named = BTreeSet::new();
            references::conditions_in(condition, &mut named)?;
            if let Some(missing) = named
                .iter()
                .find(|name| !self.conditions.contains_key(**name))
            {
                return Err(invalid(format!(
                    "Template format error: Unresolved condition dependency {missing} in the Conditions block of the template"
                )));
            }
            let named = named.into_iter().map(str::to_owned).collect();
            graph.insert(name.clone(), named);
        }
        let order = order(&graph).map_err(|circle| {
            invalid(format!(
                "Template format error: Circular dependency between conditions: [{}]",
                circle.join(", ")
            ))
        })?;
        Ok(order
            .iter()
            .filter_map(|name| Some(self.conditions.get_key_value(name)?.0.as_str()))
            .collect())
    }

    fn check_references(&self) -> Result<(), ApiError> {
        self.condition_order()?;
        let mut in_conditions = Needs::default();
        for condition in self.conditions.values() {
            in_conditions.collect(condition, None)?;
        }
        let unresolved: Vec<_> = in_conditions
            .resources()
            .filter(|name| !self.is_value(name))
            .collect();
        if !unresolved.is_empty() {
            return Err(invalid(format!(
                "Template format error: Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
                unresolved.join(", ")
            )));
        }
        let mut in_resources = Needs::default();
        let mut unresolved = BTreeSet::new();
        for resource in self.resources.values() {
            in_resources.collect(&resource.properties, None)?;
            self.check_condition(resource.condition.as_deref(), "Resources")?;
            let declared = resource.depends_on.iter();
            unresolved.extend(
                declared
                    .filter(|name| !self.resources.contains_key(*name))
                    .cloned(),
            );
        }
        self.check_needs(&in_resources, unresolved, "Resources")?;
        let mut in_outputs = Needs::default();
        for output in self.outputs.values() {
            in_outputs.collect(&output.value, None)?;
            if let Some(export) = &output.export {
                in_outputs.collect(export, None)?;
            }
            self.check_condition(output.condition.as_deref(), "Outputs")?;
        }
        self.check_needs(&in_outputs, BTreeSet::new(), "Outputs")
    }

    fn check_needs(
        &self,
        needs: &Needs,
        mut unresolved: BTreeSet<String>,
        block: &str,
    ) -> Result<(), ApiError> {
        if let Some(missing) = needs
            .conditions
            .iter()
            .find(|name| !self.conditions.contains_key(*name))
        {
            return Err(invalid(format!(
                "Template error: unresolved condition dependency {missing} in Fn::If"
            )));
        }
        for (name, _) in &needs.attributes {
            if !self.resources.contains_key(name) {
                return Err(invalid(format!(
                    "Template error: instance of Fn::GetAtt references undefined resource {name}"
                )));
            }
        }
        let refs = needs.refs.iter();
        unresolved.extend(
            refs.filter(|name| !self.is_value(name) && !self.resources.contains_key(*name))
                .cloned(),
        );
        self.refuse_unresolved(&unresolved, block)
    }

    fn refuse_unresolved(&self, names: &BTreeSet<String>, block: &str) -> Result<(), ApiError> {
        if names.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Err(invalid(format!(
            "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
            names.join(", ")
        )))
    }

    fn check_condition(&self, condition: Option<&str>, block: &str) -> Result<(), ApiError> {
        match condition.filter(|name| !self.conditions.contains_key(*name)) {
            Some(name) => Err(invalid(format!(
                "Template format error: Unresolved condition dependency {name} in the {block} block of the template"
            ))),
            None => Ok(()),
        }
    }

    /// Whether `Ref` to this name needs no resource.
    fn is_value(&self, name: &str) -> bool {
        self.parameters.contains_key(name) || PSEUDO_PARAMETERS.contains(&name)
    }
}

/// An output with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownOutput {
    pub name: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

/// The nodes of `graph`, each after those it needs; or those that need each other in a circle.
fn order(graph: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut ordered: Vec<String> = Vec::with_capacity(graph.len());
    let mut left: BTreeMap<_, _> = graph.iter().collect();
    while !left.is_empty() {
        let ready: Vec<_> = left
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| left.contains_key(need)))
            .map(|(name, _)| (*name).clone())
            .collect();
        if ready.is_empty() {
            return Err(circle(left));
        }
        for name in &ready {
            left.remove(name);
        }
        ordered.extend(ready);
    }
    Ok(ordered)
}

/// Leaves out those that only wait for the circle.
fn circle(mut left: BTreeMap<&String, &BTreeSet<String>>) -> Vec<String> {
    loop {
        let needed: BTreeSet<&String> = left.values().flat_map(|needs| needs.iter()).collect();
        let before = left.len();
        left.retain(|name, _| needed.contains(name));
        if left.len() == before {
            return left.into_keys().cloned().collect();
        }
    }
}
