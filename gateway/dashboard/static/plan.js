// What is planned for somebody: the bands that a change is held against, and sessions a week.

import { stop } from "./ask.js";
import { change } from "./change.js";
import { ask } from "./live.js";
import { t } from "./texts.js";

const NONE = "none";
let groups = {};

// The band files that the dashboard has, once they are there; without them nothing can be chosen, and nothing is lost.
export const bandGroups = ask("api/bands").then((found) => { groups = found ?? {}; });

export function planFacts({ bands, sessions_a_week: sessions }) {
  return [
    [t("plan.change_held_against"), bands ? groups[bands]?.population ?? t("plan.no_file_here", { bands }) : t("plan.no_band_chosen")],
    [t("plan.sessions_planned_a_week"), sessions ? String(sessions) : t("plan.no_number")],
  ];
}

export function plan(card) {
  const { id, bands, sessions_a_week: sessions } = card().bed.subject;
  const known = Object.entries(groups).map(([value, { population }]) => ({ value, text: `${value}: ${population}` }));
  const missing = bands && !groups[bands] ? [{ value: bands, text: t("plan.no_file_here", { bands }) }] : [];
  // Only that is sent: what somebody else has planned meanwhile stays.
  const different = ({ bands: group, sessions_a_week: n = 0 }) => ({
    ...(group === (bands || NONE) ? {} : { bands: group }), ...(n === (sessions ?? 0) ? {} : { sessions_a_week: n }),
  });
  return {
    title: t("plan.plan_for", { id }), action: t("plan.plan"),
    fields: [
      { name: "bands", label: t("plan.change_held_against"), wide: true, value: bands || NONE,
        hint: t("plan.published_figures_group_patients_each"),
        options: [{ value: NONE, text: t("plan.no_band_change_shown_not") }, ...known, ...missing] },
      { name: "sessions_a_week", label: t("plan.sessions_planned_a_week"), type: "number", min: 0, max: 50, step: 1, inputmode: "numeric", value: sessions,
        hint: t("plan.n0_no_number_planned") },
    ],
    means: (values) => {
      if (card().bed?.subject?.id !== id) return [stop(t("common.not_this_bed_any_more_2", { id }))];
      return Object.keys(different(values)).length ? [] : [stop(t("changes.nothing_is_different_yet"))];
    },
    send: (values, key) => change("plan", { ...different(values), subject: id }, key),
    said: () => t("plan.plan_for_was_changed", { id }),
  };
}
