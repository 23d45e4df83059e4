# O que o terminal diz, em português (do Brasil).

## As primeiras linhas
start-who = { $who } na sala { $room }; /ajuda lista os comandos
start-group = grupo { $group } em { $interface } ({ $address })
start-delay = atraso artificial de { $min }..{ $max } antes de gravar (--delay 0 desliga)
start-no-delay = sem atraso artificial
start-files = mensagens em { $replica }, checkpoints em { $checkpoints }; { $delay }
start-key = selado com a chave de grupo { $key }: só quem a tem consegue ler e escrever
start-no-key = não há chave: qualquer um nesta rede pode ler e escrever (node keygen ARQUIVO cria uma)

## O que se encontrou no disco
story-first = primeira vez aqui: nada a restaurar
story-from = checkpoint { $number }
story-from-time = checkpoint { $number } de { $time }
story-from-nothing = nenhum checkpoint
story-continued = continuado a partir de { $from }: { $count ->
        [one] { $count } mensagem
       *[other] { $count } mensagens
    }
story-rolled-back = { $from }: { $count ->
        [one] { $count } mensagem desfeita
       *[other] { $count } mensagens desfeitas
    } pela volta, { $own } recuperadas da própria réplica

## Pessoas
node = nó { $id }
nobody = ninguém
who-and-who = { $most } e { $last }
you = você·{ $id }
    .plain = você ({ $id })

## Mensagens
message-unreadable = não dá para ler { $name } de { $who }: { $why }
message-room = sala { $room }
message-action = * { $who } { $text }
    .plain = { $who } faz: { $text }
message-topic = * { $who } define o assunto: { $text }
    .plain = { $who } define o assunto: { $text }
message-away = * { $who } está ausente: { $text }
    .plain = { $who } está ausente: { $text }
message-back = * { $who } voltou
    .plain = { $who } voltou
message-late = (chegou tarde)
message-mentions-you = (menciona você)
message-yours = (sua)
day = — { $date } —
    .plain = dia { $date }
late-many = { $count ->
        [one] { $count } mensagem anterior chegou
       *[other] { $count } mensagens anteriores chegaram
    } tarde; /historico mostra
not-shown = { $count } linhas não mostradas, o terminal era lento demais; /historico mostra as mensagens

## As próprias linhas
pending = · pendente: { $text }
    .plain = pendente: { $text }
pending-earlier = · pendente, de uma vida anterior: { $text }
    .plain = pendente, de uma vida anterior: { $text }
not-said = a linha { $number } não foi dita: { $why }
held-by-all = ✓✓ { $which } com todos ({ $count })
    .plain = { $which } com todos ({ $count })
held-by-some = ✓ { $which } com { $k } de { $n }
    .plain = { $which } com { $k } de { $n }
more = mais { $count }
found-ordered = { $id }, de uma vida anterior, já tem seu número
offered-again = { $id }, de uma vida anterior, é oferecida de novo
moved = { $from } passou a ser { $to }
conflict = conflito: dois conteúdos sob o id { $id } em { $name }; fica o que já estava guardado

## O anel
gathering = procurando um anel: { $why }
ring = — anel de { $count }: { $who } (época { $epoch }){ $changes }
    .plain = anel de { $count }: { $who } (época { $epoch }){ $changes }
ring-joined = entrou: { $who }
ring-left = saiu: { $who }
token-asked = ficha: pedida
token-granted = ficha: concedida (salto { $hop })
token-stays = ficha: concedida (salto { $hop }), e ainda aqui
token-granted-passed = ficha: concedida (salto { $granted }), passada a { $to } (salto { $hop })
token-passed = ficha: passada a { $to } (salto { $hop })
fenced = barrado: { $who } ainda falava pelo anel da época { $epoch }, que acabou
woke = este nó ficou suspenso por { $time }; a ficha que tinha não é usada
catching-up = pondo em dia { $done }/{ $total } com { $peer }
caught-up = em dia: { $count ->
        [one] { $count } mensagem recuperada
       *[other] { $count } mensagens recuperadas
    } de { $peer }
