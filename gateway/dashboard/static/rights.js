// What whoever is signed in may change of the ward, and the sentence where that is nothing.

import { say } from "./dom.js";
import { signedIn } from "./session.js";

export const mayChange = signedIn.then((session) => session.may ?? []);

export async function rights(place) {
  const { user, role, may = [] } = await signedIn;
  const words = !user ? "Nobody is signed in here, so nothing can be changed: each change is kept with a name. Use rehab-gateway ward, or give the dashboard users."
    : may.length ? "" : `As ${role} you see the beds, and change nothing.`;
  say(place, words);
  place.hidden = !words;
}
