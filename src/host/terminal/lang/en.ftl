# What the terminal says, in English: the language that all others are held against.
# `.plain` is said instead with --plain, where signs become words.

## The first lines
start-who = { $who } in room { $room }; /help lists the commands
start-group = group { $group } on { $interface } ({ $address })
start-delay = artificial delay { $min }..{ $max } before writing (--delay 0 turns it off)
start-no-delay = no artificial delay
start-files = messages in { $replica }, checkpoints in { $checkpoints }; { $delay }
start-key = sealed with group key { $key }: only who has it can read and write
start-no-key = there is no key: anyone on this network can read and write (node keygen FILE makes one)

## What was found on the disk
story-first = first start here: nothing to restore
story-from = checkpoint { $number }
story-from-time = checkpoint { $number } of { $time }
story-from-nothing = no checkpoint
story-continued = continued from { $from }: { $count ->
        [one] { $count } message
       *[other] { $count } messages
    }
story-rolled-back = { $from }: { $count ->
        [one] { $count } message
       *[other] { $count } messages
    } rolled back, { $own } recovered from the own replica

## People
node = node { $id }
nobody = nobody
who-and-who = { $most } and { $last }
you = you·{ $id }
    .plain = you ({ $id })

## Messages
message-unreadable = { $name } of { $who } cannot be read: { $why }
message-room = room { $room }
message-action = * { $who } { $text }
    .plain = { $who } does: { $text }
message-topic = * { $who } sets the topic: { $text }
    .plain = { $who } sets the topic: { $text }
message-away = * { $who } is away: { $text }
    .plain = { $who } is away: { $text }
message-back = * { $who } is back
    .plain = { $who } is back
message-late = (came late)
message-mentions-you = (mentions you)
message-yours = (yours)
day = — { $date } —
    .plain = day { $date }
late-many = { $count ->
        [one] { $count } earlier message
       *[other] { $count } earlier messages
    } came late; /history shows them
not-shown = { $count } lines not shown, the terminal was too slow; /history shows messages

## Own lines
pending = · pending: { $text }
    .plain = pending: { $text }
pending-earlier = · pending, from an earlier life: { $text }
    .plain = pending, from an earlier life: { $text }
not-said = line { $number } not said: { $why }
held-by-all = ✓✓ { $which } held by all { $count }
    .plain = { $which } held by all { $count }
held-by-some = ✓ { $which } held by { $k } of { $n }
    .plain = { $which } held by { $k } of { $n }
more = { $count } more
found-ordered = { $id }, of an earlier life, has its number
offered-again = { $id }, of an earlier life, is offered again
moved = { $from } moved to { $to }
conflict = conflict: two contents under id { $id } at { $name }; the one already held stays

## The ring
gathering = looking for a ring: { $why }
ring = — ring of { $count }: { $who } (epoch { $epoch }){ $changes }
    .plain = ring of { $count }: { $who } (epoch { $epoch }){ $changes }
ring-joined = joined: { $who }
ring-left = left: { $who }
token-asked = token: asked for
token-granted = token: granted (hop { $hop })
token-stays = token: granted (hop { $hop }), and still here
token-granted-passed = token: granted (hop { $granted }), passed to { $to } (hop { $hop })
token-passed = token: passed to { $to } (hop { $hop })
fenced = fenced: { $who } still spoke for the ring of epoch { $epoch }, which is over
woke = this node was suspended for { $time }; the token it held is not used
catching-up = catching up { $done }/{ $total } from { $peer }
caught-up = caught up: { $count ->
        [one] { $count } message
       *[other] { $count } messages
    } recovered from { $peer }
checkpoint-written = checkpoint written
reconciled = reconciled: { $count } messages in canonical order
disk-short = { $what } ({ $why }): nothing new is sent until there is room, and nothing is lost
disk-is-full = the disk is full
disk-too-many-files = too many files are open
disk-room = there is room on the disk again
rekeyed = the key is { $first } now; { $others } accepted too
rekeyed-one = the key is { $first } now, and no other
stranger = { $count ->
        [one] { $count } datagram
       *[other] { $count } datagrams
    }/s { $how } from { $from }
stranger-other-key = with another key
stranger-with-key = sealed with a key, and there is none here,
stranger-without-key = without a key
stranger-total = { $stranger }, { $count } in all

