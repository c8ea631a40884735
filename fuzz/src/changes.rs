//! Several changes of one record as one input.
//!
//! A change's checksum, its length and the hashes of what it builds on keep an altered change from getting anywhere.
//! So these are put in here, over whatever the fuzzer made of the rest. The form, for each change: a byte `how`, the
//! length (2 bytes, little-endian), that many bytes. Of `how`, bit `n` of the lowest five says that the change builds
//! on the one `n + 1` before it. With [`AS_IT_IS`] the bytes are a change already.

use sha2::{Digest, Sha256};
use wayside_protocol::record::{Hash, RecordId, change_hash, chunk};

/// The author of all seeds.
pub const AUTHOR: [u8; 32] = [7; 32];

const AS_IT_IS: u8 = 0x80;
const REACH: usize = 5;
const MOST: usize = 16;
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const TYPE_CHANGE: u8 = 1;

/// The changes that an input stands for, as raw bytes.
pub fn unpack(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut raws: Vec<Vec<u8>> = Vec::new();
    while let [how, low, high, rest @ ..] = input
        && raws.len() < MOST
    {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        input = rest;
        if how & AS_IT_IS != 0 {
            raws.push(bytes.to_vec());
            continue;
        }
        let before = raws.iter().rev().take(REACH).enumerate();
        let mut deps: Vec<Hash> =
            before.filter(|(n, _)| how >> n & 1 == 1).map(|(_, raw)| change_hash(raw)).collect();
        deps.sort_unstable();
        deps.dedup();
        raws.push(sealed(&deps, bytes));
    }
    raws
}

/// The input that stands for honest changes.
pub fn pack(raws: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    for (at, raw) in raws.iter().enumerate() {
        let near = raws[..at].iter().rev().take(REACH).enumerate();
        let parsed = chunk::parse(raw).expect("an honest change");
        let how: u8 =
            near.filter(|(_, raw)| parsed.deps.contains(&change_hash(raw))).map(|(n, _)| 1 << n).sum();
        let rest = &contents(raw)[1 + 32 * parsed.deps.len()..];
        input.push(how);
        input.extend_from_slice(&(rest.len() as u16).to_le_bytes());
        input.extend_from_slice(rest);
    }
    assert_eq!(unpack(&input), raws, "honest changes come back");
    input
}

/// The record that the first change says it begins.
pub fn record(raws: &[Vec<u8>]) -> RecordId {
    let named = raws.first().and_then(|raw| chunk::parse(raw).ok()).and_then(|chunk| {
        let id = chunk.writes().find(|(key, _)| *key == "id").map(|(_, value)| value);
        if let Some(chunk::Scalar::Str(id)) = id { id.parse().ok() } else { None }
    });
    named.unwrap_or(RecordId::from_bytes([1; 16]))
}

fn sealed(deps: &[Hash], rest: &[u8]) -> Vec<u8> {
    let mut body = vec![deps.len() as u8];
    body.extend(deps.iter().flatten());
    body.extend_from_slice(rest);
    let mut hashed = vec![TYPE_CHANGE];
    let mut length = body.len();
    while length >= 0x80 {
        hashed.push(length as u8 | 0x80);
        length >>= 7;
    }
    hashed.push(length as u8);
    hashed.extend(body);
    let checksum = &Sha256::digest(&hashed)[..4];
    [&MAGIC, checksum, &hashed].concat()
}

/// What stands behind magic, checksum, type and length.
fn contents(raw: &[u8]) -> &[u8] {
    let length = raw[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &raw[9 + length..]
}
