//! The settings of a mapping: the parameters of `CreateEventSourceMapping`, their limits and defaults.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>.

use super::filter::{Content, Filter};
use crate::account;
use crate::clock::Millis;
use crate::lambda::error::{constraint, invalid};
use crate::quotas;
use crate::wire::error::{violation, ApiError};
use serde_json::{json, Map, Value};

/// Parameters by their names, as they were given.
pub type Input = Map<String, Value>;

/// How many batches of a queue are processed at a time.
// Differs from AWS: mapping-scaling: always five, unless ScalingConfig says more or less.
const CONCURRENCY: usize = quotas::MAPPING_BATCHES_START;
const DAY: i64 = 24 * 60 * 60;

/// Names, least and most of the numbers.
const RANGES: [(&str, i64, i64); 5] = [
    ("BatchSize", 1, quotas::MAPPING_BATCH_MAX),
    ("MaximumBatchingWindowInSeconds", 0, 300),
    ("MaximumRecordAgeInSeconds", -1, 7 * DAY),
    ("MaximumRetryAttempts", -1, 10_000),
    (
        "ParallelizationFactor",
        quotas::MAPPING_PARALLEL,
        quotas::MAPPING_PARALLEL_MAX,
    ),
];
const FOR_STREAMS: [&str; 5] = [
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
];
const FOR_BOTH: [&str; 7] = [
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
];

/// Where the events come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Queue { arn: String, name: String },
    Stream { arn: String, name: String },
}

impl Source {
    pub fn read(arn: &str) -> Result<Self, ApiError> {
        let name = |service: &str| {
            let rest = arn.strip_prefix(&account::arn(service, ""))?;
            Some(rest.to_owned())
        };
        if let Some(name) = name("sqs") {
            let arn = arn.to_owned();
            return Ok(Self::Queue { arn, name });
        }
        match name("kinesis").and_then(|rest| Some(rest.strip_prefix("stream/")?.to_owned())) {
            Some(name) if !name.contains('/') => {
                let arn = arn.to_owned();
                Ok(Self::Stream { arn, name })
            }
            // Differs from AWS: mapping-sources: a mapping's source is a queue or a stream of this account, no consumer of one.
            _ => Err(invalid(format!(
                "Unrecognized event source: {arn}. In this lab it is the ARN of a queue or a stream of this account."
            ))),
        }
    }

    pub fn arn(&self) -> &str {
        match self {
            Self::Queue { arn, .. } | Self::Stream { arn, .. } => arn,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Queue { name, .. } | Self::Stream { name, .. } => name,
        }
    }

    pub fn is_fifo(&self) -> bool {
        matches!(self, Self::Queue { name, .. } if name.ends_with(".fifo"))
    }
}

/// Where in a stream a mapping begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    TrimHorizon,
    Latest,
    /// Seconds since the Unix epoch.
    AtTimestamp(f64),
}

/// The parameters, checked. What is only for queues or only for streams has its default for the other.
#[derive(Clone, Debug)]
pub struct Settings {
    pub source: Source,
    pub enabled: bool,
    pub batch_size: usize,
    pub window: Millis,
    pub reports_failures: bool,
    pub filter: Filter,
    /// `ScalingConfig`, for queues.
    pub concurrency: usize,
    pub start: Start,
    pub parallelization: usize,
    pub bisects: bool,
    /// None: no limit.
    pub retries: Option<u32>,
    /// None: no limit.
    pub longest_age: Option<Millis>,
    /// The ARN of a queue, and its name.
    pub on_failure: Option<(String, String)>,
}

