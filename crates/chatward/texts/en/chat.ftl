# What customers read on the chat page. Plain words; no message is put together from pieces of others.
# `$n` is filled in by the page's script.

page-title = Support chat
page-description = Chat with our support bot. Your personal details are replaced before the bot sees them.
skip-link = Skip to your message
bot-notice = You are talking to a bot, not a person.
person-notice = A person answers here now, not the bot.

## The introduction

intro-title = Write freely. Your details stay here.
intro-text = Names, cards, addresses and the like are replaced before the bot gets your message, and put back into its answer. Under each message you can see exactly what the bot received.
demo-written = You write
demo-received = The bot receives
demo-hello = My name is
demo-name = Anna Berg
demo-card = and my card is
demo-card-number = 4111 1111 1111 1111

examples-title = Try an example
example-card = Name and card
example-card-text = Hello, my name is Anna Berg and my card is 4111 1111 1111 1111.
example-address = New address
example-address-text = Please change my address to 12 Elm Road, Leeds LS6 2AB. My email is anna.berg@example.org.
example-secret = A password
example-secret-text = I cannot sign in. My password is Sunflower-88, can you check it?
example-order = My order
example-order-text = Where is my order 48213? You can call me at +44 20 7946 0958.

## The conversation
# `$house` is what the house is called, `$bot` the bot.

conversation-title = Conversation
said-you = You
said-bot = Support bot
said-person = A person
person-reads = A person reads this and will answer here.
writing = The bot is writing …
stopped = You stopped this answer.

protected-one = { $n } item protected
protected-other = { $n } items protected
removed-one = { $n } item removed
removed-other = { $n } items removed

received-open = What the bot received
received-yours = Your message, as the bot got it
received-exact = Everything that was sent to the bot, unchanged
received-plain = There was nothing to protect in this message.
received-wait = One moment …
received-nothing = Nothing. The bot did not get this message.
received-failed = This could not be loaded just now. Close and open it to try again.
received-confirm = Confirm that it is you, then look again.

kind-name = a name
kind-email = an email address
kind-phone = a phone number
kind-card = a card number
kind-expiry = the expiry date of a card
kind-account = a bank account
kind-address = an address
kind-birth = a date of birth
kind-identity = an identity number
kind-wallet = a wallet address
kind-secret = something secret, taken out for good
kind-other = a private detail

copy = Copy
copied = Copied
flag-open = Report
flag-title = What is wrong with this message?
flag-words = A few words about it, if you like
flag-untrue = It is not true
flag-harmful = It is hurtful or dangerous
flag-not-hidden = It shows something that should be hidden
flag-hidden-needlessly = It hides something harmless
flag-fraud = It looks like a fraud
flag-other = Something else
flag-received = Received. Thank you. You find your reports in your copy of your data.
flag-failed = This could not be sent just now. Please try again.
ask-again = Try again
reconnecting = The connection was lost. Trying again …
history-failed = Your earlier messages could not be loaded. Load the page again to see them.

## Consent, before the first message

consent-title = Before you write
consent-yes = Yes
consent-no = No
consent-lead = You decide. You can change it at any time behind the shield.
consent-needed = The bot can answer only if you agree. You can agree at any time behind the shield.
consent-failed = Your choice could not be saved just now. Please try again.

## Behind the shield

shield-open = Who can read this?
shield-title = Your data here
shield-close = Close
sealed-channel = Sealed between your browser and { $house }. { $bot } receives the version below.
sealed-tls = Encrypted on the way by TLS.
channel-not = Not encrypted on the way: this is a trial on one machine.
who-title = Who can read what
who-you = You: everything you wrote.
who-house = { $house }: reads your messages to hide your data, and keeps them under a key that is yours alone.
who-bot = { $bot }: only the version with placeholders.
who-staff = People of the house: placeholders; a value only with a reason that you can read afterwards.
shield-consents = What your data may be used for
consents-fixed = Needed for this chat
tips-switch = Short tips in the chat
links-title = More
link-data = My data
link-guides = Guides
link-sign-in = Sign in
close-chat = Close the chat

## Tips: at most one in a conversation

tip-password = Nobody serious asks for your password in a chat. If you typed a real one, it did not get any further, but change it if others could have seen your screen.
tip-card-code = The three digits on the back of your card are only for the payment form. They were taken out here.
tip-file = Before you attach a file, see whether all of it is needed.
tip-done = Got it
tip-never = No more tips

## Writing

hint-card = A card number will be hidden from the bot.
hint-account = An account number will be hidden from the bot.
hint-email = An email address will be hidden from the bot.
hint-secret = A password will be taken out. It is better to leave it out yourself.
attach = Attach a file
attach-kinds = Text, PDF, Word, Excel, PowerPoint or OpenDocument
file-kind = This kind of file is not accepted here. Text, PDF, Word, Excel, PowerPoint and OpenDocument are.
file-large = This file is too large.
file-unreadable = No text could be read from this file.
file-refused = This file holds something that can do harm and was not passed on. Please send plain text or a simple PDF.

composer-label = Your message
composer-keys = Enter sends, Shift + Enter starts a new line.
composer-hint = Nobody here needs a password or a card code.
send = Send
stop = Stop

## When something goes wrong

error-offline = Your message could not be sent. Please check your connection and try again.
error-busy = That was a little fast. Please wait a moment, then send your message again.
error-large = This message is too long. Please send it in smaller parts.
error-unknown = This chat did not recognise your browser. Please allow cookies for this site and load the page again.
error-refused = This message was not passed on to the bot.
# After the sentence above: why.
refusal-attack-refused = It looks like an attempt to misuse this service. If you meant well, write it in other words, or choose “Report” under your message: a person looks at it.
refusal-held-for-review = A person looks at it first. Send the same message again later: it goes on when they have let it.
refusal-blocked-content = It holds something this service does not accept. Leave that out and send it again.
error-server = Something went wrong on our side. Please try again in a moment.
error-cut = The answer broke off here. Please ask again.
error-empty = The bot gave no answer. Please ask again in other words.
threat-warned = Careful: something here looks like fraud. Open no links, and give nobody codes or passwords.

noscript-title = This chat needs JavaScript
noscript-text = Your answer arrives word by word, and that needs JavaScript, which is switched off in this browser. The script comes from this site only, and nothing is sent to anyone else.
