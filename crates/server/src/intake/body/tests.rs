#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

const SMALL: BodyLimits = BodyLimits { decoded_bytes: 1_000, ..BodyLimits::REQUEST };
const ALL: [Encoding; 3] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd];

fn encode(encoding: Encoding, data: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => data.to_vec(),
        Encoding::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(data).unwrap();
            gzip.finish().unwrap()
        }
        Encoding::Zstd => zstd::encode_all(data, 1).unwrap(),
    }
}

fn decode(encoding: Encoding, limits: BodyLimits, wire: &[u8], piece: usize) -> Result<Bytes, BodyError> {
    let mut decoder = BodyDecoder::new(encoding, limits);
    for piece in wire.chunks(piece.max(1)) {
        decoder.push(Bytes::copy_from_slice(piece))?;
    }
    decoder.finish()
}

/// Bytes that compress badly.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn the_header_names_the_encoding() {
    assert_eq!(Encoding::from_header(None), Ok(Encoding::Identity));
    assert_eq!(Encoding::from_header(Some(" GZip ")), Ok(Encoding::Gzip));
    assert_eq!(Encoding::from_header(Some("x-gzip")), Ok(Encoding::Gzip));
    assert_eq!(Encoding::from_header(Some("zstd")), Ok(Encoding::Zstd));
    assert_eq!(Encoding::from_header(Some("identity")), Ok(Encoding::Identity));
    for unknown in ["br", "deflate", "gzip, zstd", "gzip;q=1"] {
        assert_eq!(Encoding::from_header(Some(unknown)), Err(BodyError::UnknownEncoding));
    }
    assert_eq!(BodyError::UnknownEncoding.status(), 415);
}

#[test]
fn an_identity_body_in_one_piece_is_not_copied() {
    let body = Bytes::from_static(b"{\"a\":1}");
    let mut decoder = BodyDecoder::new(Encoding::Identity, BodyLimits::REQUEST);
    decoder.push(body.clone()).unwrap();
    assert_eq!(decoder.finish().unwrap().as_ptr(), body.as_ptr());
}

#[test]
fn several_members_and_frames_are_one_body() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let wire = [encode(encoding, b"one "), encode(encoding, b""), encode(encoding, b"two")].concat();
        for piece in [1, 3, wire.len()] {
            assert_eq!(decode(encoding, SMALL, &wire, piece).unwrap(), "one two", "{encoding:?}");
        }
    }
}

#[test]
fn a_compressed_body_cut_anywhere_is_damaged_and_never_a_shorter_one() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let first = encode(encoding, b"first half, ");
        let wire = [first.clone(), encode(encoding, &noise(300))].concat();
        for len in (0..wire.len()).filter(|&len| len != first.len()) {
            let cut = decode(encoding, SMALL, &wire[..len], 7);
            assert!(matches!(cut, Err(BodyError::Damaged { .. })), "{encoding:?} cut at {len}: {cut:?}");
        }
    }
}

#[test]
fn what_follows_a_compressed_body_is_damage() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        for tail in [b"{\"a\":1}\n".as_slice(), b"\0\0\0\0\0\0\0\0\0\0\0\0"] {
            let wire = [encode(encoding, b"events"), tail.to_vec()].concat();
            for piece in [1, wire.len()] {
                let read = decode(encoding, SMALL, &wire, piece);
                assert!(matches!(read, Err(BodyError::Damaged { .. })), "{encoding:?}: {read:?}");
            }
        }
    }
}

#[test]
fn gzip_damage_is_found_by_its_checksum() {
    let mut wire = encode(Encoding::Gzip, &noise(200));
    let at = wire.len() / 2;
    wire[at] ^= 1;
    assert_eq!(decode(Encoding::Gzip, SMALL, &wire, 50), Err(GZIP_DAMAGED));
}

#[test]
fn a_body_over_the_cap_is_refused_in_every_encoding() {
    for encoding in ALL {
        let limit = SMALL.decoded_bytes;
        for piece in [1, 100, 10_000] {
            let fits = decode(encoding, SMALL, &encode(encoding, &noise(limit)), piece);
            assert_eq!(fits.unwrap().len(), limit, "{encoding:?}");
            let over = decode(encoding, SMALL, &encode(encoding, &noise(limit + 1)), piece);
            assert_eq!(over, Err(BodyError::TooLarge { limit }), "{encoding:?}");
        }
    }
}

#[test]
fn a_declared_length_over_the_cap_is_refused_before_the_body_is_read() {
    let mut decoder = BodyDecoder::new(Encoding::Identity, SMALL);
    decoder.expect(1_000).unwrap();
    let too_large = BodyError::TooLarge { limit: 1_000 };
    assert_eq!(decoder.expect(1_001), Err(too_large));
    assert_eq!(decoder.push(Bytes::from_static(b"x")), Err(too_large));
    assert_eq!(decoder.finish(), Err(too_large));
    // The length of a compressed body says nothing about its decoded size.
    BodyDecoder::new(Encoding::Gzip, SMALL).expect(1_001).unwrap();
}

#[test]
fn memory_stays_under_the_cap_however_small_the_pieces() {
    let limits = BodyLimits { decoded_bytes: 300_000, ..BodyLimits::REQUEST };
    let mut sink = Sink::new(limits);
    sink.received = limits.decoded_bytes;
    sink.expected = usize::MAX;
    while sink.keep(&[b'x'; 777]).is_ok() {
        assert!(sink.decoded.capacity() <= limits.decoded_bytes);
    }
    assert!(sink.decoded.len() > limits.decoded_bytes - 777);
}

