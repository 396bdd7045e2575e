# Lo que leen los clientes en el centro de privacidad. Palabras sencillas, frases cortas.

centre = Privacidad
nav = Privacidad
nav-overview = Resumen
nav-notice = Aviso de privacidad
nav-consents = Consentimientos
nav-data = Mis datos
nav-requests = Solicitudes
nav-looks = Quién ha mirado
nav-security = Acceso y dispositivos
nav-guides = Guías
nav-verify = Verificar
yes = Sí
no = No
on = Activado
off = Desactivado
goes-on = Se borra el
goes-soon = Se borra en la próxima limpieza, o cuando termine un bloqueo o la congelación
frozen-is = Sus datos están congelados: nadie que trabaje aquí puede mirarlos, y nada de ellos se borra por sí solo.
held-until = Un motivo legal conserva sus datos hasta el { $n }. Hasta entonces no se puede borrar nada.

## Entrar

enter-nobody = Está leyendo esto sin que le conozcamos. Inicie sesión para ver sus propios datos.
enter-nameless = Solo conocemos este navegador. Inicie sesión o cree una cuenta para ver los valores, llevarse sus datos o borrarlos.
enter-do = Iniciar sesión o crear una cuenta
enter-unclaimed = Alguien habló en este navegador antes de que usted iniciara sesión. ¿Era usted?
enter-claim = Añadirlo a mi cuenta
passage-title = Su conversación en otro sitio
passage-other = En esta ventana ya escribió alguien sin cuenta. Si continúa, esta ventana muestra la conversación de la que viene y no encuentra el camino de vuelta a la otra. Inicie sesión antes si quiere conservar las dos.
passage-leave = Continuar con la conversación de la que vengo
passage-stay = Quedarme con la de esta ventana
passage-over = Este enlace ya se usó o tiene más de un minuto. Ábralo de nuevo desde la conversación.

## Resumen

overview-title = Su privacidad
overview-own = Qué se guarda sobre usted, para qué, quién lo recibe y cuánto tiempo. A día de hoy.
overview-general = Qué se guarda sobre las personas que hablan aquí, para qué, quién lo recibe y cuánto tiempo.
overview-more = Más
overview-contact = ¿Preguntas? Escriba a { $n }.
card-what = Qué
card-what-general = Sus mensajes y las respuestas. Los nombres, direcciones, números de tarjeta y similares se sacan y se guardan bajo llave antes de que el bot los lea.
card-what-go = Ver mis datos
card-why = Para qué
card-why-go = Ver y cambiar los consentimientos
card-who = Quién
card-who-controller = El responsable es { $n }.
card-who-bot = bot
card-who-recipient = se entera de los cambios
card-who-go = Quién recibe qué
card-long = Cuánto tiempo
card-long-own = Lo primero se borra el { $first }, lo último el { $last }.
card-long-same = Se borra el { $n }.
card-long-general = Como mucho { $n }.
card-long-text = Después se borra solo.
card-long-go = Borrar todo ahora
looks-none = Nadie más ha mirado sus datos
looks-some = { $n ->
    [one] Otra persona miró una vez
   *[other] Otras personas miraron { $n } veces
    }
collected-nothing = No se guarda nada sobre usted.
conversations = { $n ->
    [one] conversación
   *[other] conversaciones
    }
to-leak = Qué se filtraría si robaran nuestra base de datos
to-requests = Pedir lo que la ley le da
to-guides = Guías breves sobre privacidad y seguridad
to-verify = Comprobar un recibo o un certificado

## Fines, clases, plazos

purpose-service = Responderle
purpose-quality = Mejorar el servicio
purpose-analytics = Contar cómo se usa el servicio
purpose-training = Entrenar bots
purpose-marketing = Publicidad
class-interaction = Mensajes y datos técnicos
class-identity = Nombres y datos de contacto
class-special = Salud, religión y otros datos delicados
class-payment = Números de tarjeta y de cuenta
class-secret = Contraseñas y códigos
class-payment-never-kept = Códigos de seguridad de tarjetas y PIN
basis-contract = Necesario para el servicio
basis-consent = Solo si usted acepta
basis-interest = Salvo que se oponga
span-minutes = { $n ->
    [one] un minuto
   *[other] { $n } minutos
    }
span-hours = { $n ->
    [one] una hora
   *[other] { $n } horas
    }
span-days = { $n ->
    [one] un día
   *[other] { $n } días
    }

