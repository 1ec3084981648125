// A phone app's side of BlueTrace without the radio, in JavaScript. It needs Node 18 and no package.
//
//   tracetogether conformance vectors vectors
//   node docs/examples/phone.mjs vectors                        # the known answers
//   node docs/examples/phone.mjs vectors https://health.example # and a server
//
// With a server, two phones register and fetch TempIDs. The first prints its user id as JSON and
// waits for an upload PIN on standard input. Then it uploads the log that `live` of upload.json
// describes, and compares the receipt. The exit status is 1 if anything differs.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { gzipSync } from "node:zlib";

const NO_TOKENS = new Set(["", "Missing TempID", "not_found", "<unknown>"]);
const LONGEST_TOKEN = 128;

// --- payloads ---

class Malformed extends Error {}

function load(bytes, mostBytes) {
  if (bytes.length > mostBytes) throw new Malformed("longer than an attribute");
  let said;
  try {
    said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Malformed("no JSON in UTF-8");
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new Malformed("no object");
  }
  return said;
}

function text(said, key, oldKey) {
  const value = said[key] ?? said[oldKey] ?? "";
  if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) throw new Malformed(key);
  return value;
}

function number(said, key, oldKey) {
  const value = said[key] ?? said[oldKey] ?? null;
  if (value !== null && !Number.isFinite(value)) throw new Malformed(key);
  return value;
}

// Return what a phone keeps of a value: {record}, or {rejected} with the reason.
function taken(bytes, phone, way) {
  try {
    const said = load(bytes, phone.max_bytes);
    const central = way === "written";
    const level = central ? number(said, "rs", "rssi") : phone.heard.rssi_dbm;
    if (level === null) throw new Malformed("no level");
    const version = number(said, "v", "v") ?? 2;
    if (version < 0 || version > 255) throw new Malformed("v");
    const record = {
      token: text(said, "id", "msg"),
      model: text(said, central ? "mc" : "mp", central ? "modelC" : "modelP") || null,
      organisation: text(said, "o", "org"),
      version: Math.trunc(version),
      rssi_dbm: level,
      tx_power_dbm: central ? number(said, "txPower", "txPower") : phone.heard.tx_power_dbm,
    };
    if (NO_TOKENS.has(record.token)) return { rejected: "no_msg" };
    if (record.token.length > LONGEST_TOKEN) throw new Malformed("id");
    if (level <= -127 || level >= 0) return { rejected: "invalid_rssi" };
    if (record.token === phone.tempid) return { rejected: "self_tempid" };
    return { record: Object.fromEntries(Object.entries(record).filter(([, v]) => v !== null)) };
  } catch (error) {
    if (error instanceof Malformed) return { rejected: "malformed" };
    throw error;
  }
}

const valueOf = (item) => ("text" in item ? Buffer.from(item.text) : Buffer.from(item.hex, "hex"));

function checkPayloads(phone) {
  const { value_to_be_read: toRead, value_to_write: toWrite } = phone.send;
  const common = { id: phone.tempid, o: phone.organisation, v: 2 };
  assert.deepEqual({ ...common, mp: phone.model }, JSON.parse(toRead.text));
  const heard = Math.round(toWrite.heard_at_rssi_dbm);
  assert.deepEqual({ ...common, mc: phone.model, rs: heard }, JSON.parse(toWrite.text));
  for (const way of ["read", "written"]) {
    for (const item of phone[way]) {
      const { record, rejected } = taken(valueOf(item), phone, way);
      assert.deepEqual([record, rejected], [item.record, item.rejected], `${way}: ${item.about}`);
    }
  }
  return phone.read.length + phone.written.length + 2;
}

// --- the radio ---

function isPhone(packet, service) {
  const wanted = Buffer.from(service.replaceAll("-", ""), "hex").reverse();
  for (let at = 0; at < packet.length; at += 1 + packet[at]) {
    const size = packet[at];
    if (size === 0 || at + 1 + size > packet.length) return false; // padding, or cut short
    const uuids = packet.subarray(at + 2, at + 1 + size);
    if ([0x06, 0x07].includes(packet[at + 1])) {
      for (let place = 0; place + 16 <= uuids.length; place += 16) {
        if (wanted.equals(uuids.subarray(place, place + 16))) return true;
      }
    }
  }
  return false;
}

function partsOf(size, mtu) {
  const parts = [[0, Math.min(mtu - 1, size)]];
  while (parts.at(-1)[1] === mtu - 1) {
    const offset = parts.at(-1)[0] + parts.at(-1)[1];
    parts.push([offset, Math.min(mtu - 1, size - offset)]);
  }
  return parts;
}

function checkExchange(air) {
  for (const { about, packet_hex, is_a_phone } of air.hear) {
    assert.equal(isPhone(Buffer.from(packet_hex, "hex"), air.profile.service), is_a_phone, about);
  }
  const table = new Map(air.steps.map((row) => [`${row.state} ${row.event}`, row]));
  for (const { about, steps } of air.exchanges) {
    let state = "CONNECTING";
    for (const step of steps) {
      const row = table.get(`${state} ${step.event}`);
      assert.deepEqual([row.do, row.next], [step.do, step.state], about);
      state = row.next;
    }
    assert.equal(state, "CLOSED", about);
  }
  const size = Buffer.byteLength(air.reads.value);
  for (const { mtu, parts } of air.reads.requests) assert.deepEqual(partsOf(size, mtu), parts);
  return air.hear.length + air.exchanges.length + air.reads.requests.length;
}

// --- batches, logs, answers ---

const shownAt = (batch, now) =>
  batch.tempIDs.findIndex((item) => item.startTime <= now && now < item.expiryTime);

