//! A zstd body: any number of frames, RFC 8878 §3.1.
//!
//! libzstd's streaming decoder takes a frame whose blocks end before the size its header declares,
//! if the last block is empty; its one-pass decoder refuses it. What a body is must not depend on
//! how the network cut it, so the declared size is checked here as well.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, Operation as _};
use zstd::zstd_safe::get_frame_content_size;

use super::{BodyError, SCRATCH_BYTES, Sink, ZSTD_DAMAGED};
use crate::intake::limits::BodyLimits;

/// A frame header's longest form: magic number 4, descriptor 1, window 1, dictionary 4, size 8.
const FRAME_HEADER_BYTES_MAX: usize = 18;

pub(super) struct ZstdFrames {
    decoder: Decoder<'static>,
    scratch: Vec<u8>,
    frame: Frame,
    between_frames: bool,
    pub(super) sink: Sink,
}

/// What is known of the frame being read.
#[derive(Default)]
struct Frame {
    /// Its first bytes, enough for the header.
    head: Vec<u8>,
    decoded_bytes: u64,
}

impl ZstdFrames {
    pub(super) fn new(limits: BodyLimits) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(limits.zstd_window_log))?;
        Ok(Self { decoder, scratch: vec![0; SCRATCH_BYTES], frame: Frame::default(), between_frames: true, sink: Sink::new(limits) })
    }

    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), BodyError> {
        self.sink.received = self.sink.received.saturating_add(piece.len());
        // Output may wait inside the decoder after the last input byte is taken: go on while a call
        // fills the whole buffer.
        let mut waiting = false;
        while !piece.is_empty() || waiting {
            if self.between_frames {
                self.decoder.reinit().map_err(|_| ZSTD_DAMAGED)?;
                self.frame = Frame::default();
            }
            let step = self.decoder.run_on_buffers(piece, &mut self.scratch).map_err(|error| self.sink.zstd_error(&error))?;
            if step.bytes_read == 0 && step.bytes_written == 0 && !piece.is_empty() {
                return Err(ZSTD_DAMAGED);
            }
            let (read, rest) = piece.split_at_checked(step.bytes_read).unwrap_or((piece, &[]));
            piece = rest;
            let decoded = self.scratch.get(..step.bytes_written).unwrap_or_default();
            self.sink.keep(decoded)?;
            self.frame.advance(read, decoded);
            self.between_frames = step.remaining == 0;
            if self.between_frames && !self.frame.has_its_declared_size() {
                return Err(ZSTD_DAMAGED);
            }
            waiting = !self.between_frames && step.bytes_written == self.scratch.len();
        }
        Ok(())
    }

    /// Whether the body may end here: after at least one frame, and inside none.
    pub(super) fn is_whole(&self) -> bool {
        self.between_frames && self.sink.received > 0
    }
}

impl Frame {
    fn advance(&mut self, read: &[u8], decoded: &[u8]) {
        let missing = FRAME_HEADER_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend(read.iter().take(missing));
        self.decoded_bytes = self.decoded_bytes.saturating_add(decoded.len() as u64);
    }

    /// Skippable frames declare, and decode to, nothing.
    fn has_its_declared_size(&self) -> bool {
        match get_frame_content_size(&self.head) {
            Ok(Some(declared)) => declared == self.decoded_bytes,
            Ok(None) => true,
            Err(_) => false,
        }
    }
}
