//! How a picture looks: colours for light and dark ground, told apart by shape as well, for those who do not see colours.

/// How many colours rings have before they begin again.
pub const RING_COLOURS: usize = 6;

/// The style sheet. Contrast of text is at least 4.5 to 1 on every ground it stands on, in both schemes.
pub const SHEET: &str = "\
.roda{--paper:#fdfcf9;--ink:#1d2731;--soft:#5b6672;--line:#8a949e;--token:#8f5200;--said:#2456a6;--again:#b0216b;\
--bad:#b3261e;--b0:#d9e8f6;--b1:#fbe5cd;--b2:#dcefd9;--b3:#ecdff5;--b4:#fbdde1;--b5:#d8edea;\
--e0:#245d92;--e1:#8a4b0b;--e2:#2b6638;--e3:#65398c;--e4:#96303f;--e5:#1c5f59;\
font:11px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}
@media (prefers-color-scheme:dark){.roda{--paper:#13171c;--ink:#e8edf2;--soft:#a3aeb9;--line:#76828e;--token:#f2b13c;\
--said:#8fbcff;--again:#ff8ac0;--bad:#ff8a80;--b0:#1c3348;--b1:#432f17;--b2:#1e3924;--b3:#352445;--b4:#43232b;\
--b5:#17383a;--e0:#6fb1ea;--e1:#e39a4d;--e2:#72c083;--e3:#bd93e3;--e4:#f08c9f;--e5:#62bdb4}}
.paper{fill:var(--paper)}
.b0{fill:var(--b0)}.b1{fill:var(--b1)}.b2{fill:var(--b2)}.b3{fill:var(--b3)}.b4{fill:var(--b4)}.b5{fill:var(--b5)}
.e0{fill:var(--e0)}.e1{fill:var(--e1)}.e2{fill:var(--e2)}.e3{fill:var(--e3)}.e4{fill:var(--e4)}.e5{fill:var(--e5)}
.s0{stroke:var(--e0)}.s1{stroke:var(--e1)}.s2{stroke:var(--e2)}.s3{stroke:var(--e3)}.s4{stroke:var(--e4)}.s5{stroke:var(--e5)}
.tie{stroke-width:1.5;stroke-dasharray:1 4;fill:none}
.life{stroke:var(--line);stroke-width:1.6}.gone{stroke:var(--line);stroke-width:1;stroke-dasharray:1 6;opacity:.6}
.gather{stroke:var(--line);stroke-width:6;stroke-dasharray:2 4;opacity:.55}
.hold{fill:var(--token)}.pass{stroke:var(--token);stroke-width:1.7}.token{fill:var(--token)}
.said{stroke:var(--said);stroke-width:1.3}.late{stroke:var(--said);stroke-width:1;stroke-dasharray:1 3;opacity:.75}
.stamp{fill:var(--said)}.got{fill:var(--paper);stroke:var(--said);stroke-width:1.6}.saidhead{fill:var(--said)}
.again{stroke:var(--again);stroke-width:1.7;stroke-dasharray:5 3}.againhead{fill:var(--again)}
.mark{fill:var(--paper);stroke:var(--ink);stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.solid{fill:var(--ink)}.bad{fill:none;stroke:var(--bad);stroke-width:2.6;stroke-linecap:round}
.turn{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3;fill:none}.join{stroke:var(--ink);stroke-width:2.2;fill:none}
.axis{stroke:var(--line);stroke-width:1}
text{fill:var(--ink)}.h1{font-size:17px;font-weight:600}.who{font-size:13px;font-weight:600}.soft{fill:var(--soft)}
.turns{font-size:12px;font-weight:600}.ringname{font-size:10.5px;font-weight:600}.num{font-size:10.5px;font-weight:600;fill:var(--said)}
.hop{font-size:9.5px;fill:var(--token)}.why{font-size:9.5px;fill:var(--soft)}.againt{font-size:9.5px;fill:var(--again)}.mid{text-anchor:middle}
.num,.hop,.againt,.why,.tick{paint-order:stroke;stroke:var(--paper);stroke-width:2.5px;stroke-linejoin:round;stroke-opacity:.75}
.tick{font-size:10px;fill:var(--soft)}";

/// Arrow heads.
pub const HEADS: &str = "<defs>\
<marker id=\"roda-token\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6.5\" markerHeight=\"6.5\" \
orient=\"auto\"><path class=\"token\" d=\"M0 0 8 4 0 8 2 4z\"/></marker>\
<marker id=\"roda-said\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
orient=\"auto\"><path class=\"saidhead\" d=\"M0 1 8 4 0 7z\"/></marker>\
<marker id=\"roda-again\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
orient=\"auto\"><path class=\"againhead\" d=\"M0 1 8 4 0 7z\"/></marker></defs>";

/// The shapes of marks, drawn around their place.
pub mod shapes {
    /// A life begins.
    pub const START: &str = "M-4-5.5 5 0-4 5.5z";
    /// It ends in order.
    pub const EXIT: &str = "M-4.5-4.5h9v9h-9z";
    /// It is killed.
    pub const CRASH: &str = "M-5-5 5 5M5-5-5 5";
    /// It is stopped, or goes on.
    pub const PAUSE: &str = "M-4-5h2.6v10h-2.6zM1.4-5h2.6v10h-2.6z";
    /// A checkpoint.
    pub const FLAG: &str = "M0 0v-14l8 3.2-8 3.2";
    /// A rollback.
    pub const BACK: &str = "M6-6a7 7 0 1 0 1 7M6-6l-6 1M6-6l-1-6";
    /// Asked for again.
    pub const ASK: &str = "M0-6 5 0 0 6-5 0z";
    /// Anything else.
    pub const NOTE: &str = "M0-6 5.5 4h-11z";
}
