# What customers read in the Privacy Centre. Plain words, short sentences. Each message stands on one line; forms of a number
# stand on lines of their own.

centre = Privacy Centre
nav = Privacy Centre
nav-overview = Overview
nav-notice = Privacy notice
nav-consents = Consents
nav-data = My data
nav-requests = Requests
nav-looks = Who looked
nav-security = Sign-in and devices
nav-guides = Guides
nav-verify = Verify
yes = Yes
no = No
on = On
off = Off
goes-on = Goes on
goes-soon = Goes with the next clean-up, or when a hold or the freezing ends
frozen-is = Your data is frozen: nobody who works here may look at it, and nothing of it is deleted by itself.
held-until = A legal reason keeps your data until { $n }. Until then nothing can be deleted.

## Getting in

enter-nobody = You are reading this without being known here. Sign in to see your own data.
enter-nameless = You are known here by this browser only. Sign in or create an account to see values, take your data with you or delete it.
enter-do = Sign in or create an account
enter-unclaimed = Somebody chatted in this browser before you signed in. Was it you?
enter-claim = Add it to my account
passage-title = Your chat on another site
passage-other = In this window somebody chatted before, without an account. If you go on, this window shows the chat you come from, and finds no way back to the other one. Sign in first if you want to keep both.
passage-leave = Go on with the chat I come from
passage-stay = Stay with the chat of this window
passage-over = This link was used before or is older than a minute. Open it again from the chat.

## Overview

overview-title = Your privacy
overview-own = What is kept about you, why, who gets it and for how long. As of today.
overview-general = What is kept about people who chat here, why, who gets it and for how long.
overview-more = More
overview-contact = Questions? Write to { $n }.
card-what = What
card-what-general = Your messages and the answers. Names, addresses, card numbers and the like are taken out and locked away before the bot reads them.
card-what-go = See my data
card-why = Why
card-why-go = See and change consents
card-who = Who
card-who-controller = { $n } is responsible.
card-who-bot = bot
card-who-recipient = is told of changes
card-who-go = Who gets what
card-long = How long
card-long-own = The first of it goes on { $first }, the last on { $last }.
card-long-same = It goes on { $n }.
card-long-general = At most { $n }.
card-long-text = After that it is deleted by itself.
card-long-go = Delete everything now
looks-none = Nobody else looked at your data
looks-some = { $n ->
    [one] One look by somebody else
   *[other] { $n } looks by somebody else
    }
collected-nothing = Nothing is kept about you.
conversations = { $n ->
    [one] conversation
   *[other] conversations
    }
to-leak = What would leak if our database was stolen
to-requests = Ask for what the law gives you
to-guides = Short guides about privacy and safety
to-verify = Check a receipt or certificate

## Purposes, classes, times

purpose-service = Answering you
purpose-quality = Making the service better
purpose-analytics = Counting how the service is used
purpose-training = Training bots
purpose-marketing = Advertising
class-interaction = Messages and technical data
class-identity = Names and contact data
class-special = Health, religion and other sensitive data
class-payment = Card and account numbers
class-secret = Passwords and codes
class-payment-never-kept = Card security codes and PINs
basis-contract = Needed for the service
basis-consent = Only if you agree
basis-interest = Unless you object
span-minutes = { $n ->
    [one] one minute
   *[other] { $n } minutes
    }
span-hours = { $n ->
    [one] one hour
   *[other] { $n } hours
    }
span-days = { $n ->
    [one] one day
   *[other] { $n } days
    }

## Consents

consents-title = Consents
consents-intro = You decide what your data is used for. Yes and no take one click each, and count from your next message.
consents-gpc = Your browser says that your data must not be sold or shared. We follow that for every message you send with it.
consents-gpc-here = Off for messages from this browser, whatever stands here.
consents-service-text = To answer you, the bot has to read your messages. This is what you came for.
consents-kept = kept for at most { $n }
consents-version = version { $n }
consents-history = What you decided so far
consents-history-none = Nothing yet.
consents-said-yes = Yes to: { $n }
consents-said-no = No to: { $n }
consents-first = A message was sent under it.
consents-first-none = No message was sent under it yet.
consents-receipt = Receipt
consents-receipt-of = Receipt of { $n }
consents-receipts = Download all receipts
consents-receipt-text = A receipt is signed. With it you can prove what you decided, and when.
stand-needed = On: it is needed for the service
stand-counts = On: you did not object
stand-agreed = On: you agreed
stand-other-words = Off: the words changed, please decide again
stand-refused = Off: you said no
stand-not-asked = Off: you were not asked yet

