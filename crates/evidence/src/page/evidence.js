// The evidence file: a case, its entries, the log's record of the case, and the key. Everything in it
// is looked at, so that each thing that is wrong is named. In Rust: crates/evidence, evidence_file.rs.

const FILE_MEMBERS = ["access", "case", "checkpoint", "events", "format", "keys", "record", "vkey"];

/** Reads the file as a whole; the entries in it are read one by one later. */
function parseFile(text) {
  let file;
  let again = null;
  try {
    file = JSON.parse(text);
    again = canonicalJson(file).replaceAll("<", "\\u003c");
  } catch {
    // Said below.
  }
  if (again !== text) refuse("file", "the evidence is not written as an evidence file is (canonical JSON): it was altered");
  membersOf(file, FILE_MEMBERS, "file");
  if (file.format !== "indelible-evidence/v1") refuse("file", "this page reads indelible-evidence/v1 only");
  for (const name of ["case", "checkpoint", "vkey"]) textOf(file[name], "file");
  for (const name of ["access", "events", "keys"]) listOf(file[name], "file");
  return file;
}

/** The case's text: exactly the members that version 2 has. */
function parseCase(text) {
  const place = "case";
  const found = membersOf(
    parseCanonical(text, place),
    ["access", "covered", "entries", "query", "redacted", "retention", "size", "title", "v"],
    place,
  );
  if (found.v !== 2) refuse(place, "the case is of an unknown version");
  for (const name of ["query", "title"]) textOf(found[name], place);
  countOf(found.size, place);
  membersOf(found.covered, ["from", "to", "unreadable"], place);
  countOf(found.covered.from, place);
  countOf(found.covered.to, place);
  for (const gap of listOf(found.covered.unreadable, place)) {
    membersOf(gap, ["first", "last", "why"], place);
    countOf(gap.first, place);
    countOf(gap.last, place);
    textOf(gap.why, place);
  }
  for (const word of listOf(found.redacted, place)) textOf(word, place);
  for (const kept of listOf(found.retention, place)) {
    membersOf(kept, ["class", "name", "policy"], place);
    countOf(kept.class, place);
    textOf(kept.name, place);
    if (kept.policy !== null) textOf(kept.policy, place);
  }
  const access = membersOf(found.access, ["complete", "concerning", "from", "listed", "searches"], place);
  if (typeof access.complete !== "boolean") refuse(place, "access.complete is neither true nor false");
  for (const name of ["concerning", "from", "searches"]) countOf(access[name], place);
  for (const listed of listOf(access.listed, place)) {
    membersOf(listed, ["hidden", "index", "matches"], place);
    for (const part of listOf(listed.hidden, place)) countOf(part, place);
    countOf(listed.index, place);
    countOf(listed.matches, place);
  }
  checkEntries(listOf(found.entries, place), found.size, place);
  return found;
}

function checkEntries(entries, size, place) {
  entries.forEach((entry, nth) => {
    membersOf(entry, ["hidden", "index", "summary"], place);
    for (const part of listOf(entry.hidden, place)) countOf(part, place);
    countOf(entry.index, place);
    if (entry.summary === null || typeof entry.summary !== "object" || Array.isArray(entry.summary)) refuse(place, "a summary is no object");
    Object.values(entry.summary).forEach((value) => textOf(value, place));
    if ((nth > 0 && entries[nth - 1].index >= entry.index) || entry.index >= size) {
      refuse(place, "the entries of the case do not ascend within the tree that was searched");
    }
  });
}

