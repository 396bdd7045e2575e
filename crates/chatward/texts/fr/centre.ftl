# Ce que les clients lisent dans l'espace confidentialité. Des mots simples, des phrases courtes.

centre = Confidentialité
nav = Confidentialité
nav-overview = Aperçu
nav-notice = Déclaration de confidentialité
nav-consents = Consentements
nav-data = Mes données
nav-requests = Demandes
nav-looks = Qui a regardé
nav-security = Connexion et appareils
nav-guides = Guides
nav-verify = Vérifier
yes = Oui
no = Non
on = Activé
off = Désactivé
goes-on = Effacé le
goes-soon = Effacé au prochain nettoyage, ou à la fin d'un blocage ou du gel
frozen-is = Vos données sont gelées : personne qui travaille ici n'a le droit de les regarder, et rien n'en est effacé de soi-même.
held-until = Une raison légale conserve vos données jusqu'au { $n }. D'ici là, rien ne peut être effacé.

## Entrer

enter-nobody = Vous lisez ceci sans être connu ici. Connectez-vous pour voir vos propres données.
enter-nameless = Nous ne connaissons que ce navigateur. Connectez-vous ou créez un compte pour voir les valeurs, emporter vos données ou les effacer.
enter-do = Se connecter ou créer un compte
enter-unclaimed = Quelqu'un a discuté dans ce navigateur avant votre connexion. Était-ce vous ?
enter-claim = L'ajouter à mon compte
passage-title = Votre conversation sur un autre site
passage-other = Quelqu’un a déjà écrit dans cette fenêtre sans compte. Si vous continuez, cette fenêtre montre la conversation d’où vous venez et ne retrouve plus l’autre. Connectez-vous d’abord si vous voulez garder les deux.
passage-leave = Continuer avec la conversation d’où je viens
passage-stay = Rester avec celle de cette fenêtre
passage-over = Ce lien a déjà servi ou date de plus d’une minute. Ouvrez-le de nouveau depuis la conversation.

## Aperçu

overview-title = Votre vie privée
overview-own = Ce qui est conservé sur vous, pourquoi, qui le reçoit et combien de temps. En date d'aujourd'hui.
overview-general = Ce qui est conservé sur les personnes qui discutent ici, pourquoi, qui le reçoit et combien de temps.
overview-more = En savoir plus
overview-contact = Des questions ? Écrivez à { $n }.
card-what = Quoi
card-what-general = Vos messages et les réponses. Les noms, adresses, numéros de carte et autres sont retirés et mis sous clé avant que le bot ne les lise.
card-what-go = Voir mes données
card-why = Pourquoi
card-why-go = Voir et changer les consentements
card-who = Qui
card-who-controller = { $n } est responsable.
card-who-bot = bot
card-who-recipient = est informé des changements
card-who-go = Qui reçoit quoi
card-long = Combien de temps
card-long-own = La première partie est effacée le { $first }, la dernière le { $last }.
card-long-same = Tout est effacé le { $n }.
card-long-general = Au plus { $n }.
card-long-text = Ensuite, l'effacement se fait tout seul.
card-long-go = Tout effacer maintenant
looks-none = Personne d'autre n'a regardé vos données
looks-some = { $n ->
    [one] Une autre personne a regardé une fois
   *[other] D'autres personnes ont regardé { $n } fois
    }
collected-nothing = Rien n'est conservé sur vous.
conversations = { $n ->
    [one] conversation
   *[other] conversations
    }
to-leak = Ce qui fuirait si notre base de données était volée
to-requests = Demander ce que la loi vous donne
to-guides = Guides courts sur la vie privée et la sécurité
to-verify = Vérifier un reçu ou un certificat

## Finalités, classes, durées

purpose-service = Vous répondre
purpose-quality = Améliorer le service
purpose-analytics = Compter comment le service est utilisé
purpose-training = Former des bots
purpose-marketing = Publicité
class-interaction = Messages et données techniques
class-identity = Noms et coordonnées
class-special = Santé, religion et autres données sensibles
class-payment = Numéros de carte et de compte
class-secret = Mots de passe et codes
class-payment-never-kept = Codes de sécurité de carte et codes PIN
basis-contract = Nécessaire au service
basis-consent = Seulement si vous acceptez
basis-interest = Sauf si vous vous y opposez
span-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
    }
span-hours = { $n ->
    [one] { $n } heure
   *[other] { $n } heures
    }
span-days = { $n ->
    [one] { $n } jour
   *[other] { $n } jours
    }

## Consentements

