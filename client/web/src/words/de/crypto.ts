import type { Words } from "../entry";

export default {
  "link.address":
    "„{address}“ ist keine Adresse eines Servers; sie sollte aussehen wie https://meet.example oder http://127.0.0.1:8080",
  "link.address_long": "die Adresse eines Servers hat höchstens {most} Zeichen",
  "link.none": "das ist kein Snug-Link: Er sollte aussehen wie https://meet.example/#1...",
  "link.empty": "der Link ist hinter dem „#“ abgeschnitten: Bitte kopiere ihn ganz",
  "link.version":
    "der Link ist von Version „{version}“, und dieses Programm kennt Version {known}: Bitte bring es auf den neuesten " +
    "Stand, oder frag nach einem neuen Link",
  "link.missing": "der Link ist abgeschnitten: Am Ende fehlen {bytes} Bytes",
  "link.cut": "der Link ist abgeschnitten: Bitte kopiere ihn ganz",
  "link.stray": "im Link steht „{stray}“, und das gibt es in keinem Snug-Link: Bitte kopiere ihn noch einmal",
  "link.last": "das letzte Zeichen des Links stimmt nicht: Bitte kopiere ihn noch einmal",
  "link.servers": "die Liste der Server im Link ist abgeschnitten oder verändert: Bitte kopiere ihn ganz",
  "link.no_servers": "im Link steht eine leere Liste von Servern, und die schreibt niemand: Er wurde verändert",
  "link.many_servers": "ein Link nennt höchstens {most} weitere Server, jeden einmal",
  "name.size": "ein Name hat 1 bis {most} Bytes",
  "name.shows": "im Namen ist ein Zeichen, das man nicht sieht, oder am Ende ein Leerzeichen",
  "name.around": "der Name beginnt mit einem Akzent, oder es ist ein Doppelpunkt, eine Klammer oder ein Anführungszeichen darin",
  "name.nfc": "der Name ist nicht in NFC",
  "card.day": "die Karte der Leitung ist von Tag {day}, und heute ist Tag {today}",
  "card.expired": "die Karte der Leitung ist abgelaufen; bitte um eine neue",
  "card.lifetime": "die Karte der Leitung will länger gelten, als Karten es dürfen",
} satisfies Words;
