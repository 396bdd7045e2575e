# Lo que leen los clientes en la página del chat.

page-title = Chat de ayuda
page-description = Chatea con nuestro bot de ayuda. Tus datos personales se sustituyen antes de que el bot los vea.
skip-link = Ir a tu mensaje
bot-notice = Hablas con un bot, no con una persona.
person-notice = Ahora responde aquí una persona, no el bot.

## The introduction

intro-title = Escribe con libertad. Tus datos se quedan aquí.
intro-text = Los nombres, tarjetas, direcciones y similares se sustituyen antes de que el bot reciba tu mensaje y vuelven a aparecer en su respuesta. Debajo de cada mensaje ves exactamente lo que recibió el bot.
demo-written = Tú escribes
demo-received = El bot recibe
demo-hello = Me llamo
demo-name = Anna Berg
demo-card = y mi tarjeta es
demo-card-number = 4111 1111 1111 1111

examples-title = Prueba un ejemplo
example-card = Nombre y tarjeta
example-card-text = Hola, me llamo Anna Berg y mi tarjeta es 4111 1111 1111 1111.
example-address = Nueva dirección
example-address-text = Cambia mi dirección a Calle Mayor 12, 28013 Madrid. Mi correo es anna.berg@example.org.
example-secret = Una contraseña
example-secret-text = No puedo entrar. Mi contraseña es Girasol-88, ¿puedes mirarlo?
example-order = Mi pedido
example-order-text = ¿Dónde está mi pedido 48213? Puedes llamarme al +34 910 020 340.

## The conversation

conversation-title = Conversación
said-you = Tú
said-bot = Bot de ayuda
said-person = Una persona
person-reads = Una persona lee esto y responderá aquí.
writing = El bot escribe …
stopped = Has detenido esta respuesta.

protected-one = { $n } dato protegido
protected-other = { $n } datos protegidos
removed-one = { $n } dato eliminado
removed-other = { $n } datos eliminados

received-open = Lo que recibió el bot
received-yours = Tu mensaje, tal como lo recibió el bot
received-exact = Todo lo que se envió al bot, sin cambios
received-plain = En este mensaje no había nada que proteger.
received-wait = Un momento …
received-nothing = Nada. El bot no recibió este mensaje.
received-failed = No se pudo cargar ahora. Ciérralo y ábrelo de nuevo.
received-confirm = Confirme que es usted y mire de nuevo.

kind-name = un nombre
kind-email = una dirección de correo
kind-phone = un número de teléfono
kind-card = un número de tarjeta
kind-expiry = la fecha de caducidad de una tarjeta
kind-account = una cuenta bancaria
kind-address = una dirección
kind-birth = una fecha de nacimiento
kind-identity = un número de identidad
kind-wallet = una dirección de monedero
kind-secret = algo secreto, eliminado para siempre
kind-other = un dato privado

copy = Copiar
copied = Copiado
flag-open = Avisar
flag-title = ¿Qué falla en este mensaje?
flag-words = Unas palabras, si quieres
flag-untrue = No es verdad
flag-harmful = Es ofensivo o peligroso
flag-not-hidden = Muestra algo que debería estar oculto
flag-hidden-needlessly = Oculta algo inofensivo
flag-fraud = Parece un fraude
flag-other = Otra cosa
flag-received = Recibido. Gracias. Tus avisos están en la copia de tus datos.
flag-failed = No se pudo enviar ahora. Inténtalo de nuevo.
ask-again = Intentar de nuevo
reconnecting = Se perdió la conexión. Nuevo intento …
history-failed = No se pudieron cargar tus mensajes anteriores. Recarga la página para verlos.

## Consent, before the first message

consent-title = Antes de escribir
consent-yes = Sí
consent-no = No
consent-lead = Tú decides. Puedes cambiarlo en cualquier momento detrás del escudo.
consent-needed = El bot solo puede responder si aceptas. Puedes hacerlo en cualquier momento detrás del escudo.
consent-failed = No se pudo guardar tu elección. Inténtalo de nuevo.

