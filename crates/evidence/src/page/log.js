// The log's side of a proof: keys, signed notes, checkpoints, inclusion. C2SP signed-note,
// tlog-checkpoint, tlog-proof; RFC 6962 and RFC 9162 §2.1.3.2. In Rust: crates/tlog.

function isKeyName(name) {
  return name !== "" && !/[\p{White_Space}+\u0000-\u001f]/u.test(name);
}

/** A verifier key, `name+id+base64(1 ‖ public key)`. */
async function parseVkey(text, place) {
  const [, name, id, key] = /^([^+]*)\+([0-9a-f]{8})\+([\s\S]*)$/.exec(text) ?? refuse(place, "not a verifier key: NAME+ID+KEY is needed");
  if (!isKeyName(name)) refuse(place, "not a verifier key: its name is none");
  const typed = fromBase64(key, place, 33);
  if (typed[0] !== 1) refuse(place, "not a log's verifier key: it is of another kind");
  const own = await sha256(utf8(`${name}\n`), typed);
  if (hex(own.subarray(0, 4)) !== id) refuse(place, "the verifier key's id does not belong to its name and key: copy it again");
  const bytes = typed.subarray(1);
  if (!isUsablePoint(bytes)) refuse(place, "not a usable Ed25519 key");
  return { text, name, id, public: bytes };
}

/** Takes a note apart; nothing in it is believed yet. */
function parseNote(note, place) {
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) refuse(place, "the note contains a control character");
  const end = note.lastIndexOf("\n\n");
  const lines = end < 0 ? "" : note.slice(end + 2);
  if (!lines.endsWith("\n")) refuse(place, "the note has no signature lines");
  const signatures = lines.slice(0, -1).split("\n").map((line) => {
    const [, name, payload] = /^\u2014 ([^ ]*) (.*)$/.exec(line) ?? refuse(place, "a signature line is malformed");
    const bytes = fromBase64(payload, place);
    if (!isKeyName(name) || bytes.length < 5) refuse(place, "a signature line is malformed");
    return { name, id: hex(bytes.subarray(0, 4)), signature: bytes.subarray(4) };
  });
  if (signatures.length > 64) refuse(place, "the note has more than 64 signature lines");
  return { text: note.slice(0, end + 1), signatures };
}

const EMPTY_ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

function parseCheckpoint(text, place) {
  const lines = text.split("\n");
  if (lines.length !== 4 || lines[3] !== "" || lines[0] === "") refuse(place, "not a checkpoint: origin, size and root are needed");
  const size = fromDecimal(lines[1], place);
  if (size === 0n && lines[2] !== EMPTY_ROOT) refuse(place, "the root is not that of an empty tree");
  return { origin: lines[0], size, root: fromBase64(lines[2], place, 32) };
}

/** Opens a checkpoint: at least one good signature by `keys`, no false one by any of them. */
async function openCheckpoint(note, keys, place) {
  const { text, signatures } = parseNote(note, place);
  const signers = [];
  for (const line of signatures) {
    const key = keys.find((known) => known.name === line.name && known.id === line.id);
    if (key === undefined) continue;
    if (signers.includes(key)) refuse(place, `${key.name} signed twice with the same key`);
    if (!(await verifyEd25519(key.public, utf8(text), line.signature))) {
      refuse(place, `the signature of ${key.name} does not verify: the text or the signature was altered`);
    }
    signers.push(key);
  }
  if (signers.length === 0) refuse(place, "no signature by this key: it is signed with another one");
  const checkpoint = parseCheckpoint(text, place);
  const key = signers.find((signer) => signer.name === checkpoint.origin);
  if (key === undefined) refuse(place, `the checkpoint is of ${checkpoint.origin}, the key that signed it of another log`);
  return { ...checkpoint, key, others: signatures.filter((line) => !signers.some((signer) => signer.name === line.name && signer.id === line.id)) };
}

/** A .tlog-proof file. */
function parseProof(text, place) {
  const lines = textOf(text, place).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") refuse(place, "not a tlog-proof");
  let extra = null;
  if (lines[0]?.startsWith("extra ")) extra = fromBase64(lines.shift().slice(6), place);
  if (extra?.length === 0) refuse(place, "the extra line of the proof is empty");
  const line = lines.shift() ?? "";
  if (!line.startsWith("index ")) refuse(place, "the proof has no index line");
  const index = fromDecimal(line.slice(6), place);
  const hashes = [];
  while (lines.length > 0 && lines[0] !== "") hashes.push(fromBase64(lines.shift(), place, 32));
  if (lines.shift() !== "") refuse(place, "the proof has no checkpoint");
  if (hashes.length > 63) refuse(place, "the proof has more than 63 hashes, which no tree needs");
  const checkpoint = lines.join("\n");
  parseCheckpoint(parseNote(checkpoint, place).text, place);
  return { extra, index, hashes, checkpoint };
}

/** Whether the tree of that size and root has the leaf at the index. RFC 9162 §2.1.3.2. */
async function checkInclusion({ index, size, root, leaf, hashes }, place) {
  if (index >= size) refuse(place, `leaf ${index} cannot be in a tree of ${size} leaves`);
  let [node, last] = [index, size - 1n];
  let hash = await sha256(Uint8Array.of(0), leaf);
  for (const sibling of hashes) {
    if (last === 0n) refuse(place, "the proof is longer than the way to the root");
    if (node & 1n || node === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      for (; !(node & 1n) && node > 0n; last >>= 1n) node >>= 1n;
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) refuse(place, "the proof is shorter than the way to the root");
  if (!equal(hash, root)) refuse(place, "the proof does not lead to the root of the tree: the entry or the proof was altered");
}
