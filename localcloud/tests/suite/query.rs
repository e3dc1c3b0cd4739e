//! SQS over the query protocol, as older clients and `curl` speak it: a form comes in, XML goes out. What the operations
//! do is tested over JSON; here is what the protocol makes of it.

use crate::support::*;
use localcloud::faults::{Fault, Kind};
use localcloud::LocalCloud;
use proptest::prelude::*;
use serde_json::json;

/// One call to `path`, its answer whole.
fn form_to(cloud: &LocalCloud, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let headers = [(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )];
    exchange(cloud, &request("POST", path, &headers, body.as_bytes())).expect("an answer")
}

/// One call of an action of SQS, its answer whole.
fn raw(cloud: &LocalCloud, action: &str, parameters: &[(&str, &str)]) -> Answer {
    let named = [("Action", action), ("Version", "2012-11-05")];
    form_to(cloud, "/", &[&named, parameters].concat())
}

/// One call that succeeds: what its answer holds, around which stand the names of the action and the request's id.
fn call(cloud: &LocalCloud, action: &str, parameters: &[(&str, &str)]) -> String {
    let answer = raw(cloud, action, parameters);
    assert_eq!(answer.status, 200, "{action} {parameters:?}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let id = answer.header("x-amzn-requestid").expect("a request id");
    let begin = format!("<{action}Response xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">");
    let end = format!(
        "<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
    );
    let body = answer.body.strip_prefix(&begin);
    let body = body.and_then(|body| body.strip_suffix(&end));
    body.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// One call that succeeds: its result.
fn result(cloud: &LocalCloud, action: &str, parameters: &[(&str, &str)]) -> String {
    let body = call(cloud, action, parameters);
    let result = body.strip_prefix(&format!("<{action}Result>"));
    let result = result.and_then(|body| body.strip_suffix(&format!("</{action}Result>")));
    result.unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// One call that succeeds and returns nothing.
fn done(cloud: &LocalCloud, action: &str, parameters: &[(&str, &str)]) {
    assert_eq!(call(cloud, action, parameters), "", "{action}");
}

/// The texts of all elements of this name, in order.
fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&begin[..]).skip(1);
    parts
        .filter_map(|part| part.split(&end[..]).next())
        .collect()
}

fn text<'a>(xml: &'a str, name: &str) -> &'a str {
    let texts = texts(xml, name);
    assert_eq!(texts.len(), 1, "one {name} in {xml}");
    texts[0]
}

/// A queue, made by this protocol.
fn queue(cloud: &LocalCloud, name: &str, attributes: &[(&str, &str)]) -> String {
    let parameters = [&[("QueueName", name)], attributes].concat();
    let created = result(cloud, "CreateQueue", &parameters);
    text(&created, "QueueUrl").to_owned()
}

