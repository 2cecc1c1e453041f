//! Damages inputs, from a seed: the same seed, the same damage.

use fastrand::Rng;

/// Inputs grow no longer than this, whatever is spliced into them.
const LONGEST: usize = 64 * 1024;

/// Lengths in 32 bits: of a string, bytes, an ext, an array, a map.
const LENGTH_HEADS: [u8; 5] = [0xdb, 0xc6, 0xc9, 0xdd, 0xdf];

/// One of the seeds after up to eight kinds of damage.
pub(crate) fn mutated(random: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(random, seeds).clone();
    for _ in 0..random.usize(0..=8) {
        damage(random, &mut input, seeds);
    }
    input.truncate(LONGEST);
    input
}

fn damage(random: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.usize(0..=input.len());
    match random.u8(0..8) {
        // A bit flips.
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
        // A byte becomes another.
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.u8(..);
            }
        }
        // The end is cut off.
        2 => input.truncate(at),
        // Bytes go missing.
        3 => {
            let end = random.usize(at..=input.len().min(at + 16));
            input.drain(at..end);
        }
        // Bytes come in.
        4 => {
            let bytes: Vec<u8> = (0..random.usize(1..=8)).map(|_| random.u8(..)).collect();
            input.splice(at..at, bytes);
        }
        // A stretch of another input comes in.
        5 => {
            let other = pick(random, seeds);
            let start = random.usize(0..=other.len());
            let end = random.usize(start..=other.len().min(start + 256));
            let stretch = other[start..end].to_vec();
            input.splice(at..at, stretch);
        }
        // A length claims far more than there is.
        6 => {
            let head = LENGTH_HEADS[random.usize(0..LENGTH_HEADS.len())];
            let claim = random.u32(..) | 0x8000_0000;
            let bytes = [&[head][..], &claim.to_be_bytes()].concat();
            let end = input.len().min(at + 1);
            input.splice(at..end, bytes);
        }
        // Depth.
        _ => {
            let opening = [0x91, 0x81, b'[', b'{'][random.usize(0..4)];
            let depth = random.usize(1..4000);
            input.splice(at..at, std::iter::repeat_n(opening, depth));
        }
    }
}

fn pick<'s>(random: &mut Rng, seeds: &'s [Vec<u8>]) -> &'s Vec<u8> {
    &seeds[random.usize(0..seeds.len())]
}
