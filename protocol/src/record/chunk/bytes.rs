//! The bytes of a change, taken apart with nothing believed: numbers in their shortest form, runs
//! counted before they are expanded.

use super::MAX_OPS;
use crate::error::Code;

/// Expands a run-length column, of at most [`MAX_OPS`] values whatever it declares.
///
/// Only the canonical form passes: no empty run, no run of one, no two runs that could have been one.
/// `null` is the code for a column that holds nulls.
pub(super) fn rle<'a, T: Copy + PartialEq>(
    column: &'a [u8],
    null: Code,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Vec<T>, Code> {
    let mut column = Reader { rest: column };
    let mut values: Vec<T> = Vec::new();
    let mut after_literal = false;
    while !column.rest.is_empty() {
        let head = column.sleb()?;
        if head == 0 {
            // The count of nulls is bounded like any other, so that the code does not depend on order.
            let count = column.uleb()?;
            return Err(if count > MAX_OPS { Code::ChangeTooLarge } else { null });
        }
        let count = head.unsigned_abs();
        if count > MAX_OPS - values.len() as u64 {
            return Err(Code::ChangeTooLarge);
        }
        if head > 0 {
            let value = read(&mut column)?;
            if count == 1 || values.last() == Some(&value) {
                return Err(Code::ChangeMalformed);
            }
            values.extend(std::iter::repeat_n(value, count as usize));
            after_literal = false;
        } else {
            if after_literal {
                return Err(Code::ChangeMalformed);
            }
            for _ in 0..count {
                let value = read(&mut column)?;
                if values.last() == Some(&value) {
                    return Err(Code::ChangeMalformed);
                }
                values.push(value);
            }
            after_literal = true;
        }
    }
    Ok(values)
}

/// The bytes not read yet. Reading beyond them is [`Code::ChangeMalformed`].
pub(super) struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn take(&mut self, len: u64) -> Result<&'a [u8], Code> {
        let len = usize::try_from(len).map_err(|_| Code::ChangeMalformed)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Code::ChangeMalformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Code> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Code::ChangeMalformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn byte(&mut self) -> Result<u8, Code> {
        self.array().map(|[byte]| byte)
    }

    /// An unsigned LEB128 of at most 64 bits, in its shortest form.
    pub fn uleb(&mut self) -> Result<u64, Code> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte holds the last bit alone.
            if shift == 63 && byte > 1 {
                return Err(Code::ChangeMalformed);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Code::ChangeMalformed) } else { Ok(value) };
            }
        }
        Err(Code::ChangeMalformed)
    }

    /// A signed LEB128 of at most 64 bits, in its shortest form.
    pub fn sleb(&mut self) -> Result<i64, Code> {
        let mut value = 0i64;
        let mut previous = 0u8;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte holds the sign alone.
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(Code::ChangeMalformed);
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let repeats_sign =
                    (byte == 0 && previous & 0x40 == 0) || (byte == 0x7f && previous & 0x40 != 0);
                if shift > 0 && repeats_sign {
                    return Err(Code::ChangeMalformed);
                }
                if shift < 57 && byte & 0x40 != 0 {
                    value |= -1 << (shift + 7);
                }
                return Ok(value);
            }
            previous = byte;
        }
        Err(Code::ChangeMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uleb(bytes: &[u8]) -> Result<u64, Code> {
        Reader { rest: bytes }.uleb()
    }

    fn sleb(bytes: &[u8]) -> Result<i64, Code> {
        Reader { rest: bytes }.sleb()
    }

    #[test]
    fn numbers_are_read_in_their_shortest_form_only() {
        assert_eq!(uleb(&[0]), Ok(0));
        assert_eq!(uleb(&[0x7f]), Ok(127));
        assert_eq!(uleb(&[0x80, 1]), Ok(128));
        assert_eq!(uleb(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Ok(u64::MAX));
        assert_eq!(sleb(&[0]), Ok(0));
        assert_eq!(sleb(&[0x7f]), Ok(-1));
        assert_eq!(sleb(&[0x40]), Ok(-64));
        assert_eq!(sleb(&[0xc0, 0]), Ok(64));
        assert_eq!(sleb(&[0xbf, 0x7f]), Ok(-65));
        assert_eq!(sleb(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]), Ok(i64::MAX));
        assert_eq!(sleb(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]), Ok(i64::MIN));
        for bytes in [
            &[][..],
            &[0x80],
            &[0x80, 0],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ] {
            assert_eq!(uleb(bytes), Err(Code::ChangeMalformed), "{bytes:?}");
        }
        for bytes in [
            &[][..],
            &[0xff],
            &[0x80, 0],
            &[0xff, 0x7f],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
        ] {
            assert_eq!(sleb(bytes), Err(Code::ChangeMalformed), "{bytes:?}");
        }
    }

    #[test]
    fn run_lengths_are_bounded_and_canonical() {
        let read = |bytes: &'static [u8]| rle(bytes, Code::OperationRefused, Reader::uleb);
        assert_eq!(read(&[]), Ok(vec![]));
        assert_eq!(read(&[3, 7]), Ok(vec![7, 7, 7]));
        assert_eq!(read(&[0x7e, 7, 8, 2, 9]), Ok(vec![7, 8, 9, 9]));
        assert_eq!(read(&[2, 7, 0x7f, 8]), Ok(vec![7, 7, 8]));
        // Nulls, and more nulls than any change may hold.
        assert_eq!(read(&[0, 5]), Err(Code::OperationRefused));
        assert_eq!(read(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Code::ChangeTooLarge));
        // 10,001 at once, then in two runs; the most negative head.
        assert_eq!(read(&[0x91, 0xce, 0, 7]), Err(Code::ChangeTooLarge));
        assert_eq!(read(&[0x90, 0xce, 0, 7, 0x7f, 8]), Err(Code::ChangeTooLarge));
        assert_eq!(
            read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]),
            Err(Code::ChangeTooLarge)
        );
        // A run of one; runs, literals and pairs that are one run; a literal that stops short.
        for bytes in
            [&[1, 7][..], &[2, 7, 2, 7], &[0x7f, 7, 0x7f, 8], &[0x7e, 7, 7], &[2, 7, 0x7f, 7], &[0x7e, 7]]
        {
            assert_eq!(read(bytes), Err(Code::ChangeMalformed), "{bytes:?}");
        }
    }
}
