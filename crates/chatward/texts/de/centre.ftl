# Was Kundinnen und Kunden im Datenschutz-Bereich lesen. Einfache Wörter, kurze Sätze.

centre = Datenschutz
nav = Datenschutz
nav-overview = Übersicht
nav-notice = Datenschutzerklärung
nav-consents = Einwilligungen
nav-data = Meine Daten
nav-requests = Anfragen
nav-looks = Wer hat hineingesehen
nav-security = Anmeldung und Geräte
nav-guides = Ratgeber
nav-verify = Prüfen
yes = Ja
no = Nein
on = An
off = Aus
goes-on = Wird gelöscht am
goes-soon = Wird beim nächsten Aufräumen gelöscht, oder wenn eine Sperre oder das Einfrieren endet
frozen-is = Ihre Daten sind eingefroren: Niemand, der hier arbeitet, darf sie ansehen, und nichts davon wird von selbst gelöscht.
held-until = Ein rechtlicher Grund bewahrt Ihre Daten bis { $n } auf. Bis dahin kann nichts gelöscht werden.

## Hineinkommen

enter-nobody = Sie lesen dies, ohne dass wir Sie kennen. Melden Sie sich an, um Ihre eigenen Daten zu sehen.
enter-nameless = Wir kennen nur diesen Browser. Melden Sie sich an oder legen Sie ein Konto an, um Werte zu sehen, Ihre Daten mitzunehmen oder zu löschen.
enter-do = Anmelden oder Konto anlegen
enter-unclaimed = In diesem Browser hat jemand geschrieben, bevor Sie sich angemeldet haben. Waren Sie das?
enter-claim = Meinem Konto hinzufügen
passage-title = Ihr Chat auf einer anderen Seite
passage-other = In diesem Fenster wurde schon einmal ohne Konto geschrieben. Wenn Sie weitergehen, zeigt dieses Fenster den Chat, aus dem Sie kommen, und findet zu dem anderen nicht zurück. Melden Sie sich vorher an, wenn Sie beide behalten wollen.
passage-leave = Weiter mit dem Chat, aus dem ich komme
passage-stay = Beim Chat dieses Fensters bleiben
passage-over = Dieser Link wurde schon benutzt oder ist älter als eine Minute. Öffnen Sie ihn noch einmal aus dem Chat.

## Übersicht

overview-title = Ihre Privatsphäre
overview-own = Was über Sie aufbewahrt wird, wozu, wer es bekommt und wie lange. Stand: heute.
overview-general = Was über Menschen aufbewahrt wird, die hier schreiben, wozu, wer es bekommt und wie lange.
overview-more = Mehr
overview-contact = Fragen? Schreiben Sie an { $n }.
card-what = Was
card-what-general = Ihre Nachrichten und die Antworten. Namen, Adressen, Kartennummern und Ähnliches nehmen wir heraus und schließen es weg, bevor der Bot sie liest.
card-what-go = Meine Daten ansehen
card-why = Wozu
card-why-go = Einwilligungen ansehen und ändern
card-who = Wer
card-who-controller = Verantwortlich ist { $n }.
card-who-bot = Bot
card-who-recipient = erfährt von Änderungen
card-who-go = Wer was bekommt
card-long = Wie lange
card-long-own = Das Erste wird am { $first } gelöscht, das Letzte am { $last }.
card-long-same = Es wird am { $n } gelöscht.
card-long-general = Höchstens { $n }.
card-long-text = Danach wird es von selbst gelöscht.
card-long-go = Jetzt alles löschen
looks-none = Niemand sonst hat Ihre Daten angesehen
looks-some = { $n ->
    [one] Einmal hat jemand anderes hineingesehen
   *[other] { $n }-mal hat jemand anderes hineingesehen
    }
collected-nothing = Über Sie wird nichts aufbewahrt.
conversations = { $n ->
    [one] Gespräch
   *[other] Gespräche
    }
to-leak = Was verloren ginge, wenn unsere Datenbank gestohlen würde
to-requests = Verlangen, was Ihnen das Gesetz gibt
to-guides = Kurze Ratgeber zu Datenschutz und Sicherheit
to-verify = Eine Quittung oder Bescheinigung prüfen

## Zwecke, Klassen, Zeiten