#[test]
fn a_message_goes_its_way() {
    let cloud = start();
    let url = queue(
        &cloud,
        "q",
        &[
            ("Attribute.1.Name", "VisibilityTimeout"),
            ("Attribute.1.Value", "7"),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", "a & b"),
        ],
    );
    let sent = result(
        &cloud,
        "SendMessage",
        &[
            ("QueueUrl", &url),
            ("MessageBody", "<hello>\r\n\u{1F600}"),
            ("MessageAttribute.1.Name", "colour"),
            ("MessageAttribute.1.Value.DataType", "String"),
            ("MessageAttribute.1.Value.StringValue", "blue"),
            ("MessageAttribute.2.Name", "bytes"),
            ("MessageAttribute.2.Value.DataType", "Binary"),
            ("MessageAttribute.2.Value.BinaryValue", "AAEC"),
            ("MessageSystemAttribute.1.Name", "AWSTraceHeader"),
            ("MessageSystemAttribute.1.Value.DataType", "String"),
            ("MessageSystemAttribute.1.Value.StringValue", "Root=1"),
        ],
    );
    let received = result(
        &cloud,
        "ReceiveMessage",
        &[
            ("QueueUrl", &url),
            ("WaitTimeSeconds", "1"),
            ("AttributeName.1", "SenderId"),
            ("AttributeName.2", "AWSTraceHeader"),
            ("MessageAttributeName.1", "All"),
        ],
    );
    assert_eq!(text(&received, "MessageId"), text(&sent, "MessageId"));
    let md5 = text(&sent, "MD5OfMessageBody");
    assert_eq!(text(&received, "MD5OfBody"), md5);
    // A line end of its own would come to the reader without its carriage return.
    assert_eq!(text(&received, "Body"), "&lt;hello&gt;&#13;\n\u{1F600}");
    assert_eq!(
        texts(&received, "Attribute"),
        [
            "<Name>AWSTraceHeader</Name><Value>Root=1</Value>",
            "<Name>SenderId</Name><Value>AIDALOCALCLOUDREADER</Value>",
        ]
    );
    assert_eq!(
        texts(&received, "MessageAttribute"),
        [
            "<Name>bytes</Name><Value><BinaryValue>AAEC</BinaryValue><DataType>Binary</DataType></Value>",
            "<Name>colour</Name><Value><StringValue>blue</StringValue><DataType>String</DataType></Value>",
        ]
    );
    let md5 = text(&sent, "MD5OfMessageAttributes");
    assert_eq!(text(&received, "MD5OfMessageAttributes"), md5);
    let handle = text(&received, "ReceiptHandle");
    let at = [("QueueUrl", &*url), ("ReceiptHandle", handle)];
    done(
        &cloud,
        "ChangeMessageVisibility",
        &[&at[..], &[("VisibilityTimeout", "9")]].concat(),
    );
    assert_eq!(counts(&cloud, &url), (0, 1, 0));
    done(&cloud, "DeleteMessage", &at);
    assert_eq!(counts(&cloud, &url), (0, 0, 0));
    let nothing = call(&cloud, "ReceiveMessage", &[("QueueUrl", &url)]);
    assert_eq!(nothing, "<ReceiveMessageResult></ReceiveMessageResult>");
}

#[test]
fn batches_say_what_became_of_each_entry() {
    let cloud = start();
    let url = queue(&cloud, "q", &[]);
    let sent = result(
        &cloud,
        "SendMessageBatch",
        &[
            ("QueueUrl", &url),
            ("SendMessageBatchRequestEntry.1.Id", "one"),
            ("SendMessageBatchRequestEntry.1.MessageBody", "1"),
            ("SendMessageBatchRequestEntry.2.Id", "two"),
            ("SendMessageBatchRequestEntry.2.MessageBody", "2"),
            ("SendMessageBatchRequestEntry.2.DelaySeconds", "901"),
            ("SendMessageBatchRequestEntry.3.Id", "three"),
            ("SendMessageBatchRequestEntry.3.MessageBody", "3"),
            (
                "SendMessageBatchRequestEntry.3.MessageAttribute.1.Name",
                "n",
            ),
            (
                "SendMessageBatchRequestEntry.3.MessageAttribute.1.Value.DataType",
                "Number",
            ),
            (
                "SendMessageBatchRequestEntry.3.MessageAttribute.1.Value.StringValue",
                "3",
            ),
        ],
    );
    let entries = texts(&sent, "SendMessageBatchResultEntry");
    let ids: Vec<_> = entries.iter().map(|entry| text(entry, "Id")).collect();
    assert_eq!(ids, ["one", "three"]);
    assert_eq!(text(entries[1], "MD5OfMessageAttributes").len(), 32);
    let failed = text(&sent, "BatchResultErrorEntry");
    assert_eq!(text(failed, "Id"), "two");
    assert_eq!(text(failed, "SenderFault"), "true");
    assert_eq!(text(failed, "Code"), "InvalidParameterValue");

    let received = result(
        &cloud,
        "ReceiveMessage",
        &[
            ("QueueUrl", &url),
            ("WaitTimeSeconds", "1"),
            ("MaxNumberOfMessages", "10"),
        ],
    );
    let handles = texts(&received, "ReceiptHandle");
    assert_eq!(handles.len(), 2);
    let changed = result(
        &cloud,
        "ChangeMessageVisibilityBatch",
        &[
            ("QueueUrl", &url),
            ("ChangeMessageVisibilityBatchRequestEntry.1.Id", "a"),
            (
                "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle",
                handles[0],
            ),
            (
                "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout",
                "60",
            ),
        ],
    );
    assert_eq!(changed, "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>");
    let deleted = result(
        &cloud,
        "DeleteMessageBatch",
        &[
            ("QueueUrl", &url),
            ("DeleteMessageBatchRequestEntry.1.Id", "a"),
            ("DeleteMessageBatchRequestEntry.1.ReceiptHandle", handles[0]),
            ("DeleteMessageBatchRequestEntry.2.Id", "b"),
            ("DeleteMessageBatchRequestEntry.2.ReceiptHandle", handles[1]),
        ],
    );
    assert_eq!(texts(&deleted, "Id"), ["a", "b"]);
    assert_eq!(counts(&cloud, &url), (0, 0, 0));
}

