//! Parameters, and the rules for their values.

use super::*;

#[tokio::test]
async fn parameters_are_checked() {
    let cloud = Cloud::new();
    let create = |parameter: &str, value: Option<&str>| {
        let template = format!(
            "Parameters:\n  P: {{{parameter}}}\nResources:\n  Q: {{Type: AWS::SQS::Queue}}\n"
        );
        let value = value.map(str::to_owned);
        let cloud = &cloud;
        async move {
            let mut form = vec![("StackName", "Lab"), ("TemplateBody", &*template)];
            if let Some(value) = &value {
                form.push(("Parameters.member.1.ParameterKey", "P"));
                form.push(("Parameters.member.1.ParameterValue", value));
            }
            match cloud.call("CreateStack", &form).await {
                Ok(created) => {
                    let id = first(&created, "StackId");
                    cloud.settle(&id).await;
                    cloud.delete("Lab").await;
                    "fine".to_owned()
                }
                Err(error) => error.message,
            }
        }
    };
    for (parameter, value, answer) in [
        ("Type: String", None, "Parameters: [P] must have values"),
        ("Type: String, Default: x", None, "fine"),
        ("Type: Number", Some("many"), "Parameter 'P' must be a number."),
        ("Type: Number, MinValue: 2", Some("1"), "Parameter 'P' must be a number not less than 2"),
        ("Type: Number, MaxValue: 2", Some("3"), "Parameter 'P' must be a number not greater than 2"),
        ("Type: Number, MinValue: 2, MaxValue: 3", Some("2.5"), "fine"),
        ("Type: String, MinLength: 2", Some("x"), "Parameter 'P' must contain at least 2 characters"),
        ("Type: String, MaxLength: 2", Some("xyz"), "Parameter 'P' must contain at most 2 characters"),
        ("Type: String, AllowedPattern: '[a-z]+'", Some("abc1"), "Parameter 'P' must match pattern [a-z]+"),
        ("Type: String, AllowedPattern: '[a-z]+'", Some("abc"), "fine"),
        (
            "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: letters only",
            Some("1"),
            "Parameter P failed to satisfy constraint: letters only",
        ),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", Some("a, b"), "fine"),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", Some("a,c"), "Parameter 'P' must be one of AllowedValues"),
        ("Type: List<Number>", Some("1, 2.5"), "fine"),
        ("Type: List<Number>", Some("1, two"), "Parameter 'P' must be a list of numbers."),
        ("Type: Colour", Some("x"), "Template format error: Unrecognized parameter type: Colour. In this lab are: String, Number, CommaDelimitedList, List<Number>"),
        ("Default: x", None, "Template format error: Every Parameters object must contain a Type member."),
        ("Type: String, AllowedPattern: '('", Some("x"), "Template format error: [/Parameters/P/AllowedPattern] is not what a AllowedPattern can be."),
        ("Type: String, Colour: red", Some("x"), "Template format error: Invalid template parameter property 'Colour'"),
    ] {
        assert_eq!(create(parameter, value).await, answer, "{parameter}, {value:?}");
    }
    let long = "x".repeat(4097);
    let answer = create("Type: String", Some(&long)).await;
    assert_eq!(answer, "Parameter 'P' must contain at most 4096 characters");
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", LAB_TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Colour"),
        ("Parameters.member.1.ParameterValue", "red"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: Parameters: [Colour] do not exist in the template"
    );
}

#[tokio::test]
async fn a_secret_parameter_is_not_shown() {
    let cloud = Cloud::new();
    let template = "Parameters:\n  P: {Type: String, NoEcho: true, Default: secret}\nResources:\n  Q: {Type: AWS::SQS::Queue}\n";
    cloud.create("Lab", template).await;
    assert_eq!(
        first(&cloud.describe("Lab").await, "ParameterValue"),
        "****"
    );
}