purpose-service = Ihnen antworten
purpose-quality = Den Dienst besser machen
purpose-analytics = Zählen, wie der Dienst genutzt wird
purpose-training = Bots schulen
purpose-marketing = Werbung
class-interaction = Nachrichten und technische Daten
class-identity = Namen und Kontaktdaten
class-special = Gesundheit, Religion und andere empfindliche Daten
class-payment = Karten- und Kontonummern
class-secret = Passwörter und Codes
class-payment-never-kept = Prüfziffern von Karten und PINs
basis-contract = Für den Dienst nötig
basis-consent = Nur wenn Sie zustimmen
basis-interest = Solange Sie nicht widersprechen
span-minutes = { $n ->
    [one] eine Minute
   *[other] { $n } Minuten
    }
span-hours = { $n ->
    [one] eine Stunde
   *[other] { $n } Stunden
    }
span-days = { $n ->
    [one] einen Tag
   *[other] { $n } Tage
    }

## Einwilligungen

consents-title = Einwilligungen
consents-intro = Sie entscheiden, wozu Ihre Daten genutzt werden. Ja und Nein brauchen je einen Klick und gelten ab Ihrer nächsten Nachricht.
consents-gpc = Ihr Browser sagt, dass Ihre Daten nicht verkauft oder weitergegeben werden dürfen. Wir halten uns bei jeder Nachricht daran, die Sie mit ihm schicken.
consents-gpc-here = Aus für Nachrichten aus diesem Browser, was auch immer hier steht.
consents-service-text = Um Ihnen zu antworten, muss der Bot Ihre Nachrichten lesen. Dafür sind Sie gekommen.
consents-kept = aufbewahrt für höchstens { $n }
consents-version = Fassung { $n }
consents-history = Was Sie bisher entschieden haben
consents-history-none = Noch nichts.
consents-said-yes = Ja zu: { $n }
consents-said-no = Nein zu: { $n }
consents-first = Danach wurde eine Nachricht geschickt.
consents-first-none = Danach wurde noch keine Nachricht geschickt.
consents-receipt = Quittung
consents-receipt-of = Quittung vom { $n }
consents-receipts = Alle Quittungen herunterladen
consents-receipt-text = Eine Quittung ist unterschrieben. Mit ihr können Sie beweisen, was Sie wann entschieden haben.
stand-needed = An: für den Dienst nötig
stand-counts = An: Sie haben nicht widersprochen
stand-agreed = An: Sie haben zugestimmt
stand-other-words = Aus: Der Text hat sich geändert, bitte entscheiden Sie neu
stand-refused = Aus: Sie haben Nein gesagt
stand-not-asked = Aus: Sie wurden noch nicht gefragt

## Meine Daten

data-title = Meine Daten
data-intro = Alles, was über Sie aufbewahrt wird, nach Art und nach Gespräch. Zu jedem steht, wann es gelöscht wird.
data-download = Alles herunterladen
data-erase = Alles löschen
data-freeze = Einfrieren
data-unfreeze = Nicht mehr einfrieren
data-hidden = Die Werte sind verdeckt. Um sie zu sehen und zu berichtigen, bestätigen Sie, dass Sie es sind.
data-show = Werte zeigen
data-by-kind = Nach Art
data-kind = Art
data-count = Wie viele
data-first = Erstes wird gelöscht am
data-last = Letztes wird gelöscht am
data-talk = Gespräch vom { $n }
data-taken-over = Dieses hatten Sie vor Ihrer Anmeldung und haben es Ihrem Konto hinzugefügt.
data-no-values = Darin wurden keine persönlichen Angaben gefunden.
data-correct = Speichern
data-covered = verdeckt
data-messages = { $n ->
    [one] Eine Nachricht
   *[other] { $n } Nachrichten
    }
data-more-messages = { $n ->
    [one] Eine ältere Nachricht steht nicht in dieser Liste. Sie ist im Herunterladen enthalten.
   *[other] { $n } ältere Nachrichten stehen nicht in dieser Liste. Sie sind im Herunterladen enthalten.
    }
data-to = An
data-received = Was der Bot bekam
data-received-at = Was der Bot am { $n } bekam
data-next = Weitere Gespräche
back-to-data = Zurück zu meinen Daten
item-email = E-Mail-Adresse
item-name = Name
item-phone = Telefonnummer
item-card = Kartennummer
item-expiry = Ablaufdatum einer Karte
item-account = Bankkonto
item-wallet = Krypto-Konto
item-address = Adresse
item-birth = Geburtsdatum
item-identity = Nummer eines Ausweises
item-other = Andere Angabe

## Was der Bot bekam