checkpoint-written = checkpoint gravado
reconciled = reconciliado: { $count } mensagens em ordem canônica
disk-short = { $what } ({ $why }): nada de novo é enviado até haver espaço, e nada se perde
disk-is-full = o disco está cheio
disk-too-many-files = há arquivos abertos demais
disk-room = há espaço no disco de novo
rekeyed = a chave agora é { $first }; também se aceita { $others }
rekeyed-one = a chave agora é { $first }, e nenhuma outra
stranger = { $count ->
        [one] { $count } datagrama
       *[other] { $count } datagramas
    }/s { $how } de { $from }
stranger-other-key = com outra chave
stranger-with-key = selados com uma chave, e aqui não há nenhuma,
stranger-without-key = sem chave
stranger-total = { $stranger }, { $count } ao todo

## Por que se procura um anel, e avisos do núcleo
reason-silent = nenhum sinal de { $who } há { $ms } ms, limite { $limit }
reason-closed = a porta de { $who } está fechada, e nenhuma resposta há { $ms } ms
reason-suspended = este nó ficou suspenso enquanto tinha a ficha
reason-gathers = { $who } está reunindo o anel
reason-new = { $who } é novo aqui
reason-left = { $who } saiu
reason-not-formed = o novo anel não chegou a se formar
reason-starts = este nó está começando
reason-leaving = este nó está saindo
reason-many-lines = { $count } linhas já esperam; diga de novo quando algumas tiverem número
reason-no-room = nada pode ser guardado agora ({ $why }); abra espaço e diga de novo
reason-no-answer = o nó { $who } parou de responder; reconcilie de novo quando ele voltar
reason-still-differ = as réplicas ainda diferem: alguém falou, ou guarda um conflito; reconcilie de novo quando houver silêncio
reason-no-key = este nó começou sem chave; comece de novo com --key-file
reason-interface-down = a interface { $interface } não envia ao grupo: { $why }; os outros ficam fora de alcance até que volte a funcionar
reason-interface-up = a interface { $interface } envia ao grupo de novo
reason-slow-output = { $count } mensagens e eventos não foram mostrados, porque a saída não acompanhou; as mensagens estão na réplica
reason-nobody-restarts = ninguém iniciaria este nó de novo
reason-alone = está sozinho no anel, e nenhuma ficha vem
reason-no-checkpoint = não existe esse checkpoint
reason-cut-from-itself = ele sempre ouve a si mesmo
reason-went-wrong = deu errado

## /roda
ring-none = nenhum anel ainda: { $phase }
ring-head = época { $epoch }, liderada por { $leader }: { $phase }; salto { $hop }, volta { $rotation }, limite da ficha { $timeout }
ring-not-measured = ainda não medida
ring-member = { $mine } { $who }  { $address }  recebeu #{ $received }, guardou #{ $held }{ $token }
    .plain = { $mine }{ $who }: em { $address }, recebeu #{ $received }, guardou #{ $held }{ $token }
ring-mine = *
    .plain = este nó, {""}
ring-token = {"  "}<- ficha
    .plain = , tem a ficha
ring-sums = ordenado até #{ $ordered }, com todos até #{ $stable }; { $waiting ->
        [one] { $waiting } linha esperando
       *[other] { $waiting } linhas esperando
    }; { $records ->
        [one] { $records } mensagem
       *[other] { $records } mensagens
    } na réplica
phase-gather = descobrindo quem está aí
phase-commit = combinando o novo anel
phase-recover = trocando o que uns têm e a outros falta
phase-operational = a ficha circula
counters-datagrams = datagramas: { $sent } enviados, { $accepted } aceitos; recusados: { $refused }
counters-repaired = reparados: { $others } para outros, { $own } para mim; fichas reenviadas: { $tokens }; mensagens entregues: { $delivered }
counters-limits = recusado por um limite: { $list }
counters-machine = nesta máquina: { $list }
counters-none = nenhum

## /quem e /whois
who-nobody = ninguém ainda: não há anel
who-here = { $count } aqui: { $who }
who-away = (ausente: { $why })
whois = { $who }: em { $address }, encarnação { $incarnation }, recebeu #{ $received }, guardou #{ $held }
whois-gone = { $who } não está no anel
whois-unknown = ninguém aqui se chama { $name }

## /porque
why-nothing = nada: todas as suas linhas estão com todos
why-coming = { $count ->
        [one] uma linha sua já tem número, e chega
       *[other] { $count } linhas suas já têm número, e chegam
    } com o que se põe em dia com os outros
