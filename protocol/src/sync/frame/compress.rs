//! A payload, smaller on the way: plain, zstd, or zstd with a dictionary that both sides have.

use std::{borrow::Cow, io::Write, sync::LazyLock};

use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::sync::wire::Malformed;

pub(super) const PLAIN: u8 = 0;
pub(super) const ZSTD: u8 = 1;
/// zstd with the dictionary of `capability::GROUPED`.
pub(super) const DICTIONARY: u8 = 2;

/// Payloads below this are not worth compressing.
const COMPRESS_FROM: usize = 160;
/// Levels above this cost a tablet more time than they save a bad link.
const LEVEL: i32 = 12;
/// For grouped changes, of which there is less to look through.
const GROUPED_LEVEL: i32 = 19;

/// Made by `cargo train-dictionary` from generated contacts. It never changes: another one is another encoding.
static TRAINED: &[u8] = include_bytes!("dictionary-1.zstd-dict");
static ENCODER: LazyLock<Option<EncoderDictionary>> =
    LazyLock::new(|| EncoderDictionary::try_copy(TRAINED, GROUPED_LEVEL).ok());
static DECODER: LazyLock<Option<DecoderDictionary>> =
    LazyLock::new(|| DecoderDictionary::try_copy(TRAINED).ok());

/// The encoding, and the payload in it.
pub(super) fn compress(plain: &[u8]) -> (u8, Cow<'_, [u8]>) {
    let compressed =
        (plain.len() >= COMPRESS_FROM).then(|| zstd::bulk::compress(plain, LEVEL).ok()).flatten();
    match compressed.filter(|compressed| compressed.len() < plain.len()) {
        Some(compressed) => (ZSTD, Cow::Owned(compressed)),
        None => (PLAIN, Cow::Borrowed(plain)),
    }
}

/// With the dictionary; what stands between two cuts gets statistics of its own.
pub(super) fn compress_grouped(plain: &[u8], cuts: &[usize]) -> Option<Vec<u8>> {
    let mut encoder =
        zstd::stream::write::Encoder::with_prepared_dictionary(Vec::new(), ENCODER.as_ref()?).ok()?;
    encoder.set_pledged_src_size(Some(plain.len() as u64)).ok()?;
    encoder.include_contentsize(false).ok()?;
    encoder.include_checksum(false).ok()?;
    encoder.include_dictid(false).ok()?;
    let mut start = 0;
    for cut in cuts {
        encoder.write_all(plain.get(start..*cut)?).ok()?;
        encoder.flush().ok()?;
        start = *cut;
    }
    encoder.write_all(plain.get(start..)?).ok()?;
    encoder.finish().ok()
}

/// A payload as its encoding says; `plain` is its length then, checked against the caps.
pub(super) fn expand(encoding: u8, payload: &[u8], plain: usize) -> Result<Cow<'_, [u8]>, Malformed> {
    let expanded = match encoding {
        PLAIN => return Ok(Cow::Borrowed(payload)),
        ZSTD => zstd::bulk::decompress(payload, plain),
        DICTIONARY => zstd::bulk::Decompressor::with_prepared_dictionary(DECODER.as_ref().ok_or(Malformed)?)
            .and_then(|mut expander| expander.decompress(payload, plain)),
        _ => return Err(Malformed),
    };
    let expanded = expanded.map_err(|_| Malformed)?;
    if expanded.len() == plain { Ok(Cow::Owned(expanded)) } else { Err(Malformed) }
}
