import { plural, type Texts, type Words } from "../entry";

const raised = (text: string | undefined = ""): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const leaked = (a: Texts, what: string, todo: string): string =>
  `${raised(a.invite)} wurde zweimal benutzt: Sie ist in fremde Hände geraten. ${what}. Sie öffnet nichts mehr. ${todo}`;

const differs = (a: Texts, several: boolean, than: string): string =>
  `${a.names} ${several ? "benutzen" : "benutzt"} eine andere Seite als ${than}: ${a.most} von ${a.of} hier haben ` +
  "dieselbe. Von wem die andere kommt, der könnte sie verändert haben, und damit, was sie zeigt oder sendet. Fragt, " +
  "welche Seite das ist; snug verify-page vergleicht, was ein Server ausgibt, mit dem, was veröffentlicht wurde.";

/** Where English names a command of the terminal, this names what the page has instead. */
export default {
  // what can't be done
  "cant.another_code": "gerade ist ein anderer Code gekommen: Sieh noch einmal hin",
  "cant.book_full": "ein Kontaktbuch fasst höchstens {most} Kontakte",
  "cant.compare_many": "die vier Bilder sind für höchstens {most} Personen: Vergleicht die 40 Ziffern",
  "cant.contact_name": "ein neuer Kontakt braucht einen Namen",
  "cant.digits_few": "welche Ziffern? Gib mindestens die ersten {least} des Codes ein",
  "cant.digits_new":
    "gerade ist jemand hereingekommen, und die Ziffern sind jetzt andere: Gib die ersten {least} von denen ein, die ihr verglichen habt",
  "cant.digits_none": "keiner der letzten Codes beginnt mit diesen Ziffern",
  "cant.digits_two": "zwei der letzten Codes beginnen mit diesen Ziffern: Gib mehr davon ein",
  "cant.file_name": "so kann eine Datei für andere nicht heißen",
  "cant.file_size": "eine Datei hat 1 bis {most:n} Bytes, und diese hat {size:n}",
  "cant.files_many": "es sind schon {most} Dateien unterwegs: Warte, bis eine angekommen ist",
  "cant.in_book": "dieser Schlüssel steht schon im Kontaktbuch: {petname}",
  "cant.invite_over": "die Einladung {index} öffnet nichts mehr",
  "cant.invite_unknown": "eine Einladung {index} gibt es hier nicht: Sieh in der Liste der Einladungen nach",
  "cant.invites": "mehr als {most} Einladungen kann eine Person in einem Treffen nicht machen",
  "cant.invites_all": "in diesem Treffen sind fast alle Einladungen vergeben: Öffne ein neues",
  "cant.known_as": "{petname} heißt bei dir schon jemand anderes: Wähle einen anderen Namen",
  "cant.label": "eine Beschriftung hat höchstens {most} Bytes und keine Steuerzeichen",
  "cant.leaf_taken":
    "an Platz {leaf} ist seit eben {name}, vorher war dort {before}: Wenn du die Person meinst, die jetzt da ist, sag es noch einmal",
  "cant.no_book": "hier gibt es kein Kontaktbuch",
  "cant.no_code_yet": "es gibt noch keinen Code: Wähle zuerst „Laut vergleichen“",
  "cant.no_contact": "es gibt keinen Kontakt „{what}“",
  "cant.no_evidence": "es gibt noch nichts zu zeigen: Du warst noch nicht im Raum",
  "cant.no_identity": "{name} hat dir keinen Ausweis gezeigt: Es gibt keinen Schlüssel, den du behalten könntest",
  "cant.no_key": "das ist weder ein Fingerabdruck ({digits} Ziffern) noch ein öffentlicher Schlüssel (64 Hexziffern)",
  "cant.nobody_else": "an Platz {leaf} ist sonst niemand",
  "cant.nobody_to_compare": "es ist niemand hier, mit dem du vergleichen könntest",
  "cant.nobody_waits": "unter der Nummer {number} wartet niemand",
  "cant.not_inside": "du bist noch nicht im Raum",
  "cant.not_paused": "Ton und Bild sind nicht angehalten",
  "cant.own_key": "das ist dein eigener Schlüssel",
  "cant.petname": "so kann ein Kontakt nicht heißen: {why}",
  "cant.react_away": "der Server ist weg: Niemand würde es sehen",
  "cant.react_soon": "eins nach dem anderen: Versuch es gleich noch einmal",
  "cant.report_count": "eine Meldung umfasst 1 bis {most} Nachrichten, jede einmal",
  "cant.report_no_admission":
    "{name} hat nicht gezeigt, von der Leitung eingelassen zu sein; so lässt sich nichts beweisen",
  "cant.report_off": "in diesem Treffen gibt es keine Unterschriften für Meldungen: Die Leitung wollte keine",
  "cant.report_proves_nothing": "eine Meldung davon würde nichts beweisen: {why}",
  "cant.report_unknown": "„{name}“ ist nicht unter den letzten {most} Nachrichten, die andere geschrieben haben",

  // invites, names and contacts
  "invite.label": "die Einladung für „{label}“ (Nr. {index})",
  "invite.number": "die Einladung {index}",
  "invite.open": "die offene Einladung",
  "invite.other": "eine Einladung von jemand anderem aus der Leitung (Nr. {index})",
  "look.alike.no_key":
    "Dieser Name sieht aus wie der deines Kontakts {petname}, und kommt ohne den Schlüssel von {petname}: Es kann jemand anderes sein.",
  "look.alike.other_key":
    "Dieser Name sieht aus wie der deines Kontakts {petname}, und kommt mit einem anderen Schlüssel als dem von {petname}: Es kann jemand anderes sein.",
  "look.alike_waits": "Dieser Name sieht aus wie {name}, und {name} wartet auch (Nr. {knock}).",
  "look.here.no_key":
    "Hier ist jemand mit dem Namen deines Kontakts {petname}, ohne den Schlüssel von {petname}: Es kann jemand anderes sein.",
  "look.here.other_key":
    "Hier ist jemand mit dem Namen deines Kontakts {petname}, mit einem anderen Schlüssel als dem von {petname}: Es kann jemand anderes sein.",
  "look.knocks.no_key":
    "Hier klopft jemand mit dem Namen deines Kontakts {petname} an, ohne den Schlüssel von {petname}: Es kann jemand anderes sein.",
  "look.knocks.other_key":
    "Hier klopft jemand mit dem Namen deines Kontakts {petname} an, mit einem anderen Schlüssel als dem von {petname}: Es kann jemand anderes sein.",
  "look.known_as": "Du kennst diesen Schlüssel als {petname}.",
  "look.same_waits": "Noch jemand wartet unter dem Namen {name} (Nr. {knock}).",
  "refusal.full": "In diesem Treffen waren so viele, dass niemand Neues mehr alles darüber erfahren kann.",
  "refusal.locked": "Der Raum ist abgeschlossen: Gerade wird niemand Neues hereingelassen.",
  "refusal.no": "Die Leitung hat dich nicht hereingelassen.",
  "refusal.not_added":
    "Du konntest nicht hereingelassen werden: {why}. Klopf mit einem anderen Namen noch einmal an, oder frag die Leitung.",
  "refusal.not_added.yet": "Du konntest nicht hereingelassen werden: {why}.",
  "refusal.not_by_host": "Die Antwort ist nicht von der Leitung des Treffens, zu dem der Link führt.",
  "refusal.over": "Diese Einladung ist benutzt oder zurückgenommen worden. Bitte um eine neue.",
  "refusal.unusable": "Mit der Antwort der Leitung lässt sich nichts anfangen: {why}",

  // codes
  "compared.different":
    "Du hast gesagt, dass die Codes verschieden sind. Geh hinaus, und trefft euch in einem anderen Raum neu.",
  "compared.same": "Seit ihr Codes verglichen habt, ist niemand gekommen oder gegangen.",
  "compared.since": "Seit ihr Codes verglichen habt: {changes}.",
  "compared.since.new":
    "Seit ihr Codes verglichen habt: {changes}. {names} war nicht dabei, als ihr verglichen habt: Vergleicht noch einmal.",
  "compared.since.news":
    "Seit ihr Codes verglichen habt: {changes}. {names} waren nicht dabei, als ihr verglichen habt: Vergleicht noch einmal.",
  "since.and": "{before}; {next}",
  "since.came": "{name} kam herein (eingelassen von {by})",
  "since.came_by": "{name} kam herein (eingelassen von {by}; {invite})",
  "since.came_meanwhile": "{name} kam herein, während du aus dem Takt warst",
  "since.left": "{name} ging",
  "since.policy": ({ text = "" }) => text.replace(/\.$/, ""),
  "since.removed": "{name} wurde von {by} entfernt",
  "since.went_meanwhile": "{name} ging, während du aus dem Takt warst",
  "nocode.anew": "dein Programm musste unterdessen neu hereinkommen",
  "nocode.anew_out": "dein Programm musste mittendrin neu hereinkommen",
  "nocode.broke": "deine eigene Verbindung ist abgerissen",
  "nocode.changed": "unterdessen ist jemand gekommen oder gegangen, oder die Schlüssel haben gewechselt",
  "nocode.keys_out": "{who} hat mittendrin die Schlüssel des Treffens gewechselt",
  "nocode.not_passed": "der Server hat es nicht weitergegeben",
  "nocode.nothing": "{seconds} Sekunden lang kam nichts",
  "nocode.nothing_from": (a, n) => `${a.names} ${plural(n("names"), "hat", "haben")} nichts geschickt`,
  "nocode.this_participant": "dein eigenes Programm",
  "nocode.unreachable": "der Server ist nicht zu erreichen",

  // sound, pictures and files
  "file.sender_gone": "Wer die Datei geschickt hat, ist gegangen, bevor alles da war.",
  "file.stopped": "Es kam nichts mehr. Bitte noch einmal darum.",
  "file.too_many": "Es kommen zu viele Dateien auf einmal: Bitte noch einmal darum.",
  "file.wrong": "Was ankam, ist nicht, was geschickt wurde: Teile davon waren falsch. Bitte noch einmal darum.",
  "signing.away": "Ton und Bild warten, bis der Server wieder da ist.",
  "signing.out_of_step":
    "Ton und Bild warten: Was zuletzt gesendet wurde, lässt sich nicht unterschreiben, denn wir sind aus dem Takt.",
  "stream.own.pictures": "dein Bild",
  "stream.own.screen": "dein Bildschirm",
  "stream.own.screen_sound": "der Ton deines Bildschirms",
  "stream.own.sound": "dein Ton",
  "stream.pictures": "das Bild von {whose}",
  "stream.screen": "der Bildschirm von {whose}",
  "stream.screen_sound": "der Ton des Bildschirms von {whose}",
  "stream.sound": "der Ton von {whose}",
  "watch.paused_stale":
    "Ton und Bild sind angehalten: Zu wenige haben in letzter Zeit bestätigt, wer im Raum ist.",
  "watch.paused_withheld":
    "Ton und Bild sind angehalten: Das Treffen ist weitergegangen, und die Änderung ist hier nicht angekommen.",
  "watch.server_itself": "dem Server selbst",
  "watch.you": "dir",

  // the end
  "dropped.forgotten":
    "Der Server weiß nichts mehr von diesem Treffen. Entweder sind alle gegangen, während wir weg waren, oder der Server hat es beendet.",
  "dropped.gave_up": "{what} Wir haben aufgehört, es wieder zu versuchen.",
  "dropped.proof": "„Beweise speichern“ behält, was sich davon zeigen lässt.",
  "dropped.refuses":
    "Der Server hat uns hinausgeworfen; niemand im Raum war das. Er antwortet, öffnet aber auch keinen neuen Raum: Vielleicht weist er alle ab.",
  "dropped.restarted":
    "Der Server hat uns hinausgeworfen; niemand im Raum war das. Er wurde neu gestartet und lässt dieses Treffen nicht wieder herein.",
  "dropped.saved": "Die Beweise liegen in {file}.",
  "dropped.serves":
    "Der Server hat uns hinausgeworfen; niemand im Raum war das. Andere bedient er weiter, und hat das unterschrieben.",

  "alarm.code_aborted": (a, n) =>
    `Es gibt keinen Code, denn ${a.names} ${plural(n("names"), "hat", "haben")} einen Teil davon nicht gezeigt, als ` +
    `andere ihren schon gezeigt hatten: ${a.why}. Einmal kann das Zufall sein; passiert es wieder, probiert jemand ` +
    "Codes aus, mit dem Server oder ohne ihn. Vergleicht noch einmal.",
  "alarm.code_cheat":
    "{name} hat nicht gehalten, was das Programm von {name} versprochen hatte, während der Code entstand. Das nützt nur jemandem, der den Code selbst aussuchen will. Es gibt keinen Code; sprich mit den anderen darüber, {name} zu entfernen.",
  "alarm.code_different":
    "Die Codes sind verschieden: Du bist nicht in einem Raum mit denen, mit denen du verglichen hast, und vielleicht steht jemand zwischen euch. Geh hinaus, sag hier nichts mehr, und trefft euch in einem anderen Raum neu, auf einem anderen Weg verabredet.",
  "alarm.code_fork":
    "{name} hat anderes gehört als du, während der Code entstand, oder sagt das: Entweder erzählt der Server zwei Geschichten, oder {name} lügt. Es gibt keinen Code. Vergleicht die 40 Ziffern am Telefon.",
  "alarm.double_beat":
    "{who} hat über denselben Augenblick zweierlei unterschrieben: Das Programm dort belügt manche von euch, oder zwei Programme benutzen einen Schlüssel.",
  "alarm.double_beat.host":
    "{who} hat über denselben Augenblick zweierlei unterschrieben: Das Programm dort belügt manche von euch, oder zwei Programme benutzen einen Schlüssel. Du kannst {who} aus dem Raum entfernen.",
  "alarm.dropped":
    "{what} {proof} Wir versuchen, wieder hineinzukommen; verabredet am Telefon, wo es sonst weitergeht.",
  "alarm.dropped.often":
    "Die Verbindung zu diesem Treffen ist in einer Minute {count}-mal abgerissen, und jedes Mal hat der Server uns wieder hereingelassen. Niemand im Raum war das: Es ist der Server, oder das Netz dorthin.",
  "alarm.forged_media":
    "Jemand hat im Namen von {name} Ton oder Bild gesendet. Das kann nur, wer selbst im Treffen ist, und nur mit Hilfe des Servers. Was du gerade von {name} gehört und gesehen hast, kann falsch sein; von jetzt an wird nur gespielt, was {name} unterschrieben hat.",
  "alarm.gone":
    "Von {who} ist seit {seconds} Sekunden nichts zu hören, die Schlüssel des Treffens sind aber noch dort. Du kannst {who} aus dem Raum entfernen; anklopfen geht danach wieder.",
  "alarm.invite_leaked.both_wait": (a) =>
    leaked(
      a,
      `„${a.earlier}“ und „${a.name}“ klopfen damit an, und sie war höchstens für eine Person davon`,
      "Mach eine neue, und gib sie auf einem anderen Weg weiter.",
    ),
  "alarm.invite_leaked.came_in": (a) =>
    leaked(
      a,
      `${a.earlier} kam damit herein, und jetzt klopft damit jemand an, der sich „${a.name}“ nennt`,
      `Frag ${a.earlier} etwas, das nur die richtige Person wissen kann, oder entferne ${a.earlier}.`,
    ),
  "alarm.invite_leaked.somebody_in": (a) =>
    leaked(
      a,
      `Jemand kam damit herein, und jetzt klopft damit jemand an, der sich „${a.name}“ nennt`,
      "Frag, wer damit hereinkam, etwas, das nur die richtige Person wissen kann, oder entferne sie.",
    ),
  "alarm.not_admitted": "{name} konnte nicht hereingelassen werden: {why}",
  "alarm.not_reaching":
    "Nach dem Wort von {whom} wird das gesendet und kommt dort nicht an: {streams}. Der Chat geht weiter; wenn es so bleibt, nimm ein anderes Netz oder einen anderen Server.",
  "alarm.not_reaching.blamed":
    "Gesendet, kommt aber nicht an bei {whom}: {streams}. Der Server lässt es fallen, oder das Netz zum Server. Der Chat geht weiter; wenn es so bleibt, nimm ein anderes Netz oder einen anderen Server.",
  "alarm.page_differs": (a, n) => differs(a, n("names") > 1, "du"),
  "alarm.page_differs.others": (a, n) => differs(a, n("names") > 1, "die anderen"),
  "alarm.refused.lobby": "Der Server hat vor der Tür etwas abgelehnt: {why}.",
  "alarm.rejoining": "Du bist aus dem Takt geraten; dein Programm bittet darum, wieder hereingelassen zu werden.",
  "alarm.removed_knocks": ({ invite, name, removed }) =>
    `Jemand, der sich „${name}“ nennt, klopft an und benutzt ${invite}. Damit war ${removed} hereingekommen und wurde ` +
    "entfernt. Es kann dieselbe Person sein, oder jemand, der den Link bekommen hat. Er öffnet nichts mehr; wen du " +
    "noch hier haben willst, braucht eine andere Einladung.",
  "alarm.reordered":
    "Der Server hat {who} andere Nachrichten gegeben als dir, oder in anderer Reihenfolge. Verlass dich nicht darauf, alles gelesen zu haben, und nicht auf die Reihenfolge.",
  "alarm.reordered.held_back":
    "Der Server hat {who} Nachrichten gegeben, die du nicht bekommen hast. Verlass dich nicht darauf, alles gelesen zu haben.",
  "alarm.reordered.renumbered":
    "Der Server hat dir unter einer Nummer zwei verschiedene Nachrichten gegeben. Verlass dich nicht darauf, alles gelesen zu haben, und nicht auf die Reihenfolge.",
  "alarm.silent":
    "Von {who} ist seit {seconds} Sekunden nichts gekommen. Vielleicht ist die Verbindung weg, oder der Server enthält es dir vor.",
  "alarm.stale": (a, n) =>
    `${a.who} ${plural(n("who"), "hat", "haben")} in letzter Zeit nicht bestätigt, wer im Raum ist. Vielleicht wurde ` +
    "jemand entfernt, und du hast es nicht erfahren; deshalb sind Ton und Bild angehalten. „Trotzdem senden“ schickt " +
    "sie doch.",
  "alarm.stale.no_host": (a, n) =>
    `Von der Leitung ist nichts zu hören; ${a.who} ${plural(n("who"), "hat", "haben")} in letzter Zeit nicht ` +
    "bestätigt, wer im Raum ist. Vielleicht wurde jemand entfernt, und du hast es nicht erfahren; deshalb sind Ton " +
    "und Bild angehalten. „Trotzdem senden“ schickt sie doch.",
  "alarm.unheard.everybody":
    "Die anderen hören dich nicht: Was dein Programm unterschreibt, kommt dort nicht an. Vielleicht hält der Server es zurück. Was du sagst, hört vielleicht niemand; frag auf einem anderen Weg nach.",
  "alarm.unheard.many":
    "{who} hören dich nicht: Was dein Programm unterschreibt, kommt dort nicht an. Vielleicht hält der Server es zurück. Was du sagst, hören sie vielleicht nicht; frag auf einem anderen Weg nach.",
  "alarm.unheard.one":
    "{who} hört dich nicht: Was dein Programm unterschreibt, kommt dort nicht an. Vielleicht hält der Server es zurück. Was du sagst, kommt vielleicht nicht an; frag auf einem anderen Weg nach.",
  "alarm.unreadable_commit":
    "Zwei konnten die letzte Änderung von {who} nicht lesen und mussten neu hereinkommen. Das Programm von {who} tut das vielleicht mit Absicht. Du kannst {who} aus dem Raum entfernen.",
  "alarm.unreadable_commit.again":
    "{victim} konnte zwei Änderungen von {who} nicht lesen, die alle anderen lesen konnten, und musste neu hereinkommen. Eines der beiden Programme tut das vielleicht mit Absicht: Frag beide. Du kannst {who} oder {victim} aus dem Raum entfernen.",
  "alarm.unreportable":
    "{name} hat nicht gezeigt, dass die Leitung den Einlass unterschrieben hat: Was {name} schreibt, lässt sich nicht melden. Ein ehrliches Programm zeigt die Unterschrift sofort, wenn es sie bekommen hat; frag nach, oder lass {name} von der Leitung entfernen.",
  "alarm.unverified_media":
    "Nichts belegt, dass Ton und Bild im Namen von {names} auch von dort kommen: Die Unterschriften bleiben aus. Vielleicht hält der Server sie zurück, oder jemand anderes spricht. Von jetzt an wird nur noch gespielt, was unterschrieben ist; frag auf einem anderen Weg nach.",
  "alarm.withheld":
    "Das Treffen ist bei Änderung {slot}, nach dem Wort von {who}, und der Server gibt diese Änderung nicht heraus. Vielleicht wurde jemand entfernt. Ton und Bild sind angehalten, bis sie kommt; kommt sie nicht, geh hinaus und komm neu herein, oder frag auf einem anderen Weg nach.",

  "status.away.restarted":
    "Der Server wurde neu gestartet und weiß nichts von diesem Treffen, bis jemand von der Leitung wieder dort ist.",
  "status.away.unreachable":
    "Der Server ist gar nicht zu erreichen: Vielleicht ist er aus, oder der Weg dorthin ist unterbrochen. Nichts, was hier ankam, sagt, dass jemand das Treffen beendet hat. Neuer Versuch ...",
  "status.cleared.fresh": "Die anderen bestätigen wieder, wer im Raum ist. Ton und Bild können fließen.",
  "status.cleared.handed_over": "Die Änderung, die hier fehlte, ist gekommen.",
  "status.cleared.heard": (a, n) => `${a.who} ${plural(n("who"), "ist", "sind")} wieder zu hören.`,
  "status.cleared.messages": "Die Nachrichten, die hier fehlten, sind gekommen.",
  "status.cleared.reaches": "Was du sendest, kommt wieder an bei {who}.",
  "status.cleared.reaching": "Kommt wieder an bei {whom}: {streams}.",
  "status.comparing": "Ein Code entsteht, mit allen im Raum ...",
  "status.host": "Du gehörst jetzt zur Leitung dieses Treffens.",
  "status.knocking": "Angeklopft. Wir warten auf die Antwort der Leitung ...",
  "status.no_admission":
    "Die Leitung hat nicht unterschrieben, dass sie dich hereingelassen hat. Was du hier schreibst, lässt sich nicht melden, und andere erfahren vielleicht, du hieltest die Unterschrift zurück. Frag die Leitung, und komm neu herein.",
  "status.no_code": "Diesmal gibt es keinen Code: {why}. Vergleicht noch einmal.",
  "status.no_host": "Du gehörst nicht mehr zur Leitung dieses Treffens.",
  "status.not_yet": "Du kannst noch nicht wieder herein: {why} Dein Programm versucht es weiter.",
  "status.override": "Ton und Bild gehen auf dein Wort weiter. Vielleicht hört jemand mit, der entfernt wurde.",
  "status.removal_reach": (a, n) =>
    `Dass ${a.names} entfernt ${plural(n("names"), "wurde", "wurden")}, wissen ${a.reached} von ${a.total}, noch nicht: ` +
    `${a.missing}. Was von dort kommt, ${plural(n("names"), "kann", "können")} ${a.names} bis dahin noch sehen und hören.`,
  "status.removal_reach.all": (a, n) =>
    `Dass ${a.names} entfernt ${plural(n("names"), "wurde", "wurden")}, wissen jetzt alle (${a.total} von ${a.total}).`,
  "status.reports":
    "Was du hier schreibst, lässt sich später anderen beweisen: In diesem Treffen gibt es Unterschriften für Meldungen.",
  "status.returning": "Wir suchen Leute, die die Leitung wieder hereinlassen können ...",
  "status.revoked": ({ invite }) => `${raised(invite)} öffnet nichts mehr.`,
  "status.verified": "Ton und Bild von {names} sind wieder unterschrieben.",
  "status.vouched": "{name} kann jetzt sehen, wer du bist, und kann es sonst niemandem beweisen.",
  "status.waiting": "Wir warten, bis jemand von der Leitung öffnet ...",
} satisfies Words;