#[test]
fn a_fifo_queue_keeps_order_and_takes_a_message_once() {
    let cloud = start();
    let url = queue(
        &cloud,
        "q.fifo",
        &[
            ("Attribute.1.Name", "FifoQueue"),
            ("Attribute.1.Value", "true"),
        ],
    );
    for (body, id) in [("1", "a"), ("2", "b"), ("again", "a")] {
        let sent = result(
            &cloud,
            "SendMessage",
            &[
                ("QueueUrl", &url),
                ("MessageBody", body),
                ("MessageGroupId", "g"),
                ("MessageDeduplicationId", id),
            ],
        );
        assert_eq!(text(&sent, "SequenceNumber").len(), 20);
    }
    let received = result(
        &cloud,
        "ReceiveMessage",
        &[
            ("QueueUrl", &url),
            ("MaxNumberOfMessages", "10"),
            ("ReceiveRequestAttemptId", "x"),
        ],
    );
    assert_eq!(texts(&received, "Body"), ["1", "2"]);
}

#[test]
fn queues_are_described_and_looked_after() {
    let cloud = start();
    let dead = queue(&cloud, "dead", &[]);
    let redrive = json!({
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
        "maxReceiveCount": 1,
    })
    .to_string();
    let url = queue(&cloud, "q", &[]);
    done(
        &cloud,
        "SetQueueAttributes",
        &[
            ("QueueUrl", &url),
            ("Attribute.1.Name", "RedrivePolicy"),
            ("Attribute.1.Value", &redrive),
            ("Attribute.2.Name", "DelaySeconds"),
            ("Attribute.2.Value", "3"),
        ],
    );
    let attributes = result(
        &cloud,
        "GetQueueAttributes",
        &[
            ("QueueUrl", &url),
            ("AttributeName.1", "DelaySeconds"),
            ("AttributeName.2", "QueueArn"),
        ],
    );
    assert_eq!(
        attributes,
        "<Attribute><Name>DelaySeconds</Name><Value>3</Value></Attribute>\
         <Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:us-east-1:000000000000:q</Value></Attribute>"
    );
    let named = result(&cloud, "GetQueueUrl", &[("QueueName", "q")]);
    assert_eq!(text(&named, "QueueUrl"), url);
    let sources = result(&cloud, "ListDeadLetterSourceQueues", &[("QueueUrl", &dead)]);
    assert_eq!(texts(&sources, "QueueUrl"), [&*url]);
    let some = result(&cloud, "ListQueues", &[("MaxResults", "1")]);
    assert_eq!(texts(&some, "QueueUrl"), [&*dead]);
    let token = text(&some, "NextToken");
    let rest = result(
        &cloud,
        "ListQueues",
        &[("MaxResults", "1"), ("NextToken", token)],
    );
    assert_eq!(texts(&rest, "QueueUrl"), [&*url]);

    let tags = [
        ("QueueUrl", &*url),
        ("Tag.1.Key", "a"),
        ("Tag.1.Value", "1"),
        ("Tag.2.Key", "b"),
        ("Tag.2.Value", ""),
    ];
    done(&cloud, "TagQueue", &tags);
    done(
        &cloud,
        "UntagQueue",
        &[("QueueUrl", &url), ("TagKey.1", "a")],
    );
    assert_eq!(
        result(&cloud, "ListQueueTags", &[("QueueUrl", &url)]),
        "<Tag><Key>b</Key><Value></Value></Tag>"
    );

    let permission = [
        ("QueueUrl", &*url),
        ("Label", "p"),
        ("AWSAccountId.1", "000000000000"),
        ("ActionName.1", "SendMessage"),
    ];
    done(&cloud, "AddPermission", &permission);
    done(
        &cloud,
        "RemovePermission",
        &[("QueueUrl", &url), ("Label", "p")],
    );

    let started = result(
        &cloud,
        "StartMessageMoveTask",
        &[("SourceArn", "arn:aws:sqs:us-east-1:000000000000:dead")],
    );
    assert!(!text(&started, "TaskHandle").is_empty());
    let tasks = result(
        &cloud,
        "ListMessageMoveTasks",
        &[("SourceArn", "arn:aws:sqs:us-east-1:000000000000:dead")],
    );
    let task = text(&tasks, "ListMessageMoveTasksResultEntry");
    assert_eq!(text(task, "ApproximateNumberOfMessagesMoved"), "0");
    assert!(
        text(task, "StartedTimestamp").parse::<u64>().is_ok(),
        "{task}"
    );
    let over = raw(&cloud, "CancelMessageMoveTask", &[("TaskHandle", "x")]);
    let (code, message) = sqs_error(&cloud, "CancelMessageMoveTask", json!({"TaskHandle": "x"}));
    assert_eq!(text(&over.body, "Code"), code);
    assert_eq!(text(&over.body, "Message"), message);

    done(&cloud, "PurgeQueue", &[("QueueUrl", &url)]);
    done(&cloud, "DeleteQueue", &[("QueueUrl", &url)]);
    let gone = raw(&cloud, "GetQueueUrl", &[("QueueName", "q")]);
    assert_eq!(gone.status, 400);
}