impl Settings {
    /// Checks the parameters of one mapping.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException`, `ValidationException`, or that a parameter is not in this lab.
    pub fn read(input: &Input) -> Result<Self, ApiError> {
        let of = |name: &str| input.get(name).unwrap_or(&Value::Null);
        let Some(arn) = of("EventSourceArn").as_str() else {
            return Err(invalid("Unrecognized event source."));
        };
        let source = Source::read(arn)?;
        check_names(input, &source)?;
        let number = |name: &str, default: i64| {
            let range = RANGES.iter().find(|(known, ..)| *known == name);
            let (_, least, most) = range.copied().unwrap_or((name, i64::MIN, i64::MAX));
            in_range(name, of(name), (least, most)).map(|number| number.unwrap_or(default))
        };
        let is_stream = matches!(source, Source::Stream { .. });
        let content = if is_stream {
            Content::Data
        } else {
            Content::Body
        };
        let default = match is_stream {
            true => quotas::MAPPING_STREAM_BATCH,
            false => quotas::MAPPING_QUEUE_BATCH,
        };
        let batch_size = number("BatchSize", default)?;
        let window = number("MaximumBatchingWindowInSeconds", 0)?;
        if !is_stream {
            if source.is_fifo() && window > 0 {
                return Err(invalid(
                    "Batching window is not supported for FIFO queues".to_owned(),
                ));
            }
            if source.is_fifo() && batch_size > quotas::MAPPING_FIFO_BATCH_MAX {
                return Err(invalid(
                    "Batch size must not be greater than 10 for FIFO queues".to_owned(),
                ));
            }
            if batch_size > quotas::MAPPING_QUEUE_BATCH && window < quotas::MAPPING_WINDOW_NEEDED {
                return Err(invalid(
                    "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
                        .to_owned(),
                ));
            }
        }
        let age = number("MaximumRecordAgeInSeconds", -1)?;
        if (0..60).contains(&age) {
            return Err(invalid(
                "MaximumRecordAgeInSeconds must be -1, or between 60 and 604800.".to_owned(),
            ));
        }
        Ok(Self {
            enabled: flag(of("Enabled"), true)?,
            batch_size: batch_size as usize,
            window: window as Millis * 1000,
            reports_failures: reports_failures(of("FunctionResponseTypes"))?,
            filter: Filter::read(of("FilterCriteria"), content)?,
            concurrency: concurrency(&of("ScalingConfig")["MaximumConcurrency"])?,
            start: if is_stream {
                start(input)?
            } else {
                Start::TrimHorizon
            },
            parallelization: number("ParallelizationFactor", quotas::MAPPING_PARALLEL)? as usize,
            bisects: flag(of("BisectBatchOnFunctionError"), false)?,
            retries: u32::try_from(number("MaximumRetryAttempts", -1)?).ok(),
            longest_age: Millis::try_from(age).ok().map(|age| age * 1000),
            on_failure: on_failure(of("DestinationConfig"))?,
            source,
        })
    }

    /// The settings as a mapping's description has them.
    pub fn describe(&self, input: &Input) -> Input {
        let types: &[&str] = if self.reports_failures {
            &["ReportBatchItemFailures"]
        } else {
            &[]
        };
        let mut description = json!({
            "BatchSize": self.batch_size,
            "EventSourceArn": self.source.arn(),
            "FunctionResponseTypes": types,
            "MaximumBatchingWindowInSeconds": self.window / 1000,
        });
        if !self.filter.is_empty() {
            description["FilterCriteria"] = input["FilterCriteria"].clone();
        }
        if let Source::Stream { .. } = self.source {
            let on_failure = match &self.on_failure {
                Some((arn, _)) => json!({ "Destination": arn }),
                None => json!({}),
            };
            description["BisectBatchOnFunctionError"] = self.bisects.into();
            description["DestinationConfig"] = json!({ "OnFailure": on_failure });
            description["MaximumRecordAgeInSeconds"] =
                json!(self.longest_age.map_or(-1, |age| age as i64 / 1000));
            description["MaximumRetryAttempts"] = json!(self.retries.map_or(-1, i64::from));
            description["ParallelizationFactor"] = self.parallelization.into();
            description["StartingPosition"] = input["StartingPosition"].clone();
            description["TumblingWindowInSeconds"] = 0.into();
            if let Start::AtTimestamp(time) = self.start {
                description["StartingPositionTimestamp"] = json!(time);
            }
        } else if input
            .get("ScalingConfig")
            .is_some_and(|scaling| scaling["MaximumConcurrency"].is_number())
        {
            description["ScalingConfig"] = json!({ "MaximumConcurrency": self.concurrency });
        }
        match description {
            Value::Object(description) => description,
            _ => Input::new(),
        }
    }
}

