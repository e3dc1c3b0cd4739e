//! The update of a stack: resources change in place or are replaced, and all goes back when one fails.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html>.

use super::dependencies::ShownOutput;
use super::provision::{failed, make, remove, Existing, Wanted, Work};
use super::stack::{StackResource, Version};
use super::template::Deletion;
use serde_json::{Map, Value};
use std::sync::Arc;

const REPLACING: &str =
    "Requested update requires the creation of a new physical resource; hence creating one.";

/// A resource as it was before the update changed it.
enum Changed {
    InPlace(Existing),
    /// With the new template's policy for the old resource.
    Replaced(Existing, Deletion),
}

impl Work {
    /// Brings the stack from the version `old` to the one it has been given.
    pub async fn update(self, old: Arc<Version>, new: Arc<Version>) {
        let (mut changed, mut made) = (Vec::new(), Vec::new());
        match self.update_resources(&new, &mut changed, &mut made).await {
            Ok(outputs) => {
                self.with(|stack| stack.outputs = outputs);
                self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
                // As on AWS, what can't be cleaned up doesn't undo the update.
                for change in changed.into_iter().rev() {
                    if let Changed::Replaced(was, policy) = change {
                        self.discard(&was, policy).await;
                    }
                }
                let unwanted = |name: &str| !new.order.iter().any(|wanted| wanted == name);
                let _ = self.delete_resources(unwanted, false).await;
                self.with(|stack| {
                    let gone = |resource: &StackResource| resource.status.starts_with("DELETE_");
                    stack
                        .resources
                        .retain(|resource| !gone(resource) || resource.status == "DELETE_FAILED");
                });
                self.enter("UPDATE_COMPLETE", None);
            }
            Err(reason) => {
                self.enter("UPDATE_ROLLBACK_IN_PROGRESS", Some(&reason));
                self.with(|stack| stack.version = old);
                self.roll_back(changed, &made).await;
            }
        }
    }

    async fn update_resources(
        &self,
        new: &Version,
        changed: &mut Vec<Changed>,
        made: &mut Vec<String>,
    ) -> Result<Vec<ShownOutput>, String> {
        self.check_references(new)?;
        for name in &new.order {
            match self.existing(name) {
                Some(existing) => {
                    let outcome = self.update_resource(existing).await;
                    changed.extend(outcome.map_err(|()| failed("update", name))?);
                }
                None => {
                    made.push(name.clone());
                    let created = self.create_resource(name).await;
                    created.map_err(|()| failed("create", name))?;
                }
            }
        }
        let outputs = self.outputs(new).map_err(|error| error.message)?;
        match self.export_in_use(&outputs) {
            Some((export, importer)) => Err(format!(
                "Cannot update export {export} as it is in use by {importer}"
            )),
            None => Ok(outputs),
        }
    }

    async fn roll_back(&self, changed: Vec<Changed>, made: &[String]) {
        let mut stuck = None;
        let mut superfluous = Vec::new();
        for change in changed.into_iter().rev() {
            match change {
                Changed::InPlace(was) => {
                    if self.restore(&was).await.is_err() {
                        stuck = Some(failed("update", &was.name));
                    }
                }
                Changed::Replaced(was, _) => {
                    superfluous.extend(self.existing(&was.name));
                    self.reset_attributes(&was);
                    self.change(&was.name, |resource| {
                        resource.provisioned = Some(was.provisioned.clone());
                        resource.properties = was.properties.clone();
                    });
                    self.mark(&was.name, "UPDATE_COMPLETE", None);
                }
            }
        }
        if let Some(reason) = stuck {
            return self.enter("UPDATE_ROLLBACK_FAILED", Some(&reason));
        }
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
        for new in superfluous {
            self.discard(&new, Deletion::Delete).await;
        }
        let made = |name: &str| made.iter().any(|made| made == name);
        let _ = self.delete_resources(made, true).await;
        self.enter("UPDATE_ROLLBACK_COMPLETE", None);
    }

    /// Changes a resource if its properties have changed: in place if that is possible, otherwise by a new one.
    async fn update_resource(&self, existing: Existing) -> Result<Option<Changed>, ()> {
        let name = existing.name.clone();
        let wanted = match self.wanted(&name) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.mark(&name, "UPDATE_FAILED", Some(error.message));
                return Err(());
            }
        };
        self.change(&name, |resource| {
            resource.deletion = wanted.deletion;
            resource.replacement = wanted.replacement;
            resource.metadata.clone_from(&wanted.metadata);
        });
        if existing.properties == wanted.properties {
            return Ok(None);
        }
        if wanted
            .kind
            .must_be_replaced(&existing.properties, &wanted.properties)
        {
            let policy = wanted.replacement;
            self.replace(&existing, wanted).await?;
            return Ok(Some(Changed::Replaced(existing, policy)));
        }
        self.put(&existing, wanted.properties).await?;
        Ok(Some(Changed::InPlace(existing)))
    }

    async fn replace(&self, existing: &Existing, wanted: Wanted) -> Result<(), ()> {
        let name = &existing.name;
        self.mark(name, "UPDATE_IN_PROGRESS", Some(REPLACING.to_owned()));
        if let Some(same) = wanted
            .kind
            .name_in_both(&existing.properties, &wanted.properties)
        {
            let reason = format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. \
                 Rename {same} and update the stack again."
            );
            self.mark(name, "UPDATE_FAILED", Some(reason));
            return Err(());
        }
        match make(&wanted).await {
            Ok(provisioned) => {
                self.change(name, |resource| {
                    resource.provisioned = Some(provisioned);
                    resource.properties = wanted.properties;
                });
                let initiated = "Resource creation Initiated".to_owned();
                self.mark(name, "UPDATE_IN_PROGRESS", Some(initiated));
                self.mark(name, "UPDATE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(wanted.kind, name, failure);
                self.mark(name, "UPDATE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    fn reset_attributes(&self, was: &Existing) {
        self.change(&was.name, |resource| {
            resource.deletion = was.deletion;
            resource.replacement = was.replacement;
            resource.metadata.clone_from(&was.metadata);
        });
    }

    async fn restore(&self, was: &Existing) -> Result<(), ()> {
        self.reset_attributes(was);
        match self.existing(&was.name) {
            Some(existing) => self.put(&existing, was.properties.clone()).await,
            None => Ok(()),
        }
    }

    async fn put(&self, existing: &Existing, properties: Map<String, Value>) -> Result<(), ()> {
        let (name, kind) = (&existing.name, existing.kind);
        self.mark(name, "UPDATE_IN_PROGRESS", None);
        let outcome = match kind.check(&properties) {
            Ok(()) => {
                let (services, old) = (&existing.services, &existing.properties);
                kind.handler
                    .update(services, &existing.provisioned, old, &properties)
                    .await
            }
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => {
                self.change(name, |resource| resource.properties = properties);
                self.mark(name, "UPDATE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(kind, name, failure);
                self.mark(name, "UPDATE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    /// Deletes what a replacement left over. The stack's resource of this name is already another one.
    async fn discard(&self, left: &Existing, policy: Deletion) {
        if policy != Deletion::Delete {
            return self.tell(left, "DELETE_SKIPPED", None);
        }
        self.tell(left, "DELETE_IN_PROGRESS", None);
        match remove(left).await {
            Ok(()) => self.tell(left, "DELETE_COMPLETE", None),
            Err(failure) => {
                let reason = self.explain(left.kind, &left.name, failure);
                self.tell(left, "DELETE_FAILED", Some(reason));
            }
        }
    }
}
