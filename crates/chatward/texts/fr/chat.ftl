# Ce que lisent les clients sur la page de chat.

page-title = Chat d’assistance
page-description = Discutez avec notre assistant automatique. Vos données personnelles sont remplacées avant que le bot ne les voie.
skip-link = Aller à votre message
bot-notice = Vous parlez à un bot, pas à une personne.
person-notice = Une personne répond maintenant ici, pas le bot.

## The introduction

intro-title = Écrivez librement. Vos données restent ici.
intro-text = Les noms, cartes, adresses et autres sont remplacés avant que le bot reçoive votre message, puis remis dans sa réponse. Sous chaque message, vous voyez exactement ce que le bot a reçu.
demo-written = Vous écrivez
demo-received = Le bot reçoit
demo-hello = Je m’appelle
demo-name = Anna Berg
demo-card = et ma carte est
demo-card-number = 4111 1111 1111 1111

examples-title = Essayer un exemple
example-card = Nom et carte
example-card-text = Bonjour, je m’appelle Anna Berg et ma carte est 4111 1111 1111 1111.
example-address = Nouvelle adresse
example-address-text = Merci de changer mon adresse : 12 rue des Lilas, 69003 Lyon. Mon e-mail est anna.berg@example.org.
example-secret = Un mot de passe
example-secret-text = Je ne peux pas me connecter. Mon mot de passe est Tournesol-88, pouvez-vous vérifier ?
example-order = Ma commande
example-order-text = Où est ma commande 48213 ? Vous pouvez m’appeler au +33 1 70 18 99 00.

## The conversation

conversation-title = Conversation
said-you = Vous
said-bot = Bot d’assistance
said-person = Une personne
person-reads = Une personne lit ceci et répondra ici.
writing = Le bot écrit …
stopped = Vous avez arrêté cette réponse.

protected-one = { $n } donnée protégée
protected-other = { $n } données protégées
removed-one = { $n } donnée retirée
removed-other = { $n } données retirées

received-open = Ce que le bot a reçu
received-yours = Votre message, tel que le bot l’a reçu
received-exact = Tout ce qui a été envoyé au bot, tel quel
received-plain = Il n’y avait rien à protéger dans ce message.
received-wait = Un instant …
received-nothing = Rien. Le bot n’a pas reçu ce message.
received-failed = Le chargement a échoué. Fermez et rouvrez pour réessayer.
received-confirm = Confirmez que c’est vous, puis regardez à nouveau.

kind-name = un nom
kind-email = une adresse e-mail
kind-phone = un numéro de téléphone
kind-card = un numéro de carte
kind-expiry = la date d’expiration d’une carte
kind-account = un compte bancaire
kind-address = une adresse
kind-birth = une date de naissance
kind-identity = un numéro d’identité
kind-wallet = une adresse de portefeuille
kind-secret = quelque chose de secret, retiré pour de bon
kind-other = une donnée privée

copy = Copier
copied = Copié
flag-open = Signaler
flag-title = Qu’est-ce qui ne va pas dans ce message ?
flag-words = Quelques mots, si vous le souhaitez
flag-untrue = Ce n’est pas vrai
flag-harmful = C’est blessant ou dangereux
flag-not-hidden = Cela montre quelque chose qui devrait être caché
flag-hidden-needlessly = Cela cache quelque chose d’anodin
flag-fraud = Cela ressemble à une fraude
flag-other = Autre chose
flag-received = Bien reçu. Merci. Vos signalements figurent dans la copie de vos données.
flag-failed = L’envoi a échoué. Veuillez réessayer.
ask-again = Réessayer
reconnecting = La connexion a été perdue. Nouvel essai …
history-failed = Vos messages précédents n’ont pas pu être chargés. Rechargez la page pour les voir.

## Consent, before the first message

consent-title = Avant d’écrire
consent-yes = Oui
consent-no = Non
consent-lead = C’est vous qui décidez. Vous pouvez changer d’avis à tout moment derrière le bouclier.
consent-needed = Le bot ne peut répondre que si vous acceptez. Vous pouvez le faire à tout moment derrière le bouclier.
consent-failed = Votre choix n’a pas pu être enregistré. Veuillez réessayer.