why-own-disk = sua linha está sendo sincronizada no disco deste nó
why-disk = { $what } ({ $why }); abra algum espaço, e o envio continua sozinho
why-alone = procurando outros; nenhum anel se formou ainda
why-ring-over = procurando outros: o último anel acabou, e um novo ainda não se formou
why-not-agreed = um novo anel está se formando; falta o acordo de { $who }
why-commit = um novo anel está se formando: seus membros o combinam
why-recover = um novo anel está se formando: seus membros trocam o que uns têm do último e a outros falta
why-token = a ficha está com { $who }, a { $hops ->
        [one] { $hops } salto
       *[other] { $hops } saltos
    } daqui
why-token-here = a ficha está aqui, e leva suas linhas tão depressa quanto os outros acompanham
why-quorum = membros de menos: { $have } aqui, são precisos { $need } (--quorum { $need })
why-quorum-unready = { $here } membros estão aqui, e não se sabe ainda se todos estão prontos; são precisos { $need } (--quorum { $need })
why-asking = perguntando a { $who } se uma linha de uma vida anterior já tem seu número
why-held = suas linhas até #{ $seq } têm número; ainda não gravadas por { $who }

## /rastro
trace-unknown = nenhuma mensagem assim é conhecida aqui; /historico mostra os números
trace-forgotten = { $name } está na réplica; seus passos não são lembrados
trace-head = a vida de { $name }:
trace-step = {"  "}{ $since }  { $what }
    .plain = { $since }: { $what }
step-said = dita
step-outbox = na caixa de saída, sincronizada: não se perde mais
step-stamped = numerada, com a ficha no salto { $hop }
step-received = recebida inteira
step-delivered = entregue, em ordem
step-written = gravada na própria réplica, sincronizada
step-held = guardada por { $who }

## Aulas
lab-asked = aula: o nó { $by } pede ao nó { $on }: { $deed }
lab-begins = aula: o nó { $on } começa, a pedido de { $by }: { $deed }
lab-ends = aula: o nó { $on } terminou, a pedido de { $by }: { $deed }
lab-refused = aula: o nó { $on } não faz o que { $by } pediu: { $deed }: { $why }
lab-pause = fazer pausa de { $ms } ms{ $token }
lab-cut = não ouvir nada de { $from } por { $ms } ms
lab-heal = ouvir todos de novo
lab-lose-token = perder a ficha
lab-crash = cair{ $token }, e começar de novo depois de { $ms } ms
lab-checkpoint = gravar um checkpoint
lab-rollback-newest = voltar ao checkpoint mais novo
lab-rollback = voltar ao checkpoint { $number }
lab-delay = atrasar a gravação de { $min } a { $max }
lab-say = dizer: { $text }
lab-twin = ter um segundo nó com o mesmo id
lab-with-token = assim que tiver a ficha
page = página: { $link }

## Respostas
rooms = salas: { $rooms }
nick = de agora em diante você é { $name }
part-elsewhere = você está em { $room }; nada a deixar
topic-none = { $room } não tem assunto; /assunto TEXTO lhe dá um
found-none = nenhuma mensagem encontrada para { $words }
found-many = as últimas { $count } mensagens encontradas para { $words }, a mais nova no fim
found = { $count ->
        [one] { $count } mensagem encontrada
       *[other] { $count } mensagens encontradas
    } para { $words }, a mais nova no fim
no-key-here = este nó começou sem chave; comece de novo com --key-file
keys-stay = { $why }; as chaves ficam como estavam
input-unreadable = não dá para ler a entrada: { $why }
restore = o checkpoint { $number } de { $time } tem { $held ->
        [one] { $held } mensagem
       *[other] { $held } mensagens
    }; voltar a ele descarta { $discards ->
        [one] { $discards } mensagem
       *[other] { $discards } mensagens
    } do estado: { $then }
restore-none = elas ficam no arquivo e não são usadas nesta vida (--recover none)
restore-own = depois são recuperadas da própria réplica (--recover own)
restore-peers = depois são recuperadas, da própria réplica e dos outros
restore-question = voltar a ele? [s/N]
leaving = saindo; Ctrl-C mais uma vez força
left = — saiu; um checkpoint foi gravado
    .plain = saiu; um checkpoint foi gravado
