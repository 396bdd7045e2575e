# Ce que lisent les clients et le personnel pour se connecter. Trois termes, toujours les mêmes : clé d’accès, application
# d’authentification, codes de secours. Chaque message tient sur une ligne.

title-error = Erreur :
skip = Aller au contenu
side-staff = Personnel
sign-out = Se déconnecter
other-ways = Autres moyens
name = Nom
remove = Retirer
added = Ajouté
last-used = Dernière utilisation
offline = Pas de réponse. Vérifiez votre connexion et réessayez.

## Se connecter

sign-in-title = Se connecter
sign-in-intro = Avec une clé d’accès, vous vous connectez avec ce qui déverrouille votre appareil : votre doigt, votre visage ou votre code.
sign-in-passkey = Se connecter avec une clé d’accès
sign-in-offered = Ou choisissez parmi les clés d’accès de ce navigateur
sign-in-provider = Se connecter par votre organisation
sign-in-by-password = Avec un mot de passe
sign-in-do = Se connecter
password = Mot de passe
to-sign-in = Aller à la connexion
to-sign-up = Créer un compte
to-help = Rien de tout cela ne marche
to-security = Aller à votre compte
to-where-one-was = Revenir là où vous étiez

passkey-noscript = Une clé d’accès demande JavaScript, qui est désactivé dans ce navigateur.
passkey-cancelled = Aucune clé d’accès n’a été utilisée. Si votre navigateur n’a rien demandé, cela a peut-être pris trop de temps. Réessayez ou choisissez un autre moyen.
passkey-known-here = Cet appareil a déjà une clé d’accès pour ce compte.
passkey-unsupported = Ce navigateur ne sait pas utiliser les clés d’accès. Essayez un autre navigateur ou appareil, ou un autre moyen.
passkey-failed = Cette clé d’accès n’a pas permis la connexion. Essayez-en une autre ou choisissez un autre moyen.

## Créer un compte

sign-up-title = Créer un compte
sign-up-intro = Choisissez un nom. Ensuite vous créez une clé d’accès, et n’avez pas besoin de mot de passe.
sign-up-name-hint = 64 caractères au plus. Il vous le faudra si un jour vous vous connectez avec un code de secours.
sign-up-do = Continuer

## Une invitation

invitation-title = Bienvenue
invitation-intro = Vous êtes invité. Continuez et choisissez comment vous connecter.
invitation-token = Invitation
invitation-token-hint = Elle est déjà remplie si vous avez suivi le lien. Sinon, copiez ce qui suit le signe # dans le lien.
invitation-do = Continuer

## Mise en place

set-up-title = Choisissez comment vous connecter
set-up-passkey = Votre appareil garde la clé d’accès et demande votre doigt, votre visage ou votre code. Il ne vous faut rien d’autre.
set-up-other = Je ne peux pas utiliser de clé d’accès
set-up-both = Sans clé d’accès il vous faut les deux : un mot de passe et une application d’authentification.
set-up-app = Utilisez une application d’authentification, puis créez des codes de secours : sans clé d’accès, vous vous connectez avec un de ces codes et l’application.
set-up-staff-passkey = Ici tout le monde se connecte avec une clé d’accès. Une clé de sécurité ou un téléphone peut aussi la garder. Si vous n’avez ni l’un ni l’autre, demandez à votre administrateur.
passkey = Clé d’accès
passkey-add = Ajouter une clé d’accès
passkey-label = Nom de cette clé d’accès
passkey-label-hint = Pour la distinguer des autres : « mon téléphone ». Vous pouvez le laisser vide.

## Confirmer que c’est vous

step-up-title = Confirmez que c’est vous
step-up-intro = La suite demande une vérification faite il y a quelques minutes au plus.
step-up-passkey = Utiliser votre clé d’accès
step-up-do = Confirmer
step-up-lost = Vous l’avez perdue ?
step-up-lost-text = Avec un code de secours, vous pouvez créer une nouvelle clé d’accès ou une nouvelle application d’authentification.
step-up-wait = Ce que vous créez après un code de secours compte à partir du :
app-code = Les six chiffres de votre application d’authentification
recovery-code = Code de secours
recovery-code-hint = Tirets, espaces et majuscules ne comptent pas.

## Aide

help-title = Si vous ne pouvez pas vous connecter
help-device = Un autre appareil
help-device-text = Une clé d’accès peut être sur votre téléphone, votre ordinateur ou une clé de sécurité. Choisissez « autre appareil » quand votre navigateur demande.
help-code = Un code de secours
help-code-text = Si vous avez créé des codes de secours, utilisez-en un. Chacun sert une fois.
help-code-do = Utiliser le code
help-code-customer = Vous pouvez alors créer une nouvelle clé d’accès. Elle compte après trois jours, pour que personne ne prenne votre compte en secret.
help-code-staff = Vous pouvez alors créer une nouvelle clé d’accès. Elle compte dès qu’un administrateur l’a confirmée.
help-nothing = Rien de tout cela
help-nothing-staff = Demandez à un administrateur une nouvelle invitation. Ensuite vous refaites tout.
help-nothing-customer = Sans clé d’accès ni code de secours, personne ne peut ouvrir votre compte, pas même nous. Demandez à ceux qui tiennent ce service ce qui peut être fait, ou créez un nouveau compte.

## Le compte

