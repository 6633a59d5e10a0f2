/** Style of every page that the gateway itself shows. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#faf9f7;--card:#fff;--ink:#1d1b18;--soft:#6d675f;--line:#e7e3dc;--accent:#3d5afe;--good:#16794c;--bad:#b3261e;--bad-soft:#fdf1ef;--mark:#ffe3df;--glow:#3d5afe1f}
@media(prefers-color-scheme:dark){:root{--paper:#131416;--card:#1b1d20;--ink:#ecebe8;--soft:#9b978f;--line:#2d3034;--accent:#8c9eff;--good:#5cc894;--bad:#ff8a80;--bad-soft:#261a19;--mark:#4d2320;--glow:#8c9eff24}}
*{box-sizing:border-box}
html{height:100%}
body{margin:0;min-height:100%;display:grid;grid-template-columns:minmax(0,1fr);place-items:center;padding:clamp(20px,5vw,56px);background:radial-gradient(60rem 28rem at 50% -8rem,var(--glow),transparent) no-repeat var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-font-smoothing:antialiased}
main{width:100%;max-width:30rem}
main.wide{max-width:46rem}
.name{display:inline-block;margin:0 0 14px;padding:2px 10px;border:1px solid var(--line);border-radius:99px;background:var(--card);color:var(--soft);font:500 13px/1.6 ui-monospace,"SF Mono",Menlo,Consolas,monospace;max-width:100%;overflow-wrap:anywhere}
h1{margin:0 0 8px;font-size:clamp(1.6rem,5vw,2.1rem);line-height:1.18;letter-spacing:-.022em;font-weight:650;text-wrap:balance}
.lead{margin:0;color:var(--soft);text-wrap:pretty}
.steps{list-style:none;margin:28px 0 0;padding:0}
.steps li{position:relative;display:grid;grid-template-columns:22px 1fr auto;gap:0 14px;align-items:center;padding:9px 0;color:var(--soft)}
.steps li+li::before{content:"";position:absolute;left:10px;top:-9px;width:2px;height:18px;border-radius:2px;background:var(--line)}
.steps li.done+li::before{background:color-mix(in srgb,var(--good) 45%,var(--line))}
.dot{width:22px;height:22px;border-radius:50%;border:2px solid var(--line);background:var(--card);display:grid;place-items:center;z-index:1}
.done{color:var(--ink)!important}
.done .dot{border-color:var(--good);background:var(--good)}
.done .dot::after{content:"";width:9px;height:5px;margin-top:-2px;border:solid var(--card);border-width:0 0 2px 2px;transform:rotate(-45deg)}
.now{color:var(--ink)!important;font-weight:600}
.now .dot{border-color:color-mix(in srgb,var(--accent) 25%,transparent);border-top-color:var(--accent);animation:turn .9s linear infinite}
.failed{color:var(--bad)!important;font-weight:600}
.failed .dot{border-color:var(--bad)}
.failed .dot::after{content:"!";font:700 13px/1 system-ui,sans-serif;color:var(--bad)}
.count{font-size:14px;font-weight:400;color:var(--soft);font-variant-numeric:tabular-nums}
progress{grid-column:2/-1;width:100%;height:4px;margin-top:8px;appearance:none;border:0;border-radius:4px;overflow:hidden;background:var(--line)}
progress::-webkit-progress-bar{background:var(--line)}
progress::-webkit-progress-value{background:var(--accent);border-radius:4px;transition:width .3s}
progress::-moz-progress-bar{background:var(--accent)}
.problem{margin:18px 0 0;border:1px solid color-mix(in srgb,var(--bad) 32%,var(--line));border-radius:12px;background:var(--card);overflow:hidden}
.problem header{padding:14px 18px}
.where{display:block;margin-bottom:3px;color:var(--bad);font:600 13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.what{margin:0;font-weight:550;white-space:pre-wrap;overflow-wrap:anywhere}
pre{margin:0;padding:12px 0;overflow-x:auto;background:var(--bad-soft);border-top:1px solid var(--line);font:13px/1.6 ui-monospace,"SF Mono",Menlo,Consolas,monospace;tab-size:2}
pre span{display:block;min-width:max-content;padding:0 18px;white-space:pre}
pre span:empty::after{content:" "}
pre .hit{background:var(--mark);font-weight:600}
.hint{margin:0;padding:11px 18px;border-top:1px solid var(--line);color:var(--soft);font-size:14.5px;overflow-wrap:anywhere}
.hint b{color:var(--ink);font-weight:600}
.foot{margin:26px 0 0;color:var(--soft);font-size:14px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@keyframes turn{to{transform:rotate(1turn)}}
@media(prefers-reduced-motion:reduce){.now .dot{animation-duration:4s}progress::-webkit-progress-value{transition:none}}
`