message-title = Was der Bot bekam
message-intro = Das ging an den Bot, und sonst nichts. Wörter in eckigen Klammern stehen für Angaben, die er nicht bekam.
message-texts = Die Texte
message-you = Sie
message-bot = Bot
message-whole = Alles, Byte für Byte

## Alles löschen

erase-title = Alles löschen
erase-intro = Sie können alles löschen, was über Sie aufbewahrt wird. Es gibt keinen Weg zurück, auch nicht für uns.
erase-means = Was geschieht
erase-key = Ihr eigener Schlüssel wird vernichtet. Ohne ihn lässt sich nichts mehr öffnen, was damit verschlossen war, auch nicht in Sicherungskopien.
erase-rows = Ihre Gespräche, Werte, Einwilligungen und Anfragen werden gelöscht.
erase-account = Auch Ihr Konto wird gelöscht, und Sie werden abgemeldet.
erase-told = Andere, die Ihre Daten bekamen, werden aufgefordert, sie zu löschen.
erase-stays = Was bleibt, ist das Protokoll, in dem niemand genannt ist, und der Beweis.
erase-sure = Jetzt alles löschen?
erase-do = Ja, alles löschen
erase-no = Nein, zurück
erase-factor = Ihr Passkey oder Ihre Authenticator-App wird verlangt, wenn das länger als zehn Minuten her ist.
erased-title = Alles ist gelöscht
erased-intro = Das ist Ihr Beweis. Wir können ihn Ihnen nicht noch einmal ausstellen: Hier weiß niemand mehr, wer Sie sind.
erased-certificate = Bescheinigung
erased-key = Vernichteter Schlüssel:
erased-rows = Was gelöscht wurde
erased-table = Wo
erased-elsewhere = Andere Orte
erased-recipients = Andere, die Daten hatten
erased-download = Bescheinigung herunterladen
erased-keep = Bewahren Sie die Datei auf. Sie können sie jederzeit auf der Seite „Prüfen“ prüfen, auch ohne Verbindung.
erased-document = Das Dokument selbst

## Datenschutzerklärung

notice-title = Datenschutzerklärung
notice-intro = Geschrieben aus den Einstellungen, die in diesem Moment gelten. Lesen Sie die Kurzfassung, oder öffnen Sie, worüber Sie mehr wissen wollen.
notice-short = In Kürze
notice-short-1 = Bevor der Bot eine Nachricht liest, werden persönliche Angaben herausgenommen und ersetzt.
notice-short-2 = Was aufbewahrt wird, ist mit einem Schlüssel verschlossen, den nur Sie haben. Löschen Sie alles, wird der Schlüssel vernichtet.
notice-short-3 = Passwörter, Prüfziffern von Karten und PINs werden sofort weggeworfen.
notice-short-4 = Sie können Ihre Daten hier jederzeit ansehen, berichtigen, mitnehmen und löschen.
notice-collected = Bisher von Ihnen
notice-conversations = Gespräche
notice-changes = Änderungen, seit Sie zuletzt zugestimmt haben
notice-changes-none = Nichts hat sich geändert.
notice-who = Wer verantwortlich ist
notice-purposes = Wozu und wie lange
notice-recipients = Wer Daten bekommt
notice-classes = Was mit jeder Art von Daten geschieht
notice-logs = Protokolle
notice-rights = Ihre Rechte
notice-rights-text = Das meiste können Sie hier selbst tun. Sie können sich auch bei der Datenschutzbehörde Ihres Wohnorts beschweren.
notice-cookies = Cookies
notice-cookies-text = Nur, was die Seiten brauchen. Nichts wird gespeichert, um Ihnen zu folgen, und niemand sonst bekommt etwas.
notice-version = Fassung { $n }: der Anfang der SHA-256 dieser Erklärung. Sie steht im öffentlichen Protokoll.
notice-controller = { $name } entscheidet, was mit Ihren Daten geschieht.
notice-controller-unnamed = Wer diesen Dienst betreibt, entscheidet, was mit Ihren Daten geschieht. Der Name wurde hier noch nicht eingetragen.
controller-address = Adresse: { $given }
controller-contact = Kontakt: { $given }
controller-representative = Vertretung in der Europäischen Union: { $given }
controller-dpo = Datenschutzbeauftragte: { $given }
notice-purpose = { $name }. { $basis }.
notice-purpose-service = { $name }. Die Grundlage hängt vom Bot ab, siehe unten.
notice-keep = { $class }: Aufbewahrung { $time }
notice-sold-or-shared = Dazu dürfen Daten verkauft oder weitergegeben werden. Das Signal Ihres Browsers dagegen (Global Privacy Control) schaltet es ab.
notice-special = Empfindliche Daten dürfen dazu nach dem Gesetz genutzt werden: { $ground }
notice-bot = Der Bot „{ $name }“ ({ $host }) bekommt Ihre Nachrichten und antwortet Ihnen. { $basis }.
notice-recipient = „{ $name }“ ({ $host }) erfährt, was aus Ihren Daten wird.
told-erased = Wenn sie gelöscht werden
told-corrected = Wenn etwas berichtigt wird
told-restricted = Wenn sie eingefroren werden oder nicht mehr
notice-class = { $class }: { $bot }; { $kept }.
notice-kind = { $kind }: { $done }
notice-log = Jeder Schritt hinterlässt eine Zeile in einem Protokoll, das niemand heimlich ändern kann. Darin stehen keine Namen, Texte oder Werte. Es wird nicht gelöscht.
bot-pass = der Bot sieht sie
bot-token = der Bot bekommt einen Platzhalter
bot-coarser = der Bot bekommt einen Teil oder etwas Gröberes
bot-block = die Nachricht wird angehalten
bot-drop = entfernt, bevor der Bot sie liest
kept-drop = nicht aufbewahrt
kept-coarser = nur ein Teil oder etwas Gröberes wird aufbewahrt, verschlossen
kept-sealed = aufbewahrt, verschlossen mit Ihrem Schlüssel
change-new = Neu
change-gone = Nicht mehr
change-other = Geändert
cookie-session = dass Sie angemeldet sind; endet mit dem Schließen des Browsers
cookie-before = dass in diesem Browser eine Anmeldung begann; endet mit dem Schließen des Browsers
cookie-chat = Ihr Gespräch in diesem Browser ohne Konto; ein Jahr
cookie-language = die Sprache, die Sie gewählt haben; ein Jahr
cookie-tips = dass Sie im Chat keine Tipps möchten; ein Jahr
cookie-then = die Seite, zu der Sie nach der Anmeldung zurückkommen; eine Viertelstunde

