# Lo que leen clientes y personal al iniciar sesión. Tres términos, siempre iguales: llave de acceso, aplicación de
# autenticación, códigos de recuperación. Cada mensaje está en una línea.

title-error = Error:
skip = Ir al contenido
side-staff = Personal
sign-out = Cerrar sesión
other-ways = Otras formas
name = Nombre
remove = Quitar
added = Añadida
last-used = Último uso
offline = No hubo respuesta. Compruebe su conexión e inténtelo de nuevo.

## Iniciar sesión

sign-in-title = Iniciar sesión
sign-in-intro = Con una llave de acceso inicia sesión con lo que desbloquea su dispositivo: su dedo, su cara o su PIN.
sign-in-passkey = Iniciar sesión con una llave de acceso
sign-in-offered = O elija entre las llaves de acceso de este navegador
sign-in-provider = Iniciar sesión con su organización
sign-in-by-password = Con una contraseña
sign-in-do = Iniciar sesión
password = Contraseña
to-sign-in = Ir al inicio de sesión
to-sign-up = Crear una cuenta
to-help = Nada de esto funciona
to-security = Ir a su cuenta
to-where-one-was = Volver a donde estaba

passkey-noscript = Una llave de acceso necesita JavaScript, que está desactivado en este navegador.
passkey-cancelled = No se usó ninguna llave de acceso. Si su navegador no le preguntó nada, quizá tardó demasiado. Inténtelo de nuevo o elija otra forma.
passkey-known-here = Este dispositivo ya tiene una llave de acceso para esta cuenta.
passkey-unsupported = Este navegador no puede usar llaves de acceso. Pruebe otro navegador o dispositivo, o elija otra forma.
passkey-failed = Esa llave de acceso no inició sesión. Pruebe otra o elija otra forma.

## Crear una cuenta

sign-up-title = Crear una cuenta
sign-up-intro = Elija un nombre. Después crea una llave de acceso y no necesita contraseña.
sign-up-name-hint = Hasta 64 caracteres. Lo necesita si alguna vez inicia sesión con un código de recuperación.
sign-up-do = Continuar

## Una invitación

invitation-title = Bienvenida
invitation-intro = Tiene una invitación. Continúe y prepare su forma de iniciar sesión.
invitation-token = Invitación
invitation-token-hint = Ya está escrita si siguió el enlace. Si no, copie lo que sigue al signo # en el enlace.
invitation-do = Continuar

## Preparar

set-up-title = Prepare su forma de iniciar sesión
set-up-passkey = Su dispositivo guarda la llave de acceso y pide su dedo, su cara o su PIN. No necesita nada más.
set-up-other = No puedo usar una llave de acceso
set-up-both = Sin llave de acceso necesita las dos cosas: una contraseña y una aplicación de autenticación.
set-up-app = Use una aplicación de autenticación y cree después códigos de recuperación: sin llave de acceso inicia sesión con uno de los códigos y la aplicación.
set-up-staff-passkey = Aquí todos inician sesión con una llave de acceso. También puede guardarla una llave de seguridad o un teléfono. Si no tiene ninguno, pregunte a la administración.
passkey = Llave de acceso
passkey-add = Añadir una llave de acceso
passkey-label = Nombre de esta llave de acceso
passkey-label-hint = Para distinguirla de otras: «mi teléfono». Puede dejarlo vacío.

## Confirmar que es usted

step-up-title = Confirme que es usted
step-up-intro = Lo que sigue necesita una comprobación de los últimos minutos.
step-up-passkey = Usar su llave de acceso
step-up-do = Confirmar
step-up-lost = ¿La ha perdido?
step-up-lost-text = Con un código de recuperación puede crear una llave de acceso o una aplicación de autenticación nuevas.
step-up-wait = Lo que prepare tras usar un código de recuperación vale desde:
app-code = Seis cifras de su aplicación de autenticación
recovery-code = Código de recuperación
recovery-code-hint = Guiones, espacios y mayúsculas no importan.

## Ayuda

help-title = Si no puede iniciar sesión
help-device = Otro dispositivo
help-device-text = Una llave de acceso puede estar en su teléfono, su ordenador o una llave de seguridad. Elija «otro dispositivo» cuando su navegador pregunte.
help-code = Un código de recuperación
help-code-text = Si creó códigos de recuperación, use uno. Cada uno vale una vez.
help-code-do = Usar el código
help-code-customer = Después puede crear una llave de acceso nueva. Vale a los tres días, para que nadie tome su cuenta en secreto.
help-code-staff = Después puede crear una llave de acceso nueva. Vale cuando la administración la confirme.
help-nothing = Nada de eso
help-nothing-staff = Pida a la administración otra invitación. Después lo prepara todo de nuevo.
help-nothing-customer = Sin llave de acceso ni código de recuperación nadie puede abrir su cuenta, ni siquiera nosotros. Pregunte a quienes llevan este servicio qué se puede hacer, o cree una cuenta nueva.

## La cuenta propia

