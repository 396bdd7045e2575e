# Was Kundinnen, Kunden und Mitarbeitende beim Anmelden lesen. Drei Begriffe, immer gleich: Passkey, Authenticator-App,
# Wiederherstellungscodes. Jede Nachricht steht in einer Zeile.

title-error = Fehler:
skip = Zum Inhalt springen
side-staff = Mitarbeitende
sign-out = Abmelden
other-ways = Andere Wege
name = Name
remove = Entfernen
added = Hinzugefügt
last-used = Zuletzt benutzt
offline = Es kam keine Antwort. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.

## Anmelden

sign-in-title = Anmelden
sign-in-intro = Mit einem Passkey melden Sie sich mit dem an, womit Sie Ihr Gerät entsperren: Finger, Gesicht oder PIN.
sign-in-passkey = Mit einem Passkey anmelden
sign-in-offered = Oder wählen Sie einen der Passkeys dieses Browsers
sign-in-provider = Über Ihre Organisation anmelden
sign-in-by-password = Mit einem Passwort
sign-in-do = Anmelden
password = Passwort
to-sign-in = Zur Anmeldung
to-sign-up = Konto anlegen
to-help = Nichts davon geht
to-security = Zu Ihrem Konto
to-where-one-was = Zurück dorthin, wo Sie waren

passkey-noscript = Ein Passkey braucht JavaScript, das in diesem Browser ausgeschaltet ist.
passkey-cancelled = Es wurde kein Passkey benutzt. Wenn Ihr Browser Sie nichts gefragt hat, hat es vielleicht zu lange gedauert. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.
passkey-known-here = Dieses Gerät hat schon einen Passkey für dieses Konto.
passkey-unsupported = Dieser Browser kann keine Passkeys benutzen. Nehmen Sie einen anderen Browser, ein anderes Gerät oder einen anderen Weg.
passkey-failed = Mit diesem Passkey klappte die Anmeldung nicht. Nehmen Sie einen anderen oder wählen Sie einen anderen Weg.

## Ein Konto anlegen

sign-up-title = Konto anlegen
sign-up-intro = Wählen Sie einen Namen. Danach richten Sie einen Passkey ein und brauchen kein Passwort.
sign-up-name-hint = Höchstens 64 Zeichen. Sie brauchen ihn, wenn Sie sich einmal mit einem Wiederherstellungscode anmelden.
sign-up-do = Weiter

## Eine Einladung

invitation-title = Willkommen
invitation-intro = Sie wurden eingeladen. Gehen Sie weiter und richten Sie ein, wie Sie sich anmelden.
invitation-token = Einladung
invitation-token-hint = Über den Link ist sie schon ausgefüllt. Wenn nicht, kopieren Sie, was im Link nach dem Zeichen # steht.
invitation-do = Weiter

## Einrichten

set-up-title = Richten Sie ein, wie Sie sich anmelden
set-up-passkey = Ihr Gerät bewahrt den Passkey auf und fragt nach Finger, Gesicht oder PIN. Mehr brauchen Sie nicht.
set-up-other = Ich kann keinen Passkey benutzen
set-up-both = Ohne Passkey brauchen Sie beides: ein Passwort und eine Authenticator-App.
set-up-app = Benutzen Sie eine Authenticator-App und machen Sie danach Wiederherstellungscodes: Ohne Passkey melden Sie sich mit einem der Codes und der App an.
set-up-staff-passkey = Hier melden sich alle mit einem Passkey an. Auch ein Sicherheitsschlüssel oder ein Telefon kann ihn aufbewahren. Haben Sie keins davon, fragen Sie die Verwaltung.
passkey = Passkey
passkey-add = Passkey hinzufügen
passkey-label = Name dieses Passkeys
passkey-label-hint = Um ihn von anderen zu unterscheiden: „mein Telefon“. Sie dürfen ihn leer lassen.

## Bestätigen, dass Sie es sind

