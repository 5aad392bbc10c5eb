// One entry: its leaf, the parts behind it, and the proof that it is in the tree. In Rust:
// crates/evidence, event_file.rs, payload.rs, cut.rs, rotation.rs.

const KINDS = ["event", "act", "record"];

function parseLeaf(bytes) {
  if (bytes[0] !== 1 || bytes[1] > 2) refuse("leaf", "the leaf is of an unknown version or kind");
  const view = new DataView(bytes.buffer);
  return {
    bytes,
    kind: KINDS[bytes[1]],
    source: view.getUint32(2),
    class: view.getUint16(6),
    receivedAt: view.getBigUint64(8),
    commitment: bytes.subarray(16),
  };
}

function parsePart(value, number) {
  const place = `part ${number}`;
  if (value !== null && typeof value === "object" && Object.hasOwn(value, "digest")) {
    membersOf(value, ["digest"], place);
    return { digest: fromBase64(textOf(value.digest, place), place, 32) };
  }
  membersOf(value, ["salt", "bytes"], place);
  return { salt: fromBase64(textOf(value.salt, place), place, 16), bytes: fromBase64(textOf(value.bytes, place), place) };
}

/** An event file, `indelible-event/v1`, as it stands in an evidence file. */
function parseEntry(value) {
  membersOf(value, ["format", "leaf", "parts", "proof", "keys?"], "file");
  if (value.format !== "indelible-event/v1") refuse("file", "not an event file of version 1");
  const leaf = parseLeaf(fromBase64(textOf(value.leaf, "leaf"), "leaf", 48));
  const parts = listOf(value.parts, "parts").map(parsePart);
  if (parts.length < 3 || parts.length > 255) refuse("parts", "a payload has 3 to 255 parts");
  if (Object.hasOwn(value, "keys") && listOf(value.keys, "keys").length === 0) refuse("keys", "the list is empty");
  const keys = (value.keys ?? []).map(parseEntry);
  return { leaf, parts, keys, proof: parseProof(value.proof, "proof") };
}

/** Where raw is cut: after commas of depth 1, and of depth 2 in pieces longer than 512 bytes. */
function cutLengths(raw) {
  const isSpace = (byte) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  const whole = [raw.length];
  if (raw[raw.findIndex((byte) => !isSpace(byte))] !== 0x7b) return whole;
  let [ends, trial, pieceStart, depth, inString, escaped, closed] = [[], [], 0, 0, false, false, -1];
  const endPiece = (end) => {
    if (end - pieceStart > 512) for (const inner of trial) ends.push(inner);
    ends.push(end);
    trial = [];
    pieceStart = end;
  };
  for (let at = 0; at < raw.length && closed < 0; at++) {
    const byte = raw[at];
    if (escaped) escaped = false;
    else if (inString) {
      if (byte === 0x5c) escaped = true;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) {
      depth = Math.max(0, depth - 1);
      if (depth === 0) closed = at + 1;
    } else if (byte === 0x2c && depth === 1) endPiece(at + 1);
    else if (byte === 0x2c && depth === 2) trial.push(at + 1);
  }
  if (closed < 0 || !raw.subarray(closed).every(isSpace)) return whole;
  endPiece(raw.length);
  if (ends.length > 253) ends = [...ends.slice(0, 252), raw.length];
  return ends.map((end, nth) => end - (nth > 0 ? ends[nth - 1] : 0));
}

async function checkCommitment({ leaf, parts }) {
  const digests = await Promise.all(parts.map((part) => part.digest ?? sha256(Uint8Array.of(0x50), part.salt, part.bytes)));
  const commitment = await sha256(Uint8Array.of(0x43, parts.length >> 8, parts.length & 255), ...digests);
  if (!equal(commitment, leaf.commitment)) {
    refuse("parts", "the parts are not those the leaf commits to: something in them was changed, dropped, added or swapped");
  }
}

/** The first words of an act: which log, and the act before it. */
function checkAct(part, origin, index) {
  const act = parseCanonical(strictText(part.bytes, "part 2"), "part 2");
  const known = act?.v === 1 && typeof act.act === "string" && typeof act.origin === "string";
  const prev = act?.prev;
  if (!known || !(prev === null || (Number.isInteger(prev) && prev >= 0))) refuse("part 2", "it does not begin as an act does");
  if (act.origin !== origin) refuse("part 2", `the act is for ${act.origin}, the checkpoint is of ${origin}`);
  if (prev !== null && BigInt(prev) >= index) refuse("part 2", "the act names a later one as the one before it");
  return act;
}

