import type { Words } from "../entry";

export default {
  "note.came": "{name} ist hereingekommen.",
  "note.came_by": "{name} ist hereingekommen, eingelassen von {by}.",
  "note.came_by_open": "{name} ist hereingekommen, eingelassen von {by}, mit der offenen Einladung.",
  "note.came_by_label": "{name} ist hereingekommen, eingelassen von {by}, mit der Einladung für {label}.",
  "note.back": "{name} ist wieder da.",
  "note.left": "{name} ist gegangen.",
  "note.removed": "{by} hat {name} entfernt. {name} sieht und hört von jetzt an nichts mehr.",
  "note.records": "{name} nimmt auf.",
  "note.records_no_more": "{name} nimmt nicht mehr auf.",
  "note.shows": "{name} zeigt einen Bildschirm.",
  "note.copied": "Kopiert.",
  "note.not_copied": "Der Browser ließ es nicht kopieren. Markiere es und kopiere es von Hand.",
  "note.saved": "Es liegt bei deinen Downloads. Niemand sonst hat es.",
  "note.vouched": "{name} zeigt dir, wer das ist. Die Ziffern: {digits}",
  "note.other_server": "Dieser Link führt zu einem anderen Server. Eine Seite trifft sich nur bei dem Server, von dem sie kommt: Öffne {origin} selbst, oder starte `snug page`.",
  "note.in_meeting": "Du bist hier in einem Treffen. Verlass es zuerst und öffne den Link dann.",
  "note.no_server": "Hier gibt es keinen Server für einen neuen Raum. Starte `snug page` mit --server, oder folge einem Link.",
  "note.picture_too_large": "Das Bild hat mehr als 128 KiB: Es geht als Datei hinaus.",
  "note.unreadable": "{name} lässt sich nicht lesen.",
} satisfies Words;