## My data

data-title = My data
data-intro = Everything that is kept about you, by kind and by conversation. Each thing has a date on which it goes.
data-download = Download everything
data-erase = Delete everything
data-freeze = Freeze
data-unfreeze = End the freeze
data-hidden = The values are covered. To see and correct them, confirm that it is you.
data-show = Show the values
data-by-kind = By kind
data-kind = Kind
data-count = How many
data-first = First goes on
data-last = Last goes on
data-talk = Conversation of { $n }
data-taken-over = You had this one before you signed in, and added it to your account.
data-no-values = No personal details were found in it.
data-correct = Save
data-covered = covered
data-messages = { $n ->
    [one] One message
   *[other] { $n } messages
    }
data-more-messages = { $n ->
    [one] One older message is not in this list. The download has it.
   *[other] { $n } older messages are not in this list. The download has them.
    }
data-to = To
data-received = What the bot received
data-received-at = What the bot received on { $n }
data-next = More conversations
back-to-data = Back to my data
item-email = E-mail address
item-name = Name
item-phone = Phone number
item-card = Card number
item-expiry = Expiry date of a card
item-account = Bank account
item-wallet = Crypto wallet
item-address = Address
item-birth = Date of birth
item-identity = Number of a document
item-other = Another detail

## What the bot received

message-title = What the bot received
message-intro = This is what went to the bot, and nothing else. Words in square brackets stand for details that it did not get.
message-texts = The texts
message-you = You
message-bot = Bot
message-whole = All of it, byte for byte

## Deleting everything

erase-title = Delete everything
erase-intro = You can delete everything that is kept about you. There is no way back, not even for us.
erase-means = What happens
erase-key = Your own key is destroyed. Without it, nothing that was locked with it can ever be opened, not in backups either.
erase-rows = Your conversations, values, consents and requests are deleted.
erase-account = Your account goes too, and you are signed out.
erase-told = Others who got your data are told to delete it.
erase-stays = What stays is the log, in which nobody is named, and the proof.
erase-sure = Delete everything now?
erase-do = Yes, delete everything
erase-no = No, go back
erase-factor = Your passkey or authenticator app is asked for, if that was longer than ten minutes ago.
erased-title = Everything is deleted
erased-intro = This is your proof. We cannot make it out again for you: nobody here knows any more who you are.
erased-certificate = Certificate
erased-key = Destroyed key:
erased-rows = What was deleted
erased-table = Where
erased-elsewhere = Other places
erased-recipients = Others who had data
erased-download = Download the certificate
erased-keep = Keep the file. You can check it at any time on the page “Verify”, also without a connection.
erased-document = The document itself

## Notice

notice-title = Privacy notice
notice-intro = Written from the settings that are in force at this moment. Read the short version, or open what you want to know more about.
notice-short = In short
notice-short-1 = Before the bot reads a message, personal details are taken out and replaced.
notice-short-2 = What is kept is locked with a key of your own. If you delete everything, the key is destroyed.
notice-short-3 = Passwords, card codes and PINs are thrown away at once.
notice-short-4 = You can see, correct, take with you and delete your data here, at any time.
notice-collected = From you so far
notice-conversations = Conversations
notice-changes = Changes since you last agreed
notice-changes-none = Nothing changed.
notice-who = Who is responsible
notice-purposes = What for, and for how long
notice-recipients = Who gets data
notice-classes = What happens to each kind of data
notice-logs = Logs
notice-rights = Your rights
notice-rights-text = You can do most of it here yourself. You can also complain to the data protection authority where you live.
notice-cookies = Cookies
notice-cookies-text = Only what the pages need. Nothing is stored to follow you, and nobody else gets anything.
notice-version = Version { $n }: the beginning of the SHA-256 of this notice. It stands in the public log.
notice-controller = { $name } decides what is done with your data.
notice-controller-unnamed = Whoever runs this service decides what is done with your data. They have not entered their name here yet.
controller-address = Address: { $given }
controller-contact = Contact: { $given }
controller-representative = Representative in the European Union: { $given }
controller-dpo = Data protection officer: { $given }
notice-purpose = { $name }. { $basis }.
notice-purpose-service = { $name }. The basis depends on the bot, see below.
notice-keep = { $class }: kept for { $time }
notice-sold-or-shared = For this, data may be sold or shared. The signal of your browser against that (Global Privacy Control) turns it off.
notice-special = Sensitive data may be used for it under the law: { $ground }
notice-bot = The bot “{ $name }” ({ $host }) gets your messages and answers you. { $basis }.
notice-recipient = “{ $name }” ({ $host }) is told what becomes of your data.
told-erased = When it is deleted
told-corrected = When something is corrected
told-restricted = When it is frozen, or no longer
notice-class = { $class }: { $bot }; { $kept }.
notice-kind = { $kind }: { $done }
notice-log = Every step leaves a line in a log that nobody can change in secret. No names, texts or values stand in it. It is not deleted.
bot-pass = the bot sees it
bot-token = the bot gets a placeholder
bot-coarser = the bot gets a part or something coarser
bot-block = the message is stopped
bot-drop = removed before the bot reads it
kept-drop = not kept
kept-coarser = only a part or something coarser is kept, locked
kept-sealed = kept, locked with your key
change-new = New
change-gone = No longer
change-other = Changed
cookie-session = that you are signed in; goes when you close the browser
cookie-before = that a sign-in was begun in this browser; goes when you close the browser
cookie-chat = your chat in this browser without an account; a year
cookie-language = the language you chose; a year
cookie-tips = that you want no tips in the chat; a year
cookie-then = the page to come back to after signing in; a quarter of an hour

