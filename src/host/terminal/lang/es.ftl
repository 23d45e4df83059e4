# Lo que dice la terminal, en español.

## Las primeras líneas
start-who = { $who } en la sala { $room }; /ayuda lista los comandos
start-group = grupo { $group } en { $interface } ({ $address })
start-delay = retraso artificial de { $min }..{ $max } antes de escribir (--delay 0 lo quita)
start-no-delay = sin retraso artificial
start-files = mensajes en { $replica }, checkpoints en { $checkpoints }; { $delay }
start-key = sellado con la clave de grupo { $key }: solo quien la tiene puede leer y escribir
start-no-key = no hay clave: cualquiera en esta red puede leer y escribir (node keygen ARCHIVO crea una)

## Lo que se encontró en el disco
story-first = primera vez aquí: nada que restaurar
story-from = checkpoint { $number }
story-from-time = checkpoint { $number } de { $time }
story-from-nothing = ningún checkpoint
story-continued = continuado desde { $from }: { $count ->
        [one] { $count } mensaje
       *[other] { $count } mensajes
    }
story-rolled-back = { $from }: { $count ->
        [one] { $count } mensaje deshecho
       *[other] { $count } mensajes deshechos
    } por la vuelta atrás, { $own } recuperados de la propia réplica

## Personas
node = nodo { $id }
nobody = nadie
who-and-who = { $most } y { $last }
you = tú·{ $id }
    .plain = tú ({ $id })

## Mensajes
message-unreadable = no se puede leer { $name } de { $who }: { $why }
message-room = sala { $room }
message-action = * { $who } { $text }
    .plain = { $who } hace: { $text }
message-topic = * { $who } pone el tema: { $text }
    .plain = { $who } pone el tema: { $text }
message-away = * { $who } está ausente: { $text }
    .plain = { $who } está ausente: { $text }
message-back = * { $who } ha vuelto
    .plain = { $who } ha vuelto
message-late = (llegó tarde)
message-mentions-you = (te menciona)
message-yours = (tuyo)
day = — { $date } —
    .plain = día { $date }
late-many = { $count ->
        [one] { $count } mensaje anterior llegó
       *[other] { $count } mensajes anteriores llegaron
    } tarde; /historial los muestra
not-shown = { $count } líneas sin mostrar, la terminal era demasiado lenta; /historial muestra los mensajes

## Las líneas propias
pending = · pendiente: { $text }
    .plain = pendiente: { $text }
pending-earlier = · pendiente, de una vida anterior: { $text }
    .plain = pendiente, de una vida anterior: { $text }
not-said = la línea { $number } no se dijo: { $why }
held-by-all = ✓✓ { $which } lo tienen todos ({ $count })
    .plain = { $which } lo tienen todos ({ $count })
held-by-some = ✓ { $which } lo tienen { $k } de { $n }
    .plain = { $which } lo tienen { $k } de { $n }
more = { $count } más
found-ordered = { $id }, de una vida anterior, ya tiene su número
offered-again = { $id }, de una vida anterior, se ofrece de nuevo
moved = { $from } pasó a ser { $to }
conflict = conflicto: dos contenidos bajo el id { $id } en { $name }; queda el que ya estaba guardado

## El anillo
gathering = buscando un anillo: { $why }
ring = — anillo de { $count }: { $who } (época { $epoch }){ $changes }
    .plain = anillo de { $count }: { $who } (época { $epoch }){ $changes }
ring-joined = entra: { $who }
ring-left = sale: { $who }
token-asked = testigo: pedido
token-granted = testigo: concedido (salto { $hop })
token-stays = testigo: concedido (salto { $hop }), y sigue aquí
token-granted-passed = testigo: concedido (salto { $granted }), pasado a { $to } (salto { $hop })
token-passed = testigo: pasado a { $to } (salto { $hop })
fenced = rechazado: { $who } aún hablaba por el anillo de la época { $epoch }, que ya terminó
woke = este nodo estuvo suspendido { $time }; el testigo que tenía no se usa
catching-up = poniéndose al día { $done }/{ $total } con { $peer }
caught-up = al día: { $count ->
        [one] { $count } mensaje recuperado
       *[other] { $count } mensajes recuperados
    } de { $peer }
