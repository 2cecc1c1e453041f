//! Compresses records, in the formats the core C plugin writes.

use std::fmt;

use flate2::{Compress, FlushCompress, Status};

/// The value of `compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    /// The raw block format, without framing.
    Snappy,
}

/// Compresses one record after the other with the same memory, which for gzip and zstd is many
/// times what a short record is.
pub enum Compressor {
    Gzip(Compress),
    Zstd(zstd::bulk::Compressor<'static>),
    Snappy(Box<snap::raw::Encoder>),
}

impl Compression {
    /// The most bytes any of the formats adds to a megabyte that does not compress (zlib's
    /// stored blocks: 5 bytes each 16 KiB, and its header and trailer), rounded up.
    pub const OVERHEAD: usize = 1024;

    pub fn compressor(self) -> Compressor {
        /// The largest, as zlib's own default.
        const WINDOW_BITS: u8 = 15;
        match self {
            Self::Gzip => {
                let level = flate2::Compression::default();
                Compressor::Gzip(Compress::new_gzip(level, WINDOW_BITS))
            }
            Self::Zstd => {
                let compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL);
                Compressor::Zstd(compressor.expect("zstd has its default level"))
            }
            Self::Snappy => Compressor::Snappy(Box::new(snap::raw::Encoder::new())),
        }
    }
}

impl Compressor {
    /// Writes the compressed data in the place of what `out` holds.
    pub fn compress(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Gzip(gzip) => {
                out.clear();
                gzip.reset();
                let mut status = Status::Ok;
                while status != Status::StreamEnd {
                    out.reserve(data.len() / 2 + Compression::OVERHEAD);
                    let rest = &data[gzip.total_in() as usize..];
                    status = gzip
                        .compress_vec(rest, out, FlushCompress::Finish)
                        .expect("zlib compresses any bytes");
                }
            }
            Self::Zstd(zstd) => {
                out.clear();
                out.reserve(zstd::zstd_safe::compress_bound(data.len()));
                zstd.compress_to_buffer(data, out)
                    .expect("zstd compresses any bytes, and there is room for them");
            }
            Self::Snappy(snappy) => {
                out.resize(snap::raw::max_compress_len(data.len()), 0);
                let length = snappy
                    .compress(data, out)
                    .expect("snappy takes up to 4 GiB; a record has a megabyte");
                out.truncate(length);
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressor")
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
            let mut compressor = compression.compressor();
            let mut out = b"before".to_vec();
            for data in [&b""[..], b"{\"a\":1}\n", &noise, b"after"] {
                compressor.compress(data, &mut out);
                assert_eq!(decompress(compression, &out), data, "{compression:?}");
                assert!(
                    out.len() <= data.len() + Compression::OVERHEAD,
                    "{compression:?}"
                );
            }
        }
    }
}