## Requests

requests-title = Requests
requests-intro = Most things you can do here yourself, at once. For the rest you can ask us, and see how it goes on.
requests-new = Ask for something
requests-what = What do you want?
requests-law = Which law?
requests-text = In your own words (you may leave it empty)
requests-do = Send
requests-none = You have not asked for anything yet.
requests-received = Received
requests-due = We answer by
requests-extended = prolonged once
requests-timeline = Where it is
requests-messages = Messages
requests-say = Write something about it
requests-say-do = Send message
reports-title = Messages that you reported
reports-open = Nobody has looked at it yet.
reports-confirmed = A person looked at it: you were right. Thank you, it helps to recognise such messages.
reports-refused = A person looked at it and found nothing wrong with it.
reports-sent = Reported
reports-decided = Decided
right-access = See what is kept about me
right-portability = Take my data with me
right-rectify = Have something corrected
right-restrict = Have my data frozen
right-object = Have a use of my data stopped
right-erase = Have my data deleted
law-gdpr = European Union (GDPR)
law-ccpa = California (CCPA)
state-received = Received
state-identified = It is you
state-in-work = In work
state-done = Done
state-refused = Refused
due-soon = soon
due-over = overdue

## Who looked

looks-title = Who looked
looks-intro = Each time somebody who works here, or a program, looks at your data or changes it, it stands here with the reason.
looks-none-yet = Nobody looked so far.
looks-list = Looks
looks-refused = refused
looks-reason = Reason:
looks-ticket = Ticket:
looks-index = line { $n } of the log
looks-next = Older looks
by-staff = A member of staff
by-program = A program
by-yourself = You
role-analyst = analyst
role-privacy-officer = privacy officer
role-trainer = trainer
role-auditor = auditor
role-admin = administrator
role-other = other role
look-list = Listed what there is, without the values
look-received = Read what the bot received
look-reveal = Saw one value
look-export = Made a copy of your data
look-correct = Corrected a value
look-restrict = Froze your data, or ended that
look-erase = Deleted your data
look-hold = Set or ended a legal hold
look-consent = Wrote down a decision of yours
look-request = Worked on a request of yours
look-review = Looked at a message that you reported, with personal data hidden
look-other = Did something else
look-for-support = To help you
look-for-security = For security
look-for-request = For a request of yours
look-for-training = To train bots
look-for-audit = For a check of the service
look-for-operation = To run the service

## What would leak

leak-title = What would leak
leak-intro = Suppose a thief steals our whole database today, but not the keys, which are kept elsewhere. This is what could be read about you. The list is made from the database itself.
leak-clear = What could be read about you
leak-clear-nothing = Nothing is kept about you, so nothing could be read.
leak-clear-count = That somebody without a name wrote here. Conversations: { $conversations }. Messages: { $messages }.
leak-clear-times = When they were written: from { $first } to { $last }.
leak-clear-bots = Which bot answered: { $n }.
leak-clear-decisions = { $n ->
    [0] That you decided nothing about consents yet.
    [one] The result of one decision about consents, as numbers.
   *[other] The result of { $n } decisions about consents, as numbers.
    }