checkpoint-written = checkpoint escrito
reconciled = reconciliado: { $count } mensajes en orden canónico
disk-short = { $what } ({ $why }): no se envía nada nuevo hasta que haya espacio, y nada se pierde
disk-is-full = el disco está lleno
disk-too-many-files = hay demasiados archivos abiertos
disk-room = hay espacio en el disco otra vez
rekeyed = la clave es ahora { $first }; también se acepta { $others }
rekeyed-one = la clave es ahora { $first }, y ninguna otra
stranger = { $count ->
        [one] { $count } datagrama
       *[other] { $count } datagramas
    }/s { $how } de { $from }
stranger-other-key = con otra clave
stranger-with-key = sellados con una clave, y aquí no hay ninguna,
stranger-without-key = sin clave
stranger-total = { $stranger }, { $count } en total

## Por qué se busca un anillo, y avisos del núcleo
reason-silent = ninguna señal de { $who } desde hace { $ms } ms, límite { $limit }
reason-closed = el puerto de { $who } está cerrado, y ninguna respuesta desde hace { $ms } ms
reason-suspended = este nodo estuvo suspendido mientras tenía el testigo
reason-gathers = { $who } está reuniendo el anillo
reason-new = { $who } es nuevo aquí
reason-left = { $who } se fue
reason-not-formed = el nuevo anillo no llegó a formarse
reason-starts = este nodo está empezando
reason-leaving = este nodo se está yendo
reason-many-lines = { $count } líneas esperan ya; dilo otra vez cuando algunas tengan número
reason-no-room = no se puede guardar nada ahora ({ $why }); haz espacio y dilo otra vez
reason-no-answer = el nodo { $who } dejó de responder; reconcilia otra vez cuando vuelva
reason-still-differ = las réplicas aún difieren: alguien habló, o guarda un conflicto; reconcilia otra vez cuando haya silencio
reason-no-key = este nodo empezó sin clave; empieza otra vez con --key-file
reason-interface-down = la interfaz { $interface } no envía al grupo: { $why }; los demás están fuera de alcance hasta que vuelva a funcionar
reason-interface-up = la interfaz { $interface } envía al grupo otra vez
reason-slow-output = { $count } mensajes y eventos no se mostraron, porque la salida no daba abasto; los mensajes están en la réplica
reason-nobody-restarts = nadie iniciaría este nodo de nuevo
reason-alone = está solo en su anillo, y no llega ningún testigo
reason-no-checkpoint = no existe ese checkpoint
reason-cut-from-itself = siempre se oye a sí mismo
reason-went-wrong = salió mal

## /anillo
ring-none = ningún anillo todavía: { $phase }
ring-head = época { $epoch }, dirigida por { $leader }: { $phase }; salto { $hop }, vuelta { $rotation }, límite del testigo { $timeout }
ring-not-measured = sin medir todavía
ring-member = { $mine } { $who }  { $address }  recibió #{ $received }, guardó #{ $held }{ $token }
    .plain = { $mine }{ $who }: en { $address }, recibió #{ $received }, guardó #{ $held }{ $token }
ring-mine = *
    .plain = este nodo, {""}
ring-token = {"  "}<- testigo
    .plain = , tiene el testigo
ring-sums = ordenado hasta #{ $ordered }, lo tienen todos hasta #{ $stable }; { $waiting ->
        [one] { $waiting } línea en espera
       *[other] { $waiting } líneas en espera
    }; { $records ->
        [one] { $records } mensaje
       *[other] { $records } mensajes
    } en la réplica
phase-gather = averiguando quién está
phase-commit = acordando el nuevo anillo
phase-recover = intercambiando lo que unos tienen y a otros les falta
phase-operational = el testigo circula
counters-datagrams = datagramas: { $sent } enviados, { $accepted } aceptados; rechazados: { $refused }
counters-repaired = reparados: { $others } para otros, { $own } para mí; testigos reenviados: { $tokens }; mensajes entregados: { $delivered }
counters-limits = rechazado por un límite: { $list }
counters-machine = en esta máquina: { $list }
counters-none = ninguno

## /quien y /whois
who-nobody = nadie todavía: no hay anillo
who-here = { $count } aquí: { $who }
who-away = (ausente: { $why })
whois = { $who }: en { $address }, encarnación { $incarnation }, recibió #{ $received }, guardó #{ $held }
whois-gone = { $who } no está en el anillo
whois-unknown = nadie aquí se llama { $name }

