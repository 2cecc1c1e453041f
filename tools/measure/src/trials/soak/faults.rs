//! A scenario of all kinds of faults, by a random generator.

use fastrand::Rng;

/// More steps than a soak has calls.
const STEPS: usize = 5_000;

/// Every fault is followed by calls that fare well. What throttles is a quota, of more than twice
/// what comes: a service that throttled by chance would be taken for a stream that others keep full.
pub(super) fn scenario(rng: &mut Rng) -> String {
    let mut scenario = format!("seed = {}\n", rng.u32(..));
    scenario += "[quota]\nbytes_per_second = 1048576\n";
    for _ in 0..STEPS {
        scenario += &format!("[[step]]\nrepeat = {}\n", rng.u8(1..6));
        scenario += &format!("[[step]]\n{}\n", fault(rng));
    }
    scenario
}

fn fault(rng: &mut Rng) -> String {
    let stored = rng.bool();
    match rng.u8(..10) {
        0..=2 => format!(
            "repeat = {}\ncode = \"InternalFailure\"\nrefuse_share = 0.{}",
            rng.u8(1..8),
            rng.u8(1..10)
        ),
        3 => format!(
            "repeat = {}\nstatus = 503\ntype = \"ServiceUnavailableException\"",
            rng.u8(1..4)
        ),
        4 => format!("status = 500\ntype = \"InternalFailure\"\nstored = {stored}"),
        5 => format!("hang = true\nstored = {stored}"),
        6 => format!("reset = \"{}\"", if stored { "after" } else { "before" }),
        // Below the time-out of a request: the client stays for the answer.
        7 => format!("delay_ms = {}", rng.u16(100..1_500)),
        8 => {
            let shapes = ["truncated", "garbage", "short_responses", "wrong_count"];
            format!("reply = \"{}\"", shapes[rng.usize(..shapes.len())])
        }
        _ => "close = true".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use fake_firehose::Scenario;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_well_formed_scenario_each_time() {
        let of = |seed| scenario(&mut Rng::with_seed(seed));
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        let steps = Scenario::parse(&of(7)).unwrap().steps;
        assert_eq!(steps.len(), 2 * STEPS);
    }
}
