//! Credentials that are missing are a matter of the flush, not of Init.

use firehose_host::{FLB_RETRY, HostVersion, take_logs};

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::http_logs;
use crate::support::service::Service;

#[test]
fn a_flush_without_credentials_is_to_be_retried_and_the_log_says_why() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let extra = [("profile", "nobody"), ("flush_timeout", "1s")];
    let instance = host.init("nobody", &with(&extra, service.options("logs")));
    assert_eq!(flush(&instance, &chunk(&http_logs(0..10))), FLB_RETRY);
    assert_eq!(service.fake.stats().requests, 0);
    let lines = take_logs("[output:firehose:nobody] ");
    let is_told = |text: &str| text.contains("nobody") && text.contains("credentials are missing");
    let mut texts = lines.iter().map(|line| {
        let text = line.text.strip_prefix("[output:firehose:nobody] ");
        text.expect("a line begins with its instance")
    });
    assert!(texts.any(is_told), "{lines:?}");
}
