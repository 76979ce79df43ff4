namespace Bnb.Engine.Reports.Verification;

/// <summary>The style sheet of the HTML report.</summary>
internal static class HtmlStyle
{
    public const string Css = """
        :root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1b1f24;--soft:#5b6572;--line:#e1e5ea;--grid:#edf0f3;
        --mark:#3b6fd4;--bad:#c9342b;--good:#1f7a45;--theory:#b8720a;--bad-back:#fdeeec}
        @media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1c2025;--text:#e5e9ee;--soft:#9aa5b1;--line:#30363d;--grid:#282d33;
        --mark:#6f9cf0;--bad:#f2766c;--good:#5cc28a;--theory:#e0a548;--bad-back:#3a2221}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:1080px;margin:0 auto;padding:28px 16px 48px}
        h1{font-size:1.55rem;line-height:1.3;margin:0 0 4px;overflow-wrap:anywhere}
        h2{font-size:1.05rem;margin:0 0 2px}
        .eyebrow{color:var(--soft);margin:0 0 6px;font-size:.9rem}
        .good{color:var(--good)}.fail{color:var(--bad)}
        .paths{color:var(--soft);margin:0;overflow-wrap:anywhere}
        .note{color:var(--soft);font-size:.86rem;margin:0 0 10px}
        code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
        .card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;margin-top:16px;min-width:0}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:12px;margin-top:20px}
        .tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
        .tile b{display:block;font-size:1.35rem;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
        .tile span{color:var(--soft);font-size:.86rem;overflow-wrap:anywhere}
        .pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px}
        .scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
        svg{display:block;width:100%;height:auto}
        .wide svg{min-width:640px}
        .half svg{max-width:620px;margin:0 auto}
        .bar,.dot{fill:var(--mark)}.wide .bar{fill-opacity:.5}.dot{fill-opacity:.55}.bar.bad,.dot.bad{fill:var(--bad);fill-opacity:1}
        .bar:hover,.dot:hover{fill:var(--text)}
        .grid{stroke:var(--grid)}.base{stroke:var(--soft)}.diagonal{stroke:var(--soft);stroke-dasharray:2 4}
        .theory{stroke:var(--theory);fill:none;stroke-width:1.8}
        .half .theory{stroke-dasharray:6 4}
        .limit{stroke:var(--bad);fill:none;stroke-width:1.4;stroke-dasharray:5 4}.limit-name{fill:var(--bad);font-size:12.5px}
        .axis{fill:var(--soft);font-size:12.5px}.beyond{fill:var(--bad);font-size:10px}
        .findings{margin:6px 0 0;padding-left:18px}.findings li{margin:4px 0;overflow-wrap:anywhere}
        .failures{border-color:var(--bad)}
        table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
        th,td{text-align:right;padding:6px 8px;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
        th{color:var(--soft);font-weight:600}
        th.name,td.name{text-align:left}
        td.name{white-space:normal;min-width:260px}td small{display:block;color:var(--soft)}
        tr.failed td{background:var(--bad-back)}
        td .findings{margin:2px 0 0;list-style:none;padding:0;color:var(--bad);font-size:.95em}
        td .findings.remarks{color:var(--soft)}
        .command{margin:4px 0 12px;overflow-wrap:anywhere}
        .files td{font-size:.95em}
        footer{color:var(--soft);font-size:.86rem;margin-top:20px;overflow-wrap:anywhere}
        @media(max-width:760px){main{padding:18px 10px 32px}.pair{grid-template-columns:minmax(0,1fr);gap:0}.card{padding:14px 12px}
        h1{font-size:1.25rem}.axis{font-size:14px}.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}.tile b{font-size:1.15rem}
        td.name{min-width:215px}}
        @media print{:root{color-scheme:light;--page:#fff;--card:#fff;--text:#1b1f24;--soft:#5b6572;--line:#e1e5ea;--grid:#edf0f3;
        --mark:#3b6fd4;--bad:#c9342b;--good:#1f7a45;--theory:#b8720a;--bad-back:#fdeeec}.card,.tile{break-inside:avoid}.scroll{overflow:visible}}
        """;
}