consents-title = Consentements
consents-intro = Vous décidez à quoi servent vos données. Oui et non demandent chacun un clic et comptent dès votre prochain message.
consents-gpc = Votre navigateur dit que vos données ne doivent être ni vendues ni partagées. Nous le respectons pour chaque message que vous envoyez avec lui.
consents-gpc-here = Désactivé pour les messages de ce navigateur, quoi qu'il soit écrit ici.
consents-service-text = Pour vous répondre, le bot doit lire vos messages. C'est pour cela que vous êtes ici.
consents-kept = conservé au plus { $n }
consents-version = version { $n }
consents-history = Ce que vous avez décidé jusqu'ici
consents-history-none = Rien pour l'instant.
consents-said-yes = Oui à : { $n }
consents-said-no = Non à : { $n }
consents-first = Un message a été envoyé ensuite.
consents-first-none = Aucun message n'a encore été envoyé ensuite.
consents-receipt = Reçu
consents-receipt-of = Reçu du { $n }
consents-receipts = Télécharger tous les reçus
consents-receipt-text = Un reçu est signé. Avec lui, vous pouvez prouver ce que vous avez décidé, et quand.
stand-needed = Activé : nécessaire au service
stand-counts = Activé : vous ne vous y êtes pas opposé
stand-agreed = Activé : vous avez accepté
stand-other-words = Désactivé : le texte a changé, décidez à nouveau
stand-refused = Désactivé : vous avez dit non
stand-not-asked = Désactivé : on ne vous a pas encore demandé

## Mes données

data-title = Mes données
data-intro = Tout ce qui est conservé sur vous, par type et par conversation. Chaque chose a une date à laquelle elle est effacée.
data-download = Tout télécharger
data-erase = Tout effacer
data-freeze = Geler
data-unfreeze = Ne plus geler
data-hidden = Les valeurs sont masquées. Pour les voir et les corriger, confirmez que c'est bien vous.
data-show = Montrer les valeurs
data-by-kind = Par type
data-kind = Type
data-count = Combien
data-first = Premier effacement le
data-last = Dernier effacement le
data-talk = Conversation du { $n }
data-taken-over = Vous l'aviez avant de vous connecter, et vous l'avez ajoutée à votre compte.
data-no-values = Aucun détail personnel n'y a été trouvé.
data-correct = Enregistrer
data-covered = masqué
data-messages = { $n ->
    [one] { $n } message
   *[other] { $n } messages
    }
data-more-messages = { $n ->
    [one] { $n } message plus ancien n'est pas dans cette liste. Il est dans le téléchargement.
   *[other] { $n } messages plus anciens ne sont pas dans cette liste. Ils sont dans le téléchargement.
    }
data-to = À
data-received = Ce que le bot a reçu
data-received-at = Ce que le bot a reçu le { $n }
data-next = Autres conversations
back-to-data = Retour à mes données
item-email = Adresse e-mail
item-name = Nom
item-phone = Numéro de téléphone
item-card = Numéro de carte
item-expiry = Date d'expiration d'une carte
item-account = Compte bancaire
item-wallet = Portefeuille de cryptomonnaie
item-address = Adresse
item-birth = Date de naissance
item-identity = Numéro d'un document
item-other = Autre détail

## Ce que le bot a reçu

message-title = Ce que le bot a reçu
message-intro = Voici ce qui est allé au bot, et rien d'autre. Les mots entre crochets remplacent des détails qu'il n'a pas reçus.
message-texts = Les textes
message-you = Vous
message-bot = Bot
message-whole = Tout, octet par octet

## Tout effacer

erase-title = Tout effacer
erase-intro = Vous pouvez effacer tout ce qui est conservé sur vous. Il n'y a pas de retour possible, même pour nous.
erase-means = Ce qui se passe
erase-key = Votre propre clé est détruite. Sans elle, rien de ce qu'elle fermait ne peut plus être ouvert, même dans les sauvegardes.
erase-rows = Vos conversations, valeurs, consentements et demandes sont effacés.
erase-account = Votre compte est effacé aussi, et vous êtes déconnecté.
erase-told = Ceux qui ont reçu vos données sont priés de les effacer.
erase-stays = Ce qui reste, c'est le journal, où personne n'est nommé, et la preuve.
erase-sure = Tout effacer maintenant ?
erase-do = Oui, tout effacer
erase-no = Non, revenir
erase-factor = Votre clé d'accès ou votre application d'authentification est demandée si cela remonte à plus de dix minutes.
erased-title = Tout est effacé
erased-intro = Ceci est votre preuve. Nous ne pourrons pas la refaire : plus personne ici ne sait qui vous êtes.
erased-certificate = Certificat
erased-key = Clé détruite :
erased-rows = Ce qui a été effacé
erased-table = Où
erased-elsewhere = Autres endroits
erased-recipients = Autres personnes qui avaient des données
erased-download = Télécharger le certificat
erased-keep = Gardez le fichier. Vous pouvez le vérifier à tout moment sur la page « Vérifier », même sans connexion.
erased-document = Le document lui-même

