//! CBOR beside JSON, as the SDK for Java sends it. What is bytes here is base64 there; a time is milliseconds here and seconds
//! there, whatever the standard says.
//! See <https://www.rfc-editor.org/rfc/rfc8949> and, for the times, <https://github.com/aws/aws-sdk-java-v2/issues/4661>.

use super::error::ApiError;
use super::{respond, set, Content, Output};
use axum::body::Body;
use base64::prelude::{Engine, BASE64_STANDARD};
use hyper::Response;
use serde_json::{json, Map, Value};

/// The content type of requests and answers in CBOR.
pub const CONTENT_TYPE: &str = "application/x-amz-cbor-1.1";

/// No input of Kinesis lies deeper.
const DEEPEST: u32 = 8;
const TIME: u64 = 1;
const BREAK: u8 = 0xff;

/// A request in JSON.
///
/// # Errors
///
/// It is no CBOR.
pub fn to_json(cbor: &[u8]) -> Result<Vec<u8>, ApiError> {
    let value = Reader(cbor).value(DEEPEST);
    let wrong = || ApiError::sender("SerializationException", "The request is no CBOR.");
    let value = value.ok_or_else(wrong)?;
    Ok(value.to_string().into_bytes())
}

pub(super) fn answer(outcome: Result<Output, ApiError>) -> Response<Body> {
    match outcome {
        Ok(Output {
            content: Content::Document(document),
            status,
            headers,
        }) => {
            let mut response = respond(status, CONTENT_TYPE, from_json(&document));
            for (name, value) in headers {
                set(&mut response, name, &value);
            }
            response
        }
        // Nothing is nothing, and events come as JSON.
        Ok(output) => super::write(output, CONTENT_TYPE),
        Err(error) => {
            let body = json!({ "__type": error.shape, "message": error.message });
            respond(
                error.status,
                CONTENT_TYPE,
                from_json(body.to_string().as_bytes()),
            )
        }
    }
}

/// An answer in CBOR.
fn from_json(json: &[u8]) -> Vec<u8> {
    let mut cbor = Vec::with_capacity(json.len());
    if let Ok(value) = serde_json::from_slice(json) {
        write(&mut cbor, "", &value);
    }
    cbor
}

struct Reader<'a>(&'a [u8]);

/// The first byte of an item and what follows from it.
struct Head {
    major: u8,
    /// A number or a length; none when the end is marked.
    argument: Option<u64>,
    info: u8,
}

impl<'a> Reader<'a> {
    fn take(&mut self, several: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(several).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn head(&mut self) -> Option<Head> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return None,
        };
        Some(Head {
            major,
            argument,
            info,
        })
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let deeper = depth.checked_sub(1)?;
        let head = self.head()?;
        Some(match head.major {
            0 => json!(head.argument?),
            1 => json!(-1 - i64::try_from(head.argument?).ok()?),
            2 => BASE64_STANDARD.encode(self.bytes(&head)?).into(),
            3 => String::from_utf8(self.bytes(&head)?).ok()?.into(),
            4 => {
                let mut list = Vec::new();
                let mut left = head.argument;
                while self.has_more(&mut left)? {
                    list.push(self.value(deeper)?);
                }
                list.into()
            }
            5 => {
                let mut map = Map::new();
                let mut left = head.argument;
                while self.has_more(&mut left)? {
                    let Value::String(key) = self.value(deeper)? else {
                        return None;
                    };
                    map.insert(key, self.value(deeper)?);
                }
                map.into()
            }
            6 => match (head.argument, self.value(deeper)?) {
                (Some(TIME), time) => json!(time.as_f64()? / 1000.0),
                (_, value) => value,
            },
            _ => match (head.info, head.argument?) {
                (20, _) => false.into(),
                (21, _) => true.into(),
                (22 | 23, _) => Value::Null,
                (26, bits) => json!(f32::from_bits(bits as u32)),
                (27, bits) => json!(f64::from_bits(bits)),
                _ => return None,
            },
        })
    }

    /// The bytes of a text or of a byte string, which may come in pieces.
    fn bytes(&mut self, head: &Head) -> Option<Vec<u8>> {
        if let Some(length) = head.argument {
            return Some(self.take(length)?.to_vec());
        }
        let mut whole = Vec::new();
        while self.has_more(&mut None)? {
            let piece = self.head()?;
            if piece.major != head.major {
                return None;
            }
            whole.extend_from_slice(self.take(piece.argument?)?);
        }
        Some(whole)
    }

    /// Counts down to the end of a list or a map, or looks for the mark of its end.
    fn has_more(&mut self, left: &mut Option<u64>) -> Option<bool> {
        match left {
            Some(0) => Some(false),
            Some(left) => {
                *left -= 1;
                Some(true)
            }
            None if *self.0.first()? == BREAK => {
                self.take(1)?;
                Some(false)
            }
            None => Some(true),
        }
    }
}

