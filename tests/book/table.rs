//! The table of quotas and prices: each row has a source and a date, and says what the local cloud does.

use crate::{files, quotas, read};
use localcloud::quotas as held;

const ONE: f64 = 1.0;
const MILLISECOND: f64 = 0.001;
const SECOND: f64 = 1.0;
const HOUR: f64 = 3600.0;

/// Rows of the table, each with the local cloud's constant, its name and its unit.
macro_rules! rows {
    ($($row:literal: $constant:ident $unit:ident,)*) => {
        [$(($row, stringify!($constant), held::$constant as f64 * $unit),)*]
    };
}

/// What the local cloud holds, in seconds, bytes or pieces.
const HELD: [(&str, &str, f64); 51] = rows![
    "deleted-name-blocked": DELETED_NAME_BLOCKED MILLISECOND,
    "message-size": MESSAGE_SIZE ONE,
    "batch-entries": BATCH_ENTRIES ONE,
    "batch-size": BATCH_SIZE ONE,
    "delay-default": DELAY_DEFAULT SECOND,
    "delay-max": DELAY_MAX SECOND,
    "retention-default": RETENTION_DEFAULT SECOND,
    "retention-min": RETENTION_MIN SECOND,
    "retention-max": RETENTION_MAX SECOND,
    "receive-max": RECEIVE_MAX ONE,
    "wait-default": WAIT_DEFAULT SECOND,
    "wait-max": WAIT_MAX SECOND,
    "visibility-default": VISIBILITY_DEFAULT SECOND,
    "visibility-min": VISIBILITY_MIN SECOND,
    "visibility-max": VISIBILITY_MAX SECOND,
    "in-flight-standard": IN_FLIGHT_STANDARD ONE,
    "in-flight-fifo": IN_FLIGHT_FIFO ONE,
    "deduplication-interval": DEDUPLICATION_INTERVAL MILLISECOND,
    "fifo-calls": FIFO_CALLS ONE,
    "fifo-messages": FIFO_MESSAGES ONE,
    "kinesis-retention": KINESIS_RETENTION MILLISECOND,
    "kinesis-retention-max": KINESIS_RETENTION_MAX HOUR,
    "reshard-day": RESHARD_DAY ONE,
    "reshard-up": RESHARD_FACTOR ONE,
    "shard-in-bytes": SHARD_IN_BYTES ONE,
    "shard-in-records": SHARD_IN_RECORDS ONE,
    "shard-out-bytes": SHARD_OUT_BYTES ONE,
    "shard-reads": SHARD_READS ONE,
    "on-demand-start": ON_DEMAND_SHARDS MEBIBYTE,
    "record-size": RECORD_SIZE ONE,
    "record-size-max": RECORD_SIZE_MAX ONE,
    "put-records": PUT_RECORDS ONE,
    "put-records-bytes": PUT_RECORDS_BYTES ONE,
    "shard-get-records": SHARD_GET_RECORDS ONE,
    "shard-get-bytes": SHARD_GET_BYTES ONE,
    "iterator-life": ITERATOR_LIFE MILLISECOND,
    "fan-out-rate": FAN_OUT_RATE ONE,
    "fan-out-subscription": FAN_OUT_SUBSCRIPTION MILLISECOND,
    "fan-out-again": FAN_OUT_AGAIN MILLISECOND,
    "fan-out-consumers": FAN_OUT_CONSUMERS ONE,
    "mapping-queue-batch": MAPPING_QUEUE_BATCH ONE,
    "mapping-queue-batch-max": MAPPING_BATCH_MAX ONE,
    "mapping-fifo-batch-max": MAPPING_FIFO_BATCH_MAX ONE,
    "mapping-window-needed": MAPPING_WINDOW_NEEDED SECOND,
    "mapping-batches-start": MAPPING_BATCHES_START ONE,
    "mapping-concurrency-min": MAPPING_CONCURRENCY_MIN ONE,
    "mapping-concurrency-max": MAPPING_CONCURRENCY_MAX ONE,
    "mapping-stream-batch": MAPPING_STREAM_BATCH ONE,
    "mapping-stream-batch-max": MAPPING_BATCH_MAX ONE,
    "mapping-parallel": MAPPING_PARALLEL ONE,
    "mapping-parallel-max": MAPPING_PARALLEL_MAX ONE,
];

/// What a shard takes, of which a stream on demand has several.
const MEBIBYTE: f64 = held::SHARD_IN_BYTES as f64;

/// Rows that the local cloud has no value for: prices, advice, and what it doesn't do.
const NOT_HELD: [&str; 12] = [
    "price-",
    "attributes-take",
    "cloudshell-home",
    "deletion-takes",
    "fan-out-consumers-advantage",
    "fifo-high",
    "fifo-looks-at",
    "mapping-batches-growth",
    "mapping-batches-most",
    "mapping-receives",
    "mapping-visibility",
    "reshard-down",
];

/// Rows of this table that say otherwise than the local cloud does, and rows that it should be compared with.
fn differences(table: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for (i, line) in table.lines().enumerate() {
        let id = line
            .strip_prefix("<tr id=\"")
            .and_then(|rest| rest.split('"').next());
        let Some(id) = id else { continue };
        let place = format!("book/quotas.html:{}: `{id}`", i + 1);
        let value = table.lines().nth(i + 2).unwrap_or_default();
        match HELD.iter().find(|(row, ..)| *row == id) {
            None if NOT_HELD.iter().any(|row| id.starts_with(row)) => {}
            None => differences.push(format!(
                "{place} is compared with nothing: name the local cloud's constant in HELD, or the row in NOT_HELD"
            )),
            Some((_, _, held)) if number(value) == Some(*held) => {}
            Some((_, constant, held)) => differences.push(format!(
                "{place} says {value}; localcloud::quotas::{constant} is {held} (seconds, bytes or pieces): one of them \
                 is wrong"
            )),
        }
    }
    differences
}