function isBatch(answer) {
  const whole = (at) => Number.isInteger(at);
  return (
    whole(answer?.refreshTime) &&
    Array.isArray(answer.tempIDs) &&
    answer.tempIDs.every(
      (item) => typeof item.tempID === "string" && whole(item.startTime) && whole(item.expiryTime),
    )
  );
}

function checkBatch({ answer, at, damaged }) {
  assert.ok(isBatch(answer));
  for (const item of at) {
    const number = shownAt(answer, item.now);
    assert.equal(number < 0 ? null : number, item.shows, item.about);
    assert.equal(number < 0 || item.now >= answer.refreshTime, item.fetches, item.about);
  }
  for (const item of damaged) assert.ok(!isBatch(item.answer), item.about);
  return at.length + damaged.length + 1;
}

const digestOf = (body) => createHash("sha256").update(body).digest("hex");

function written(sightings) {
  const records = sightings.map((row, place) => ({
    id: place + 1,
    modelC: row.as_central ? row.observer_model : row.peer_model,
    modelP: row.as_central ? row.peer_model : row.observer_model,
    msg: row.peer,
    org: row.organisation,
    rssi: row.rssi_dbm,
    timestamp: Math.trunc(row.time),
    ...(row.tx_power_dbm === null ? {} : { txPower: row.tx_power_dbm }),
    v: row.version,
  }));
  return Buffer.from(JSON.stringify({ records, events: [] }));
}

function checkUpload({ sightings, body, sha256 }) {
  assert.equal(written(sightings).toString(), body);
  assert.equal(digestOf(Buffer.from(body)), sha256);
  return 2;
}

// Return whether the same request may be sent again, and after how many seconds.
function again(error, headers) {
  return error.retry ? Number(headers.get("Retry-After") ?? 1) : null;
}

function checkAnswers({ refusals }) {
  const headers = new Headers({ "Retry-After": "3" });
  for (const { body, retry, code } of refusals) {
    assert.equal(again(body.error, headers), retry ? 3 : null, code);
  }
  return refusals.length;
}

// --- a server ---

const TRIES = 5;

async function ask(url, body, headers) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(url, { method: "POST", body, headers, redirect: "error" });
    const said = await answer.json();
    if (answer.ok) return said;
    const seconds = again(said.error, answer.headers);
    if (seconds === null || attempt === TRIES) {
      throw new Error(`${new URL(url).pathname} answered ${answer.status} ${said.error.code}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

async function newPhone(server) {
  const phone = await ask(`${server}/v1/users`);
  const bearer = { Authorization: `Bearer ${phone.credential}` };
  const batch = await ask(`${server}/v1/tempids`, undefined, bearer);
  assert.ok(isBatch(batch), "no batch of TempIDs");
  assert.ok(shownAt(batch, Date.now() / 1000) >= 0, "no TempID is valid now");
  return { ...phone, bearer, batch };
}

function liveLog(live, own, other) {
  const records = live.records.map(({ at = ["start", 0], msg, milliseconds, changes = {} }) => {
    const tempid = (msg === "own" ? own : other).batch.tempIDs[0];
    const time = (at[0] === "start" ? tempid.startTime : tempid.expiryTime) + at[1];
    const timestamp = milliseconds ? 1000 * time : time;
    const record = { ...live.record, msg: tempid.tempID, timestamp, ...changes };
    return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
  });
  return Buffer.from(JSON.stringify({ records, events: [] }));
}

async function upload(server, live, pinOf) {
  const own = await newPhone(server);
  const other = await newPhone(server);
  const log = liveLog(live, own, other);
  const asked = {
    pin: await pinOf(own.user_id),
    sha256: digestOf(log), // of the log, not of its gzip
    attempt: randomBytes(16).toString("hex"),
  };
  const json = { "Content-Type": "application/json" };
  const { upload_token: token } = await ask(
    `${server}/v1/upload-tokens`,
    JSON.stringify(asked),
    { ...own.bearer, ...json },
  );
  return ask(`${server}/v1/uploads`, gzipSync(log), {
    ...json,
    Authorization: `Bearer ${token}`,
    "X-Credential": own.credential,
    "Content-Encoding": "gzip",
  });
}

function checkReceipt(receipt, live) {
  const counts = {};
  const usual = {}; // the reason for which a server may say another
  for (const { becomes, or } of live.records) {
    counts[becomes] = (counts[becomes] ?? 0) + 1;
    if (or) usual[or] = becomes;
  }
  const { accepted, ...rejected } = counts;
  const said = {};
  for (const [reason, count] of Object.entries(receipt.rejected)) {
    const name = usual[reason] ?? reason;
    said[name] = (said[name] ?? 0) + count;
  }
  const wanted = { records: live.records.length, accepted, rejected };
  assert.deepEqual({ ...receipt, rejected: said }, wanted);
}

async function main([folder, server]) {
  const vectors = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf-8"));
  const passed =
    checkPayloads(vectors("payloads")) +
    checkExchange(vectors("exchange")) +
    checkBatch(vectors("batch")) +
    checkUpload(vectors("upload")) +
    checkAnswers(vectors("answers"));
  console.log(JSON.stringify({ known_answers: passed }));
  if (!server) return;
  const { live } = vectors("upload");
  const lines = createInterface({ input: process.stdin });
  const pinOf = async (userId) => {
    console.log(JSON.stringify({ user_id: userId }));
    return (await lines[Symbol.asyncIterator]().next()).value;
  };
  const receipt = await upload(server, live, pinOf).finally(() => lines.close());
  checkReceipt(receipt, live);
  console.log(JSON.stringify({ receipt }));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`Error: ${error.message}`);
  process.exitCode = 1;
}
