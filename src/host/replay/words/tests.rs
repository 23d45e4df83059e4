//! Every event has its sentence, in each language.

use super::*;
use crate::host::terminal::lang::Lang;

/// An event of each kind, beyond its head, and what is told of it in English.
const TOLD: [(&str, &str); 47] = [
    (
        r#""type":"start","node":3,"id":3,"incarnation":"1763680000000000","name":"ana""#,
        "ana·3 starts, incarnation 1763680000000000",
    ),
    (r#""type":"story","fresh":true"#, "nothing was on its disk"),
    (
        r#""type":"story","checkpoint":4,"held":9,"rolled_back":3,"recovered_own":2"#,
        "from checkpoint 4: 3 rolled back, 2 recovered from its replica, 9 held",
    ),
    (
        r#""type":"story","checkpoint":null,"held":1,"rolled_back":1,"recovered_own":1"#,
        "without a checkpoint: 1 rolled back, 1 recovered from its replica, 1 held",
    ),
    (
        r#""type":"pending","id":"3-5-1","text":"oi""#,
        "says, not yet ordered: oi",
    ),
    (
        r#""type":"stamped","id":"3-5-1","ring":"2.1.5","seq":7,"hop":9"#,
        "stamps #7 at hop 9",
    ),
    (
        r#""type":"message","id":"3-5-1","ring":"2.1.5","seq":7,"name":"ana","text":"oi""#,
        "#7 ana·3: oi",
    ),
    (
        r#""type":"message","id":"3-5-2","ring":"2.3.5","seq":7,"name":"ana","text":"oi","late":true"#,
        "#7@2.3 ana·3, late: oi",
    ),
    (
        r#""type":"written","id":"3-5-1","ring":"2.1.5","seq":7"#,
        "#7 is in the replica",
    ),
    (
        r#""type":"held","id":"3-5-1","seq":7,"k":3,"n":3"#,
        "#7 is held by all 3",
    ),
    (
        r#""type":"held","id":"3-5-1","seq":7,"k":2,"n":3"#,
        "#7 is held by 2 of 3",
    ),
    (r#""type":"request""#, "asks for the token"),
    (r#""type":"grant","hop":9"#, "has the token, hop 9"),
    (
        r#""type":"pass","hop":10,"to":2"#,
        "passes the token to 2, hop 10",
    ),
    (
        r#""type":"rest","hop":10,"ring":"2.1.5""#,
        "the token rests here, hop 10",
    ),
    (
        r#""type":"wake","hop":10,"ring":"2.1.5","by":2"#,
        "the token is hastened by 2, hop 10",
    ),
    (
        r#""type":"wake","hop":10,"ring":"2.1.5""#,
        "the token is hastened, hop 10",
    ),
    (
        r#""type":"token","hop":10,"ring":"2.1.5","high":7"#,
        "the token was here, hop 10, up to #7",
    ),
    (
        r#""type":"gathering","reason":"no word from 2 for 310 ms, limit 300""#,
        "looks for others: no word from 2 for 310 ms, limit 300",
    ),
    (
        r#""type":"ring","ring":"2.1.5","members":[{"id":1},{"id":2}]"#,
        "ring 2.1 of 1,2",
    ),
    (
        r#""type":"ring","ring":"4.1.5","members":[{"id":1},{"id":2}],"joined":[2],"left":[3,4],"came_from":[{"ring":"2.1.5"},{"ring":"3.2.6"},{"ring":"3.9.6"}]"#,
        "ring 4.1 of 1,2, joined 2, left 3,4, merged from 2.1 and 3.2 and 3.9",
    ),
    (r#""type":"fenced","from":2"#, "fences 2: its ring is over"),
    (r#""type":"woke","away_us":1999999"#, "was suspended for 1999 ms"),
    (
        r#""type":"asked","ring":"2.1.5","from_seq":7,"to_seq":7,"by":2"#,
        "2 asks for #7 again",
    ),
    (
        r#""type":"asked","ring":"2.1.5","from_seq":7,"to_seq":9,"by":2"#,
        "2 asks for #7 to #9 again",
    ),
    (r#""type":"resent","ring":"2.1.5","seq":7"#, "sends #7 again"),
    (
        r#""type":"resent","ring":"2.1.5","seq":7,"to":2"#,
        "sends #7 again, to 2",
    ),
    (
        r#""type":"repaired","ring":"2.1.5","seq":7,"from":1"#,
        "#7 comes by a repair from 1",
    ),
    (r#""type":"checkpointed","number":4"#, "checkpoint 4"),
    (r#""type":"checkpointed""#, "checkpoint"),
    (
        r#""type":"caught_up","peer":2,"received":1"#,
        "caught up with 2: 1 messages",
    ),
    (r#""type":"reconciled","records":42"#, "reconciled 42 messages"),
    (r#""type":"disk_full","reason":"no space""#, "disk full: no space"),
    (r#""type":"disk_room""#, "there is room on the disk again"),
    (
        r#""type":"lab","node":3,"what":"lose_token","on":3,"state":"begins""#,
        "lesson: lose token begins",
    ),
    (
        r#""type":"lab","node":2,"what":"rollback","on":3,"state":"refused""#,
        "hears of a lesson: rollback on 3 refused",
    ),
    (
        r#""type":"lab","node":3,"what":"crash","on":3,"state":"begins""#,
        "is killed",
    ),
    (
        r#""type":"lab","node":3,"what":"pause","on":3,"state":"begins""#,
        "is stopped in its tracks",
    ),
    (
        r#""type":"lab","node":3,"what":"pause","on":3,"state":"ends""#,
        "goes on",
    ),
    (
        r#""type":"lab","node":3,"what":"cut","on":3,"state":"begins","from":[1,2]"#,
        "is cut off from 1,2",
    ),
    (
        r#""type":"lab","node":3,"what":"heal","on":3,"state":"begins""#,
        "hears all again",
    ),
    (
        r#""type":"lab","node":3,"what":"some_thing","on":3,"state":"new""#,
        "lesson: some thing new",
    ),
    (r#""type":"lost","count":5"#, "5 events could not be recorded"),
    (
        r#""type":"warning","text":"replicas still differ: somebody talked, or holds a conflict; reconcile again when it is quiet""#,
        "warning: replicas still differ: somebody talked, or holds a conflict; reconcile again when it is quiet",
    ),
    (r#""type":"exit","code":0"#, "ends with code 0"),
    (
        r#""type":"exit","code":5,"reason":"id 3 is taken""#,
        "ends with code 5: id 3 is taken",
    ),
    (r#""type":"some_thing""#, "some thing"),
];

/// What is the same in all languages: a message is somebody's own words, and these words are international.
const SAME: [&str; 4] = ["#7 ana·3: oi", "checkpoint 4", "checkpoint", "some thing"];

fn told(lang: Lang) -> Vec<String> {
    let mut words = Words::new(Voice { lang, plain: false });
    let events = TOLD.iter().map(|(event, _)| format!("{{\"v\":1,{event}}}"));
    events.map(|event| words.line(&event)).collect()
}

#[test]
fn every_event_is_told_in_english() {
    for (said, (event, expected)) in told(Lang::En).iter().zip(TOLD) {
        assert_eq!(said, expected, "{event}");
    }
}

#[test]
fn every_event_is_told_in_every_language() {
    for lang in [Lang::Pt, Lang::Es] {
        for (said, (event, english)) in told(lang).iter().zip(TOLD) {
            assert_eq!(
                said == english,
                SAME.contains(&english),
                "{lang:?} {event}: {said}"
            );
            assert!(!said.contains("replay-"), "{lang:?} {event}: {said}");
        }
    }
    let [pt, es] = [Lang::Pt, Lang::Es].map(told);
    for said in [
        "passa a ficha a 2, salto 10",
        "procura os outros: nenhum sinal de 2 há 310 ms, limite 300",
        "anel 4.1 de 1,2, entrou 2, saiu 3,4, união de 2.1 e 3.2 e 3.9",
        "em dia com 2: 1 mensagem",
        "lição: perda da ficha, começa",
    ] {
        assert!(pt.iter().any(|line| line == said), "{said} is not in {pt:#?}");
    }
    for said in [
        "pasa el testigo a 2, salto 10",
        "#7@2.3 ana·3, tarde: oi",
        "desde el checkpoint 4: 3 mensajes deshechos, 2 recuperados de su réplica, 9 guardados",
    ] {
        assert!(es.iter().any(|line| line == said), "{said} is not in {es:#?}");
    }
}

#[test]
fn what_is_known_from_others_is_told_in_every_language() {
    let position = told::position("2.1.5".parse().unwrap(), 3);
    let stamped = Fact::Stamped("1-5-1".parse().unwrap(), position);
    let said = |lang| Words::new(Voice { lang, plain: false }).inferred(&stamped);
    assert_eq!(said(Lang::En), "stamped #3 (known from others)");
    assert_eq!(said(Lang::Pt), "numerou #3 (sabe-se por outros)");
    assert_eq!(said(Lang::Es), "numeró #3 (se sabe por otros)");
}

#[test]
fn what_others_wrote_is_made_visible_and_stays_one_line() {
    let text = "{\"v\":1,\"type\":\"message\",\"id\":\"1-5-1\",\"ring\":\"1.1.5\",\"seq\":1,\
         \"name\":\"a\\nb\",\"text\":\"x\\u001b[2J\\ny\"}";
    let line = Words::default().line(text);
    assert_eq!(line, "#1 a␊b·1: x␛[2J␊y");
    let unknown = "{\"v\":1,\"type\":\"some_thing\\n\"}";
    assert_eq!(Words::default().line(unknown), "some thing␊");
}

#[test]
fn a_number_of_two_rings_is_told_with_its_ring() {
    let (one, other): (RingId, RingId) = ("2.1.5".parse().unwrap(), "2.3.7".parse().unwrap());
    let mut words = Words::default();
    assert_eq!(words.number(one, 3), "#3");
    assert_eq!(words.number(other, 3), "#3@2.3");
    assert_eq!(words.number(one, 3), "#3");
}
