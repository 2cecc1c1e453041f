//! The input: structured HTTP logs in the shape that a NestJS service emits, a request and a
//! response in turn. The same lines in every run of the program.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use fastrand::Rng;

const SEED: u64 = 20_260_115;
const MS_PER_DAY: u64 = 86_400_000;

const USER_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "okhttp/4.12.0",
];
/// As JSON. Plain text mostly; the others have what an encoder must escape or leave as it is.
const NOTES: [&str; 8] = [
    "Please leave the parcel at the door",
    "Call before delivery",
    "None",
    "Deliver to the reception desk on the ground floor",
    "Weekdays only, after six in the evening",
    "문 앞에 놓아 주세요 ☂",
    r#"Ring the bell marked \"2B\",\nsecond floor"#,
    r"Use the C:\\side entrance",
];

/// What a request and its response have in common.
struct Exchange {
    method: &'static str,
    url: String,
    /// Fields of both.
    common: String,
}

/// Writes so many lines; returns their bytes.
pub(crate) fn write(path: &Path, count: u64) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut rng = Rng::with_seed(SEED);
    let mut exchange = Exchange::new(&mut rng);
    let mut milliseconds = 0;
    for number in 0..count {
        let is_request = number.is_multiple_of(2);
        if is_request {
            exchange = Exchange::new(&mut rng);
        }
        milliseconds += rng.u64(1..40);
        let time = timestamp(milliseconds);
        let line = match is_request {
            true => exchange.request(&time, &mut rng),
            false => exchange.response(&time, &mut rng),
        };
        writeln!(file, "{line}")?;
    }
    file.into_inner()?.metadata().map(|metadata| metadata.len())
}

/// As JavaScript's `Date.toISOString` writes it. After midnight the same day begins anew: no
/// output looks at the order of the lines.
pub(crate) fn timestamp(milliseconds: u64) -> String {
    let day = milliseconds % MS_PER_DAY;
    let (seconds, milliseconds) = (day / 1000, day % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("2026-01-15T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z")
}

impl Exchange {
    fn new(rng: &mut Rng) -> Exchange {
        let (method, url) = match rng.u8(..10) {
            0..=2 => (
                "GET",
                format!("/products?page={}&sort=-price", rng.u8(1..31)),
            ),
            3..=5 => ("GET", format!("/products/{}", rng.u16(1..5000))),
            6..=8 => ("POST", "/orders".to_owned()),
            _ => ("GET", format!("/orders/{}/invoice", rng.u32(1..90_000))),
        };
        let trace_id = rng.u128(..);
        let ip = rng.u8(1..255);
        let user_agent = USER_AGENTS[rng.usize(..USER_AGENTS.len())];
        // Up to the largest integer that JavaScript holds exactly.
        let user_id = rng.u64(1..1 << 53);
        let common = format!(
            r#""context":"HttpInterceptor","traceId":"{trace_id:032x}","method":"{method}","originalUrl":"{url}","#
        ) + &format!(
            r#""ip":"203.0.113.{ip}","userAgent":"{user_agent}","userId":{user_id}"#
        );
        Exchange {
            method,
            url,
            common,
        }
    }

    fn request(&self, time: &str, rng: &mut Rng) -> String {
        let Exchange {
            method,
            url,
            common,
        } = self;
        // A request has no status, but takes what one would of the random numbers.
        status(rng);
        let body = match *method {
            "POST" => format!(r#","requestBody":{}"#, order(rng)),
            _ => String::new(),
        };
        format!(
            r#"{{"timestamp":"{time}","level":"info",{common},"message":"{method} {url}"{body}}}"#
        )
    }

    fn response(&self, time: &str, rng: &mut Rng) -> String {
        let Exchange {
            method,
            url,
            common,
        } = self;
        let status = status(rng);
        let level = match status {
            500.. => "error",
            400.. => "warn",
            _ => "info",
        };
        let length = rng.u32(40..20_000);
        let duration = f64::from(rng.u32(500..900_000)) / 1000.0;
        format!(
            r#"{{"timestamp":"{time}","level":"{level}",{common},"message":"{method} {url} {status}","#
        ) + &format!(
            r#""responseData":{{"statusCode":{status},"contentLength":{length},"contentType":"application/json"}},"#
        ) + &format!(r#""durationMs":{duration:?}}}"#)
    }
}

fn status(rng: &mut Rng) -> u16 {
    [200, 200, 200, 200, 200, 200, 201, 304, 404, 500][rng.usize(..10)]
}

fn order(rng: &mut Rng) -> String {
    let items: Vec<String> = (0..rng.u8(1..4))
        .map(|_| {
            let (sku, quantity) = (rng.u16(100..1000), rng.u8(1..6));
            format!(r#"{{"sku":"SKU-{sku}","quantity":{quantity}}}"#)
        })
        .collect();
    let items = items.join(",");
    let note = NOTES[rng.usize(..NOTES.len())];
    let gift = rng.bool();
    let coupon = match rng.u8(..10) < 3 {
        true => r#""WELCOME10""#,
        false => "null",
    };
    format!(r#"{{"items":[{items}],"note":"{note}","gift":{gift},"couponCode":{coupon}}}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn lines_are_documents_of_about_400_bytes_and_the_same_every_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [(text, bytes), again] = [(); 2].map(|()| {
            let bytes = write(file.path(), 10_000).unwrap();
            (std::fs::read_to_string(file.path()).unwrap(), bytes)
        });
        assert_eq!((&text, bytes), (&again.0, text.len() as u64));
        assert!((380..=420).contains(&(bytes / 10_000)), "{bytes}");
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.chunks(2) {
            let [request, response] = [0, 1].map(|which| serde_json::from_str(pair[which]));
            let (request, response): (Value, Value) = (request.unwrap(), response.unwrap());
            assert_eq!(request["traceId"], response["traceId"]);
            assert_ne!(pair[0], pair[1]);
        }
        // Some have escapes and some other scripts, but most have neither.
        let count = |is: fn(&&&str) -> bool| lines.iter().filter(is).count();
        assert!((100..1000).contains(&count(|line| line.contains('\\'))));
        assert!((50..1000).contains(&count(|line| !line.is_ascii())));
    }

    #[test]
    fn timestamps_stay_within_a_day() {
        assert_eq!(timestamp(0), "2026-01-15T00:00:00.000Z");
        assert_eq!(timestamp(MS_PER_DAY - 1), "2026-01-15T23:59:59.999Z");
        assert_eq!(timestamp(MS_PER_DAY), timestamp(0));
    }
}