/** The payload against its leaf; what was found besides that it holds. */
async function checkPayload(entry, origin) {
  const { leaf, parts } = entry;
  const isAct = leaf.kind === "act";
  if (isAct && parts.length !== 4 && parts.length !== 5) refuse("parts", "an act has 4 or 5 parts");
  if (isAct && (leaf.source !== 0 || leaf.class !== 0)) refuse("leaf", "an act has neither source nor class");
  await checkCommitment(entry);
  let facts = null;
  if (parts[0].bytes) {
    facts = parseCanonical(strictText(parts[0].bytes, "part 0"), "part 0");
    if (facts?.v !== 1 || facts.cut !== 1) refuse("part 0", "it is no envelope of version 1 and cut 1");
  }
  if (isAct) return { facts, act: parts[2].bytes ? checkAct(parts[2], origin, entry.proof.index) : null, cuts: "act" };
  const raw = parts.slice(2).every((part) => part.bytes) ? concat(...parts.slice(2).map((part) => part.bytes)) : null;
  if (raw === null || facts === null) return { facts, raw, cuts: "unknown" };
  const lengths = cutLengths(raw);
  if (lengths.length !== parts.length - 2 || !lengths.every((length, nth) => length === parts[nth + 2].bytes.length)) {
    refuse("parts", "the raw bytes are not cut where the rule of cut 1 cuts them");
  }
  return { facts, raw, cuts: "recomputed" };
}

/** Everything about one entry, from its bytes to the signature; `open` opens checkpoints. */
async function checkEntry(entry, open) {
  const { leaf, proof } = entry;
  if (proof.extra !== null && !equal(proof.extra, leaf.bytes)) refuse("proof", "the proof carries extra data that is not the leaf");
  const { origin, size, root } = await open(proof.checkpoint);
  await checkInclusion({ index: proof.index, size, root, leaf: leaf.bytes, hashes: proof.hashes }, "proof");
  return checkPayload(entry, origin);
}

/** Which key had to sign a tree of that size. */
function keyInCharge({ pinned, rotations }, size) {
  const next = rotations.find((rotation) => size <= rotation.index + 1n);
  if (next) return next.old;
  return rotations.length > 0 ? rotations[rotations.length - 1].new : pinned;
}

/** Opens a checkpoint that the key in charge of its size signed. */
async function openInChain(chain, note) {
  const keys = chain.rotations.length > 0 ? [chain.rotations[0].old, ...chain.rotations.map((rotation) => rotation.new)] : [chain.pinned];
  // All known keys first: a false signature of any of them is refused.
  const { size } = await openCheckpoint(note, keys, "checkpoint");
  return openCheckpoint(note, [keyInCharge(chain, size)], "checkpoint");
}

/** A rotation of the key, verified by its own checkpoint and by both signatures. */
async function openRotation(entry, origin) {
  const { index } = entry.proof;
  const place = "keys";
  const part = entry.parts[2].bytes;
  if (entry.leaf.kind !== "act" || !part) refuse(place, `entry ${index} is not a rotation whose part 2 is shown`);
  const act = parseCanonical(strictText(part, place), place);
  membersOf(act, ["v", "act", "origin", "prev", "old", "new", "sig_old", "sig_new"], place);
  if (act.act !== "rotate") refuse(place, `entry ${index} is not a rotation`);
  const [old, next] = [await parseVkey(textOf(act.old, place), place), await parseVkey(textOf(act.new, place), place)];
  if (old.name !== origin || next.name !== origin) refuse(place, `the rotation ${index} is of another log's keys`);
  const text = utf8(`indelible-rotate/v1\n${origin}\n${act.old}\n${act.new}\n${index}\n`);
  for (const [key, signature] of [[old, act.sig_old], [next, act.sig_new]]) {
    const bytes = fromBase64(textOf(signature, place), place, 64);
    if (!(await verifyEd25519(key.public, text, bytes))) refuse(place, `a signature of the rotation ${index} does not verify`);
  }
  const rotation = { index, old, new: next };
  const alone = { pinned: old, rotations: [rotation] };
  await checkEntry(entry, (note) => openInChain(alone, note));
  const { size } = await openInChain(alone, entry.proof.checkpoint);
  if (size !== index + 1n) refuse(place, `the rotation ${index} does not rest on the old key's last checkpoint`);
  return rotation;
}

/** The keys that the pinned one vouches for, by the rotations in `entries`. */
async function buildChain(pinned, entries) {
  const rotations = new Map();
  const withItsKeys = (entry) => [entry, ...entry.keys.flatMap(withItsKeys)];
  for (const entry of entries.flatMap(withItsKeys)) {
    const rotation = await openRotation(entry, pinned.name);
    const known = rotations.get(rotation.index);
    if (known && (known.old.text !== rotation.old.text || known.new.text !== rotation.new.text)) refuse("keys", "there are two histories of the keys");
    rotations.set(rotation.index, rotation);
  }
  const sorted = [...rotations.values()].sort((a, b) => (a.index < b.index ? -1 : 1));
  sorted.forEach((rotation, nth) => {
    if (nth > 0 && sorted[nth - 1].new.text !== rotation.old.text) refuse("keys", "the rotations do not follow each other: one is missing");
    if (sorted.slice(0, nth + 1).some((earlier) => earlier.old.text === rotation.new.text)) refuse("keys", "a key came back in a later rotation");
  });
  if (sorted.length > 0 && !sorted.some((rotation) => [rotation.old.text, rotation.new.text].includes(pinned.text))) {
    refuse("keys", "the rotations neither begin with this key nor lead to it");
  }
  return { pinned, rotations: sorted };
}