## Consentimientos

consents-title = Consentimientos
consents-intro = Usted decide para qué se usan sus datos. Sí y no cuestan un clic cada uno, y cuentan desde su próximo mensaje.
consents-gpc = Su navegador dice que sus datos no deben venderse ni compartirse. Lo respetamos en cada mensaje que envíe con él.
consents-gpc-here = Desactivado para los mensajes de este navegador, diga lo que diga aquí.
consents-service-text = Para responderle, el bot tiene que leer sus mensajes. Para eso ha venido.
consents-kept = se guarda como mucho { $n }
consents-version = versión { $n }
consents-history = Lo que ha decidido hasta ahora
consents-history-none = Nada todavía.
consents-said-yes = Sí a: { $n }
consents-said-no = No a: { $n }
consents-first = Después se envió un mensaje.
consents-first-none = Después todavía no se ha enviado ningún mensaje.
consents-receipt = Recibo
consents-receipt-of = Recibo del { $n }
consents-receipts = Descargar todos los recibos
consents-receipt-text = Un recibo está firmado. Con él puede demostrar qué decidió y cuándo.
stand-needed = Activado: es necesario para el servicio
stand-counts = Activado: no se ha opuesto
stand-agreed = Activado: usted aceptó
stand-other-words = Desactivado: el texto ha cambiado, decida de nuevo
stand-refused = Desactivado: usted dijo que no
stand-not-asked = Desactivado: todavía no se le ha preguntado

## Mis datos

data-title = Mis datos
data-intro = Todo lo que se guarda sobre usted, por tipo y por conversación. Cada cosa tiene una fecha en la que se borra.
data-download = Descargar todo
data-erase = Borrar todo
data-freeze = Congelar
data-unfreeze = Dejar de congelar
data-hidden = Los valores están tapados. Para verlos y corregirlos, confirme que es usted.
data-show = Mostrar los valores
data-by-kind = Por tipo
data-kind = Tipo
data-count = Cuántos
data-first = El primero se borra el
data-last = El último se borra el
data-talk = Conversación del { $n }
data-taken-over = La tuvo antes de iniciar sesión y la añadió a su cuenta.
data-no-values = No se encontraron en ella datos personales.
data-correct = Guardar
data-covered = tapado
data-messages = { $n ->
    [one] Un mensaje
   *[other] { $n } mensajes
    }
data-more-messages = { $n ->
    [one] Un mensaje más antiguo no está en esta lista. Está en la descarga.
   *[other] { $n } mensajes más antiguos no están en esta lista. Están en la descarga.
    }
data-to = A
data-received = Lo que recibió el bot
data-received-at = Lo que recibió el bot el { $n }
data-next = Más conversaciones
back-to-data = Volver a mis datos
item-email = Dirección de correo
item-name = Nombre
item-phone = Número de teléfono
item-card = Número de tarjeta
item-expiry = Fecha de caducidad de una tarjeta
item-account = Cuenta bancaria
item-wallet = Monedero de criptomonedas
item-address = Dirección
item-birth = Fecha de nacimiento
item-identity = Número de un documento
item-other = Otro dato

## Lo que recibió el bot

message-title = Lo que recibió el bot
message-intro = Esto es lo que fue al bot, y nada más. Las palabras entre corchetes están en lugar de datos que no recibió.
message-texts = Los textos
message-you = Usted
message-bot = Bot
message-whole = Todo, byte a byte

## Borrar todo

erase-title = Borrar todo
erase-intro = Puede borrar todo lo que se guarda sobre usted. No hay vuelta atrás, tampoco para nosotros.
erase-means = Qué ocurre
erase-key = Se destruye su propia llave. Sin ella no se puede abrir nunca más nada de lo que cerraba, tampoco en copias de seguridad.
erase-rows = Se borran sus conversaciones, valores, consentimientos y solicitudes.
erase-account = También se borra su cuenta y se cierra su sesión.
erase-told = Se pide a otros que recibieron sus datos que los borren.
erase-stays = Queda el registro, en el que no se nombra a nadie, y la prueba.
erase-sure = ¿Borrar todo ahora?
erase-do = Sí, borrar todo
erase-no = No, volver
erase-factor = Se le pedirá su llave de acceso o su aplicación de autenticación si hace más de diez minutos.
erased-title = Todo está borrado
erased-intro = Esta es su prueba. No podemos hacerla otra vez: aquí ya nadie sabe quién es usted.
erased-certificate = Certificado
erased-key = Llave destruida:
erased-rows = Lo que se borró
erased-table = Dónde
erased-elsewhere = Otros lugares
erased-recipients = Otros que tenían datos
erased-download = Descargar el certificado
erased-keep = Guarde el archivo. Puede comprobarlo en cualquier momento en la página «Verificar», también sin conexión.
erased-document = El documento mismo