/// A value of the table, in seconds, bytes or pieces.
fn number(value: &str) -> Option<f64> {
    if value == "double" {
        return Some(2.0);
    }
    let mut words = value.trim_start_matches("about ").split(' ');
    let number: f64 = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next() {
        Some("minutes") => 60.0,
        Some("hours") => HOUR,
        Some("days") => 24.0 * HOUR,
        Some("MB" | "MiB") => 1024.0 * 1024.0,
        _ => 1.0,
    };
    Some(number * unit)
}

#[test]
fn every_quota_is_the_local_clouds_own() {
    let differences = differences(&read("book/quotas.html"));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_wrong_quota_is_found() {
    let wrong = read("book/quotas.html").replace("30 seconds", "45 seconds");
    let found = differences(&wrong);
    let [found] = &found[..] else {
        panic!("one row is wrong: {found:?}");
    };
    assert!(
        found.ends_with(
            "`visibility-default` says 45 seconds; localcloud::quotas::VISIBILITY_DEFAULT is 30 (seconds, bytes or \
             pieces): one of them is wrong"
        ),
        "{found}"
    );
}

/// A constant that nothing takes could say anything.
#[test]
fn every_quota_of_the_local_cloud_is_one_that_it_holds() {
    let rooms = files("localcloud/src", "rs").into_iter();
    let rooms: String = rooms
        .filter(|file| !file.ends_with("/quotas.rs"))
        .map(|file| read(&file))
        .collect();
    let words: std::collections::BTreeSet<&str> = rooms
        .split("quotas::")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
        })
        .collect();
    let unused: Vec<&str> = HELD
        .iter()
        .map(|(_, constant, _)| *constant)
        .filter(|constant| !words.contains(constant))
        .collect();
    assert!(
        unused.is_empty(),
        "nothing in localcloud/src takes `quotas::` {unused:?}"
    );
}

#[test]
fn every_number_has_a_value_a_source_and_a_date() {
    let table = read("book/quotas.html");
    let rows: Vec<&str> = table.split("<tr id=\"").skip(1).collect();
    assert!(!rows.is_empty(), "a table of quotas");
    for row in rows {
        let (id, row) = row.split_once('"').expect("an id in quotation marks");
        let row = row.split("</tr>").next().unwrap_or_default();
        let cells: Vec<&str> = row
            .split("<td>")
            .skip(1)
            .map(|cell| cell.trim().trim_end_matches("</td>"))
            .collect();
        let [what, value, source, date] = cells[..] else {
            panic!("{id}: what, value, source and date, not {cells:?}");
        };
        let value: Vec<&str> = value.trim().lines().collect();
        let [start, value, end] = value[..] else {
            panic!(
                "{id}: the value stands on a line of its own between its anchors, not {value:?}"
            );
        };
        assert_eq!(start, format!("<!-- ANCHOR: {id} -->"));
        assert_eq!(end, format!("<!-- ANCHOR_END: {id} -->"));
        assert!(
            !what.is_empty() && !value.trim().is_empty(),
            "{id}: an empty cell"
        );
        assert!(
            source.starts_with("<a href=\"https://"),
            "{id}: no source: {source}"
        );
        let (month, year) = date.rsplit_once(' ').unwrap_or_default();
        assert!(
            !month.is_empty() && year.starts_with("20"),
            "{id}: no date: {date}"
        );
    }
}

#[test]
fn the_cost_calculator_reads_its_numbers_from_the_table() {
    for (id, number) in [
        ("price-standard", 0.4),
        ("price-unit", 64.0 * 1024.0),
        ("batch-size", 1024.0 * 1024.0),
        ("shard-in-records", 1000.0),
    ] {
        assert_eq!(quotas::number(id), Ok(number));
    }
    let missing = quotas::number("nothing").expect_err("there is no such row");
    assert_eq!(missing, "book/quotas.html has no row `nothing`");
    let words = quotas::number("reshard-up").expect_err("its value is a word");
    assert_eq!(
        words,
        "book/quotas.html: `double` of `reshard-up` is no number"
    );
}

#[test]
fn the_cost_of_a_class_follows_from_the_table_of_prices() {
    const LEARNERS: f64 = 30.0;
    const MILLION: f64 = 1e6;
    let number = |id| quotas::number(id).expect(id);
    let messages = LEARNERS * 10.0 * 1800.0;
    let queues = 3.0 * messages / MILLION * number("price-standard");
    let shard = number("price-shard-hour");
    let streams = LEARNERS * 3.0 * shard + messages / MILLION * number("price-put-unit");
    let calls = LEARNERS * 1000.0;
    let functions = calls / MILLION * number("price-lambda-calls")
        + calls * 0.1 * 128.0 / 1024.0 * number("price-lambda-time");
    let requests = LEARNERS * 730.0 * 3600.0 / 5.0;
    let room = read("book/room.md");
    for (what, dollars) in [
        ("| Queues |", queues),
        ("| Streams |", streams),
        ("| Functions |", functions),
        ("| Together |", queues + streams + functions),
        ("| thirty streams", LEARNERS * 730.0 * shard),
        (
            "| thirty `receive`",
            requests / MILLION * number("price-standard"),
        ),
    ] {
        let row = room
            .lines()
            .find(|line| line.starts_with(what))
            .expect(what);
        let dollars = format!("| ${dollars:.2} |");
        assert!(row.ends_with(&dollars), "book/room.md: {dollars} {row}");
    }
}
