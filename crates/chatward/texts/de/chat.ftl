# Was Kundinnen und Kunden auf der Chatseite lesen.

page-title = Support-Chat
page-description = Chatten Sie mit unserem Support-Bot. Ihre persönlichen Angaben werden ersetzt, bevor der Bot sie sieht.
skip-link = Zu Ihrer Nachricht springen
bot-notice = Sie sprechen mit einem Bot, nicht mit einem Menschen.
person-notice = Hier antwortet jetzt ein Mensch, nicht der Bot.

## The introduction

intro-title = Schreiben Sie frei. Ihre Daten bleiben hier.
intro-text = Namen, Karten, Adressen und Ähnliches werden ersetzt, bevor der Bot Ihre Nachricht bekommt, und in seine Antwort wieder eingesetzt. Unter jeder Nachricht sehen Sie genau, was der Bot bekommen hat.
demo-written = Sie schreiben
demo-received = Der Bot bekommt
demo-hello = Mein Name ist
demo-name = Anna Berg
demo-card = und meine Karte ist
demo-card-number = 4111 1111 1111 1111

examples-title = Beispiel ausprobieren
example-card = Name und Karte
example-card-text = Hallo, mein Name ist Anna Berg und meine Karte ist 4111 1111 1111 1111.
example-address = Neue Adresse
example-address-text = Bitte ändern Sie meine Adresse in Lindenweg 12, 50667 Köln. Meine E-Mail ist anna.berg@example.org.
example-secret = Ein Passwort
example-secret-text = Ich kann mich nicht anmelden. Mein Passwort ist Sonnenblume-88, können Sie nachsehen?
example-order = Meine Bestellung
example-order-text = Wo ist meine Bestellung 48213? Sie erreichen mich unter +49 30 901820.

## The conversation

conversation-title = Unterhaltung
said-you = Sie
said-bot = Support-Bot
said-person = Ein Mensch
person-reads = Das liest ein Mensch und antwortet hier.
writing = Der Bot schreibt …
stopped = Sie haben diese Antwort angehalten.

protected-one = { $n } Angabe geschützt
protected-other = { $n } Angaben geschützt
removed-one = { $n } Angabe entfernt
removed-other = { $n } Angaben entfernt

received-open = Was der Bot bekommen hat
received-yours = Ihre Nachricht, wie der Bot sie bekam
received-exact = Alles, was an den Bot ging, unverändert
received-plain = In dieser Nachricht gab es nichts zu schützen.
received-wait = Einen Moment …
received-nothing = Nichts. Der Bot hat diese Nachricht nicht bekommen.
received-failed = Das ließ sich gerade nicht laden. Bitte schließen und noch einmal öffnen.
received-confirm = Bestätigen Sie, dass Sie es sind, und sehen Sie dann noch einmal nach.

kind-name = ein Name
kind-email = eine E-Mail-Adresse
kind-phone = eine Telefonnummer
kind-card = eine Kartennummer
kind-expiry = das Ablaufdatum einer Karte
kind-account = ein Bankkonto
kind-address = eine Anschrift
kind-birth = ein Geburtsdatum
kind-identity = eine Ausweis- oder Steuernummer
kind-wallet = eine Wallet-Adresse
kind-secret = etwas Geheimes, endgültig entfernt
kind-other = eine private Angabe

copy = Kopieren
copied = Kopiert
flag-open = Melden
flag-title = Was stimmt mit dieser Nachricht nicht?
flag-words = Ein paar Worte dazu, wenn Sie möchten
flag-untrue = Es stimmt nicht
flag-harmful = Es ist verletzend oder gefährlich
flag-not-hidden = Es zeigt etwas, das verborgen sein sollte
flag-hidden-needlessly = Es verbirgt etwas Harmloses
flag-fraud = Es sieht nach Betrug aus
flag-other = Etwas anderes
flag-received = Angekommen. Vielen Dank. Ihre Meldungen finden Sie in der Kopie Ihrer Daten.
flag-failed = Das ließ sich gerade nicht senden. Bitte versuchen Sie es noch einmal.
ask-again = Noch einmal versuchen
reconnecting = Die Verbindung ist abgebrochen. Neuer Versuch …
history-failed = Ihre früheren Nachrichten ließen sich nicht laden. Laden Sie die Seite neu, um sie zu sehen.

## Consent, before the first message

consent-title = Bevor Sie schreiben
consent-yes = Ja
consent-no = Nein
consent-lead = Sie entscheiden. Ändern können Sie es jederzeit hinter dem Schild.
consent-needed = Der Bot kann nur antworten, wenn Sie zustimmen. Das geht jederzeit hinter dem Schild.
consent-failed = Ihre Wahl ließ sich gerade nicht speichern. Bitte versuchen Sie es noch einmal.

## Behind the shield

