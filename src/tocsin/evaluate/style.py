"""How the report looks: the desk's calm surface, light and dark from one set of variables, one column when narrow."""

STYLE = """
:root { color-scheme: light dark;
  --paper: light-dark(#f6f4ef, #16181a); --card: light-dark(#ffffff, #1e2124); --ink: light-dark(#1f2023, #e9e7e3);
  --muted: light-dark(#62646a, #a3a6ab); --line: light-dark(#e3dfd7, #34383c); --accent: light-dark(#85560c, #e2b263);
  --s1: light-dark(#b0660f, #dc9f50); --s2: light-dark(#44708f, #86b0d1); --s3: light-dark(#5d7a3a, #a3c47c); }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums }
main { max-width: 1280px; margin: 0 auto; padding: 24px 20px 40px }
h1 { font-size: 22px; margin: 0 0 2px; overflow-wrap: anywhere }
h2 { font-size: 13px; color: var(--muted); margin: 0 0 6px; font-weight: 600 }
.about, footer { color: var(--muted); margin: 0 0 16px; overflow-wrap: anywhere }
footer { margin: 20px 0 0; font-size: 12px }
.lead { background: var(--card); border: 1px solid var(--line); border-left: 3px solid var(--accent); border-radius: 6px;
  padding: 14px 18px; margin-bottom: 16px }
.lead p { margin: 4px 0; color: var(--muted); max-width: 90ch }
.lead p.first { font-size: 17px; color: var(--ink) }
.cards { columns: 3 360px; column-gap: 16px; margin-bottom: 16px }
.cards .card { break-inside: avoid; margin-bottom: 16px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 14px 16px; min-width: 0 }
.card > p { margin: 0 0 8px }
svg { display: block; width: 100%; height: auto }
svg text { fill: var(--muted); font-size: 11.5px }
svg .grid { stroke: var(--line); stroke-width: 1 } svg .axis { stroke: var(--muted); stroke-width: 1 }
svg .mark { stroke: var(--ink); stroke-dasharray: 3 3 } svg .note { fill: var(--ink); stroke: var(--card);
  stroke-width: 4; paint-order: stroke }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.line.s1 { stroke: var(--s1) } .line.s2 { stroke: var(--s2) } .line.s3 { stroke: var(--s3) }
.band { fill: color-mix(in srgb, var(--s1) 20%, transparent) }
.line.bare { stroke: none }
.line.faint { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 4 }
circle.s1, rect.s1 { fill: var(--s1) } circle.s2, rect.s2 { fill: var(--s2) } circle.s3 { fill: var(--s3) }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; margin: 4px 0 2px }
.key::before { content: ""; display: inline-block; width: 14px; height: 3px; margin-right: 5px; vertical-align: middle;
  background: var(--muted) }
.key.band::before { height: 10px; background: color-mix(in srgb, var(--s1) 30%, transparent) }
.key.s1::before { background: var(--s1) } .key.s2::before { background: var(--s2) } .key.s3::before { background: var(--s3) }
.bars { display: grid; grid-template-columns: minmax(0, 10em) minmax(3em, 1fr) auto; gap: 7px 10px; align-items: center;
  margin-top: 10px }
.bars .name { overflow-wrap: anywhere } .bars .says { text-align: right; white-space: nowrap }
.track { height: 10px; border-radius: 2px; background: color-mix(in srgb, var(--line) 55%, transparent) }
.fill { height: 100%; border-radius: 2px } .fill.s1 { background: var(--s1) } .fill.s2 { background: var(--s2) }
table { border-collapse: collapse; width: 100%; margin-bottom: 12px }
th, td { text-align: left; padding: 5px 8px 5px 0; border-bottom: 1px solid var(--line); font-weight: 400 }
td, .months th { text-align: right } .months td:first-child, .months th:first-child { text-align: left }
thead th { color: var(--muted); font-size: 12px }
.scroll { overflow-x: auto }
@media print { body { background: none } .card { break-inside: avoid } }
"""

CLASSES_STYLE = """
rect.s3 { fill: var(--s3) } rect.cell { fill: color-mix(in srgb, var(--line) 45%, transparent) }
svg text.count { fill: var(--ink); font-size: 12px; stroke: var(--card); stroke-width: 3; paint-order: stroke }
svg text.count.light { fill: var(--card); stroke: none; font-weight: 600 }
.wide { margin-bottom: 16px }
details summary { cursor: pointer; color: var(--muted); font-size: 12px; padding: 6px 0 } details .scroll { margin-top: 4px }
td small, th small { color: var(--muted) }
.facts th { width: 14em; color: var(--muted); vertical-align: top } .facts td { text-align: left; overflow-wrap: anywhere }
.switch { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 0 0 16px; align-items: baseline; color: var(--muted) }
.switch label { color: var(--ink); white-space: nowrap; cursor: pointer }
.switch input, summary, .scroll { accent-color: var(--accent); outline-color: var(--accent) }
.sheet { display: grid; gap: 14px 12px; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)) }
.sheet.sound { grid-template-columns: repeat(auto-fill, minmax(min(45%, 190px), 1fr)) }
.sheet.text { grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)) }
figure { margin: 0; min-width: 0 }
.frame { position: relative; border-radius: 4px; overflow: hidden; background: var(--line) }
.frame img { display: block; width: 100%; aspect-ratio: 1; object-fit: fill }
.sound .frame img { aspect-ratio: 2 / 1 }
.frame .heat { position: absolute; inset: 0; height: 100%; transition: opacity .15s }
.frame:hover .heat, body:has(#why:not(:checked)) .heat { opacity: 0 }
audio { display: block; width: 100%; height: 34px; margin-top: 4px }
figcaption { font-size: 12.5px; line-height: 1.35; margin-top: 5px; color: var(--muted); overflow-wrap: anywhere }
figcaption b { color: var(--ink); font-weight: 600 }
figcaption small { display: block; font-size: 11px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.text figure { display: flex; flex-direction: column; border: 1px solid var(--line); border-radius: 4px; padding: 10px 12px }
blockquote { margin: 0; flex: 1; overflow-wrap: anywhere; white-space: pre-line }
mark { color: inherit; border-radius: 2px; padding: 0 1px }
mark.for { background: color-mix(in srgb, var(--s1) calc(var(--w) * 65%), transparent) }
mark.against { background: color-mix(in srgb, var(--s2) calc(var(--w) * 55%), transparent);
  text-decoration: underline dashed; text-underline-offset: 3px }
body:has(#why:not(:checked)) mark { background: none; text-decoration: none }
.card > .odd { margin: 16px 0 8px; color: var(--muted); font-size: 12px }
.unread { border: 1px dashed var(--line); border-radius: 4px; padding: 10px; color: var(--muted); margin: 0 }
@media (max-width: 480px) { main { padding: 16px 12px 32px } .card { padding: 12px } .facts th { width: 8em } }
"""
"""What the report of classes adds: the matrix, contact sheets, marked words."""