security-title = Su cuenta
security-name = Ha iniciado sesión como
security-bare = Aún no hay nada preparado. Añada una llave de acceso o no podrá volver a iniciar sesión.
security-step-up = Para cambiar algo aquí, confirme que es usted.
security-step-up-do = Confirmar
passkeys = Llaves de acceso
passkeys-none = Aún no tiene ninguna.
passkey-unconfirmed = Aún no vale: la administración tiene que confirmarla.
passkey-waits = Vale desde:
app = Aplicación de autenticación
app-none = Una aplicación en su teléfono que muestra un código nuevo cada medio minuto. Con una llave de acceso no la necesita.
app-set = Está preparada.
app-add = Preparar una aplicación de autenticación
app-anew = Preparar de nuevo
app-remove = Quitar la aplicación
app-step-open = En su teléfono, abra este enlace:
app-link = Abrir la aplicación de autenticación
app-step-type = O escriba esta clave en la aplicación:
app-step-code = Después escriba las seis cifras que muestra la aplicación.
app-again = Escriba las seis cifras que muestra ahora su aplicación. Si no añadió la clave a su aplicación, prepárela de nuevo.
app-do = Terminar
codes = Códigos de recuperación
codes-title = Sus códigos de recuperación
codes-text = Para el día en que pierda su llave de acceso. Cada código vale una vez.
codes-none = Aún no tiene ninguno.
codes-left = Quedan { $n }.
codes-make = Crear códigos de recuperación
codes-anew = Crear códigos nuevos; los antiguos dejan de valer
codes-intro = Apúntelos o imprímalos y guárdelos aparte de sus dispositivos. Solo se muestran ahora.
codes-done = Los he guardado
password-none = No hay ninguna puesta.
password-set = Hay una contraseña puesta.
password-new = Contraseña nueva
password-hint = Al menos 12 caracteres. Varias palabras son fáciles de recordar y difíciles de adivinar.
password-do = Poner la contraseña
password-remove = Quitar la contraseña
devices = Dónde ha iniciado sesión
device-this = Este navegador
device-since = Desde
device-seen = Última confirmación
device-out = Cerrar sesión
devices-out = Cerrar sesión en todas partes

## Cuando algo no funcionó

problem-title = Eso no funcionó
problem-code = Código para el servicio de ayuda:

why-internal = Algo falló por nuestra parte. Inténtelo más tarde.
why-sign-in-failed = No se pudo iniciar sesión. Compruebe lo que escribió o elija otra forma.
why-name-taken = Alguien ya tiene este nombre. Elija otro.
why-name-form = Elija un nombre de 1 a 64 caracteres.
why-wrong-code = Ese no es el código de este momento. Espere al siguiente y escríbalo.
why-code-used = Este código ya se usó. Espere al siguiente y escríbalo.
why-wrong-recovery-code = Ese no es ninguno de los códigos de recuperación que le quedan.
why-tries-paused = Demasiados intentos fallidos. Espere media hora o use su llave de acceso.
why-tries-used-up = Demasiados intentos fallidos. Ahora solo sirve una llave de acceso. Si no tiene, pida ayuda.
why-start-over = Tardó demasiado o empezó en otra ventana. Inténtelo de nuevo.
why-ceremony-expired = Tardó demasiado. Inténtelo de nuevo.
why-session-ended = Se cerró su sesión. Iníciela de nuevo.
why-passkey-cloned = Hay dos copias de esta llave de acceso, así que ya no vale. Quítela y añada una nueva.
why-passkey-user-not-verified = Su dispositivo no comprobó que es usted. Ponga un PIN o un bloqueo de pantalla, o use otro.
why-last-second-factor = Sin esto ya no podría iniciar sesión. Añada antes otra cosa.
why-not-set-up = Eso no está preparado, o ya no.
why-already-set-up = Eso ya está preparado.
why-too-many = No puede haber más. Quite antes alguno.
why-second-factor-needed = Confirme antes que es usted.
why-invitation-unknown = Esta invitación ya se usó, se retiró o no está completa. Pida otra.
why-invitation-expired = Esta invitación es demasiado antigua. Pida otra.
why-password-short = Elija una contraseña de al menos 12 caracteres.
why-password-long = Elija una contraseña de 256 caracteres como máximo.
why-password-breached = Esta contraseña se conoce por datos robados. Elija otra.
why-password-holds-name = Elija una contraseña que no contenga su nombre.
why-passwords-off = Aquí no se usan contraseñas. Inicie sesión con una llave de acceso.
why-cross-site = Eso vino de otro sitio. Abra la página aquí e inténtelo de nuevo.
why-origin-not-allowed = Eso vino de otro sitio. Abra la página aquí e inténtelo de nuevo.
why-form-token = La página era demasiado antigua. Ábrala otra vez e inténtelo de nuevo.
why-not-found = Aquí no hay nada.
why-rate-limited = Demasiados intentos a la vez. Espere un momento e inténtelo de nuevo.
why-store-unavailable = Ahora no se puede guardar nada. Inténtelo más tarde.
why-bad-request = Falta algo o es demasiado largo. Compruebe lo que escribió.
why-not-allowed = No puede hacer esto.
why-busy = Alguien cambió lo mismo en el mismo momento. Mire de nuevo e inténtelo otra vez.