## Why a ring is looked for, and what the core warns of
reason-silent = no word from { $who } for { $ms } ms, limit { $limit }
reason-closed = the port of { $who } is closed, and no answer for { $ms } ms
reason-suspended = this node was suspended while it held the token
reason-gathers = { $who } gathers
reason-new = { $who } is new here
reason-left = { $who } left
reason-not-formed = the new ring did not come about
reason-starts = this node starts
reason-leaving = this node is leaving
reason-many-lines = { $count } lines wait already; say it again when some have their numbers
reason-no-room = nothing can be stored now ({ $why }); make room and say it again
reason-no-answer = node { $who } stopped answering; reconcile again when it is back
reason-still-differ = replicas still differ: somebody talked, or holds a conflict; reconcile again when it is quiet
reason-no-key = this node was started without a key; start it again with --key-file
reason-interface-down = interface { $interface } does not send to the group: { $why }; others are unreachable until it works again
reason-interface-up = interface { $interface } sends to the group again
reason-slow-output = { $count } messages and events were not shown, because the output did not keep up; the messages are in the replica
reason-nobody-restarts = nobody would start this node again
reason-alone = it is alone in its ring, and no token comes
reason-no-checkpoint = there is no such checkpoint
reason-cut-from-itself = it always hears itself
reason-went-wrong = it went wrong

## /ring
ring-none = no ring yet: { $phase }
ring-head = epoch { $epoch }, led by { $leader }: { $phase }; hop { $hop }, rotation { $rotation }, token timeout { $timeout }
ring-not-measured = not measured yet
ring-member = { $mine } { $who }  { $address }  received #{ $received }, held #{ $held }{ $token }
    .plain = { $mine }{ $who }: at { $address }, received #{ $received }, held #{ $held }{ $token }
ring-mine = *
    .plain = this node, {""}
ring-token = {"  "}<- token
    .plain = , has the token
ring-sums = ordered up to #{ $ordered }, held by all up to #{ $stable }; { $waiting ->
        [one] { $waiting } line
       *[other] { $waiting } lines
    } waiting; { $records ->
        [one] { $records } message
       *[other] { $records } messages
    } in the replica
phase-gather = finding out who is there
phase-commit = agreeing on the new ring
phase-recover = exchanging what some have and others lack
phase-operational = the token goes round
counters-datagrams = datagrams: { $sent } sent, { $accepted } accepted; refused: { $refused }
counters-repaired = repaired: { $others } for others, { $own } for me; tokens sent again: { $tokens }; messages delivered: { $delivered }
counters-limits = turned away at a limit: { $list }
counters-machine = at this machine: { $list }
counters-none = none

## /who and /whois
who-nobody = nobody yet: no ring
who-here = { $count } here: { $who }
who-away = (away: { $why })
whois = { $who }: at { $address }, incarnation { $incarnation }, received #{ $received }, held #{ $held }
whois-gone = { $who } is not in the ring
whois-unknown = nobody here is called { $name }

## /why
why-nothing = nothing: every line of yours is held by all
why-coming = { $count ->
        [one] a line of yours has its number already, and comes
       *[other] { $count } lines of yours have their numbers already, and come
    } with what is caught up from others
why-own-disk = your line is being synced to this node's disk
why-disk = { $what } ({ $why }); free some room, and sending goes on by itself
why-alone = looking for others; no ring has formed yet
why-ring-over = looking for others: the last ring is over, and a new one has not formed yet
why-not-agreed = a new ring is forming; no agreement yet from { $who }
why-commit = a new ring is forming: its members agree on it
why-recover = a new ring is forming: its members exchange what some have of the last one and others lack
why-token = the token is with { $who }, { $hops ->
        [one] { $hops } hop
       *[other] { $hops } hops
    } from here
why-token-here = the token is here, and takes your lines as fast as the others keep up
why-quorum = too few members: { $have } here, { $need } needed (--quorum { $need })
why-quorum-unready = { $here } members are here, and not all of them are known to be ready; { $need } are needed (--quorum { $need })
why-asking = asking { $who } whether a line of an earlier life has its number already
why-held = your lines up to #{ $seq } have their numbers; not written yet by { $who }

## /trace
trace-unknown = no such message is known here; /history shows numbers
trace-forgotten = { $name } is in the replica; its steps are not remembered
trace-head = the life of { $name }:
trace-step = {"  "}{ $since }  { $what }
    .plain = { $since }: { $what }