step-up-title = Bestätigen Sie, dass Sie es sind
step-up-intro = Was jetzt kommt, braucht eine Prüfung aus den letzten Minuten.
step-up-passkey = Passkey benutzen
step-up-do = Bestätigen
step-up-lost = Sie haben ihn verloren?
step-up-lost-text = Mit einem Wiederherstellungscode können Sie einen neuen Passkey oder eine neue Authenticator-App einrichten.
step-up-wait = Was Sie nach einem Wiederherstellungscode einrichten, zählt ab:
app-code = Sechs Ziffern aus Ihrer Authenticator-App
recovery-code = Wiederherstellungscode
recovery-code-hint = Striche, Leerzeichen und Großbuchstaben spielen keine Rolle.

## Hilfe

help-title = Wenn Sie sich nicht anmelden können
help-device = Ein anderes Gerät
help-device-text = Ein Passkey kann auf Ihrem Telefon, Ihrem Computer oder einem Sicherheitsschlüssel liegen. Wählen Sie „anderes Gerät“, wenn Ihr Browser fragt.
help-code = Ein Wiederherstellungscode
help-code-text = Wenn Sie Wiederherstellungscodes gemacht haben, nehmen Sie einen davon. Jeder gilt einmal.
help-code-do = Code benutzen
help-code-customer = Danach können Sie einen neuen Passkey einrichten. Er zählt nach drei Tagen, damit niemand heimlich Ihr Konto übernehmen kann.
help-code-staff = Danach können Sie einen neuen Passkey einrichten. Er zählt, sobald die Verwaltung ihn bestätigt hat.
help-nothing = Nichts davon
help-nothing-staff = Bitten Sie die Verwaltung um eine neue Einladung. Danach richten Sie alles neu ein.
help-nothing-customer = Ohne Passkey oder Wiederherstellungscode kann niemand Ihr Konto öffnen, auch wir nicht. Fragen Sie, wer diesen Dienst betreibt, was sich tun lässt, oder legen Sie ein neues Konto an.

## Das eigene Konto

security-title = Ihr Konto
security-name = Sie sind angemeldet als
security-bare = Es ist noch nichts eingerichtet. Fügen Sie einen Passkey hinzu, sonst können Sie sich nicht wieder anmelden.
security-step-up = Um hier etwas zu ändern, bestätigen Sie, dass Sie es sind.
security-step-up-do = Bestätigen
passkeys = Passkeys
passkeys-none = Sie haben noch keinen.
passkey-unconfirmed = Er zählt noch nicht: Die Verwaltung muss ihn bestätigen.
passkey-waits = Er zählt ab:
app = Authenticator-App
app-none = Eine App auf Ihrem Telefon, die jede halbe Minute einen neuen Code zeigt. Mit einem Passkey brauchen Sie sie nicht.
app-set = Sie ist eingerichtet.
app-add = Authenticator-App einrichten
app-anew = Neu einrichten
app-remove = App entfernen
app-step-open = Öffnen Sie diesen Link auf Ihrem Telefon:
app-link = Authenticator-App öffnen
app-step-type = Oder geben Sie diesen Schlüssel in die App ein:
app-step-code = Geben Sie dann die sechs Ziffern ein, die die App zeigt.
app-again = Geben Sie die sechs Ziffern ein, die Ihre App jetzt zeigt. Wenn der Schlüssel nicht in Ihrer App ist, richten Sie sie neu ein.
app-do = Fertig
codes = Wiederherstellungscodes
codes-title = Ihre Wiederherstellungscodes
codes-text = Für den Tag, an dem Ihr Passkey verloren ist. Jeder Code gilt einmal.
codes-none = Sie haben noch keine.
codes-left = { $n } sind noch übrig.
codes-make = Wiederherstellungscodes machen
codes-anew = Neue Codes machen; die alten gelten dann nicht mehr
codes-intro = Schreiben Sie sie auf oder drucken Sie sie, und bewahren Sie sie getrennt von Ihren Geräten auf. Sie werden nur jetzt gezeigt.
codes-done = Ich habe sie aufbewahrt
password-none = Es ist keines gesetzt.
password-set = Ein Passwort ist gesetzt.
password-new = Neues Passwort
password-hint = Mindestens 12 Zeichen. Mehrere Wörter sind leicht zu merken und schwer zu erraten.
password-do = Passwort setzen
password-remove = Passwort entfernen
devices = Wo Sie angemeldet sind
device-this = Dieser Browser
device-since = Seit
device-seen = Zuletzt bestätigt
device-out = Abmelden
devices-out = Überall abmelden