## Aviso

notice-title = Aviso de privacidad
notice-intro = Escrito a partir de los ajustes que valen en este momento. Lea la versión corta, o abra aquello de lo que quiera saber más.
notice-short = En breve
notice-short-1 = Antes de que el bot lea un mensaje, se sacan y se sustituyen los datos personales.
notice-short-2 = Lo que se guarda se cierra con una llave que es solo suya. Si borra todo, la llave se destruye.
notice-short-3 = Las contraseñas, los códigos de tarjetas y los PIN se tiran enseguida.
notice-short-4 = Aquí puede ver, corregir, llevarse y borrar sus datos en cualquier momento.
notice-collected = De usted hasta ahora
notice-conversations = Conversaciones
notice-changes = Cambios desde que aceptó por última vez
notice-changes-none = No ha cambiado nada.
notice-who = Quién es responsable
notice-purposes = Para qué y cuánto tiempo
notice-recipients = Quién recibe datos
notice-classes = Qué ocurre con cada tipo de datos
notice-logs = Registros
notice-rights = Sus derechos
notice-rights-text = Casi todo lo puede hacer aquí usted mismo. También puede quejarse ante la autoridad de protección de datos de donde vive.
notice-cookies = Cookies
notice-cookies-text = Solo lo que las páginas necesitan. No se guarda nada para seguirle, y nadie más recibe nada.
notice-version = Versión { $n }: el comienzo del SHA-256 de este aviso. Está en el registro público.
notice-controller = { $name } decide qué se hace con sus datos.
notice-controller-unnamed = Quien ofrece este servicio decide qué se hace con sus datos. Todavía no ha puesto aquí su nombre.
controller-address = Dirección: { $given }
controller-contact = Contacto: { $given }
controller-representative = Representante en la Unión Europea: { $given }
controller-dpo = Delegado de protección de datos: { $given }
notice-purpose = { $name }. { $basis }.
notice-purpose-service = { $name }. La base depende del bot, véase abajo.
notice-keep = { $class }: se guarda { $time }
notice-sold-or-shared = Para esto los datos pueden venderse o compartirse. La señal contraria de su navegador (Global Privacy Control) lo desactiva.
notice-special = Se pueden usar datos delicados para esto según la ley: { $ground }
notice-bot = El bot «{ $name }» ({ $host }) recibe sus mensajes y le responde. { $basis }.
notice-recipient = «{ $name }» ({ $host }) se entera de lo que ocurre con sus datos.
told-erased = Cuando se borran
told-corrected = Cuando se corrige algo
told-restricted = Cuando se congelan, o dejan de estarlo
notice-class = { $class }: { $bot }; { $kept }.
notice-kind = { $kind }: { $done }
notice-log = Cada paso deja una línea en un registro que nadie puede cambiar en secreto. No contiene nombres, textos ni valores. No se borra.
bot-pass = el bot los ve
bot-token = el bot recibe una marca en su lugar
bot-coarser = el bot recibe una parte o algo menos exacto
bot-block = se detiene el mensaje
bot-drop = se quitan antes de que el bot lea
kept-drop = no se guardan
kept-coarser = solo se guarda una parte o algo menos exacto, bajo llave
kept-sealed = se guardan, cerrados con su llave
change-new = Nuevo
change-gone = Ya no
change-other = Cambiado
cookie-session = que ha iniciado sesión; desaparece al cerrar el navegador
cookie-before = que en este navegador empezó un inicio de sesión; desaparece al cerrar el navegador
cookie-chat = su conversación en este navegador sin cuenta; un año
cookie-language = el idioma que eligió; un año
cookie-tips = que no quiere consejos en el chat; un año
cookie-then = la página a la que volver tras iniciar sesión; un cuarto de hora

## Solicitudes

