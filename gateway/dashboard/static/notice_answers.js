// Answers to notices: seen, quiet for a while, loud again. What each asks, and what it means before it is given.

import { send } from "./change.js";
import { at } from "./notices.js";

const WHY = { name: "why", label: "Why, or what was done", maxlength: 200, wide: true, hint: "No names." };
const MINUTES = [15, 30, 60, 120, 240];
const note = (text) => ({ text, stops: false });
const stop = (text) => ({ text, stops: true });

// Of several gateways the page has put a notice's gateway before its id.
const idOf = ({ id, gateway }) => (gateway ? id.slice(gateway.length + 1) : id);

// `standing(id)` tells the notice as it is now; `own` names the gateway where the page shows one alone.
export function acknowledge(notice, standing, own) {
  return {
    title: `Seen: ${notice.text}`, action: "Acknowledge", fields: [WHY],
    means: () => {
      const now = standing(notice.id);
      if (!now) return [stop("This notice does not stand any more.")];
      if (now.acknowledged) return [stop(`${now.acknowledged.by} has acknowledged it at ${at(now.acknowledged.at_us)}.`)];
      return [note("It stands until what it says is over, quieter, with your name. Nothing is switched off.")];
    },
    send: (values, key) => send("api/notices/acknowledge", notice.gateway ?? own, { ...values, notice: idOf(notice), since_us: notice.since_us }, key),
    said: () => `Acknowledged: ${notice.text}.`,
  };
}

export function pause(notice, label, own) {
  return {
    title: `Pause “${notice.code.replaceAll("-", " ")}” of ${label}`, action: "Pause",
    fields: [{ name: "minutes", label: "For", value: "30", options: MINUTES.map((value) => ({ value, text: `${value} minutes` })) }, WHY],
    means: () => [note(`Until then such notices of ${label} are quieter for everybody. They are still kept, and those that stand when it is over are as before.`)],
    send: ({ minutes, ...values }, key) =>
      send("api/notices/pause", notice.gateway ?? own, { ...values, bed: notice.slot, code: notice.code, minutes: Number(minutes) }, key),
    said: ({ minutes }) => `Paused for ${minutes} minutes: ${notice.code.replaceAll("-", " ")} of ${label}.`,
  };
}

export function resume(paused, label, own) {
  return {
    title: `End the pause of ${label}`, action: "End the pause",
    means: () => [note("Notices that stand there are as loud as before, for everybody.")],
    send: (_values, key) => send("api/notices/resume", paused.gateway ?? own, { bed: paused.bed, code: paused.code }, key),
    said: () => `Notices of ${label} are not paused any more.`,
  };
}