/** What the log's record of the case says, if it is one and says the same as the case. */
async function checkRecord(entry, found, file, theCase) {
  const own = entry.leaf.kind === "record" && entry.leaf.source === 0;
  const hidden = entry.parts.slice(2).some((part) => !part.bytes);
  if (!own || hidden) refuse("record", "it is not a record of evidence by the log itself, shown in full");
  const raw = concat(...entry.parts.slice(2).map((part) => part.bytes));
  const record = parseCanonical(strictText(raw, "record"), "record");
  if (record?.record !== "evidence" || typeof record.by !== "string") refuse("record", "it is not a record of evidence");
  if (record.case !== hex(await sha256(utf8(file.case)))) {
    refuse("record", "the log recorded another case than this one: the title, the search line, the list of entries or something else in it was changed");
  }
  if (theCase) {
    const same = record.query === theCase.query && record.hits === theCase.entries.length && record.size === theCase.size;
    if (!same) refuse("record", "the log recorded another case than this one: search line, number of entries or size");
    if (BigInt(theCase.size) > entry.proof.index) refuse("record", "it stands behind the record of the case, which is said to be later");
  }
  return { index: entry.proof.index, by: record.by, at: entry.leaf.receivedAt };
}

/**
 * Checks everything against `vkey`. Nothing is thrown: what is wrong stands in `faults`, each with a
 * subject, and with the thing itself.
 */
async function checkEvidence(text, vkey) {
  const result = { faults: [], case: null, made: null, checkpoint: null, events: [], access: [], chain: null };
  const fault = (subject, why) => {
    const place = why instanceof Wrong ? `${why.place}: ` : "";
    result.faults.push({ subject, why: `${place}${why.message}` });
  };
  const attempt = async (subject, work) => {
    try {
      return await work();
    } catch (why) {
      fault(subject, why);
      return null;
    }
  };
  const file = await attempt("file", () => parseFile(text));
  if (file === null) return result;
  result.file = file;
  await attempt("checkpoint", () => parseVkey(file.vkey, "vkey"));
  result.chain = await attempt("checkpoint", async () => buildChain(await parseVkey(vkey ?? file.vkey, "vkey"), file.keys.map(parseEntry)));
  if (result.chain) result.checkpoint = await attempt("checkpoint", () => openInChain(result.chain, file.checkpoint));
  result.case = await attempt("case", () => parseCase(file.case));

  const examine = async (value, subject, said) => {
    const expected = said?.index;
    const seen = { index: expected ?? null, entry: null, found: null, wrong: null };
    try {
      seen.entry = parseEntry(value);
      seen.index = Number(seen.entry.proof.index);
      if (seen.entry.proof.checkpoint !== file.checkpoint) refuse("checkpoint", "its proof ends in another checkpoint than the one of the file");
      if (expected !== undefined && expected !== seen.index) refuse("case", `the case lists entry ${expected} in its place`);
      // Without a checkpoint there is nothing to say of it that the checkpoint has not said.
      if (result.checkpoint) seen.found = await checkEntry(seen.entry, () => result.checkpoint);
      const hidden = seen.entry.parts.flatMap((part, number) => (part.bytes ? [] : [number]));
      if (said && hidden.join() !== said.hidden.join()) {
        refuse("case", "other parts of it are hidden than the case says: somebody hid more of it, or showed what was hidden");
      }
    } catch (why) {
      seen.wrong = `${why.place ?? "file"}: ${why.message}`;
      fault(subject(seen.index), why);
    }
    return seen;
  };
  const list = async (values, listed, subject) => {
    const seen = [];
    for (const [nth, value] of values.entries()) seen.push(await examine(value, subject, listed?.[nth]));
    if (listed && listed.length !== values.length) {
      fault("case", new Error(`the case lists ${listed.length} of them, the file has ${values.length}: something was removed or added`));
    }
    return seen;
  };
  const record = await examine(file.record, () => "record of the case");
  if (record.found) result.made = await attempt("record of the case", () => checkRecord(record.entry, record.found, file, result.case));
  result.record = record;
  const entryName = (index) => (index === null ? "an entry" : `entry ${index}`);
  result.events = await list(file.events, result.case?.entries, entryName);
  result.access = await list(file.access, result.case?.access.listed, (index) => `record of a search, ${entryName(index)}`);
  if (record.entry && result.access.some((search) => search.index >= Number(record.entry.proof.index))) {
    fault("record of the case", new Error("a search stands behind the record of the case, which is said to be later"));
  }
  return result;
}