leak-clear-not = Not who you are, and not one word of what was written.
leak-things = Everything that is stored
leak-count = { $n ->
    [one] one of yours
   *[other] { $n } of yours
    }
leak-never = Passwords, card codes and PINs are kept nowhere, so they cannot leak.
leak-both = If the keys were stolen too, what is locked could be opened. That is why they are kept apart.
leak-customers = That there is somebody, by a random number
leak-conversations = That there is a conversation, and when it began
leak-turns = What the bot received
leak-closings = What you were answered
leak-issued = Your details that the bot did not get
leak-history-tags = Marks by which a conversation is found again
leak-handles = Marks by which accounts are found
leak-trail = Which lines of the log are about you
leak-log = The log: what happened, without names and texts
leak-standings = What you agreed to and refused, as numbers
leak-keys = Your key, wrapped in another key
leak-account = How you sign in
leak-session = Where you are signed in
leak-claim = That a chat without a name is yours
leak-look = Who looked at your data, and why
leak-consent = Your decisions, word by word
leak-request = Your requests
leak-hold = A legal reason to keep your data
leak-answer = Answers that are kept for a day, in case a program asks twice
leak-certificate = Proof that somebody was deleted
leak-notice = What others still have to be told, and the name by which they know you
leak-flag = Messages that you called wrong, and why
leak-incident = Alarms that messages raised, with a code in place of your name
leak-handover = Whether a bot or a person answers you
leak-written = What people of the house wrote to you
leak-waiting = A message of yours that waits for somebody of the house to look at it
sealed-customer = Locked with your own key
sealed-own = Locked with a key of its own
sealed-house = Locked with a key of the house
sealed-wrapped = Locked with a key that is not in the database
sealed-not = Readable: random numbers, counts and times
sealed-file = In a file that only the program can read

## Verify

verify-title = Check a receipt or certificate
verify-intro = Is the paper genuine, and is it what our log says? You need not take our word for it.
verify-here = Check a file in this page
verify-file = The file
verify-file-hint = It stays in your browser. Nothing is sent, and it works without a connection.
verify-pasted = Let our server check it
verify-text = The text of the file
verify-text-hint = Open the file and copy all of it to here. We keep nothing.
verify-do = Check
verify-how = What is checked
verify-step-1 = That the paper was signed with the key of our log, and that not one letter of it was changed.
verify-step-2 = For a certificate: that the state of the log in it was signed with the same key.
verify-step-3 = That the line about your deletion stands in that log.
verify-step-4 = That this line says the same as the paper.
verify-not = What this cannot show: that a copy was not kept outside of this system.
verify-key = The key:
verify-receipt = The receipt is genuine.
verify-receipts = All receipts in the file are genuine.
verify-certificate = The certificate is genuine: it is signed, and the deletion stands in the log.
verify-form = This is no receipt and no certificate.
verify-signature = The signature does not fit: it was changed, or somebody else made it.
verify-checkpoint = The state of the log in it is not signed with this key.
verify-proof = The line in it does not stand in the log.
verify-event = The line in the log says something else than the paper.
verify-unable = This browser cannot check signatures. Let our server check it.

## Guides

guides-title = Guides
guides-intro = Each takes less than two minutes.
guides-back = All guides
try-title = Try it
try-intro = Type something and see what would be hidden from the bot. It goes to no bot, and nothing of it is kept.
try-text = Your text
try-example = My name is Mary Brown, my card is 4111 1111 1111 1111, write to mary@example.com.
try-do = Show me
try-result = What the bot would get
try-removed = removed
try-replaced = replaced by a placeholder
try-count = { $n ->
    [0] Nothing would be hidden.
    [one] One detail would be hidden.
   *[other] { $n } details would be hidden.
    }
try-kept = It is forgotten already: it was never written down.

why-held = A legal reason forbids to delete this for now.
why-not-optional = This is part of the service and cannot be switched off. You can delete everything instead.
why-unknown-purpose = There is no such purpose any more. Look again.
why-request-closed = This request was answered already. Make another one.
why-customer-not-found = Nothing is kept about you.
why-turn-not-found = There is no such message, or it is not kept any more.