## /porque
why-nothing = nada: todas tus líneas las tienen todos
why-coming = { $count ->
        [one] una línea tuya ya tiene su número, y llega
       *[other] { $count } líneas tuyas ya tienen su número, y llegan
    } con lo que se recupera de los demás
why-own-disk = tu línea se está sincronizando en el disco de este nodo
why-disk = { $what } ({ $why }); haz algo de espacio, y el envío sigue solo
why-alone = buscando a otros; ningún anillo se ha formado todavía
why-ring-over = buscando a otros: el último anillo terminó, y uno nuevo aún no se ha formado
why-not-agreed = se está formando un nuevo anillo; falta el acuerdo de { $who }
why-commit = se está formando un nuevo anillo: sus miembros lo acuerdan
why-recover = se está formando un nuevo anillo: sus miembros intercambian lo que unos tienen del último y a otros les falta
why-token = el testigo lo tiene { $who }, a { $hops ->
        [one] { $hops } salto
       *[other] { $hops } saltos
    } de aquí
why-token-here = el testigo está aquí, y lleva tus líneas tan rápido como los demás dan abasto
why-quorum = faltan miembros: { $have } aquí, hacen falta { $need } (--quorum { $need })
why-quorum-unready = { $here } miembros están aquí, y aún no se sabe si todos están listos; hacen falta { $need } (--quorum { $need })
why-asking = preguntando a { $who } si una línea de una vida anterior ya tiene su número
why-held = tus líneas hasta #{ $seq } tienen número; aún sin escribir por { $who }

## /traza
trace-unknown = no se conoce aquí ningún mensaje así; /historial muestra los números
trace-forgotten = { $name } está en la réplica; sus pasos no se recuerdan
trace-head = la vida de { $name }:
trace-step = {"  "}{ $since }  { $what }
    .plain = { $since }: { $what }
step-said = dicho
step-outbox = en la bandeja de salida, sincronizado: ya no se pierde
step-stamped = numerado, con el testigo en el salto { $hop }
step-received = recibido entero
step-delivered = entregado, en orden
step-written = escrito en la propia réplica, sincronizado
step-held = guardado por { $who }

## Clases
lab-asked = clase: el nodo { $by } pide al nodo { $on }: { $deed }
lab-begins = clase: el nodo { $on } empieza, a petición de { $by }: { $deed }
lab-ends = clase: el nodo { $on } terminó, a petición de { $by }: { $deed }
lab-refused = clase: el nodo { $on } no hace lo que { $by } pidió: { $deed }: { $why }
lab-pause = hacer una pausa de { $ms } ms{ $token }
lab-cut = no oír nada de { $from } durante { $ms } ms
lab-heal = oír a todos otra vez
lab-lose-token = perder el testigo
lab-crash = caer{ $token }, y empezar de nuevo después de { $ms } ms
lab-checkpoint = escribir un checkpoint
lab-rollback-newest = volver al checkpoint más nuevo
lab-rollback = volver al checkpoint { $number }
lab-delay = retrasar la escritura de { $min } a { $max }
lab-say = decir: { $text }
lab-twin = tener un segundo nodo con el mismo id
lab-with-token = en cuanto tenga el testigo
page = página: { $link }

## Respuestas
rooms = salas: { $rooms }
nick = de ahora en adelante eres { $name }
part-elsewhere = estás en { $room }; nada que dejar
topic-none = { $room } no tiene tema; /tema TEXTO le da uno
found-none = ningún mensaje encontrado para { $words }
found-many = los últimos { $count } mensajes encontrados para { $words }, el más nuevo al final
found = { $count ->
        [one] { $count } mensaje encontrado
       *[other] { $count } mensajes encontrados
    } para { $words }, el más nuevo al final
no-key-here = este nodo empezó sin clave; empieza otra vez con --key-file
keys-stay = { $why }; las claves quedan como estaban
input-unreadable = no se puede leer la entrada: { $why }
restore = el checkpoint { $number } de { $time } tiene { $held ->
        [one] { $held } mensaje
       *[other] { $held } mensajes
    }; volver a él descarta { $discards ->
        [one] { $discards } mensaje
       *[other] { $discards } mensajes
    } del estado: { $then }
restore-none = quedan en el archivo y no se usan en esta vida (--recover none)
restore-own = después se recuperan de la propia réplica (--recover own)
restore-peers = después se recuperan, de la propia réplica y de los demás
restore-question = ¿volver a él? [s/N]
leaving = saliendo; Ctrl-C otra vez fuerza la salida
left = — fuera; se escribió un checkpoint
    .plain = fuera; se escribió un checkpoint