## Déclaration

notice-title = Déclaration de confidentialité
notice-intro = Écrite à partir des réglages en vigueur en ce moment. Lisez la version courte, ou ouvrez ce que vous voulez approfondir.
notice-short = En bref
notice-short-1 = Avant que le bot ne lise un message, les détails personnels sont retirés et remplacés.
notice-short-2 = Ce qui est conservé est fermé avec une clé qui n'est qu'à vous. Si vous effacez tout, la clé est détruite.
notice-short-3 = Les mots de passe, codes de carte et codes PIN sont jetés aussitôt.
notice-short-4 = Vous pouvez voir, corriger, emporter et effacer vos données ici, à tout moment.
notice-collected = De vous jusqu'ici
notice-conversations = Conversations
notice-changes = Changements depuis votre dernier accord
notice-changes-none = Rien n'a changé.
notice-who = Qui est responsable
notice-purposes = Pourquoi, et combien de temps
notice-recipients = Qui reçoit des données
notice-classes = Ce qui arrive à chaque type de données
notice-logs = Journaux
notice-rights = Vos droits
notice-rights-text = Vous pouvez faire presque tout ici vous-même. Vous pouvez aussi vous plaindre auprès de l'autorité de protection des données de votre lieu de vie.
notice-cookies = Cookies
notice-cookies-text = Seulement ce dont les pages ont besoin. Rien n'est enregistré pour vous suivre, et personne d'autre ne reçoit rien.
notice-version = Version { $n } : le début du SHA-256 de cette déclaration. Il figure dans le journal public.
notice-controller = { $name } décide de ce qui est fait de vos données.
notice-controller-unnamed = La personne qui exploite ce service décide de ce qui est fait de vos données. Son nom n'a pas encore été indiqué ici.
controller-address = Adresse : { $given }
controller-contact = Contact : { $given }
controller-representative = Représentant dans l'Union européenne : { $given }
controller-dpo = Délégué à la protection des données : { $given }
notice-purpose = { $name }. { $basis }.
notice-purpose-service = { $name }. La base dépend du bot, voir ci-dessous.
notice-keep = { $class } : conservation { $time }
notice-sold-or-shared = Pour cela, des données peuvent être vendues ou partagées. Le signal contraire de votre navigateur (Global Privacy Control) le désactive.
notice-special = Des données sensibles peuvent être utilisées pour cela selon la loi : { $ground }
notice-bot = Le bot « { $name } » ({ $host }) reçoit vos messages et vous répond. { $basis }.
notice-recipient = « { $name } » ({ $host }) est informé de ce que deviennent vos données.
told-erased = Quand elles sont effacées
told-corrected = Quand quelque chose est corrigé
told-restricted = Quand elles sont gelées, ou ne le sont plus
notice-class = { $class } : { $bot } ; { $kept }.
notice-kind = { $kind } : { $done }
notice-log = Chaque étape laisse une ligne dans un journal que personne ne peut changer en secret. Il ne contient ni noms, ni textes, ni valeurs. Il n'est pas effacé.
bot-pass = le bot les voit
bot-token = le bot reçoit un substitut
bot-coarser = le bot reçoit une partie ou quelque chose de plus vague
bot-block = le message est arrêté
bot-drop = retirés avant que le bot ne lise
kept-drop = non conservés
kept-coarser = seule une partie ou quelque chose de plus vague est conservé, sous clé
kept-sealed = conservés, fermés avec votre clé
change-new = Nouveau
change-gone = N'existe plus
change-other = Modifié
cookie-session = que vous êtes connecté ; disparaît à la fermeture du navigateur
cookie-before = qu'une connexion a commencé dans ce navigateur ; disparaît à la fermeture du navigateur
cookie-chat = votre discussion dans ce navigateur sans compte ; un an
cookie-language = la langue que vous avez choisie ; un an
cookie-tips = que vous ne voulez pas d'astuces dans le chat ; un an
cookie-then = la page où revenir après la connexion ; un quart d'heure

## Demandes