## Anfragen

requests-title = Anfragen
requests-intro = Das meiste können Sie hier selbst tun, sofort. Um den Rest können Sie uns bitten und sehen, wie es weitergeht.
requests-new = Um etwas bitten
requests-what = Was möchten Sie?
requests-law = Welches Gesetz?
requests-text = In Ihren eigenen Worten (kann leer bleiben)
requests-do = Absenden
requests-none = Sie haben noch um nichts gebeten.
requests-received = Eingegangen
requests-due = Wir antworten bis
requests-extended = einmal verlängert
requests-timeline = Wo sie steht
requests-messages = Nachrichten
requests-say = Etwas dazu schreiben
requests-say-do = Nachricht senden
reports-title = Nachrichten, die Sie gemeldet haben
reports-open = Noch hat niemand hineingesehen.
reports-confirmed = Ein Mensch hat es angesehen: Sie hatten recht. Danke, das hilft, solche Nachrichten zu erkennen.
reports-refused = Ein Mensch hat es angesehen und nichts daran auszusetzen gefunden.
reports-sent = Gemeldet
reports-decided = Entschieden
right-access = Sehen, was über mich aufbewahrt wird
right-portability = Meine Daten mitnehmen
right-rectify = Etwas berichtigen lassen
right-restrict = Meine Daten einfrieren lassen
right-object = Eine Nutzung meiner Daten beenden lassen
right-erase = Meine Daten löschen lassen
law-gdpr = Europäische Union (DSGVO)
law-ccpa = Kalifornien (CCPA)
state-received = Eingegangen
state-identified = Sie sind es
state-in-work = In Arbeit
state-done = Erledigt
state-refused = Abgelehnt
due-soon = bald
due-over = überfällig

## Wer hineingesehen hat

