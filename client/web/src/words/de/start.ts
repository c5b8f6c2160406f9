import type { Words } from "../entry";

export default {
  "list.more": "{count} weitere",
  "app.language": "Sprache",
  "app.theme": "Hell oder dunkel",
  "theme.system": "System",
  "theme.light": "Hell",
  "theme.dark": "Dunkel",
  "app.close": "Schließen",
  "app.copy_what": "Kopieren: {what}",

  "about.served": "Diese Seite kommt von {origin}. Wer sie betreibt, könnte sie verändern.",
  "about.own": "Diese Seite kommt von deinem eigenen Rechner. Kein Server kann sie verändern.",
  "about.hash": "Ihr Fingerabdruck",
  "about.hash_wait": "Der Fingerabdruck wird berechnet ...",
  "about.hash_why":
    "In einem Treffen sagen sich die Seiten gegenseitig ihren Fingerabdruck, und alle sehen, wer eine andere bekommen hat.",
  "about.lie": "Eine veränderte Seite könnte einen falschen Fingerabdruck zeigen. Sicher gehst du von außen:",
  "about.self": "Oder nimm die Seite von gar keinem Server, sondern starte sie selbst:",
  "about.hash_own": "Der Fingerabdruck ist überall derselbe, wo dieselbe Seite läuft.",

  "start.heading": "Nur wer im Raum ist.",
  "start.lede":
    "Ton, Bild und Chat werden auf deinem Gerät versiegelt. Der Server trägt sie weiter und kann sie nicht lesen. Du " +
    "siehst, wer da ist, seit wann, und durch wen.",
  "start.open": "Raum öffnen",
  "start.open_at": "Bei {origin}. Du leitest das Treffen.",
  "start.no_origin": "Diese Seite hat keinen eigenen Server. Sie folgt Links zu jedem.",
  "start.link": "Der Link, den du bekommen hast",
  "start.follow": "Los",
  "start.scan": "QR-Code scannen",

  "scan.title": "QR-Code scannen",
  "scan.how": "Halte den Code vor die Kamera.",
  "scan.starting": "Die Kamera startet ...",
  "scan.no_camera": "Die Kamera geht nicht. Erlaube sie im Browser, oder füge den Link ein.",
  "scan.other": "Dieser Code ist kein Link zu einem Treffen.",

  "prejoin.host": "Raum öffnen",
  "prejoin.guest": "Bevor du anklopfst",
  "prejoin.at": "Bei {origin}",
  "prejoin.name": "Dein Name",
  "prejoin.name_needed": "Gib erst deinen Namen ein.",
  "prejoin.name_hint": "So sehen ihn die anderen.",
  "prejoin.title": "Wie das Treffen heißt",
  "prejoin.title_hint": "Das lesen nur die, die dabei sind.",
  "prejoin.greeting": "Ein Wort an die Leitung",
  "prejoin.greeting_hint": "Etwas, woran man dich erkennt.",
  "prejoin.optional": "optional",
  "prejoin.admission": "Wer hereinkommt",
  "prejoin.ask": "Ich werde bei allen gefragt",
  "prejoin.ask_hint": "Du siehst, wer anklopft und mit welcher Einladung, und lässt sie herein.",
  "prejoin.all": "Alle, die einen Link haben",
  "prejoin.all_hint": "Auch die, an die ihn jemand weitergibt.",
  "prejoin.enter_host": "Raum öffnen",
  "prejoin.enter_guest": "Anklopfen",
  "prejoin.opening_host": "Der Raum wird geöffnet ...",
  "prejoin.opening_guest": "Es wird angeklopft ...",
  "prejoin.guest_note":
    "Die Leitung sieht deinen Namen, deine Worte und welche Einladung du hast, und lässt dich herein oder nicht.",
  "prejoin.back": "Zurück",
  "prejoin.preview": "Was deine Kamera sieht, wie im Spiegel",
  "prejoin.camera": "Kamera",
  "prejoin.microphone": "Mikrofon",
  "prejoin.speaker": "Lautsprecher",
  "prejoin.mute": "Mikrofon ausschalten",
  "prejoin.unmute": "Mikrofon einschalten",
  "prejoin.camera_off": "Kamera ausschalten",
  "prejoin.camera_on": "Kamera einschalten",
  "prejoin.off": "Deine Kamera ist aus.",
  "prejoin.starting": "Die Kamera startet ...",
  "prejoin.level": "Wie laut du bist",
  "prejoin.muted": "Dein Mikrofon ist aus.",
  "prejoin.speak": "Sag etwas: Der Balken sollte sich bewegen.",
  "prejoin.none": "Keins",
  "prejoin.default": "Wie das System",
  "prejoin.unnamed": "Gerät {number}",
  "prejoin.retry": "Noch einmal",

  "trouble.both.insecure":
    "Dein Browser gibt http-Adressen weder Kamera noch Mikrofon. Öffne die Seite mit https, oder starte `snug page` auf " +
    "deinem eigenen Rechner.",
  "trouble.both.refused":
    "Der Browser darf dieser Seite Kamera und Mikrofon nicht geben. Erlaube sie in der Adressleiste, oder komm herein, " +
    "um zuzusehen und zuzuhören.",
  "trouble.camera.none_found":
    "Es wurde keine Kamera gefunden. Schließ eine an, oder komm ohne herein: Die anderen hören dich.",
  "trouble.camera.refused":
    "Der Browser darf dieser Seite die Kamera nicht geben. Erlaube sie in der Adressleiste, oder komm ohne herein.",
  "trouble.camera.in_use": "Ein anderes Programm hat die Kamera. Schließ es, dann versuch es noch einmal.",
  "trouble.camera.insecure":
    "Dein Browser gibt http-Adressen keine Kamera. Öffne die Seite mit https, oder starte `snug page` selbst.",
  "trouble.camera.unsupported":
    "Dieser Browser kann keine Kameras benutzen. Komm ohne herein, oder nimm einen anderen Browser.",
  "trouble.camera.failed": "Die Kamera ist nicht angesprungen. Steck sie aus und wieder ein, oder wähle eine andere.",
  "trouble.microphone.none_found": "Es wurde kein Mikrofon gefunden. Schließ eins an, oder komm herein, um zuzuhören.",
  "trouble.microphone.refused":
    "Der Browser darf dieser Seite das Mikrofon nicht geben. Erlaube es in der Adressleiste, oder komm herein, um " +
    "zuzuhören.",
  "trouble.microphone.in_use": "Ein anderes Programm hat das Mikrofon. Schließ es, dann versuch es noch einmal.",
  "trouble.microphone.insecure":
    "Dein Browser gibt http-Adressen kein Mikrofon. Öffne die Seite mit https, oder starte `snug page` selbst.",
  "trouble.microphone.unsupported":
    "Dieser Browser kann keine Mikrofone benutzen. Komm herein, um zuzuhören, oder nimm einen anderen Browser.",
  "trouble.microphone.failed":
    "Das Mikrofon ist nicht angesprungen. Steck es aus und wieder ein, oder wähle ein anderes.",

  "waiting.waiting": "Von der Leitung ist noch niemand da",
  "waiting.knocking": "Du hast angeklopft",
  "waiting.away": "Der Server ist weg",
  "waiting.other": "Einen Moment",
  "waiting.waiting_note": "Sobald jemand kommt, wird von selbst angeklopft. Lass diese Seite einfach offen.",
  "waiting.knocking_note": "Die Leitung hat deinen Namen vor sich. Niemand sieht oder hört dich, bevor du drin bist.",
  "waiting.away_note": "Niemand im Treffen hat das getan. Angeklopft wird, sobald der Server wieder antwortet.",
  "waiting.since": "Seit {time}.",
  "waiting.give_up": "Aufgeben",

  "ended.left": "Du bist gegangen",
  "ended.removed": "Du wurdest entfernt",
  "ended.refused": "Du wurdest nicht hereingelassen",
  "ended.ended": "Das Treffen ist vorbei",
  "ended.dropped": "Der Server hat uns hinausgeworfen",
  "ended.failed": "Es geht nicht weiter",
  "ended.forgotten":
    "Die Schlüssel des Treffens sind von dieser Seite verschwunden. Was gesagt wurde, lässt sich mit nichts mehr öffnen, " +
    "was der Server behalten hat.",
  "ended.evidence": "Behalte, was es zeigt",
  "ended.evidence_why":
    "Eine Datei, die anderen auch ohne dein Wort zeigt, was der Server getan hat. Alle können sie prüfen: `snug evidence " +
    "verify`.",
  "ended.names": "Mit den Namen von allen",
  "ended.save": "Beweise speichern",
  "ended.again": "Zum Anfang",

  "unable.insecure": "Dein Browser gibt http-Adressen keine Kamera",
  "unable.insecure_why":
    "Diese Seite wurde mit http geöffnet, unter einem Namen, der nicht dieser Rechner selbst ist. Dann geben Browser ihr " +
    "keine Kamera, kein Mikrofon und nichts, womit sie verschlüsseln könnte.",
  "unable.insecure_way": "Öffne sie mit https, oder starte die Seite auf deinem eigenen Rechner:",
  "unable.old_browser": "Dieser Browser ist zu alt",
  "unable.old_browser_why": "Ihm fehlt, woraus die Schlüssel eines Treffens gemacht sind (X25519 und Ed25519).",
  "unable.old_browser_way": "Aktualisiere ihn, oder nimm einen anderen: Chromium ab 141 und Firefox ab 140 können es.",
  "unable.no_transform": "Dieser Browser kann Bilder nicht versiegeln, bevor er sie sendet",
  "unable.no_transform_why":
    "Ihm fehlt RTCRtpScriptTransform. Ohne das könnte der Server das Treffen sehen und hören; deshalb wird nichts gesendet.",
  "unable.no_transform_way": "Aktualisiere ihn, oder nimm einen anderen: Chromium ab 141 und Firefox ab 140 können es.",
  "unable.second_tab": "Du bist in diesem Treffen schon in einem anderen Tab",
  "unable.second_tab_why": "Zwei zugleich wären für die anderen zwei Personen.",
  "unable.second_tab_way": "Mach dort weiter, oder schließ ihn und versuch es hier noch einmal.",
  "unable.server_gone": "Der Server antwortet nicht",
  "unable.server_gone_why":
    "Vielleicht ist er aus, oder der Weg zu ihm ist unterbrochen. Ganz ohne Netz verbinden sich Browser mit niemandem.",
  "unable.server_gone_way": "Sieh nach, ob du online bist, warte ein wenig, und versuch es noch einmal.",
  "unable.page_changed": "Der Server hat jetzt eine andere Seite",
  "unable.page_changed_why":
    "Sie wurde ausgetauscht, während diese offen war, und Teile der beiden passen nicht zusammen.",
  "unable.page_changed_way": "Lade sie neu. Wenn du wissen willst, was sich geändert hat, vergleiche vorher:",
  "unable.worker": "Das Innere der Seite ist stehen geblieben",
  "unable.worker_why": "Was für dich versiegelt und öffnet, läuft nicht mehr; deshalb wird von dir nichts gesendet.",
  "unable.worker_way": "Lade die Seite neu und klopf noch einmal an.",
  "unable.retry": "Noch einmal",
  "unable.reload": "Seite neu laden",

  "code_art.label": "Siegel: {petals} Blätter, {weave}, Marke auf {mark} Uhr",
  "code_art.straight": "gerade geflochten",
  "code_art.left": "linksherum geflochten",
  "code_art.right": "rechtsherum geflochten",
  "code_art.crossed": "kreuzweise geflochten",
  "qr.label": "QR-Code dieses Links",
} satisfies Words;
