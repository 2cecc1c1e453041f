//! What scenario files mean, and what is said of those that mean nothing.

use super::*;

fn steps(text: &str) -> Vec<Step> {
    Scenario::parse(text).expect(text).steps
}

fn only_step(keys: &str) -> Step {
    let steps = steps(&format!("[[step]]\n{keys}"));
    assert_eq!(steps.len(), 1);
    steps.into_iter().next().unwrap()
}

fn error(text: &str) -> String {
    Scenario::parse(text).expect_err(text).to_string()
}

#[test]
fn an_empty_file_and_an_empty_step_accept() {
    assert_eq!(Scenario::parse("").unwrap(), Scenario::default());
    for keys in ["", "accept = true"] {
        let step = only_step(keys);
        assert_eq!(step.fault, Fault::Accept);
        assert_eq!(step.repeat, Repeat::Times(1));
        assert_eq!(step.reply, ReplyShape::Whole);
        assert!(step.delay.is_zero() && step.drip.is_none() && !step.close);
    }
}

#[test]
fn refusals_have_the_service_s_own_code_unless_told() {
    let refuse = |which| Fault::Refuse {
        which,
        code: "ServiceUnavailableException".to_owned(),
        message: "Slow down.".to_owned(),
    };
    assert_eq!(only_step("refuse = \"all\"").fault, refuse(Which::All));
    assert_eq!(
        only_step("refuse = [0, 3]").fault,
        refuse(Which::At(vec![0, 3]))
    );
    assert_eq!(
        only_step("refuse_share = 0.3").fault,
        refuse(Which::Share(0.3))
    );
    assert_eq!(
        only_step("refuse = [1]\ncode = \"InternalFailure\"\nmessage = \"no\"").fault,
        Fault::Refuse {
            which: Which::At(vec![1]),
            code: "InternalFailure".to_owned(),
            message: "no".to_owned(),
        }
    );
}

#[test]
fn every_other_fault_reads_as_written() {
    assert_eq!(
        only_step("status = 500\ntype = \"InternalFailure\"\nstored = true").fault,
        Fault::Fail {
            status: 500,
            kind: "InternalFailure".to_owned(),
            message: String::new(),
            stored: true,
        }
    );
    assert_eq!(
        only_step("hang = true").fault,
        Fault::Hang { stored: false }
    );
    assert_eq!(
        only_step("reset = \"before\"").fault,
        Fault::Reset(When::Before)
    );
    let step = only_step(
        "reply = \"short_responses\"\ndelay_ms = 7\ndrip_ms = 3\nclose = true\n\
         max_bytes = 10\nonly_records_at_most = 2\nrepeat = \"forever\"",
    );
    assert_eq!(
        step,
        Step {
            repeat: Repeat::Forever,
            max_bytes: Some(10),
            only_records_at_most: Some(2),
            fault: Fault::Accept,
            reply: ReplyShape::ShortResponses,
            delay: Duration::from_millis(7),
            drip: Some(Duration::from_millis(3)),
            close: true,
        }
    );
}

#[test]
fn steps_are_given_out_one_a_request_until_they_run_out() {
    let scenario = Scenario::parse(
        "[[step]]\nmax_bytes = 1\n[[step]]\nrepeat = 3\nmax_bytes = 2\n[[step]]\nmax_bytes = 3",
    )
    .unwrap();
    let given: Vec<_> = (0..7)
        .map(|request| scenario.step(request).and_then(|step| step.max_bytes))
        .collect();
    assert_eq!(
        given,
        [Some(1), Some(2), Some(2), Some(2), Some(3), None, None]
    );

    let forever = Scenario::parse("[[step]]\n[[step]]\nrepeat = \"forever\"\nmax_bytes = 9");
    let forever = forever.unwrap();
    assert_eq!(forever.step(0).unwrap().max_bytes, None);
    assert_eq!(forever.step(u64::MAX).unwrap().max_bytes, Some(9));
}

