# What customers and staff read where they sign in. Plain words; three terms, used one way everywhere: passkey,
# authenticator app, recovery codes. Each message stands on one line.

title-error = Error:
skip = Skip to the content
side-staff = Staff
sign-out = Sign out
other-ways = Other ways
name = Name
remove = Remove
added = Added
last-used = Last used
offline = There was no answer. Check your connection and try again.

## Signing in

sign-in-title = Sign in
sign-in-intro = With a passkey you sign in with what unlocks your device: your finger, your face or your PIN.
sign-in-passkey = Sign in with a passkey
sign-in-offered = Or choose from the passkeys of this browser
sign-in-provider = Sign in with your organisation
sign-in-by-password = With a password
sign-in-do = Sign in
password = Password
to-sign-in = Go to sign in
to-sign-up = Create an account
to-help = None of this works
to-security = Go to your account
to-where-one-was = Back to where you were

passkey-noscript = A passkey needs JavaScript, which is switched off in this browser.
passkey-cancelled = No passkey was used. If you did not see a question from your browser, it may have taken too long. Try again, or choose another way.
passkey-known-here = This device has a passkey for this account already.
passkey-unsupported = This browser cannot use passkeys. Try another browser or device, or choose another way.
passkey-failed = That passkey did not sign in. Try another one, or choose another way.

## Creating an account

sign-up-title = Create an account
sign-up-intro = Choose a name. You then set up a passkey, and need no password.
sign-up-name-hint = Up to 64 characters. You need it if you ever sign in with a recovery code.
sign-up-do = Continue

## An invitation

invitation-title = Welcome
invitation-intro = You were invited. Continue, and set up how you sign in.
invitation-token = Invitation
invitation-token-hint = It is filled in for you if you followed the link. If not, copy what stands in the link after the # sign.
invitation-do = Continue

## Setting up

set-up-title = Set up how you sign in
set-up-passkey = Your device keeps the passkey and asks for your finger, your face or your PIN. That is all you need to sign in.
set-up-other = I cannot use a passkey
set-up-both = Without a passkey you need both: a password and an authenticator app.
set-up-app = Use an authenticator app, and make recovery codes after that: without a passkey you sign in with one of the codes and the app.
set-up-staff-passkey = Here everybody signs in with a passkey. A security key or a phone can hold one, too. If you have neither, ask your administrator.
passkey = Passkey
passkey-add = Add a passkey
passkey-label = Name of this passkey
passkey-label-hint = To tell it from others: “my phone”. You may leave it empty.

## Confirming that it is you

step-up-title = Confirm that it is you
step-up-intro = What comes next needs a check that was made within the last minutes.
step-up-passkey = Use your passkey
step-up-do = Confirm
step-up-lost = You have lost it?
step-up-lost-text = With a recovery code you can set up a new passkey or authenticator app.
step-up-wait = What you set up after using a recovery code counts from:
app-code = Six digits from your authenticator app
recovery-code = Recovery code
recovery-code-hint = Dashes, spaces and capitals do not matter.

## Help

help-title = If you cannot sign in
help-device = Another device
help-device-text = A passkey may be on your phone, your computer or a security key. Choose “another device” when your browser asks.
help-code = A recovery code
help-code-text = If you made recovery codes, use one of them. Each works once.
help-code-do = Use the code
help-code-customer = You can set up a new passkey then. It counts after three days, so that nobody can take your account in secret.
help-code-staff = You can set up a new passkey then. It counts once an administrator has confirmed it.
help-nothing = None of it
help-nothing-staff = Ask an administrator to invite you again. You then set up everything anew.
help-nothing-customer = Without a passkey or a recovery code nobody can open your account, not even we. Ask the people who run this service what can be done, or create a new account.

## The own account

security-title = Your account
security-name = You are signed in as
security-bare = Nothing is set up yet. Add a passkey, or you cannot sign in again.
security-step-up = To change something here, confirm that it is you.
security-step-up-do = Confirm
passkeys = Passkeys
passkeys-none = You have none yet.
passkey-unconfirmed = It does not count yet: an administrator has to confirm it.
passkey-waits = It counts from:
app = Authenticator app
app-none = An app on your phone that shows a new code every half minute. With a passkey you do not need it.
app-set = It is set up.
app-add = Set up an authenticator app
app-anew = Set up anew
app-remove = Remove the app
app-step-open = On your phone, open this link:
app-link = Open the authenticator app
app-step-type = Or type this key into the app:
app-step-code = Then type the six digits that the app shows.
app-again = Type the six digits that your app shows now. If you have not added the key to your app, set it up anew.
app-do = Finish
codes = Recovery codes
codes-title = Your recovery codes
codes-text = For the day when your passkey is lost. Each code works once.
codes-none = You have none yet.
codes-left = { $n } are left.
codes-make = Make recovery codes
codes-anew = Make new codes; the old ones end
codes-intro = Write them down or print them, and keep them apart from your devices. They are shown only now.
codes-done = I have kept them
password-none = None is set.
password-set = A password is set.
password-new = New password
password-hint = At least 12 characters. Several words are easy to remember and hard to guess.
password-do = Set the password
password-remove = Remove the password
devices = Where you are signed in
device-this = This browser
device-since = Since
device-seen = Last confirmed
device-out = Sign out
devices-out = Sign out everywhere

## When something did not work

problem-title = That did not work
problem-code = Code for support:

why-internal = Something went wrong on our side. Try again later.
why-sign-in-failed = That did not sign in. Check what you typed, or choose another way.
why-name-taken = Somebody has this name already. Choose another one.
why-name-form = Choose a name of 1 to 64 characters.
why-wrong-code = That is not the code of this moment. Wait for the next one and type it.
why-code-used = This code was used already. Wait for the next one and type it.
why-wrong-recovery-code = That is none of your recovery codes that are left.
why-tries-paused = Too many tries failed. Wait half an hour, or use your passkey.
why-tries-used-up = Too many tries failed. Only a passkey signs in now. If you have none, ask for help.
why-start-over = This took too long, or began in another window. Try again.
why-ceremony-expired = This took too long. Try again.
why-session-ended = You were signed out. Sign in again.
why-passkey-cloned = There are two copies of this passkey, so it no longer signs in. Remove it and add a new one.
why-passkey-user-not-verified = Your device did not check that it is you. Set a PIN or a screen lock on it, or use another one.
why-last-second-factor = Without this you could not sign in any more. Add something else first.
why-not-set-up = That is not set up, or no longer.
why-already-set-up = That is set up already.
why-too-many = There are as many as there can be. Remove one first.
why-second-factor-needed = Confirm first that it is you.
why-invitation-unknown = This invitation was used already, was withdrawn, or is not complete. Ask for a new one.
why-invitation-expired = This invitation is too old. Ask for a new one.
why-password-short = Choose a password of at least 12 characters.
why-password-long = Choose a password of at most 256 characters.
why-password-breached = This password is known from stolen data. Choose another one.
why-password-holds-name = Choose a password without your name in it.
why-passwords-off = Passwords are not used here. Sign in with a passkey.
why-cross-site = This came from another site. Open the page here and try again.
why-origin-not-allowed = This came from another site. Open the page here and try again.
why-form-token = The page was too old. Open it again and try again.
why-not-found = There is nothing here.
why-rate-limited = Too many tries at once. Wait a moment and try again.
why-store-unavailable = Nothing can be saved just now. Try again later.
why-bad-request = Something is missing or too long. Check what you typed.
why-not-allowed = You may not do this.
why-busy = Somebody changed the same thing at the same moment. Look again, and try again.
