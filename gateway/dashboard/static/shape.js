// Whether what the server sent is what this page reads. Anything else is another version's, and nothing of it is shown.

const VERSION = 1;

const text = (value) => typeof value === "string";
const number = (value) => typeof value === "number";
const perhaps = (is) => (value) => value === null || is(value);
const truth = (value) => typeof value === "boolean";
const list = (is) => (value) => Array.isArray(value) && value.every(is);
const object = (fields) => (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.entries(fields).every(([name, is]) => is(value[name]));

const notice = object({ id: text, text, advice: text, priority: text, slot: text });
const value = perhaps(object({ value: perhaps(number), quality: text, reason: text, end_us: number }));
const device = object({ id: text });
const stride = object({ end_us: number });
const whole = perhaps(object({ id: text, since_us: number, height_m: perhaps(number) }));
const session = perhaps(object({ id: text, subject: text, protocol: text, state: text, started_us: number, marks_us: list(number) }));
const worn = object({ id: text, driver: text, placement: perhaps(text), state: perhaps(text), battery: perhaps(number) });
const ended = object({ id: text, protocol: text, started_us: number, ended_us: number, discarded: truth });
const sensor = object({ id: text, driver: text, bed: perhaps(text), subject: perhaps(text), placement: perhaps(text), battery: perhaps(number) });
const bed = object({ id: text, label: text, subject: whole, session, ended: list(ended), worn: list(worn) });
const about = { id: text, label: text, subject: text, session: text, simulated: truth, age_s: perhaps(number), devices: list(device) };

const FRAME = {
  v: (version) => version === VERSION, now_us: number, broker: truth, gateway: text, gateway_state: text,
  gateway_age_s: perhaps(number), simulated: truth, notices: list(notice), doubts: list(text),
};
const PAGES = {
  ward: { slots: list(object({ ...about, values: (values) => object({})(values) && Object.values(values).every(value) })) },
  devices: { devices: list(device) },
  fleet: {
    fleet: object({
      desk: perhaps(truth), trouble: text, invited: list(text),
      roll_out: perhaps(object({ kind: text, version: text, state: text, why: text, open: number, rings: list(text) })),
      gateways: list(object({ gateway: text, ring: text, state: text, well: truth, health: text, version: text, notices: number, age_s: perhaps(number) })),
    }),
  },
  dock: { number: perhaps(number), sensors: list(sensor) },
  beds: { number: perhaps(number), beds: list(bed), free: list(object({ id: text, driver: text })) },
  bed: {
    number: perhaps(number), bed: perhaps(bed), others: list(object({ id: text, label: text, taken: truth })),
    devices: list(object({ id: text, driver: text, bed: perhaps(text), placement: perhaps(text) })),
  },
  test: {
    number: perhaps(number), bed: perhaps(bed), live: object({ steps: number, turns: number, rises: number }), session_of_numbers: text, signals: object({}),
    results: list(object({ metric: text, side: text, value: perhaps(number), quality: text, reason: text, start_us: number, end_us: number, algorithm: text, session: text })),
  },
  feedback: {
    feedback: object({
      id: text, label: text, subject: text, devices: list(device), value,
      chosen: perhaps(object({ kind: text, of: text, side: text, low: number, high: number, shape: text })),
    }),
  },
  patient: {
    slot: object({
      ...about, values: list(value), cycles: list(object({ joint: text, side: text, end_us: number })),
      strides: object({ left: list(stride), right: list(stride) }),
    }),
  },
};

export const isUnderstood = (state, page) => object({ ...FRAME, ...PAGES[page] })(state);