#[test]
fn the_ratio_refuses_a_bomb_long_before_the_cap() {
    let limits = BodyLimits::REQUEST;
    let bomb = encode(Encoding::Zstd, &vec![0; 16 << 20]);
    assert!(bomb.len() * limits.ratio < 4 << 20, "a bomb of {} bytes", bomb.len());
    assert_eq!(decode(Encoding::Zstd, limits, &bomb, 100), Err(BodyError::Bomb { ratio: 1_000 }));
    // Small bodies may be as repetitive as they like.
    let small = encode(Encoding::Zstd, &vec![0; limits.ratio_free_bytes]);
    assert_eq!(decode(Encoding::Zstd, limits, &small, 100).unwrap().len(), limits.ratio_free_bytes);
}

#[test]
fn a_ratio_within_the_limit_passes_and_one_over_it_does_not() {
    let limits = BodyLimits { ratio: 100, ratio_free_bytes: 1_000, ..BodyLimits::REQUEST };
    let mut sink = Sink::new(limits);
    sink.received = 20;
    sink.keep(&[0; 2_000]).unwrap();
    assert_eq!(sink.keep(&[0]), Err(BodyError::Bomb { ratio: 100 }));
}

#[test]
fn ten_gigabytes_of_zeros_cost_no_more_than_the_limits() {
    // Ten thousand frames of one mebibyte each, made once: what a real bomb looks like on the wire.
    let frame = Bytes::from(encode(Encoding::Zstd, &vec![0; 1 << 20]));
    let mut decoder = BodyDecoder::new(Encoding::Zstd, BodyLimits::REQUEST);
    let pushed = (0..10_000).find_map(|_| decoder.push(frame.clone()).err());
    assert!(matches!(pushed, Some(BodyError::Bomb { .. } | BodyError::TooLarge { .. })), "{pushed:?}");
}

#[test]
fn a_zstd_window_over_the_limit_is_refused() {
    let window = |log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"events").unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(decode(Encoding::Zstd, SMALL, &window(23), 100).unwrap(), "events");
    assert_eq!(decode(Encoding::Zstd, SMALL, &window(24), 100), Err(BodyError::WindowTooLarge { limit: 8 << 20 }));
}

#[test]
fn a_zstd_frame_shorter_than_it_declares_is_damage_however_it_arrives() {
    // One byte declared, one empty last block, and the checksum of nothing.
    let wire = b"\x28\xb5\x2f\xfd\x24\x01\x01\x00\x00\x99\xe9\xd8\x51";
    for piece in 1..=wire.len() {
        assert_eq!(decode(Encoding::Zstd, SMALL, wire, piece), Err(ZSTD_DAMAGED));
    }
}

#[test]
fn skippable_zstd_frames_are_skipped() {
    let skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip";
    let event = encode(Encoding::Zstd, b"event");
    let wire = [skippable.as_slice(), &event, skippable, &event, skippable].concat();
    for piece in 1..=wire.len() {
        assert_eq!(decode(Encoding::Zstd, SMALL, &wire, piece).unwrap(), "eventevent", "{piece}");
    }
}

#[test]
fn an_error_is_final() {
    let mut decoder = BodyDecoder::new(Encoding::Gzip, SMALL);
    decoder.push(Bytes::from_static(b"not gzip at all")).unwrap_err();
    let good = Bytes::from(encode(Encoding::Gzip, b"x"));
    assert_eq!(decoder.push(good), Err(GZIP_DAMAGED));
    assert_eq!(decoder.finish(), Err(GZIP_DAMAGED));
}

#[test]
fn an_empty_body_is_empty_only_without_compression() {
    assert_eq!(decode(Encoding::Identity, SMALL, b"", 1).unwrap(), "");
    assert_eq!(decode(Encoding::Gzip, SMALL, b"", 1), Err(GZIP_DAMAGED));
    assert_eq!(decode(Encoding::Zstd, SMALL, b"", 1), Err(ZSTD_DAMAGED));
}

proptest! {
    #[test]
    fn any_body_comes_back_from_every_encoding_in_any_pieces(
        data in proptest::collection::vec(any::<u8>(), 0..900), piece in 1usize..400, copies in 1usize..60
    ) {
        let limits = BodyLimits { decoded_bytes: 60_000, ..SMALL };
        let data = data.repeat(copies.min(60_000 / data.len().max(1)).max(1));
        for encoding in ALL {
            prop_assert_eq!(&decode(encoding, limits, &encode(encoding, &data), piece).unwrap(), &data);
        }
    }

    #[test]
    fn any_bytes_are_decoded_within_the_cap_or_refused(
        data in proptest::collection::vec(any::<u8>(), 0..300), start in 0usize..2, piece in 1usize..50
    ) {
        for encoding in ALL {
            // Half of the cases begin like a real body, so that they get past its magic number.
            let head = if start == 0 { Vec::new() } else { encode(encoding, b"x") };
            if let Ok(body) = decode(encoding, SMALL, &[head, data.clone()].concat(), piece) {
                prop_assert!(body.len() <= SMALL.decoded_bytes);
            }
        }
    }
}