requests-title = Demandes
requests-intro = Vous pouvez faire presque tout ici vous-même, aussitôt. Pour le reste, demandez-nous, et suivez la demande.
requests-new = Demander quelque chose
requests-what = Que voulez-vous ?
requests-law = Quelle loi ?
requests-text = Avec vos propres mots (peut rester vide)
requests-do = Envoyer
requests-none = Vous n'avez encore rien demandé.
requests-received = Reçue
requests-due = Nous répondons au plus tard le
requests-extended = prolongée une fois
requests-timeline = Où elle en est
requests-messages = Messages
requests-say = Écrire quelque chose à ce sujet
requests-say-do = Envoyer le message
reports-title = Messages que vous avez signalés
reports-open = Personne ne l’a encore examiné.
reports-confirmed = Une personne l’a examiné : vous aviez raison. Merci, cela aide à reconnaître de tels messages.
reports-refused = Une personne l’a examiné et n’y a rien trouvé à redire.
reports-sent = Signalé
reports-decided = Décidé
right-access = Voir ce qui est conservé sur moi
right-portability = Emporter mes données
right-rectify = Faire corriger quelque chose
right-restrict = Faire geler mes données
right-object = Faire cesser une utilisation de mes données
right-erase = Faire effacer mes données
law-gdpr = Union européenne (RGPD)
law-ccpa = Californie (CCPA)
state-received = Reçue
state-identified = C'est bien vous
state-in-work = En cours
state-done = Faite
state-refused = Refusée
due-soon = bientôt
due-over = en retard

## Qui a regardé

looks-title = Qui a regardé
looks-intro = Chaque fois qu'une personne qui travaille ici, ou un programme, regarde ou change vos données, cela figure ici avec la raison.
looks-none-yet = Personne n'a regardé jusqu'ici.
looks-list = Regards
looks-refused = refusé
looks-reason = Raison :
looks-ticket = Dossier :
looks-index = ligne { $n } du journal
looks-next = Plus anciens
by-staff = Un membre du personnel
by-program = Un programme
by-yourself = Vous
role-analyst = analyse
role-privacy-officer = protection des données
role-trainer = formation
role-auditor = contrôle
role-admin = administration
role-other = autre rôle
look-list = A vu ce qu'il y a, sans les valeurs
look-received = A lu ce que le bot a reçu
look-reveal = A vu une valeur
look-export = A fait une copie de vos données
look-correct = A corrigé une valeur
look-restrict = A gelé vos données, ou y a mis fin
look-erase = A effacé vos données
look-hold = A posé ou levé un blocage légal
look-consent = A noté une de vos décisions
look-request = A travaillé sur une de vos demandes
look-review = A examiné un message que vous avez signalé, données personnelles cachées
look-other = A fait autre chose
look-for-support = Pour vous aider
look-for-security = Pour la sécurité
look-for-request = Pour une de vos demandes
look-for-training = Pour former des bots
look-for-audit = Pour un contrôle du service
look-for-operation = Pour faire fonctionner le service

## Ce qui fuirait

leak-title = Ce qui fuirait
leak-intro = Supposons qu'un voleur prenne aujourd'hui toute notre base de données, mais pas les clés, gardées ailleurs. Voici ce qu'il pourrait lire sur vous. La liste est faite à partir de la base elle-même.
leak-clear = Ce qui pourrait être lu sur vous
leak-clear-nothing = Rien n'est conservé sur vous, donc rien ne pourrait être lu.
leak-clear-count = Que quelqu'un sans nom a écrit ici. Conversations : { $conversations }. Messages : { $messages }.
leak-clear-times = Quand ils ont été écrits : du { $first } au { $last }.
leak-clear-bots = Quel bot a répondu : { $n }.
leak-clear-decisions = { $n ->
    [0] Que vous n'avez encore rien décidé sur les consentements.
    [one] Le résultat de { $n } décision sur les consentements, en chiffres.
   *[other] Le résultat de { $n } décisions sur les consentements, en chiffres.
    }
leak-clear-not = Pas qui vous êtes, et pas un mot de ce qui a été écrit.
leak-things = Tout ce qui est enregistré
leak-count = { $n ->
    [one] { $n } à vous
   *[other] { $n } à vous
    }