paste-question = ¿decir estas { $count } líneas como un solo mensaje? (si no, la flecha arriba las trae de vuelta) [S/n]
alarm = ! { $text }
    .plain = aviso: { $text }

## Grabaciones: eventos en palabras
replay-unreadable = un evento que ya no se puede leer
replay-inferred = hizo algo (se sabe por otros)
replay-stamped-inferred = numeró { $number } (se sabe por otros)
replay-start = { $who } empieza, encarnación { $incarnation }
replay-story-fresh = no había nada en su disco
replay-story-checkpoint = desde el checkpoint { $number }
replay-story-none = sin checkpoint
replay-story = { $from }: { $discarded ->
        [one] { $discarded } mensaje deshecho
       *[other] { $discarded } mensajes deshechos
    }, { $own ->
        [one] { $own } recuperado
       *[other] { $own } recuperados
    } de su réplica, { $held ->
        [one] { $held } guardado
       *[other] { $held } guardados
    }
replay-pending = dice, aún sin orden: { $text }
replay-stamped = numera { $number } en el salto { $hop }
replay-late = tarde
replay-written = { $number } está en la réplica
replay-held-by-all = { $number } lo tienen todos ({ $n })
replay-held = { $number } lo tienen { $k } de { $n }
replay-request = pide el testigo
replay-grant = tiene el testigo, salto { $hop }
replay-pass = pasa el testigo a { $to }, salto { $hop }
replay-rest = el testigo descansa aquí, salto { $hop }
replay-wake = se apremia al testigo, salto { $hop }
replay-wake-by = { $by } apremia al testigo, salto { $hop }
replay-token = el testigo estuvo aquí, salto { $hop }, hasta { $number }
replay-gathering = busca a los demás: { $why }
replay-ring = anillo { $ring } de { $members }
replay-ring-joined = entra { $who }
replay-ring-left = sale { $who }
replay-ring-merged = unión de { $rings }
replay-fenced = rechaza a { $who }: su anillo terminó
replay-woke = estuvo suspendido { $ms } ms
replay-asked = { $who } pide { $number } otra vez
replay-asked-several = { $who } pide de { $first } a { $last } otra vez
replay-resent = envía { $number } otra vez
replay-resent-to = envía { $number } otra vez, a { $to }
replay-repaired = { $number } llega por una reparación de { $from }
replay-checkpoint = checkpoint
replay-checkpoint-number = checkpoint { $number }
replay-caught-up = al día con { $peer }: { $count ->
        [one] { $count } mensaje
       *[other] { $count } mensajes
    }
replay-reconciled = { $count ->
        [one] { $count } mensaje reconciliado
       *[other] { $count } mensajes reconciliados
    }
replay-disk-full = disco lleno: { $why }
replay-lost = { $count ->
        [one] { $count } evento no se pudo grabar
       *[other] { $count } eventos no se pudieron grabar
    }
replay-warning = aviso: { $text }
replay-exit = termina con código { $code }
replay-exit-why = termina con código { $code }: { $why }
replay-lab = lección: { $what }, { $state }
replay-lab-heard = sabe de una lección: { $what }, en el nodo { $on }, { $state }
replay-lab-killed = lo matan
replay-lab-stopped = lo detienen donde está
replay-lab-goes-on = continúa
replay-lab-cut-off = deja de oír a { $from }
replay-lab-hears = oye a todos otra vez
replay-deed-pause = pausa
replay-deed-crash = caída
replay-deed-cut = corte
replay-deed-heal = fin del corte
replay-deed-lose-token = pérdida del testigo
replay-deed-checkpoint = checkpoint
replay-deed-rollback = vuelta a un checkpoint
replay-deed-delay = retraso
replay-deed-say = habla
replay-deed-twin = gemelo
replay-deed-asked = se pide
replay-deed-begins = empieza
replay-deed-ends = termina
replay-deed-refused = no se hace
replay-step = [Enter para el siguiente, q para terminar]
replay-later = … { $seconds } s después
replay-log-is-in = el registro para ShiViz está en { $path }; la expresión para leerlo es { $expression }
replay-picture-is-in = el diagrama de espacio y tiempo está en { $path }
replay-page-ends = Ctrl-C aquí lo termina.