security-title = Votre compte
security-name = Vous êtes connecté en tant que
security-bare = Rien n’est encore en place. Ajoutez une clé d’accès, sinon vous ne pourrez plus vous connecter.
security-step-up = Pour changer quelque chose ici, confirmez que c’est vous.
security-step-up-do = Confirmer
passkeys = Clés d’accès
passkeys-none = Vous n’en avez pas encore.
passkey-unconfirmed = Elle ne compte pas encore : un administrateur doit la confirmer.
passkey-waits = Elle compte à partir du :
app = Application d’authentification
app-none = Une application sur votre téléphone qui montre un nouveau code toutes les trente secondes. Avec une clé d’accès, vous n’en avez pas besoin.
app-set = Elle est en place.
app-add = Mettre en place une application d’authentification
app-anew = Refaire
app-remove = Retirer l’application
app-step-open = Sur votre téléphone, ouvrez ce lien :
app-link = Ouvrir l’application d’authentification
app-step-type = Ou tapez cette clé dans l’application :
app-step-code = Tapez ensuite les six chiffres que montre l’application.
app-again = Tapez les six chiffres que montre maintenant votre application. Si vous n’y avez pas ajouté la clé, refaites la mise en place.
app-do = Terminer
codes = Codes de secours
codes-title = Vos codes de secours
codes-text = Pour le jour où votre clé d’accès est perdue. Chaque code sert une fois.
codes-none = Vous n’en avez pas encore.
codes-left = Il en reste { $n }.
codes-make = Créer des codes de secours
codes-anew = Créer de nouveaux codes ; les anciens ne servent plus
codes-intro = Notez-les ou imprimez-les, et gardez-les loin de vos appareils. Ils ne sont montrés que maintenant.
codes-done = Je les ai gardés
password-none = Aucun n’est défini.
password-set = Un mot de passe est défini.
password-new = Nouveau mot de passe
password-hint = Au moins 12 caractères. Plusieurs mots sont faciles à retenir et difficiles à deviner.
password-do = Définir le mot de passe
password-remove = Retirer le mot de passe
devices = Où vous êtes connecté
device-this = Ce navigateur
device-since = Depuis
device-seen = Dernière confirmation
device-out = Déconnecter
devices-out = Se déconnecter partout

## Quand quelque chose n’a pas marché

problem-title = Cela n’a pas marché
problem-code = Code pour l’assistance :

why-internal = Quelque chose s’est mal passé chez nous. Réessayez plus tard.
why-sign-in-failed = La connexion a échoué. Vérifiez ce que vous avez tapé ou choisissez un autre moyen.
why-name-taken = Quelqu’un a déjà ce nom. Choisissez-en un autre.
why-name-form = Choisissez un nom de 1 à 64 caractères.
why-wrong-code = Ce n’est pas le code de ce moment. Attendez le suivant et tapez-le.
why-code-used = Ce code a déjà servi. Attendez le suivant et tapez-le.
why-wrong-recovery-code = Ce n’est aucun des codes de secours qui vous restent.
why-tries-paused = Trop d’essais ont échoué. Attendez une demi-heure ou utilisez votre clé d’accès.
why-tries-used-up = Trop d’essais ont échoué. Seule une clé d’accès permet maintenant la connexion. Si vous n’en avez pas, demandez de l’aide.
why-start-over = Cela a pris trop de temps ou a commencé dans une autre fenêtre. Réessayez.
why-ceremony-expired = Cela a pris trop de temps. Réessayez.
why-session-ended = Vous avez été déconnecté. Connectez-vous à nouveau.
why-passkey-cloned = Il existe deux copies de cette clé d’accès ; elle ne sert donc plus. Retirez-la et ajoutez-en une nouvelle.
why-passkey-user-not-verified = Votre appareil n’a pas vérifié que c’est vous. Mettez-y un code ou un verrouillage d’écran, ou prenez-en un autre.
why-last-second-factor = Sans cela, vous ne pourriez plus vous connecter. Ajoutez d’abord autre chose.
why-not-set-up = Ce n’est pas en place, ou ne l’est plus.
why-already-set-up = C’est déjà en place.
why-too-many = Il ne peut y en avoir plus. Retirez-en d’abord.
why-second-factor-needed = Confirmez d’abord que c’est vous.
why-invitation-unknown = Cette invitation a déjà servi, a été retirée ou n’est pas complète. Demandez-en une nouvelle.
why-invitation-expired = Cette invitation est trop ancienne. Demandez-en une nouvelle.
why-password-short = Choisissez un mot de passe d’au moins 12 caractères.
why-password-long = Choisissez un mot de passe de 256 caractères au plus.
why-password-breached = Ce mot de passe est connu par des données volées. Choisissez-en un autre.
why-password-holds-name = Choisissez un mot de passe qui ne contient pas votre nom.
why-passwords-off = Les mots de passe ne sont pas utilisés ici. Connectez-vous avec une clé d’accès.
why-cross-site = Cela venait d’un autre site. Ouvrez la page ici et réessayez.
why-origin-not-allowed = Cela venait d’un autre site. Ouvrez la page ici et réessayez.
why-form-token = La page était trop ancienne. Ouvrez-la de nouveau et réessayez.
why-not-found = Il n’y a rien ici.
why-rate-limited = Trop d’essais à la fois. Attendez un instant et réessayez.
why-store-unavailable = Rien ne peut être enregistré pour l’instant. Réessayez plus tard.
why-bad-request = Quelque chose manque ou est trop long. Vérifiez ce que vous avez tapé.
why-not-allowed = Vous n’y êtes pas autorisé.
why-busy = Quelqu’un a changé la même chose au même moment. Regardez de nouveau et réessayez.