looks-title = Wer hat hineingesehen
looks-intro = Jedes Mal, wenn jemand, der hier arbeitet, oder ein Programm Ihre Daten ansieht oder ändert, steht es hier mit dem Grund.
looks-none-yet = Bisher hat niemand hineingesehen.
looks-list = Wer hineinsah
looks-refused = abgelehnt
looks-reason = Grund:
looks-ticket = Vorgang:
looks-index = Zeile { $n } des Protokolls
looks-next = Älteres
by-staff = Jemand vom Personal
by-program = Ein Programm
by-yourself = Sie
role-analyst = Analyse
role-privacy-officer = Datenschutz
role-trainer = Schulung
role-auditor = Prüfung
role-admin = Verwaltung
role-other = andere Rolle
look-list = Sah, was es gibt, ohne die Werte
look-received = Las, was der Bot bekam
look-reveal = Sah einen Wert
look-export = Machte eine Kopie Ihrer Daten
look-correct = Berichtigte einen Wert
look-restrict = Fror Ihre Daten ein oder beendete das
look-erase = Löschte Ihre Daten
look-hold = Setzte oder beendete eine rechtliche Sperre
look-consent = Schrieb eine Entscheidung von Ihnen auf
look-request = Arbeitete an einer Anfrage von Ihnen
look-review = Sah eine Nachricht an, die Sie gemeldet haben; persönliche Daten waren verborgen
look-other = Tat etwas anderes
look-for-support = Um Ihnen zu helfen
look-for-security = Für die Sicherheit
look-for-request = Für eine Anfrage von Ihnen
look-for-training = Um Bots zu schulen
look-for-audit = Für eine Prüfung des Dienstes
look-for-operation = Um den Dienst zu betreiben

## Was verloren ginge

leak-title = Was verloren ginge
leak-intro = Angenommen, ein Dieb stiehlt heute unsere ganze Datenbank, aber nicht die Schlüssel, die anderswo liegen. Das könnte er über Sie lesen. Die Liste ist aus der Datenbank selbst gemacht.
leak-clear = Was über Sie gelesen werden könnte
leak-clear-nothing = Über Sie wird nichts aufbewahrt, also könnte nichts gelesen werden.
leak-clear-count = Dass jemand ohne Namen hier geschrieben hat. Gespräche: { $conversations }. Nachrichten: { $messages }.
leak-clear-times = Wann sie geschrieben wurden: von { $first } bis { $last }.
leak-clear-bots = Welcher Bot geantwortet hat: { $n }.
leak-clear-decisions = { $n ->
    [0] Dass Sie zu Einwilligungen noch nichts entschieden haben.
    [one] Das Ergebnis einer Entscheidung zu Einwilligungen, als Zahlen.
   *[other] Das Ergebnis von { $n } Entscheidungen zu Einwilligungen, als Zahlen.
    }
leak-clear-not = Nicht, wer Sie sind, und kein Wort von dem, was geschrieben wurde.
leak-things = Alles, was gespeichert ist
leak-count = { $n ->
    [one] eines von Ihnen
   *[other] { $n } von Ihnen
    }
leak-never = Passwörter, Prüfziffern von Karten und PINs werden nirgends aufbewahrt und können deshalb nicht verloren gehen.
leak-both = Würden auch die Schlüssel gestohlen, ließe sich Verschlossenes öffnen. Deshalb liegen sie getrennt.
leak-customers = Dass es jemanden gibt, als Zufallszahl
leak-conversations = Dass es ein Gespräch gibt, und wann es begann
leak-turns = Was der Bot bekam
leak-closings = Was Ihnen geantwortet wurde
leak-issued = Ihre Angaben, die der Bot nicht bekam
leak-history-tags = Zeichen, an denen ein Gespräch wiedererkannt wird
leak-handles = Zeichen, an denen Konten gefunden werden
leak-trail = Welche Zeilen des Protokolls von Ihnen handeln
leak-log = Das Protokoll: was geschah, ohne Namen und Texte
leak-standings = Wozu Sie Ja und Nein gesagt haben, als Zahlen
leak-keys = Ihr Schlüssel, eingewickelt in einen anderen
leak-account = Wie Sie sich anmelden
leak-session = Wo Sie angemeldet sind
leak-claim = Dass ein Gespräch ohne Namen Ihres ist
leak-look = Wer Ihre Daten ansah und warum
leak-consent = Ihre Entscheidungen, Wort für Wort
leak-request = Ihre Anfragen
leak-hold = Ein rechtlicher Grund, Ihre Daten aufzubewahren
leak-answer = Antworten, die einen Tag aufbewahrt werden, falls ein Programm zweimal fragt
leak-certificate = Der Beweis, dass jemand gelöscht wurde
leak-notice = Was anderen noch zu sagen ist, und der Name, unter dem sie Sie kennen
leak-flag = Nachrichten, die Sie beanstandet haben, und warum
leak-incident = Alarme, die Nachrichten ausgelöst haben, mit einem Code statt Ihres Namens
leak-handover = Ob ein Bot oder ein Mensch Ihnen antwortet
leak-written = Was Menschen des Hauses Ihnen geschrieben haben
leak-waiting = Eine Nachricht von Ihnen, die darauf wartet, dass jemand des Hauses sie ansieht
sealed-customer = Verschlossen mit Ihrem eigenen Schlüssel
sealed-own = Verschlossen mit einem eigenen Schlüssel
sealed-house = Verschlossen mit einem Schlüssel des Hauses
sealed-wrapped = Verschlossen mit einem Schlüssel, der nicht in der Datenbank liegt
sealed-not = Lesbar: Zufallszahlen, Anzahlen und Zeiten
sealed-file = In einer Datei, die nur das Programm lesen kann