requests-title = Solicitudes
requests-intro = Casi todo lo puede hacer aquí usted mismo, al momento. Lo demás puede pedírnoslo y ver cómo avanza.
requests-new = Pedir algo
requests-what = ¿Qué desea?
requests-law = ¿Qué ley?
requests-text = Con sus propias palabras (puede quedar vacío)
requests-do = Enviar
requests-none = Todavía no ha pedido nada.
requests-received = Recibida
requests-due = Respondemos antes del
requests-extended = prorrogada una vez
requests-timeline = Dónde está
requests-messages = Mensajes
requests-say = Escribir algo sobre ella
requests-say-do = Enviar mensaje
reports-title = Mensajes que usted señaló
reports-open = Todavía no lo ha mirado nadie.
reports-confirmed = Una persona lo ha mirado: usted tenía razón. Gracias, ayuda a reconocer mensajes así.
reports-refused = Una persona lo ha mirado y no ha encontrado nada malo.
reports-sent = Señalado
reports-decided = Decidido
right-access = Ver qué se guarda sobre mí
right-portability = Llevarme mis datos
right-rectify = Hacer corregir algo
right-restrict = Hacer congelar mis datos
right-object = Hacer que cese un uso de mis datos
right-erase = Hacer borrar mis datos
law-gdpr = Unión Europea (RGPD)
law-ccpa = California (CCPA)
state-received = Recibida
state-identified = Es usted
state-in-work = En curso
state-done = Hecha
state-refused = Rechazada
due-soon = pronto
due-over = con retraso

## Quién ha mirado

looks-title = Quién ha mirado
looks-intro = Cada vez que alguien que trabaja aquí, o un programa, mira o cambia sus datos, aparece aquí con el motivo.
looks-none-yet = Hasta ahora no ha mirado nadie.
looks-list = Miradas
looks-refused = rechazado
looks-reason = Motivo:
looks-ticket = Expediente:
looks-index = línea { $n } del registro
looks-next = Más antiguas
by-staff = Alguien del personal
by-program = Un programa
by-yourself = Usted
role-analyst = análisis
role-privacy-officer = protección de datos
role-trainer = formación
role-auditor = control
role-admin = administración
role-other = otra función
look-list = Vio lo que hay, sin los valores
look-received = Leyó lo que recibió el bot
look-reveal = Vio un valor
look-export = Hizo una copia de sus datos
look-correct = Corrigió un valor
look-restrict = Congeló sus datos, o dejó de hacerlo
look-erase = Borró sus datos
look-hold = Puso o quitó un bloqueo legal
look-consent = Anotó una decisión suya
look-request = Trabajó en una solicitud suya
look-review = Miró un mensaje que usted señaló, con los datos personales ocultos
look-other = Hizo otra cosa
look-for-support = Para ayudarle
look-for-security = Por seguridad
look-for-request = Para una solicitud suya
look-for-training = Para entrenar bots
look-for-audit = Para un control del servicio
look-for-operation = Para que funcione el servicio

## Qué se filtraría

leak-title = Qué se filtraría
leak-intro = Supongamos que un ladrón roba hoy toda nuestra base de datos, pero no las llaves, que están en otro sitio. Esto es lo que podría leer sobre usted. La lista sale de la propia base de datos.
leak-clear = Qué podría leerse sobre usted
leak-clear-nothing = No se guarda nada sobre usted, así que no podría leerse nada.
leak-clear-count = Que alguien sin nombre escribió aquí. Conversaciones: { $conversations }. Mensajes: { $messages }.
leak-clear-times = Cuándo se escribieron: del { $first } al { $last }.
leak-clear-bots = Qué bot respondió: { $n }.
leak-clear-decisions = { $n ->
    [0] Que todavía no ha decidido nada sobre consentimientos.
    [one] El resultado de una decisión sobre consentimientos, en números.
   *[other] El resultado de { $n } decisiones sobre consentimientos, en números.
    }
leak-clear-not = No quién es usted, ni una palabra de lo escrito.
leak-things = Todo lo que se almacena
leak-count = { $n ->
    [one] uno de usted
   *[other] { $n } de usted
    }
