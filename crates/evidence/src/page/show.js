// What a reader sees. Everything that comes from the file becomes text nodes, with characters that would
// act on the reader or hide from him written as escapes. In Rust: crates/evidence, unseen.rs.

const HAZARDS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

function inert(text) {
  return String(text).replace(HAZARDS, (hazard) => `\\u{${hazard.codePointAt(0).toString(16)}}`);
}

/** An element with attributes and children; texts are made inert. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : inert(child));
  }
  return element;
}

const byId = (id) => document.getElementById(id);

function fill(id, ...children) {
  byId(id).replaceChildren(...children.flat().filter((child) => child !== null));
}

function moment(ms) {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString().replace("T", " ").replace(/\.000Z$|Z$/, " UTC");
}

function pairs(list) {
  return make("dl", null, list.filter(Boolean).map(([term, ...said]) => make("div", null, make("dt", null, term), make("dd", null, said))));
}

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function showVerdict(result, given) {
  const holds = result.faults.length === 0;
  document.documentElement.dataset.verdict = holds ? "holds" : "wrong";
  const key = given ? "the key you gave" : "the key in this file";
  if (!holds) {
    const faults = result.faults.map(({ subject, why }) => make("li", { "data-subject": inert(subject) }, make("strong", null, subject), `: ${why}.`));
    const head = make("p", { class: "headline" }, "\u2717 This file does not hold");
    fill("verdict", head, make("p", null, `Checked against ${key}. Do not rely on what is marked here:`), make("ul", null, faults));
    return;
  }
  const count = result.events.length;
  const events = count === 0 ? "There is no entry to show, and that is" : count === 1 ? "The entry is" : `All ${count} entries are`;
  fill(
    "verdict",
    make("p", { class: "headline" }, given ? "\u2713 Everything in this file holds" : "\u2713 This file holds, if the key below is the log\u2019s"),
    make(
      "p",
      null,
      `${events} what the log ${result.checkpoint.origin} recorded as the answer to this search: every shown part, the place in the log, the list itself and the signature were computed anew in this page and agree with ${key}.`,
    ),
  );
}

function showKey(result, given) {
  const pinned = given ?? result.file?.vkey ?? "";
  byId("key-in-use").textContent = inert(pinned);
  byId("key-said").textContent = given
    ? "Checked against the key you gave."
    : "Checked against the key in this file, which is only as trustworthy as the file: whoever forged one could forge the other. Compare it, character by character, with the key you have from the log\u2019s operator by another way, or paste that one.";
  byId("key").dataset.given = given ? "yes" : "no";
}

function showCase({ case: about, made, file }) {
  if (!about) return fill("asked", make("p", null, "The case cannot be read."));
  // In quotes: its maker chose it, and may have chosen what looks like a verdict.
  document.title = `\u201c${inert(about.title)}\u201d`;
  byId("title").textContent = document.title;
  const { covered } = about;
  const gaps = covered.unreadable.map((gap) => make("li", null, `entries ${gap.first} to ${gap.last} could not be read: ${gap.why}`));
  const whole = covered.from === 0 && covered.to === about.size;
  const range = covered.to > covered.from ? `entries ${covered.from} to ${covered.to - 1}` : "no entries";
  fill(
    "asked",
    pairs([
      ["Search line", make("code", null, about.query === "" ? "(every event)" : about.query)],
      ["Answer", plural(about.entries.length, "entry", "entries")],
      ["Covers", `${range}${whole ? ", the whole log as it was then" : ""} (size ${about.size})`],
      ["Complete", gaps.length === 0 ? "yes: every entry in the range was looked at or ruled out" : make("ul", { class: "bad" }, gaps)],
      about.redacted.length > 0 ? ["Hidden on purpose", about.redacted.join(", ")] : ["Hidden on purpose", "nothing"],
      made
        ? ["Made", `${moment(made.at)} by ${made.by === "local" ? "somebody at the log\u2019s own machine" : `key ${made.by}`}; the log holds a record of this case as entry ${made.index}`]
        : ["Made", make("span", { class: "bad" }, "unknown: the log\u2019s record of this case does not hold")],
    ]),
  );
  const count = plural(file.events.length, "entry", "entries");
  byId("subtitle").textContent = inert(made ? `${count} \u00b7 ${moment(made.at)}` : count);
}

const FIELDS = [["time", "Time"], ["actor", "Actor"], ["action", "Action"], ["outcome", "Outcome"], ["ip", "Address"], ["target", "Target"]];

function showParts(entry) {
  const decoder = new TextDecoder("utf-8");
  const line = (part, number) =>
    make(
      "li",
      { value: String(number), class: part.bytes ? "shown" : "hidden" },
      part.bytes ? make("code", null, decoder.decode(part.bytes)) : make("span", { title: `digest ${hex(part.digest)}` }, "hidden; only its digest is in this file"),
    );
  const all = entry.parts.map(line);
  return [
    make("h4", null, entry.leaf.kind === "act" ? "What it does, and who and why" : "As the source sent it"),
    make("ol", { class: "parts" }, all.slice(2)),
    make("h4", null, "What the log noted"),
    make("ol", { class: "parts" }, all.slice(0, 2)),
  ];
}

function showChecks({ entry, found }) {
  const hidden = entry.parts.filter((part) => !part.bytes).length;
  const said = [
    `Its leaf commits to ${hidden === 0 ? `all ${entry.parts.length} parts` : `${entry.parts.length} parts, ${hidden} of them hidden`}.`,
    `The leaf is entry ${entry.proof.index} of the tree that the checkpoint is of: ${plural(entry.proof.hashes.length, "hash leads", "hashes lead")} to its root.`,
    found.cuts === "recomputed" ? "The raw bytes are complete and cut where the format says." : null,
    found.cuts === "unknown" ? "Hidden parts may repeat a name that is shown, with another value." : null,
    `The log received it at ${moment(entry.leaf.receivedAt)}.`,
  ];
  return make("ul", { class: "checks" }, said.filter(Boolean).map((sentence) => make("li", null, sentence)));
}

function showEntry(seen, about) {
  const { index, entry, found, wrong } = seen;
  const known = about?.entries.find((listed) => listed.index === index)?.summary ?? {};
  const state = wrong ? "wrong" : found ? "holds" : "unchecked";
  const mark = { wrong: "\u2717", holds: "\u2713", unchecked: "?" }[state];
  const source = found?.facts?.source;
  const cells = FIELDS.filter(([name]) => Object.hasOwn(known, name)).map(([name, title]) => make("span", { class: name }, make("b", null, `${title} `), known[name]));
  const summary = make(
    "summary",
    null,
    make("span", { class: "mark", role: "img", "aria-label": state }, mark),
    make("span", { class: "index" }, `entry ${index ?? "?"}`),
    make("span", { class: "cells" }, cells, source ? make("span", null, make("b", null, "Source "), source) : null),
  );
  const body = make("div", { class: "body" });
  if (wrong) body.append(make("p", { class: "bad" }, `This entry does not hold. ${wrong}.`));
  if (entry) body.append(...showParts(entry));
  if (found) body.append(make("h4", null, "What holds"), showChecks(seen));
  return make("details", { "data-state": state, "data-index": String(index), ...(wrong ? { open: "" } : {}) }, summary, body);
}

function showEntries({ events, case: about }) {
  const derived = about?.entries.some((entry) => Object.keys(entry.summary).length > 0);
  fill(
    "entries",
    events.map((seen) => showEntry(seen, about)),
    derived ? make("p", { class: "note" }, "The words beside an entry are what the log\u2019s map made of it when this file was made: a reading aid, recorded with the case but not proved. What stands inside is the record itself.") : null,
  );
}

function showKeeping({ case: about, access }) {
  if (!about) return;
  const kept = about.retention.map((kept) => make("li", null, `Class ${kept.class} \u201c${kept.name}\u201d: ${kept.policy ?? "no policy: nothing ends the keeping of these entries"}.`));
  fill("retention", make("ul", null, kept));
  const rows = access.map((seen, nth) => {
    let record = null;
    const hidden = seen.entry?.parts.some((part) => !part.bytes);
    const unknown = hidden ? "hidden" : "?";
    try {
      record = JSON.parse(new TextDecoder().decode(concat(...seen.entry.parts.slice(2).map((part) => part.bytes ?? new Uint8Array(0)))));
    } catch {
      // A record that is hidden or altered has nothing to show.
    }
    const cells = [seen.entry ? moment(seen.entry.leaf.receivedAt) : "?", record?.by ?? (record?.name ? `forward ${record.name}` : unknown), record?.record ?? "?", record?.query ?? unknown, about.access.listed[nth]?.matches ?? "?", seen.index ?? "?"];
    return make("tr", { "data-state": seen.wrong ? "wrong" : "holds" }, cells.map((cell) => make("td", null, String(cell))));
  });
  const head = ["When", "Who", "What", "Search line", "Entries it matches", "Record"].map((title) => make("th", { scope: "col" }, title));
  const { from, searches, concerning, listed, complete } = about.access;
  const left = concerning - listed.length;
  fill(
    "access",
    make("p", null, `From entry ${from} on, the log held ${plural(searches, "record", "records")} of what somebody was shown (searches, exports, forwards, followers, evidence); the lines of ${concerning} match an entry shown here.${left > 0 ? ` The newest ${listed.length} are listed.` : ""}${complete ? "" : " Not all of these records could be read."}`),
    rows.length > 0 ? make("div", { class: "wide" }, make("table", null, make("thead", null, make("tr", null, head)), make("tbody", null, rows))) : null,
    make("p", { class: "note" }, "Known is who searched with which line, not which page of the answer he looked at. Not known: who follows the log at this moment, read an entry by its number, read backups or the disk, or saw this file."),
  );
}

function showProof({ file, checkpoint, chain }) {
  if (!file) return;
  const others = checkpoint?.others ?? [];
  const witnessed =
    others.length === 0
      ? "Not witnessed: nobody but the log itself signed this checkpoint. Whoever has the log\u2019s key and its disk could have made another history for you than for others."
      : `Lines by ${others.map((line) => line.name).join(", ")} stand beside the log\u2019s signature. This page has no keys of theirs and did not check them.`;
  const rotations = chain?.rotations ?? [];
  fill(
    "proof",
    make("p", { id: "witnessed" }, witnessed),
    make("pre", null, file.checkpoint),
    make("p", null, rotations.length === 0 ? "The log\u2019s key was never changed, as far as this file says." : `The log changed its key at ${rotations.map((rotation) => `entry ${rotation.index}`).join(", ")}; old and new key signed each change, and that was checked.`),
    make("p", { class: "note" }, `Computed with ${primitives.name}.`),
  );
}

/** The newest check wins: a slower one before it shows nothing. */
let turn = 0;

async function check(given) {
  const mine = ++turn;
  const result = await checkEvidence(byId("evidence").textContent, given);
  if (mine !== turn) return;
  showVerdict(result, given);
  showKey(result, given);
  if (!result.file) return;
  showCase(result);
  showEntries(result);
  showKeeping(result);
  showProof(result);
}

function failed(why) {
  document.documentElement.dataset.verdict = "wrong";
  fill("verdict", make("p", { class: "headline" }, "\u2717 This file could not be checked"), make("p", null, `${why}. Use indelible-verify.`));
}

async function main() {
  const asked = () => {
    const text = byId("vkey").value.trim();
    check(text === "" ? null : text).catch(failed);
  };
  byId("vkey").addEventListener("input", asked);
  byId("vkey-file").addEventListener("change", async (event) => {
    byId("vkey").value = ((await event.target.files[0]?.text()) ?? "").slice(0, 1000).trim();
    asked();
  });
  byId("open-all").addEventListener("click", () => {
    const all = [...document.querySelectorAll("#entries details")];
    const open = !all.every((details) => details.open);
    for (const details of all) details.open = open;
  });
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("#entries details")) details.open = true;
  });
  await chooseCrypto();
  await check(null);
}

main().catch(failed);
