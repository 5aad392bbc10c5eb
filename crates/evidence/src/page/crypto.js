// SHA-256 and Ed25519: the browser's own (Web Crypto) where it has them. Pages that are not from a
// secure origin have no Web Crypto, and older browsers know no Ed25519: for those the same in plain
// arithmetic below, from FIPS 180-4 and RFC 8032. It only verifies what is public, so how long it takes
// tells nobody anything.

/** What is computed with; `chooseCrypto` sets it once. */
const primitives = { sha256: sha256Here, ed25519: ed25519Here, name: "arithmetic in this page" };

async function chooseCrypto() {
  const subtle = globalThis.crypto?.subtle;
  try {
    await subtle.digest("SHA-256", new Uint8Array(0));
    primitives.sha256 = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes));
    // The base point is as good a key as any to ask with.
    await subtle.importKey("raw", encodePoint(BASE), "Ed25519", false, ["verify"]);
    primitives.ed25519 = async (key, message, signature) => {
      const imported = await subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
      return subtle.verify("Ed25519", imported, signature, message);
    };
    primitives.name = "Web Crypto";
  } catch {
    // What could not be had stays as it is.
  }
}

const sha256 = (...pieces) => primitives.sha256(concat(...pieces));

/** Whether `signature` over `message` is by the owner of `key`, a point that `isUsablePoint`. */
async function verifyEd25519(key, message, signature) {
  if (signature.length !== 64) return false;
  // One signature has one encoding, and its point is none of the few that anybody can sign with.
  if (littleEndian(signature.subarray(32)) >= ORDER || !isUsablePoint(signature.subarray(0, 32))) return false;
  return primitives.ed25519(key, message, signature);
}

// SHA-2, FIPS 180-4. Constants are the first bits of the fractional parts of roots of primes.

const known = new Map();

function fractions(count, bits, root) {
  const name = `${bits} ${root}`;
  if (!known.has(name)) known.set(name, computeFractions(count, bits, root));
  return known.get(name);
}

function computeFractions(count, bits, root) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return primes.map((prime) => floorRoot(BigInt(prime) << BigInt(root * bits), BigInt(root)) & ((1n << BigInt(bits)) - 1n));
}

/** The greatest number whose `n`th power is not above `value`. */
function floorRoot(value, n) {
  let low = 0n;
  let high = 1n << BigInt(Math.ceil(value.toString(2).length / Number(n)));
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** n <= value) low = middle;
    else high = middle - 1n;
  }
  return low;
}

function sha2({ bits, rounds, big, small }, bytes) {
  const word = bits / 8;
  const block = word * 16;
  const size = BigInt(bits);
  const mask = (1n << size) - 1n;
  const rotate = (x, by) => (x >> BigInt(by)) | ((x << (size - BigInt(by))) & mask);
  const mix = (x, [a, b, c]) => rotate(x, a) ^ rotate(x, b) ^ rotate(x, c);
  const spread = (x, [a, b, c]) => rotate(x, a) ^ rotate(x, b) ^ (x >> BigInt(c));
  const k = fractions(rounds, bits, 3);
  let state = fractions(8, bits, 2);
  const padded = new Uint8Array(Math.ceil((bytes.length + 1 + 2 * word) / block) * block);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  new DataView(padded.buffer).setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  for (let at = 0; at < padded.length; at += block) {
    const w = [];
    for (let i = 0; i < 16; i++) w.push(BigInt(`0x${hex(padded.subarray(at + i * word, at + (i + 1) * word))}`));
    for (let i = 16; i < rounds; i++) w.push((w[i - 16] + spread(w[i - 15], small[0]) + w[i - 7] + spread(w[i - 2], small[1])) & mask);
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < rounds; i++) {
      const one = h + mix(e, big[1]) + ((e & f) ^ (~e & mask & g)) + k[i] + w[i];
      const two = mix(a, big[0]) + ((a & b) ^ (a & c) ^ (b & c));
      [a, b, c, d, e, f, g, h] = [(one + two) & mask, a, b, c, (d + one) & mask, e, f, g];
    }
    state = [a, b, c, d, e, f, g, h].map((value, i) => (value + state[i]) & mask);
  }
  const digest = state.map((value) => value.toString(16).padStart(word * 2, "0")).join("");
  return Uint8Array.from(digest.match(/../g), (pair) => Number.parseInt(pair, 16));
}

