"""Which files a file needs, by its text: the rules are those of the TypeScript client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]""")
_STYLE_IMPORT = re.compile(r"""@import\s+(?:url\()?['"]([^'"\n]+)['"]""")
_PAGE_REFERENCE = re.compile(r"""<(?:script\b[^>]*\ssrc|link\b[^>]*\shref)=["']([^"'\n]+)["']""")

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
    if _PAGE.search(path):
        local = (_bare(to) for to in _PAGE_REFERENCE.findall(content) if not _is_remote(to))
        wanted = (to for to in local if _CODE.search(to) or _STYLE.search(to))
        return [_join(_folder_of(path), re.sub(r"^\.?/", "", to)) for to in wanted]
    pattern = _IMPORT if _CODE.search(path) else _STYLE_IMPORT if _STYLE.search(path) else None
    if pattern is None:
        return []
    found = (_in_module(path, _bare(to)) for to in pattern.findall(content))
    return [to for to in found if to is not None]


def is_there(reference: str, has: Has) -> bool:
    """Whether the project has what a reference names."""
    if any(has(reference + ending) for ending in _WITH_ENDINGS):
        return True
    # TypeScript writes the name of what is emitted: ./x.js for x.ts.
    typescript = re.sub(r"\.([cm]?)js(x?)$", r".\1ts\2", reference)
    return typescript != reference and (has(typescript) or has(f"{typescript}x"))


def coherent(references: Mapping[str, Iterable[str]], has: Has) -> set[str]:
    """The files that need nothing but each other and what is there already."""
    group = set(references)
    while True:
        # What is taken out may be what another one needs: until nothing is.
        lacking = {
            path
            for path in group
            if not all(
                is_there(to, lambda name: name in group or has(name))  # noqa: B023
                for to in references[path]
            )
        }
        if not lacking:
            return group
        group -= lacking


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