fn check_names(input: &Input, source: &Source) -> Result<(), ApiError> {
    let starting = ["StartingPosition", "StartingPositionTimestamp"];
    for (name, value) in input.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.as_str();
        let is_for_stream = FOR_STREAMS.contains(&name);
        let fits = match source {
            _ if FOR_BOTH.contains(&name) => true,
            _ if name == "TumblingWindowInSeconds" && *value == 0 => true,
            Source::Queue { .. } if starting.contains(&name) => {
                return Err(invalid(
                    "StartingPosition is not valid for SQS event sources.".to_owned(),
                ))
            }
            Source::Queue { .. } => name == "ScalingConfig",
            Source::Stream { .. } => is_for_stream || starting.contains(&name),
        };
        if !fits && (is_for_stream || name == "ScalingConfig") {
            return Err(invalid(format!(
                "Unsupported {name} parameter for given event source mapping type."
            )));
        }
        // Differs from AWS: mapping-options: other parameters, such as tumbling windows and tags, are refused.
        if !fits {
            return Err(ApiError::not_in_this_lab(
                "lambda",
                &format!("an event source mapping with {name}"),
            ));
        }
    }
    Ok(())
}

fn in_range(name: &str, value: &Value, (least, most): (i64, i64)) -> Result<Option<i64>, ApiError> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().ok_or_else(|| malformed(name))?;
    let name = name[..1].to_lowercase() + &name[1..];
    let (relation, limit) = match number {
        number if number < least => ("greater than or equal to", least),
        number if number > most => ("less than or equal to", most),
        number => return Ok(Some(number)),
    };
    let rule = format!("Member must have value {relation} {limit}");
    Err(constraint(&number.to_string(), &name, &rule))
}

fn malformed(name: &str) -> ApiError {
    ApiError::sender(
        "SerializationException",
        format!("{name} is not of its type."),
    )
}

fn flag(value: &Value, default: bool) -> Result<bool, ApiError> {
    match value {
        Value::Null => Ok(default),
        value => value.as_bool().ok_or_else(|| malformed("A flag")),
    }
}

fn reports_failures(types: &Value) -> Result<bool, ApiError> {
    let types = types.as_array().map_or(&[][..], Vec::as_slice);
    match types.iter().find(|kind| **kind != "ReportBatchItemFailures") {
        None => Ok(!types.is_empty()),
        Some(_) => Err(constraint(
            &Value::from(types).to_string(),
            "functionResponseTypes",
            "Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]",
        )),
    }
}

fn concurrency(value: &Value) -> Result<usize, ApiError> {
    let number = in_range(
        "scalingConfig.maximumConcurrency",
        value,
        (
            quotas::MAPPING_CONCURRENCY_MIN,
            quotas::MAPPING_CONCURRENCY_MAX,
        ),
    )?;
    Ok(number.map_or(CONCURRENCY, |number| number as usize))
}

fn start(input: &Input) -> Result<Start, ApiError> {
    let time = input
        .get("StartingPositionTimestamp")
        .and_then(Value::as_f64);
    let position = input.get("StartingPosition").and_then(Value::as_str);
    if time.is_some() && matches!(position, Some("LATEST" | "TRIM_HORIZON")) {
        return Err(invalid(
            "Timestamp only valid with StartingPosition AT_TIMESTAMP".to_owned(),
        ));
    }
    match (position, time) {
        (Some("TRIM_HORIZON"), _) => Ok(Start::TrimHorizon),
        (Some("LATEST"), _) => Ok(Start::Latest),
        (Some("AT_TIMESTAMP"), Some(time)) => Ok(Start::AtTimestamp(time)),
        (Some("AT_TIMESTAMP"), None) => Err(invalid(
            "Must specify StartingPositionTimestamp with StartingPosition AT_TIMESTAMP".to_owned(),
        )),
        (None, _) => {
            let missing = violation(None, "startingPosition", "Member must not be null.");
            Err(ApiError::validation(
                "InvalidParameterValueException",
                &[missing],
            ))
        }
        (Some(other), _) => Err(constraint(
            other,
            "startingPosition",
            "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        )),
    }
}

fn on_failure(destinations: &Value) -> Result<Option<(String, String)>, ApiError> {
    let Some(arn) = destinations["OnFailure"]["Destination"].as_str() else {
        return Ok(None);
    };
    match Source::read(arn) {
        Ok(Source::Queue { arn, name }) if !name.ends_with(".fifo") => Ok(Some((arn, name))),
        // Differs from AWS: mapping-destinations: what is discarded goes to a standard queue; there are no topics and no buckets.
        _ => Err(invalid(format!(
            "Destination {arn} is not supported: in this lab it is the ARN of a standard queue."
        ))),
    }
}