leak-never = Les mots de passe, codes de carte et codes PIN ne sont conservés nulle part ; ils ne peuvent donc pas fuir.
leak-both = Si les clés étaient volées aussi, ce qui est fermé pourrait être ouvert. C'est pourquoi elles sont gardées à part.
leak-customers = Que quelqu'un existe, par un nombre au hasard
leak-conversations = Qu'une conversation existe, et quand elle a commencé
leak-turns = Ce que le bot a reçu
leak-closings = Ce qu'on vous a répondu
leak-issued = Vos détails que le bot n'a pas reçus
leak-history-tags = Marques qui permettent de retrouver une conversation
leak-handles = Marques qui permettent de trouver les comptes
leak-trail = Quelles lignes du journal parlent de vous
leak-log = Le journal : ce qui s'est passé, sans noms ni textes
leak-standings = Ce que vous avez accepté et refusé, en chiffres
leak-keys = Votre clé, enveloppée dans une autre
leak-account = Comment vous vous connectez
leak-session = Où vous êtes connecté
leak-claim = Qu'une discussion sans nom est à vous
leak-look = Qui a regardé vos données, et pourquoi
leak-consent = Vos décisions, mot pour mot
leak-request = Vos demandes
leak-hold = Une raison légale de conserver vos données
leak-answer = Réponses conservées un jour, au cas où un programme demande deux fois
leak-certificate = La preuve que quelqu'un a été effacé
leak-notice = Ce qui reste à dire à d'autres, et le nom sous lequel ils vous connaissent
leak-flag = Les messages que vous avez signalés, et pourquoi
leak-incident = Les alertes que des messages ont déclenchées, avec un code à la place de votre nom
leak-handover = Si un robot ou une personne vous répond
leak-written = Ce que des personnes de la maison vous ont écrit
leak-waiting = Un de vos messages qui attend que quelqu’un de la maison le regarde
sealed-customer = Fermé avec votre propre clé
sealed-own = Fermé avec une clé à part
sealed-house = Fermé avec une clé de la maison
sealed-wrapped = Fermé avec une clé qui n'est pas dans la base
sealed-not = Lisible : nombres au hasard, quantités et heures
sealed-file = Dans un fichier que seul le programme peut lire

## Vérifier

verify-title = Vérifier un reçu ou un certificat
verify-intro = Le papier est-il authentique, et dit-il la même chose que notre journal ? Vous n'avez pas à nous croire sur parole.
verify-here = Vérifier un fichier dans cette page
verify-file = Le fichier
verify-file-hint = Il reste dans votre navigateur. Rien n'est envoyé, et cela marche sans connexion.
verify-pasted = Laisser notre serveur vérifier
verify-text = Le texte du fichier
verify-text-hint = Ouvrez le fichier et copiez-le en entier ici. Nous ne gardons rien.
verify-do = Vérifier
verify-how = Ce qui est vérifié
verify-step-1 = Que le papier a été signé avec la clé de notre journal, et que pas une lettre n'a changé.
verify-step-2 = Pour un certificat : que l'état du journal qu'il contient a été signé avec la même clé.
verify-step-3 = Que la ligne sur votre effacement figure dans ce journal.
verify-step-4 = Que cette ligne dit la même chose que le papier.
verify-not = Ce que cela ne peut pas montrer : qu'aucune copie n'a été gardée hors de ce système.
verify-key = La clé :
verify-receipt = Le reçu est authentique.
verify-receipts = Tous les reçus du fichier sont authentiques.
verify-certificate = Le certificat est authentique : il est signé, et l'effacement figure dans le journal.
verify-form = Ce n'est ni un reçu ni un certificat.
verify-signature = La signature ne correspond pas : il a été modifié, ou quelqu'un d'autre l'a fait.
verify-checkpoint = L'état du journal qu'il contient n'est pas signé avec cette clé.
verify-proof = La ligne qu'il contient ne figure pas dans le journal.
verify-event = La ligne du journal dit autre chose que le papier.
verify-unable = Ce navigateur ne peut pas vérifier les signatures. Laissez notre serveur vérifier.

## Guides

guides-title = Guides
guides-intro = Chacun prend moins de deux minutes.
guides-back = Tous les guides
try-title = Essayez
try-intro = Écrivez quelque chose et voyez ce qui serait caché au bot. Cela ne va à aucun bot, et rien n'en est conservé.
try-text = Votre texte
try-example = Je m'appelle Marie Dupont, ma carte est 4111 1111 1111 1111, écrivez à marie@example.com.
try-do = Montrer
try-result = Ce que le bot recevrait
try-removed = retiré
try-replaced = remplacé par un substitut
try-count = { $n ->
    [0] Rien ne serait caché.
    [one] { $n } détail serait caché.
   *[other] { $n } détails seraient cachés.
    }
try-kept = C'est déjà oublié : cela n'a jamais été noté.

why-held = Une raison légale interdit d'effacer ceci pour l'instant.
why-not-optional = Cela fait partie du service et ne peut pas être désactivé. Vous pouvez tout effacer à la place.
why-unknown-purpose = Cette finalité n'existe plus. Regardez à nouveau.
why-request-closed = Cette demande a déjà reçu une réponse. Faites-en une autre.
why-customer-not-found = Rien n'est conservé sur vous.
why-turn-not-found = Ce message n'existe pas, ou n'est plus conservé.