## Prüfen

verify-title = Eine Quittung oder Bescheinigung prüfen
verify-intro = Ist das Papier echt, und sagt unser Protokoll dasselbe? Sie müssen uns das nicht glauben.
verify-here = Eine Datei auf dieser Seite prüfen
verify-file = Die Datei
verify-file-hint = Sie bleibt in Ihrem Browser. Nichts wird gesendet, und es geht auch ohne Verbindung.
verify-pasted = Von unserem Server prüfen lassen
verify-text = Der Text der Datei
verify-text-hint = Öffnen Sie die Datei und kopieren Sie alles hierher. Wir bewahren nichts auf.
verify-do = Prüfen
verify-how = Was geprüft wird
verify-step-1 = Dass das Papier mit dem Schlüssel unseres Protokolls unterschrieben ist und kein Buchstabe daran geändert wurde.
verify-step-2 = Bei einer Bescheinigung: dass der Stand des Protokolls darin mit demselben Schlüssel unterschrieben ist.
verify-step-3 = Dass die Zeile über Ihre Löschung in diesem Protokoll steht.
verify-step-4 = Dass diese Zeile dasselbe sagt wie das Papier.
verify-not = Was das nicht zeigen kann: dass außerhalb dieses Systems keine Kopie blieb.
verify-key = Der Schlüssel:
verify-receipt = Die Quittung ist echt.
verify-receipts = Alle Quittungen in der Datei sind echt.
verify-certificate = Die Bescheinigung ist echt: Sie ist unterschrieben, und die Löschung steht im Protokoll.
verify-form = Das ist weder eine Quittung noch eine Bescheinigung.
verify-signature = Die Unterschrift passt nicht: Es wurde geändert, oder jemand anderes hat es gemacht.
verify-checkpoint = Der Stand des Protokolls darin ist nicht mit diesem Schlüssel unterschrieben.
verify-proof = Die Zeile darin steht nicht im Protokoll.
verify-event = Die Zeile im Protokoll sagt etwas anderes als das Papier.
verify-unable = Dieser Browser kann Unterschriften nicht prüfen. Lassen Sie unseren Server prüfen.

## Ratgeber

guides-title = Ratgeber
guides-intro = Jeder braucht weniger als zwei Minuten.
guides-back = Alle Ratgeber
try-title = Ausprobieren
try-intro = Schreiben Sie etwas und sehen Sie, was vor dem Bot verborgen würde. Es geht an keinen Bot, und nichts davon wird aufbewahrt.
try-text = Ihr Text
try-example = Ich heiße Maria Braun, meine Karte ist 4111 1111 1111 1111, schreiben Sie an maria@example.com.
try-do = Zeigen
try-result = Was der Bot bekäme
try-removed = entfernt
try-replaced = ersetzt durch einen Platzhalter
try-count = { $n ->
    [0] Nichts würde verborgen.
    [one] Eine Angabe würde verborgen.
   *[other] { $n } Angaben würden verborgen.
    }
try-kept = Es ist schon vergessen: Es wurde nie aufgeschrieben.

why-held = Ein rechtlicher Grund verbietet es vorerst, das zu löschen.
why-not-optional = Das gehört zum Dienst und lässt sich nicht abschalten. Sie können stattdessen alles löschen.
why-unknown-purpose = Diesen Zweck gibt es nicht mehr. Sehen Sie noch einmal nach.
why-request-closed = Diese Anfrage wurde schon beantwortet. Stellen Sie eine neue.
why-customer-not-found = Über Sie wird nichts aufbewahrt.
why-turn-not-found = Diese Nachricht gibt es nicht, oder sie wird nicht mehr aufbewahrt.
