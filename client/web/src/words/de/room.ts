import { plural, type Words } from "../entry";

export default {
  "room.a_file": "(eine Datei)",
  "room.a_host": "Jemand von der Leitung",
  "room.a_picture": "(ein Bild)",
  "room.back_by_own_key":
    "{name} ist wieder da und leitet, mit dem eigenen Schlüssel der Leitung. Hereingelassen hat das Programm von {who}.",
  "room.back_by_shared_key":
    "{name} ist wieder da und leitet, mit dem Schlüssel, den alle in der Leitung haben. Hereingelassen hat das Programm von {who}.",
  "room.ended_by": "{name} hat das Treffen beendet.",
  "room.ended_unheard":
    "Du hast das Treffen beendet und verlassen. Der Server hat das nicht rechtzeitig weitergegeben: Vielleicht sind andere noch darin.",
  "room.hand_to_oneself": "du kannst nicht an dich selbst übergeben",
  "room.handing_already": "du übergibst schon an {name}",
  "room.handover_gone": "{name} ging, bevor das Treffen übergeben war; du leitest es wie vorher.",
  "room.handover_unshown": "{name} hat nicht gezeigt, es leiten zu können; du leitest es wie vorher.",
  "room.host_only": "das kann nur die Leitung",
  "room.hosts_max": "in einem Raum können höchstens {most} Personen leiten",
  "room.is_no_host": "{name} gehört nicht zur Leitung",
  "room.laid_down": "{who} hat die Leitung abgegeben.",
  "room.locked_already": "der Raum ist schon abgeschlossen",
  "room.made_host": "{who} hat {whom} in die Leitung geholt.",
  "room.member_or_server": "jemandem im Treffen oder vom Server",
  "room.mode_changed_all": "{who} hat geändert, wer hereinkommt: alle, deren Einladung gilt.",
  "room.mode_changed_ask": "{who} hat geändert, wer hereinkommt: Die Leitung wird bei allen gefragt.",
  "room.mode_locked": "{who} hat den Raum abgeschlossen: niemand Neues.",
  "room.mode_unlocked_all": "{who} hat den Raum aufgeschlossen: Herein kommen alle, deren Einladung gilt.",
  "room.mode_unlocked_ask": "{who} hat den Raum aufgeschlossen: Die Leitung wird bei allen gefragt.",
  "room.name_another": "dann würde niemand mehr leiten: Hol zuerst jemanden in die Leitung",
  "room.no_picture": "ein Bild ist eine Datei der Art PNG, JPEG, WebP oder GIF",
  "room.nobody_else_there": "an Platz {leaf} ist sonst niemand",
  "room.nobody_there": "an Platz {leaf} ist niemand",
  "room.not_locked": "der Raum ist nicht abgeschlossen",
  "room.out_of_step": "Wir sind mit den anderen aus dem Takt geraten.",
  "room.picture_size": "ein Bild hat höchstens {most:n} Bytes, und dieses hat {size:n}",
  "room.picture_soon": "ein Bild alle {seconds} Sekunden: Versuch es gleich noch einmal",
  "room.removed_by": "{by} hat dich entfernt.",
  "room.ruled": "{rule}: {why}",
  "room.servers": "{who} hat die Server geändert, auf die das Treffen umziehen darf.",
  "room.somebody": "jemand",
  "room.somebody_else": "jemanden, der nicht im Raum ist,",
  "room.text_size": "eine Nachricht hat 1 bis {most} Zeichen",
  "room.titled": "{who} hat das Treffen „{title}“ genannt.",
  "room.took_powers": "{who} hat {whom} aus der Leitung genommen.",
  "room.void_no_commit": "eine Nachricht, die keine Änderung ist, stand an der Stelle einer Änderung",
  "room.void_of_no_member": "eine Änderung, die von niemandem im Treffen ist: {why}",
  "room.void_unreadable": "eine Änderung, die niemand lesen kann: von jemandem im Treffen oder vom Server",
  "room.you_ended": "Du hast das Treffen beendet.",
  "room.you_left": "Du bist gegangen.",

  "alarm.false_end": "{name} wollte das Treffen beenden: {why}",
  "alarm.maybe_lost":
    "Der Server war weg, gleich nachdem du „{text}“ gesagt hast. Vielleicht haben es nicht alle bekommen; sag es noch einmal, wenn es wichtig ist.",
  "alarm.missed": (a, n) =>
    `${a.count} ${plural(n("count"), "Nachricht", "Nachrichten")} von anderen ${plural(n("count"), "ist", "sind")} ` +
    "vorbeigegangen und hier nicht mehr zu lesen; manches davon kann aus dem Chat sein. Frag, was dir fehlt.",
  "alarm.not_done": "Das ging nicht: {why}",
  "alarm.receipt": "Der Server hat nicht unterschrieben, was er uns gesagt hat. Vergleicht Codes am Telefon.",
  "alarm.refused": "Der Server hat etwas abgelehnt: {why}.",
  "alarm.stuck":
    "Die letzte Änderung von {who} lässt sich hier nicht lesen. Bis das geklärt ist, wird nichts gesendet.",
  "alarm.two_stories":
    "Der Server hat von diesem Treffen zwei Geschichten erzählt (bei Änderung {slot}). Was du sagst, erreicht vielleicht nicht alle. Vergleicht Codes am Telefon, oder öffnet einen neuen Raum.",
  "alarm.two_stories.by":
    "Nach dem Wort von {who} ging das Treffen anders weiter als hier (bei Änderung {slot}): Der Server hat zwei Geschichten erzählt, oder dieses Wort ist falsch. Was du sagst, erreicht vielleicht nicht alle. Vergleicht Codes am Telefon, oder öffnet einen neuen Raum.",
  "alarm.void_commit":
    "Eine Änderung am Treffen galt nicht und wurde nicht beachtet: {why}. Sie kam von {who} (Änderung {slot}).",

  "status.asks_again":
    "{name} gehörte zur Leitung und kann vielleicht noch Links zu diesem Treffen machen. Deshalb wird niemand mehr durchgewinkt: Du wirst bei allen gefragt.",
  "status.away": "Der Server ist weg ({why}). Neuer Versuch ...",
  "status.back": "Der Server ist wieder da.",
  "status.closing": "Der Server sagt: {text}",
  "status.handing_over": "Das Treffen wird an {name} übergeben ...",
  "status.revoked.by": (a, n) =>
    `${a.name} hat ${plural(n("count"), `die Einladung ${a.invite}`, `${a.count} Einladungen`)} zurückgenommen.`,
} satisfies Words;
