"""E-mail addresses in a text, plain ones and those hidden from machines ("name at host dot ...").

What looks like an address and is none: `git@host:path` (`git`, `hg` and `svn` are no people), pins
such as `actions/checkout@v4` and `package@1.2.0`, matrix products such as `x@w.T`, `x@self.weight`
or `x@w.to(device)`.
"""

import re
from collections.abc import Iterator

COUNTRIES = """
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs
    bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee
    eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm
    hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb
    lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz
    na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs
    ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl
    tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
"""
GENERIC = """
    com org net edu gov mil int academy app asia biz blog cat chat cloud club community company
    computer coop digital dev education email engineering example expert global group help info
    institute international jobs life live mail media mobi museum name network news one online
    page plus pro research school science services site social software solutions space store
    studio study systems team tech technology today tools top training university website wiki
    work world xyz
"""
COMMON_DOMAINS = frozenset(["com", "org", "net", "edu", "gov", "mil", "int"])
DOMAINS = COMMON_DOMAINS.union(COUNTRIES.split(), GENERIC.split())
REPOSITORY_USERS = frozenset(["git", "hg", "svn"])
OBJECTS = frozenset(["self", "torch", "np", "nn", "numpy", "jnp", "jax", "tf"])

AT = r"(?:@|＠|%40|&\#0*64;|&\#x0*40;|&commat;)"
BRACKETED_AT = r"\s{0,3}[\[({<]\s{0,2}(?:@|at|et)\s{0,2}[\])}>]\s{0,3}"
BRACKETED_DOT = r"\s{0,3}[\[({<]\s{0,2}(?:\.|dot|nokta)\s{0,2}[\])}>]\s{0,3}"
SPOKEN_DOT = r"\s{1,3}(?:dot|nokta)\s{1,3}"
LOCAL = r"(?<![\w.+%-])(?P<local>[\w.+%-]{1,64})"
LABEL = r"[\w-]{1,63}"
PLAIN_HOST = rf"(?P<host>{LABEL}(?:\.{LABEL}){{1,8}})(?![\w-])"
HIDDEN_HOST = rf"(?P<host>{LABEL}(?:(?:\.|{BRACKETED_DOT}|{SPOKEN_DOT}){LABEL}){{1,8}})(?![\w-])"
SPOKEN_HOST = rf"(?P<host>{LABEL}(?:(?:{BRACKETED_DOT}|{SPOKEN_DOT}){LABEL}){{1,8}})(?![\w-])"
DOT = re.compile(rf"\.|{BRACKETED_DOT}|{SPOKEN_DOT}", re.IGNORECASE)

HAS_AT = re.compile(AT, re.IGNORECASE)
ADDRESS = re.compile(rf"{LOCAL}{AT}{PLAIN_HOST}(?P<after>[(\[]?)", re.IGNORECASE)
SPACED_ADDRESS = re.compile(rf"{LOCAL}(?:[ \t]{AT}[ \t]?|{AT}[ \t]){PLAIN_HOST}(?P<after>[(\[]?)")
HAS_DOT = re.compile(rf"{BRACKETED_DOT}|{SPOKEN_DOT}", re.IGNORECASE)
HIDDEN_ADDRESSES = (
    # What a text must have for the pattern to be worth trying, and the pattern.
    (
        re.compile(BRACKETED_AT, re.IGNORECASE),
        re.compile(rf"{LOCAL}{BRACKETED_AT}{HIDDEN_HOST}", re.IGNORECASE),
    ),
    (HAS_DOT, re.compile(rf"{LOCAL}\s{{1,3}}(?:at|et)\s{{1,3}}{SPOKEN_HOST}", re.IGNORECASE)),
    (HAS_DOT, re.compile(rf"{LOCAL}\s{{0,3}}{AT}\s{{0,3}}{SPOKEN_HOST}", re.IGNORECASE)),
    # In capitals only: "look at arxiv.org" is none.
    (re.compile(r"[ \t]AT[ \t]"), re.compile(rf"{LOCAL}[ \t]AT[ \t]{HIDDEN_HOST}")),
)


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where e-mail addresses stand, plain or hidden from machines."""
    if HAS_AT.search(text):
        for match in ADDRESS.finditer(text):
            if is_address(match):
                yield match.start(), match.end("host")
        for match in SPACED_ADDRESS.finditer(text):
            if is_common_host(match["host"].split(".")) and not match["after"]:
                yield match.start(), match.end("host")
    for trigger, pattern in HIDDEN_ADDRESSES:
        for match in pattern.finditer(text) if trigger.search(text) else ():
            if is_host(DOT.split(match["host"])):
                yield match.span()


def is_address(match: re.Match[str]) -> bool:
    """Whether name@host is somebody's address: no repository, no version pin, no matrix product."""
    labels = match["host"].split(".")
    if match["local"].lower() in REPOSITORY_USERS:
        return False
    if is_common_host(labels):
        return True
    is_code = (
        bool(match["after"])
        or labels[0] in OBJECTS
        or (len(match["local"]) == 1 and len(labels[0]) == 1)
    )
    return is_host(labels) and not is_code


def is_common_host(labels: list[str]) -> bool:
    """Whether a host has a .com, .edu and the like in it, even if a sentence goes on behind it."""
    return any(label.lower() in COMMON_DOMAINS for label in labels[1:])


def is_host(labels: list[str]) -> bool:
    """Whether labels end in a top-level domain and are no version number."""
    top = labels[-1]
    if not (top.islower() or top.isupper() or top.istitle()):
        return False  # w.mT
    is_version = len(labels) > 2 and all(re.fullmatch(r"[vV]?\d+", label) for label in labels[:2])
    return top.lower() in DOMAINS and not is_version