## Wenn etwas nicht geklappt hat

problem-title = Das hat nicht geklappt
problem-code = Code für den Support:

why-internal = Bei uns ist etwas schiefgegangen. Versuchen Sie es später noch einmal.
why-sign-in-failed = Die Anmeldung hat nicht geklappt. Prüfen Sie Ihre Eingabe oder wählen Sie einen anderen Weg.
why-name-taken = Diesen Namen hat schon jemand. Wählen Sie einen anderen.
why-name-form = Wählen Sie einen Namen mit 1 bis 64 Zeichen.
why-wrong-code = Das ist nicht der Code dieses Augenblicks. Warten Sie auf den nächsten und geben Sie ihn ein.
why-code-used = Dieser Code wurde schon benutzt. Warten Sie auf den nächsten und geben Sie ihn ein.
why-wrong-recovery-code = Das ist keiner Ihrer übrigen Wiederherstellungscodes.
why-tries-paused = Zu viele Fehlversuche. Warten Sie eine halbe Stunde oder benutzen Sie Ihren Passkey.
why-tries-used-up = Zu viele Fehlversuche. Jetzt geht die Anmeldung nur noch mit einem Passkey. Haben Sie keinen, bitten Sie um Hilfe.
why-start-over = Das hat zu lange gedauert oder begann in einem anderen Fenster. Versuchen Sie es noch einmal.
why-ceremony-expired = Das hat zu lange gedauert. Versuchen Sie es noch einmal.
why-session-ended = Sie wurden abgemeldet. Melden Sie sich wieder an.
why-passkey-cloned = Von diesem Passkey gibt es zwei Kopien, darum gilt er nicht mehr. Entfernen Sie ihn und fügen Sie einen neuen hinzu.
why-passkey-user-not-verified = Ihr Gerät hat nicht geprüft, dass Sie es sind. Richten Sie eine PIN oder eine Bildschirmsperre ein oder nehmen Sie ein anderes.
why-last-second-factor = Ohne das könnten Sie sich nicht mehr anmelden. Fügen Sie zuerst etwas anderes hinzu.
why-not-set-up = Das ist nicht oder nicht mehr eingerichtet.
why-already-set-up = Das ist schon eingerichtet.
why-too-many = Mehr davon geht nicht. Entfernen Sie zuerst etwas.
why-second-factor-needed = Bestätigen Sie zuerst, dass Sie es sind.
why-invitation-unknown = Diese Einladung wurde schon benutzt, zurückgezogen oder ist nicht vollständig. Bitten Sie um eine neue.
why-invitation-expired = Diese Einladung ist zu alt. Bitten Sie um eine neue.
why-password-short = Wählen Sie ein Passwort mit mindestens 12 Zeichen.
why-password-long = Wählen Sie ein Passwort mit höchstens 256 Zeichen.
why-password-breached = Dieses Passwort ist aus gestohlenen Daten bekannt. Wählen Sie ein anderes.
why-password-holds-name = Wählen Sie ein Passwort, in dem Ihr Name nicht vorkommt.
why-passwords-off = Passwörter werden hier nicht benutzt. Melden Sie sich mit einem Passkey an.
why-cross-site = Das kam von einer anderen Website. Öffnen Sie die Seite hier und versuchen Sie es noch einmal.
why-origin-not-allowed = Das kam von einer anderen Website. Öffnen Sie die Seite hier und versuchen Sie es noch einmal.
why-form-token = Die Seite war zu alt. Öffnen Sie sie neu und versuchen Sie es noch einmal.
why-not-found = Hier ist nichts.
why-rate-limited = Zu viele Versuche auf einmal. Warten Sie einen Augenblick und versuchen Sie es noch einmal.
why-store-unavailable = Gerade kann nichts gespeichert werden. Versuchen Sie es später noch einmal.
why-bad-request = Etwas fehlt oder ist zu lang. Prüfen Sie Ihre Eingabe.
why-not-allowed = Das dürfen Sie nicht.
why-busy = Jemand hat im selben Augenblick dasselbe geändert. Sehen Sie nach und versuchen Sie es noch einmal.