#[test]
fn what_is_sent_and_expected_is_read() {
    let scenario = Scenario::parse(
        "seed = 7\n[send]\ndocuments = 10\ndocument_bytes = 400\n\
         options = { flush_timeout = \"1s\" }\n\
         [expect]\noutcome = \"retry\"\ndelivered = 9\nrequests = { at_least = 1, at_most = 2 }",
    )
    .unwrap();
    assert_eq!(scenario.seed, 7);
    assert_eq!(
        scenario.send,
        Some(Send {
            documents: 10,
            document_bytes: 400,
            chunks: 1,
            options: [("flush_timeout".to_owned(), "1s".to_owned())].into(),
            down_rounds: 0,
            restart_after_round: None,
        })
    );
    assert_eq!(
        scenario.expect,
        Some(Expect {
            outcome: ExpectedOutcome::Retry,
            delivered: 9,
            duplicates: 0,
            requests: Some(Range {
                at_least: 1,
                at_most: 2
            }),
            rounds: Range {
                at_least: 1,
                at_most: 1
            },
        })
    );
}

#[test]
fn a_wrong_file_is_told_what_is_wrong_and_where() {
    let cases = [
        ("step = 1", "step"),
        ("[[step]]\nrefuze = [0]", "unknown field `refuze`"),
        ("[expect]\ndelivered = 1", "missing field `outcome`"),
        ("[expect]\noutcome = \"maybe\"\ndelivered = 1", "maybe"),
        ("[[step]]\nreset = \"during\"", "during"),
        ("[[step]]\nreply = \"empty\"", "empty"),
        ("[[step]]\n[[step]]\nrepeat = 0", "step 2: `repeat`"),
        ("[[step]]\nrepeat = \"always\"", "step 1: `repeat`"),
        ("[[step]]\nrefuse = \"some\"", "step 1: `refuse`"),
        ("[[step]]\nrefuse = [-1]", "step 1: `refuse`"),
        ("[[step]]\nrefuse = [0.5]", "step 1: `refuse`"),
        ("[[step]]\nrefuse_share = 1.1", "0.0 to 1.0, not 1.1"),
        ("[[step]]\nrefuse_share = nan", "0.0 to 1.0, not NaN"),
        (
            "[[step]]\nstatus = 200\ntype = \"x\"",
            "400 to 599, not 200",
        ),
        ("[[step]]\nstatus = 500", "needs a `type`"),
        ("[[step]]\ntype = \"x\"", "`type` goes with `status` only"),
        (
            "[[step]]\nhang = true\nmessage = \"x\"",
            "`message` goes with `refuse` or `refuse_share` or `status` only",
        ),
        (
            "[[step]]\nreset = \"after\"\nstored = true",
            "`stored` goes with",
        ),
        ("[[step]]\nhang = false", "`hang` can only be true"),
        (
            "[[step]]\naccept = true\nhang = true",
            "`accept` and `hang` exclude each other",
        ),
        (
            "[[step]]\nrefuse = [0]\nrefuse_share = 0.1",
            "exclude each other",
        ),
        (
            "[[step]]\nstatus = 500\ntype = \"x\"\nreply = \"garbage\"",
            "status 200",
        ),
        ("[[step]]\nhang = true\ndelay_ms = 1", "need an answer"),
        (
            "[[step]]\nreset = \"after\"\nclose = true",
            "need an answer",
        ),
        (
            "[[step]]\nrepeat = \"forever\"\n[[step]]",
            "step 2 is never reached",
        ),
        ("poison = \"\"", "`poison` must not be empty"),
        (
            "[quota]\nbytes_per_second = 0",
            "quota: invalid value: integer `0`",
        ),
        ("[quota.logs]\nrate = 1", "quota.logs: unknown field `rate`"),
    ];
    for (text, words) in cases {
        let message = error(text);
        assert!(message.contains(words), "{message:?} lacks {words:?}");
    }
    // A mistake in the TOML itself names its line.
    assert!(error("seed = 1\n[[step]]\nrefuze = [0]").contains("line 3"));
}

#[test]
fn a_quota_is_for_every_stream_but_those_with_their_own() {
    let text = "poison = \"bad\"\n[quota]\nbytes_per_second = 1048576\n\
                [quota.\"a.b\"]\nrequests_per_second = 2\nburst_seconds = 0.5\n\
                counts_refused = true";
    let scenario = Scenario::parse(text).unwrap();
    assert_eq!(scenario.poison.as_deref(), Some("bad"));
    let Quotas { default, streams } = scenario.quotas;
    assert_eq!(default.bytes_per_second.unwrap().get(), 1_048_576);
    assert_eq!(default.burst_seconds, 1.0);
    assert!(!default.counts_refused);
    let own = &streams["a.b"];
    assert_eq!(own.bytes_per_second, None);
    assert_eq!(own.requests_per_second.unwrap().get(), 2);
    assert_eq!(own.burst_seconds, 0.5);
    assert!(own.counts_refused);
}