step-said = said
step-outbox = in the synced outbox: cannot be lost any more
step-stamped = stamped, holding the token at hop { $hop }
step-received = received whole
step-delivered = delivered, in order
step-written = written to the own replica, synced
step-held = held by { $who }

## Lessons
lab-asked = lesson: node { $by } asks node { $on } to { $deed }
lab-begins = lesson: node { $on } begins to { $deed }, as { $by } asked
lab-ends = lesson: node { $on } is done: { $deed }, as { $by } asked
lab-refused = lesson: node { $on } does not { $deed }, as { $by } asked: { $why }
lab-pause = pause for { $ms } ms{ $token }
lab-cut = hear nothing from { $from } for { $ms } ms
lab-heal = hear everybody again
lab-lose-token = lose the token
lab-crash = crash{ $token }, and be started again after { $ms } ms
lab-checkpoint = write a checkpoint
lab-rollback-newest = roll back to the newest checkpoint
lab-rollback = roll back to checkpoint { $number }
lab-delay = delay writing by { $min } to { $max }
lab-say = say: { $text }
lab-twin = have a second node started under its id
lab-with-token = as soon as it holds the token
page = page: { $link }

## Answers
rooms = rooms: { $rooms }
nick = you are { $name } from now on
part-elsewhere = you are in { $room }; nothing to leave
topic-none = { $room } has no topic; /topic TEXT gives it one
found-none = no message found for { $words }
found-many = the last { $count } messages found for { $words }, newest last
found = { $count ->
        [one] { $count } message
       *[other] { $count } messages
    } found for { $words }, newest last
no-key-here = this node was started without a key; start it again with --key-file
keys-stay = { $why }; the keys stay as they were
input-unreadable = the input cannot be read: { $why }
restore = checkpoint { $number } of { $time } holds { $held ->
        [one] { $held } message
       *[other] { $held } messages
    }; going back to it discards { $discards ->
        [one] { $discards } message
       *[other] { $discards } messages
    } from the state: { $then }
restore-none = they stay in the file and are not used in this life (--recover none)
restore-own = they are then recovered from the own replica (--recover own)
restore-peers = they are then recovered, from the own replica and from peers
restore-question = go back to it? [y/N]
leaving = leaving; Ctrl-C once more forces
left = — left; a checkpoint is written
    .plain = left; a checkpoint is written
paste-question = say these { $count } lines as one message? (if not, the up arrow brings them back) [Y/n]
alarm = ! { $text }
    .plain = warning: { $text }

## Recordings: events in words
replay-unreadable = an event that cannot be read any more
replay-inferred = did something (known from others)
replay-stamped-inferred = stamped { $number } (known from others)
replay-start = { $who } starts, incarnation { $incarnation }
replay-story-fresh = nothing was on its disk
replay-story-checkpoint = from checkpoint { $number }
replay-story-none = without a checkpoint
replay-story = { $from }: { $discarded } rolled back, { $own } recovered from its replica, { $held } held
replay-pending = says, not yet ordered: { $text }
replay-stamped = stamps { $number } at hop { $hop }
replay-late = late
replay-written = { $number } is in the replica
replay-held-by-all = { $number } is held by all { $n }
replay-held = { $number } is held by { $k } of { $n }
replay-request = asks for the token
replay-grant = has the token, hop { $hop }
replay-pass = passes the token to { $to }, hop { $hop }
replay-rest = the token rests here, hop { $hop }
replay-wake = the token is hastened, hop { $hop }
replay-wake-by = the token is hastened by { $by }, hop { $hop }
replay-token = the token was here, hop { $hop }, up to { $number }
replay-gathering = looks for others: { $why }
replay-ring = ring { $ring } of { $members }
replay-ring-joined = joined { $who }
replay-ring-left = left { $who }
replay-ring-merged = merged from { $rings }
replay-fenced = fences { $who }: its ring is over
replay-woke = was suspended for { $ms } ms
replay-asked = { $who } asks for { $number } again
replay-asked-several = { $who } asks for { $first } to { $last } again
replay-resent = sends { $number } again
replay-resent-to = sends { $number } again, to { $to }
replay-repaired = { $number } comes by a repair from { $from }
replay-checkpoint = checkpoint
replay-checkpoint-number = checkpoint { $number }
replay-caught-up = caught up with { $peer }: { $count } messages
replay-reconciled = reconciled { $count } messages
replay-disk-full = disk full: { $why }
replay-lost = { $count } events could not be recorded
replay-warning = warning: { $text }
replay-exit = ends with code { $code }
replay-exit-why = ends with code { $code }: { $why }
replay-lab = lesson: { $what } { $state }
replay-lab-heard = hears of a lesson: { $what } on { $on } { $state }
replay-lab-killed = is killed
replay-lab-stopped = is stopped in its tracks
replay-lab-goes-on = goes on
replay-lab-cut-off = is cut off from { $from }
replay-lab-hears = hears all again
replay-deed-pause = pause
replay-deed-crash = crash
replay-deed-cut = cut
replay-deed-heal = heal
replay-deed-lose-token = lose token
replay-deed-checkpoint = checkpoint
replay-deed-rollback = rollback
replay-deed-delay = delay
replay-deed-say = say
replay-deed-twin = twin
replay-deed-asked = asked
replay-deed-begins = begins
replay-deed-ends = ends
replay-deed-refused = refused
replay-step = [Enter for the next, q to end]
replay-later = … { $seconds } s later
replay-log-is-in = the log for ShiViz is in { $path }; its parser expression is { $expression }
replay-picture-is-in = the space-time diagram is in { $path }
replay-page-ends = Ctrl-C here ends it.