leak-never = Las contraseñas, los códigos de tarjetas y los PIN no se guardan en ningún sitio, así que no pueden filtrarse.
leak-both = Si robaran también las llaves, podría abrirse lo que está cerrado. Por eso están aparte.
leak-customers = Que existe alguien, por un número al azar
leak-conversations = Que existe una conversación, y cuándo empezó
leak-turns = Lo que recibió el bot
leak-closings = Lo que se le respondió
leak-issued = Sus datos que el bot no recibió
leak-history-tags = Marcas con las que se reconoce una conversación
leak-handles = Marcas con las que se encuentran las cuentas
leak-trail = Qué líneas del registro tratan de usted
leak-log = El registro: qué ocurrió, sin nombres ni textos
leak-standings = Lo que aceptó y rechazó, en números
leak-keys = Su llave, envuelta en otra
leak-account = Cómo inicia sesión
leak-session = Dónde tiene la sesión abierta
leak-claim = Que una conversación sin nombre es suya
leak-look = Quién miró sus datos y por qué
leak-consent = Sus decisiones, palabra por palabra
leak-request = Sus solicitudes
leak-hold = Un motivo legal para conservar sus datos
leak-answer = Respuestas que se guardan un día, por si un programa pregunta dos veces
leak-certificate = La prueba de que alguien fue borrado
leak-notice = Lo que falta decir a otros, y el nombre con el que le conocen
leak-flag = Los mensajes que usted señaló, y por qué
leak-incident = Las alarmas que provocaron los mensajes, con un código en lugar de su nombre
leak-handover = Si le responde un bot o una persona
leak-written = Lo que personas de la casa le escribieron
leak-waiting = Un mensaje suyo que espera a que alguien de la casa lo mire
sealed-customer = Cerrado con su propia llave
sealed-own = Cerrado con una llave aparte
sealed-house = Cerrado con una llave de la casa
sealed-wrapped = Cerrado con una llave que no está en la base de datos
sealed-not = Legible: números al azar, cantidades y horas
sealed-file = En un archivo que solo el programa puede leer

## Verificar

verify-title = Comprobar un recibo o un certificado
verify-intro = ¿Es auténtico el papel, y dice lo mismo que nuestro registro? No tiene que fiarse de nuestra palabra.
verify-here = Comprobar un archivo en esta página
verify-file = El archivo
verify-file-hint = Se queda en su navegador. No se envía nada, y funciona sin conexión.
verify-pasted = Dejar que lo compruebe nuestro servidor
verify-text = El texto del archivo
verify-text-hint = Abra el archivo y copie todo aquí. No guardamos nada.
verify-do = Comprobar
verify-how = Qué se comprueba
verify-step-1 = Que el papel se firmó con la llave de nuestro registro, y que no se cambió ni una letra.
verify-step-2 = En un certificado: que el estado del registro que contiene se firmó con la misma llave.
verify-step-3 = Que la línea sobre su borrado está en ese registro.
verify-step-4 = Que esa línea dice lo mismo que el papel.
verify-not = Lo que esto no puede mostrar: que no quedó una copia fuera de este sistema.
verify-key = La llave:
verify-receipt = El recibo es auténtico.
verify-receipts = Todos los recibos del archivo son auténticos.
verify-certificate = El certificado es auténtico: está firmado, y el borrado está en el registro.
verify-form = Esto no es un recibo ni un certificado.
verify-signature = La firma no encaja: se cambió, o lo hizo otra persona.
verify-checkpoint = El estado del registro que contiene no está firmado con esta llave.
verify-proof = La línea que contiene no está en el registro.
verify-event = La línea del registro dice otra cosa que el papel.
verify-unable = Este navegador no puede comprobar firmas. Deje que lo compruebe nuestro servidor.

## Guías

guides-title = Guías
guides-intro = Cada una lleva menos de dos minutos.
guides-back = Todas las guías
try-title = Pruébelo
try-intro = Escriba algo y vea qué se le ocultaría al bot. No va a ningún bot, y no se guarda nada.
try-text = Su texto
try-example = Me llamo María García, mi tarjeta es 4111 1111 1111 1111, escriba a maria@example.com.
try-do = Mostrar
try-result = Lo que recibiría el bot
try-removed = quitado
try-replaced = sustituido por una marca
try-count = { $n ->
    [0] No se ocultaría nada.
    [one] Se ocultaría un dato.
   *[other] Se ocultarían { $n } datos.
    }
try-kept = Ya está olvidado: nunca se anotó.

why-held = Un motivo legal prohíbe borrar esto por ahora.
why-not-optional = Esto es parte del servicio y no se puede desactivar. En su lugar puede borrar todo.
why-unknown-purpose = Ese fin ya no existe. Mire otra vez.
why-request-closed = Esta solicitud ya se respondió. Haga otra.
why-customer-not-found = No se guarda nada sobre usted.
why-turn-not-found = No existe ese mensaje, o ya no se guarda.
