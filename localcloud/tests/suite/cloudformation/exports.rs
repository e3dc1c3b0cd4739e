//! Values that one stack exports and others import.

use super::*;

fn exporter(value: &str) -> String {
    queues(&[("Q", &format!("QueueName: {value}"))])
        + "Outputs: {Name: {Value: !GetAtt Q.QueueName, Export: {Name: !Sub '${AWS::StackName}-name'}}}\n"
}

fn importer(export: &str) -> String {
    queues(&[(
        "Q",
        &format!("QueueName: !Sub ['${{it}}-user', {{it: !ImportValue {export}}}]"),
    )])
}

#[tokio::test]
async fn an_export_is_imported_and_listed() {
    let cloud = Cloud::new();
    cloud.create("Source", &exporter("q")).await;
    let export = [("ExportName", "Source-name")];
    assert_eq!(
        cloud.error("ListImports", &export).await,
        "ValidationError: Export 'Source-name' is not imported by any stack."
    );
    let user = importer("Source-name");
    assert_eq!(cloud.create("User", &user).await, "CREATE_COMPLETE");
    assert!(cloud.has_queue("q-user").await);
    let imports = cloud.ok("ListImports", &export).await;
    assert_eq!(all(&imports, "member"), ["User"]);
    let exports = cloud.ok("ListExports", &[]).await;
    assert_eq!(all(&exports, "Name"), ["Source-name"]);
    assert_eq!(all(&exports, "Value"), ["q"]);
    let id = first(&cloud.describe("Source").await, "StackId");
    assert_eq!(all(&exports, "ExportingStackId"), [id]);
    let error = cloud.error("ListImports", &[("ExportName", "No")]).await;
    assert_eq!(error, "ValidationError: Export 'No' does not exist.");
}

#[tokio::test]
async fn an_export_that_is_used_stays_as_it_is() {
    let cloud = Cloud::new();
    cloud.create("Source", &exporter("q")).await;
    cloud.create("User", &importer("Source-name")).await;
    let update = exporter("other");
    assert_eq!(
        cloud.update("Source", &update).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Source").await;
    let expected = "Cannot update export Source-name as it is in use by User";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(cloud.has_queue("q").await && !cloud.has_queue("other").await);

    assert_eq!(cloud.delete("Source").await, "DELETE_FAILED");
    let reasons = cloud.reasons("Source").await;
    let expected = "Cannot delete export Source-name as it is in use by User";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(cloud.has_queue("q").await);
    cloud.delete("User").await;
    assert_eq!(cloud.delete("Source").await, "DELETE_COMPLETE");
    assert!(all(&cloud.ok("ListExports", &[]).await, "Name").is_empty());
}

#[tokio::test]
async fn an_export_that_is_missing_or_taken_fails_the_stack() {
    let cloud = Cloud::new();
    let user = importer("Source-name");
    assert_eq!(cloud.create("User", &user).await, "ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("User").await;
    let expected = "No export named Source-name found. Rollback requested by user.";
    assert!(reasons.contains(expected), "{reasons}");

    let named = |queue: &str| exporter(queue).replace("!Sub '${AWS::StackName}-name'", "same");
    cloud.create("One", &named("one")).await;
    assert_eq!(
        cloud.create("Two", &named("two")).await,
        "ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Two").await;
    let expected =
        "Export with name same is already exported by stack One. Rollback requested by user.";
    assert!(reasons.contains(expected), "{reasons}");
}

#[tokio::test]
async fn the_name_of_an_import_is_known_beforehand() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", ""), ("R", "QueueName: {Fn::ImportValue: !Ref Q}")]);
    let form = [("StackName", "Lab"), ("TemplateBody", &*template)];
    let error = cloud.error("CreateStack", &form).await;
    let expected = "the attribute in Fn::ImportValue must not depend on any resources";
    assert!(error.contains(expected), "{error}");
}
