// The style sheet of route pictures, which are files of their own: no variables, as not every
// program that shows pictures knows them. Colours are those of svg/style.hpp; the ground is drawn,
// as a page need not have the ground that the screen prefers.
#pragma once

namespace svg {

inline constexpr const char* route_style = R"css(
.ground, .back { fill: #ffffff; }
.n { stroke: #5a5a5a; fill: #5a5a5a; } .t0 { stroke: #0072b2; fill: #0072b2; }
.t1 { stroke: #c8500a; fill: #c8500a; } .t2 { stroke: #00805c; fill: #00805c; }
.t3 { stroke: #a8508a; fill: #a8508a; } .t4 { stroke: #a87400; fill: #a87400; }
.t5 { stroke: #2a8fc9; fill: #2a8fc9; }
text { fill: #1c1e21; text-anchor: middle;
  font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.muted { fill: #5d6369; }
@media (prefers-color-scheme: dark) {
  .ground, .back { fill: #16181b; }
  .n { stroke: #b8b8b8; fill: #b8b8b8; } .t0 { stroke: #4da6e0; fill: #4da6e0; }
  .t1 { stroke: #f0803c; fill: #f0803c; } .t2 { stroke: #2bc49a; fill: #2bc49a; }
  .t3 { stroke: #e09ac4; fill: #e09ac4; } .t4 { stroke: #f0b93a; fill: #f0b93a; }
  .t5 { stroke: #8fd0f5; fill: #8fd0f5; }
  text { fill: #e6e7e9; }
  .muted { fill: #a3a9b0; }
}
path { stroke-linecap: round; }
.reads, .gated { stroke-width: 1.1; }
.asks { stroke-width: 1.3; stroke-dasharray: 0.1 3.6; opacity: 0.9; }
.static { stroke-width: 2.6; }
.stopped { stroke-dasharray: 4 4; stroke-linecap: butt; }
.expert { fill-opacity: 0.22; stroke-width: 1.5; }
.ring { fill: none; stroke-width: 1.8; }
.gate, .slot { stroke: none; }
.slot { opacity: 0.6; }
)css";

}  // namespace svg