#[test]
fn errors_carry_the_codes_of_this_protocol() {
    let cloud = start();
    let nobody = format!("{}/000000000000/nobody", cloud.endpoint());
    for (action, parameters, code) in [
        (
            "SendMessage",
            &[("QueueUrl", &*nobody), ("MessageBody", "x")][..],
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        ("SendMessage", &[("MessageBody", "x")], "MissingParameter"),
        (
            "ReceiveMessage",
            &[("QueueUrl", &nobody), ("WaitTimeSeconds", "soon")],
            "InvalidParameterValue",
        ),
        (
            "SendMessageBatch",
            &[("QueueUrl", &queue(&cloud, "q", &[]))],
            "AWS.SimpleQueueService.EmptyBatchRequest",
        ),
    ] {
        let answer = raw(&cloud, action, parameters);
        assert_eq!(answer.status, 400, "{answer:?}");
        let begin = "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>";
        assert!(answer.body.starts_with(begin), "{answer:?}");
        assert_eq!(text(&answer.body, "Code"), code, "{answer:?}");
        let id = answer.header("x-amzn-requestid");
        assert_eq!(Some(text(&answer.body, "RequestId")), id);
    }
    cloud.faults().add(Fault {
        kind: Kind::Throttle,
        target: Some("ListQueues".to_owned()),
        count: 1,
    });
    let throttled = raw(&cloud, "ListQueues", &[]);
    assert_eq!(text(&throttled.body, "Code"), "RequestThrottled");
    call(&cloud, "ListQueues", &[]);
}

#[test]
fn the_url_of_a_queue_takes_calls_for_it() {
    let cloud = start();
    let url = queue(&cloud, "q", &[]);
    let path = "/000000000000/q";
    assert!(url.ends_with(path), "{url}");
    let send = [("Action", "SendMessage"), ("MessageBody", "x")];
    assert_eq!(form_to(&cloud, path, &send).status, 200);
    let versioned = [&send[..], &[("Version", "2012-11-05")]].concat();
    assert_eq!(form_to(&cloud, path, &versioned).status, 200);
    assert_eq!(counts(&cloud, &url), (2, 0, 0));
    // A queue that is named outright is the one that is meant.
    let other = queue(&cloud, "other", &[]);
    let named = [&send[..], &[("QueueUrl", &*other)]].concat();
    assert_eq!(form_to(&cloud, path, &named).status, 200);
    assert_eq!(counts(&cloud, &other), (1, 0, 0));
    let nobody = form_to(&cloud, "/000000000000/nobody", &send);
    assert_eq!(
        text(&nobody.body, "Code"),
        "AWS.SimpleQueueService.NonExistentQueue"
    );
}

/// A request of a service outside this lab, with its signature.
fn signed(method: &str, service: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    signed_to(method, "/", service, headers, body)
}

fn signed_to(
    method: &str,
    path: &str,
    service: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAREADER/20261125/us-east-1/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    );
    let headers = [headers, &[("authorization", &*signature)]].concat();
    request(method, path, &headers, body.as_bytes())
}