paste-question = dizer estas { $count } linhas como uma mensagem só? (se não, a seta para cima as traz de volta) [S/n]
alarm = ! { $text }
    .plain = aviso: { $text }

## Gravações: eventos em palavras
replay-unreadable = um evento que já não dá para ler
replay-inferred = fez alguma coisa (sabe-se por outros)
replay-stamped-inferred = numerou { $number } (sabe-se por outros)
replay-start = { $who } começa, encarnação { $incarnation }
replay-story-fresh = não havia nada no seu disco
replay-story-checkpoint = a partir do checkpoint { $number }
replay-story-none = sem checkpoint
replay-story = { $from }: { $discarded ->
        [one] { $discarded } mensagem desfeita
       *[other] { $discarded } mensagens desfeitas
    }, { $own ->
        [one] { $own } recuperada
       *[other] { $own } recuperadas
    } da sua réplica, { $held ->
        [one] { $held } guardada
       *[other] { $held } guardadas
    }
replay-pending = diz, ainda sem ordem: { $text }
replay-stamped = numera { $number } no salto { $hop }
replay-late = atrasada
replay-written = { $number } está na réplica
replay-held-by-all = { $number } está com todos ({ $n })
replay-held = { $number } está com { $k } de { $n }
replay-request = pede a ficha
replay-grant = tem a ficha, salto { $hop }
replay-pass = passa a ficha a { $to }, salto { $hop }
replay-rest = a ficha descansa aqui, salto { $hop }
replay-wake = a ficha é apressada, salto { $hop }
replay-wake-by = a ficha é apressada por { $by }, salto { $hop }
replay-token = a ficha esteve aqui, salto { $hop }, até { $number }
replay-gathering = procura os outros: { $why }
replay-ring = anel { $ring } de { $members }
replay-ring-joined = entrou { $who }
replay-ring-left = saiu { $who }
replay-ring-merged = união de { $rings }
replay-fenced = barra { $who }: seu anel acabou
replay-woke = ficou suspenso por { $ms } ms
replay-asked = { $who } pede { $number } de novo
replay-asked-several = { $who } pede de { $first } a { $last } de novo
replay-resent = envia { $number } de novo
replay-resent-to = envia { $number } de novo, a { $to }
replay-repaired = { $number } chega por um reparo de { $from }
replay-checkpoint = checkpoint
replay-checkpoint-number = checkpoint { $number }
replay-caught-up = em dia com { $peer }: { $count ->
        [one] { $count } mensagem
       *[other] { $count } mensagens
    }
replay-reconciled = { $count ->
        [one] { $count } mensagem reconciliada
       *[other] { $count } mensagens reconciliadas
    }
replay-disk-full = disco cheio: { $why }
replay-lost = { $count ->
        [one] { $count } evento não pôde ser gravado
       *[other] { $count } eventos não puderam ser gravados
    }
replay-warning = aviso: { $text }
replay-exit = termina com código { $code }
replay-exit-why = termina com código { $code }: { $why }
replay-lab = lição: { $what }, { $state }
replay-lab-heard = sabe de uma lição: { $what }, no nó { $on }, { $state }
replay-lab-killed = é morto
replay-lab-stopped = é parado onde está
replay-lab-goes-on = continua
replay-lab-cut-off = fica sem ouvir { $from }
replay-lab-hears = ouve todos de novo
replay-deed-pause = pausa
replay-deed-crash = queda
replay-deed-cut = corte
replay-deed-heal = fim do corte
replay-deed-lose-token = perda da ficha
replay-deed-checkpoint = checkpoint
replay-deed-rollback = volta a um checkpoint
replay-deed-delay = atraso
replay-deed-say = fala
replay-deed-twin = gêmeo
replay-deed-asked = pede-se
replay-deed-begins = começa
replay-deed-ends = termina
replay-deed-refused = não se faz
replay-step = [Enter para o próximo, q para terminar]
replay-later = … { $seconds } s depois
replay-log-is-in = o registro para o ShiViz está em { $path }; a expressão para lê-lo é { $expression }
replay-picture-is-in = o diagrama de espaço e tempo está em { $path }
replay-page-ends = Ctrl-C aqui encerra.

