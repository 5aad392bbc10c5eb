// One spelling for each value, as the program that writes these files spells it: base64, decimals,
// JSON. A signature covers bytes, so a second spelling of the same value is refused.

/** Why something does not hold, and where. */
class Wrong extends Error {
  constructor(place, why) {
    super(why);
    this.place = place;
  }
}

function refuse(place, why) {
  throw new Wrong(place, why);
}

const utf8 = (text) => new TextEncoder().encode(text);

function concat(...pieces) {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function equal(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(bytes) {
  let text = "";
  // An argument list has a bound.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** Canonical standard base64, of exactly `length` bytes if that is given. */
function fromBase64(text, place, length) {
  let bytes = null;
  try {
    bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    // Said below.
  }
  // atob forgives spaces, missing padding and bits behind the last byte.
  if (bytes === null || base64(bytes) !== text) refuse(place, "not canonical base64");
  if (length !== undefined && bytes.length !== length) refuse(place, `${bytes.length} bytes in base64 where ${length} are needed`);
  return bytes;
}

/** A number below 2^64 without leading zeros, as a BigInt. */
function fromDecimal(text, place) {
  const number = /^(?:0|[1-9][0-9]{0,19})$/.test(text) ? BigInt(text) : 1n << 64n;
  if (number >> 64n) refuse(place, "not a canonical decimal number");
  return number;
}

/** The one text of a value (RFC 8785), of those values that are written here: no fractions. */
function canonicalJson(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isInteger(value) || Math.abs(value) > 2 ** 53) refuse("file", "a number is no integer up to 2^53");
    return String(value);
  }
  if (typeof value === "string") {
    if (/\p{Surrogate}/u.test(value)) refuse("file", "a text is not Unicode");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const member = (name) => `${canonicalJson(name)}:${canonicalJson(value[name])}`;
  return `{${Object.keys(value).sort().map(member).join(",")}}`;
}

/** Reads JSON that must be in its one form. */
function parseCanonical(text, place) {
  let value;
  let again = null;
  try {
    value = JSON.parse(text);
    again = canonicalJson(value);
  } catch {
    // Said below.
  }
  if (again !== text) refuse(place, "not JSON in its one form (RFC 8785)");
  return value;
}

/** The text of bytes that must be UTF-8. */
function strictText(bytes, place) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(place, "not UTF-8");
  }
}

/** An object with exactly these members; those that end in ? may be absent. */
function membersOf(value, names, place) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) refuse(place, "not an object");
  const allowed = names.map((name) => name.replace("?", ""));
  for (const name of Object.keys(value)) if (!allowed.includes(name)) refuse(place, `the member ${JSON.stringify(name)} is unknown`);
  for (const name of names) if (!name.endsWith("?") && !Object.hasOwn(value, name)) refuse(place, `the member ${JSON.stringify(name)} is missing`);
  return value;
}

function textOf(value, place) {
  return typeof value === "string" ? value : refuse(place, "not a text");
}

function countOf(value, place) {
  return Number.isInteger(value) && value >= 0 ? value : refuse(place, "not a count");
}

function listOf(value, place) {
  return Array.isArray(value) ? value : refuse(place, "not a list");
}
