// The style sheet of what this module draws, for light and dark screens and for paper.
#pragma once

namespace svg {

// Colours are variables of the page, which may use them too: --ink, --muted and --rule on --ground,
// --c0 ... --c6 for series, --warm and --cool for numbers. The series' are Okabe and Ito's, which
// the colour-blind can tell apart, darkened on white and lightened on black until lines stand out.
inline constexpr const char* style = R"css(
:root {
  color-scheme: light dark;
  --ground: #ffffff; --ink: #1c1e21; --muted: #5d6369; --rule: #dfe2e5;
  --c0: #0072b2; --c1: #c8500a; --c2: #00805c; --c3: #a8508a; --c4: #2a8fc9; --c5: #a87400;
  --c6: #5a5a5a; --warm: #00558a; --cool: #8a3a00; --half: #1c1e21;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #16181b; --ink: #e6e7e9; --muted: #a3a9b0; --rule: #33373c;
    --c0: #4da6e0; --c1: #f0803c; --c2: #2bc49a; --c3: #e09ac4; --c4: #8fd0f5; --c5: #f0b93a;
    --c6: #b8b8b8; --warm: #7cc4f0; --cool: #f5a05a; --half: #16181b;
  }
}
svg { overflow: visible; }
svg text { fill: var(--ink); font-size: 11px; }
svg .title { font-size: 13px; font-weight: 600; }
svg .label, svg .tick { fill: var(--muted); }
svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .grid { stroke: var(--rule); }
svg .axis { stroke: var(--muted); }
svg .zero { stroke: var(--muted); stroke-dasharray: 1 3; stroke-linecap: round; }
svg .c0 { --c: var(--c0); } svg .c1 { --c: var(--c1); } svg .c2 { --c: var(--c2); }
svg .c3 { --c: var(--c3); } svg .c4 { --c: var(--c4); } svg .c5 { --c: var(--c5); }
svg .c6 { --c: var(--c6); }
svg .line { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round;
  stroke-linecap: round; }
svg .d1 { stroke-dasharray: 7 4; } svg .d2 { stroke-dasharray: 1.5 4; }
svg .d3 { stroke-dasharray: 9 4 1.5 4; }
svg .solid { fill: var(--c); stroke: var(--ground); stroke-width: 0.8; }
svg .open { fill: none; stroke: var(--c); stroke-width: 1.8; }
svg .faint { opacity: 0.55; }
svg .faint .line { stroke-width: 1; }
svg .target { fill: transparent; }
svg .series:hover { opacity: 1; }
svg .series:hover .line { stroke-width: 3; }
svg .cell { stroke: var(--rule); stroke-width: 1; }
svg .warm { fill: var(--warm); }
svg .cool { fill: var(--cool); }
svg .number { text-anchor: middle; font-variant-numeric: tabular-nums; }
svg .half { fill: var(--half); }
svg .strong { fill: var(--ground); }
svg .point:hover .cell { stroke: var(--ink); stroke-width: 2; }
)css";

}  // namespace svg
