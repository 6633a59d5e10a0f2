"""Which files a file needs, by its text: the rules are those of the TypeScript client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

# Each with a bound where it could look through all that follows again and again.
_IMPORT = re.compile(r"""\b(?:from|import)\s{0,99}(?:\(\s{0,99})?['"]([^'"\n]{1,999})['"]""")
_STYLE_IMPORT = re.compile(r"""@import\s{1,99}(?:url\()?['"]([^'"\n]{1,999})['"]""")
_PAGE_REFERENCE = re.compile(
    r"""<(?:script\b[^>]{0,299}\ssrc|link\b[^>]{0,299}\shref)=["']([^"'\n]{1,999})["']"""
)
#: What names other files stands at the beginning; the rest of a long one is not looked at.
_LOOKED_AT = 256 * 1024

_CODE = re.compile(r"\.(?:[cm]?[jt]sx?|vue|svelte|astro)$")
_STYLE = re.compile(r"\.(?:css|scss|sass|less)$")
_PAGE = re.compile(r"\.html?$")

#: What a bundler adds to a specifier that names no file.
_ENDINGS = (".ts .tsx .js .jsx .mjs .mts .json .vue .svelte .css .scss").split()
_WITH_ENDINGS = ("", *_ENDINGS, *(f"/index{ending}" for ending in _ENDINGS))

Has = Callable[[str], bool]


def references_of(path: str, content: str) -> list[str]:
    """Paths of the project that a file needs, without endings where it leaves them out.

    Read by patterns: what stands in a comment counts too, and an alias is taken for the usual one
    (``@/`` and ``~/`` are the ``src`` folder).
    """
    content = content[:_LOOKED_AT]
    if _PAGE.search(path):
        local = (_bare(to) for to in _PAGE_REFERENCE.findall(content) if not _is_remote(to))
        wanted = (to for to in local if _CODE.search(to) or _STYLE.search(to))
        return [_join(_folder_of(path), re.sub(r"^\.?/", "", to)) for to in wanted]
    pattern = _IMPORT if _CODE.search(path) else _STYLE_IMPORT if _STYLE.search(path) else None
    if pattern is None:
        return []
    found = (_in_module(path, _bare(to)) for to in pattern.findall(content))
    return [to for to in found if to is not None]


def coherent(references: Mapping[str, Iterable[str]], has: Has) -> set[str]:
    """The files that need nothing but each other and what is there already."""
    group = set(references)
    needed_by: dict[str, list[str]] = {}
    lacking: list[str] = []
    for path, needs in references.items():
        for reference in needs:
            if _find(reference, has) is not None:
                continue
            found = _find(reference, group.__contains__)
            if found is None:
                lacking.append(path)
            else:
                needed_by.setdefault(found, []).append(path)
    left = set(group)
    while lacking:
        # What is taken out may be what another one needs.
        path = lacking.pop()
        if path in left:
            left.remove(path)
            lacking.extend(needed_by.get(path, ()))
    return left


def _find(reference: str, has: Has) -> str | None:
    """The path that a reference names."""
    # TypeScript writes the name of what is emitted: ./x.js for x.ts.
    typescript = re.sub(r"\.([cm]?)js(x?)$", r".\1ts\2", reference)
    emitted = () if typescript == reference else (typescript, f"{typescript}x")
    names = (*(reference + ending for ending in _WITH_ENDINGS), *emitted)
    return next((name for name in names if has(name)), None)


def _is_remote(reference: str) -> bool:
    return re.match(r"(?:[a-z]+:|//)", reference, re.IGNORECASE) is not None


def _bare(reference: str) -> str:
    return re.sub(r"[?#].*$", "", reference)


def _in_module(module: str, reference: str) -> str | None:
    if re.match(r"\.\.?(?:/|$)", reference):
        return _join(_folder_of(module), reference)
    alias = re.match(r"[@~]/(.+)$", reference)
    if alias is None:
        return None
    source = re.match(r"(?:.*/)?src/", module)
    return (source[0] if source else "src/") + alias[1]


def _folder_of(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _join(folder: str, relative: str) -> str:
    segments: list[str] = []
    for segment in (folder + relative).split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/".join(segments)