fn write(cbor: &mut Vec<u8>, field: &str, value: &Value) {
    match value {
        Value::Null => cbor.push(0xf6),
        Value::Bool(flag) => cbor.push(0xf4 + u8::from(*flag)),
        Value::Number(seconds) if field.ends_with("Timestamp") => {
            head(cbor, 6, TIME);
            let millis = (seconds.as_f64().unwrap_or_default() * 1000.0).round();
            head(cbor, 0, millis as u64);
        }
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(cbor, 0, number),
            (None, Some(number)) => head(cbor, 1, number.unsigned_abs() - 1),
            (None, None) => {
                cbor.push(0xfb);
                cbor.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(data) if field == "Data" => {
            let data = BASE64_STANDARD.decode(data).unwrap_or_default();
            head(cbor, 2, data.len() as u64);
            cbor.extend_from_slice(&data);
        }
        Value::String(text) => {
            head(cbor, 3, text.len() as u64);
            cbor.extend_from_slice(text.as_bytes());
        }
        Value::Array(list) => {
            head(cbor, 4, list.len() as u64);
            for item in list {
                write(cbor, "", item);
            }
        }
        Value::Object(map) => {
            head(cbor, 5, map.len() as u64);
            for (name, value) in map {
                head(cbor, 3, name.len() as u64);
                cbor.extend_from_slice(name.as_bytes());
                write(cbor, name, value);
            }
        }
    }
}

fn head(cbor: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..=23 => cbor.push(major | argument as u8),
        24..=0xff => cbor.extend([major | 24, argument as u8]),
        0x100..=0xffff => {
            cbor.push(major | 25);
            cbor.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            cbor.push(major | 26);
            cbor.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            cbor.push(major | 27);
            cbor.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cbor: &[u8]) -> Value {
        let json = to_json(cbor).expect("CBOR");
        serde_json::from_slice(&json).expect("JSON")
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        for (cbor, value) in [
            (
                &b"\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"[..],
                json!(1_000_000_000_000_u64),
            ),
            (b"\x39\x03\xe7", json!(-1000)),
            (b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", json!(1.1)),
            (b"\xf5", json!(true)),
            (b"\xf6", Value::Null),
            (b"\x44\x01\x02\x03\x04", json!("AQIDBA==")),
            (b"\x62\xc3\xbc", json!("ü")),
            (b"\x9f\x01\x82\x02\x03\xff", json!([1, [2, 3]])),
            (
                b"\xbf\x61\x61\x01\x61\x62\x9f\x02\x03\xff\xff",
                json!({"a": 1, "b": [2, 3]}),
            ),
            (b"\x7f\x65strea\x64ming\xff", json!("streaming")),
            // As Kinesis has it: a time in milliseconds.
            (b"\xc1\x1a\x51\x4b\x67\xb0", json!(1_363_896.240)),
        ] {
            assert_eq!(read(cbor), value, "{cbor:?}");
        }
    }

    #[test]
    fn what_is_no_cbor_is_refused() {
        let deep = [0x81; 100];
        for cbor in [
            &b""[..],
            b"\x1c",
            b"\x9f",
            b"\x7f\x41a\xff",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            &deep,
        ] {
            assert!(to_json(cbor).is_err(), "{cbor:?}");
        }
    }

    #[test]
    fn an_answer_has_bytes_and_times_of_its_own_kind() {
        let answer = json!({
            "Records": [{"Data": "AQIDBA==", "ApproximateArrivalTimestamp": 1.5, "PartitionKey": "k"}],
            "MillisBehindLatest": 70_000,
            "Less": -1,
            "More": 0.5,
            "Open": [true, null],
        });
        let cbor = from_json(answer.to_string().as_bytes());
        assert_eq!(read(&cbor), answer);
        let time = b"ApproximateArrivalTimestamp\xc1\x19\x05\xdc";
        assert!(cbor.windows(time.len()).any(|part| part == time));
        let data = b"\x64Data\x44\x01\x02\x03\x04";
        assert!(cbor.windows(data.len()).any(|part| part == data));
    }
}