## Behind the shield

shield-open = Qui peut lire ceci ?
shield-title = Vos données ici
shield-close = Fermer
sealed-channel = Scellé entre votre navigateur et { $house }. { $bot } reçoit la version ci-dessous.
sealed-tls = Chiffré en chemin par TLS.
channel-not = Non chiffré en chemin : ceci est un essai sur une seule machine.
who-title = Qui peut lire quoi
who-you = Vous : tout ce que vous avez écrit.
who-house = { $house } : lit vos messages pour cacher vos données et les garde sous une clé qui n’est qu’à vous.
who-bot = { $bot } : seulement la version avec des repères.
who-staff = Les personnes de la maison : des repères ; une valeur seulement avec une raison que vous pourrez lire ensuite.
shield-consents = À quoi vos données peuvent servir
consents-fixed = Nécessaire pour ce chat
tips-switch = Petits conseils dans le chat
links-title = Plus
link-data = Mes données
link-guides = Guides
link-sign-in = Se connecter
close-chat = Fermer le chat

## Tips: at most one in a conversation

tip-password = Personne de sérieux ne demande votre mot de passe dans un chat. Si c’était un vrai, il n’est pas allé plus loin, mais changez-le si d’autres ont pu voir votre écran.
tip-card-code = Les trois chiffres au dos de votre carte ne servent que dans le formulaire de paiement. Ils ont été retirés ici.
tip-file = Avant de joindre un fichier, vérifiez que tout son contenu est nécessaire.
tip-done = Compris
tip-never = Plus de conseils

## Writing

hint-card = Un numéro de carte sera caché au bot.
hint-account = Un numéro de compte sera caché au bot.
hint-email = Une adresse e-mail sera cachée au bot.
hint-secret = Un mot de passe sera retiré. Mieux vaut l’enlever vous-même.
attach = Joindre un fichier
attach-kinds = Texte, PDF, Word, Excel, PowerPoint ou OpenDocument
file-kind = Ce type de fichier n’est pas accepté ici. Texte, PDF, Word, Excel, PowerPoint et OpenDocument le sont.
file-large = Ce fichier est trop volumineux.
file-unreadable = Aucun texte n’a pu être lu dans ce fichier.
file-refused = Ce fichier contient quelque chose qui peut nuire et n’a pas été transmis. Envoyez du texte simple ou un PDF simple.

composer-label = Votre message
composer-keys = Entrée envoie, Maj + Entrée commence une nouvelle ligne.
composer-hint = Personne ici n’a besoin d’un mot de passe ni d’un code de carte.
send = Envoyer
stop = Arrêter

## When something goes wrong

error-offline = Votre message n’a pas pu être envoyé. Vérifiez votre connexion et réessayez.
error-busy = C’était un peu rapide. Attendez un instant, puis renvoyez votre message.
error-large = Ce message est trop long. Envoyez-le en plus petits morceaux.
error-unknown = Ce chat n’a pas reconnu votre navigateur. Autorisez les cookies pour ce site et rechargez la page.
error-refused = Ce message n’a pas été transmis au bot.
# After the sentence above: why.
refusal-attack-refused = Il ressemble à une tentative de détourner ce service. S’il était bien intentionné, écrivez-le autrement, ou choisissez « Signaler » sous votre message : une personne le regarde.
refusal-held-for-review = Une personne le regarde d’abord. Renvoyez le même message plus tard : il passe dès qu’elle l’a permis.
refusal-blocked-content = Il contient quelque chose que ce service n’accepte pas. Retirez-le et renvoyez-le.
error-server = Un problème est survenu de notre côté. Réessayez dans un instant.
error-cut = La réponse s’est interrompue ici. Veuillez reposer la question.
error-empty = Le bot n’a pas répondu. Posez la question autrement.
threat-warned = Attention : quelque chose ici ressemble à une fraude. N’ouvrez aucun lien et ne donnez à personne codes ou mots de passe.

noscript-title = Ce chat a besoin de JavaScript
noscript-text = Votre réponse arrive mot à mot, et il faut pour cela JavaScript, qui est désactivé dans ce navigateur. Le script vient de ce site seulement, et rien n’est envoyé à d’autres.
