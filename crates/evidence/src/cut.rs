//! `cut: 1`: where the raw bytes of an event are cut into parts, so that each member of a record
//! can be shown or erased by itself.
//!
//! The rule needs no JSON parser: track strings, escapes (inside strings only) and depth (`{ [` up,
//! `} ]` down). Raw is an *object* if its first byte that is not white space (20 09 0A 0D) is `{`
//! and depth first returns to 0 at its last byte that is not white space. An object is cut after
//! each depth-1 comma outside strings; a piece longer than 512 bytes is cut again after each of its
//! depth-2 commas; past 253 parts, counted after both cuts, the last takes the rest. Anything else
//! is one part.
//!
//! INVARIANT: the lengths add up to the length of raw, and there are 1 to 253 of them.
//!
//! Every event passes through here twice (when it is committed and when it is verified), so the
//! scan reads 64 bytes at a time as bit masks; a block with a backslash in it is read byte by byte.

/// A piece of more bytes than this is cut again one level deeper.
pub const PIECE_BYTES_MAX: usize = 512;

/// Most parts that raw is cut into: 255 parts of a payload less the two of the envelope.
pub const RAW_PARTS_MAX: usize = 253;

/// Fills `out` with the lengths of the parts that `raw` is cut into: parts 2… of its payload.
/// What `out` held is dropped; its memory is reused.
///
/// # Panics
/// If `raw` has 4 GiB or more: an event is limited far below that at the door.
pub fn cut(raw: &[u8], out: &mut Vec<u32>) {
    out.clear();
    let Ok(length) = u32::try_from(raw.len()) else {
        panic_too_long(raw.len());
    };
    let is_object = raw.iter().find(|b| !is_space(**b)) == Some(&b'{') && Scan::new(raw, out).run() == Shape::Object;
    if !is_object {
        out.clear();
        out.push(length);
        return;
    }
    if out.len() > RAW_PARTS_MAX {
        out.truncate(RAW_PARTS_MAX - 1);
        out.push(length);
    }
    let mut start = 0;
    for end in out.iter_mut() {
        let length = *end - start;
        start = *end;
        *end = length;
    }
}

#[cold]
#[expect(clippy::panic, reason = "four times the largest request the server can be set to accept; a wrong cut would be signed")]
fn panic_too_long(length: usize) -> ! {
    panic!("raw of {length} bytes has no cuts: they are counted in 32 bits")
}

/// JSON's white space.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Other,
}

/// One pass over raw. `ends` receives the end offset of each piece: those of the current depth-1
/// piece's depth-2 commas on trial (from `mark` on), taken back if the piece turns out short.
struct Scan<'a> {
    raw: &'a [u8],
    ends: &'a mut Vec<u32>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Ends before this one are final.
    mark: usize,
    piece_start: usize,
    /// Offset just after the bracket that brought depth back to 0.
    closed_at: Option<usize>,
}

impl<'a> Scan<'a> {
    fn new(raw: &'a [u8], ends: &'a mut Vec<u32>) -> Self {
        Scan { raw, ends, depth: 0, in_string: false, escaped: false, mark: 0, piece_start: 0, closed_at: None }
    }

    fn run(mut self) -> Shape {
        let (blocks, tail) = self.raw.as_chunks::<64>();
        let mut offset = 0;
        for block in blocks {
            self.block(block, offset);
            if self.closed_at.is_some() {
                return self.finish();
            }
            offset += 64;
        }
        self.bytes(tail, offset);
        self.finish()
    }

    /// After the last bracket only white space may follow.
    fn finish(mut self) -> Shape {
        let rest = self.closed_at.and_then(|at| self.raw.get(at..));
        match rest {
            Some(rest) if rest.iter().all(|b| is_space(*b)) => {
                self.end_piece(self.raw.len());
                Shape::Object
            }
            _ => Shape::Other,
        }
    }

    #[inline]
    fn block(&mut self, block: &[u8; 64], offset: usize) {
        let Masks { quotes, candidates, backslash } = Masks::of(block);
        if backslash || self.escaped {
            self.bytes(block, offset);
            return;
        }
        // Parity of the quotes up to each byte: set from an opening quote to before its closing one.
        let mut strings = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            strings ^= strings << shift;
        }
        if self.in_string {
            strings = !strings;
        }
        self.in_string = strings >> 63 == 1;
        let mut left = candidates & !strings;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(byte) = block.get(at) {
                self.structural(*byte, offset + at);
                if self.closed_at.is_some() {
                    return;
                }
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8], offset: usize) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.escaped {
                self.escaped = false;
            } else if self.in_string {
                match byte {
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
            } else if *byte == b'"' {
                self.in_string = true;
            } else {
                self.structural(*byte, offset + at);
                if self.closed_at.is_some() {
                    return;
                }
            }
        }
    }

    /// A byte outside strings. Before the first bracket there is only white space, see [`cut`].
    #[inline]
    fn structural(&mut self, byte: u8, at: usize) {
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.closed_at = Some(at + 1);
                }
            }
            b',' if self.depth == 1 => self.end_piece(at + 1),
            b',' if self.depth == 2 => self.push(at + 1),
            _ => {}
        }
    }

    fn end_piece(&mut self, end: usize) {
        if end - self.piece_start <= PIECE_BYTES_MAX {
            self.ends.truncate(self.mark);
        }
        self.push(end);
        self.mark = self.ends.len();
        self.piece_start = end;
    }

    /// One more than the limit is enough to know that there are too many.
    fn push(&mut self, end: usize) {
        if self.ends.len() <= RAW_PARTS_MAX
            && let Ok(end) = u32::try_from(end)
        {
            self.ends.push(end);
        }
    }
}

/// Bit i speaks of byte i of a 64-byte block.
struct Masks {
    quotes: u64,
    /// Commas and brackets, and `Y _ y` and DEL, which stand for themselves outside JSON.
    candidates: u64,
    backslash: bool,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; 64]) -> Masks {
        let mut quotes = 0;
        let mut candidates = 0;
        let mut backslashes = 0;
        let (words, _) = block.as_chunks::<8>();
        for word in words.iter().rev() {
            let word = u64::from_le_bytes(*word);
            quotes = quotes << 8 | gather(equal(word, b'"'));
            // `{ } [ ]` differ only in the bits of 0x26.
            let brackets = equal(word | splat(0x26), 0x7f);
            candidates = candidates << 8 | gather(brackets | equal(word, b','));
            backslashes |= equal(word, b'\\');
        }
        Masks { quotes, candidates, backslash: backslashes != 0 }
    }
}

const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The top bit of each byte of `word` that equals `byte`; exact (no carries between bytes).
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    let low = splat(0x7f);
    let differs = word ^ splat(byte);
    !(((differs & low) + low) | differs | low)
}

/// The top bits of the eight bytes, as the low eight bits.
#[inline]
const fn gather(tops: u64) -> u64 {
    (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
