//! Describes once what the operations of a JSON service take and return, so that they can be called by the query
//! protocol too: a form becomes the JSON that the operation takes, the JSON that it returns becomes XML.
//!
//! Lists and maps are flattened, as SQS has them: `AttributeName.1`, `Attribute.1.Name` and `Attribute.1.Value`.
//! See <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#query-key-resolution>.

use super::{Form, Xml};
use crate::wire::error::ApiError;
use serde_json::{json, Map, Value};

/// One operation.
#[derive(Debug, PartialEq)]
pub struct Operation {
    pub name: &'static str,
    pub input: &'static [Member],
    /// None for an operation that returns nothing, whose answer has no result element.
    pub output: Option<&'static [Member]>,
}

/// One member of a structure.
#[derive(Debug, PartialEq)]
pub struct Member {
    /// As JSON names it, such as `Attributes`.
    pub name: &'static str,
    /// As the query protocol names it, such as `Attribute`.
    pub query_name: &'static str,
    pub shape: Shape,
}

#[derive(Debug, PartialEq)]
pub enum Shape {
    /// A string, or base64.
    Text,
    Number,
    Structure(&'static [Member]),
    List(&'static Shape),
    /// With the names of a key and of a value.
    Map(&'static str, &'static str, &'static Shape),
}

/// A member whose name is the same in both protocols.
pub const fn member(name: &'static str, shape: Shape) -> Member {
    named(name, name, shape)
}

/// A member with its names in JSON and in the query protocol.
pub const fn named(name: &'static str, query_name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        query_name,
        shape,
    }
}

pub fn find(operations: &'static [Operation], name: &str) -> Option<&'static Operation> {
    operations.iter().find(|operation| operation.name == name)
}

impl Operation {
    /// The JSON of the input.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValue` for what is no number where one belongs.
    pub fn input(&self, form: &Form) -> Result<Value, ApiError> {
        Ok(Value::Object(read_members(self.input, form, "")?))
    }

    /// The XML of the result. None when there is no result.
    pub fn output(&self, json: &[u8]) -> Option<String> {
        let output: Value = serde_json::from_slice(json).unwrap_or_default();
        let mut xml = Xml::default();
        write_members(self.output?, &output, &mut xml);
        Some(xml.finish())
    }
}

fn read_members(
    members: &[Member],
    form: &Form,
    prefix: &str,
) -> Result<Map<String, Value>, ApiError> {
    let mut object = Map::new();
    for member in members {
        let key = format!("{prefix}{}", member.query_name);
        if let Some(value) = read(&member.shape, form, &key)? {
            object.insert(member.name.to_owned(), value);
        }
    }
    Ok(object)
}

/// The value under `key`, if there is one.
fn read(shape: &Shape, form: &Form, key: &str) -> Result<Option<Value>, ApiError> {
    let items = || {
        let numbers = form.numbers(&format!("{key}.")).into_iter();
        numbers.map(|number| format!("{key}.{number}"))
    };
    Ok(match shape {
        Shape::Text => form.get(key).map(Value::from),
        Shape::Number => form.get(key).map(|text| number(key, text)).transpose()?,
        Shape::Structure(members) => {
            let object = read_members(members, form, &format!("{key}."))?;
            (!object.is_empty()).then_some(Value::Object(object))
        }
        Shape::List(item) => {
            let mut list = Vec::new();
            for key in items() {
                list.extend(read(item, form, &key)?);
            }
            (!list.is_empty()).then_some(Value::Array(list))
        }
        Shape::Map(name, value, shape) => {
            let mut map = Map::new();
            for key in items() {
                let name = form.get(&format!("{key}.{name}"));
                let value = read(shape, form, &format!("{key}.{value}"))?;
                if let (Some(name), Some(value)) = (name, value) {
                    map.insert(name.to_owned(), value);
                }
            }
            (!map.is_empty()).then_some(Value::Object(map))
        }
    })
}

fn number(key: &str, text: &str) -> Result<Value, ApiError> {
    text.parse::<i64>()
        .map(|number| json!(number))
        .map_err(|_| {
            ApiError::sender(
                "InvalidParameterValue",
                format!("Value {text} for parameter {key} is invalid. Reason: Must be an integer."),
            )
        })
}

fn write_members(members: &[Member], object: &Value, xml: &mut Xml) {
    for member in members {
        if let Some(value) = object.get(member.name) {
            write(&member.shape, member.query_name, value, xml);
        }
    }
}

fn write(shape: &Shape, name: &str, value: &Value, xml: &mut Xml) {
    match (shape, value) {
        (Shape::Structure(members), value) => {
            xml.element(name, |xml| write_members(members, value, xml));
        }
        (Shape::List(item), Value::Array(list)) => {
            for value in list {
                write(item, name, value, xml);
            }
        }
        (Shape::Map(key_name, value_name, shape), Value::Object(map)) => {
            for (key, value) in map {
                xml.element(name, |xml| {
                    xml.text(key_name, key);
                    write(shape, value_name, value, xml);
                });
            }
        }
        (_, Value::Null) => {}
        (_, Value::String(text)) => {
            xml.text(name, text);
        }
        (_, other) => {
            xml.text(name, other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: Shape = Shape::Structure(&[
        member("DataType", Shape::Text),
        member("StringValue", Shape::Text),
    ]);
    const MEMBERS: &[Member] = &[
        member("Url", Shape::Text),
        member("Seconds", Shape::Number),
        named("Names", "Name", Shape::List(&Shape::Text)),
        named("Values", "Value", Shape::Map("Key", "It", &VALUE)),
        named(
            "Entries",
            "Entry",
            Shape::List(&Shape::Structure(&[
                member("Id", Shape::Text),
                named("Names", "Name", Shape::List(&Shape::Text)),
            ])),
        ),
    ];
    const ECHO: Operation = Operation {
        name: "Echo",
        input: MEMBERS,
        output: Some(MEMBERS),
    };

    #[test]
    fn a_form_becomes_json_and_json_becomes_xml() {
        let form = Form::parse(
            b"Url=http%3A%2F%2Fx&Seconds=-5&Name.10=j&Name.2=b&Value.1.Key=k&Value.1.It.StringValue=s&Entry.1.Id=a\
              &Entry.1.Name.1=n&Entry.3.Id=c&Unknown=1&Names.1=no",
        );
        let json = ECHO.input(&form).expect("a form without a mistake");
        let expected = json!({
            "Url": "http://x",
            "Seconds": -5,
            "Names": ["b", "j"],
            "Values": {"k": {"StringValue": "s"}},
            "Entries": [{"Id": "a", "Names": ["n"]}, {"Id": "c"}],
        });
        assert_eq!(json, expected);
        assert_eq!(
            ECHO.output(json.to_string().as_bytes()).as_deref(),
            Some(
                "<Url>http://x</Url><Seconds>-5</Seconds><Name>b</Name><Name>j</Name>\
                 <Value><Key>k</Key><It><StringValue>s</StringValue></It></Value>\
                 <Entry><Id>a</Id><Name>n</Name></Entry><Entry><Id>c</Id></Entry>"
            )
        );
    }

    #[test]
    fn what_is_not_given_is_not_there() {
        let form = Form::parse(b"Name.x=1&Value.1.Key=k&Entry.2=5");
        assert_eq!(ECHO.input(&form), Ok(json!({})));
        assert_eq!(ECHO.output(b"{}").as_deref(), Some(""));
        let wrong = ECHO.input(&Form::parse(b"Seconds=soon")).unwrap_err();
        assert_eq!(wrong.code, "InvalidParameterValue");
        assert!(wrong.message.contains("soon"), "{wrong}");
    }
}