## Gravações: o diagrama de espaço e tempo
drawn-title = { $nodes ->
        [one] { $nodes } nó
       *[other] { $nodes } nós
    }, { $messages ->
        [one] { $messages } mensagem
       *[other] { $messages } mensagens
    }, { $seconds } s
drawn-about = Um diagrama de espaço e tempo: o tempo vai para a direita, e cada um dos nós { $nodes } tem uma linha.
drawn-counts = Estão desenhados: { $messages ->
        [one] { $messages } mensagem
       *[other] { $messages } mensagens
    }, { $passes ->
        [one] { $passes } passagem
       *[other] { $passes } passagens
    } da ficha e { $repairs ->
        [one] { $repairs } reparo
       *[other] { $repairs } reparos
    }.
drawn-node = nó { $id } { $does }
drawn-in-ring = no anel { $ring }
drawn-ring = anel { $ring }
drawn-members = { $count ->
        [one] { $count } membro
       *[other] { $count } membros
    }
drawn-delivered = { $number } entregue no nó { $id }
drawn-stamped = { $number } numerada: { $text }
drawn-resent = { $number } enviada de novo ao nó { $id }
drawn-again = { $number } de novo
drawn-holds = tem a ficha, salto { $hop }
drawn-no-more = nada mais se conta desta vida
drawn-splits = a rede se divide: { $sides }
drawn-whole = a rede está inteira de novo
drawn-merge = união: { $rings } viram { $ring }
drawn-partition = divisão: anéis { $rings }
drawn-some = Aparecem { $shown } de { $all } { $what }; --from, --to e --width mostram mais
drawn-passes = passagens da ficha
drawn-visits = visitas da ficha
drawn-messages = mensagens
drawn-repairs = reparos
drawn-marks = marcas
drawn-stays = estadas em anéis
drawn-searches = buscas pelos outros
drawn-turns = viradas
legend-holds = tem a ficha
legend-passes = passa-a, com seu salto
legend-message = mensagem, numerada e entregue
legend-late = entregue com atraso
legend-again = enviada de novo
legend-looks = procura os outros
legend-killed = morto
legend-checkpoint = checkpoint
legend-asks = pede de novo
legend-time = o tempo vai para a direita; silêncios longos são desenhados curtos

## Comandos
command-unknown-near = /{ $name } não é um comando; seria /{ $near }? (//{ $name } diz isso)
command-unknown = /{ $name } não é um comando; /ajuda os lista (//{ $name } diz isso)
command-use = uso: { $head } - { $what }
command-also = { $use }; também { $names }
command-text = diz /texto
command-help = listar os comandos
    .arguments = [COMANDO]
command-msg = dizer TEXTO em outra sala
    .arguments = SALA TEXTO
command-join = ir a uma sala
    .arguments = SALA
command-part = deixar uma sala
    .arguments = [SALA]
command-rooms = listar as salas
command-nick = usar outro nome
    .arguments = NOME
command-who = listar quem está no anel
command-whois = tudo o que se sabe de um membro
    .arguments = NOME|ID
command-me = dizer o que você faz
    .arguments = TEXTO
command-topic = dar um assunto a esta sala, ou mostrar o que ela tem
    .arguments = [TEXTO]
command-away = dizer por que está ausente; sem MOTIVO, que voltou
    .arguments = [MOTIVO]
command-search = mostrar as últimas mensagens que têm todas estas palavras
    .arguments = PALAVRAS
command-history = mostrar as últimas mensagens, de todas as salas ou de uma
    .arguments = [N] [SALA]
command-ring = mostrar membros, quem tem a ficha, época e tempo de volta; -v com contadores
    .arguments = [-v]
command-token = pedir a ficha e segurá-la um momento
    .arguments = [TEMPO]
command-why = o que estou esperando?
command-trace = a vida de uma mensagem; NÚMERO como 42, ou 42@5.1 onde a rede se dividiu
    .arguments = NÚMERO
command-checkpoint = gravar um checkpoint agora
command-rollback = voltar a um checkpoint, o mais novo se nenhum for dado
    .arguments = [NÚMERO]
command-reconcile = tornar todas as réplicas iguais, em ordem canônica
command-rekey = ler de novo o arquivo de chave, agora
command-quit = sair