const SHA256 = { bits: 32, rounds: 64, big: [[2, 13, 22], [6, 11, 25]], small: [[7, 18, 3], [17, 19, 10]] };
const SHA512 = { bits: 64, rounds: 80, big: [[28, 34, 39], [14, 18, 41]], small: [[1, 8, 7], [19, 61, 6]] };

async function sha256Here(bytes) {
  return sha2(SHA256, bytes);
}

// Ed25519, RFC 8032 §5.1. Points are affine; verifying takes two multiplications.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = modulo(-121665n * power(121666n, P - 2n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
const BASE = decodePoint(littleEndianBytes((4n * power(5n, P - 2n)) % P));

function modulo(x) {
  const rest = x % P;
  return rest < 0n ? rest + P : rest;
}

function power(base, exponent) {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

function littleEndian(bytes) {
  return BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`);
}

function littleEndianBytes(number) {
  const digits = number.toString(16).padStart(64, "0");
  return Uint8Array.from(digits.match(/../g), (pair) => Number.parseInt(pair, 16)).reverse();
}

/** A point in extended coordinates, or null. An encoding of y past the field is read as y - p, as others do. */
function decodePoint(bytes) {
  const whole = littleEndian(bytes);
  const y = modulo(whole & ((1n << 255n) - 1n));
  const [u, v] = [modulo(y * y - 1n), modulo(D * y * y + 1n)];
  let x = modulo(u * v ** 3n * power(modulo(u * v ** 7n), (P - 5n) / 8n));
  if (modulo(v * x * x) === modulo(-u)) x = modulo(x * ROOT_OF_MINUS_ONE);
  if (modulo(v * x * x) !== u) return null;
  if ((x & 1n) !== whole >> 255n) x = modulo(-x);
  return { x, y, z: 1n, t: modulo(x * y) };
}

function encodePoint({ x, y, z }) {
  const inverse = power(z, P - 2n);
  return littleEndianBytes(modulo(y * inverse) | ((modulo(x * inverse) & 1n) << 255n));
}

function addPoints(one, two) {
  const a = modulo((one.y - one.x) * (two.y - two.x));
  const b = modulo((one.y + one.x) * (two.y + two.x));
  const c = modulo(2n * D * one.t * two.t);
  const d = modulo(2n * one.z * two.z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: modulo(e * f), y: modulo(g * h), z: modulo(f * g), t: modulo(e * h) };
}

function multiplyPoint(scalar, point) {
  let sum = { x: 0n, y: 1n, z: 1n, t: 0n };
  for (let double = point, left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) sum = addPoints(sum, double);
    double = addPoints(double, double);
  }
  return sum;
}

/** Whether the bytes are a point, and none of small order, under which anybody could sign. */
function isUsablePoint(bytes) {
  const point = decodePoint(bytes);
  if (point === null) return false;
  const { x, y, z } = multiplyPoint(8n, point);
  return x !== 0n || y !== z;
}

async function ed25519Here(key, message, signature) {
  const point = decodePoint(key);
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  if (point === null || s >= ORDER) return false;
  const challenge = littleEndian(sha2(SHA512, concat(r, key, message))) % ORDER;
  const negated = { x: modulo(-point.x), y: point.y, z: point.z, t: modulo(-point.t) };
  return equal(encodePoint(addPoints(multiplyPoint(s, BASE), multiplyPoint(challenge, negated))), r);
}
