//! Compresses records, in the formats the core C plugin writes.

use std::io::Read;

use flate2::read::GzDecoder;
use flate2::{Compress, FlushCompress, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    /// The raw block format, without framing.
    Snappy,
}

/// Writes the compressed data in the place of what the buffer holds: one record after the other
/// with the same memory, which for gzip and zstd is many times what a short record is.
pub type Compressor = Box<dyn FnMut(&[u8], &mut Vec<u8>) + Send>;

impl Compression {
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Zstd, Self::Snappy];

    /// The word by which the option `compression` asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
        }
    }

    /// The most bytes any of the formats adds to a megabyte that does not compress (zlib's
    /// stored blocks: 5 bytes each 16 KiB, and its header and trailer), rounded up.
    pub const OVERHEAD: usize = 1024;

    pub fn compressor(self) -> Compressor {
        /// The largest, as zlib's own default.
        const WINDOW_BITS: u8 = 15;
        match self {
            Self::Gzip => {
                let mut gzip = Compress::new_gzip(flate2::Compression::default(), WINDOW_BITS);
                Box::new(move |data, out| {
                    out.clear();
                    gzip.reset();
                    let mut status = Status::Ok;
                    while status != Status::StreamEnd {
                        out.reserve(data.len() / 2 + Self::OVERHEAD);
                        let rest = &data[gzip.total_in() as usize..];
                        status = gzip
                            .compress_vec(rest, out, FlushCompress::Finish)
                            .expect("zlib compresses any bytes");
                    }
                })
            }
            Self::Zstd => {
                let zstd = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL);
                let mut zstd = zstd.expect("zstd has its default level");
                Box::new(move |data, out| {
                    out.clear();
                    out.reserve(zstd::zstd_safe::compress_bound(data.len()));
                    zstd.compress_to_buffer(data, out)
                        .expect("zstd compresses any bytes, and there is room for them");
                })
            }
            Self::Snappy => {
                let mut snappy = snap::raw::Encoder::new();
                Box::new(move |data, out| {
                    out.resize(snap::raw::max_compress_len(data.len()), 0);
                    let length = snappy
                        .compress(data, out)
                        .expect("snappy takes up to 4 GiB; a record has a megabyte");
                    out.truncate(length);
                })
            }
        }
    }

    /// What a record was made of; none if it is no such record.
    pub fn decompressed(self, record: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut plain = Vec::new();
                GzDecoder::new(record).read_to_end(&mut plain).ok()?;
                Some(plain)
            }
            Self::Zstd => zstd::stream::decode_all(record).ok(),
            Self::Snappy => snap::raw::Decoder::new().decompress_vec(record).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_grows_by_no_more_than_the_overhead_and_comes_back() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(1_024_000)
            .collect();
        for compression in Compression::ALL {
            let mut out = Vec::new();
            compression.compressor()(&noise, &mut out);
            let most = noise.len() + Compression::OVERHEAD;
            assert!(out.len() <= most, "{compression:?}: {}", out.len());
            assert_eq!(compression.decompressed(&out).as_deref(), Some(&noise[..]));
            assert_eq!(compression.decompressed(&noise), None);
        }
    }
}