#[test]
fn a_service_outside_this_lab_is_answered_in_its_own_protocol() {
    let cloud = start();
    let answer = |bytes: Vec<u8>| {
        let answer = exchange(&cloud, &bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("not in this lab"), "{answer:?}");
        answer
    };
    let sns = answer(signed(
        "POST",
        "sns",
        &[],
        "Action=ListTopics&Version=2010-03-31",
    ));
    let begin = "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">";
    assert!(sns.body.starts_with(begin), "{sns:?}");
    let unsigned = answer(request("POST", "/", &[], b"Action=ListTopics&Version=<b>"));
    let begin = "<ErrorResponse xmlns=\"http://webservices.amazon.com/AWSFault/2005-15-09\">";
    assert!(unsigned.body.starts_with(begin), "{unsigned:?}");

    let target = ("x-amz-target", "DynamoDB_20120810.ListTables");
    let json = ("content-type", "application/x-amz-json-1.0");
    let dynamo = answer(signed("POST", "dynamodb", &[target, json], "{}"));
    assert_eq!(dynamo.header("content-type"), Some(json.1));
    assert_eq!(dynamo.json()["__type"], "UnknownOperationException");
    let json = ("content-type", "application/x-amz-json-1.1");
    let target = ("x-amz-target", "AmazonSSM.GetParameter");
    let ssm = answer(signed("POST", "ssm", &[target, json], "{}"));
    assert_eq!(ssm.header("content-type"), Some(json.1));

    let s3 = answer(signed("GET", "s3", &[], ""));
    assert_eq!(s3.header("content-type"), Some("application/xml"));
    assert_eq!(text(&s3.body, "Code"), "UnknownOperationException");
    let batch = answer(signed("POST", "batch", &[], "{}"));
    assert_eq!(
        batch.header("x-amzn-errortype"),
        Some("UnknownOperationException")
    );
    // A browser's request has no signature: it gets the page.
    let page = exchange(&cloud, &request("GET", "/", &[], b"")).expect("an answer");
    assert_eq!(page.status, 404);
}

#[test]
fn a_get_is_taken_from_a_program_only() {
    let cloud = start();
    let url = queue(&cloud, "q", &[]);
    let path = "/000000000000/q?Action=SendMessage&MessageBody=a%20b&Version=2012-11-05";
    let answer = exchange(&cloud, &signed_to("GET", path, "sqs", &[], "")).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = result(
        &cloud,
        "ReceiveMessage",
        &[("QueueUrl", &url), ("WaitTimeSeconds", "1")],
    );
    assert_eq!(text(&received, "Body"), "a b");
    // A picture on any page of the web could have this address.
    let unsigned = exchange(&cloud, &request("GET", path, &[], b"")).expect("an answer");
    assert_eq!(unsigned.status, 404);
    let of_a_page = ("origin", "http://localhost:3000");
    let page =
        exchange(&cloud, &signed_to("GET", path, "sqs", &[of_a_page], "")).expect("an answer");
    assert_eq!(page.status, 403);
    assert_eq!(counts(&cloud, &url), (0, 1, 0));
}

#[test]
fn any_form_to_any_action_gets_an_answer() {
    crate::support::unless_green(
        "any_form_to_any_action_gets_an_answer",
        cases_of_any_form_to_any_action_gets_an_answer,
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    fn cases_of_any_form_to_any_action_gets_an_answer(
        action in prop::sample::select(&localcloud::sqs::OPERATIONS[..]),
        parameters in prop::collection::vec((
            prop_oneof![
                "[A-Za-z0-9.]{0,30}",
                prop::sample::select(&[
                    "QueueName", "Attribute.1", "Attribute.1.Name", "Attribute.1.Value", "Tag.4294967296.Key",
                    "SendMessageBatchRequestEntry.0.Id", "SendMessageBatchRequestEntry.7.MessageBody", "MaxResults",
                    "DelaySeconds", "WaitTimeSeconds", "VisibilityTimeout", "Version", "QueueUrl", "MessageBody",
                ][..]).prop_map(str::to_owned),
            ],
            any::<String>(),
        ), 0..6),
    ) {
        let cloud = start();
        let url = create_queue(&cloud, "q", json!({}));
        let mut given = vec![("QueueUrl", &*url)];
        given.extend(parameters.iter().map(|(name, value)| (&**name, &**value)));
        let answer = raw(&cloud, action, &given);
        prop_assert!((200..500).contains(&answer.status), "{:?}", answer);
        prop_assert!(answer.body.starts_with('<'), "{:?}", answer);
        prop_assert_eq!(sqs_raw(&cloud, "ListQueues", b"{}").status, 200);
    }
}
