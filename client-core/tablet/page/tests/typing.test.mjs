// What typing does, without a browser: `node --test`. The crate's tests run this where there is a node.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

// As data: Node would take a bare .js file for CommonJS.
const load = async (name) =>
  import(`data:text/javascript;base64,${(await readFile(new URL(`../${name}`, import.meta.url))).toString("base64")}`);
const { blank, grouped, isFull, press, select, slashed, values } = await load("pad-rules.js");

const typed = (keys, from = blank()) => keys.reduce(press, from);

test("a reading is typed without touching anything but digits", () => {
  assert.deepEqual(values(typed([..."1428871"])), { systolic: 142, diastolic: 88, pulse: 71 });
  assert.deepEqual(values(typed([..."9560"])), { systolic: 95, diastolic: 60 });
  assert.deepEqual(values(typed([..."21011298"])), { systolic: 210, diastolic: 112, pulse: 98 });
});

test("systolic is full after three digits from 1 to 3, after two from 4 to 9", () => {
  for (const digits of ["100", "299", "310", "45", "98"]) assert.ok(isFull("systolic", digits), digits);
  for (const digits of ["", "1", "14", "30", "7"]) assert.ok(!isFull("systolic", digits), digits);
});

test("diastolic is full after two digits, after three where the limits leave room", () => {
  for (const digits of ["40", "99", "100", "199", "200", "25", "38"]) assert.ok(isFull("diastolic", digits), digits);
  for (const digits of ["", "1", "11", "2", "20", "3"]) assert.ok(!isFull("diastolic", digits), digits);
});

test("pulse is the last and never moves on; no field takes a fourth digit or begins with 0", () => {
  assert.ok(!isFull("pulse", "120"));
  assert.equal(typed([..."142881209"]).pulse, "120");
  assert.equal(typed(["0"]).systolic, "");
});

test("delete goes back across fields", () => {
  const state = typed([..."14288", "back"]);
  assert.deepEqual([state.at, state.systolic, state.diastolic], [1, "142", "8"]);
  const further = typed(["back", "back"], state);
  assert.deepEqual([further.at, further.systolic, further.diastolic], [0, "14", ""]);
  assert.equal(typed(["back"]).at, 0);
});

test("a field that is chosen again is typed anew", () => {
  const state = select(typed([..."14288"]), 0);
  assert.equal(press(state, "1").systolic, "1");
  assert.equal(press(state, "back").systolic, "14");
  assert.equal(typed(["next", "next", "next"]).at, 2);
});

test("slashes come by themselves and never where somebody types their own", () => {
  const byKey = (text) => [...text].reduce((shown, key) => slashed(shown + key), "");
  assert.equal(byKey("03021968"), "03/02/1968");
  assert.equal(byKey("03/02/1968"), "03/02/1968");
  assert.equal(byKey("3/2/1968"), "3/2/1968");
  assert.equal(byKey("3.2.1968"), "3.2.1968");
  assert.equal(grouped("9990000018"), "999 000 0018");
});

// A key is a tap, a text field typed is a tap, a list is two; from today's list until the reading is saved.
test("few taps are enough", () => {
  const keys = (digits) => {
    const state = typed([...digits]);
    assert.equal(Object.values(values(state)).join(""), digits, "no key but digits is needed");
    return digits.length + 1; // and Done
  };
  const usual = keys("1428871");
  const known = 3 + usual; // Known person, what is searched for, the person
  const fresh = 1 + 5 + 2 + 1 + usual; // New person, five fields, ethnic category, Next
  const unnamed = 1 + usual; // No details
  assert.ok(known <= 12 && fresh <= 25 && unnamed <= 10, `${known} ${fresh} ${unnamed}`);
  assert.ok(1 + keys("18212190") <= 10, "very high, with a pulse");
});
