//! Compresses records, in the formats the core C plugin writes.

use std::io::Write;

use flate2::write::GzEncoder;

/// The value of `compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    /// The raw block format, without framing.
    Snappy,
}

impl Compression {
    /// The most bytes any of the formats adds to a megabyte that does not compress (zlib's
    /// stored blocks: 5 bytes each 16 KiB, and its header and trailer), rounded up.
    pub const OVERHEAD: usize = 1024;

    pub fn append(self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::default());
                encoder
                    .write_all(data)
                    .and_then(|()| encoder.try_finish())
                    .expect("a Vec takes every write");
            }
            Self::Zstd => {
                let frame = zstd::bulk::compress(data, zstd::DEFAULT_COMPRESSION_LEVEL)
                    .expect("zstd compresses any bytes");
                out.extend_from_slice(&frame);
            }
            Self::Snappy => {
                let block = snap::raw::Encoder::new()
                    .compress_vec(data)
                    .expect("snappy takes up to 4 GiB; a record has a megabyte");
                out.extend_from_slice(&block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn decompress(compression: Compression, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::Gzip => {
                _ = flate2::read::GzDecoder::new(data)
                    .read_to_end(&mut out)
                    .unwrap()
            }
            Compression::Zstd => out = zstd::stream::decode_all(data).unwrap(),
            Compression::Snappy => out = snap::raw::Decoder::new().decompress_vec(data).unwrap(),
        }
        out
    }

    #[test]
    fn what_goes_in_comes_out_and_noise_grows_by_no_more_than_the_overhead() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(1_024_000)
            .collect();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Snappy] {
            for data in [&b""[..], b"{\"a\":1}\n", &noise] {
                let mut out = b"before".to_vec();
                compression.append(data, &mut out);
                let frame = out.strip_prefix(b"before").unwrap();
                assert_eq!(decompress(compression, frame), data, "{compression:?}");
                assert!(
                    frame.len() <= data.len() + Compression::OVERHEAD,
                    "{compression:?}"
                );
            }
        }
    }
}