## Behind the shield

shield-open = ¿Quién puede leer esto?
shield-title = Tus datos aquí
shield-close = Cerrar
sealed-channel = Sellado entre tu navegador y { $house }. { $bot } recibe la versión de abajo.
sealed-tls = Cifrado en el camino con TLS.
channel-not = Sin cifrar en el camino: esto es una prueba en un solo equipo.
who-title = Quién puede leer qué
who-you = Tú: todo lo que has escrito.
who-house = { $house }: lee tus mensajes para ocultar tus datos y los guarda bajo una clave que es solo tuya.
who-bot = { $bot }: solo la versión con marcadores.
who-staff = Las personas de la casa: marcadores; un valor solo con un motivo que después puedes leer.
shield-consents = Para qué se pueden usar tus datos
consents-fixed = Necesario para este chat
tips-switch = Consejos breves en el chat
links-title = Más
link-data = Mis datos
link-guides = Guías
link-sign-in = Entrar
close-chat = Cerrar el chat

## Tips: at most one in a conversation

tip-password = Nadie serio pide tu contraseña en un chat. Si era una de verdad, no ha llegado más lejos, pero cámbiala si otros pudieron ver tu pantalla.
tip-card-code = Los tres dígitos del dorso de tu tarjeta son solo para el formulario de pago. Aquí se han eliminado.
tip-file = Antes de adjuntar un archivo, mira si hace falta todo lo que contiene.
tip-done = Entendido
tip-never = No más consejos

## Writing

hint-card = Se ocultará al bot un número de tarjeta.
hint-account = Se ocultará al bot un número de cuenta.
hint-email = Se ocultará al bot una dirección de correo.
hint-secret = Se eliminará una contraseña. Es mejor que la quites tú.
attach = Adjuntar un archivo
attach-kinds = Texto, PDF, Word, Excel, PowerPoint u OpenDocument
file-kind = Este tipo de archivo no se acepta aquí. Sí se aceptan texto, PDF, Word, Excel, PowerPoint y OpenDocument.
file-large = Este archivo es demasiado grande.
file-unreadable = No se pudo leer ningún texto de este archivo.
file-refused = Este archivo contiene algo que puede causar daños y no se ha transmitido. Envíe texto sin formato o un PDF sencillo.

composer-label = Tu mensaje
composer-keys = Intro envía, Mayús + Intro empieza una línea nueva.
composer-hint = Aquí nadie necesita una contraseña ni un código de tarjeta.
send = Enviar
stop = Detener

## When something goes wrong

error-offline = No se pudo enviar tu mensaje. Comprueba tu conexión e inténtalo de nuevo.
error-busy = Ha sido un poco rápido. Espera un momento y envía tu mensaje otra vez.
error-large = Este mensaje es demasiado largo. Envíalo en partes más pequeñas.
error-unknown = Este chat no reconoció tu navegador. Permite las cookies de este sitio y recarga la página.
error-refused = Este mensaje no se pasó al bot.
# After the sentence above: why.
refusal-attack-refused = Parece un intento de abusar de este servicio. Si tu intención era buena, escríbelo de otra manera o elige «Avisar» debajo de tu mensaje: una persona lo mira.
refusal-held-for-review = Una persona lo mira primero. Envía el mismo mensaje más tarde: pasa en cuanto lo haya permitido.
refusal-blocked-content = Contiene algo que este servicio no acepta. Quítalo y envíalo otra vez.
error-server = Algo ha fallado por nuestra parte. Inténtalo de nuevo en un momento.
error-cut = La respuesta se cortó aquí. Pregunta otra vez, por favor.
error-empty = El bot no dio respuesta. Pregunta con otras palabras.
threat-warned = Cuidado: algo aquí parece un fraude. No abras enlaces ni des a nadie códigos o contraseñas.

noscript-title = Este chat necesita JavaScript
noscript-text = La respuesta llega palabra por palabra, y para eso hace falta JavaScript, que está desactivado en este navegador. El script viene solo de este sitio y no se envía nada a nadie más.
