import type { Texts } from "../entry";

/** What is wrong with a link, a name or a card: as `crypto/*.py` says it. Texts alone, for the errors' own sake. */
export default {
  "link.address":
    "'{address}' is no server address; it should look like https://meet.example or http://127.0.0.1:8080",
  "link.address_long": "a server address has at most {most} characters",
  "link.none": "this is not a Snug link: it should look like https://meet.example/#1...",
  "link.empty": "the link is cut off behind the '#': please copy all of it",
  "link.version":
    "the link is of version '{version}', and this program knows version {known}: please update it, or ask for a new link",
  "link.missing": "the link is cut off: {bytes} bytes are missing at its end",
  "link.cut": "the link is cut off: please copy all of it",
  "link.stray": "the link has '{stray}' in it, which no Snug link has: please copy it again",
  "link.last": "the link's last character is wrong: please copy it again",
  "link.servers": "the link's list of servers is cut off or changed: please copy all of it",
  "link.no_servers": "the link has an empty list of servers, which nobody writes: it was changed",
  "link.many_servers": "a link names at most {most} further servers, each once",
  "name.size": "a name has 1 to {most} bytes",
  "name.shows": "the name has a character that does not show, or a space at its end",
  "name.around": "the name begins with a mark, or has a colon, parenthesis or quotation mark in it",
  "name.nfc": "the name is not in NFC",
  "card.day": "the host's card is of day {day}, and this is day {today}",
  "card.expired": "the host's card has expired; ask for another",
  "card.lifetime": "the host's card claims to live longer than cards may",
} satisfies Texts;
