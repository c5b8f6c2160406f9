import { plural, type Words } from "../entry";

export default {
  "shell.no_answer": "er antwortet nicht",
  "shell.nobody_there": "dort hört niemand zu",
  "shell.ended": "die Verbindung ist zu Ende",
  "shell.alien": "der Server hat etwas geschickt, das nicht zu diesem Protokoll gehört",
  "shell.network_changed": "das Netz ist ein anderes",
  "shell.cannot_connect": "Der Server {origin} antwortet nicht.",
  "shell.media_no_answer":
    "unter {addresses} antwortet Port {port} weder über UDP noch über TCP: Etwas dazwischen lässt beides nicht durch",
  "shell.media_no_answer_udp":
    "unter {addresses} antwortet Port {port} über UDP nicht: Etwas dazwischen lässt kein UDP durch",
  "shell.media_no_answer_inside":
    "der Server für Ton und Bild hat unter {address}, einer Adresse nur innerhalb dieses Geräts, nicht geantwortet. Firefox erreicht solche Adressen nicht: nimm Chromium, oder setze media_address auf dem Server",
  "shell.media_gone": "der Server für Ton und Bild antwortet nicht mehr",
  "shell.media_refused": "dieser Browser tut nicht, was er muss ({why})",
  "shell.sizes_vary":
    "Viel von deinem Ton wird nicht gesendet: Dieser Browser macht Pakete, die nicht auf eine Größe zu bringen sind, und an Größen wäre zu sehen, wer spricht.",
  "shell.broken":
    "Es ist etwas geschehen, das nicht geschehen darf ({why}). Es wird nichts mehr gesendet und nichts mehr gezeigt: Geh hinaus und komm wieder herein.",
  "alarm.version": "Der Server spricht Version {theirs} des Protokolls, dieses Programm Version {ours}.",
  "alarm.media_lost": "Die Verbindung für Ton und Bild ist weg ({why}). Neuer Versuch ...",
  "alarm.media_unreachable": "Keine Verbindung für Ton und Bild: {why}. Neuer Versuch ...",
  "alarm.media_failed": "Das Senden hat aufgehört: {why}",
  "tree.now": "So steht es jetzt.",
  "tree.added": (a, n) => `${a.names} ${plural(n("names"), "kam", "kamen")} herein.`,
  "tree.removed": (a, n) => `${a.names} ${plural(n("names"), "ging", "gingen")}.`,
  "tree.rejoined": (a, n) => `${a.names} ${plural(n("names"), "ist", "sind")} wieder im Takt.`,
  "tree.healed": "Frische Schlüssel, niemand Neues.",
  "media.sound_blocked": "Dein Browser gibt vor einem Klick keinen Ton: Klick irgendwohin.",
  "media.no_share": "Dein Browser teilt den Bildschirm nicht ({why}).",
  "media.no_pip": "Dein Browser zeigt kein Bild in einem eigenen Fenster.",
  "media.no_recording": "Dein Browser kann nicht aufnehmen.",
} satisfies Words;
