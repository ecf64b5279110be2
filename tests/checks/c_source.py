# SPDX-License-Identifier: MIT
"""Just enough of C to check comments beside code: comments, statements."""

import re

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)


class Comment:
    """A comment: its lines in the file, and its text without decoration."""

    def __init__(self, text, first_line):
        self.first = first_line
        self.last = first_line + text.count("\n")
        if text.startswith("//"):
            lines = [text[2:]]
        else:
            lines = text[2:-2].split("\n")
        self.lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in lines]

    def text(self):
        return " ".join(line.strip() for line in self.lines).strip()


class Statement:
    """What stands between two of ; { } (outside of parentheses)."""

    def __init__(self, lines):
        self.lines = lines  # line number -> code without comments and strings
        self.first = min(lines)
        self.last = max(lines)
        self.comments = []  # those above it, in it, and behind it


class Source:
    def __init__(self, text):
        self.comments = []
        self.code = self._blank(text)
        self.statements = self._split()
        self._attach()

    def _blank(self, text):
        """The text with comments and strings made blanks; collects comments."""

        def blank(match):
            found = match.group(0)
            if match.group("comment"):
                line = text.count("\n", 0, match.start()) + 1
                self.comments.append(Comment(found, line))
            return re.sub(r"[^\n]", " ", found)

        return _TOKEN.sub(blank, text)

    def _split(self):
        statements = []
        lines = {}
        depth = 0
        directive = False

        def end():
            nonlocal lines, depth
            if lines:
                statements.append(Statement(lines))
            lines = {}
            depth = 0

        for number, line in enumerate(self.code.split("\n"), 1):
            if not directive and line.lstrip().startswith("#"):
                end()
                directive = True
            if directive:
                lines[number] = line
                directive = line.rstrip().endswith("\\")
                if not directive:
                    end()
                continue
            start = 0
            for column, character in enumerate(line):
                if character == "(":
                    depth += 1
                elif character == ")":
                    depth = max(depth - 1, 0)
                elif character in "{}" or (character == ";" and not depth):
                    piece = line[start : column + 1]
                    if number in lines:
                        lines[number] += piece
                    else:
                        lines[number] = piece
                    end()
                    start = column + 1
            if line[start:].strip():
                lines[number] = lines.get(number, "") + line[start:]
        end()
        return statements

    def _attach(self):
        """A comment belongs to the statement that it stands in or behind, or
        else to the one that it stands directly above."""
        for comment in self.comments:
            statement = self._beside(comment) or self._below(comment)
            if statement:
                statement.comments.append(comment)

    def _beside(self, comment):
        best = None
        for statement in self.statements:
            if statement.first <= comment.first <= statement.last:
                best = statement  # the last that has begun on that line
        return best

    def _below(self, comment):
        line = comment.last + 1
        while True:
            for other in self.comments:
                if other.first == line:
                    line = other.last + 1
                    break
            else:
                break
        for statement in self.statements:
            if statement.first == line:
                return statement
        return None
