#!/usr/bin/env python3
"""messages.py FILE...: what the sources have to say, in the order in which they say it.

A line for each call, initialiser or statement with a text of more than one word: "FUNCTION: TEXT | TEXT". Texts that stand side
by side are one, a macro between them is <ITS NAME>; in Python, {} is a value that is filled in.
"""

import ast
import re
import sys

TOKENS = re.compile(
    r'''(?P<comment>/\*.*?\*/)|(?P<directive>^\#(?:\\\n|[^\n])*)|(?P<text>"(?:\\.|[^"\\])*")|(?P<character>'(?:\\.|[^'\\])*')'''
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)|(?P<other>\S)""",
    re.DOTALL | re.MULTILINE,
)
# Queries, and what is read or compared instead of said.
NO_MESSAGE = re.compile(r"SELECT |INSERT |PRAGMA |SQLite format|id = CAST| FROM main|\(instance '|\(overlay \{")
NO_SPEAKER = re.compile(r"[sf]scanf|str[a-z]*|mem[a-z]*|sqlite3_\w*|startswith|execute|strftime")


def is_message(texts):
    return any(" " in text.strip() and re.search("[A-Za-z]{3}", re.sub("%[^ ]*|<[A-Za-z0-9_]*>", "", text)) for text in texts)


def is_macro(tokens, i):
    return 0 <= i < len(tokens) and tokens[i][0] == "name" and (tokens[i][1].isupper() or tokens[i][1].startswith("PRI"))


def is_text(tokens, i):
    return 0 <= i < len(tokens) and tokens[i][0] == "text"


def of_c(source):
    """Of the texts of each call and so on: where the first stands, the name, the texts."""
    tokens = [(m.lastgroup, m.group(), m.start()) for m in TOKENS.finditer(source) if m.lastgroup not in ("comment", "directive")]
    found = []
    stack = [["", []]]

    def end():
        name, texts = stack[-1]
        if texts:
            found.append((texts[0][0], name, [text for _, text in texts]))
        stack[-1][1] = []

    for i, (kind, word, place) in enumerate(tokens):
        if is_text(tokens, i) or (is_macro(tokens, i) and (is_text(tokens, i - 1) or is_text(tokens, i + 1))):
            text = word[1:-1] if kind == "text" else f"<{word}>"
            goes_on = i > 0 and (is_text(tokens, i - 1) or (is_macro(tokens, i - 1) and is_text(tokens, i)))
            if goes_on and stack[-1][1]:
                first, so_far = stack[-1][1].pop()
                stack[-1][1].append((first, so_far + text))
            else:
                stack[-1][1].append((place, text))
        elif kind == "other" and word in "([{":
            if word == "{":
                end()
            stack.append([tokens[i - 1][1] if word == "(" and i > 0 and tokens[i - 1][0] == "name" else "", []])
        elif kind == "other" and word in ")]}":
            end()
            if len(stack) > 1:
                stack.pop()
        elif word == ";":
            end()
    return sorted(found)


def python_text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def of_python(source):
    found = []

    def visit(node, name):
        if isinstance(node, ast.Expr) and python_text(node.value) is not None:
            return
        text = python_text(node)
        if text is not None:
            found.append((node.lineno, name, [text]))
            return
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [t for t in map(python_text, node.args) if t is not None]
            if texts:
                found.append((node.lineno, name, texts))
            for child in node.args + [k.value for k in node.keywords]:
                if python_text(child) is None:
                    visit(child, "")
            visit(node.func, "")
            return
        for child in ast.iter_child_nodes(node):
            visit(child, "")

    visit(ast.parse(source), "")
    return sorted(found, key=lambda message: message[0])


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        source = file.read()
    lines = []
    for _, name, texts in (of_c if path.endswith(".c") else of_python)(source):
        texts = [text for text in texts if text.strip() and not NO_MESSAGE.search(text)]
        if is_message(texts) and not NO_SPEAKER.fullmatch(name):
            lines.append("    " + (f"{name}: " if name else "") + " | ".join(texts))
    if lines:
        print(path, *lines, sep="\n")
