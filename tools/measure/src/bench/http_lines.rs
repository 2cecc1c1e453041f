//! The input: structured HTTP logs in the shape that a NestJS service emits, a request and a
//! response in turn. The same lines in every run of the program.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use fastrand::Rng;
use serde::Serialize;

const SEED: u64 = 20_260_115;
const MS_PER_DAY: u64 = 86_400_000;

const USER_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "okhttp/4.12.0",
];
/// Plain text mostly; the others are what an encoder must escape or leave as it is.
const NOTES: [&str; 8] = [
    "Please leave the parcel at the door",
    "Call before delivery",
    "None",
    "Deliver to the reception desk on the ground floor",
    "Weekdays only, after six in the evening",
    "문 앞에 놓아 주세요 ☂",
    "Ring the bell marked \"2B\",\nsecond floor",
    "Use the C:\\side entrance",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    context: &'a str,
    trace_id: &'a str,
    method: &'a str,
    original_url: &'a str,
    ip: &'a str,
    user_agent: &'a str,
    user_id: u64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<RequestBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_data: Option<ResponseData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestBody<'a> {
    items: Vec<Item>,
    note: &'a str,
    gift: bool,
    coupon_code: Option<&'a str>,
}

#[derive(Serialize)]
struct Item {
    sku: String,
    quantity: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseData<'a> {
    status_code: u16,
    content_length: u32,
    content_type: &'a str,
}

/// Writes so many lines; returns their bytes.
pub(crate) fn write(path: &Path, count: u64) -> io::Result<u64> {
    // Written out as it comes: Linux counts the memory of the parent at the start of a child as
    // the child's peak, so this program must stay small.
    let mut file = BufWriter::new(File::create(path)?);
    let mut generator = Generator::new();
    for number in 0..count {
        generator.line(number, &mut file)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.metadata().map(|metadata| metadata.len())
}

struct Generator {
    rng: Rng,
    milliseconds: u64,
    exchange: Exchange,
}

/// What a request and its response have in common.
struct Exchange {
    method: &'static str,
    url: String,
    trace_id: String,
    ip: String,
    user_agent: &'static str,
    user_id: u64,
}

// === impl Generator ===

impl Generator {
    fn new() -> Generator {
        let mut rng = Rng::with_seed(SEED);
        Generator {
            exchange: Exchange::new(&mut rng),
            milliseconds: 0,
            rng,
        }
    }

    /// Without its newline.
    fn line(&mut self, number: u64, output: impl io::Write) -> io::Result<()> {
        let is_request = number.is_multiple_of(2);
        if is_request {
            self.exchange = Exchange::new(&mut self.rng);
        }
        self.milliseconds += self.rng.u64(1..40);
        let rng = &mut self.rng;
        let exchange = &self.exchange;
        let (method, url) = (exchange.method, &exchange.url);
        let status = [200, 200, 200, 200, 200, 200, 201, 304, 404, 500][rng.usize(..10)];
        let line = Line {
            timestamp: timestamp(self.milliseconds),
            level: match status {
                _ if is_request => "info",
                500.. => "error",
                400.. => "warn",
                _ => "info",
            },
            context: "HttpInterceptor",
            trace_id: &exchange.trace_id,
            method,
            original_url: url,
            ip: &exchange.ip,
            user_agent: exchange.user_agent,
            user_id: exchange.user_id,
            message: match is_request {
                true => format!("{method} {url}"),
                false => format!("{method} {url} {status}"),
            },
            request_body: (is_request && method == "POST").then(|| RequestBody::new(rng)),
            response_data: (!is_request).then(|| ResponseData {
                status_code: status,
                content_length: rng.u32(40..20_000),
                content_type: "application/json",
            }),
            duration_ms: (!is_request).then(|| f64::from(rng.u32(500..900_000)) / 1000.0),
        };
        serde_json::to_writer(output, &line).map_err(io::Error::from)
    }
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

// === impl Exchange ===

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
        Exchange {
            method,
            url,
            trace_id: format!("{:032x}", rng.u128(..)),
            ip: format!("203.0.113.{}", rng.u8(1..255)),
            user_agent: USER_AGENTS[rng.usize(..USER_AGENTS.len())],
            // Up to the largest integer that JavaScript holds exactly.
            user_id: rng.u64(1..1 << 53),
        }
    }
}

// === impl RequestBody ===

impl RequestBody<'static> {
    fn new(rng: &mut Rng) -> Self {
        RequestBody {
            items: (0..rng.u8(1..4))
                .map(|_| Item {
                    sku: format!("SKU-{}", rng.u16(100..1000)),
                    quantity: rng.u8(1..6),
                })
                .collect(),
            note: NOTES[rng.usize(..NOTES.len())],
            gift: rng.bool(),
            coupon_code: (rng.u8(..10) < 3).then_some("WELCOME10"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn lines(count: u64) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let bytes = write(&path, count).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(bytes, text.len() as u64);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_one_document_of_about_400_bytes() {
        let lines = lines(10_000);
        assert_eq!(lines.len(), 10_000);
        let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
        let mean = bytes / lines.len();
        assert!((380..=420).contains(&mean), "{mean}");
        for line in &lines {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
        }
    }

    #[test]
    fn the_lines_are_the_same_every_time_but_differ_from_each_other() {
        let first = lines(1000);
        assert_eq!(first, lines(1000));
        assert_eq!(first[..500], lines(500));
        let mut distinct = first.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
    }

    #[test]
    fn some_lines_have_escapes_and_some_other_scripts_but_most_have_neither() {
        let lines = lines(10_000);
        let count = |is: fn(&&String) -> bool| lines.iter().filter(is).count();
        let escaped = count(|line| line.contains('\\'));
        let other_scripts = count(|line| !line.is_ascii());
        assert!((100..1000).contains(&escaped), "{escaped}");
        assert!((50..1000).contains(&other_scripts), "{other_scripts}");
    }

    #[test]
    fn a_response_belongs_to_its_request() {
        for pair in lines(1000).chunks(2) {
            let [request, response]: [Value; 2] =
                [0, 1].map(|which| serde_json::from_str(&pair[which]).unwrap());
            assert_eq!(request["traceId"], response["traceId"]);
            assert_eq!(
                request["method"] == "POST",
                request["requestBody"].is_object()
            );
            assert!(response["responseData"]["statusCode"].is_u64());
            assert!(response["durationMs"].is_f64());
        }
    }

    #[test]
    fn timestamps_stay_within_a_day() {
        assert_eq!(timestamp(0), "2026-01-15T00:00:00.000Z");
        assert_eq!(timestamp(MS_PER_DAY - 1), "2026-01-15T23:59:59.999Z");
        assert_eq!(timestamp(MS_PER_DAY), timestamp(0));
    }
}
