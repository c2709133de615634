// Answers to notices: seen, quiet for a while, loud again. What each asks, and what it means before it is given.

import { note, stop } from "./ask.js";
import { send } from "./change.js";
import { at, kindWords, textOf } from "./notices.js";
import { t } from "./texts.js";

const WHY = { name: "why", label: t("notice_answers.why_or_what_was_done"), maxlength: 200, wide: true, hint: t("common.no_names") };
const MINUTES = [15, 30, 60, 120, 240];

// Of several gateways the page has put a notice's gateway before its id.
const idOf = ({ id, gateway }) => (gateway ? id.slice(gateway.length + 1) : id);

// `page` tells what is there now: `standing(notice)`, `paused(pause)`, `whose(bed, gateway)` and `label(bed, gateway)`; `own` is
// the gateway where the page shows one alone.

// What stops an answer to a notice: it is over, or the bed is another patient's.
function stops(notice, page, was) {
  if (!page.standing(notice)) return [stop(t("notice_answers.this_notice_does_not_stand"))];
  if (page.whose(notice.slot, notice.gateway) !== was) return [stop(t("notice_answers.not_who_was_there", { label: page.label(notice.slot, notice.gateway) }))];
  return [];
}

export function acknowledge(notice, page, own) {
  const was = page.whose(notice.slot, notice.gateway);
  return {
    title: t("notice_answers.seen", { notice: textOf(notice) }), action: t("notice_answers.acknowledge"), fields: [WHY],
    means: () => {
      const over = stops(notice, page, was);
      if (over.length) return over;
      const { acknowledged } = page.standing(notice);
      if (acknowledged) return [stop(t("notice_answers.has_acknowledged_it_at", { by: acknowledged.by, at: at(acknowledged.at_us) }))];
      return [note(t("notice_answers.stands_until_what_says_over"))];
    },
    send: (values, key) => send("api/notices/acknowledge", notice.gateway ?? own, { ...values, notice: idOf(notice), since_us: notice.since_us }, key),
    said: () => t("notice_answers.acknowledged", { notice: textOf(notice) }),
  };
}

export function pause(notice, page, own) {
  const label = page.label(notice.slot, notice.gateway);
  const was = page.whose(notice.slot, notice.gateway);
  return {
    title: t("notice_answers.pause_of", { kind: kindWords(notice.code), label }), action: t("common.pause_2"),
    fields: [{ name: "minutes", label: t("notice_answers.for"), value: "30", options: MINUTES.map((value) => ({ value, text: t("notice_answers.minutes", { value }) })) }, WHY],
    means: () => [...stops(notice, page, was), note(t("notice_answers.until_then_such_notices_are", { label }))],
    send: ({ minutes, ...values }, key) =>
      send("api/notices/pause", notice.gateway ?? own, { ...values, bed: notice.slot, code: notice.code, minutes: Number(minutes), was }, key),
    said: ({ minutes }) => t("notice_answers.paused_for_minutes_of", { minutes, kind: kindWords(notice.code), label }),
  };
}

export function resume(paused, page, own) {
  const label = page.label(paused.bed, paused.gateway);
  return {
    title: t("notice_answers.end_the_pause_of", { label }), action: t("notice_answers.end_the_pause"),
    means: () => [page.paused(paused) ? note(t("notice_answers.notices_that_stand_there_are")) : stop(t("notice_answers.this_pause_does_not_stand"))],
    send: (_values, key) => send("api/notices/resume", paused.gateway ?? own, { bed: paused.bed, code: paused.code }, key),
    said: () => t("notice_answers.notices_are_not_paused_any", { label }),
  };
}
