# What customers read on the chat page. Plain words; no message is put together from pieces of others.
# `$n` is filled in by the page's script.

page-title = Support chat
page-description = Chat with our support bot. Your personal details are replaced before the bot sees them.
skip-link = Skip to your message
bot-notice = You are talking to a bot, not a person.

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

conversation-title = Conversation
said-you = You
said-bot = Support bot
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

## Writing

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
error-server = Something went wrong on our side. Please try again in a moment.
error-cut = The answer broke off here. Please ask again.
error-empty = The bot gave no answer. Please ask again in other words.

noscript-title = This chat needs JavaScript
noscript-text = Your answer arrives word by word, and that needs JavaScript, which is switched off in this browser. The script comes from this site only, and nothing is sent to anyone else.