shield-open = Wer kann das lesen?
shield-title = Ihre Daten hier
shield-close = Schließen
sealed-channel = Versiegelt zwischen Ihrem Browser und { $house }. { $bot } bekommt die Fassung darunter.
sealed-tls = Unterwegs mit TLS verschlüsselt.
channel-not = Unterwegs nicht verschlüsselt: Das ist ein Versuch auf einem einzelnen Rechner.
who-title = Wer was lesen kann
who-you = Sie: alles, was Sie geschrieben haben.
who-house = { $house }: liest Ihre Nachrichten, um Ihre Daten zu verbergen, und bewahrt sie unter einem Schlüssel auf, der nur Ihnen gehört.
who-bot = { $bot }: nur die Fassung mit Platzhaltern.
who-staff = Menschen im Haus: Platzhalter; einen Wert nur mit einem Grund, den Sie danach lesen können.
shield-consents = Wofür Ihre Daten verwendet werden dürfen
consents-fixed = Für diesen Chat nötig
tips-switch = Kurze Tipps im Chat
links-title = Mehr
link-data = Meine Daten
link-guides = Ratgeber
link-sign-in = Anmelden
close-chat = Chat schließen

## Tips: at most one in a conversation

tip-password = Niemand Seriöses fragt im Chat nach Ihrem Passwort. Falls es ein echtes war: Es ist nicht weitergegeben worden, aber ändern Sie es, wenn andere Ihren Bildschirm gesehen haben könnten.
tip-card-code = Die drei Ziffern auf der Rückseite Ihrer Karte gehören nur ins Zahlungsformular. Hier wurden sie entfernt.
tip-file = Sehen Sie vor dem Anhängen nach, ob wirklich alles aus der Datei gebraucht wird.
tip-done = Verstanden
tip-never = Keine Tipps mehr

## Writing

hint-card = Eine Kartennummer wird vor dem Bot verborgen.
hint-account = Eine Kontonummer wird vor dem Bot verborgen.
hint-email = Eine E-Mail-Adresse wird vor dem Bot verborgen.
hint-secret = Ein Passwort wird entfernt. Besser, Sie lassen es selbst weg.
attach = Datei anhängen
attach-kinds = Text, PDF, Word, Excel, PowerPoint oder OpenDocument
file-kind = Diese Art von Datei wird hier nicht angenommen. Text, PDF, Word, Excel, PowerPoint und OpenDocument gehen.
file-large = Diese Datei ist zu groß.
file-unreadable = Aus dieser Datei ließ sich kein Text lesen.
file-refused = Diese Datei enthält etwas, das schaden kann, und wurde nicht weitergegeben. Bitte schicken Sie reinen Text oder ein einfaches PDF.

composer-label = Ihre Nachricht
composer-keys = Enter sendet, Umschalt + Enter beginnt eine neue Zeile.
composer-hint = Niemand hier braucht ein Passwort oder eine Kartenprüfnummer.
send = Senden
stop = Anhalten

## When something goes wrong

error-offline = Ihre Nachricht ließ sich nicht senden. Bitte prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.
error-busy = Das war etwas schnell. Bitte warten Sie einen Moment und senden Sie Ihre Nachricht dann noch einmal.
error-large = Diese Nachricht ist zu lang. Bitte senden Sie sie in kleineren Teilen.
error-unknown = Dieser Chat hat Ihren Browser nicht erkannt. Bitte erlauben Sie Cookies für diese Seite und laden Sie sie neu.
error-refused = Diese Nachricht wurde nicht an den Bot weitergegeben.
# After the sentence above: why.
refusal-attack-refused = Sie sieht aus wie ein Versuch, diesen Dienst zu missbrauchen. War sie gut gemeint, schreiben Sie sie in anderen Worten, oder wählen Sie „Melden“ unter Ihrer Nachricht: Ein Mensch sieht sie sich an.
refusal-held-for-review = Ein Mensch sieht sie sich zuerst an. Senden Sie dieselbe Nachricht später noch einmal: Sie geht weiter, sobald er sie freigegeben hat.
refusal-blocked-content = Sie enthält etwas, das dieser Dienst nicht annimmt. Lassen Sie es weg und senden Sie sie noch einmal.
error-server = Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es gleich noch einmal.
error-cut = Die Antwort brach hier ab. Bitte fragen Sie noch einmal.
error-empty = Der Bot gab keine Antwort. Bitte fragen Sie mit anderen Worten.
threat-warned = Vorsicht: Hier sieht etwas nach Betrug aus. Öffnen Sie keine Links und geben Sie niemandem Codes oder Passwörter.

noscript-title = Dieser Chat braucht JavaScript
noscript-text = Ihre Antwort kommt Wort für Wort, und dafür braucht es JavaScript, das in diesem Browser abgeschaltet ist. Das Skript kommt nur von dieser Seite, und niemand sonst bekommt etwas.