## Grabaciones: el diagrama de espacio y tiempo
drawn-title = { $nodes ->
        [one] { $nodes } nodo
       *[other] { $nodes } nodos
    }, { $messages ->
        [one] { $messages } mensaje
       *[other] { $messages } mensajes
    }, { $seconds } s
drawn-about = Un diagrama de espacio y tiempo: el tiempo va hacia la derecha, y cada uno de los nodos { $nodes } tiene una línea.
drawn-counts = Están dibujados: { $messages ->
        [one] { $messages } mensaje
       *[other] { $messages } mensajes
    }, { $passes ->
        [one] { $passes } paso
       *[other] { $passes } pasos
    } del testigo y { $repairs ->
        [one] { $repairs } reparación
       *[other] { $repairs } reparaciones
    }.
drawn-node = nodo { $id } { $does }
drawn-in-ring = en el anillo { $ring }
drawn-ring = anillo { $ring }
drawn-members = { $count ->
        [one] { $count } miembro
       *[other] { $count } miembros
    }
drawn-delivered = { $number } entregado en el nodo { $id }
drawn-stamped = { $number } numerado: { $text }
drawn-resent = { $number } enviado otra vez al nodo { $id }
drawn-again = { $number } otra vez
drawn-holds = tiene el testigo, salto { $hop }
drawn-no-more = no se cuenta más de esta vida
drawn-splits = la red se divide: { $sides }
drawn-whole = la red está entera otra vez
drawn-merge = unión: { $rings } pasan a ser { $ring }
drawn-partition = división: anillos { $rings }
drawn-some = Aparecen { $shown } de { $all } { $what }; --from, --to y --width muestran más
drawn-passes = pasos del testigo
drawn-visits = visitas del testigo
drawn-messages = mensajes
drawn-repairs = reparaciones
drawn-marks = marcas
drawn-stays = estancias en anillos
drawn-searches = búsquedas de los demás
drawn-turns = giros
legend-holds = tiene el testigo
legend-passes = lo pasa, con su salto
legend-message = mensaje, numerado y entregado
legend-late = entregado tarde
legend-again = enviado otra vez
legend-looks = busca a los demás
legend-killed = lo matan
legend-checkpoint = checkpoint
legend-asks = pide otra vez
legend-time = el tiempo va hacia la derecha; los silencios largos se dibujan cortos

## Comandos
command-unknown-near = /{ $name } no es un comando; ¿será /{ $near }? (//{ $name } lo dice)
command-unknown = /{ $name } no es un comando; /ayuda los lista (//{ $name } lo dice)
command-use = uso: { $head } - { $what }
command-also = { $use }; también { $names }
command-text = dice /texto
command-help = listar los comandos
    .arguments = [COMANDO]
command-msg = decir TEXTO en otra sala
    .arguments = SALA TEXTO
command-join = ir a una sala
    .arguments = SALA
command-part = dejar una sala
    .arguments = [SALA]
command-rooms = listar las salas
command-nick = usar otro nombre
    .arguments = NOMBRE
command-who = listar quién está en el anillo
command-whois = todo lo que se sabe de un miembro
    .arguments = NOMBRE|ID
command-me = decir lo que haces
    .arguments = TEXTO
command-topic = dar un tema a esta sala, o mostrar el que tiene
    .arguments = [TEXTO]
command-away = decir por qué estás ausente; sin MOTIVO, que has vuelto
    .arguments = [MOTIVO]
command-search = mostrar los últimos mensajes que tienen todas estas palabras
    .arguments = PALABRAS
command-history = mostrar los últimos mensajes, de todas las salas o de una
    .arguments = [N] [SALA]
command-ring = mostrar miembros, quién tiene el testigo, época y tiempo de vuelta; -v con contadores
    .arguments = [-v]
command-token = pedir el testigo y guardarlo un momento
    .arguments = [TIEMPO]
command-why = ¿qué estoy esperando?
command-trace = la vida de un mensaje; NÚMERO como 42, o 42@5.1 donde la red se dividió
    .arguments = NÚMERO
command-checkpoint = escribir un checkpoint ahora
command-rollback = volver a un checkpoint, el más nuevo si no se da ninguno
    .arguments = [NÚMERO]
command-reconcile = hacer iguales todas las réplicas, en orden canónico
command-rekey = leer otra vez el archivo de clave, ahora
command-quit = salir