## Recordings: the space-time diagram
drawn-title = { $nodes } nodes, { $messages } messages, { $seconds } s
drawn-about = A space-time diagram: time goes to the right, each of the nodes { $nodes } has a line.
drawn-counts = { $messages } messages, { $passes } passes of the token and { $repairs } repairs are drawn.
drawn-node = node { $id } { $does }
drawn-in-ring = in ring { $ring }
drawn-ring = ring { $ring }
drawn-members = { $count } members
drawn-delivered = { $number } delivered at node { $id }
drawn-stamped = { $number } stamped: { $text }
drawn-resent = { $number } sent again to node { $id }
drawn-again = { $number } again
drawn-holds = holds the token, hop { $hop }
drawn-no-more = no more is told of this life
drawn-splits = the network splits: { $sides }
drawn-whole = the network is whole again
drawn-merge = merge: { $rings } become { $ring }
drawn-partition = partition: rings { $rings }
drawn-some = { $shown } of { $all } { $what } are drawn; --from, --to and --width show more
drawn-passes = passes of the token
drawn-visits = visits of the token
drawn-messages = messages
drawn-repairs = repairs
drawn-marks = marks
drawn-stays = stays in rings
drawn-searches = searches for others
drawn-turns = turns
legend-holds = holds the token
legend-passes = passes it, with its hop
legend-message = message, stamped and delivered
legend-late = delivered late
legend-again = sent again
legend-looks = looks for others
legend-killed = killed
legend-checkpoint = checkpoint
legend-asks = asks for it again
legend-time = time goes to the right; long silences are drawn short

## Commands
command-unknown-near = /{ $name } is no command; did you mean /{ $near }? (//{ $name } says it)
command-unknown = /{ $name } is no command; /help lists them (//{ $name } says it)
command-use = use: { $head } - { $what }
command-also = { $use }; also { $names }
command-text = says /text
command-help = list the commands
    .arguments = [COMMAND]
command-msg = say TEXT in another room
    .arguments = ROOM TEXT
command-join = go to a room
    .arguments = ROOM
command-part = leave a room
    .arguments = [ROOM]
command-rooms = list the rooms
command-nick = use another name
    .arguments = NAME
command-who = list who is in the ring
command-whois = all that is known of one member
    .arguments = NAME|ID
command-me = say what you do
    .arguments = TEXT
command-topic = give this room a topic, or show the one it has
    .arguments = [TEXT]
command-away = say why you are away; without WHY that you are back
    .arguments = [WHY]
command-search = show the last messages that have all these words
    .arguments = WORDS
command-history = show the last messages, of all rooms or of one
    .arguments = [N] [ROOM]
command-ring = show members, holder, epoch and rotation time; -v with counters
    .arguments = [-v]
command-token = ask for the token and keep it a moment
    .arguments = [TIME]
command-why = what am I waiting for?
command-trace = the life of a message; NUMBER like 42, or 42@5.1 where the network was split
    .arguments = NUMBER
command-checkpoint = write a checkpoint now
command-rollback = go back to a checkpoint, the newest if none is named
    .arguments = [NUMBER]
command-reconcile = make all replicas equal, in canonical order
command-rekey = read the key file again, now
command-quit = leave
