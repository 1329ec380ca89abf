// The style sheet of the page; colours are those of svg/style.hpp.
#pragma once

namespace ranker {

inline constexpr const char* page_style = R"css(
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 32px 24px 64px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial,
  "DejaVu Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 44px 0 4px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 15px; margin: 24px 0 8px; }
p { margin: 4px 0 12px; max-width: 76ch; }
.note { color: var(--muted); font-size: 13px; }
.wide { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 0 4px 18px; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th { font-weight: 600; border-bottom: 1px solid var(--muted); vertical-align: bottom; }
td { border-bottom: 1px solid var(--rule); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr));
  gap: 28px 36px; margin: 16px 0; }
.maps { display: flex; flex-wrap: wrap; gap: 20px 44px; margin: 12px 0; align-items: flex-end; }
.chart { display: block; width: 100%; }
.heat-map { display: block; max-width: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 12px 0; padding: 0;
  list-style: none; font-size: 13px; }
.key { width: 36px; height: 14px; margin-right: 7px; vertical-align: -2px; }
code { font: 12px/1.6 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; color: var(--muted);
  overflow-wrap: anywhere; }
@media print {
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding-left: 9px; }
  .charts { grid-template-columns: 1fr 1fr; gap: 16px 24px; }
  h2, h3, .legend, p { break-after: avoid; }
  svg, tr { break-inside: avoid; }
}
)css";

}  // namespace ranker
