//! The numbers of `book/quotas.html`, for the programs that reckon with them.

/// The table that the page *Quotas and prices* shows.
const TABLE: &str = include_str!("../../book/quotas.html");

/// The number of the row with this id: 0.4 for `$0.40`, 65536 for `64 KB`, 1000 for `1,000 records`.
pub fn number(id: &str) -> Result<f64, String> {
    let value = value(TABLE, id).ok_or(format!("book/quotas.html has no row `{id}`"))?;
    parse(value).ok_or(format!("book/quotas.html: `{value}` of `{id}` is no number"))
}

fn value<'a>(table: &'a str, id: &str) -> Option<&'a str> {
    let (_, rest) = table.split_once(&format!("<!-- ANCHOR: {id} -->"))?;
    let (value, _) = rest.split_once("<!-- ANCHOR_END")?;
    Some(value.trim())
}

fn parse(value: &str) -> Option<f64> {
    let mut words = value.trim_start_matches('$').split_whitespace();
    let number: f64 = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next() {
        Some("KB") => 1024.0,
        Some("MB" | "MiB") => 1024.0 * 1024.0,
        Some("GB") => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    Some(number * unit)
}
